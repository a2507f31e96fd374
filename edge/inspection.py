"""A look at all hosts of a stack at once: the same script as the checks step, over SSH, leaving nothing behind."""

from __future__ import annotations

import asyncio
import shlex
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from edge.checks.catalogue import CATALOGUE
from edge.checks.model import Result
from edge.checks.policy import remedy_on
from edge.checks.report import HostReport, parse
from edge.checks.values import checks_values
from edge.endpoints import endpoint_table, query_for
from edge.errors import EdgeError, HostError
from edge.logins import Logins
from edge.network import NetworkFacts
from edge.secrets import StackSecrets
from edge.settings.stack import HostSettings, StackSettings
from edge.ssh import Connections, Limits, Login, Output
from edge.stages import Stage
from edge.steps import bundle, login_command

_CLOCK = "EH_CLOCK"
# The time of the host and the id of its boot come with the same connection, before the step, on a line of their own: in
# the report they would read as changes.
_TELL_CLOCK = f'echo "{_CLOCK} $(date +%s.%N) $(cat /proc/sys/kernel/random/boot_id)" >&2; '
_NOT_ROOT = 12

Heard = Callable[[str, str], None]


@dataclass(frozen=True)
class Looked:
    """What a look at one host found: its report, or the reason why there is none.

    `ahead` is how many seconds its clock is ahead of this machine's, `boot` the id of its boot; both None when unknown.
    """

    host: str
    report: HostReport | None = None
    error: EdgeError | None = None
    ahead: float | None = None
    boot: str | None = None
    seconds: float = 0.0


def command() -> str:
    """Return the command that a host runs: tell the clock, become root, read the step from stdin."""
    return f"sh -c {shlex.quote(_TELL_CLOCK + login_command())}"


def hosts_to_look_at(settings: StackSettings, only: Iterable[str] = ()) -> tuple[HostSettings, ...]:
    """Return the hosts that can be looked at: all but the lost ones, or those named. Raises HostError for an unknown name."""
    wanted = tuple(only)
    for name in wanted:
        if name not in settings.site.hosts:
            known = ", ".join(settings.site.hosts)
            raise HostError("is no host of this stack.", remedy=f"name one of: {known}", where=name)
    views = [settings.host_view(name) for name in settings.site.hosts if not wanted or name in wanted]
    return tuple(view for view in views if view.state != "lost")


async def look(
    settings: StackSettings,
    network: NetworkFacts,
    secrets: StackSecrets,
    hosts: Sequence[HostSettings],
    *,
    heard: Heard | None = None,
    limits: Limits | None = None,
) -> list[Looked]:
    """Look at `hosts` side by side and return what was found, in their order. An unreachable host is a result, no error."""
    logins = Logins(secrets, settings.site.name)
    async with Connections(limits) as connections:

        async def one(host: HostSettings) -> Looked:
            start = time.monotonic()
            try:
                return await _look(settings, network, secrets, host, logins.of(host), connections, heard)
            except EdgeError as error:
                return Looked(host.name, error=error, seconds=time.monotonic() - start)

        return list(await asyncio.gather(*(one(host) for host in hosts)))


def step_text(settings: StackSettings, network: NetworkFacts, secrets: StackSecrets, host: HostSettings) -> str:
    """Return the checks step of a host as a look: it writes nothing and a red check does not end it."""
    needed = [host.proxy.password.secret] if host.proxy and host.proxy.password else []
    values = checks_values(
        settings,
        host,
        network,
        endpoint_table(query_for(settings, network, host)),
        secrets={name: secrets.get(name) for name in needed},
        write=False,
    )
    return bundle("checks", {**values, "EH_ENFORCE": "0"})


async def _look(
    settings: StackSettings,
    network: NetworkFacts,
    secrets: StackSecrets,
    host: HostSettings,
    login: Login,
    connections: Connections,
    heard: Heard | None,
) -> Looked:
    clock: list[tuple[float, str]] = []

    def line(text: str) -> None:
        if text.startswith(_CLOCK):
            clock.append((time.time(), text))
        elif heard is not None:
            heard(host.name, text)

    done = await connections.run(login, command(), step_text(settings, network, secrets, host), line)
    ahead, boot = _clock(clock)
    return Looked(host.name, _report(done, host), None, ahead, boot, done.seconds)


def _clock(told: list[tuple[float, str]]) -> tuple[float | None, str | None]:
    if not told:
        return None, None
    here, text = told[0]
    words = text.split()
    try:
        ahead = float(words[1]) - here
    except (IndexError, ValueError):
        return None, None
    return ahead, words[2] if len(words) > 2 else None


def _report(done: Output, host: HostSettings) -> HostReport:
    """Return the report of a look. Raises HostError when the step did not come to its end."""
    if done.code == 0:
        report = parse(done.stdout, host.name)
        return report if host.mode == "agent" else replace(report, results=tuple(map(_on_appliance, report.results)))
    said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith(_CLOCK)]
    last = said[-1][:300] if said else "it said nothing"
    if done.code == _NOT_ROOT:
        raise HostError(
            f"user {host.ssh.user} cannot become root: sudo asks for a password.",
            remedy=f"add `{host.ssh.user} ALL=(ALL) NOPASSWD: ALL` to sudoers there, or log in as root",
            where=host.name,
        )
    if done.code == 127:
        raise HostError(f"there is no bash on it ({last}).", remedy="install bash 4.4 or newer", where=host.name)
    raise HostError(
        f"the checks ended with code {done.code}: {last}",
        remedy="report it, with the lines above it in /var/lib/edge-hosts/log",
        where=host.name,
    )


def _on_appliance(row: Result) -> Result:
    """Return a row with the remedy that helps on an appliance; the catalogue's is for a host in Agent Mode."""
    known = CATALOGUE.get(row.id)
    return (
        row
        if known is None or row.status not in ("warn", "fail")
        else replace(row, remedy=remedy_on(known, "appliance"))
    )


def login_results(looked: Sequence[Looked], stage: Stage) -> list[Result]:
    """Return the result of `control.login` for each host: a host that cannot be looked at is red."""
    check = CATALOGUE["control.login"]
    results = []
    for one in looked:
        if one.error is None:
            results.append(Result(check.id, one.host, "pass", "logged in, root without a password"))
        else:
            seen = one.error.message.rstrip(".")
            expected = "a login that becomes root"
            results.append(Result(check.id, one.host, check.level(stage), seen, expected, one.error.remedy))
    return results


def not_asked() -> list[Result]:
    """Return the rows of what Palette is not asked about the hosts without an API key."""
    why = "not asked: there is no Palette API key"
    return [Result(check, "", "skip", why) for check in ("palette.healthy", "palette.size")]


def ahead_of_median(looked: Sequence[Looked]) -> dict[str, float]:
    """Return by how many seconds each host's clock differs from the median of all hosts."""
    known = {one.host: one.ahead for one in looked if one.ahead is not None}
    if not known:
        return {}
    middle = statistics.median(known.values())
    return {host: ahead - middle for host, ahead in known.items()}
