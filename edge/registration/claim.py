"""Asks for the name of an edge host before there is a machine, and holds what the next machine is made from.

A changed template alone must not replace a running machine. So what a machine is made from is frozen in the output
`made_from`, and moves only together with a raised generation. Everything is an update; nothing is ever replaced here.
"""

from __future__ import annotations

from edge.errors import PaletteError
from edge.palette import PaletteClient
from edge.registration.access import pending_while_unavailable
from edge.registration.labels import identity_of
from edge.registration.records import (
    find,
    is_ours,
    place,
    refuse_elsewhere,
    refuse_foreign,
    refuse_in_cluster,
    refuse_lower,
    refuse_renamed,
    remove,
)
from edge.registration.values import CONNECTION, LOCATION, Outputs, Props, changed, echo, flag, needed, text, whole
from edge.vm.made_from import MadeFrom

_IDENTITY = ("host", "owner", "generation", "force")
_STORED = (*_IDENTITY, *CONNECTION)
_ROLL_REFUSED = "it is not rolled to a new generation"


def claim_diff(olds: Props, news: Props) -> list[str]:
    """Return the names of the inputs that ask for an update; a new template or address alone is none.

    A machine in another vCenter or datacenter cannot be the same one, so that is a change, which the update refuses.
    Raises PaletteError for another mode, and for nothing else: see `_refuse_other_mode`.
    """
    _refuse_other_mode(olds, news)
    found = changed(olds, news, _STORED)
    return [*found, "made_from_wanted"] if not found and _elsewhere(olds, news) else found


def _refuse_other_mode(olds: Props, news: Props) -> None:
    """Raise PaletteError where the frozen mode and the wanted one differ.

    The two modes have different chains. A claim that fails in its update would not keep the engine from deleting what the
    new chain no longer has: the agent would be uninstalled, the VM destroyed. An error in a diff ends the whole run before
    anything is deleted, in a preview too (seen on the engine).
    """
    frozen, wanted = (MadeFrom.from_json(one).mode for one in (olds.get("made_from"), news.get("made_from_wanted")))
    if frozen and wanted and frozen != wanted:
        raise PaletteError(
            f"edge host {text(news, 'host')}: its mode becomes {wanted}, but its machine was made with mode {frozen};"
            " nothing was changed",
            remedy=(
                f"write `mode: {frozen}` again; for the other mode let the host leave (state: retired, `up`, then remove"
                " its line, `up`) and add it anew"
            ),
        )


def _elsewhere(olds: Props, news: Props) -> str:
    """Return which of the two places of a machine is another one than the frozen one, in words; "" when none is."""
    frozen, wanted = (MadeFrom.from_json(one) for one in (olds.get("made_from"), news.get("made_from_wanted")))
    pairs = (("vCenter", frozen.vcenter, wanted.vcenter), ("datacenter", frozen.datacenter, wanted.datacenter))
    return ", ".join(f"{what} {new} instead of {old}" for what, old, new in pairs if old and new and old != new)


def claim_create(client: PaletteClient, inputs: Props) -> Outputs:
    """Take the name: free in Palette, or ours already.

    Inputs: host, owner, generation, force, made_from_wanted, and the connection. Outputs: the inputs without
    made_from_wanted, and made_from. Raises PaletteError for a foreign record, PendingError while Palette is away.
    """
    needed(inputs, "host", "owner")
    host, generation = text(inputs, "host"), whole(inputs, "generation")
    with pending_while_unavailable(place(host), host):
        found = find(client, host)
        if found.record is not None:
            if not is_ours(found.record, {text(inputs, "owner")}):
                refuse_foreign(found.record)
            if found.elsewhere:
                refuse_elsewhere(client, found.record)
            known = identity_of(found.record).generation
            refuse_lower(host, generation, known, "that its record in Palette carries")
            if 0 < known < generation:
                refuse_in_cluster(found.record, force=flag(inputs, "force"), deed=_ROLL_REFUSED)
    return {**echo(inputs, _STORED), "made_from": text(inputs, "made_from_wanted")}


def claim_update(client: PaletteClient, olds: Props, news: Props) -> Outputs:
    """Follow changed inputs; a raised generation is guarded and takes over `made_from_wanted`.

    Raises PaletteError for a protected host, a host in a cluster (unless force), a lowered generation, another mode, or a
    foreign record.
    The input `protect` is not stored: it speaks of the wish, and is no difference.
    """
    needed(news, "host", "owner")
    host = text(news, "host")
    refuse_renamed(text(olds, "host"), host)
    before, after = whole(olds, "generation"), whole(news, "generation")
    refuse_lower(host, after, before, "that this stack has reached")
    if after > before and flag(news, "protect"):
        raise PaletteError(
            f"edge host {host}: it is protected, so it is not rolled to a new generation",
            remedy="run `edgectl roll STACK HOST`, which lifts the protection for the roll, or write `state: rolling`",
        )
    _refuse_other_mode(olds, news)
    place_now = _elsewhere(olds, news)
    if place_now and after == before:
        raise PaletteError(
            f"edge host {host}: its machine would be made in {place_now}, which only another machine can be",
            remedy="write the place back, or make a new machine there: `edgectl roll STACK HOST`",
        )
    if after > before or changed(olds, news, ("owner", *LOCATION)):
        with pending_while_unavailable(place(host), host):
            record = find(client, host).record
            if record is not None and not is_ours(record, {text(olds, "owner"), text(news, "owner")}):
                refuse_foreign(record)
            if record is not None and after > before:
                refuse_in_cluster(record, force=flag(news, "force"), deed=_ROLL_REFUSED)
    made_from = text(news, "made_from_wanted") if after > before else text(olds, "made_from")
    return {**echo(news, _STORED), "made_from": made_from}


def claim_delete(client: PaletteClient, props: Props) -> None:
    """Remove the Palette record after the machine, if it is ours and in our project; nothing else is touched.

    Gone already is fine. Raises PaletteError for a host in a cluster, unless force is stored.
    """
    host, owner = text(props, "host"), text(props, "owner")
    found = find(client, host)
    if found.record is None or found.elsewhere or not is_ours(found.record, {owner}):
        return
    remove(client, found.record, {owner}, force=flag(props, "force"))
