"""The faults that act inside the build machine: each is a file in a folder that the machine sees, and cannot change."""

from __future__ import annotations

from pathlib import Path

from lab.services.faults import BUILD_FAULTS, Faults


class BuildFaults:
    """Keeps the folder in line with the faults that are on."""

    def __init__(self, folder: Path, faults: Faults) -> None:
        self._folder = folder
        self._faults = faults

    def settle(self) -> None:
        """Make the file of every fault that is on, and remove the others."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for name in BUILD_FAULTS:
            path = self._folder / name
            if self._faults.active(name):
                path.touch()
            else:
                path.unlink(missing_ok=True)
