"""What a change of the settings does to a virtual machine that is there: nothing, a change while it runs, a power cycle,
or nothing before its generation is raised; and what cannot be done at all.

Compared are the facts that the stack exported of the machine with the settings as they are now. What the facts do not
hold is not judged: an older program exported less. Who does it: the provider (sizes, disk, port group, folder), which
was read for what it powers off for, or vSphere itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from edge.settings.stack import HostSettings
from edge.settings.vm import VmSettings
from edge.settings.vsphere_values import shown_memory
from edge.userdata import static_network
from edge.vm.made_from import MadeFrom

Kind = Literal["none", "in place", "power cycle", "new generation", "refused"]
KINDS: tuple[Kind, ...] = ("none", "in place", "power cycle", "new generation", "refused")
# What is compared with the settings as they are now, so that no word of an earlier run is needed.
COMPARED = frozenset(
    ("address", "prefix", "gateway", "nameservers", "searchDomains", "mac", "firmware", "vcenter", "datacenter")
)
SIZES = ("cpus", "coresPerSocket", "memory", "hotAdd", "disk")


@dataclass(frozen=True)
class Change:
    """One difference: the key in the settings, both values, what happens, why, and what to do where something is."""

    key: str
    was: str
    wanted: str
    kind: Kind
    note: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.key} {self.was} -> {self.wanted}: {self.kind}, {self.note}"
        return f"{text}. {self.remedy}" if self.remedy else text


def changes(known: Mapping[str, Any] | None, host: HostSettings) -> tuple[Change, ...]:
    """Return what differs between a host's exported facts and its settings, in the order of the settings.

    Nothing for a host that is no virtual machine, or of whose machine nothing was exported. A raised generation is not
    looked at here: then a new machine brings everything but what is refused (see `with_new_machine`).
    """
    facts = known.get("vm") if known else None
    if host.vm is None or not isinstance(facts, Mapping):
        return ()
    vm = host.vm
    found = (
        *_sizes(facts, vm),
        *_disk(facts, vm),
        *_network(facts, vm),
        *_frozen(facts, host, vm),
        *_placement(facts, vm),
    )
    if vm.adopt:
        note = "an adopted machine is left as it was found while `adopt` stands there"
        return tuple(replace(one, kind="none", note=note, remedy="") for one in found)
    return (*_adopted(facts), *found)


def _adopted(facts: Mapping[str, Any]) -> Iterator[Change]:
    """Yield the removal of `adopt`: from then on the machine is compared with a clone of ours, which it is not."""
    if facts.get("adopt"):
        note = "the machine is no clone of ours, so it would be destroyed and made anew"
        remedy = "Write `adopt:` again, or raise the generation with it, when that is what you want."
        yield Change("adopt", str(facts["adopt"]), "-", "refused", note, remedy)


def with_new_machine(found: Sequence[Change]) -> tuple[Change, ...]:
    """Return those of the changes that are refused even though the generation is raised with them.

    Only a smaller disk: the provider compares the sizes before it looks at the replacement.
    """
    return tuple(one for one in found if one.kind == "refused" and one.key == "disk")


def worst(found: Sequence[Change]) -> Kind:
    """Return the kind of the change that weighs most, `none` without any."""
    return max((one.kind for one in found), key=KINDS.index, default="none")


def exported(vm: VmSettings, made: MadeFrom, uuid: str) -> dict[str, Any]:
    """Return the facts of a machine that a stack exports: what `changes` compares with later. No secret."""
    return {
        "uuid": uuid,
        "cpus": vm.cpus,
        "coresPerSocket": vm.cores_per_socket,
        "memoryMib": vm.memory_mib,
        "diskGib": vm.disk_gib,
        "hotAdd": vm.hot_add,
        "thin": vm.thin,
        "network": vm.network,
        "switch": vm.switch or "",
        "folder": vm.folder,
        "template": made.template_name,
        "hostKey": made.host_key,
        "mac": made.mac or vm.mac,
        "address": made.address,
        "prefix": made.prefix,
        "gateway": made.gateway,
        "nameservers": list(made.nameservers),
        "searchDomains": list(made.search_domains),
        "vcenter": made.vcenter or vm.vcenter,
        "datacenter": made.datacenter or vm.datacenter,
        "cluster": vm.cluster or "",
        "host": vm.esxi_host or "",
        "resourcePool": vm.resource_pool or "",
        "datastore": vm.datastore or "",
        "datastoreCluster": vm.datastore_cluster or "",
        "adopt": vm.adopt or "",
    }


def _number(facts: Mapping[str, Any], key: str) -> int | None:
    """Return a whole number of the facts; they come as floats from some readers."""
    value = facts.get(key)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _sizes(facts: Mapping[str, Any], vm: VmSettings) -> Iterator[Change]:
    """Yield the changes of CPUs and memory. What counts is whether the machine, as it runs, lets them grow."""
    hot = bool(facts.get("hotAdd", vm.hot_add))
    cpus, memory = _number(facts, "cpus"), _number(facts, "memoryMib")
    if cpus is not None and cpus != vm.cpus:
        yield _size("cpus", str(cpus), str(vm.cpus), grows=vm.cpus > cpus, hot=hot)
    cores = _number(facts, "coresPerSocket")
    if cores is not None and cores != vm.cores_per_socket:
        note = "the shape of the CPUs is fixed while it runs"
        yield Change("coresPerSocket", str(cores), str(vm.cores_per_socket), "power cycle", note)
    if memory is not None and memory != vm.memory_mib:
        was, wanted = shown_memory(memory), shown_memory(vm.memory_mib)
        yield _size("memory", was, wanted, grows=vm.memory_mib > memory, hot=hot)
    if "hotAdd" in facts and hot != vm.hot_add:
        note = "whether it may grow is fixed while it runs"
        yield Change("hotAdd", _word(hot), _word(vm.hot_add), "power cycle", note)


def _size(key: str, was: str, wanted: str, *, grows: bool, hot: bool) -> Change:
    if not grows:
        return Change(key, was, wanted, "power cycle", "a running machine gives nothing back")
    if not hot:
        return Change(key, was, wanted, "power cycle", "the machine was made without hotAdd")
    return Change(key, was, wanted, "in place", "it grows while it runs")


def _word(value: bool) -> str:
    return "true" if value else "false"


def _disk(facts: Mapping[str, Any], vm: VmSettings) -> Iterator[Change]:
    """Yield the changes of the disk, which only grows: what lies at its end would be lost."""
    size = _number(facts, "diskGib")
    if size is not None and size != vm.disk_gib:
        was, wanted = f"{size}GiB", f"{vm.disk_gib}GiB"
        if vm.disk_gib > size:
            note = "the disk grows while it runs, its file system at the next boot"
            yield Change("disk", was, wanted, "in place", note)
        else:
            remedy = (
                f"Write {was} or more. For a smaller one let the host leave (state: retired, then remove its line) and"
                " add it again."
            )
            yield Change("disk", was, wanted, "refused", "a disk cannot be made smaller", remedy)
    if "thin" in facts and bool(facts["thin"]) != vm.thin:
        was, wanted = _word(bool(facts["thin"])), _word(vm.thin)
        remedy = f"Write `thin: {was}` again, or raise the generation with it."
        yield Change("thin", was, wanted, "refused", "a disk that is there keeps its form", remedy)


def _network(facts: Mapping[str, Any], vm: VmSettings) -> Iterator[Change]:
    """Yield the changes of the port group: the card is plugged over while the machine runs."""
    note = "the card is moved while it runs; the guest keeps its address"
    if facts.get("network", vm.network) != vm.network:
        yield Change("network", str(facts["network"]), vm.network, "in place", note)
    elif facts.get("switch", vm.switch or "") != (vm.switch or ""):
        yield Change("switch", str(facts["switch"] or "-"), vm.switch or "-", "in place", note)
    if facts.get("folder", vm.folder) != vm.folder:
        yield Change("folder", str(facts["folder"]), vm.folder, "in place", "the machine is moved while it runs")


def _frozen(facts: Mapping[str, Any], host: HostSettings, vm: VmSettings) -> Iterator[Change]:
    """Yield the changes of what a machine gets once, when it is made; the claim keeps it until the generation is raised."""
    remedy = f"It comes with the next machine: `edgectl roll {host.name}`."
    for key, (value, note) in {**_once(host, vm), **_made_by(host, vm)}.items():
        was = _number(facts, key) if isinstance(value, int) else facts.get(key)
        if was is not None and was not in ("", 0, value):
            yield Change(key, _shown(was), _shown(value), "new generation", note, remedy)


def _once(host: HostSettings, vm: VmSettings) -> dict[str, tuple[object, str]]:
    """Return what the guest of a host is told at its first boot, each with why it is not told again."""
    once = "the guest reads it at its first boot only; the claim keeps the old value"
    told: dict[str, tuple[object, str]] = {"address": (str(host.address), once), "prefix": (host.prefix, once)}
    if host.mode == "agent":
        return told | {
            "gateway": (str(vm.gateway), once),
            "nameservers": ([str(one) for one in vm.nameservers], once),
            "searchDomains": (list(vm.search_domains), once),
        }
    network = static_network(host)  # an appliance takes one name server, and no search domain
    if network is None:
        return told
    return told | {"gateway": (str(network.gateway), once), "nameservers": ([str(network.nameserver)], once)}


def _made_by(host: HostSettings, vm: VmSettings) -> dict[str, tuple[object, str]]:
    """Return what a machine is made with and keeps; the installer ISO of an appliance is no part of its settings."""
    made: dict[str, tuple[object, str]] = {"mac": (vm.mac, "the guest finds its network card by it")}
    if host.mode == "agent":
        made["template"] = (vm.template, "a machine is cloned once; the claim keeps the old template")
    else:
        made["firmware"] = (vm.firmware, "what is installed boots with the firmware that it was installed with")
    return made | {
        "vcenter": (vm.vcenter, "a machine is not moved from one vCenter to another"),
        "datacenter": (vm.datacenter, "a machine is not moved from one datacenter to another"),
    }


def _shown(value: object) -> str:
    return (", ".join(str(one) for one in value) or "-") if isinstance(value, list | tuple) else str(value)


def _placement(facts: Mapping[str, Any], vm: VmSettings) -> Iterator[Change]:
    """Yield the changes of where the machine runs: others move it too (DRS, people), so the program leaves it there."""
    wanted = {
        "cluster": vm.cluster,
        "host": vm.esxi_host,
        "resourcePool": vm.resource_pool,
        "datastore": vm.datastore,
        "datastoreCluster": vm.datastore_cluster,
    }
    note = "the machine stays where it is; only a new one is put there"
    for key, value in wanted.items():
        if facts.get(key, value or "") != (value or ""):
            yield Change(key, str(facts[key] or "-"), value or "-", "none", note, "Move it in vSphere (vMotion).")
