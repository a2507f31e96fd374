"""Whose record is it, and may it go? The rules that claim, registration and readiness share.

A record is ours when its owner label says so. A record of anybody else is never touched, whatever `force` says, and one
that belongs to a cluster is touched only with `force`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from edge.errors import PaletteError
from edge.palette import EdgeHostRecord, PaletteClient
from edge.registration.labels import identity_of


@dataclass(frozen=True)
class Found:
    """The record of a name, Palette's time of the answer, and whether it lies in another project than wanted."""

    record: EdgeHostRecord | None
    at: datetime | None
    elsewhere: bool = False


def place(host: str) -> str:
    """Return how messages name a host."""
    return f"edge host {host}"


def find(client: PaletteClient, host: str) -> Found:
    """Return what Palette knows under this name, in the project or else anywhere in the tenant, asked right now.

    Uids are unique in a tenant, and Palette says nothing when a host lands in another project than it should.
    """
    look = client.edge_host(host)
    if look.record is not None:
        return Found(look.record, look.at, is_elsewhere(client, look.record))
    if not client.project_word:
        return Found(None, look.at)
    other = client.edge_host_elsewhere(host)
    if other.record is None:
        return Found(None, other.at or look.at)
    return Found(other.record, other.at, elsewhere=True)


def is_elsewhere(client: PaletteClient, record: EdgeHostRecord) -> bool:
    """Return whether a record names another project than the client's; not known is no."""
    wanted = client.project_uid()
    return bool(wanted and record.project_uid and record.project_uid != wanted)


def is_ours(record: EdgeHostRecord, owners: Collection[str]) -> bool:
    """Return whether a record carries one of `owners` in its label."""
    return identity_of(record).owner in {owner for owner in owners if owner}


def remove(client: PaletteClient, record: EdgeHostRecord, owners: Collection[str], *, force: bool) -> datetime | None:
    """Delete a record of ours and return Palette's time. The only place of this package that deletes one.

    Raises PaletteError for a foreign record, and for one in a cluster unless `force`.
    """
    if not is_ours(record, owners):
        refuse_foreign(record)
    refuse_in_cluster(record, force=force, deed="its record is not removed")
    if record.in_cluster:
        # Palette does not delete a host that a cluster uses; `force` says that this one is as good as gone.
        client.free_edge_host(record.uid, record.project_uid or None)
    return client.delete_edge_host(record.uid, record.project_uid or None)


def refuse_foreign(record: EdgeHostRecord) -> NoReturn:
    """Raise PaletteError for a record that is not ours."""
    owner = identity_of(record).owner
    whose = f"of {owner}" if owner else "without an owner tag of this program"
    lies = f" in project {record.project}" if record.project else ""
    raise PaletteError(
        f"the name is taken: Palette has a host {whose}{lies} ({record.status}).",
        remedy="give the host another name; or, when that machine is gone for good, delete its record in Palette.",
        where=place(record.uid),
    )


def refuse_in_cluster(record: EdgeHostRecord, *, force: bool, deed: str) -> None:
    """Raise PaletteError if a record belongs to a cluster, unless `force`."""
    if not record.in_cluster or force:
        return
    clusters = ", ".join(record.clusters)
    raise PaletteError(
        f"it belongs to {'cluster ' + clusters if clusters else 'a cluster'}, so {deed}.",
        remedy="take the host out of its node pool in Palette first, or set `force: true` for this host and run `up`.",
        where=place(record.uid),
    )


def refuse_elsewhere(client: PaletteClient, record: EdgeHostRecord) -> NoReturn:
    """Raise PaletteError for a record that lies in another project than the settings say."""
    raise PaletteError(
        f"it is registered in project {record.project or 'unknown'} instead of {client.project_word}.",
        remedy=(
            "correct palette.project and the default project of the registration token, delete the record in Palette,"
            " then run `pulumi refresh` and `pulumi up`."
        ),
        where=place(record.uid),
    )


def refuse_lower(host: str, wanted: int, known: int, source: str) -> None:
    """Raise PaletteError if the wanted generation is below the known one."""
    if wanted < known:
        raise PaletteError(
            f"generation {wanted} is older than the {known} {source}.",
            remedy=f"write `generation: {known}` for this host, or more for a new machine.",
            where=place(host),
        )


def refuse_renamed(old: str, new: str) -> None:
    """Raise PaletteError if a resource is given another host: the name is the identity."""
    if old and old != new:
        raise PaletteError(
            f"it cannot become {new!r}: a host's name is its identity in Palette.",
            remedy=f"retire {old!r} and add {new!r} as a host of its own.",
            where=place(old),
        )


def stamp(moment: datetime | None) -> str:
    """Return Palette's time as RFC 3339 in UTC, empty if a proxy took it out of the answer."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""
