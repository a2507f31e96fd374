"""Runs the vSphere simulator: as a part of a lab, with real machines behind it, or alone for tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import LabError
from lab import cgroups
from lab.keys import write_private
from lab.lock import locked
from lab.paths import LabPaths, shown
from lab.proc import boot_id, last_words, signal_process, start_time
from lab.record import Record
from lab.services.ca import Authority, ensure_ca, new_authority
from lab.site import Site
from lab.vcenter.build import binary
from lab.vcenter.control import Control

PORT = 8989
NAME = "vcenter.lab.internal"
USER = "lab@vsphere.local"
READER = "reader@vsphere.local"
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0


@dataclass(frozen=True)
class Vcenter:
    """A running simulator: where it is, who may log in, and the authority that its certificate is to be trusted by."""

    host: str
    port: int
    authority: Path
    control: Control
    password: str = field(repr=False)
    reader_password: str = field(repr=False)

    @property
    def address(self) -> str:
        """Return host and port as the stack file names them."""
        return f"{self.host}:{self.port}"


def folder(paths: LabPaths) -> Path:
    """Return the folder in which a lab's vCenter keeps its state, log and sockets."""
    return paths.root / "vcenter"


def described(site: Site) -> Vcenter:
    """Return the vCenter of a lab, whether it runs or not."""
    place = folder(site.paths)
    return Vcenter(
        str(site.block.services),
        PORT,
        site.paths.root / "ca" / "public.pem",
        Control(place / "control.sock"),
        site.secrets["vspherePassword"],
        _reader_password(site.secrets["vspherePassword"]),
    )


def bring_up(site: Site, *, clone_seconds: float = 0.5) -> Vcenter:
    """Return the running vCenter of a lab that is up; it is started when it does not run, with the VMs that it had.

    Raises LabError when there is no Go toolchain, or when it does not start.
    """
    vcenter, paths = described(site), site.paths
    if vcenter.control.alive():
        return vcenter
    program = binary(paths.cache)
    with locked(paths, "vcenter up"):
        if vcenter.control.alive():
            return vcenter
        place = folder(paths)
        place.mkdir(exist_ok=True, mode=0o700)
        _write_users(place, vcenter)
        _write_certificate(place, ensure_ca(paths.root / "ca").public, [NAME], [vcenter.host])
        cgroup = cgroups.hierarchy() / paths.prefix / "vcenter"
        cgroup.mkdir(exist_ok=True)
        stores = os.path.relpath(paths.datastores, place)
        options = ["-lab", os.path.relpath(paths.socket, place), "-dir", "state", "-datastores", stores]
        argv = _argv(program, vcenter.address, clone_seconds, options)
        process = _start(cgroups.entering(cgroup, *argv), place)
        Record(paths.record).add("process", pid=process.pid, started=start_time(process.pid) or 0, boot=boot_id())
        write_private(place / "pid", json.dumps([process.pid, start_time(process.pid) or 0, boot_id()]))
        _wait(process, vcenter.control, place)
        # It outlives this command; without a result, the object would complain that nobody waited for it.
        process.returncode = 0
    return vcenter


def take_down(paths: LabPaths) -> bool:
    """End the vCenter of a lab; its state stays, and the next start finds the VMs. Return whether it ran."""
    try:
        pid, started, boot = json.loads((folder(paths) / "pid").read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return False
    if not signal_process(pid, started, boot, signal.SIGTERM):
        return False
    deadline = time.monotonic() + _STOP_SECONDS
    while start_time(pid) == started:
        if time.monotonic() > deadline:
            signal_process(pid, started, boot, signal.SIGKILL)
        time.sleep(0.05)
    return True


@contextlib.contextmanager
def alone(place: Path, cache: Path, *, clone_seconds: float = 0.2, keep: bool = False) -> Iterator[Vcenter]:
    """Run a vCenter of one's own on a free port of this machine, without a lab; it ends with the block.

    `place` is an empty folder; with `keep` it holds the state, so that a second one finds the VMs. Raises LabError as
    `bring_up` does.
    """
    place.mkdir(parents=True, exist_ok=True)
    authority = new_authority("Lab Public Root CA") if not (place / "ca.pem").exists() else None
    if authority is not None:
        (place / "ca.pem").write_text(authority.pem, "ascii")
        _write_certificate(place, authority, ["localhost", NAME], ["127.0.0.1"])
    control = Control(place / "control.sock")
    vcenter = Vcenter("127.0.0.1", 0, place / "ca.pem", control, "lab-password", _reader_password("lab-password"))
    _write_users(place, vcenter)
    options = ["-no-lab", *(["-dir", "state"] if keep else [])]
    process = _start(_argv(binary(cache), vcenter.address, clone_seconds, options), place)
    try:
        port = _wait(process, control, place)
        yield Vcenter(vcenter.host, port, vcenter.authority, control, vcenter.password, vcenter.reader_password)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _argv(program: Path, listen: str, clone_seconds: float, options: Sequence[str]) -> list[str]:
    return [
        str(program), "-listen", listen, "-certificate", "server.pem", "-users", "users.json", "-control", "control.sock",
        "-clone-seconds", str(clone_seconds), *options,
    ]  # fmt: skip


def _start(argv: Sequence[str], place: Path) -> subprocess.Popen[bytes]:
    """Start the simulator in its folder, in a session of its own; paths are relative, as a socket's must be short."""
    with (place / "log").open("wb") as log:
        return subprocess.Popen(
            argv, cwd=place, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def _wait(process: subprocess.Popen[bytes], control: Control, place: Path) -> int:
    """Return the port that the simulator listens on, when it answers. Raises LabError when it ends or takes too long."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(LabError):
            return int(str(control.status()["address"]).rpartition(":")[2])
        time.sleep(0.05)
    process.kill()
    process.wait()
    said = last_words((place / "log").read_text("utf-8", "replace"), 1)
    raise LabError(f"the lab's vCenter did not start: {said}", remedy=f"read {shown(place / 'log')}.")


def _write_users(place: Path, vcenter: Vcenter) -> None:
    users = [
        {"name": USER, "password": vcenter.password, "role": "admin"},
        {"name": READER, "password": vcenter.reader_password, "role": "reader"},
    ]
    write_private(place / "users.json", json.dumps(users))


def _write_certificate(place: Path, authority: Authority, names: list[str], addresses: list[str]) -> None:
    """Write key and certificate once: whoever pinned it finds the same one after a restart."""
    path = place / "server.pem"
    if not path.exists() or authority.pem not in path.read_text("ascii"):
        write_private(path, authority.issue(names, addresses).decode("ascii"))


def _reader_password(password: str) -> str:
    """Return the password of the user who may only read; it needs no secret of its own."""
    return f"reader-{password}"
