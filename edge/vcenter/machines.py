"""The machines themselves: is the name free or ours, does anybody else have the address or the MAC, can it grow?"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address

from edge.vcenter.model import GENERATION_KEY, GIB, HOST_KEY, Inventory, Vm
from edge.vcenter.placement import Place
from edge.vcenter.rows import Rows

_SECONDS = 2.0
Answers = Callable[[IPv4Address], str | None]


def judge_machines(owner: str, inventory: Inventory, places: Sequence[Place], rows: Rows, answers: Answers) -> None:
    """Note what is right and wrong with each machine. `answers` tells what listens on an address that should be free."""
    new = [place for place in places if place.present is None and place.vm.adopt is None]
    heard = ask_all(new, answers)
    for place in places:
        if place.datacenter is None:
            continue
        _name(owner, inventory, place, rows)
        _address(inventory, place, heard.get(place.name), rows)
        _mac(inventory, place, places, rows)
        if place.present is not None and is_ours(place.present, owner, place.name):
            _resize(place, place.present, rows)
            _power(place, place.present, rows)


def is_ours(vm: Vm, owner: str, host: str) -> bool:
    """Return whether a machine was made by this stack for this host."""
    return vm.owner == owner and vm.extra.get(HOST_KEY, host) == host


def _name(owner: str, inventory: Inventory, place: Place, rows: Rows) -> None:
    check, vm = "vsphere.name", place.present
    if place.vm.adopt is not None and vm is None:
        _adopted(inventory, place, place.vm.adopt, rows)
    elif vm is None:
        others = [one for one in inventory.vms if one.name == place.name and not one.template]
        where = f"; others of the name: {', '.join(inventory.path_of(one) for one in others)}" if others else ""
        rows.good(check, f"free in {place.vm.folder}{where}", place.name)
    elif is_ours(vm, owner, place.name):
        generation = vm.extra.get(GENERATION_KEY, "?")
        rows.good(check, f"ours, generation {generation}, uuid {vm.uuid}", place.name)
    elif vm.owner:
        seen = f"{inventory.path_of(vm)} belongs to {vm.owner} (host {vm.extra.get(HOST_KEY, '?')})"
        rows.bad(check, seen, f"free, or of {owner}", host=place.name)
    elif place.vm.adopt is not None and place.vm.adopt.strip("/") == inventory.path_of(vm).strip("/"):
        rows.good(check, f"{inventory.path_of(vm)} is to be adopted", place.name)
    else:
        seen = f"{inventory.path_of(vm)} is there and carries no owner: a clone that was cut off, or a foreign machine"
        rows.bad(check, seen, f"free, or of {owner}", host=place.name)


def _adopted(inventory: Inventory, place: Place, path: str, rows: Rows) -> None:
    found = [one for one in inventory.vms if inventory.path_of(one).strip("/") == path.strip("/")]
    if not found:
        fix = "correct `adopt`, or remove it to let the program make the machine"
        rows.bad("vsphere.name", f"no machine {path} to adopt", "there", host=place.name, remedy=fix)
    elif found[0].template:
        rows.bad("vsphere.name", f"{path} is a template, which cannot be adopted", "a machine", host=place.name)
    else:
        rows.good("vsphere.name", f"{path} is to be adopted", place.name)


def _address(inventory: Inventory, place: Place, heard: str | None, rows: Rows) -> None:
    check, address = "vsphere.address", str(place.host.address)
    mine = _mine(inventory, place)
    others = [one for one in inventory.vms if address in one.addresses and one.id not in mine]
    if others:
        seen = f"{address} is reported by {', '.join(inventory.path_of(one) for one in others)}"
        rows.bad(check, seen, "nobody else", host=place.name)
    elif heard is not None and heard.startswith("SSH"):
        rows.bad(
            check,
            f"{address} answers on port 22 ({heard}), and the machine is not made yet",
            "silence",
            host=place.name,
        )
    elif heard is not None:
        rows.warn(check, f"{address} answers ({heard}), and the machine is not made yet", "silence", host=place.name)
    else:
        rows.good(check, address, place.name)


def _mine(inventory: Inventory, place: Place) -> set[str]:
    """Return the ids of the machines that may have the host's address and MAC: its own, and the one to be adopted."""
    path = (place.vm.adopt or "").strip("/")
    adopted = {one.id for one in inventory.vms if path and inventory.path_of(one).strip("/") == path}
    return adopted | ({place.present.id} if place.present else set())


def _mac(inventory: Inventory, place: Place, places: Sequence[Place], rows: Rows) -> None:
    mac, mine = place.vm.mac.lower(), _mine(inventory, place)
    others = [one for one in inventory.vms if one.id not in mine and any(nic.mac == mac for nic in one.nics)]
    twins = [one.name for one in places if one.name != place.name and one.vm.mac.lower() == mac]
    if others or twins:
        names = ", ".join([*(inventory.path_of(one) for one in others), *(f"host {name}" for name in twins)])
        rows.bad("vsphere.mac", f"{mac} belongs to {names}", "nobody else", host=place.name)
    else:
        rows.good("vsphere.mac", mac, place.name)


def _resize(place: Place, vm: Vm, rows: Rows) -> None:
    """Judge what is asked of a machine that is there: a disk cannot shrink, and not grow while there are snapshots."""
    check, asked = "vsphere.resize", place.vm.disk_gib
    present = vm.disks[0].size if vm.disks else 0
    if present > asked * GIB:
        fix = f"write `disk: {-(-present // GIB)}GiB`, or raise the host's generation for a new machine"
        rows.bad(check, f"disk of {-(-present // GIB)} GiB", f"at most {asked} GiB", host=place.name, remedy=fix)
    elif present < asked * GIB and vm.snapshots:
        names = ", ".join(one.name for one in vm.snapshots)
        fix = "remove them first: govc snapshot.remove -vm " + place.name + " NAME"
        rows.bad(check, f"disk to grow to {asked} GiB, but snapshots: {names}", "none", host=place.name, remedy=fix)
    else:
        rows.good(check, f"disk {-(-present // GIB)} GiB, asked {asked} GiB", place.name)


def _power(place: Place, vm: Vm, rows: Rows) -> None:
    if vm.power == "poweredOn":
        rows.good("vsphere.power", "on", place.name)
    else:
        word = {"poweredOff": "off", "suspended": "suspended"}.get(vm.power, vm.power)
        rows.bad("vsphere.power", word, "on", host=place.name)


def ask_all(places: Sequence[Place], answers: Answers) -> Mapping[str, str]:
    """Return what answers on the addresses of machines that are not there yet, by host, side by side."""
    if not places:
        return {}
    with ThreadPoolExecutor(max_workers=min(32, len(places))) as pool:
        found = pool.map(lambda place: answers(place.host.address), places)
        return {place.name: heard for place, heard in zip(places, found, strict=True) if heard is not None}


def listens(address: IPv4Address) -> str | None:
    """Return what answers on port 22 of an address, seen from here: the greeting of SSH, or how it answered; None if nothing."""
    try:
        with socket.create_connection((str(address), 22), timeout=_SECONDS) as open_line:
            open_line.settimeout(_SECONDS)
            greeting = open_line.recv(64).decode("ascii", "replace").split("\r")[0].split("\n")[0].strip()
    except ConnectionRefusedError:
        return "it refuses a connection on port 22"
    except ConnectionError:
        return "it breaks a connection on port 22"
    except OSError:
        return None
    return greeting if greeting.startswith("SSH-") else "port 22 is open, no greeting of SSH"
