"""What stands under `edge-hosts:site`: a site with its hosts, a network of many sites, or a build of images."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from edge.settings.access import Proxy, Ssh
from edge.settings.base import Model
from edge.settings.certificates import Certificate
from edge.settings.hosts import Host, OsName, Vmxnet3
from edge.settings.identity import Activation
from edge.settings.image import Builder, Image, ImageBuild, IsoDatastore
from edge.settings.managed import Vpn
from edge.settings.network import Network
from edge.settings.palette import Palette
from edge.settings.scalars import Cidr, Duration, Label, Switch, Text
from edge.settings.vsphere import Vcenter, Vsphere
from edge.stages import Stage

KINDS = ("site", "network", "build")


class Cilium(Model):
    """Features of Cilium that the cluster will use; each needs more ports to be free on the hosts."""

    wireguard: Switch = Field(default=False, description="WireGuard encryption (udp 51871).")
    geneve: Switch = Field(default=False, description="Geneve instead of VXLAN (udp 6081).")
    mutual_auth: Switch = Field(default=False, description="Mutual authentication (tcp 4250, 4251).")
    hubble_relay: Switch = Field(default=False, description="Hubble relay (tcp 4245).")
    bgp: Switch = Field(default=False, description="BGP control plane (tcp 179).")


class Site(Model):
    """A site: the facts of the place once, the hosts one line each."""

    kind: Literal["site"] = Field(default="site", description="A site with hosts.")
    name: Label = Field(description="Name of the site; the stack is called NAME-STAGE.")
    stage: Stage = Field(description="Stage of the stack: decides what is refused (see the table of stages).")
    palette: Palette = Field(description="How the site belongs to Palette.")
    network: Network = Field(description="The AWS side: cluster, VPC, and the networks of the site.")
    activation: Activation | None = Field(
        default=None, description="The site's SSM hybrid activation; with `credentialProvider: ssm` only."
    )
    ssh: Ssh = Field(description="How the program logs in to the hosts.")
    proxy: Proxy | None = Field(default=None, description="HTTP proxy of the hosts.")
    ca_certs: tuple[Certificate, ...] = Field(
        default=(), description="Authorities that the hosts must trust: PEM text, {file: PATH} or {config: NAME}."
    )
    preflight: Literal["enforce", "report"] = Field(
        default="enforce", description="Whether a red check stops a host or is only reported."
    )
    accept_os: tuple[OsName, ...] = Field(
        default=(),
        description="Operating systems beyond AWS's list to accept, as ID-VERSION_ID; a warning in every report.",
    )
    accept_dhcp: Switch = Field(
        default=False, description="Accept a DHCP reservation as a static address; a warning in every report."
    )
    index_max_age: Duration = Field(
        default=timedelta(hours=24), description="Age up to which a package index counts as fresh."
    )
    cilium: Cilium = Field(default=Cilium(), description="Features of Cilium that will be used.")
    vmxnet3: Vmxnet3 = Field(
        default="auto",
        description='Switch off UDP tunnel offloads: "auto" where the driver is vmxnet3, "on", "off" (in quotes).',
    )
    vmxnet3_nic: Text | None = Field(
        default=None, alias="vmxnet3Nic", description="Network interface of that stage, instead of a loop by driver."
    )
    fips: Switch = Field(default=False, description="Install the FIPS build of the agent (RHEL only).")
    set_bash_shell: Switch = Field(default=False, description="Make bash the login user's shell where it is not.")
    healthy_timeout: Duration = Field(
        default=timedelta(minutes=20), description="How long a host may take to become healthy."
    )
    install_timeout: Duration = Field(
        default=timedelta(hours=2),
        description="How long an appliance may take from its installer to its registration; somebody has to put the media"
        " into a bare-metal machine.",
    )
    image: Image | None = Field(
        default=None, description="The installer image of the appliances; needed with `mode: appliance`."
    )
    vcenters: dict[Label, Vcenter] = Field(default={}, description="The vCenters by name; most sites have one.")
    vsphere: Vsphere | None = Field(
        default=None, description="Where virtual machines are made. With it, hosts are machines made on vSphere."
    )
    hosts: dict[Label, Host] = Field(
        min_length=1, description="The hosts by name. The name is the Palette id and the host name."
    )

    @model_validator(mode="before")
    @classmethod
    def _default_machine(cls, raw: Any) -> Any:
        """Make machines virtual where the site has a `vsphere` section, else existing."""
        if not isinstance(raw, dict) or not isinstance(raw.get("hosts"), dict):
            return raw
        machine = "vsphere" if raw.get("vsphere") is not None else "existing"
        hosts = {
            name: {"machine": machine, **host} if isinstance(host, dict) else host
            for name, host in raw["hosts"].items()
        }
        return {**raw, "hosts": hosts}


class SiteNetworks(Model):
    """The networks of one site of a network stack."""

    remote_node_cidrs: tuple[Cidr, ...] = Field(min_length=1, description="Networks of the site's hosts.")
    remote_pod_cidrs: tuple[Cidr, ...] = Field(default=(), description="Networks of the site's pods.")
    vpn: Vpn | None = Field(default=None, description="VPN of this site to the gateway (`source: managed` only).")


class NetworkStack(Model):
    """The AWS side of many sites: the one owner of cluster, remote networks, rules, role and access entry."""

    kind: Literal["network"] = Field(description="The AWS side of many sites; no hosts.")
    name: Label = Field(description="Name of the network; the stack is called NAME-STAGE.")
    stage: Stage = Field(description="Stage of the stack.")
    network: Network = Field(description="Where the AWS side comes from: given, lookup or managed.")
    sites: dict[Label, SiteNetworks] = Field(min_length=1, description="The networks of all sites, by site name.")


class BuildStack(Model):
    """An installer image, built once and promoted by digest; no hosts."""

    kind: Literal["build"] = Field(description="An installer image; no hosts.")
    name: Label = Field(description="Name of the image; the stack is called NAME-STAGE.")
    stage: Stage = Field(description="Stage of the stack.")
    builder: Builder = Field(description="The machine that builds.")
    build: ImageBuild = Field(description="What the image is built of.")
    datastores: tuple[IsoDatastore, ...] = Field(
        default=(), description="Datastores that the ISOs are uploaded to; none for bare metal alone."
    )
    vcenters: dict[Label, Vcenter] = Field(default={}, description="The vCenters of the datastores, by name.")


def _kind(value: Any) -> str | None:
    kind = value.get("kind", "site") if isinstance(value, dict) else getattr(value, "kind", None)
    return f"~{kind}" if kind in KINDS else None


AnyStack: TypeAlias = Annotated[
    Annotated[Site, Tag("~site")] | Annotated[NetworkStack, Tag("~network")] | Annotated[BuildStack, Tag("~build")],
    Discriminator(
        _kind,
        custom_error_type="edge_refused",
        custom_error_message="is no known kind of stack",
        custom_error_context={
            "problem": "is no known kind of stack",
            "remedy": "Write a mapping with `kind: site` (or no kind), `kind: network` or `kind: build`",
        },
    ),
]
