"""The vSphere side of a site: the vCenters by name, and where and how large its virtual machines are made.

Every key of `vsphere` may stand at the site, at a host (`hosts.NAME.vsphere`), or at both, where the host's counts; so
none is required by itself. What a machine lacks in the end is found by the rules, on the merged values.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from edge.settings.access import NamedSecret, SecretRef
from edge.settings.base import Model
from edge.settings.certificates import Certificate
from edge.settings.scalars import DnsName, Duration, Label, Switch, Text, Whole
from edge.settings.vsphere_values import (
    MAXIMUM_CPUS,
    VCENTER_PORT,
    Cpus,
    Disk,
    FolderPath,
    InventoryName,
    InventoryPath,
    Memory,
    OtherAddress,
    Server,
    ShortText,
    Thumbprint,
)

PASSWORD_SECRET = "vspherePassword"  # noqa: S105  (the name of a secret)
SEED_SECRET = "hostKeySeed"  # noqa: S105  (the name of a secret)

DEFAULT_CPUS = 4
DEFAULT_MEMORY_MIB = 8 * 1024
DEFAULT_DISK_GIB = 100

Firmware = Literal["bios", "efi"]
RestartPriority = Literal["lowest", "low", "medium", "high", "highest", "disabled"]


class Vcenter(Model):
    """One vCenter: where it is, who logs in, and how its certificate is verified."""

    server: Server = Field(description="Host name or address of the vCenter, with `:PORT` when it is not 443.")
    user: Text = Field(description="User that makes the machines, for example edge-hosts@vsphere.local.")
    password: NamedSecret = Field(
        default=SecretRef(secret=PASSWORD_SECRET),
        description="Secret that holds the user's password; `vspherePassword` when it is not given.",
    )
    ca_cert: Certificate | None = Field(
        default=None, description="CA that signed the vCenter's certificate, when it is not a public one."
    )
    thumbprint: Thumbprint | None = Field(
        default=None,
        description="SHA-256 of the vCenter's own certificate, where no CA can be given: 64 hexadecimal digits, with or"
        " without colons.",
    )
    api_timeout: Duration = Field(
        default=timedelta(minutes=5), description="How long one task in the vCenter may take."
    )

    @property
    def host(self) -> str:
        """Return the host name or address without a port."""
        return self.server.partition(":")[0]

    @property
    def port(self) -> int:
        """Return the TCP port."""
        return int(self.server.partition(":")[2] or VCENTER_PORT)


class Ha(Model):
    """What the cluster's high availability does with a machine."""

    restart_priority: RestartPriority = Field(
        description="Order in which machines are started again after a host has failed."
    )


class Placement(Model):
    """Where a machine is made and how large it is; at a host, only what is different there."""

    vcenter: Label | None = Field(
        default=None, description="Name of the vCenter below `vcenters`; the only one when it is not given."
    )
    datacenter: InventoryName | None = Field(default=None, description="Datacenter. Needed.")
    cluster: InventoryName | None = Field(default=None, description="Compute cluster. Needed, or else `host`.")
    host: InventoryName | None = Field(
        default=None, description="One ESXi host instead of a cluster: one that stands alone, or one of a cluster."
    )
    resource_pool: InventoryPath | None = Field(
        default=None, description="Resource pool; the root pool of the cluster or host when it is not given."
    )
    datastore: InventoryName | None = Field(
        default=None, description="Datastore of the disks. Needed, or else `datastoreCluster`."
    )
    datastore_cluster: InventoryName | None = Field(
        default=None, description="Datastore cluster instead of a datastore; vSphere then chooses one of it."
    )
    folder: FolderPath | None = Field(
        default=None,
        description="Folder of the machines, below the datacenter's folder of machines. The stack makes and owns it. The"
        " site's name, a dash and the stage when it is not given.",
    )
    network: InventoryName | None = Field(
        default=None, description="Port group of the machine, standard or distributed. Needed."
    )
    switch: InventoryName | None = Field(
        default=None, description="Distributed switch of the port group, where several have one of that name."
    )
    template: InventoryPath | None = Field(
        default=None, description="Template to clone: name or path; that of the release when it is not given."
    )
    gateway: OtherAddress | None = Field(default=None, description="Default gateway of the machine. Needed.")
    nameservers: Annotated[tuple[OtherAddress, ...], Field(min_length=1)] | None = Field(
        default=None, description="DNS servers of the machine. Needed."
    )
    search_domains: tuple[DnsName, ...] | None = Field(default=None, description="DNS search domains of the machine.")
    cpus: Cpus | None = Field(default=None, description=f"CPUs of the machine; {DEFAULT_CPUS} when not given.")
    cores_per_socket: Annotated[Whole, Field(ge=1, le=MAXIMUM_CPUS)] | None = Field(
        default=None, description="Cores of each virtual socket; 1 when not given. It must divide `cpus`."
    )
    memory: Memory | None = Field(
        default=None,
        description="Memory of the machine, a multiple of 4 MiB: 16GiB or 16384MiB; 8GiB when not given.",
    )
    disk: Disk | None = Field(
        default=None, description="Disk of the machine, at least as large as the template's; 100GiB when not given."
    )
    hot_add: Switch | None = Field(
        default=None, description="CPUs and memory may grow while the machine runs; true when not given."
    )
    thin: Switch | None = Field(
        default=None, description="The disk takes its room only when it is written; true when not given."
    )
    tags: dict[ShortText, ShortText] = Field(
        default={}, description="vSphere tags as CATEGORY: TAG; they must be there already."
    )
    attributes: dict[InventoryName, ShortText] = Field(
        default={}, description="Custom attributes as NAME: VALUE; the names must be there already."
    )
    ha: Ha | None = Field(default=None, description="What the cluster's high availability does with the machine.")
    firmware: Firmware | None = Field(
        default=None,
        description="Firmware of an appliance: `bios` (when not given), which the vendor tests, or `efi`. A cloned machine"
        " has that of its template.",
    )
    start_delay: Duration | None = Field(
        default=None, description="Time that the machine's firmware waits at power-on before it boots."
    )


class Vsphere(Placement):
    """Where the site's virtual machines are made, and their size."""

    anti_affinity: Switch = Field(
        default=False, description="Keep the site's machines of one cluster on different ESXi hosts (a DRS rule)."
    )
    mandatory: Switch = Field(
        default=False,
        description="The rule of `antiAffinity` is a must: a machine that finds no host of its own stays off.",
    )
