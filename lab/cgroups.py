"""One cgroup per machine, so that all of its processes are known and can be ended at once, whoever started them.

Two machines in one cgroup would share it as the root of their two systemds. The hierarchy is version 2, which the
guests see as well, also on a host that still runs version 1 beside it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from edge.errors import LabError

_PURE = Path("/sys/fs/cgroup")
# Where version 2 is mounted on a machine that runs version 1 beside it.
_MIXED = _PURE / "unified"
_MOUNTS = Path("/proc/self/mountinfo")
_CONTROLLERS = ("cpu", "memory", "pids")
# Twenty machines that are destroyed at once on two processors took more than ten.
_END_SECONDS = 30.0


def hierarchy() -> Path:
    """Return the mount point of the version 2 hierarchy.

    Raises LabError when there is none that can be written: then machines cannot be kept apart.
    """
    for line in _MOUNTS.read_text("utf-8").splitlines():
        left, _, right = line.partition(" - ")
        point = Path(left.split()[4])
        if right.split()[0] == "cgroup2" and point in (_PURE, _MIXED):
            if os.access(point, os.W_OK) and "ro" not in left.split()[5].split(","):
                return point
            raise LabError(
                f"the cgroup hierarchy at {point} is read-only", remedy="run the lab outside of a container."
            )
    raise LabError(
        f"there is no cgroup version 2 hierarchy at {_PURE} or {_MIXED}",
        remedy=f"boot with systemd.unified_cgroup_hierarchy=1, or mount it: mount -t cgroup2 none {_MIXED}.",
    )


def make(path: Path) -> None:
    """Make the lab's own cgroup and hand on the controllers that the hierarchy offers."""
    path.mkdir(exist_ok=True)
    offered = (path / "cgroup.controllers").read_text("ascii").split()
    for controller in _CONTROLLERS:
        if controller in offered:
            (path / "cgroup.subtree_control").write_text(f"+{controller}", "ascii")


def entering(path: Path, *argv: str) -> list[str]:
    """Return the command that runs `argv` as a member of the cgroup `path`, which must be there."""
    return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(path / "cgroup.procs"), *argv]


def members(path: Path) -> list[int]:
    """Return the processes in a cgroup and all below it, by number."""
    found: list[int] = []
    for folder, _, _ in os.walk(path):
        with contextlib.suppress(OSError):
            found += [int(line) for line in (Path(folder) / "cgroup.procs").read_text("ascii").split()]
    return found


def kill(path: Path) -> None:
    """End every process of a cgroup at once and wait until they are gone.

    Raises LabError when one of them does not end within half a minute.
    """
    if not path.exists():
        return
    deadline = time.monotonic() + _END_SECONDS
    while living := members(path):
        try:
            (path / "cgroup.kill").write_text("1", "ascii")
        except OSError:  # kernels before 5.14
            for pid in living:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise LabError(f"process {living[0]} in cgroup {path} does not end", remedy="look at it with `ps`.")
        time.sleep(0.02)


def remove(path: Path, *, itself: bool = True) -> None:
    """Remove the cgroups below `path`, the deepest first, and (with `itself`) the cgroup. They must be empty."""
    for root in (path, _shadow(path)):
        for folder, _, _ in os.walk(root, topdown=False):
            if itself or Path(folder) != root:
                with contextlib.suppress(FileNotFoundError):
                    _remove_one(Path(folder))


def _shadow(path: Path) -> Path:
    """Return where nspawn makes a cgroup of the same name in systemd's version 1 hierarchy, when there are both."""
    if _MIXED in path.parents:
        return _MIXED.with_name("systemd") / path.relative_to(_MIXED)
    return path


def _remove_one(path: Path) -> None:
    # The kernel reports a cgroup as busy for a moment after its last process is gone.
    deadline = time.monotonic() + _END_SECONDS
    while True:
        try:
            path.rmdir()
        except OSError as error:
            if isinstance(error, FileNotFoundError) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
