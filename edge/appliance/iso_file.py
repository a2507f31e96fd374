"""What the resource SiteIsoFile does: the own ISO of a bare-metal appliance, as a file where the program runs.

Somebody carries it to the machine, as virtual medium or on a stick. It holds the registration token and the host's private
key: only its user may read it, and it is deleted when the host is healthy. A small file beside it says that the ISO is still
waited for, and by the digest of its user-data which one; without that, one that is missing was taken away on purpose, or was
made where another machine runs the program. While it is waited for, what is corrected in the settings reaches it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge.appliance.anew import made_anew
from edge.appliance.userdata import core_digest
from edge.errors import HostError
from edge.registration.values import changed, stored, text
from edge.site_iso import content_digest, site_iso
from edge.userdata import HEADER

Props = Mapping[str, Any]
Outputs = dict[str, Any]
Secret = Callable[[str], str | None]

_IDENTITY = ("host", "owner", "generation", "epoch", "folder")


def create(props: Props, _secret: Secret) -> Outputs:
    """Write the file. Outputs: `path`, `site_digest`. Raises HostError when it cannot be written."""
    path = Path(text(props, "folder")) / f"{text(props, 'host')}.iso"
    data = site_iso(text(props, "user_data"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # In this order: after a kill in between, the mark names another ISO, and the next run writes both again.
        _write(path, data)
        _write(_mark(path), content_digest(text(props, "user_data")).encode())
    except OSError as error:
        where = f"edge host {text(props, 'host')}"
        raise HostError(
            f"its own ISO cannot be written to {path}: {error.strerror or error}",
            remedy="make room there, and let the user that runs the program write to that folder",
            where=where,
        ) from None
    kept = {key: props[key] for key in (*_IDENTITY, "name") if props.get(key) is not None}
    return {**kept, "path": str(path), "site_digest": core_digest(text(props, "user_data"))}


def diff(olds: Props, news: Props) -> list[str]:
    """Return what asks for an update: another generation, registration or place; another user-data while the ISO waits.

    Never raises, asks nobody. For a machine that was healthy once, a changed user-data is none.
    """
    found = changed(olds, news, _IDENTITY)
    return [*found, "user_data"] if _is_stale(text(olds, "path"), text(news, "user_data")) else found


def update(olds: Props, news: Props, secret: Secret) -> Outputs:
    """Write the file anew, for another machine or one that has not read it yet; one in another place is deleted.

    Raises HostError for another registration of a machine that has read its ISO: it registers at its first boot only.
    """
    path, host = Path(text(olds, "path")), text(news, "host")
    if not changed(olds, news, ("generation",)) and not _mark(path).exists():
        if changed(olds, news, ("epoch",)):
            raise HostError(
                "its registration was lost, and an appliance registers at its first boot only.",
                remedy="if its record is there by now, `pulumi refresh` and `pulumi up` take it over; else"
                f" {made_anew(news)}, with its new media",
                where=f"edge host {host}",
            )
        kept = stored(olds)
        return {**kept, **{key: news[key] for key in _IDENTITY if news.get(key) is not None}}
    made = create(news, secret)
    if text(olds, "path") and text(olds, "path") != made["path"]:
        forget(path, text(olds, "host"))
    return made


def read(props: Props, _secret: Secret) -> Outputs | None:
    """Return what is stored; None when the file is missing that is still waited for, so that it is made again."""
    path = Path(text(props, "path"))
    if _mark(path).exists() and not path.exists():
        return None
    return stored(props)


def delete(props: Props, _secret: Secret) -> None:
    """Delete the file; one that is gone already is no error."""
    if text(props, "path"):
        forget(Path(text(props, "path")), text(props, "host"))


def forget(path: Path, host: str) -> None:
    """Delete the ISO of a host, and that it is waited for; gone already is fine. Raises HostError for another file."""
    if path.name != f"{host}.iso":
        raise HostError(f"{path} is not its own ISO, and stays.", remedy="delete it by hand", where=f"edge host {host}")
    path.unlink(missing_ok=True)
    _mark(path).unlink(missing_ok=True)


def _is_stale(path: str, user_data: str) -> bool:
    """Return whether an ISO that is waited for is missing, or is not that of `user_data`, which may be unknown yet."""
    if not path or not user_data.startswith(HEADER):
        return False
    try:
        return _mark(Path(path)).read_text() != content_digest(user_data) or not Path(path).exists()
    except (OSError, ValueError):
        return False  # nobody waits for it here


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.waits")


def _write(path: Path, data: bytes) -> None:
    """Write a file in one step, for its user only; whoever reads it sees the old one or the whole new one."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
