"""What Palette says of the hosts themselves: are they healthy, and are appliances as large as they must be?

`verify` asks, too, where an API key is at hand: a host whose checks are all green may still be cut off from Palette.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edge.appliance.minimum import CPUS, DISK_GB, MEMORY_GIB, judge_machine
from edge.checks.catalogue import CATALOGUE
from edge.checks.model import Result
from edge.errors import EdgeError, PaletteError
from edge.inspection import not_asked
from edge.palette import EdgeHostRecord, PaletteClient
from edge.promotion import HEALTHY_STATES
from edge.registration.access import client_of_settings
from edge.registration.records import find, is_ours
from edge.secrets import StackSecrets, has_api_key
from edge.settings import HostSettings, StackSettings

_HEALTHY, _SIZE = "palette.healthy", "palette.size"
_HEALTH = "healthy"

Records = Mapping[str, EdgeHostRecord | None]


def records_of(settings: StackSettings, client: PaletteClient, hosts: Sequence[HostSettings]) -> Records:
    """Return the record of each host, None where there is none of this stack. Raises PaletteError."""
    found: dict[str, EdgeHostRecord | None] = {}
    for host in hosts:
        record = find(client, host.name).record
        found[host.name] = record if record is not None and is_ours(record, {settings.owner}) else None
    return found


def registered_results(
    settings: StackSettings,
    secrets: StackSecrets,
    hosts: Sequence[HostSettings],
    *,
    joined: bool,
    make: Callable[[], PaletteClient] | None = None,
) -> tuple[list[Result], Records | None]:
    """Return the rows of `palette.healthy` and `palette.size`, and the records; None for them when Palette was not asked.

    `joined` says that every host should have registered (`verify`); else one that has not is no finding. Without an API
    key Palette is not asked; an error of Palette is a red row, no exception. `make` makes the client (tests).
    """
    if make is None and not has_api_key(secrets):
        return not_asked(), None
    try:
        client = make() if make else client_of_settings(settings, secrets)
        records = records_of(settings, client, hosts)
    except EdgeError as error:
        seen = f"{error.where}: {error.message}" if error.where else error.message
        return [_red(settings, _HEALTHY, "", seen.rstrip("."), "an answer", error.remedy)], None
    rows = [_health(settings, host, records[host.name], joined=joined) for host in hosts]
    sizes = [_size(settings, host, records[host.name]) for host in hosts if host.mode == "appliance"]
    return [*rows, *sizes], records


def _health(settings: StackSettings, host: HostSettings, record: EdgeHostRecord | None, *, joined: bool) -> Result:
    if record is None:
        if not joined:
            return Result(_HEALTHY, host.name, "skip", "not registered yet")
        return _red(settings, _HEALTHY, host.name, "no record of this stack", "ready and healthy")
    if record.state in HEALTHY_STATES and record.health == _HEALTH:
        return Result(_HEALTHY, host.name, "pass", record.status)
    seen = record.status + (f": {record.health_message}" if record.health_message else "")
    return _red(settings, _HEALTHY, host.name, seen, "state ready or in-use, health healthy")


def _size(settings: StackSettings, host: HostSettings, record: EdgeHostRecord | None) -> Result:
    """Return whether an appliance is large enough and at its address, by what it says of itself."""
    if record is None:
        return Result(_SIZE, host.name, "skip", "not registered yet")
    try:
        judge_machine(record, str(host.address))
    except PaletteError as error:
        wanted = f"{CPUS} CPUs, {MEMORY_GIB} GiB, {DISK_GB} GB, address {host.address}"
        return _red(settings, _SIZE, host.name, error.message.rstrip("."), wanted, error.remedy)
    if not (record.cpus or record.memory_mib or record.disk_gb or record.addresses):
        return Result(_SIZE, host.name, "skip", "the record says neither size nor address")
    return Result(_SIZE, host.name, "pass", f"large enough, at {', '.join(record.addresses) or 'no address'}")


def not_installed(hosts: Sequence[HostSettings], records: Records | None) -> dict[str, str]:
    """Return the bare-metal appliances that nobody has installed yet, with why they are not looked at over SSH."""
    if records is None:
        return {}
    return {
        host.name: "not installed yet: it has not registered"
        for host in hosts
        if host.mode == "appliance" and host.vm is None and records.get(host.name) is None
    }


def _red(settings: StackSettings, check: str, host: str, seen: str, expected: str, remedy: str = "") -> Result:
    return Result(check, host, CATALOGUE[check].level(settings.stage), seen, expected, remedy)
