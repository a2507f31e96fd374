"""One machine of the lab: its layer over the shared root, its boots, its end.

The machine is a systemd-nspawn container with its own systemd, kept running by a task of the daemon: exit code 133 of
nspawn means that the guest rebooted, so it is started again, with a new boot id; any other end leaves it off.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edge.errors import LabError
from lab import cgroups
from lab.disk import mount_disk
from lab.machines import MachinePlan
from lab.network import banner
from lab.proc import last_words, run
from lab.record import Record
from lab.takedown import remove_tree

State = Literal["off", "booting", "running"]
REBOOTED = 133
_BOOT_SECONDS = 60.0
# nspawn keeps folders here for each machine, and leaves them behind when it is killed.
_NSPAWN_RUN = Path("/run/systemd/nspawn")
_NSPAWN_FOLDERS = ("locks", "propagate", "unix-export")
_NSPAWN_FLAGS = (
    "--quiet",
    "--boot",
    "--register=no",  # works where this machine has no D-Bus, and leaves no trace where it has
    "--keep-unit",
    "--console=pipe",
    "--link-journal=no",  # else nspawn writes into this machine's journal folder
    "--resolv-conf=off",
    "--timezone=off",
    "--capability=CAP_NET_ADMIN",
)


@dataclass
class Boots:
    """What is known of a machine's boots: how many there were, when the last began and when its sshd answered."""

    count: int = 0
    began: float = 0.0
    ready_after: float | None = None
    exit_code: int | None = None


@dataclass(frozen=True)
class Place:
    """Where a machine lives: the shared layers of its root, its own folder, network namespace, cgroup, lab's prefix."""

    layers: tuple[Path, ...]
    folder: Path
    netns: Path
    cgroup: Path
    prefix: str


@dataclass
class Machine:
    """One machine and the task that keeps it running. All methods are called from the daemon's event loop.

    `new_disk` writes into the root of a machine that has never booted what makes it this one.
    """

    plan: MachinePlan
    place: Place
    new_disk: Callable[[Path], None]
    record: Record
    after_boot: Callable[[Machine], None] = lambda _machine: None
    state: State = "off"
    boots: Boots = field(default_factory=Boots)
    extra_flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _wanted: bool = False
    _task: asyncio.Task[None] | None = None
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    _begun: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def merged(self) -> Path:
        """Return the machine's root as this machine sees it."""
        return self.place.folder / "merged"

    @property
    def boots_blank(self) -> bool:
        """Return whether the network that the machine had is gone with each boot."""
        return False

    @property
    def full_name(self) -> str:
        """Return the machine's name on this host, where other labs have machines too."""
        return f"{self.place.prefix}-{self.plan.key}"

    async def power_on(self) -> None:
        """Start the machine if it is off; return when its sshd answers. Raises LabError after a minute."""
        await self.switch_on()
        await self.wait_ready()

    async def switch_on(self) -> None:
        """Start the machine if it is off; return when it begins to boot. Raises LabError when it cannot."""
        self._wanted = True
        if self._task is None or self._task.done():
            await asyncio.to_thread(self._make_root)
            self._ready.clear()
            self._begun.clear()
            self.state = "booting"
            self._task = asyncio.create_task(self._keep_running(), name=f"machine-{self.plan.name}")
            beginning = asyncio.create_task(self._begun.wait())
            await asyncio.wait({beginning, self._task}, return_when=asyncio.FIRST_COMPLETED)
            beginning.cancel()
            if self._task.done():
                self.state = "off"
                self._task.result()

    async def wait_ready(self) -> None:
        """Return when sshd answers. Raises LabError when the machine ended instead, or after a minute."""
        assert self._task is not None
        waiting = asyncio.create_task(self._ready.wait())
        await asyncio.wait({waiting, self._task}, timeout=_BOOT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not self._ready.is_set():
            raise self._not_up()

    def _not_up(self) -> LabError:
        """Return an error with what the machine said last."""
        console = self.place.folder / "console.log"
        text = console.read_text("utf-8", "replace") if console.exists() else ""
        remedy = f"read {console}."
        if "Too many open files" in text:
            remedy = "raise fs.inotify.max_user_instances (sysctl), or take another lab down."
        end = (
            f"ended with {self.boots.exit_code}"
            if self._task and self._task.done()
            else "does not answer on its SSH port"
        )
        return LabError(f"the machine {self.plan.name} {end}: {last_words(text)}", remedy=remedy)

    async def power_off(self) -> None:
        """Cut the power: every process of the machine ends at once, its disk stays as it is."""
        self._wanted = False
        while self._task is not None and not self._task.done():
            # Again and again: a machine in the middle of a reboot may have no process for a moment.
            await asyncio.to_thread(cgroups.kill, self.place.cgroup)
            await asyncio.wait({self._task}, timeout=0.2)
        self.state = "off"

    async def shut_down(self) -> None:
        """Ask the machine to power off, as its power button would, and wait until it has; cut the power after 90 s."""
        if self.leader() is not None:
            await asyncio.to_thread(self.run_inside, "systemctl", "poweroff", "--no-block")
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=90)
        await self.power_off()

    async def reset(self) -> None:
        """Make the machine new: same name, address, host key and machine id, but none of what was done to it."""
        await self.power_off()
        await asyncio.to_thread(self.drop_root)
        await self.power_on()

    def leader(self) -> int | None:
        """Return the process that is PID 1 inside the machine, or None while there is none."""
        for pid in cgroups.members(self.place.cgroup / "payload"):
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines():
                    if line.startswith("NSpid:") and line.split()[-1] == "1" and len(line.split()) == 3:
                        return pid
        return None

    def inside(self, *argv: str, group: str = "helpers") -> list[str]:
        """Return the command that runs `argv` inside the machine, as root, with the machine's own environment.

        The process counts as one of the machine's, in the cgroup `group` below the machine's: it ends with the machine.
        Raises LabError when the machine is off.
        """
        leader = self.leader()
        if leader is None:
            raise LabError("the machine is off", where=self.plan.name, remedy="start it: python -m lab up.")
        helpers = self.place.cgroup / group
        helpers.mkdir(exist_ok=True)
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        nsenter = ["nsenter", f"--target={leader}", "--all", "--wd=/"]
        clean = ["env", "-i", f"PATH={path}", "HOME=/root", "LANG=C.UTF-8", f"TERM={os.environ.get('TERM', 'dumb')}"]
        return cgroups.entering(helpers, *nsenter, *clean, *argv)

    def run_inside(self, *argv: str, check: bool = True, stdin: str | None = None) -> str:
        """Run a command inside the machine and return its standard output."""
        return run(*self.inside(*argv), check=check, stdin=stdin)

    def _make_root(self) -> None:
        """Mount the machine's layer over the shared root; furnish it if it is new."""
        folder = self.place.folder
        complete = folder / "furnished"
        if not complete.exists():
            remove_tree(folder)
        mount_disk(self.full_name, self.place.layers, folder, self.record)
        if not complete.exists():
            self.new_disk(self.merged)
            complete.touch()

    def drop_root(self) -> None:
        """Remove the disk of a machine that is off."""
        remove_tree(self.place.folder)

    def remove(self) -> set[str]:
        """Remove what a machine that is off has on this host; return the places, as they stand on the record."""
        self.drop_root()
        if self.place.cgroup.exists():
            cgroups.remove(self.place.cgroup)
        folders = [_NSPAWN_RUN / folder / self.full_name for folder in _NSPAWN_FOLDERS]
        for folder in folders:
            remove_tree(folder)
        return {str(self.merged), *map(str, folders)}

    def _nspawn(self) -> list[str]:
        """Return the command that is the machine, seen from this one."""
        flags = [flag for group in self.extra_flags.values() for flag in group]
        nspawn = ["systemd-nspawn", *_NSPAWN_FLAGS, f"--directory={self.merged}", f"--machine={self.full_name}"]
        nspawn += [f"--network-namespace-path={self.place.netns}", *self._own_flags(), *flags]
        return nspawn

    def _own_flags(self) -> list[str]:
        """Return the flags of nspawn that this kind of machine has."""
        return [f"--hostname={self.plan.name}"]

    def _own_environment(self) -> dict[str, str]:
        """Return the variables that nspawn gets with those of the daemon."""
        return {}

    def _before_boot(self) -> None:
        """Do what has to be done before each boot, also after the guest's own reboot."""

    async def _before_ready(self) -> None:
        """Do what has to be done once sshd answers, before anybody hears of it."""

    def _after_end(self) -> None:
        """Take note that the machine is off."""

    async def _keep_running(self) -> None:
        self.record.add("empty-folder", path=str(_NSPAWN_RUN))
        for folder in _NSPAWN_FOLDERS:
            self.record.add("empty-folder", path=str(_NSPAWN_RUN / folder))
            self.record.add("folder", path=str(_NSPAWN_RUN / folder / self.full_name))
        while True:
            await asyncio.to_thread(self._clean_cgroup)
            await asyncio.to_thread(self._before_boot)
            self.boots.count += 1
            self.boots.began, self.boots.ready_after = time.time(), None
            self.state = "booting"
            self._ready.clear()
            process = await self._spawn()
            self._begun.set()
            waiting = asyncio.create_task(self._await_ready())
            try:
                self.boots.exit_code = await process.wait()
            finally:
                waiting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await waiting
            if self.boots.exit_code != REBOOTED or not self._wanted:
                self.state = "off"
                self._ready.clear()
                self._after_end()
                return

    async def _spawn(self) -> asyncio.subprocess.Process:
        environment = {
            **os.environ,
            "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",  # cgroup version 2 inside, whatever this machine boots with
            "SYSTEMD_NSPAWN_LOCK": "0",  # the lock files would outlive a killed machine
            **self._own_environment(),
        }
        with (self.place.folder / "console.log").open("ab") as console:
            return await asyncio.create_subprocess_exec(
                *cgroups.entering(self.place.cgroup, *self._nspawn()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=environment,
            )

    async def _await_ready(self) -> None:
        """Mark the machine as running once its sshd answers, and put back the faults that ended with the last boot."""
        while not await asyncio.to_thread(banner, self.place.netns, self.plan.address):
            await asyncio.sleep(0.05)
        await self._before_ready()
        self.boots.ready_after = round(time.time() - self.boots.began, 2)
        self.state = "running"
        self.after_boot(self)
        self._ready.set()

    def _clean_cgroup(self) -> None:
        """End what is left of the last boot and start with an empty cgroup."""
        self.place.cgroup.mkdir(parents=True, exist_ok=True)
        cgroups.kill(self.place.cgroup)
        cgroups.remove(self.place.cgroup, itself=False)
