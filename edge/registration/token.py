"""A registration token of a site, made through the API: found again, never doubled, revoked with the stack (row A13).

Token names are not unique in Palette, so a token is ours only if name *and* description are exactly what we write. Its
expiry is fixed at creation. A create request says `defaultProjectUid`; the answer is read back, because with the wrong
field Palette accepts the token and binds it to no project.
"""

from __future__ import annotations

from datetime import UTC, datetime

from edge.errors import PaletteError
from edge.palette import PaletteClient, TokenRecord, parse_time
from edge.registration.access import pending_while_unavailable
from edge.registration.values import CONNECTION, LOCATION, Outputs, Props, changed, echo, needed, text

_STORED = ("name", "owner", "expires", *CONNECTION)


def description_of(owner: str) -> str:
    """Return the description that marks a token as ours."""
    return f"Made by edge-hosts for {owner}; revoked when that stack is destroyed."


def token_diff(olds: Props, news: Props) -> list[str]:
    """Return the names of what asks for an update: changed inputs, or a token that has ended. Never raises."""
    found = changed(olds, news, _STORED)
    return [*found, "active"] if olds.get("active") is False else found


def token_create(client: PaletteClient, inputs: Props) -> Outputs:
    """Return a token of this name and owner, the one that is there already if it is as wanted.

    Inputs: name, owner, expires (the last day, 2027-01-31), and the connection with a project. Outputs: the inputs; uid,
    token (**secret**), active, default_project (uid). Raises PaletteError, PendingError while Palette is away.
    """
    needed(inputs, "name", "owner", "expires")
    name, owner = text(inputs, "name"), text(inputs, "owner")
    expiry = _expiry(text(inputs, "expires"))
    if not client.project_word:
        raise PaletteError(
            f"registration token {name} needs a default project.",
            remedy="set palette.project or palette.projectUid for this site.",
        )
    with pending_while_unavailable(f"registration token {name}"):
        project_uid = client.project_uid()
        kept: TokenRecord | None = None
        for record in _ours(client, name, owner):
            if kept is None and _as_wanted(record, expiry, project_uid):
                kept = record
            else:
                client.delete_token(record.uid)
        whole = client.token(kept.uid) if kept else None
        whole = whole or _make(client, name, owner, expiry, project_uid)
    return {**echo(inputs, _STORED), **_outputs(whole)}


def token_update(client: PaletteClient, olds: Props, news: Props) -> Outputs:
    """Make the token that is wanted now and revoke the one before; hosts that have joined do not need it any more."""
    stays = olds.get("active") is not False and not changed(olds, news, ("name", "owner", "expires", *LOCATION))
    if stays:
        kept = {key: olds[key] for key in ("uid", "token", "active", "default_project") if key in olds}
        return {**echo(news, _STORED), **kept}
    outputs = token_create(client, news)
    if text(olds, "uid") and text(olds, "uid") != outputs["uid"] and not changed(olds, news, ("api_url",)):
        client.delete_token(text(olds, "uid"))
    return outputs


def token_read(client: PaletteClient, props: Props) -> Outputs | None:
    """Return the stored inputs with the token as it is now, None when it was deleted."""
    record = client.token(text(props, "uid"))
    return None if record is None else {**echo(props, _STORED), **_outputs(record)}


def token_delete(client: PaletteClient, props: Props) -> None:
    """Revoke the token. Gone already is fine."""
    if text(props, "uid"):
        client.delete_token(text(props, "uid"))


def _ours(client: PaletteClient, name: str, owner: str) -> list[TokenRecord]:
    """Return our tokens of this name, the newest first."""
    mark = description_of(owner)
    found = [record for record in client.tokens() if record.name == name and record.description == mark]
    return sorted(found, key=lambda record: (record.created, record.uid), reverse=True)


def _as_wanted(record: TokenRecord, expiry: datetime, project_uid: str) -> bool:
    ends_right = record.expiry is not None and abs((record.expiry - expiry).total_seconds()) < 1.0
    return is_usable(record) and ends_right and record.project_uid == project_uid


def is_usable(record: TokenRecord) -> bool:
    """Return whether a host could register with this token now."""
    return record.active and (record.expiry is None or record.expiry > datetime.now(UTC))


def _make(client: PaletteClient, name: str, owner: str, expiry: datetime, project_uid: str) -> TokenRecord:
    """Create a token and read it back; take it away again if it is not bound to the project."""
    stamp = expiry.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    uid = client.create_token(name, description_of(owner), project_uid, stamp)
    record = client.token(uid)
    if record is not None and record.project_uid == project_uid and record.value:
        return record
    client.delete_token(uid)
    problem = "has no value" if record is not None and record.project_uid == project_uid else "is bound to no project"
    raise PaletteError(
        f"Palette created registration token {name}, but it {problem}; it was revoked.",
        remedy="make a token by hand with this default project and set it as registrationToken of the stack.",
    )


def _expiry(expires: str) -> datetime:
    """Return the instant at which a token of the settings ends: at the end of its last day, in UTC."""
    moment = parse_time(f"{expires}T23:59:59Z" if len(expires) == len("2027-01-31") else expires)
    if moment is None:
        problem, remedy = f"{expires!r} is no date", "write palette.registrationToken.expires as 2027-01-31."
    elif moment <= datetime.now(UTC):
        problem, remedy = f"{expires} is over", "write a later date into palette.registrationToken.expires."
    else:
        return moment.astimezone(UTC)
    raise PaletteError(f"the registration token cannot end then: {problem}.", remedy=remedy)


def _outputs(record: TokenRecord) -> Outputs:
    return {
        "uid": record.uid,
        "token": record.value.reveal(),
        "active": is_usable(record),
        "default_project": record.project_uid,
    }
