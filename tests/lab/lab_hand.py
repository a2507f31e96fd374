"""What the tests of the lab's machines share: a lab at hand, and the traces that a lab may not leave."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.client import LabClient
from lab.paths import CHECKOUT, LabPaths
from lab.site import Site, load_site
from lab.takedown import mounts_below

# Of a pure version 2 hierarchy, and of a mixed one.
CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")


@dataclass(frozen=True)
class LabHand:
    """One lab, reached as a person reaches it: by its command line, by ssh, and by its daemon."""

    paths: LabPaths

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment in which commands mean this lab."""
        return {**os.environ, "EDGE_HOSTS_LAB": str(self.paths.root), "EDGE_HOSTS_LAB_CACHE": str(self.paths.cache)}

    @property
    def client(self) -> LabClient:
        return LabClient(self.paths)

    @property
    def site(self) -> Site:
        site = load_site(self.paths)
        assert site is not None, "the lab has never been up"
        return site

    def machines(self) -> Mapping[str, dict[str, object]]:
        found: Mapping[str, dict[str, object]] = self.client.status()["machines"]
        return found

    def run(self, *words: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Run `python -m lab` with these words and return what it said, errors included."""
        return subprocess.run(
            [sys.executable, "-m", "lab", *words],
            cwd=CHECKOUT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *words: str, output: IO[bytes] | int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start `python -m lab` with these words and return the process; what it says goes to `output` at once."""
        return subprocess.Popen(
            [sys.executable, "-m", "lab", *words],
            cwd=CHECKOUT,
            env={**self.environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )

    def ok(self, *words: str) -> str:
        """Run a command of the lab that must succeed and return what it said."""
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ssh(
        self, machine: str, command: str, *, user: str = "", seconds: float = 30
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a machine over ssh, with the lab's own ssh configuration."""
        target = f"{user}@{machine}" if user else machine
        options = ["-o", "LogLevel=ERROR", "-o", "ConnectTimeout=5", "-o", "BatchMode=yes"]
        return subprocess.run(
            ["ssh", "-F", str(self.paths.ssh / "config"), *options, target, command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def says(self, machine: str, command: str, *, user: str = "") -> str:
        """Run a command on a machine that must succeed there, and return what it said."""
        done = self.ssh(machine, command, user=user)
        assert done.returncode == 0, f"{machine}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def daemon(self) -> int:
        """Return the process of the daemon."""
        found = [pid for pid in _processes_of(self.paths) if b"lab.daemon" in _read(pid, "cmdline")]
        assert len(found) == 1, found
        return found[0]


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Return when a condition holds; fail with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.05)


def traces(paths: LabPaths, network: str | None = None) -> list[str]:
    """Return everything that a lab has left on this machine outside of its cache: nothing after `down`."""
    found = [f"process {pid}" for pid in _processes_of(paths)]
    found += [f"mount {point}" for point in mounts_below(paths.root)]
    found += [
        f"interface {name}" for name in sorted(path.name for path in Path("/sys/class/net").glob(f"{paths.prefix}*"))
    ]
    found += [str(path) for base in CGROUPS for path in Path(base).glob(paths.prefix)]
    found += [str(path) for path in Path("/run/systemd/nspawn").glob(f"*/{paths.prefix}-*")]
    found += _routes(network) if network else []
    kept = {paths.cache.name, ".edge-hosts-lab", "lock"}
    if paths.root.exists():
        found += [str(path) for path in paths.root.iterdir() if path.name not in kept]
    return found


def _routes(network: str) -> list[str]:
    start = re.escape(".".join(network.split(".")[:2]))
    third = int(network.split(".")[2])
    wanted = re.compile(rf"\b{start}\.(?:{'|'.join(str(third + index) for index in range(4))})\.")
    done = subprocess.run(["ip", "-4", "route", "show", "table", "all"], capture_output=True, text=True, check=True)
    return [f"route {line}" for line in done.stdout.splitlines() if wanted.search(line)]


def _processes_of(paths: LabPaths) -> list[int]:
    """Return the processes that belong to a lab: by their environment, or by their command line."""
    setting = f"EDGE_HOSTS_LAB={paths.root}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) in (os.getpid(), os.getppid()):
            continue
        pid = int(folder.name)
        words = _read(pid, "cmdline")
        ours = setting in _read(pid, "environ").split(b"\0") and (b"lab" in words)
        if ours or str(paths.root).encode() in words or f"{paths.prefix}-".encode() in words:
            found.append(pid)
    return found


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
