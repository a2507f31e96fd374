"""Reading a vCenter into plain values: places, all machines by name and address, and some machines closely."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pyVmomi import vim

from edge.vcenter import properties
from edge.vcenter.devices import CLOSE, closely
from edge.vcenter.model import (
    MIB,
    Compute,
    Datacenter,
    Datastore,
    Esxi,
    Folder,
    Inventory,
    Network,
    Pod,
    Pool,
    Vm,
)

_SUMMARY = ("summary.freeSpace", "summary.capacity", "summary.accessible", "summary.maintenanceMode")
_PLACES: Mapping[type[Any], Sequence[str]] = {
    vim.Datacenter: ("name", "parent", "vmFolder"),
    vim.Folder: ("name", "parent"),
    vim.StoragePod: ("name", "parent"),
    vim.ComputeResource: ("name", "parent", "resourcePool"),
    vim.ClusterComputeResource: ("name", "parent", "resourcePool"),
    vim.HostSystem: (
        "name", "parent", "datastore", "network", "runtime.connectionState", "runtime.inMaintenanceMode",
        "summary.hardware.numCpuThreads", "summary.hardware.memorySize",
    ),
    vim.ResourcePool: (
        "name", "parent", "owner", "config.memoryAllocation.limit", "config.memoryAllocation.expandableReservation",
        "runtime.memory.overallUsage", "runtime.memory.unreservedForVm",
    ),
    vim.VirtualApp: ("name", "parent"),
    vim.Datastore: ("name", "parent", *_SUMMARY),
    vim.Network: ("name", "parent"),
    vim.dvs.DistributedVirtualPortgroup: ("name", "parent", "config.distributedVirtualSwitch", "config.uplink"),
    vim.DistributedVirtualSwitch: ("name", "parent"),
    vim.dvs.VmwareDistributedVirtualSwitch: ("name", "parent"),
}  # fmt: skip
_EVERY_VM = ("name", "parent", "config.template", "config.uuid", "runtime.powerState", "guest.ipAddress")

# Which machines are to be looked at closely, given all of them by name; and the ids of networks whose machines are too.
Choose = Callable[[Inventory], tuple[Iterable[str], Iterable[str]]]


def read(content: Any, choose: Choose) -> Inventory:
    """Return what a vCenter holds. `choose` says, from the names, which machines are needed in detail."""
    places = properties.below(content, content.rootFolder, _PLACES)
    inventory = _places(_Tree(places), content.rootFolder._moId, str(content.about.fullName))
    inventory = replace(inventory, attributes=_attributes(content), computes=_switches(content, places, inventory))
    vms = properties.below(content, content.rootFolder, {vim.VirtualMachine: _EVERY_VM})[vim.VirtualMachine]
    light = tuple(_light(one, got, inventory) for one, got in vms)
    inventory = replace(inventory, vms=light)
    machines, networks = choose(inventory)
    wanted = set(machines) | _on(content, places, set(networks))
    objects = [one for one, _ in vms if one._moId in wanted]
    details = {one._moId: got for one, got in properties.of(content, objects, vim.VirtualMachine, CLOSE)}
    return replace(inventory, vms=tuple(closely(one, details[one.id]) if one.id in details else one for one in light))


class _Tree:
    """The parents of all places, to find the datacenter and the path of each."""

    def __init__(self, places: Mapping[type[Any], list[properties.Read]]) -> None:
        self.places = places
        self.parent: dict[str, str] = {}
        self.name: dict[str, str] = {}
        for found in places.values():
            for one, got in found:
                self.name[one._moId] = str(got.get("name", ""))
                self.parent[one._moId] = _id(got.get("parent"))
        self.centers = {one._moId for one, _ in places[vim.Datacenter]}

    def of(self, kind: type[Any]) -> list[properties.Read]:
        """Return the objects of a kind with their properties."""
        return self.places[kind]

    def datacenter(self, place: str) -> str:
        """Return the id of the datacenter that a place lies in."""
        while place and place not in self.centers:
            place = self.parent.get(place, "")
        return place

    def below(self, place: str, top: set[str]) -> str | None:
        """Return the path of a place below one of `top`; "" for the top itself, None when it is not below one."""
        names: list[str] = []
        while place and place not in top:
            names.append(self.name.get(place, ""))
            place = self.parent.get(place, "")
        return "/".join(reversed(names)) if place else None


def _id(value: Any) -> str:
    return str(getattr(value, "_moId", "") or "")


def _places(tree: _Tree, root: str, about: str) -> Inventory:
    return Inventory(
        about=about,
        root=root,
        datacenters=tuple(
            Datacenter(one._moId, got["name"], _id(got.get("vmFolder"))) for one, got in tree.of(vim.Datacenter)
        ),
        computes=_computes(tree),
        hosts=tuple(_esxi(one, got) for one, got in tree.of(vim.HostSystem)),
        pools=_pools(tree),
        datastores=_datastores(tree),
        pods=tuple(Pod(one._moId, got["name"], tree.datacenter(one._moId)) for one, got in tree.of(vim.StoragePod)),
        networks=_networks(tree),
        folders=_folders(tree),
    )


def _computes(tree: _Tree) -> tuple[Compute, ...]:
    """Return clusters and hosts that stand alone. A cluster is listed once, also where a server shows it as both."""
    found: dict[str, Compute] = {}
    for kind in (vim.ClusterComputeResource, vim.ComputeResource):
        for one, got in tree.of(kind):
            cluster = kind is vim.ClusterComputeResource
            entry = Compute(one._moId, got["name"], tree.datacenter(one._moId), cluster, _id(got.get("resourcePool")))
            found.setdefault(one._moId, entry)
    return tuple(found.values())


def _switches(content: Any, places: Mapping[type[Any], list[properties.Read]], known: Inventory) -> tuple[Compute, ...]:
    """Return the computes with what is switched on in each cluster, as far as this user may see it."""
    clusters = [one for one, _ in places[vim.ClusterComputeResource]]
    on: dict[str, tuple[bool | None, bool | None]] = {}
    for one, got in properties.of(content, clusters, vim.ClusterComputeResource, ("configurationEx",)):
        config = got.get("configurationEx")
        drs, das = getattr(config, "drsConfig", None), getattr(config, "dasConfig", None)
        on[one._moId] = (getattr(drs, "enabled", None), getattr(das, "enabled", None))
    return tuple(
        replace(one, drs=on.get(one.id, (None, None))[0], ha=on.get(one.id, (None, None))[1]) for one in known.computes
    )


def _esxi(one: Any, got: Mapping[str, Any]) -> Esxi:
    return Esxi(
        one._moId,
        got["name"],
        _id(got.get("parent")),
        connected=str(got.get("runtime.connectionState", "connected")) == "connected",
        maintenance=bool(got.get("runtime.inMaintenanceMode", False)),
        cpus=int(got.get("summary.hardware.numCpuThreads") or 0),
        memory_mib=int(got.get("summary.hardware.memorySize") or 0) // MIB,
        datastores=frozenset(_id(found) for found in got.get("datastore") or ()),
        networks=frozenset(_id(found) for found in got.get("network") or ()),
    )


def _pools(tree: _Tree) -> tuple[Pool, ...]:
    """Return the resource pools, each with its path below the root pool of its cluster or host."""
    roots = {
        _id(got.get("resourcePool"))
        for kind in (vim.ComputeResource, vim.ClusterComputeResource)
        for _, got in tree.of(kind)
    }
    pools = []
    for one, got in tree.of(vim.ResourcePool):
        path = tree.below(one._moId, roots)
        limit = got.get("config.memoryAllocation.limit")
        unreserved = got.get("runtime.memory.unreservedForVm")
        pools.append(
            Pool(
                one._moId,
                path or "",
                _id(got.get("owner")),
                limit=-1 if limit is None or not path else int(limit),
                used=int(got.get("runtime.memory.overallUsage") or 0) // MIB,
                expandable=got.get("config.memoryAllocation.expandableReservation") is not False,
                unreserved=None if unreserved is None else int(unreserved) // MIB,
            )
        )
    return tuple(pools)


def _datastores(tree: _Tree) -> tuple[Datastore, ...]:
    pods = {one._moId for one, _ in tree.of(vim.StoragePod)}
    return tuple(
        Datastore(
            one._moId,
            got["name"],
            tree.datacenter(one._moId),
            pod=parent if (parent := tree.parent[one._moId]) in pods else "",
            free=int(got.get("summary.freeSpace") or 0),
            capacity=int(got.get("summary.capacity") or 0),
            accessible=got.get("summary.accessible") is not False,
            maintenance=str(got.get("summary.maintenanceMode") or "normal"),
        )
        for one, got in tree.of(vim.Datastore)
    )


def _networks(tree: _Tree) -> tuple[Network, ...]:
    found = [Network(one._moId, got["name"], tree.datacenter(one._moId)) for one, got in tree.of(vim.Network)]
    for one, got in tree.of(vim.dvs.DistributedVirtualPortgroup):
        switch = tree.name.get(_id(got.get("config.distributedVirtualSwitch")), "?")
        uplink = got.get("config.uplink")
        is_uplink = "-DVUplinks-" in got["name"] if uplink is None else bool(uplink)
        found.append(Network(one._moId, got["name"], tree.datacenter(one._moId), switch, is_uplink))
    return tuple(found)


def _folders(tree: _Tree) -> tuple[Folder, ...]:
    tops = {_id(got.get("vmFolder")) for _, got in tree.of(vim.Datacenter)}
    folders = []
    for one, _ in tree.of(vim.Folder):
        path = tree.below(one._moId, tops)
        if path is not None:
            folders.append(Folder(one._moId, path, tree.datacenter(one._moId)))
    return tuple(folders)


def _attributes(content: Any) -> frozenset[str]:
    """Return the names of the custom attributes that a machine can have."""
    manager = content.customFieldsManager
    if manager is None:
        return frozenset()
    found = properties.of(content, [manager], vim.CustomFieldsManager, ("field",))
    fields = [one for _, got in found for one in got.get("field") or ()]
    return frozenset(str(one.name) for one in fields if one.managedObjectType in (None, vim.VirtualMachine))


def _light(one: Any, got: Mapping[str, Any], inventory: Inventory) -> Vm:
    folder = _id(got.get("parent"))
    center = next((found.datacenter for found in inventory.folders if found.id == folder), "")
    address = got.get("guest.ipAddress")
    return Vm(
        one._moId,
        str(got.get("name", "")),
        folder,
        center,
        template=bool(got.get("config.template", False)),
        uuid=str(got.get("config.uuid") or ""),
        power=str(got.get("runtime.powerState") or ""),
        addresses=(str(address),) if address else (),
    )


def _on(content: Any, places: Mapping[type[Any], list[properties.Read]], networks: set[str]) -> set[str]:
    """Return the ids of the machines on the networks given."""
    found: set[str] = set()
    for kind in (vim.Network, vim.dvs.DistributedVirtualPortgroup):
        objects = [one for one, _ in places[kind] if one._moId in networks]
        for _, got in properties.of(content, objects, kind, ("vm",)):
            found |= {_id(one) for one in got.get("vm") or ()}
    return found
