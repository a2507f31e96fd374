"""The installer on an ISO of the lab: erases the disk, puts the root file system of the medium on it, ends as it is told.

It is a process of the machine that boots from the medium: its end is the machine's end, and whoever cuts the power ends
it in the middle, with a disk that does not boot. `install.poweroff` and `install.reboot` of the medium's config.yaml say
how it ends; with neither it stays at "Installation Complete" (Palette docs, installer reference). With both, it powers off.

`python -m lab.appliance.installer ISO DISK STATUS [SECONDS]`: DISK is the folder that is the disk's root file system,
STATUS the file in which it says how far it is, SECONDS the shortest time that it takes. Ends with 0 for a power-off, with
133 for a reboot.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import yaml

from edge.errors import LabError
from lab.appliance.iso import CONFIG, ROOTFS, SUMS, Medium, opened
from lab.machine import REBOOTED
from lab.proc import last_words, run

USER_DATA = "oem/90_custom.yaml"
COMPLETE = "Installation Complete"
SHORTEST_SECONDS = 3.0
_UNPACK_SECONDS = 300.0


@dataclass(frozen=True)
class Status:
    """What the installer has done on this machine. `count` is how often it went to its end, `said` its last line.

    `installed` says whether the disk boots, `sums` what stood in the medium's SHA256SUMS, by file.
    """

    count: int = 0
    said: str = ""
    installed: bool = False
    sums: dict[str, str] | None = None


def load(path: Path) -> Status:
    """Return what an installer has written, or that none has been there."""
    try:
        return Status(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return Status()


def save(path: Path, status: Status) -> None:
    """Write the status in one step."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(asdict(status)), "utf-8")
    partial.replace(path)


def install(iso: Path, disk: Path, status_file: Path, seconds: float = SHORTEST_SECONDS) -> int | None:
    """Install from a medium; return the exit code with which the machine ends, or None when it stays on.

    Raises LabError, and leaves the disk as it was, for a medium that is damaged.
    """
    began = time.monotonic()
    before = load(status_file)
    save(status_file, Status(before.count, "checking the medium", before.installed, before.sums))
    # The root file system is read once, and what was checked is what is unpacked.
    with tempfile.TemporaryFile(dir=status_file.parent) as packed:
        with opened(iso) as medium:
            sums, config = _checked(medium, packed)
        wishes = _wishes(config)
        save(status_file, Status(before.count, "installing", installed=False))
        run("find", str(disk), "-xdev", "-mindepth", "1", "-delete", timeout=_UNPACK_SECONDS)
        packed.seek(0)
        _unpack(packed, disk)
    _configure(disk, config, wishes)
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    save(status_file, Status(before.count + 1, COMPLETE, installed=True, sums=sums))
    if wishes.get("poweroff") is True:
        return 0
    return REBOOTED if wishes.get("reboot") is True else None


def _checked(medium: Medium, packed: BinaryIO) -> tuple[dict[str, str], bytes]:
    """Return the sums of the medium and its user-data, with its root file system in `packed`. Raises LabError."""
    lacking = [name for name in (CONFIG, ROOTFS, SUMS) if name not in medium.files]
    if lacking:
        raise LabError(f"the medium has no {lacking[0]}")
    with tempfile.TemporaryFile() as text:
        medium.copy(SUMS, text)
        text.seek(0)
        lines = text.read().decode("utf-8", "replace").splitlines()
    sums = {name.lstrip("*"): digest for digest, _, name in (line.partition("  ") for line in lines if line.strip())}
    with tempfile.TemporaryFile() as text:
        medium.copy(CONFIG, text)
        _compare(CONFIG, text, sums)
        text.seek(0)
        config = text.read()
    medium.copy(ROOTFS, packed)
    _compare(ROOTFS, packed, sums)
    return sums, config


def _compare(name: str, content: IO[bytes], sums: dict[str, str]) -> None:
    content.seek(0)
    digest = hashlib.sha256()
    while chunk := content.read(1 << 20):
        digest.update(chunk)
    if digest.hexdigest() != sums.get(name):
        raise LabError(f"{name} does not match {SUMS}: the medium is damaged, nothing is installed")


def _wishes(config: bytes) -> dict[str, Any]:
    """Return what the user-data says under `install`."""
    if config.split(b"\n", 1)[0].strip() != b"#cloud-config":
        return {}
    try:
        found = yaml.safe_load(config)
    except yaml.YAMLError as error:
        raise LabError(f"{CONFIG} cannot be read: {last_words(str(error), 1)}") from None
    wishes = found.get("install") if isinstance(found, dict) else None
    return wishes if isinstance(wishes, dict) else {}


def _unpack(packed: BinaryIO, disk: Path) -> None:
    tar = ["tar", "--extract", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--file=-", f"--directory={disk}"]
    reader = subprocess.Popen(["zstd", "--decompress", "--stdout", "--quiet"], stdin=packed, stdout=subprocess.PIPE)
    done = subprocess.run(
        tar, stdin=reader.stdout, capture_output=True, text=True, timeout=_UNPACK_SECONDS, check=False
    )
    if reader.stdout is not None:
        reader.stdout.close()
    if reader.wait() or done.returncode:
        raise LabError(f"{ROOTFS} cannot be unpacked: {last_words(done.stderr)}")


def _configure(disk: Path, config: bytes, wishes: dict[str, Any]) -> None:
    """Leave the user-data for the agent, and make the folders that it asks for."""
    target = disk / USER_DATA
    target.parent.mkdir(mode=0o700, exist_ok=True)
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(config)
    for key in ("extra-dirs-rootfs", "bind_mounts"):
        for path in wishes.get(key) or ():
            place = disk / str(path).lstrip("/")
            if place.resolve().is_relative_to(disk.resolve()):
                place.mkdir(parents=True, exist_ok=True)


def main(words: list[str]) -> int:
    """Install; stay on when nobody said how to end, and after a failure, whose message stays on the screen."""
    iso, disk, status_file = (Path(word) for word in words[:3])
    seconds = float(words[3]) if len(words) > 3 else SHORTEST_SECONDS
    try:
        code = install(iso, disk, status_file, seconds)
    except LabError as error:
        before = load(status_file)
        print(f"installation failed: {error.message}", flush=True)
        save(status_file, Status(before.count, f"installation failed: {error.message}", before.installed, before.sums))
        code = None
    if code is not None:
        return code
    print(load(status_file).said, flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
