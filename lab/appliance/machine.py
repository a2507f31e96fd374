"""A machine of the lab whose disk is blank at first: it boots from its disk or from an installer ISO, by its boot order."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lab import cgroups
from lab.appliance import drives, installer
from lab.appliance.iso import INSTALLER, label
from lab.paths import CHECKOUT
from lab.vm_machine import VmMachine

Source = Literal["disk", "cdrom", "none"]
DEFAULT_ORDER = ("disk", "cdrom")


def boot_source(order: Sequence[str], *, disk: bool, medium: bool) -> Source:
    """Return from what a machine boots: the first of its order that can be booted, then of the firmware's own order.

    `disk` and `medium` say whether there is a system on the disk, and a bootable ISO in a drive.
    """
    for device in (*order, *DEFAULT_ORDER):
        if device == "disk" and disk:
            return "disk"
        if device == "cdrom" and medium:
            return "cdrom"
    return "none"


@dataclass
class ApplianceMachine(VmMachine):
    """A machine without a template. `isos` returns the media in its drives, `boot_order` its boot order, at any time."""

    isos: Callable[[], Sequence[Path | None]] = tuple
    boot_order: Callable[[], Sequence[str]] = tuple
    source: Source = "none"
    disk_boots: int = 0

    @property
    def _status_file(self) -> Path:
        return self.place.folder / "installer.json"

    @property
    def _drives(self) -> Path:
        return self.place.folder.parent / "drives"

    def installer_status(self) -> installer.Status:
        """Return what the installer has done to this machine's disk."""
        return installer.load(self._status_file)

    def console(self) -> str:
        """Return what stands on the screen, in one line; empty when the machine is off."""
        if not self.powered:
            return ""
        if self.source == "none":
            return "no operating system was found"
        return self.installer_status().said if self.source == "cdrom" else ""

    def show_drives(self) -> None:
        """Let the system in the machine see what is in its drives now."""
        if self.powered:
            drives.show(self._drives, self.isos())

    async def wait_ready(self) -> None:
        """Return when sshd answers; at once while there is no system that has one."""
        if self.source == "disk":
            await super().wait_ready()

    def _bootable(self) -> Path | None:
        media = [iso for iso in self.isos() if iso is not None and label(iso) == INSTALLER]
        return media[0] if media else None

    def _before_boot(self) -> None:
        super()._before_boot()
        drives.show(self._drives, self.isos())
        installed, medium = self.installer_status().installed, self._bootable() is not None
        self.source = boot_source(self.boot_order(), disk=installed, medium=medium)
        self.disk_boots += self.source == "disk"

    def _own_flags(self) -> list[str]:
        return [*super()._own_flags(), f"--bind-ro={self._drives}:{drives.INSIDE}"]

    async def _spawn(self) -> asyncio.subprocess.Process:
        if self.source == "disk":
            return await super()._spawn()
        argv = ["sleep", "infinity"]
        medium = await asyncio.to_thread(self._bootable)
        if self.source == "cdrom" and medium is not None:
            argv = [
                sys.executable,
                "-m",
                "lab.appliance.installer",
                str(medium),
                str(self.merged),
                str(self._status_file),
            ]
        with (self.place.folder / "console.log").open("ab") as console:
            return await asyncio.create_subprocess_exec(
                *cgroups.entering(self.place.cgroup, *argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                cwd=CHECKOUT,
                env=dict(os.environ),
            )

    async def _await_ready(self) -> None:
        if self.source == "disk":
            await super()._await_ready()
            return
        await asyncio.Event().wait()  # until the machine ends

    def _finished(self) -> bool:
        # There is no cloud-init in it.
        self.hostname = self.run_inside("hostname", check=False).strip()
        return True
