"""Is *this* registration ready and healthy? Looks once, and says "pending" while it is worth looking again.

Health alone proves nothing: it may be minutes old, and of an earlier machine. So the record must carry the epoch that
was handed out, be newer than that moment, lie in the intended project, and its agent not be older than the release.
Once stored, the same look is the drift detection: a stored status other than `healthy` is a difference.
"""

from __future__ import annotations

from edge.appliance.anew import made_anew
from edge.appliance.minimum import judge_machine, judge_size
from edge.errors import PaletteError, PendingError
from edge.palette import EdgeHostRecord, PaletteClient, RefusedError, UnavailableError, parse_time
from edge.registration.access import pending_while_unavailable
from edge.registration.agent_version import is_newer, is_older
from edge.registration.labels import OWNER, identity_of
from edge.registration.records import (
    find,
    is_elsewhere,
    is_ours,
    place,
    refuse_elsewhere,
    refuse_foreign,
    refuse_in_cluster,
)
from edge.registration.registration import SEARCH_SECONDS
from edge.registration.values import CONNECTION, Outputs, Props, changed, echo, flag, needed, stored, text

HEALTHY = "healthy"
UNHEALTHY = "unhealthy"
MISSING = "missing"
OTHER_REGISTRATION = "other-registration"
OTHER_PROJECT = "other-project"
LOST = "lost"

_INPUTS = (
    "host",
    "owner",
    "generation",
    "machine",
    "epoch",
    "since",
    "wantedVersion",
    "force",
    "lost",
    "appliance",
    "hostAddress",
)
_STORED = (*_INPUTS, *CONNECTION)
_SEEN = ("uid", "state", "health", "agent_version", "address", "arch", "found_project", "created")
_ACCEPTED_STATES = ("ready", "in-use")

# `Date` has whole seconds, and the server that writes it is not the one that stamps records.
_CLOCK_TOLERANCE_SECONDS = 2.0
# How often a host is asked for by itself that the shared search does not show: two hundred stay below the rate limit.
_SINGLE_SECONDS = 90.0

_NEVER_SEEN = (
    "check that the registration token is active and not expired, that palette.project exists, and on the host"
    " `journalctl -u {unit}`; Palette itself reports no error for a wrong token or project"
)

# An appliance reads its own ISO at the first boot only, so what was missing or wrong then stays so.
_APPLIANCE = (
    "look at its console whether it has booted from its disk, and whether its own ISO (volume cidata) was in a drive at that"
    " first boot: it is read only then. If it was there, {checked}. For a host that missed it, and after a correction of"
    " token, project or proxy, {anew}"
)
_BARE_ANEW = (
    "run `pulumi up` again, which writes that ISO anew as long as the host was never healthy, and install the machine again"
    " with the new one; after a correction of its address or `staticNetwork`, {anew}"
)

_NO_PROJECT = "name `palette.project`, unless the registration token has a default project; "


def healthy_diff(olds: Props, news: Props) -> list[str]:
    """Return what asks for an update: changed inputs, and a stored status that is not healthy. Never raises."""
    found = changed(olds, news, _STORED)
    drifted = not flag(news, "lost") and text(olds, "status") != HEALTHY
    return [*found, "status"] if drifted else found


def healthy_look(client: PaletteClient, inputs: Props) -> Outputs:
    """Return the outputs of a host whose registration is ready and healthy; raise PendingError while it is not yet.

    Inputs: host, owner, generation, machine, epoch, since, wantedVersion (empty: any), force, lost, connection; for an
    appliance also `appliance` and `hostAddress`, which the record is compared with.
    Outputs: the inputs; uid, state, health, agent_version, address, arch, found_project, created; status; moved_by_palette.
    Raises PaletteError for what waiting does not change: a foreign record, this registration in a wrong project.
    """
    needed(inputs, "host", "owner")
    host = text(inputs, "host")
    if flag(inputs, "lost"):
        return {**echo(inputs, _STORED), **_seen(None, inputs), "uid": host, "status": LOST}
    needed(inputs, "epoch")
    with pending_while_unavailable(place(host), host):
        _judge(client, _sighting(client, inputs), inputs)
        # The search may be some seconds old; what is stored comes from the record itself.
        record = _judge(client, client.edge_host(host).record, inputs)
    return {**echo(inputs, _STORED), **_seen(record, inputs), "status": HEALTHY}


def healthy_update(client: PaletteClient, olds: Props, news: Props) -> Outputs:
    """Look again, except when only the guard's switches changed: a dead host must be able to leave."""
    switches = {"force", "lost"}
    differing = set(changed(olds, news, _STORED))
    if differing and differing <= switches:
        kept = {key: olds[key] for key in (*_SEEN, "status", "moved_by_palette") if olds.get(key) is not None}
        return {**echo(news, _STORED), **kept}
    return healthy_look(client, news)


def healthy_read(client: PaletteClient, props: Props) -> Outputs:
    """Return the stored inputs with what Palette shows now; `status` says how it differs. Never PendingError."""
    if flag(props, "lost"):
        return stored(props)
    host = text(props, "host")
    record = _searched(client, props)
    if record is None or _status(client, record, props) != HEALTHY:
        record = client.edge_host(host).record or _elsewhere(client, host, 0.0)
    status = MISSING if record is None else _status(client, record, props)
    return {**echo(props, _STORED), **_seen(record, props), "uid": host, "status": status}


def healthy_delete(client: PaletteClient, props: Props) -> None:
    """Guard what follows: refuse to let a host of ours go that belongs to a cluster, unless force is stored."""
    host = text(props, "host")
    record = find(client, host).record
    if record is not None and is_ours(record, {text(props, "owner")}):
        refuse_in_cluster(record, force=flag(props, "force"), deed="it is not taken down")


def _sighting(client: PaletteClient, inputs: Props) -> EdgeHostRecord | None:
    """Return the host's record from the shared search, else by itself (asked less often), else from another project."""
    host = text(inputs, "host")
    record = _searched(client, inputs)
    if record is None:
        record = client.edge_host(host, _SINGLE_SECONDS).record
    return record or _elsewhere(client, host, _SINGLE_SECONDS)


def _searched(client: PaletteClient, inputs: Props) -> EdgeHostRecord | None:
    """Return the host from the one search for all of this owner; without a project Palette's search finds nothing."""
    if not client.project_word:
        return None
    return client.edge_hosts({OWNER: text(inputs, "owner")}, SEARCH_SECONDS).get(text(inputs, "host"))


def _elsewhere(client: PaletteClient, host: str, max_age: float) -> EdgeHostRecord | None:
    """Return the record outside the project. It only makes the message better, so trouble with it is no trouble."""
    if not client.project_word:
        return None
    try:
        return client.edge_host_elsewhere(host, max_age).record
    except (RefusedError, UnavailableError):
        return None


def _judge(client: PaletteClient, record: EdgeHostRecord | None, inputs: Props) -> EdgeHostRecord:
    """Return the record if it is this registration, ready and healthy; raise what stands in the way."""
    host = text(inputs, "host")
    if record is None:
        where = f" in project {client.project_word}" if client.project_word else ", and no project is set"
        remedy = _NEVER_SEEN if client.project_word else _NO_PROJECT + _NEVER_SEEN
        remedy = remedy.format(unit=_unit(inputs))
        if _is_appliance(inputs):
            remedy = _APPLIANCE.format(checked=remedy, anew=_anew(inputs))
        raise PendingError(f"edge host {host} has not registered yet{where}.", remedy=remedy + ".", where=host)
    identity = identity_of(record)
    if identity.epoch == text(inputs, "epoch"):
        if is_elsewhere(client, record):
            refuse_elsewhere(client, record)
    elif identity.owner and identity.owner != text(inputs, "owner"):
        refuse_foreign(record)
    else:
        raise _not_this_one(record, "carries the tags of another registration, or none yet")
    if not _is_since(record, text(inputs, "since")):
        raise _not_this_one(record, "is older than this registration")
    if _is_appliance(inputs):
        judge_size(record)
    if record.state not in _ACCEPTED_STATES or record.health != HEALTHY:
        told = f" Palette says: {record.health_message}." if record.health_message else ""
        raise PendingError(
            f"{place(host)} is registered but not healthy yet ({record.status}).{told}",
            remedy=f"look at `journalctl -u {_unit(inputs)}` on the host, and at its way out to Palette.",
            where=host,
        )
    _judge_version(record, text(inputs, "wantedVersion"))
    if _is_appliance(inputs):
        judge_machine(record, text(inputs, "hostAddress"))
    return record


def _is_appliance(inputs: Props) -> bool:
    return flag(inputs, "appliance")


def _anew(inputs: Props) -> str:
    """Return what brings corrected settings to an appliance that has not registered; bare metal has no id of a machine."""
    anew = made_anew(inputs)
    return anew if text(inputs, "machine") else _BARE_ANEW.format(anew=anew)


def _unit(inputs: Props) -> str:
    """Return the unit of the agent, which has another name in Appliance Mode."""
    return "stylus-agent" if _is_appliance(inputs) else "spectro-stylus-agent"


def _judge_version(record: EdgeHostRecord, wanted: str) -> None:
    """Raise PendingError if the agent is older than the release wants, or says nothing of its version."""
    if not wanted or (record.agent_version and not is_older(record.agent_version, wanted)):
        return
    seen = f"runs agent {record.agent_version}" if record.agent_version else "does not report its agent's version yet"
    raise PendingError(
        f"{place(record.uid)} is healthy but {seen}, and the release wants {wanted}.",
        remedy="wait for the agent's own report after the reboot; else compare `palette-agent version` on the host.",
        where=record.uid,
    )


def _not_this_one(record: EdgeHostRecord, what: str) -> PendingError:
    return PendingError(
        f"{place(record.uid)} has a record that {what} ({record.status}).",
        remedy="if this lasts, see on the host whether the agent runs with the user-data of this run.",
        where=record.uid,
    )


def _is_since(record: EdgeHostRecord, since: str) -> bool:
    """Return whether the record was created at `since` or later; what is not known counts as later."""
    moment, created = parse_time(since), parse_time(record.created)
    if moment is None or created is None:
        return True
    return (created - moment).total_seconds() >= -_CLOCK_TOLERANCE_SECONDS


def _status(client: PaletteClient, record: EdgeHostRecord, props: Props) -> str:
    """Return the one word for what a refresh found."""
    if identity_of(record).epoch != text(props, "epoch"):
        return OTHER_REGISTRATION
    if is_elsewhere(client, record):
        return OTHER_PROJECT
    try:
        _judge(client, record, props)
    except PaletteError:
        return UNHEALTHY
    return HEALTHY


def _seen(record: EdgeHostRecord | None, inputs: Props) -> Outputs:
    """Return what a record shows, without anything that moves at each look."""
    if record is None:
        return {**dict.fromkeys(_SEEN, ""), "moved_by_palette": False}
    wanted = text(inputs, "wantedVersion")
    return {
        "uid": record.uid,
        "state": record.state,
        "health": record.health,
        "agent_version": record.agent_version,
        "address": record.host_address,
        "arch": record.arch,
        "found_project": record.project,
        "created": record.created,
        "moved_by_palette": bool(wanted and is_newer(record.agent_version, wanted)),
    }
