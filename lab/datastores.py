"""The datastores of a lab: one folder each, with the files of its VMs and the media that somebody has put there.

Paths are as vSphere writes them, `[datastore] folder/name`. Refusals have vCenter's words.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import LabError
from lab.rehearsal.inventory import DATACENTER, DATASTORES

_PATH = re.compile(r"\[([^\]]+)\] ?(.*)")
_TICKET_SECONDS = 120.0
METHODS = ("GET", "HEAD", "PUT", "DELETE")


@dataclass(frozen=True)
class _Ticket:
    method: str
    place: Path
    until: float


class Datastores:
    """The datastores below a folder. `in_use` returns the media that are in a drive of a machine that is on, `is_full`
    says whether a datastore has no space left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tickets: dict[str, _Ticket] = {}
        self.in_use: Callable[[], Collection[Path]] = tuple
        self.is_full: Callable[[str], bool] = lambda _name: False

    def make(self) -> None:
        """Make the folders of all datastores."""
        for name in DATASTORES:
            (self._folder / name).mkdir(parents=True, exist_ok=True)

    def place(self, path: str) -> Path:
        """Return where a file of a datastore lies on this host. Raises LabError for a path that no datastore has."""
        match = _PATH.fullmatch(path)
        if match is None or match[1] not in DATASTORES:
            raise LabError(f"Invalid datastore path '{path}'.", remedy=f"the datastores are {', '.join(DATASTORES)}.")
        parts = [part for part in match[2].split("/") if part not in ("", ".")]
        if ".." in parts:
            raise LabError(f"Invalid datastore path '{path}'.")
        return self._folder.joinpath(match[1], *parts)

    def medium(self, iso: str) -> Path | None:
        """Return the file of an ISO in a drive: of a datastore, or a file of this host; None for an empty drive."""
        if not iso:
            return None
        return self.place(iso) if iso.startswith("[") else Path(iso)

    def named(self, datacenter: str, datastore: str, path: str) -> Path:
        """Return where a file lies that a request names. Raises LabError for an unknown datacenter or datastore."""
        if datacenter != DATACENTER:
            raise LabError(f"The datacenter '{datacenter}' was not found.")
        return self.place(f"[{datastore}] {path}")

    def datastore_of(self, place: Path) -> str:
        """Return the datastore that a file lies on."""
        return place.relative_to(self._folder).parts[0]

    def delete(self, place: Path) -> bool:
        """Delete a file, or an empty folder; return whether it was there. Raises LabError for a medium in use."""
        if place.resolve() in {used.resolve() for used in self.in_use()}:
            raise LabError(f"Unable to access file {self.shown(place)} since it is locked")
        if place.is_dir():
            if any(place.iterdir()):
                raise LabError(f"Cannot delete file {self.shown(place)}: the folder is not empty")
            place.rmdir()
            return True
        try:
            place.unlink()
        except FileNotFoundError:
            return False
        return True

    def shown(self, place: Path) -> str:
        """Return the path of a file as vSphere writes it."""
        name, *parts = place.relative_to(self._folder).parts
        return f"[{name}] {'/'.join(parts)}"

    def ticket(self, method: str, place: Path) -> str:
        """Return a ticket for one request with this method for this file, within two minutes."""
        if method not in METHODS:
            raise LabError(f"there is no ticket for the method {method!r}", remedy=f"use {', '.join(METHODS)}.")
        number = secrets.token_urlsafe(24)
        self._tickets[number] = _Ticket(method, place, time.monotonic() + _TICKET_SECONDS)
        return number

    def redeem(self, number: str, method: str, place: Path) -> bool:
        """Return whether a ticket is good for a request. It is used up, also by a request that it is not for."""
        ticket = self._tickets.pop(number, None)
        return (
            ticket is not None and (ticket.method, ticket.place) == (method, place) and time.monotonic() < ticket.until
        )

    def call(self, action: str, given: Mapping[str, Any]) -> Any:
        """Do what the lab's API calls `action`, with `datacenter` and `path`; return plain data.

        `size` (None = not there), `put` (`content` in base64), `delete`, `make-folder`, `files`, `ticket` (`method`).
        """
        acts: dict[str, Callable[[Path], Any]] = {
            "size": lambda place: place.stat().st_size if place.is_file() else None,
            "put": lambda place: self._put(place, base64.b64decode(str(given["content"]))),
            "delete": self.delete,
            "make-folder": lambda place: place.mkdir(parents=True, exist_ok=True),
            "files": _files,
            "ticket": lambda place: self.ticket(str(given["method"]), place),
        }
        if action not in acts:
            raise LabError(f"the datastores have no action {action!r}", remedy=f"use {', '.join(acts)}.")
        path = str(given["path"])
        if str(given["datacenter"]) != DATACENTER:
            raise LabError(f"The datacenter '{given['datacenter']}' was not found.")
        return acts[action](self.place(path))

    def _put(self, place: Path, content: bytes) -> None:
        if self.is_full(self.datastore_of(place)):
            raise LabError(f"Insufficient disk space on datastore '{self.datastore_of(place)}'.")
        place.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(content)


def _files(folder: Path) -> dict[str, int]:
    if not folder.is_dir():
        return {}
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}
