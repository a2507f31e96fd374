"""What a roll needs to know: whether a host may be rolled, how far a roll has come, what a preview touches, and what must
be true afterwards. All of it pure, on settings, exported facts and plain data.

A roll takes one host after the other to its next generation: a new virtual machine, or a fresh installation on a machine
that exists. It can be killed at any moment, so every host's target is fixed before anything is changed, and each step
leads to a fixed state instead of taking one step more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from edge.errors import RollError
from edge.findings import Finding
from edge.images.installed import ISO, ISO_WORD, appliance_changes
from edge.settings import HostSettings, StackSettings
from edge.vm.changes import changes, with_new_machine

Step = Literal["planned", "rolled", "done"]
STEPS: tuple[Step, ...] = ("planned", "rolled", "done")
ROLLABLE = ("active", "rolling")

_SCHEMA = 1
_GOOD_STATES = ("ready", "in-use")
_HOST_TYPE = "edge-hosts:index:EdgeHost"
_QUIET = frozenset({"same", "read", "refresh"})
_AGAIN = "Run `pulumi up` for the stack until it ends without an error."

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Identity:
    """Which machine and which registration carry a host's name; "" where that is not known or not given."""

    machine: str = ""
    epoch: str = ""


@dataclass(frozen=True)
class HostRoll:
    """One host of a roll: the generation that it shall reach, its `state:` line before, who it was, how far it is."""

    name: str
    generation: int
    state: str | None
    before: Identity
    step: Step = "planned"


@dataclass(frozen=True)
class Progress:
    """How far a roll of a stack has come. Its JSON is written after every step."""

    stack: str
    hosts: tuple[HostRoll, ...]

    @property
    def left(self) -> tuple[HostRoll, ...]:
        """Return the hosts that are not done, in their order."""
        return tuple(host for host in self.hosts if host.step != "done")

    def at(self, name: str, step: Step) -> Progress:
        """Return the progress with one host at another step."""
        hosts = tuple(replace(host, step=step) if host.name == name else host for host in self.hosts)
        return replace(self, hosts=hosts)

    def to_json(self) -> str:
        """Return the text of the progress file."""
        return json.dumps({"schema": _SCHEMA, **asdict(self)}, indent=2) + "\n"


def read_progress(text: str, stack: str, where: str) -> Progress:
    """Return the progress in a file. Raises RollError when it is none, or that of another stack."""
    try:
        data = json.loads(text)
        if data["schema"] != _SCHEMA or data["stack"] != stack:
            raise ValueError
        hosts = tuple(_host_roll(one) for one in data["hosts"])
    except (ValueError, KeyError, TypeError):
        raise RollError(
            f"is no record of a roll of {stack}.",
            remedy="Look at the stack file for `state: rolling`, then remove this record.",
            where=where,
        ) from None
    return Progress(stack, hosts)


def _host_roll(data: Mapping[str, Any]) -> HostRoll:
    if data["step"] not in STEPS:
        raise ValueError
    before = Identity(str(data["before"]["machine"]), str(data["before"]["epoch"]))
    state = data["state"]
    return HostRoll(
        str(data["name"]), int(data["generation"]), None if state is None else str(state), before, data["step"]
    )


def identity(facts: Facts) -> Identity:
    """Return which machine and registration a host's exported facts are of."""
    vm = facts.get("vm")
    uuid = vm.get("uuid") if isinstance(vm, Mapping) else None
    return Identity(str(uuid or ""), str(facts.get("epoch") or ""))


def reached(facts: Facts) -> int:
    """Return the generation that a host's exported facts are of; numbers of an export may be floats. 0 for none."""
    found = facts.get("generation")
    return int(found) if isinstance(found, int | float) else 0


def planned(settings: StackSettings, hosts: Mapping[str, Facts], names: Iterable[str], states: Facts) -> Progress:
    """Return the record of a new roll. `hosts` are the exported facts, `states` the `state:` lines as written.

    A host whose settings are ahead of its facts was raised by hand already: that generation is its target.
    """
    rolls = []
    for name in names:
        known, wanted = hosts[name], settings.site.hosts[name].generation
        state = states.get(name)
        target = wanted if wanted > reached(known) else reached(known) + 1
        rolls.append(HostRoll(name, target, state if state == "active" else None, identity(known)))
    return Progress(settings.stack, tuple(rolls))


def chosen(settings: StackSettings, names: Sequence[str], *, every: bool) -> tuple[str, ...]:
    """Return the hosts to roll, in the order of the file. Raises RollError for a choice that is none."""
    there = settings.site.hosts
    if every == bool(names):
        raise RollError("needs either hosts or --all.", remedy="Name the hosts to roll, or give --all.", where="roll")
    unknown = [name for name in names if name not in there]
    if unknown:
        raise RollError(
            f"is not under `hosts:` of {settings.stack}.",
            remedy=f"The hosts are: {', '.join(there)}.",
            where=", ".join(unknown),
        )
    return tuple(name for name, host in there.items() if (host.state in ROLLABLE if every else name in names))


def outdated(settings: StackSettings, name: str, facts: Facts) -> str:
    """Return in which way a host is older than the release, "" when it is not.

    A virtual machine is made from a template, and an appliance from an image; it keeps that until it is rolled. Of an
    existing machine only the release of its last deployment is known.
    """
    if settings.site.hosts[name].mode == "appliance":
        return _outdated_appliance(settings, settings.host_view(name), facts)
    vm = settings.host_view(name).vm
    if vm is not None:
        wanted = str(vm.template)
        known = facts.get("vm")
        has = str((known.get("template") or "") if isinstance(known, Mapping) else "")
        same = has == wanted or (("/" in has) != ("/" in wanted) and _last(has) == _last(wanted))
        return "" if same else f"made from {has or 'an unknown template'}, the release wants {wanted}"
    has = str(facts.get("release", ""))
    return "" if has == settings.release.id else f"release {has or 'unknown'} -> {settings.release.id}"


def _outdated_appliance(settings: StackSettings, host: HostSettings, facts: Facts) -> str:
    """Return which other ISO an appliance was installed from, "" where it is the same one.

    Where only a run knows the ISO (the image of another stack that the release does not record), that run left the word.
    """
    known = facts.get("appliance")
    if not isinstance(known, Mapping) or not known.get("isoSha256"):
        return "installed from an unknown ISO"
    iso = next((one for one in appliance_changes(facts, host, settings) if one.key in (ISO, ISO_WORD)), None)
    return "" if iso is None else f"installed from ISO {iso.was}, the release wants {iso.wanted}"


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def gate(settings: StackSettings, hosts: Mapping[str, Facts], name: str) -> list[Finding]:
    """Return everything that keeps this host from being rolled; an empty list opens the gate."""
    host, known, where = settings.host_view(name), hosts.get(name), f"site.hosts.{name}"
    if host.state not in ROLLABLE:
        return [Finding(f"{where}.state", host.state, "is on its way out", "Roll only hosts that stay.")]
    if not isinstance(known, Mapping):
        return [Finding(where, None, "was not deployed yet, so there is nothing to roll", "Run `pulumi up` first.")]
    found = []
    if host.generation < reached(known):
        remedy = f"Write `generation: {reached(known)}`, which the stack has reached."
        found.append(Finding(f"{where}.generation", host.generation, "is lower than the one reached", remedy))
    if known.get("state") == "in-use" and not host.force:
        remedy = "Take it out of its node pool in Palette first, or set `force: true` for this one change."
        found.append(Finding(where, None, "belongs to a cluster", remedy))
    if not host.allow_reboot:
        remedy = "Write `allowReboot: true`; the installation reboots the machine."
        found.append(Finding(f"{where}.allowReboot", False, "may not be rebooted, so it cannot be rolled", remedy))
    for change in with_new_machine(changes(known, host)):
        found.append(Finding(f"{where}.{change.key}", change.wanted, change.note, change.remedy))
    return found


def others(settings: StackSettings, hosts: Mapping[str, Facts], name: str) -> list[Finding]:
    """Return a finding for every other host of the site that is not healthy: a roll takes one host away at a time."""
    stay = [other for other, host in settings.site.hosts.items() if other != name and host.state in ROLLABLE]
    return [finding for other in stay if (finding := unhealthy(other, hosts.get(other)))]


def unhealthy(name: str, facts: Facts | None) -> Finding | None:
    """Return a finding when a host's exported facts do not show it healthy, else None."""
    if not isinstance(facts, Mapping):
        return Finding(name, None, "was not deployed", _AGAIN)
    state, health = facts.get("state"), facts.get("health", "healthy")
    if state in _GOOD_STATES and health == "healthy":
        return None
    remedy = "Run `pulumi refresh`, then `edgectl verify` for the stack, and repair the host."
    return Finding(name, f"{state}, {health}", "is not healthy in Palette", remedy)


def arrived(roll: HostRoll, facts: Facts | None) -> Finding | None:
    """Return what is wrong with a rolled host, None when it is healthy, at its generation, and another machine."""
    found = unhealthy(roll.name, facts)
    if found or facts is None:
        return found
    now = identity(facts)
    if reached(facts) != roll.generation:
        return Finding(roll.name, reached(facts), f"is not at generation {roll.generation}", _AGAIN)
    if roll.before.machine and now.machine in ("", roll.before.machine):
        return Finding(roll.name, now.machine, "is the same machine as before", _AGAIN)
    if roll.before.epoch and now.epoch in ("", roll.before.epoch):
        return Finding(roll.name, now.epoch, "carries the registration of before", _AGAIN)
    return None


def says(host: HostSettings, roll: HostRoll, facts: Facts) -> str:
    """Return in one line what will happen to a host."""
    line = f"{host.name}: generation {reached(facts)} -> {roll.generation}; "
    if host.mode == "appliance":
        line += _installed_anew(host)
    elif host.vm is None:
        line += "the agent and its record are removed and installed again; the machine reboots once; packages stay"
    else:
        line += f"the machine is destroyed with its disk and made again from {host.vm.template}"
        line += "; it restarts during the installation"
        if host.vm.adopt:
            line += "; its `adopt:` line goes" + (", and `hostKey:` with it" if host.host_key else "")
    line += _address(host, facts)
    return line + ("; IT BELONGS TO A CLUSTER, and `force` is set" if facts.get("state") == "in-use" else "")


def _installed_anew(host: HostSettings) -> str:
    if host.vm is not None:
        return "the machine is destroyed with its disk, and another one installs itself from the installer ISO"
    hours = host.install_timeout.total_seconds() / 3600
    return (
        "SWITCH IT OFF FIRST, its agent would register again; its record is removed; then SOMEBODY BOOTS IT from the installer"
        " ISO, which erases its disk, with the host's own ISO in a second drive: the run says where both are, and waits"
        f" {hours:g} h"
    )


def _address(host: HostSettings, facts: Facts) -> str:
    """Return what becomes of the address: a changed one reaches a virtual machine only with its next generation."""
    vm = facts.get("vm")
    was = str((vm.get("address") if isinstance(vm, Mapping) else None) or facts.get("address") or host.address)
    now = str(host.address)
    return f"; the address {now} stays" if was == now else f"; the address becomes {now} (it was {was})"


@dataclass(frozen=True)
class Touched:
    """What a preview would change beside the host of the roll: operations by host, and those of the site's own parts."""

    hosts: Mapping[str, tuple[str, ...]]
    site: tuple[str, ...]


def touched(preview: Mapping[str, Any], hosts: Iterable[str], rolled: str) -> Touched:
    """Return what a preview (the document of `preview --json`) changes that is not the rolled host's."""
    names = sorted(hosts, key=len, reverse=True)
    by_host: dict[str, set[str]] = {}
    site: set[str] = set()
    for step in preview.get("steps") or ():
        operation = str(step.get("op", ""))
        if operation in _QUIET:
            continue
        urn = str(step.get("urn", ""))
        state = step.get("newState") or step.get("oldState") or {}
        host = host_of(urn, str(state.get("parent") or ""), names)
        what = f"{operation} {urn.rpartition('::')[2]}"
        if host is None:
            site.add(what)
        elif host != rolled:
            by_host.setdefault(host, set()).add(what)
    return Touched({name: tuple(sorted(by_host[name])) for name in sorted(by_host)}, tuple(sorted(site)))


def host_of(urn: str, parent: str, hosts: Sequence[str]) -> str | None:
    """Return the host that a resource belongs to, None for what is the site's own. `hosts` has longer names first.

    A child's name begins with its host's name. One host's name can begin another's, so the parent's name goes first.
    """
    for one in (urn, parent):
        if _types(one)[-1] == _HOST_TYPE:
            return _name(one)
    if _HOST_TYPE not in _types(urn):
        return None
    inner = _name(parent).removesuffix("-machine")
    if inner in hosts:
        return inner
    name = _name(urn)
    return next((host for host in hosts if name == host or name.startswith(f"{host}-")), name)


def _types(urn: str) -> list[str]:
    parts = urn.split("::")
    return parts[2].split("$") if len(parts) > 3 else [""]


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]
