"""Installer images: where a site takes its from, what one is built of, on which machine, and where its ISOs go.

A stack of kind `build` makes an image once, and sites take it (`source: stack`), or its values (`source: given`). A site
that builds for itself (`source: build`) is for trying out; production refuses it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, Tag, WithJsonSchema

from edge.canvos.arg import value_problem
from edge.canvos.request import Power
from edge.settings.access import ProxyUrl, Reachable, Ssh
from edge.settings.base import Model, one_of, refuse
from edge.settings.certificates import Certificate
from edge.settings.digests import Sha256
from edge.settings.image_arguments import SCHEMA
from edge.settings.image_values import (
    AbsolutePath,
    CustomTag,
    DatastoreFolder,
    DockerfileLine,
    ImageDigest,
    ImageReference,
    ImageRegistry,
    ImageRepo,
    IsoName,
    IsoPath,
    OsVersion,
    ProxyException,
)
from edge.settings.scalars import Duration, HostKey, Label, Switch, Text, WebUrl, Whole
from edge.settings.vsphere_values import InventoryName

CANVOS_REPOSITORY = "https://github.com/spectrocloud/CanvOS.git"
WORK_DIR = "/var/lib/edge-hosts-build"
ISO_FOLDER = "edge-hosts-isos"
ISO_NAME = "palette-edge-installer"


def _os(value: object) -> object:
    if value in ("ubuntu", "rhel"):
        return value
    raise refuse(
        "is no operating system of an image for hybrid nodes",
        "Write ubuntu or rhel: AWS lists Ubuntu 20.04, 22.04 and 24.04, RHEL 8 and 9; Amazon Linux 2023 in Agent Mode only",
    )


Os = Annotated[Literal["ubuntu", "rhel"], BeforeValidator(_os)]


class BuilderBase(Model):
    """What every build machine has."""

    work_dir: AbsolutePath = Field(
        default=WORK_DIR, description="Folder on the build machine for checkout, logs and results; it needs 150 GB."
    )
    earthly: Switch = Field(
        default=False, description="Build with an installed `earthly` instead of the vendor's earthly.sh in Docker."
    )
    timeout: Duration = Field(default=timedelta(minutes=60), description="The most that one build may take.")
    accept_small: Switch = Field(
        default=False,
        description="Build on a machine below the minimums (4 CPUs, 8 GB, 50 GB free); a warning in every report.",
    )


class LocalBuilder(BuilderBase):
    """The machine that runs the program builds."""

    machine: Literal["local"] = Field(description="Build on the machine that runs the program.")


class SshBuilder(BuilderBase):
    """Another machine builds, reached by SSH."""

    machine: Literal["ssh"] = Field(description="Build on a machine that is reached by SSH.")
    address: Reachable = Field(description="Address or DNS name of the build machine.")
    ssh: Ssh | None = Field(
        default=None, description="How to log in there; a site that builds for itself takes its own `ssh` without it."
    )
    host_key: HostKey | None = Field(
        default=None, description="SSH host key of the build machine: one line `TYPE BASE64`."
    )

    def login(self, site: Ssh | None = None) -> Ssh | None:
        """Return how to log in, with the login name at a jump host filled in; None where nothing says it."""
        ssh = self.ssh or site
        if ssh is None or ssh.jump_host is None or ssh.jump_host.user:
            return ssh
        return ssh.model_copy(update={"jump_host": ssh.jump_host.model_copy(update={"user": ssh.user})})


Builder: TypeAlias = Annotated[
    Annotated[LocalBuilder, Tag("~local")] | Annotated[SshBuilder, Tag("~ssh")],
    one_of("machine", ("local", "ssh"), "Write {machine: ssh, address: ADDRESS, hostKey: KEY}, or {machine: local}"),
]


def _writable(value: str) -> str:
    problem = value_problem(value)
    if problem is not None:
        raise refuse(problem, "Remove it")
    return value


BuildProxyUrl = Annotated[ProxyUrl, AfterValidator(_writable)]


class BuildProxy(Model):
    """The proxy of a build. It has no login: what the builder is given may be read in the image afterwards."""

    http: BuildProxyUrl | None = Field(
        default=None, description="Proxy for http:// addresses; the same as `https` when not given."
    )
    https: BuildProxyUrl = Field(description="Proxy for https:// addresses, without a login.")
    no_proxy: tuple[ProxyException, ...] = Field(
        default=(), description="Names, addresses and blocks that the build reaches directly."
    )

    @property
    def http_url(self) -> str:
        """Return the proxy for http:// addresses."""
        return self.http or self.https


def _each_once(values: tuple[Power, ...]) -> tuple[Power, ...]:
    if len(set(values)) != len(values):
        raise refuse("names a kind twice", "Write each kind once")
    return values


class ImageBuild(Model):
    """What an image is built of. CanvOS tag and Kubernetes version are those of the release."""

    repository: WebUrl = Field(default=CANVOS_REPOSITORY, description="The CanvOS repository, or a mirror of it.")
    registry: ImageRegistry = Field(
        description="Registry and namespace that the provider images are pushed to, without a scheme."
    )
    repo: ImageRepo = Field(description="Repository of the provider images.")
    custom_tag: CustomTag = Field(description="Tag that ends the names of the provider images, for example eks-hybrid.")
    os: Os = Field(default="ubuntu", description="Operating system of the image.")
    os_version: OsVersion | None = Field(
        default=None, description='Version of Ubuntu in quotes: "22.04" or "24.04"; "22.04" when it is not given.'
    )
    base_image: ImageReference | None = Field(
        default=None, description="Image to build on; needed for rhel, whose own has to be made before."
    )
    arch: Literal["amd64"] = Field(default="amd64", description="Architecture of the image.")
    iso_name: IsoName = Field(default=ISO_NAME, description="Name of the ISO, without .iso.")
    kinds: Annotated[tuple[Power, ...], Field(min_length=1), AfterValidator(_each_once)] = Field(
        default=("poweroff",),
        description="Which ISOs are made of the image: `poweroff` for virtual machines, `reboot` for bare metal.",
    )
    update_kernel: Switch = Field(default=False, description="Update the kernel of the image.")
    cis_hardening: Switch = Field(default=False, description="Harden the image as CIS recommends.")
    fips: Switch = Field(default=False, description="Build with FIPS modules (rhel with `baseImage` only).")
    trusted_boot: Switch = Field(
        default=False, description="Trusted Boot; refused, because its keys and their enrolment belong to one site."
    )
    proxy: BuildProxy | None = Field(default=None, description="Proxy of the build, not of the hosts.")
    certificates: tuple[Certificate, ...] = Field(
        default=(),
        description="Authorities that the build must trust, for a proxy or a registry. They may end in the image.",
    )
    dockerfile: tuple[DockerfileLine, ...] = Field(
        default=(), description="Lines for the vendor's Dockerfile, put below its marker for customizations."
    )
    content_bundle: AbsolutePath | None = Field(
        default=None, description="Folder on the build machine with a content bundle (*.zst) that goes into the ISO."
    )
    install: dict[Text, Any] = Field(
        default={},
        description="More `install` keys of the installer reference, for every host of the image; four are fixed.",
    )
    arguments: Annotated[dict[Text, Any], WithJsonSchema(SCHEMA)] = Field(
        default={}, description="More arguments of the builder (`.arg`), by their own names, out of a closed list."
    )
    push: Switch = Field(default=True, description="Push the provider images to the registry.")

    @property
    def built_os_version(self) -> str:
        """Return the version of Ubuntu that is built, "" for another system, whose base image decides."""
        return (self.os_version or "22.04") if self.os == "ubuntu" else ""


class IsoDatastore(Model):
    """A datastore that the ISOs are uploaded to; each datacenter with appliances needs one."""

    vcenter: Label | None = Field(
        default=None, description="Name of the vCenter below `vcenters`; the only one when it is not given."
    )
    datacenter: InventoryName = Field(description="Datacenter of the datastore.")
    datastore: InventoryName = Field(description="Datastore that the machines' hosts can read.")
    folder: DatastoreFolder = Field(default=ISO_FOLDER, description="Folder there; made when it is missing.")


class IsoPlace(Model):
    """One place of an ISO that was uploaded before."""

    vcenter: Label | None = Field(
        default=None, description="Name of the vCenter below `vcenters`; the only one when it is not given."
    )
    datacenter: InventoryName | None = Field(
        default=None, description="Datacenter of the datastore; that of the site's `vsphere` when it is not given."
    )
    datastore: InventoryName = Field(description="Datastore that holds the ISO.")
    path: IsoPath = Field(description="Path of the ISO there, without a leading slash.")


class GivenIso(Model):
    """One ISO by its values."""

    sha256: Sha256 = Field(description="sha256 of the ISO, 64 hexadecimal digits.")
    size: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None, description="Size in bytes; a file of another size is refused."
    )
    vcenter: Label | None = Field(
        default=None, description="Name of the vCenter below `vcenters`; the only one when it is not given."
    )
    datacenter: InventoryName | None = Field(
        default=None, description="Datacenter of the datastore; that of the site's `vsphere` when it is not given."
    )
    datastore: InventoryName | None = Field(
        default=None, description="Datastore that holds the ISO; needed for virtual machines."
    )
    path: IsoPath = Field(description="Path of the ISO in the datastore, without a leading slash.")
    copies: tuple[IsoPlace, ...] = Field(default=(), description="Further places of the same ISO.")

    @property
    def places(self) -> tuple[IsoPlace, ...]:
        """Return every place of the ISO in a datastore, the first one first."""
        if self.datastore is None:
            return self.copies
        first = IsoPlace.model_construct(
            vcenter=self.vcenter, datacenter=self.datacenter, datastore=self.datastore, path=self.path
        )
        return (first, *self.copies)


class GivenImage(Model):
    """The values of an image that was built before stand in the stack file."""

    source: Literal["given"] = Field(description="The values stand here, in the stack file.")
    isos: Annotated[dict[Power, GivenIso], Field(min_length=1)] = Field(
        description="The ISOs by kind: `poweroff` for virtual machines, `reboot` for bare metal."
    )
    image: ImageReference = Field(description="Provider image in the registry, with its tag.")
    image_digest: ImageDigest = Field(description="Digest of the provider image, `sha256:` and 64 hexadecimal digits.")
    os: Os = Field(default="ubuntu", description="Operating system of the image.")
    os_version: OsVersion | None = Field(
        default=None, description='Version of the operating system in quotes: "22.04", or "9" for rhel.'
    )


class StackImage(Model):
    """The image is that of a stack of kind `build`."""

    source: Literal["stack"] = Field(description="The values are outputs of a stack of kind build.")
    stack: Text = Field(description="Name of the build stack: NAME, PROJECT/NAME or ORGANIZATION/PROJECT/NAME.")


class BuiltImage(Model):
    """The site builds its image itself; production refuses it."""

    source: Literal["build"] = Field(description="The image is built by this stack.")
    builder: Builder = Field(description="The machine that builds.")
    build: ImageBuild = Field(description="What the image is built of.")
    datastores: tuple[IsoDatastore, ...] = Field(
        default=(), description="Datastores that the ISOs are uploaded to; none for bare metal alone."
    )


IMAGE_SOURCES = ("given", "stack", "build")
Image: TypeAlias = Annotated[
    Annotated[GivenImage, Tag("~given")] | Annotated[StackImage, Tag("~stack")] | Annotated[BuiltImage, Tag("~build")],
    one_of("source", IMAGE_SOURCES, "Write `source: stack` and the name of the build stack, or `given`, or `build`"),
]
