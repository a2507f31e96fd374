"""Everything that is asked of the vCenters of a site before anything is created, as rows of the report. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from edge.checks.catalogue import checks_at
from edge.checks.model import Result
from edge.checks.on_appliance import WAYS
from edge.errors import EdgeError
from edge.secrets import StackSecrets
from edge.settings import HostSettings, StackSettings
from edge.settings.vm import VmSettings
from edge.settings.vsphere import Vcenter
from edge.vcenter.granted import missing, wanted_on
from edge.vcenter.inventory import read
from edge.vcenter.machines import Answers, is_ours, judge_machines, listens
from edge.vcenter.model import Inventory, Vm, listed
from edge.vcenter.placement import Place, place_of
from edge.vcenter.room import judge_room
from edge.vcenter.rows import Rows
from edge.vcenter.session import LIMITS, Limits, Session, session, within
from edge.vcenter.tags import tags_of
from edge.vcenter.template import judge_templates

Open = Callable[[Vcenter, str, Limits], AbstractContextManager[Session]]


@dataclass(frozen=True)
class VcenterLook:
    """The rows, and why a host is not to be looked at over SSH now (not made yet, off, not known), by its name."""

    results: tuple[Result, ...] = ()
    away: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """One host that is a virtual machine, with its merged settings."""

    host: HostSettings
    vm: VmSettings


def machines_of(hosts: Iterable[HostSettings]) -> tuple[Asked, ...]:
    """Return the hosts that are virtual machines."""
    return tuple(Asked(one, one.vm) for one in hosts if one.vm is not None)


def vsphere_results(
    settings: StackSettings,
    secrets: StackSecrets,
    hosts: Iterable[HostSettings],
    *,
    opened: Open = session,
    answers: Answers = listens,
    limits: Limits = LIMITS,
) -> VcenterLook:
    """Return what the vCenters of a site say about the hosts that are virtual machines; several are asked side by side.

    An error of a vCenter is a red row, no exception: nothing else about it is known then, and its hosts are left alone.
    """
    asked = machines_of(hosts)
    names = list(dict.fromkeys(one.vm.vcenter for one in asked))
    if not names:
        return VcenterLook()

    def one(name: str) -> VcenterLook:
        mine = [each for each in asked if each.vm.vcenter == name]
        return _one(settings, secrets, name, mine, (opened, answers, limits))

    with ThreadPoolExecutor(max_workers=min(8, len(names))) as pool:
        looks = list(pool.map(one, names))
    rows = dict.fromkeys(row for look in looks for row in look.results)
    return VcenterLook(tuple(rows), {host: why for look in looks for host, why in look.away.items()})


def _one(
    settings: StackSettings,
    secrets: StackSecrets,
    name: str,
    asked: Sequence[Asked],
    ways: tuple[Open, Answers, Limits],
) -> VcenterLook:
    opened, answers, limits = ways
    vcenter = settings.vcenter(name)

    def ask() -> VcenterLook:
        with opened(vcenter, secrets.get(vcenter.password.secret), limits) as live:
            return _look(settings, name, live, asked, answers)

    try:
        return within(limits.whole, ask, Session(vcenter, "", limits).late)
    except EdgeError as error:
        rows = Rows(settings.stage)
        seen = f"{error.where}: {error.message}" if error.where else error.message
        rows.bad("vsphere.session", f"{name}: {seen.rstrip('.')}", remedy=error.remedy)
        for check in checks_at("vsphere"):
            if check.id != "vsphere.session":
                rows.skip(check.id, f"not asked: vCenter {name} did not get that far")
        away = {one.host.name: "not known whether it is made: vCenter was not read" for one in asked}
        return VcenterLook(tuple(rows.results()), away)


def _look(settings: StackSettings, name: str, live: Session, asked: Sequence[Asked], answers: Answers) -> VcenterLook:
    rows = Rows(settings.stage)
    rows.good("vsphere.session", f"{name} ({live.vcenter.server}): {live.about}")
    inventory = live.ask(lambda content: read(content, lambda light: needed_closely(light, asked)))
    places = [place_of(inventory, one.host, one.vm, rows) for one in asked]
    judge(settings, inventory, places, rows, answers)
    wanted = wanted_on(settings, inventory, places)
    _privileges(live.ask(lambda content: missing(content, wanted)), live.vcenter.user, rows)
    judge_words(places, inventory.attributes, _tags(live, places), rows)
    return VcenterLook(tuple(rows.results()), away_of(settings.owner, places))


def judge(
    settings: StackSettings, inventory: Inventory, places: Sequence[Place], rows: Rows, answers: Answers = listens
) -> None:
    """Note everything that follows from an inventory."""
    judge_room(settings, places, rows)
    if all(place.host.mode == "appliance" for place in places):
        for check in (one for one in WAYS if one.startswith("vsphere.template")):
            rows.skip(check, WAYS[check].why)
    judge_templates(inventory, places, rows)
    judge_machines(settings.owner, inventory, places, rows, answers)
    for place in places:
        if place.folder is not None:
            _folder(settings.owner, inventory, place, rows)


def needed_closely(light: Inventory, asked: Sequence[Asked]) -> tuple[set[str], set[str]]:
    """Return the ids of the machines to look at closely (of the name, in the folder, templates), and of the networks."""
    names = {one.host.name for one in asked}
    templates = {one.vm.template.strip("/").rpartition("/")[2] for one in asked}
    adopted = {one.vm.adopt.strip("/") for one in asked if one.vm.adopt}
    paths = {one.vm.folder.strip("/") for one in asked}
    folders = {one.id for one in light.folders if one.path in paths}

    def close(vm: Vm) -> bool:
        return (
            vm.folder in folders
            or (vm.name in names and not vm.template)
            or vm.name in templates
            or light.path_of(vm).strip("/") in adopted
        )

    networks = {one.vm.network for one in asked}
    return (
        {one.id for one in light.vms if close(one)},
        {one.id for one in light.networks if one.name in networks and not one.uplink},
    )


def away_of(owner: str, places: Sequence[Place]) -> dict[str, str]:
    """Return, for the hosts that cannot be reached because their machine is not running, why."""
    away = {}
    for place in places:
        vm = place.present
        if vm is None or not is_ours(vm, owner, place.name):
            away[place.name] = "not made yet" if place.vm.adopt is None else "not adopted yet"
        elif vm.power != "poweredOn":
            away[place.name] = "its machine is not powered on"
    return away


def _folder(owner: str, inventory: Inventory, place: Place, rows: Rows) -> None:
    folder = place.folder
    assert folder is not None
    inside = inventory.in_folder(folder)
    others = sorted({one.owner for one in inside if one.owner and one.owner != owner})
    if not folder.path:
        rows.bad("vsphere.folder", "the datacenter's own folder of machines", "a folder that the stack owns")
    elif others:
        rows.bad("vsphere.folder", f"{folder.path} holds machines of {', '.join(others)}", f"of {owner} only")
    elif any(one.owner == owner for one in inside):
        rows.good("vsphere.folder", f"{folder.path}, with machines of this stack")
    else:
        fix = "nothing, if an earlier `up` made it; otherwise remove the folder, or choose another one"
        seen = f"{folder.path} is there and holds no machine of this stack"
        rows.warn("vsphere.folder", seen, "made by this stack", remedy=fix)


def _privileges(lacking: Sequence[tuple[str, Sequence[str]]], user: str, rows: Rows) -> None:
    for name, privileges in lacking:
        rows.bad("vsphere.privileges", f"{user} lacks on {name}: {', '.join(privileges)}", "granted")
    if not lacking:
        rows.good("vsphere.privileges", f"{user} has all that is needed")


def _tags(live: Session, places: Sequence[Place]) -> Mapping[str, frozenset[str] | None]:
    categories = {category for place in places for category in place.vm.tags}
    return tags_of(live, categories) if categories else {}


def judge_words(
    places: Sequence[Place],
    attributes: Iterable[str],
    tags: Mapping[str, frozenset[str] | None],
    rows: Rows,
) -> None:
    """Note whether the tags and custom attributes that the settings name are there."""
    known = set(attributes)
    wanted = sorted({(category, tag) for place in places for category, tag in place.vm.tags.items()})
    for category, tag in wanted:
        there = tags.get(category)
        if category not in tags:
            rows.bad("vsphere.tags", f"no category {category}; {listed(tags)}")
        elif there is None or tag not in there:
            rows.bad("vsphere.tags", f"no tag {tag} in category {category}; {listed(there or ())}")
        else:
            rows.good("vsphere.tags", f"{category}: {tag}")
    if not wanted:
        rows.good("vsphere.tags", "none asked for")
    names = sorted({name for place in places for name in place.vm.attributes})
    for name in names:
        if name in known:
            rows.good("vsphere.attributes", name)
        else:
            rows.bad("vsphere.attributes", f"no custom attribute {name}; {listed(known)}")
    if not names:
        rows.good("vsphere.attributes", "none asked for")
