"""Takes down what the record lists, and only that: processes first, then everything else, the youngest first.

Each step looks before it acts, so a lab that was killed at any moment, or half taken down, is taken down the same way.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

from edge.errors import LabError
from lab import cgroups
from lab.proc import is_ours, run, signal_process
from lab.record import Kind, Made, Record

_MOUNTS = Path("/proc/self/mountinfo")
_TERM_SECONDS = 15.0
_OCTAL = re.compile(r"\\(\d{3})")


def take_down(record: Record, *, keep: Callable[[Made], bool] = lambda _made: False) -> int:
    """Remove everything that the record lists, except what `keep` names; return how many things were listed.

    Raises LabError for the first thing that cannot be removed; what came before it is gone, and stays off the record.
    """
    # A process gets the chance to end in its own order before its cgroup is killed.
    for kind, end in _ENDINGS.items():
        for made in record.entries():
            if made.kind == kind and not keep(made):
                end(made)
    # Read again: while it ended, a process may have made more.
    entries = [made for made in record.entries() if not keep(made)]
    for made in reversed(entries):
        _REMOVALS[made.kind](made)
        record.gone(made)
    record.compact()
    return len(entries)


def mounts_below(path: Path) -> list[Path]:
    """Return the mount points at or below a path, the deepest and latest first."""
    found = []
    for line in _MOUNTS.read_text("utf-8").splitlines():
        point = Path(_OCTAL.sub(lambda match: chr(int(match[1], 8)), line.split()[4]))
        if point == path or path in point.parents:
            found.append(point)
    return found[::-1]


def layers_over(path: Path) -> list[Path]:
    """Return the mount points of layers whose lower folder lies at or below a path: disks of running machines."""
    found = []
    for line in _MOUNTS.read_text("utf-8").splitlines():
        left, _, right = line.partition(" - ")
        options = right.split()[-1].split(",")
        lower = next((option.removeprefix("lowerdir=") for option in options if option.startswith("lowerdir=")), "")
        if any(Path(folder).is_relative_to(path) for folder in lower.split(":") if folder):
            found.append(Path(_OCTAL.sub(lambda match: chr(int(match[1], 8)), left.split()[4])))
    return found


def unmount(path: Path) -> None:
    """Unmount everything at or below a path; a mount that is still in use is let go as soon as it is free."""
    for point in mounts_below(path):
        for attempt in range(20):
            try:
                run("umount", "--", str(point))
                break
            except LabError:
                if attempt == 19:
                    run("umount", "--lazy", "--", str(point))
                time.sleep(0.05)


def remove_tree(path: Path) -> None:
    """Unmount everything below a folder, then remove it without leaving its file system."""
    if path.is_symlink() or len(path.parts) < 3:
        raise LabError(f"{path} is no folder that a lab may remove", remedy="remove its line from made.jsonl.")
    unmount(path)
    if mounts_below(path):
        raise LabError(f"something is still mounted below {path}", remedy="unmount it; nothing was removed.")
    run("rm", "-rf", "--one-file-system", "--", str(path), timeout=300)


def interface_exists(name: str) -> bool:
    """Return whether a network interface is there."""
    return Path("/sys/class/net", name).exists()


def _end_process(made: Made) -> None:
    pid, started, boot = made.whole("pid"), made.whole("started"), made.text("boot")
    if not signal_process(pid, started, boot, signal.SIGTERM):
        return
    if not _ended(lambda: is_ours(pid, started, boot), _TERM_SECONDS):
        signal_process(pid, started, boot, signal.SIGKILL)
        if not _ended(lambda: is_ours(pid, started, boot), _TERM_SECONDS):
            raise LabError(f"process {pid} does not end", remedy="look at it with `ps`.")


def _ended(living: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while living():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _end_cgroup(made: Made) -> None:
    cgroups.kill(Path(made.text("path")))


def _remove_cgroup(made: Made) -> None:
    cgroups.remove(Path(made.text("path")))


def _remove_mount(made: Made) -> None:
    unmount(Path(made.text("path")))


def _remove_netns(made: Made) -> None:
    path = Path(made.text("path"))
    unmount(path)
    path.unlink(missing_ok=True)


def _remove_link(made: Made) -> None:
    if interface_exists(made.text("name")):
        run("ip", "link", "del", "dev", made.text("name"), check=False)
        if interface_exists(made.text("name")):
            raise LabError(f"the interface {made.text('name')} cannot be removed", remedy="see `ip link show`.")


def _remove_route(made: Made) -> None:
    run("ip", "route", "del", *made.text("route").split(), check=False)


def _remove_folder(made: Made) -> None:
    remove_tree(Path(made.text("path")))


def _remove_empty_folder(made: Made) -> None:
    path = Path(made.text("path"))
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()


def _nothing(_made: Made) -> None:
    """A process has nothing to remove once it has ended."""


_ENDINGS: dict[Kind, Callable[[Made], None]] = {"process": _end_process, "cgroup": _end_cgroup}
_REMOVALS: dict[Kind, Callable[[Made], None]] = {
    "process": _nothing,
    "cgroup": _remove_cgroup,
    "mount": _remove_mount,
    "netns": _remove_netns,
    "link": _remove_link,
    "route": _remove_route,
    "folder": _remove_folder,
    "empty-folder": _remove_empty_folder,
}
