"""Whether a site's machines find room: on the ESXi hosts, in the pool, on the datastores, in the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from edge.settings import StackSettings
from edge.vcenter.model import GIB, MIB, Datastore
from edge.vcenter.placement import Place
from edge.vcenter.rows import Rows

# What vSphere itself needs for a running machine of a few CPUs, in MiB: taken from the pool's reservation.
_OVERHEAD_MIB = 256


def judge_room(settings: StackSettings, places: Sequence[Place], rows: Rows) -> None:
    """Note whether everything that is still to be made finds room; machines that are there need none."""
    for place in places:
        _size(place, rows)
        _network(place, rows)
    for same in _grouped(places, lambda one: one.pool.id if one.pool else ""):
        _pool(same, rows)
    for same in _grouped(places, lambda one: one.pod.id if one.pod else one.datastores[0].id if one.datastores else ""):
        _datastore(same, rows)
    for same in _grouped(places, lambda one: one.compute.id if one.compute else ""):
        _drs(settings, same, rows)


def _grouped(places: Iterable[Place], key: Callable[[Place], str]) -> list[list[Place]]:
    """Return the places that share something, without those that lack it."""
    groups: dict[str, list[Place]] = {}
    for place in places:
        found = key(place)
        if found:
            groups.setdefault(found, []).append(place)
    return list(groups.values())


def _size(place: Place, rows: Rows) -> None:
    vm = place.vm
    if not place.hosts:
        return
    seen = [one for one in place.hosts if one.cpus]
    if seen and not any(one.cpus >= vm.cpus and one.memory_mib >= vm.memory_mib for one in seen):
        largest = max(seen, key=lambda one: (one.memory_mib, one.cpus))
        size = f"largest host {largest.name}: {largest.cpus} logical CPUs, {largest.memory_mib} MiB"
        rows.bad("vsphere.size", size, f"{vm.cpus} CPUs and {vm.memory_mib} MiB", host=place.name)
    else:
        rows.good("vsphere.size", f"{vm.cpus} CPUs, {vm.memory_mib} MiB", place.name)


def _network(place: Place, rows: Rows) -> None:
    network = place.network
    if network is None:
        return
    kind = f"distributed, switch {network.switch}" if network.switch else "standard"
    without = [one.name for one in place.hosts if network.id not in one.networks]
    if place.hosts and len(without) == len(place.hosts):
        where = place.compute.name if place.compute else ""
        rows.bad("vsphere.network", f"no usable host of {where} has network {network.name}", "on every host")
    elif without:
        rows.warn("vsphere.network", f"{', '.join(without)} without network {network.name}", "on every host")
    else:
        rows.good("vsphere.network", f"{network.name} ({kind})")


def _pool(places: Sequence[Place], rows: Rows) -> None:
    pool, compute = places[0].pool, places[0].compute
    assert pool is not None
    assert compute is not None
    name = f"{compute.name}/{pool.path or 'Resources'}"
    new = [one for one in places if one.present is None and one.vm.adopt is None]
    asked = sum(one.vm.memory_mib for one in new)
    if pool.limit >= 0 and pool.used + asked > pool.limit:
        seen = f"pool {name}: limit {pool.limit} MiB, {pool.used} MiB in use"
        rows.bad("vsphere.pool", seen, f"{asked} MiB more for {len(new)} machines")
    elif new and pool.path and not pool.expandable and _short(pool.unreserved, len(new)):
        seen = f"pool {name}: {pool.unreserved} MiB not reserved, and it is not expandable"
        rows.bad("vsphere.pool", seen, f"about {_OVERHEAD_MIB * len(new)} MiB for {len(new)} machines")
    else:
        limit = f"limit {pool.limit} MiB" if pool.limit >= 0 else "no limit"
        rows.good("vsphere.pool", f"{name}, {limit}")


def _short(unreserved: int | None, machines: int) -> bool:
    return unreserved is not None and unreserved < _OVERHEAD_MIB * machines


def _datastore(places: Sequence[Place], rows: Rows) -> None:
    """Judge a datastore (or datastore cluster) by all that the site asks of it."""
    stores = places[0].datastores
    name = places[0].pod.name if places[0].pod else stores[0].name
    usable = [one for one in stores if one.usable]
    if not usable:
        why = "not accessible" if not stores[0].accessible else f"in maintenance ({stores[0].maintenance})"
        rows.bad("vsphere.datastore", f"{name} is {why}", "accessible and in use")
        return
    if not _mounted(places, usable, name, rows):
        return
    full, least = (sum(sizes) for sizes in zip(*(_needs(one) for one in places), strict=True))
    free = sum(one.free for one in usable)
    seen = f"{name}: {free // GIB} GiB free"
    expected = f"{_gib(full)} GiB for the disks and swap files of {len(places)} machines"
    largest = max(one.free for one in usable)
    single = max(_needs(one)[1] for one in places)
    if free < least or largest < single:
        parts = f" ({largest // GIB} GiB on one)" if len(usable) > 1 else ""
        rows.bad("vsphere.datastore", f"{seen}{parts}", expected if free < full else f"{_gib(single)} GiB on one")
    elif free < full:
        rows.warn("vsphere.datastore", seen, f"{expected} once the thin disks are full")
    else:
        rows.good("vsphere.datastore", f"{seen}; {_gib(full)} GiB asked")


def _mounted(places: Sequence[Place], usable: Sequence[Datastore], name: str, rows: Rows) -> bool:
    """Return whether a host of the cluster can use the datastore; note the hosts that cannot."""
    ids = {one.id for one in usable}
    hosts = {one.name: one for place in places for one in place.hosts}
    without = [one.name for one in hosts.values() if not ids & one.datastores]
    if hosts and len(without) == len(hosts):
        rows.bad("vsphere.datastore", f"no usable host of the cluster has datastore {name}", "on every host")
        return False
    if without:
        rows.warn("vsphere.datastore", f"{', '.join(without)} without datastore {name}", "on every host")
    return True


def _needs(place: Place) -> tuple[int, int]:
    """Return the bytes that a machine takes at most, and those that it takes at once.

    A machine without a memory reservation gets a swap file as large as its memory when it is powered on. A thin disk takes
    what its template holds at once; a thick one takes all.
    """
    vm, present = place.vm, place.present
    asked = vm.disk_gib * GIB
    if present is not None:
        grown = max(0, asked - sum(one.size for one in present.disks)) if present.disks else 0
        return grown, 0 if vm.thin else grown
    if vm.adopt is not None:
        return 0, 0
    swap = vm.memory_mib * MIB
    template = sum(one.size for one in place.template.disks) if place.template else 0
    return asked + swap, (min(asked, template) if vm.thin else asked) + swap


def _gib(size: int) -> int:
    return -(-size // GIB)


def _drs(settings: StackSettings, places: Sequence[Place], rows: Rows) -> None:
    compute = places[0].compute
    assert compute is not None
    wanted = settings.site.vsphere is not None and settings.site.vsphere.anti_affinity
    first = any(one.vm.restart_priority not in (None, "disabled") for one in places)
    if not compute.cluster or not (wanted or first):
        return
    if wanted and compute.drs is False:
        rows.bad("vsphere.drs", f"DRS of cluster {compute.name} is off", "on, for antiAffinity")
    elif first and compute.ha is False:
        rows.bad("vsphere.drs", f"HA of cluster {compute.name} is off", "on, for ha.restartPriority")
    elif wanted and len(places[0].hosts) < len(places):
        seen = f"{len(places[0].hosts)} usable hosts in cluster {compute.name} for {len(places)} machines"
        must = settings.site.vsphere is not None and settings.site.vsphere.mandatory
        fix = "add hosts, or leave out `mandatory`"
        (rows.bad if must else rows.warn)("vsphere.drs", seen, "a host for each machine", remedy=fix if must else "")
    else:
        rows.good("vsphere.drs", f"cluster {compute.name}")
