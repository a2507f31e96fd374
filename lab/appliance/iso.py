"""ISO 9660 files as a Linux system reads them: the name of the volume, and files by their Rock Ridge names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pycdlib
from pycdlib.pycdlibexception import PyCdlibException

from edge.errors import LabError

INSTALLER = "COS_LIVE"
CONFIG, ROOTFS, SUMS = "config.yaml", "rootfs.tar.zst", "SHA256SUMS"
"""What an installer ISO of the lab holds beside the volume's name: user-data, the root file system, sums of both."""


class Medium:
    """An open ISO. `volume` is its label, `files` are the files at its top with their sizes in bytes."""

    def __init__(self, iso: Any) -> None:
        self._iso = iso
        self.volume: str = iso.pvd.volume_identifier.decode("ascii", "replace").strip()
        self._rock_ridge = bool(iso.has_rock_ridge())
        self.files: dict[str, int] = dict(self._listing())

    def _listing(self) -> Iterator[tuple[str, int]]:
        place = {"rr_path": "/"} if self._rock_ridge else {"iso_path": "/"}
        for child in self._iso.list_children(**place):
            if child is None or not child.is_file():
                continue
            name = child.rock_ridge.name() if self._rock_ridge else child.file_identifier()
            yield name.decode("utf-8", "replace"), int(child.get_data_length())

    def copy(self, name: str, into: BinaryIO) -> None:
        """Write the content of a file. Raises LabError when the medium has none of this name."""
        if name not in self.files:
            raise LabError(f"the medium {self.volume} has no file {name}")
        if self.files[name]:
            place = {"rr_path": f"/{name}"} if self._rock_ridge else {"iso_path": f"/{name}"}
            self._iso.get_file_from_iso_fp(into, **place)


@contextmanager
def opened(path: Path) -> Iterator[Medium]:
    """Open an ISO for reading. Raises LabError for a file that is none, or is cut off."""
    iso: Any = pycdlib.PyCdlib()
    try:
        iso.open(str(path))
    except (PyCdlibException, OSError) as error:
        raise LabError(f"{path.name} is no ISO 9660 image: {error}") from None
    try:
        yield Medium(iso)
    except PyCdlibException as error:
        raise LabError(f"{path.name} cannot be read: {error}") from None
    finally:
        iso.close()


def label(path: Path) -> str:
    """Return the name of the volume of a file, empty when it is no ISO or is not there."""
    try:
        with opened(path) as medium:
            return medium.volume
    except LabError:
        return ""
