"""The optical drives of a lab machine, as the system in it sees them: one folder each, with the volume's name and files.

A container has no block devices, so what the kernel of a real machine reads from a medium is read here. The folders are
there while the machine runs: a medium that is taken out is gone at once.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from edge.errors import LabError
from lab.appliance.iso import opened
from lab.takedown import remove_tree

MOST = 2
INSIDE = "/run/drives"
# The root file system of an installer is nothing that the system in a machine would read from there.
_LARGEST_FILE = 16 * 1024**2


def show(folder: Path, isos: Sequence[Path | None]) -> None:
    """Make `folder` show the media in the drives; None is an empty drive, a file that is no ISO an unreadable medium."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number in range(MOST):
        iso = isos[number] if number < len(isos) else None
        drive = folder / str(number)
        if iso is None:
            remove_tree(drive)
            continue
        stamp = _stamp(iso)
        seen = drive / "stamp"
        if seen.exists() and seen.read_text("utf-8") == stamp:
            continue
        remove_tree(drive)
        with contextlib.suppress(LabError):
            _load(drive, iso)
        drive.mkdir(exist_ok=True, mode=0o700)
        seen.write_text(stamp, "utf-8")


def _stamp(iso: Path) -> str:
    """Return what tells one medium from another."""
    try:
        facts = iso.stat()
    except OSError:
        return f"{iso} is not there"
    return f"{iso} {facts.st_size} {facts.st_mtime_ns} {facts.st_ino}"


def _load(drive: Path, iso: Path) -> None:
    with opened(iso) as medium:
        # A site ISO holds a token: only root of the machine reads it, as with a real device.
        (drive / "files").mkdir(parents=True, mode=0o700)
        for name, size in medium.files.items():
            if size <= _LARGEST_FILE and "/" not in name and name not in (".", ".."):
                with os.fdopen(os.open(drive / "files" / name, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:
                    medium.copy(name, out)
        # Last: a medium is known by its label.
        (drive / "label").write_text(medium.volume, "utf-8")
