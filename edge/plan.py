"""What the next `up` would do to each host: first install, new machine, resize, new agent, nothing. Facts are optional."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from edge.images.installed import appliance_changes
from edge.settings import HostSettings, StackSettings
from edge.vm.changes import SIZES, Change, changes, with_new_machine, worst

Action = Literal[
    "join", "create", "reinstall", "replace", "upgrade", "resize", "change", "converge", "leave", "gone", "refused"
]


@dataclass(frozen=True)
class HostPlan:
    """One host's plan. `reboots` and `replaces` are what an operator wants to know before typing yes.

    `changes` holds what differs in a virtual machine, also what waits for a raised generation; `warning` what should be
    done in another order.
    """

    name: str
    action: Action
    reboots: bool
    replaces: bool
    why: str
    changes: tuple[Change, ...] = ()
    warning: str = ""

    @property
    def refused(self) -> bool:
        """Return whether the run would stop at this host, before anything is changed."""
        return self.action == "refused"


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _plan(settings: StackSettings, host: HostSettings, known: Mapping[str, Any] | None) -> HostPlan:
    wanted = settings.release.agent.version
    if host.state in ("retired", "lost"):
        return HostPlan(host.name, "leave", False, False, f"state is {host.state}: remove its line after this run")
    if known is None:
        return _first(host)
    mode = _made_with(known)
    if mode and mode != host.mode:
        return _other_mode(host, mode)
    found = (*changes(known, host), *appliance_changes(known, host, settings))
    was = int(known.get("generation", host.generation))
    if was != host.generation:
        return _anew(host, was, found)
    refused = tuple(one for one in found if one.kind == "refused")
    if refused:
        return HostPlan(host.name, "refused", False, False, _list(refused), found)
    has = str(known.get("agentVersion", ""))
    if host.mode == "agent" and _version(wanted) > _version(has):
        why = [f"agent {has or 'unknown'} -> {wanted}", *_words(found)]
        return HostPlan(host.name, "upgrade", True, False, "; ".join(why), found)
    return _converge(host, found)


def _made_with(known: Mapping[str, Any]) -> str:
    """Return the mode that a host's machine was made with, "" where its facts do not say."""
    if isinstance(known.get("appliance"), Mapping):
        return "appliance"
    return "agent" if known.get("agentVersion") and "appliance" not in known else ""


def _other_mode(host: HostSettings, mode: str) -> HostPlan:
    """Return the plan of a host whose machine was made with another mode: its claim refuses to change it."""
    why = (
        f"mode {mode} -> {host.mode}: a machine keeps its mode. Write `mode: {mode}` again; for the other one let the host"
        " leave (state: retired, `up`, then remove its line, `up`) and add it anew"
    )
    return HostPlan(host.name, "refused", False, False, why)


def _first(host: HostSettings) -> HostPlan:
    if host.mode == "appliance":
        if host.vm is None:
            why = "not known to have registered: somebody boots it from the installer ISO, with the host's own ISO"
            return HostPlan(host.name, "join", True, False, why)
        why = "not known to have registered: a VM that installs itself from the installer ISO"
        return HostPlan(host.name, "create", True, False, why)
    if host.vm is None:
        return HostPlan(host.name, "join", True, False, "not known to be joined: the installer reboots it")
    how = f"adopted from {host.vm.adopt}" if host.vm.adopt else f"cloned from {host.vm.template}"
    return HostPlan(host.name, "create", True, False, f"not known to be joined: {how}, the installer reboots it")


def _anew(host: HostSettings, was: int, found: tuple[Change, ...]) -> HostPlan:
    """Return the plan of a raised generation: an existing machine is installed again, a virtual one is another one."""
    why = f"generation {was} -> {host.generation}"
    if host.mode == "appliance":
        return _appliance_anew(host, why, found)
    if host.vm is None:
        return HostPlan(host.name, "reinstall", True, True, why)
    if host.vm.adopt:
        why = f"{why}: the adopted VM stays and its agent is installed again; without `adopt` it would be cloned anew"
        return HostPlan(host.name, "reinstall", True, True, why, found)
    refused = with_new_machine(found)
    if refused:
        return HostPlan(host.name, "refused", False, False, f"{why}; {_list(refused)}", found)
    brought = [f"{one.key} {one.was} -> {one.wanted}" for one in found]
    why = f"{why}: the VM is destroyed and cloned anew from {host.vm.template}"
    return HostPlan(host.name, "replace", True, True, f"{why}, with {', '.join(brought)}" if brought else why, found)


def _appliance_anew(host: HostSettings, why: str, found: tuple[Change, ...]) -> HostPlan:
    """Return the plan of an appliance's raised generation: its disk is installed anew, by the VM or by somebody."""
    brought = [f"{one.key} {one.was} -> {one.wanted}" for one in found if one.kind == "new generation"]
    more = f", with {', '.join(brought)}" if brought else ""
    if host.vm is None:
        how = "the machine is installed again: somebody boots it from the installer ISO"
        return HostPlan(host.name, "reinstall", True, True, f"{why}: {how}{more}", found)
    refused = with_new_machine(found)
    if refused:
        return HostPlan(host.name, "refused", False, False, f"{why}; {_list(refused)}", found)
    return HostPlan(
        host.name, "replace", True, True, f"{why}: the VM is destroyed, and another installs itself{more}", found
    )


def _converge(host: HostSettings, found: tuple[Change, ...]) -> HostPlan:
    """Return the plan of a machine that stays: by the change of it that weighs most."""
    if not found:
        return HostPlan(host.name, "converge", False, False, "joined; only what differs is changed")
    now = [one for one in found if one.kind in ("in place", "power cycle")]
    action: Action = "converge"
    if now:
        action = "resize" if any(one.key in SIZES for one in now) else "change"
    why = "; ".join(_words(found)) or "joined; only what differs is changed"
    return HostPlan(host.name, action, worst(now) == "power cycle", False, why, found)


def _words(found: Sequence[Change]) -> list[str]:
    """Return what happens to a machine, in words: first what is done to it, then what waits."""
    words = []
    cycle = [one for one in found if one.kind == "power cycle"]
    place = [one for one in found if one.kind == "in place"]
    waits = [one for one in found if one.kind == "new generation"]
    if cycle:
        words.append(f"power cycle: {_pairs([*cycle, *place])}")
    elif place:
        words.append(f"in place: {_pairs(place)}")
    if waits:
        words.append(f"waits for a raised generation: {_pairs(waits)}")
    return words


def _pairs(found: Sequence[Change]) -> str:
    return ", ".join(f"{one.key} {one.was} -> {one.wanted}" for one in found)


def _list(found: Sequence[Change]) -> str:
    return "; ".join(str(one) for one in found)


def host_plans(settings: StackSettings, known: Mapping[str, Mapping[str, Any]] | None) -> list[HostPlan]:
    """Return one plan per host of the settings, and one per joined host that the settings no longer name.

    `known` holds the exported facts by host, or None when the stack was never deployed or its facts are not at hand.
    """
    joined = known or {}
    leaving = {str(facts.get("address")): name for name, facts in joined.items() if name not in settings.site.hosts}
    plans = []
    for name in settings.site.hosts:
        host = settings.host_view(name)
        plan = _plan(settings, host, joined.get(name))
        plans.append(_at_taken_address(plan, leaving.get(str(host.address)) if name not in joined else None))
    return plans + [_gone(name, joined[name]) for name in sorted(joined.keys() - settings.site.hosts.keys())]


def _at_taken_address(plan: HostPlan, other: str | None) -> HostPlan:
    """Return the plan of a new host, with a warning where a machine that leaves in the same run still has its address.

    A renamed host is such a pair: the engine makes the new machine before it deletes the old one, so both would have it.
    """
    if other is None or plan.action not in ("create", "join"):
        return plan
    warning = (
        f"{plan.name} would be made while {other} still has its address."
        f" Let {other} leave first (state: retired, `up`, then remove its line, `up`), then add {plan.name}."
    )
    return replace(plan, warning=warning)


def _gone(name: str, facts: Mapping[str, Any]) -> HostPlan:
    if isinstance(facts.get("vm"), Mapping):
        why = "no longer in the settings: its VM is destroyed with its disk, its record removed"
    elif isinstance(facts.get("appliance"), Mapping):
        why = "no longer in the settings: its record is removed; the machine runs on, and registers again if it can"
    else:
        why = "no longer in the settings: uninstalled, its record removed"
    return HostPlan(name, "gone", False, False, why)
