"""The root file system that every machine of the lab starts from, and the packages that it can install later.

It is a bare machine: systemd, sshd and sudo, but no curl, no openssl and no certificate authorities. Both are made once
and kept in the cache; a half-made one never carries the final name.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.errors import LabError
from lab import cgroups
from lab.apt import Source, proxy_environment, transport_settings
from lab.machines import ASKING_USER, LOGIN_USER
from lab.paths import LabPaths
from lab.proc import last_words, run
from lab.record import Record
from lab.takedown import remove_tree

BASE_PACKAGES = ("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "iproute2")
POOL_PACKAGES = (
    "bash",
    "ca-certificates",
    "conntrack",
    "curl",
    "ethtool",
    "iptables",
    "jq",
    "rsync",
    "rsyslog",
    "systemd-resolved",
    "systemd-timesyncd",
    "zstd",
)
# Raised when what is done to the root after debootstrap changes.
_RECIPE = 1
# Their random moments would make a run differ from the next one.
_TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer", "dpkg-db-backup.timer")

_LEFT_BY_THE_BUILD = (
    "etc/ssh/ssh_host_*",
    "etc/apt/sources.list.d/*",
    "var/cache/apt/archives/*.deb",
    "var/cache/apt/*.bin",
)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """What a root file system is made of. `name` tells recipes of one suite apart in the cache."""

    source: Source
    architecture: str
    packages: tuple[str, ...] = BASE_PACKAGES
    pool: tuple[str, ...] = POOL_PACKAGES

    def name(self, what: str, *extra: str) -> str:
        """Return the folder name of one product: what, suite, and a digest of all that decides its content."""
        facts = json.dumps([_RECIPE, self.source.suite, self.architecture, self.packages, extra])
        return f"{what}-{self.source.suite}-{hashlib.sha256(facts.encode()).hexdigest()[:10]}"


class Cache:
    """The root file systems and package pools of one cache folder, which several labs may share."""

    def __init__(self, paths: LabPaths, record: Record, cgroup: Path) -> None:
        self._folder = paths.cache
        self._record = record
        self.cgroup = cgroup / "build"

    def ensure(self, recipe: Recipe, say: Say) -> tuple[Path, Path]:
        """Return the root file system and the folder of `.deb` files of a recipe, made if they are not there."""
        root = self.once(recipe.name("root"), lambda partial: _bootstrap(partial, recipe, self.cgroup, say))
        name = recipe.name("debs", *recipe.pool)
        return root, self.once(name, lambda partial: download(partial, recipe, recipe.pool, root, self.cgroup, say))

    def once(self, name: str, build: Callable[[Path], None]) -> Path:
        """Return the product of this name, built (in the folder that `build` gets) if it is not there yet."""
        final = self._folder / name
        if final.is_dir():
            return final
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if not final.is_dir():
                self._make(final, build)
        return final

    def _make(self, final: Path, build: Callable[[Path], None]) -> None:
        """Build under another name and rename at the end, so that the final name always stands for a whole thing."""
        partial = final.with_name(final.name + ".partial")
        remove_tree(partial)
        made = self._record.add("folder", path=str(partial))
        partial.mkdir()
        self.cgroup.mkdir(parents=True, exist_ok=True)
        try:
            build(partial)
            partial.rename(final)
        finally:
            cgroups.kill(self.cgroup)
            remove_tree(partial)
        self._record.gone(made)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        descriptor = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _bootstrap(root: Path, recipe: Recipe, cgroup: Path, say: Say) -> None:
    """Run debootstrap in a mount namespace and a cgroup of its own: what it mounts and starts ends with it."""
    source = recipe.source
    check = ["--no-check-gpg"] if source.trusted else ["--force-check-gpg", f"--keyring={source.keyring}"]
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(recipe.packages)}", *check]
    command += [source.suite, str(root), source.mirror]
    process = subprocess.Popen(
        cgroups.entering(cgroup, "unshare", "--mount", *command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**proxy_environment(), **os.environ, "LC_ALL": "C"},
    )
    lines: list[str] = []
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            say(line.strip().removeprefix("I: "))
    if process.returncode:
        raise LabError(
            f"debootstrap of {source.suite} from {source.mirror} ended with {process.returncode}: "
            f"{last_words(''.join(lines))}",
            remedy="see whether this machine reaches its package mirror (`apt-get update`).",
        )
    say("users and services")
    _finish(root)


def _finish(root: Path) -> None:
    """Make the root a machine that waits to be given its identity: users, sshd, no identity, no package sources."""
    for user in (LOGIN_USER, ASKING_USER):
        run("chroot", str(root), "useradd", "--create-home", "--shell", "/bin/bash", user)
    write(root, "etc/sudoers.d/lab-edge", f"{LOGIN_USER} ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    write(root, "etc/sudoers.d/lab-asksudo", f"{ASKING_USER} ALL=(ALL) ALL\n", 0o440)
    write(
        root,
        "etc/ssh/sshd_config.d/lab.conf",
        "HostKey /etc/ssh/ssh_host_ed25519_key\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n",
    )
    # The journal outlives reboots: connections are counted in it. Synced writes only wear the disk of the host.
    write(root, "etc/systemd/journald.conf.d/lab.conf", "[Journal]\nStorage=persistent\nSystemMaxUse=32M\n")
    write(root, "etc/dpkg/dpkg.cfg.d/lab", "force-unsafe-io\n")
    units = " ".join((*_TIMERS, "console-getty.service"))
    run("systemctl", f"--root={root}", "--quiet", "mask", *units.split())
    forget_identity(root)


def forget_identity(root: Path) -> None:
    """Remove what must differ between machines, and everything of the host that made the root."""
    for pattern in _LEFT_BY_THE_BUILD:
        for path in root.glob(pattern):
            path.unlink()
    remove_tree(root / "var/lib/apt/lists")
    (root / "var/lib/apt/lists/partial").mkdir(parents=True)
    for name in ("etc/resolv.conf", "etc/hostname", "etc/hosts", "etc/machine-id", "var/lib/dbus/machine-id"):
        (root / name).unlink(missing_ok=True)
    (root / "etc/machine-id").touch()
    (root / "var/lib/dbus").mkdir(exist_ok=True)
    (root / "var/lib/dbus/machine-id").symlink_to("/etc/machine-id")
    write(root, "etc/apt/sources.list", "")


def write(root: Path, name: str, text: str, mode: int = 0o644) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(mode)


def download(pool: Path, recipe: Recipe, packages: tuple[str, ...], root: Path, cgroup: Path, say: Say) -> None:
    """Fetch into `pool` what a root lacks to install packages, with this machine's apt acting for that root.

    Packages that the suite does not know are left out. This machine's apt knows the way to the mirror (proxy, certificates), the root knows what is installed already.
    """
    state = pool / ".state"
    for name in ("lists/partial", "cache/archives/partial"):
        (state / name).mkdir(parents=True)
    (state / "sources.list").write_text(recipe.source.line(), "utf-8")
    settings = {
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": "/nonexistent",
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/nonexistent",
        "Dir::State": state,
        "Dir::State::status": root / "var/lib/dpkg/status",
        "Dir::Cache": state / "cache",
        "APT::Architecture": recipe.architecture,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
    }
    lines = [f'{key} "{value}";' for key, value in settings.items()]
    (state / "apt.conf").write_text("\n".join([*lines, *transport_settings()]) + "\n", "utf-8")
    tool = cgroups.entering(cgroup, "env", f"APT_CONFIG={state / 'apt.conf'}", "LC_ALL=C")
    say(f"package index of {recipe.source.suite}")
    run(*tool, "apt-get", "-qq", "update", timeout=300)
    known = set(run(*tool, "apt-cache", "pkgnames").split())
    wanted = [name for name in packages if name in known]
    say(f"packages: {' '.join(wanted)}")
    run(*tool, "apt-get", "-qq", "--yes", "--download-only", "install", *wanted, timeout=600)
    for deb in (state / "cache/archives").glob("*.deb"):
        deb.rename(pool / deb.name)
    remove_tree(state)
