"""A site of two virtual machines, and a vCenter in which everything is as such a site wants it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.checks.model import Result
from edge.settings import StackSettings
from edge.vcenter import reads
from edge.vcenter.model import (
    GENERATION_KEY,
    GIB,
    HOST_KEY,
    OWNER_KEY,
    Compute,
    Datacenter,
    Datastore,
    Disk,
    Esxi,
    Folder,
    Inventory,
    Network,
    Nic,
    Pod,
    Pool,
    Snapshot,
    Vm,
)
from edge.vcenter.placement import Place, place_of
from edge.vcenter.rows import Rows
from tests.unit.settings_helpers import load, put, site

OWNER = "edge-hosts.plant-dev"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
VSPHERE: dict[str, Any] = {
    "datacenter": "DC1",
    "cluster": "edge",
    "datastore": "ssd-1",
    "folder": "plant",
    "network": "vlan-200",
    "template": "debian-12-edge",
    "gateway": "10.200.0.1",
    "nameservers": ["10.200.0.2"],
    "cpus": 8,
    "memory": "16GiB",
    "disk": "150GiB",
}


def settings_of(folder: Path, *changes: Any, **more: Any) -> StackSettings:
    """Return the settings of a site of two virtual machines."""
    raw = site(
        put("vcenters.main", {"server": "vcenter.example.com", "user": "edge@vsphere.local"}),
        put("vsphere", dict(VSPHERE)),
        put("hosts", {"plant-a": {"address": "10.200.0.11/24"}, "plant-b": {"address": "10.200.0.12/24"}}),
        *changes,
    )
    return load(folder, raw, **more)


def template(**over: Any) -> Vm:
    """Return a good template."""
    values: dict[str, Any] = {
        "template": True,
        "uuid": "42000000-0000-0000-0000-0000000000aa",
        "close": True,
        "disks": (Disk(10 * GIB),),
        "nics": (Nic("vmxnet3", "00:50:56:aa:00:01", "network-1"),),
        "firmware": "efi",
        "secure_boot": True,
        "guest_id": "debian12_64Guest",
        "hardware": 19,
        "tools": True,
    }
    place = {"id": "vm-1", "name": "debian-12-edge", "folder": "group-v1", "datacenter": "datacenter-1"}
    return Vm(**{**place, **values, **over})


def machine(name: str = "plant-a", number: int = 10, **over: Any) -> Vm:
    """Return a running machine of ours in our folder."""
    extra = {OWNER_KEY: OWNER, HOST_KEY: name, GENERATION_KEY: "1"}
    values: dict[str, Any] = {
        "uuid": f"42000000-0000-0000-0000-0000000000{number}",
        "power": "poweredOn",
        "close": True,
        "disks": (Disk(150 * GIB),),
        "extra": extra,
    }
    place = {"id": f"vm-{number}", "name": name, "folder": "group-v2", "datacenter": "datacenter-1"}
    return Vm(**{**place, **values, **over})


def snapshot(days: int, name: str = "before-update") -> Snapshot:
    """Return a snapshot that is so many days old."""
    return Snapshot(name, datetime.fromtimestamp(NOW.timestamp() - days * 86400, UTC))


def inventory(*machines: Vm, **over: Any) -> Inventory:
    """Return a vCenter with one datacenter, a cluster of two hosts, two datastores and two networks."""
    sees = {"datastores": frozenset({"datastore-1", "datastore-2", "datastore-3"})}
    sees["networks"] = frozenset({"network-1", "dvportgroup-1", "dvportgroup-2"})
    size: dict[str, Any] = {"cpus": 32, "memory_mib": 256 * 1024, **sees}
    values: dict[str, Any] = {
        "about": "VMware vCenter Server 8.0.2",
        "root": "group-d1",
        "datacenters": (Datacenter("datacenter-1", "DC1", "group-v1"),),
        "computes": (
            Compute("domain-c1", "edge", "datacenter-1", True, "resgroup-1", drs=True, ha=True),
            Compute("domain-s1", "esx-9", "datacenter-1", False, "resgroup-9"),
        ),
        "hosts": (
            Esxi("host-1", "esx-1", "domain-c1", **size),
            Esxi("host-2", "esx-2", "domain-c1", **size),
            Esxi("host-9", "esx-9", "domain-s1", **size),
        ),
        "pools": (Pool("resgroup-1", "", "domain-c1"), Pool("resgroup-9", "", "domain-s1")),
        "datastores": (
            Datastore("datastore-1", "ssd-1", "datacenter-1", free=2000 * GIB, capacity=4000 * GIB),
            Datastore("datastore-2", "ssd-2", "datacenter-1", free=10 * GIB, capacity=4000 * GIB),
            Datastore("datastore-3", "ssd-3", "datacenter-1", pod="group-p1", free=900 * GIB, capacity=1000 * GIB),
        ),
        "pods": (Pod("group-p1", "pod-1", "datacenter-1"),),
        "networks": (
            Network("network-1", "vlan-200", "datacenter-1"),
            Network("dvportgroup-1", "dvs-200", "datacenter-1", "dvs"),
            Network("dvportgroup-9", "dvs-DVUplinks-1", "datacenter-1", "dvs", uplink=True),
        ),
        "folders": (
            Folder("group-v1", "", "datacenter-1"),
            Folder("group-v2", "plant", "datacenter-1"),
            Folder("group-v3", "others", "datacenter-1"),
        ),
        "vms": (template(), *machines),
        "attributes": frozenset({"cost-centre"}),
    }
    return Inventory(**{**values, **over})


def without_folder(found: Inventory) -> Inventory:
    """Return the vCenter before the first `up`: our folder is not there."""
    return replace(found, folders=tuple(one for one in found.folders if one.path != "plant"))


def judged(settings: StackSettings, found: Inventory, heard: Any = None) -> list[Result]:
    """Return the rows that follow from an inventory. `heard` answers what listens on an address; nothing, by default."""
    rows = Rows(settings.stage)
    places = places_of(settings, found, rows)
    reads.judge(settings, found, places, rows, heard or (lambda address: None))
    return rows.results()


def places_of(settings: StackSettings, found: Inventory, rows: Rows) -> list[Place]:
    """Return where the machines go."""
    return [place_of(found, one.host, one.vm, rows) for one in reads.machines_of(settings.host_views())]


def red(rows: list[Result]) -> dict[str, list[Result]]:
    """Return the rows that are not as they should be, by id."""
    found: dict[str, list[Result]] = {}
    for row in rows:
        if row.status not in ("pass", "skip"):
            found.setdefault(row.id, []).append(row)
    return found
