"""Gives every registration its epoch: a random text that the host carries into its Palette record as a tag.

Only so can a record be told apart from one of an earlier machine with the same name. Palette reports a host as healthy
for minutes after it died, and a rebuilt host may take over the old record; neither carries the new epoch.
"""

from __future__ import annotations

import secrets

from edge.palette import EdgeHostRecord, PaletteClient
from edge.registration.access import pending_while_unavailable
from edge.registration.labels import OWNER, identity_of
from edge.registration.records import (
    Found,
    find,
    is_elsewhere,
    is_ours,
    place,
    refuse_elsewhere,
    refuse_foreign,
    refuse_lower,
    refuse_renamed,
    remove,
    stamp,
)
from edge.registration.values import (
    CONNECTION,
    LOCATION,
    Outputs,
    Props,
    changed,
    echo,
    flag,
    needed,
    stored,
    text,
    whole,
)

_WHO = ("host", "owner", "generation", "machine")
_STORED = (*_WHO, "force", *CONNECTION)

# How old the shared search of a site may be, in seconds: long enough to serve all hosts of one refresh.
SEARCH_SECONDS = 4.0


def registration_diff(olds: Props, news: Props) -> list[str]:
    """Return the names of the inputs that ask for an update. Never raises."""
    return changed(olds, news, _STORED)


def registration_create(client: PaletteClient, inputs: Props) -> Outputs:
    """Make the way free for one registration and name it.

    Inputs: host, owner, generation, machine, force, and the connection. Outputs: the inputs, `epoch` (16 hex digits)
    and `since`, Palette's time from which on the record must have been created (RFC 3339, empty if not known).

    A record of this owner, generation and machine is kept, with its epoch. An older one of ours is removed, unless it
    belongs to a cluster (`force` overrides). Raises PaletteError for a foreign one.
    """
    needed(inputs, "host", "owner")
    host, owner = text(inputs, "host"), text(inputs, "owner")
    with pending_while_unavailable(place(host), host):
        found = find(client, host)
        if found.record is not None and not is_ours(found.record, {owner}):
            refuse_foreign(found.record)
        if found.record is not None and found.elsewhere:
            refuse_elsewhere(client, found.record)
        epoch, since = _settle(client, found, {owner}, inputs)
    return {**echo(inputs, _STORED), "epoch": epoch, "since": since}


def registration_update(client: PaletteClient, olds: Props, news: Props) -> Outputs:
    """Follow changed inputs; the epoch stays unless the record of this generation and machine is really another one.

    A change of `force` or of the CA alone asks nobody. A record with our own epoch in a wrong project is removed, so
    that the host registers again in the right one.
    """
    needed(news, "host", "owner")
    host, owners = text(news, "host"), {text(olds, "owner"), text(news, "owner")}
    refuse_renamed(text(olds, "host"), host)
    refuse_lower(host, whole(news, "generation"), whole(olds, "generation"), "that this stack has reached")
    epoch, since = text(olds, "epoch"), text(olds, "since")
    if changed(olds, news, (*_WHO, *LOCATION)) or not epoch:
        with pending_while_unavailable(place(host), host):
            found = find(client, host)
            record = found.record
            if record is not None and not is_ours(record, owners):
                refuse_foreign(record)
            if record is not None and found.elsewhere:
                if identity_of(record).epoch != epoch or not epoch:
                    refuse_elsewhere(client, record)
                epoch, since = _renew(client, record, owners, news)
            elif record is not None or not epoch or changed(olds, news, ("generation", "machine")):
                settled = _settle(client, found, owners, news)
                epoch, since = settled if settled[0] != epoch else (epoch, since)
    return {**echo(news, _STORED), "epoch": epoch, "since": since}


def registration_read(client: PaletteClient, props: Props) -> Outputs | None:
    """Return the stored outputs while the record carries their epoch, None when it is gone or of another one."""
    host, owner, epoch = text(props, "host"), text(props, "owner"), text(props, "epoch")
    record = None
    if client.project_word:
        record = client.edge_hosts({OWNER: owner}, SEARCH_SECONDS).get(host)
    if record is None or identity_of(record).epoch != epoch:
        # A search index may lag behind; only the record itself is proof enough for "gone".
        record = client.edge_host(host).record
    if record is None or identity_of(record).epoch != epoch or is_elsewhere(client, record):
        return None
    return stored(props)


def _settle(client: PaletteClient, found: Found, owners: set[str], inputs: Props) -> tuple[str, str]:
    """Return epoch and since for a record of ours in the right project, or for none."""
    generation, record = whole(inputs, "generation"), found.record
    if record is None:
        return _new_epoch(), stamp(found.at)
    identity = identity_of(record)
    refuse_lower(record.uid, generation, identity.generation, "that its record in Palette carries")
    same = identity.generation == generation and identity.machine.lower() == text(inputs, "machine").lower()
    if same and identity.epoch:
        return identity.epoch, record.created
    return _renew(client, record, owners, inputs)


def _renew(client: PaletteClient, record: EdgeHostRecord, owners: set[str], inputs: Props) -> tuple[str, str]:
    """Remove a record of ours, guarded, and return a new epoch that begins with Palette's answer."""
    at = remove(client, record, owners, force=flag(inputs, "force"))
    return _new_epoch(), stamp(at)


def _new_epoch() -> str:
    return secrets.token_hex(8)
