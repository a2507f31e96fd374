"""What the next `up` would do to each host: first install, reinstall, new agent, nothing. Pure; facts are optional."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edge.settings import HostSettings, StackSettings

Action = Literal["join", "reinstall", "upgrade", "converge", "leave", "gone"]


@dataclass(frozen=True)
class HostPlan:
    """One host's plan. `reboots` and `replaces` are what an operator wants to know before typing yes."""

    name: str
    action: Action
    reboots: bool
    replaces: bool
    why: str


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _plan(settings: StackSettings, host: HostSettings, known: Mapping[str, Any] | None) -> HostPlan:
    wanted = settings.release.agent.version
    if host.state in ("retired", "lost"):
        return HostPlan(host.name, "leave", False, False, f"state is {host.state}: remove its line after this run")
    if known is None:
        return HostPlan(host.name, "join", True, False, "not known to be joined: the installer reboots it")
    was = int(known.get("generation", host.generation))
    if was != host.generation:
        return HostPlan(host.name, "reinstall", True, True, f"generation {was} -> {host.generation}")
    has = str(known.get("agentVersion", ""))
    if _version(wanted) > _version(has):
        return HostPlan(host.name, "upgrade", True, False, f"agent {has or 'unknown'} -> {wanted}")
    return HostPlan(host.name, "converge", False, False, "joined; only what differs is changed")


def host_plans(settings: StackSettings, known: Mapping[str, Mapping[str, Any]] | None) -> list[HostPlan]:
    """Return one plan per host of the settings, and one per joined host that the settings no longer name.

    `known` holds the exported facts by host, or None when the stack was never deployed or its facts are not at hand.
    """
    joined = known or {}
    plans = [_plan(settings, settings.host_view(name), joined.get(name)) for name in settings.site.hosts]
    for name in sorted(joined.keys() - settings.site.hosts.keys()):
        plans.append(HostPlan(name, "gone", False, False, "no longer in the settings: uninstalled, its record removed"))
    return plans
