"""What became of each machine of a site behind the program's back, in one sentence each, and what can be done about it.

Pure: an inventory and the engine's state go in, cases come out. Only a machine that carries this stack as its owner, or
that the last run was creating in the stack's own folder, is ever touched; a running machine is never destroyed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from edge.settings import StackSettings
from edge.vcenter.machines import is_ours
from edge.vcenter.model import GENERATION_KEY, HOST_KEY, REGISTRATION_KEY, Datacenter, Folder, Inventory, Vm
from edge.vcenter.reads import Asked
from edge.vcenter.stack_state import StackState

Kind = Literal[
    "healthy", "absent", "deleted", "off", "suspended", "unfinished", "unrecorded", "adopt", "foreign", "moved",
    "snapshots", "leftover", "misplaced",
]  # fmt: skip
Deed = Literal["power on", "destroy"]
OLD = timedelta(days=7)
_FINE: frozenset[Kind] = frozenset({"healthy", "absent", "adopt"})


@dataclass(frozen=True)
class Case:
    """One machine: what is the matter, the deed that would mend it here, and the commands that a person may run instead."""

    host: str
    kind: Kind
    sentence: str
    deed: Deed | None = None
    vm: Vm | None = None
    commands: tuple[str, ...] = ()

    @property
    def fine(self) -> bool:
        """Return whether nothing has to be done about it before the next `up`."""
        return self.kind in _FINE


@dataclass(frozen=True)
class _Site:
    """What every case is judged by."""

    settings: StackSettings
    inventory: Inventory
    state: StackState | None
    now: datetime
    old: timedelta

    @property
    def stack(self) -> str:
        return self.settings.stack

    def again(self, *more: str) -> tuple[str, ...]:
        return (*more, f"pulumi up --stack {self.stack}")


def judge_repair(
    settings: StackSettings,
    inventory: Inventory,
    asked: Sequence[Asked],
    state: StackState | None,
    now: datetime,
    old: timedelta = OLD,
) -> list[Case]:
    """Return the cases of the machines of one vCenter: those of the settings in their order, then what is left over.

    `state` is None where the engine's state is not at hand: then a clone that was cut off cannot be told from a foreign
    machine, and is left alone.
    """
    site = _Site(settings, inventory, state, now, old)
    cases: list[Case] = []
    folders: dict[str, Folder] = {}
    for one in asked:
        center = next((each for each in inventory.datacenters if each.name == one.vm.datacenter), None)
        if center is None:
            text = (
                f"{one.host.name}: datacenter {one.vm.datacenter} is not there; run `edgectl preflight {site.stack}`."
            )
            cases.append(Case(one.host.name, "misplaced", text))
            continue
        folder = inventory.folder(center.id, one.vm.folder)
        if folder is not None:
            folders[folder.id] = folder
        cases += _host(site, one, center, folder)
    names = {one.host.name for one in asked}
    for folder in folders.values():
        cases += [_leftover(site, folder, vm) for vm in inventory.in_folder(folder) if _stray(site, vm, names)]
    return cases


def _host(site: _Site, one: Asked, center: Datacenter, folder: Folder | None) -> list[Case]:
    name, inventory = one.host.name, site.inventory
    vm = next((each for each in inventory.in_folder(folder) if each.name == name), None)
    known = site.state.machines.get(name) if site.state else None
    recorded = next((each for each in inventory.vms if known and known.uuid and each.uuid == known.uuid), None)
    if recorded is not None and (vm is None or recorded.id != vm.id):
        cases = [_moved(site, name, recorded, f"/{center.name}/vm/{one.vm.folder.strip('/')}/{name}")]
        return cases if vm is None else [*cases, _nameless(site, one, folder, vm)]
    if vm is None and known is not None:
        text = f"{name}: its machine was deleted; a refresh makes the engine forget it, and the next up makes it again."
        return [Case(name, "deleted", text, commands=site.again(f"pulumi refresh --stack {site.stack}"))]
    if vm is None:
        return [_absent(site, one)]
    if is_ours(vm, site.settings.owner, name) and not vm.template:
        return _ours(site, one, vm, recorded is not None)
    return [_nameless(site, one, folder, vm)]


def _moved(site: _Site, name: str, vm: Vm, meant: str) -> Case:
    path = site.inventory.path_of(vm)
    what = "renamed" if vm.name != name and path.rpartition("/")[0] == meant.rpartition("/")[0] else "moved"
    text = f"{name}: its machine was {what} to {path}; a refresh and an up bring it back to {meant}, without a restart."
    return Case(name, "moved", text, vm=vm, commands=site.again(f"pulumi refresh --stack {site.stack}"))


def _absent(site: _Site, one: Asked) -> Case:
    """Return the case of a machine that is neither there nor recorded."""
    name = one.host.name
    if one.vm.adopt:
        wanted = one.vm.adopt.strip("/")
        if any(site.inventory.path_of(each).strip("/") == wanted for each in site.inventory.vms):
            return Case(name, "adopt", f"{name}: {one.vm.adopt} will be adopted by the next up.")
        text = f"{name}: there is no machine {one.vm.adopt} to adopt; correct `adopt` or remove it."
        return Case(name, "misplaced", text)
    return Case(name, "absent", f"{name}: not made yet; the next up makes it.")


def _ours(site: _Site, one: Asked, vm: Vm, recorded: bool) -> list[Case]:
    name = one.host.name
    cases: list[Case] = []
    if vm.power == "suspended":
        text = f"{name}: its machine is suspended; powering it on resumes it where it stopped."
        cases.append(Case(name, "suspended", text, "power on", vm))
    elif vm.power != "poweredOn" and one.host.mode == "appliance" and not vm.extra.get(REGISTRATION_KEY):
        # Powered on now it would boot the installer once more, and install itself again and again.
        text = f"{name}: its machine is powered off, and has not booted from its disk yet; the next up prepares that."
        cases.append(Case(name, "off", text, None, vm, site.again()))
    elif vm.power != "poweredOn":
        cases.append(Case(name, "off", f"{name}: its machine is powered off; it can be powered on.", "power on", vm))
    if site.state is not None and not recorded and name in site.state.creating and not one.vm.adopt:
        text = (
            f"{name}: the last run made its machine, and was cut off before the engine heard of it; destroying it lets the "
            "next up make it anew."
        )
        # A power-on would only be undone.
        cases = [Case(name, "unfinished", text, "destroy", vm)]
    elif site.state is not None and not recorded:
        cases.append(_unrecorded(site, one, vm))
    ages = [one for one in vm.snapshots if site.now - one.created > site.old]
    if ages:
        oldest = min(ages, key=lambda each: each.created)
        days = (site.now - oldest.created).days
        text = (
            f"{name}: {len(ages)} snapshots older than {site.old.days} days, the oldest {oldest.name!r} of {days} days; "
            "they fill the datastore and keep the disk from growing."
        )
        cases.append(
            Case(name, "snapshots", text, None, vm, (f"govc snapshot.tree -D -vm {site.inventory.path_of(vm)}",))
        )
    if not cases:
        generation = vm.extra.get(GENERATION_KEY, "")
        also = (
            f" (generation {generation}; the settings say {one.host.generation})" if _differs(one, generation) else ""
        )
        cases.append(Case(name, "healthy", f"{name}: as it should be{also}.", vm=vm))
    return cases


def _unrecorded(site: _Site, one: Asked, vm: Vm) -> Case:
    """Return the case of a machine of ours that is in no state. An appliance cannot be adopted: its image erases a disk."""
    name = one.host.name
    if one.host.mode == "appliance":
        text = (
            f"{name}: its machine is there, but the engine does not know it: restore the state that knows it, or destroy the"
            " machine by hand, and the next up makes and installs another one."
        )
        return Case(name, "unrecorded", text, None, vm, (f"govc vm.info -e {site.inventory.path_of(vm)}",))
    text = f"{name}: its machine is there, but the engine does not know it: write the line below into its settings."
    return Case(name, "unrecorded", text, None, vm, _adopt(site, vm, name))


def _differs(one: Asked, generation: str) -> bool:
    return bool(generation) and generation != str(one.host.generation)


def _nameless(site: _Site, one: Asked, folder: Folder | None, vm: Vm) -> Case:
    """Return the case of a machine that has the host's name and is not ours by its own word."""
    name, path = one.host.name, site.inventory.path_of(vm)
    if one.vm.adopt and one.vm.adopt.strip("/") == path.strip("/"):
        return Case(name, "adopt", f"{name}: {path} will be adopted by the next up.", vm=vm)
    if _was_creating(site, folder, vm):
        return _unfinished(site, vm)
    if vm.owner:
        text = f"{name}: {path} belongs to {vm.owner}, host {vm.extra.get(HOST_KEY, '?')}; it is left alone."
    elif site.state is None:
        text = (
            f"{name}: {path} carries no owner, and without the engine's state it cannot be told whether the last run was "
            "making it; give the state with --state FILE."
        )
    else:
        text = f"{name}: {path} is foreign (the last run was not making it); move or rename it, or choose another name."
        if vm.power == "poweredOff" and folder is not None and vm.folder == folder.id:
            # vCenter ends a clone also when the run that wanted it has failed meanwhile, its session for example.
            text += " If an earlier run failed while it was cloned, it is what that run left: destroy it by hand."
    return Case(name, "foreign", text, vm=vm)


def _was_creating(site: _Site, folder: Folder | None, vm: Vm) -> bool:
    """Return whether the last run was cut off while it made this machine: its name and our folder, and no owner yet."""
    if site.state is None or folder is None or vm.owner or vm.template or vm.folder != folder.id or not folder.path:
        return False
    written = site.state.creating.get(vm.name)
    return written is not None and (not written or written.strip("/") == folder.path)


def _unfinished(site: _Site, vm: Vm) -> Case:
    path = site.inventory.path_of(vm)
    if vm.power != "poweredOff":
        text = (
            f"{vm.name}: {path} is an unfinished clone of the last run, but it is running; look at it and power it off."
        )
        return Case(vm.name, "unfinished", text, None, vm)
    text = f"{vm.name}: {path} is an unfinished clone of the last run; destroying it lets the next up make it anew."
    # Adopted, it would never get its guest variables: the clone was cut off before they were written.
    return Case(vm.name, "unfinished", text, "destroy", vm)


def _adopt(site: _Site, vm: Vm, host: str) -> tuple[str, ...]:
    return (f"hosts: {{{host}: {{adopt: {site.inventory.path_of(vm)}}}}}",)


def _stray(site: _Site, vm: Vm, names: set[str]) -> bool:
    """Return whether a machine in our folder belongs to no host of the settings, and is ours or was being made."""
    creating = site.state is not None and vm.name in site.state.creating and not vm.owner
    return vm.name not in names and not vm.template and (vm.owner == site.settings.owner or creating)


def _leftover(site: _Site, folder: Folder, vm: Vm) -> Case:
    path = site.inventory.path_of(vm)
    if _was_creating(site, folder, vm):
        return _unfinished(site, vm)
    if site.state is not None and any(one.uuid == vm.uuid for one in site.state.machines.values() if one.uuid):
        text = f"{vm.name}: {path} is ours, and no host of the settings is called so; the next up removes it."
        return Case(vm.name, "leftover", text, None, vm, site.again())
    text = f"{vm.name}: {path} carries our name, but neither the settings nor the engine know it; look at it by hand."
    return Case(vm.name, "leftover", text, None, vm, (f"govc vm.info -e {path}",))


def after_a_killed_run(state: StackState | None, stack: str) -> list[str]:
    """Return what to run when the last run was cut off; empty when it was not, or nothing is known of it."""
    if state is None or not state.pending:
        return []
    return [
        f"pulumi cancel --yes --stack {stack}",
        f"pulumi refresh --clear-pending-creates --stack {stack}",
        f"pulumi up --stack {stack}",
    ]
