"""What can be asked of Palette before the first `up`: key, project, registration token, names, clock. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from edge.errors import PaletteError
from edge.findings import Finding, Level
from edge.palette import Masked, PaletteClient, RefusedError
from edge.registration.records import find, is_ours, refuse_elsewhere, refuse_foreign
from edge.registration.token import is_usable

_TOKEN = "edge-hosts:registrationToken"  # noqa: S105 - the name of a secret
_SKEW_SECONDS = 300.0


def palette_findings(
    client: PaletteClient, *, owner: str, hosts: Iterable[str], token: str | Masked | None = None
) -> list[Finding]:
    """Return what would go wrong in Palette: key and project first, then every host's name, token and clock.

    `token` is the value of a token from the stack's config, None where the program makes one itself.
    """
    try:
        client.project_uid()
    except PaletteError as error:
        return [_finding("site.palette", error)]
    found = list(_name_findings(client, owner, hosts))
    return found if token is None else [*found, *_token_findings(client, Masked(token))]


def _name_findings(client: PaletteClient, owner: str, hosts: Iterable[str]) -> Iterator[Finding]:
    """Yield a finding for every name that is taken, and one if the clock of this machine is wrong."""
    moment: datetime | None = None
    for host in hosts:
        try:
            look = find(client, host)
            moment = look.at or moment
            if look.record is not None and not is_ours(look.record, {owner}):
                refuse_foreign(look.record)
            if look.record is not None and look.elsewhere:
                refuse_elsewhere(client, look.record)
        except PaletteError as error:
            yield _finding(f"site.hosts.{host}", error)
    skew = (datetime.now(UTC) - moment).total_seconds() if moment else 0.0
    if abs(skew) > _SKEW_SECONDS:
        problem = f"the clock of this machine differs from Palette's by {abs(skew):.0f} s"
        yield Finding("this machine", None, problem, "Set its clock; certificates and logs depend on it.", "warning")


def _token_findings(client: PaletteClient, token: Masked) -> Iterator[Finding]:
    """Yield what is wrong with a token; a key without the rights of a tenant admin cannot see tokens, a warning."""
    try:
        record = next((record for record in client.tokens() if record.value == token), None)
    except RefusedError as error:
        level: Level = "warning" if error.status == 403 else "error"
        yield Finding(_TOKEN, None, f"cannot be looked at: {error.message.rstrip('.')}", error.remedy, level)
        return
    if record is None:
        yield Finding(_TOKEN, None, "is not known to Palette", "Set the value of a token of this tenant.")
    elif not is_usable(record):
        yield Finding(_TOKEN, None, f"token {record.name!r} is expired or not active", "Make a new one and set it.")
    elif not record.project_uid and not client.project_word:
        yield Finding(_TOKEN, None, f"token {record.name!r} has no default project", "Set palette.project.")
    elif record.project_uid and client.project_word and record.project_uid != client.project_uid():
        problem = f"token {record.name!r} is for project {record.project_name}, the site for {client.project_word}"
        yield Finding(
            _TOKEN, None, problem, "This works, because the site's project wins; it may be a mistake.", "warning"
        )


def _finding(where: str, error: PaletteError) -> Finding:
    return Finding(where, None, f"{error.where}: {error.message.rstrip('.')}".removeprefix(": "), error.remedy)
