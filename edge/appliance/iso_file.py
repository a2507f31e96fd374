"""What the resource SiteIsoFile does: the own ISO of a bare-metal appliance, as a file where the program runs.

Somebody carries it to the machine, as virtual medium or on a stick. It holds the registration token and the host's private
key: only its user may read it, and it is deleted when the host is healthy.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge.appliance.userdata import core_digest
from edge.errors import HostError
from edge.registration.values import changed, text
from edge.site_iso import site_iso

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
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(data)
        partial.replace(path)
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
    """Return what asks for an update: another generation, registration or place. A changed user-data alone is none."""
    return changed(olds, news, _IDENTITY)


def update(olds: Props, news: Props, secret: Secret) -> Outputs:
    """Write the file anew; one in another place is deleted.

    Raises HostError for a new registration of a machine whose file is gone: it was installed with another one.
    """
    host, path = text(news, "host"), text(olds, "path")
    same = olds.get("generation") == news.get("generation")
    if same and text(olds, "epoch") != text(news, "epoch") and not _exists(path):
        raise HostError(
            f"its record in Palette was removed or is another one, and {path or 'its own ISO'} is gone: it was installed with"
            " the registration of then, and an appliance registers at its first boot only.",
            remedy=f"raise its generation (`python -m edgectl roll STACK {host}`), and install it again",
            where=f"edge host {host}",
        )
    made = create(news, secret)
    if path and path != made["path"]:
        Path(path).unlink(missing_ok=True)
    return made


def _exists(path: str) -> bool:
    return bool(path) and Path(path).exists()


def read(props: Props, _secret: Secret) -> Outputs | None:
    """Return what is stored. A file that is not there is no difference: it is deleted when the host is healthy."""
    return {key: value for key, value in props.items() if key != "__provider"}


def delete(props: Props, _secret: Secret) -> None:
    """Delete the file; one that is gone already is no error."""
    if text(props, "path"):
        Path(text(props, "path")).unlink(missing_ok=True)
