"""What was read from a vCenter, as plain values: the places where machines can be made, and the machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

GIB = 1 << 30
MIB = 1 << 20
OWNER_KEY = "edge-hosts.owner"
HOST_KEY = "edge-hosts.host"
GENERATION_KEY = "edge-hosts.generation"
# On the machine of an appliance: the registration for which it was prepared to boot from its disk, "" while it installs.
REGISTRATION_KEY = "edge-hosts.registration"


@dataclass(frozen=True)
class Datacenter:
    """A datacenter; `vm_folder` is the id of its folder of machines."""

    id: str
    name: str
    vm_folder: str


@dataclass(frozen=True)
class Compute:
    """A cluster, or the place of an ESXi host that stands alone. `drs` and `ha` are None where that was not to be seen."""

    id: str
    name: str
    datacenter: str
    cluster: bool
    root_pool: str
    drs: bool | None = None
    ha: bool | None = None


@dataclass(frozen=True)
class Esxi:
    """An ESXi host, its size, and the datastores and networks that it sees (ids)."""

    id: str
    name: str
    compute: str
    connected: bool = True
    maintenance: bool = False
    cpus: int = 0
    memory_mib: int = 0
    datastores: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()

    @property
    def usable(self) -> bool:
        """Return whether machines can run there now."""
        return self.connected and not self.maintenance


@dataclass(frozen=True)
class Pool:
    """A resource pool. `path` is below the root pool of its owner ("" is that one); memory in MiB, `limit` -1 is none."""

    id: str
    path: str
    compute: str
    limit: int = -1
    used: int = 0
    expandable: bool = True
    unreserved: int | None = None


@dataclass(frozen=True)
class Datastore:
    """A datastore, sizes in bytes. `pod` is the datastore cluster that it belongs to."""

    id: str
    name: str
    datacenter: str
    pod: str = ""
    free: int = 0
    capacity: int = 0
    accessible: bool = True
    maintenance: str = "normal"

    @property
    def usable(self) -> bool:
        """Return whether disks can be made on it now."""
        return self.accessible and self.maintenance == "normal"


@dataclass(frozen=True)
class Pod:
    """A datastore cluster; `automatic` tells whether Storage DRS is on, None where that was not to be seen."""

    id: str
    name: str
    datacenter: str
    automatic: bool | None = None


@dataclass(frozen=True)
class Network:
    """A port group; `switch` is the name of its distributed switch, "" for a standard one."""

    id: str
    name: str
    datacenter: str
    switch: str = ""
    uplink: bool = False


@dataclass(frozen=True)
class Folder:
    """A folder of machines; `path` is below the datacenter's folder of machines, "" for that one."""

    id: str
    path: str
    datacenter: str


@dataclass(frozen=True)
class Disk:
    """A virtual disk: size in bytes, kind of its controller (scsi, ide, sata, nvme), id of its datastore."""

    size: int
    thin: bool = True
    bus: str = "scsi"
    datastore: str = ""


@dataclass(frozen=True)
class Nic:
    """A network card: its kind (vmxnet3, e1000 ...), MAC in lower case, id of its network."""

    kind: str
    mac: str = ""
    network: str = ""


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of a machine."""

    name: str
    created: datetime


@dataclass(frozen=True)
class Vm:
    """A machine or template. The first line is known of every machine, the rest of those that were looked at closely."""

    id: str
    name: str
    folder: str
    datacenter: str
    template: bool = False
    uuid: str = ""
    power: str = "poweredOff"
    addresses: tuple[str, ...] = ()

    close: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    firmware: str = ""
    secure_boot: bool = False
    guest_id: str = ""
    hardware: int = 0
    encrypted: bool = False
    tools: bool = False
    cpus: int = 0
    memory_mib: int = 0

    @property
    def owner(self) -> str:
        """Return the stack that made it, "" when it carries none (foreign, or a clone that was cut off)."""
        return self.extra.get(OWNER_KEY, "")


@dataclass(frozen=True)
class Inventory:
    """Everything that was read from one vCenter."""

    about: str = ""
    root: str = ""
    datacenters: tuple[Datacenter, ...] = ()
    computes: tuple[Compute, ...] = ()
    hosts: tuple[Esxi, ...] = ()
    pools: tuple[Pool, ...] = ()
    datastores: tuple[Datastore, ...] = ()
    pods: tuple[Pod, ...] = ()
    networks: tuple[Network, ...] = ()
    folders: tuple[Folder, ...] = ()
    vms: tuple[Vm, ...] = ()
    attributes: frozenset[str] = frozenset()

    def folder(self, datacenter: str, path: str) -> Folder | None:
        """Return the folder of machines at `path` in a datacenter (id)."""
        wanted = path.strip("/")
        return next((one for one in self.folders if one.datacenter == datacenter and one.path == wanted), None)

    def path_of(self, vm: Vm) -> str:
        """Return the inventory path of a machine, as an import or `adopt:` wants it."""
        center = next((one.name for one in self.datacenters if one.id == vm.datacenter), "?")
        folder = next((one.path for one in self.folders if one.id == vm.folder), "")
        return "/".join(("", center, "vm", *([folder] if folder else []), vm.name))

    def in_folder(self, folder: Folder | None) -> tuple[Vm, ...]:
        """Return the machines right in a folder."""
        return tuple(one for one in self.vms if folder is not None and one.folder == folder.id)

    def templates_named(self, datacenter: str, wanted: str) -> tuple[Vm, ...]:
        """Return what a template's name or path means: /DC/vm/FOLDER/NAME, FOLDER/NAME below the folder `vm`, or a name."""
        text = wanted.strip("/")
        inside = [one for one in self.vms if one.datacenter == datacenter]
        if "/" not in text:
            return tuple(one for one in inside if one.name == text)
        return tuple(one for one in inside if self.path_of(one).strip("/") == text or self._below(one) == text)

    def _below(self, vm: Vm) -> str:
        folder = next((one.path for one in self.folders if one.id == vm.folder), "")
        return f"{folder}/{vm.name}".strip("/")


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Return the names that exist, for a message about one that does not."""
    known: Sequence[str] = sorted(set(names))
    if not known:
        return "none is there, or none that this user may see"
    more = f" and {len(known) - limit} more" if len(known) > limit else ""
    return f"there are {', '.join(known[:limit])}{more}"
