"""One line per host: what is true of this machine only. Everything else comes from the site."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from edge.settings.access import ProxyOrNone, SshOverride
from edge.settings.base import Model, refuse
from edge.settings.certificates import Certificate
from edge.settings.palette import StaticNetwork, Tags, Users
from edge.settings.scalars import Duration, HostAddress, HostKey, Switch, Text, Whole, one_line
from edge.settings.vsphere import Placement
from edge.settings.vsphere_values import Cpus, Disk, MacAddress, MachinePath, Memory

MachineKind = Literal["existing", "vsphere"]
Mode = Literal["agent", "appliance"]
State = Literal["active", "rolling", "retired", "lost"]
Vmxnet3 = Literal["auto", "on", "off"]
MACHINES: tuple[MachineKind, ...] = ("existing", "vsphere")

_NO_PREFIX = 32


def os_name(value: object) -> str:
    """Return an operating system as os-release names it: ID, a dash, VERSION_ID."""
    text = one_line(value)
    name, dash, version = text.partition("-")
    if not dash or not name.isidentifier() or not version.replace(".", "").isdigit():
        raise refuse(
            "is no operating system", "Write ID-VERSION_ID as in /etc/os-release, for example debian-12 or ubuntu-22.04"
        )
    return text


OsName = Annotated[str, BeforeValidator(os_name), WithJsonSchema({"type": "string"})]


class HostBase(Model):
    """What every kind of host has."""

    address: HostAddress = Field(
        description="Static IPv4 address of the host, with its prefix length where it is known."
    )
    mode: Mode = Field(
        default="agent",
        description="`agent` installs the agent on the machine's own Linux; `appliance` boots an installer image.",
    )
    generation: Annotated[Whole, Field(ge=1)] = Field(
        default=1, description="The how-manieth machine of this name; raising it makes or installs the host anew."
    )
    state: State = Field(
        default="active",
        description="`rolling` and `retired` lift the protection, `lost` says that the machine is dead.",
    )
    force: Switch = Field(default=False, description="Lift the guard of a host that belongs to a cluster.")
    protect: Switch | None = Field(
        default=None, description="Protect the host against deletion; production does when this is not given."
    )
    allow_reboot: Switch | None = Field(
        default=None,
        description="Whether the machine may be rebooted. One that the program makes may; production wants it said of one"
        " that is there already, elsewhere it may.",
    )
    ssh: SshOverride | None = Field(default=None, description="What is different in logging in to this host.")
    proxy: ProxyOrNone | None = Field(
        default=None, description="Proxy of this host instead of the site's; `none` for a direct way out."
    )
    ca_certs: tuple[Certificate, ...] | None = Field(
        default=None, description="Authorities of this host instead of the site's."
    )
    accept_os: tuple[OsName, ...] | None = Field(
        default=None, description="Operating systems accepted on this host instead of the site's list."
    )
    accept_dhcp: Switch | None = Field(default=None, description="Accept a DHCP address on this host.")
    vmxnet3: Vmxnet3 | None = Field(
        default=None, description='VMXNET3 stage on this host: "auto", "on" or "off", in quotes.'
    )
    vmxnet3_nic: Text | None = Field(
        default=None, alias="vmxnet3Nic", description="Network interface of the VMXNET3 stage on this host."
    )
    install_timeout: Duration | None = Field(
        default=None, description="How long this appliance may take from its installer to its registration."
    )
    tags: Tags = Field(default={}, description="Tags of this host, over those of the site.")
    users: Users = Field(default={}, description="Users of this host, over those of the site.")
    static_network: StaticNetwork | None = Field(
        default=None, description="Static network of this host instead of the site's."
    )

    @property
    def ip(self) -> IPv4Address:
        """Return the address without its prefix length."""
        return IPv4Address(int(self.address.ip))

    @property
    def prefix(self) -> int | None:
        """Return the prefix length that was written, or None."""
        length = self.address.network.prefixlen
        return None if length == _NO_PREFIX else length


class ExistingHost(HostBase):
    """A machine that is there already, with an operating system and SSH."""

    machine: Literal["existing"] = Field(
        default="existing", description="The machine is there already; the default where the site has no `vsphere`."
    )
    host_key: HostKey | None = Field(default=None, description="SSH host key of the machine: one line `TYPE BASE64`.")


class VsphereHost(HostBase):
    """A virtual machine that the program makes."""

    machine: Literal["vsphere"] = Field(
        default="vsphere",
        description="The machine is a virtual machine that the program makes; the default where the site has `vsphere`.",
    )
    cpus: Cpus | None = Field(default=None, description="CPUs of this machine instead of the site's.")
    memory: Memory | None = Field(
        default=None, description="Memory of this machine instead of the site's, for example 16GiB."
    )
    disk: Disk | None = Field(
        default=None, description="Disk of this machine instead of the site's, for example 150GiB. It only ever grows."
    )
    mac: MacAddress | None = Field(
        default=None,
        description="MAC address in quotes, instead of the one that the program derives from the names of site and host.",
    )
    adopt: MachinePath | None = Field(
        default=None,
        description="Inventory path of a virtual machine that is there already and becomes this host's, without a restart."
        " The program changes nothing of it until its generation is raised.",
    )
    host_key: HostKey | None = Field(
        default=None,
        description="SSH host key of a machine that is adopted and was not made by this stack; any other one is derived.",
    )
    vsphere: Placement | None = Field(default=None, description="What is different from the site's `vsphere`.")


def _machine(value: Any) -> str | None:
    machine = value.get("machine", "existing") if isinstance(value, dict) else getattr(value, "machine", None)
    return f"~{machine}" if machine in MACHINES else None


Host = Annotated[
    Annotated[ExistingHost, Tag("~existing")] | Annotated[VsphereHost, Tag("~vsphere")],
    Discriminator(
        _machine,
        custom_error_type="edge_refused",
        custom_error_message="is no known machine",
        custom_error_context={
            "problem": "is no known machine",
            "remedy": "Write a mapping with at least `address:`, and `machine: existing` or `machine: vsphere`",
        },
    ),
]
