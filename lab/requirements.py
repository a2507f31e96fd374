"""What a machine must have to carry a lab: found out before anything is made, and said all at once.

Missing Debian packages are installed, after a line that says so; everything else is the person's own decision.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from edge.errors import LabError
from lab import cgroups
from lab.apt import family, os_release
from lab.paths import LabPaths
from lab.proc import run

# Tool -> the package that brings it.
TOOLS: Mapping[str, str] = {
    "systemd-nspawn": "systemd-container",
    "systemctl": "systemd",
    "debootstrap": "debootstrap",
    "gpgv": "gpgv",  # debootstrap checks the archive's signature with it
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
    "dpkg-deb": "dpkg",
    "ssh": "openssh-client",
    "git": "git",  # the CanvOS repository is made with it
    "zstd": "zstd",  # the root file system on an installer ISO
}
_NOT_IN_A_MOUNT = re.compile(r"[\s:,\\]")
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
# Seen: systemd 5, logind 1.
_INOTIFY_PER_MACHINE = 6
_MOUNT_FLAGS = {os.ST_RDONLY: "ro", os.ST_NOSUID: "nosuid", os.ST_NODEV: "nodev", os.ST_NOEXEC: "noexec"}
_FREE_BYTES = 3 * 1024**3

Say = Callable[[str], None]


def check(paths: LabPaths, say: Say, *, machines: int) -> None:
    """Return when the machine can carry a lab, after installing missing packages.

    Raises LabError with every requirement that is not met, in one message. `say` gets a line for each thing that a
    person should know.
    """
    problems = [problem for problem in (_root(), _system(), _overlay(), _cgroups(), _folder(paths)) if problem]
    missing = missing_packages()
    if missing and os.geteuid() != 0:
        problems.append(f"the packages {' '.join(missing)} are missing")
    if problems:
        raise LabError(
            "this machine cannot carry the lab: " + "; ".join(problems),
            remedy="run it as root on Debian 12 or newer, or Ubuntu 22.04 or newer, outside of containers.",
        )
    if missing:
        install(missing, say)
    _warn(say, machines)


def missing_packages() -> list[str]:
    """Return the packages that bring the tools which are not there, sorted."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return sorted({package for tool, package in TOOLS.items() if shutil.which(tool, path=path) is None})


def install(packages: list[str], say: Say) -> None:
    """Install Debian packages, after a line that says so. Raises LabError when apt-get fails."""
    say(f"installing with apt-get what the lab needs: {' '.join(packages)}")
    tool = ("env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120")
    try:
        run(*tool, "update", timeout=300)
        run(*tool, "--yes", "--no-install-recommends", "install", *packages, timeout=900)
    except LabError as error:
        raise LabError(
            f"the packages {' '.join(packages)} could not be installed: {error.message}",
            remedy=f"run `apt-get install {' '.join(packages)}` yourself, then try again.",
        ) from error


def _root() -> str:
    return "" if os.geteuid() == 0 else "it needs root (network namespaces, mounts)"


def _system() -> str:
    if platform.system() != "Linux":
        return f"it needs Linux, and this is {platform.system()}"
    release = os_release()
    if not family(release) or shutil.which("apt-get") is None:
        return f"it needs Debian or Ubuntu, and this is {release.get('PRETTY_NAME', 'something else')}"
    return ""


def _overlay() -> str:
    table = Path("/proc/filesystems")
    if not table.exists() or os.geteuid() != 0:
        return ""
    if "\toverlay\n" not in table.read_text("utf-8"):
        run("modprobe", "overlay", check=False) if shutil.which("modprobe") else None
    return "" if "\toverlay\n" in table.read_text("utf-8") else "its kernel has no overlay file system"


def _cgroups() -> str:
    if platform.system() != "Linux" or os.geteuid() != 0:
        return ""
    try:
        cgroups.hierarchy()
    except LabError as error:
        return error.message
    return ""


def _folder(paths: LabPaths) -> str:
    """Say what is wrong with the lab's folder or with the file system under it, or nothing."""
    for path in (paths.root, paths.cache):
        if found := _NOT_IN_A_MOUNT.search(str(path)):
            return f"{str(path)!r} has a {found[0]!r} in it, which mount options cannot carry (name another folder)"
    existing = next(folder for folder in (paths.root, *paths.root.parents) if folder.exists())
    flags = os.statvfs(existing)
    for flag, name in _MOUNT_FLAGS.items():
        if flags.f_flag & flag:
            return f"{existing} is mounted {name} (name another folder in EDGE_HOSTS_LAB)"
    if flags.f_bavail * flags.f_frsize < _FREE_BYTES:
        return f"{existing} has less than {_FREE_BYTES // 1024**3} GiB free"
    if file_system(existing) in ("overlay", "overlayfs", "nfs", "nfs4", "9p", "vboxsf", "fuse"):
        return f"{existing} lies on {file_system(existing)}, which cannot carry layers (name another in EDGE_HOSTS_LAB)"
    return ""


def file_system(path: Path) -> str:
    """Return the type of the file system that a path lies on, as the kernel names it."""
    best, kind = -1, ""
    table = Path("/proc/self/mountinfo")
    for line in table.read_text("utf-8").splitlines() if table.exists() else ():
        left, _, right = line.partition(" - ")
        point = Path(left.split()[4])
        if (point == path or point in path.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split()[0]
    return kind


def _warn(say: Say, machines: int) -> None:
    """Say what may become scarce; a limit of the machine is never changed by us."""
    if not _INOTIFY.exists():
        return
    limit, used, needed = int(_INOTIFY.read_text("ascii")), inotify_in_use(), machines * _INOTIFY_PER_MACHINE
    if used + needed > limit:
        say(
            f"fs.inotify.max_user_instances is {limit}, {used} are in use and {machines} machines need {needed}: "
            f"if one does not boot, raise it: sysctl fs.inotify.max_user_instances={2 * limit}"
        )


def inotify_in_use() -> int:
    """Return how many inotify instances this user's processes hold; those of the lab's machines count as root's."""
    found = 0
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with contextlib.suppress(OSError):
            if folder.parent.stat().st_uid == os.geteuid():
                found += sum(_is_inotify(link) for link in folder.iterdir())
    return found


def _is_inotify(link: Path) -> bool:
    try:
        return str(link.readlink()) == "anon_inode:inotify"
    except OSError:
        return False
