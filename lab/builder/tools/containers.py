"""The containers that the vendor's script starts: the probe, BuildKit, and the builder itself."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.builder.tools import earthly

_SOCKET = "/var/run/docker.sock"
_AUTHORITIES = "/usr/local/share/ca-certificates"


class ContainerError(Exception):
    """What Docker says when a container cannot be started or found."""


@dataclass(frozen=True)
class _Wanted:
    image: str
    words: tuple[str, ...]
    mounts: dict[str, str]
    environment: dict[str, str]
    name: str
    privileged: bool


def run(folder: Path, arguments: list[str]) -> int:
    """Start a container and return its exit code; one that is detached is only written down."""
    wanted = _parsed(arguments)
    if wanted.privileged and earthly.on("docker-unprivileged"):
        raise ContainerError("docker: Error response from daemon: privileged mode is not allowed.")
    for source in wanted.mounts.values():
        _mountable(source)
    kind = wanted.image.rpartition("/")[2].partition(":")[0]
    if kind == "buildkitd":
        _write(folder, wanted)
        print(wanted.name)
        return 0
    if kind == "earthly":
        return _build(folder, wanted)
    if kind == "alpine":
        return subprocess.run(wanted.words or ("true",), check=False).returncode
    raise ContainerError(f"docker: the stand-in has no container of {wanted.image}")


def execute(folder: Path, arguments: list[str]) -> int:
    """Run a command in a container that is there; `-t` needs a terminal."""
    flags = [word for word in arguments if word.startswith("-")]
    words = [word for word in arguments if not word.startswith("-")]
    if any("t" in flag for flag in flags) and not sys.stdin.isatty():
        raise ContainerError("the input device is not a TTY")
    known = _read(folder, words[0])
    if words[1:] != ["update-ca-certificates"]:
        raise ContainerError(f"docker: the stand-in cannot run {words[1:]} in a container")
    source = known["mounts"].get(_AUTHORITIES, "")
    # As the tool does: nothing but *.crt is taken up.
    trusted = sorted(path.name for path in Path(source).glob("*.crt")) if source else []
    _file(folder, words[0]).write_text(json.dumps({**known, "trusted": trusted}), "utf-8")
    print(f"{len(trusted)} added, 0 removed; done.")
    return 0


def running(folder: Path) -> list[str]:
    """Return the names of the detached containers."""
    return sorted(path.stem for path in (folder / "containers").glob("*.json"))


def remove(folder: Path, name: str) -> None:
    """Remove a container. Raises ContainerError when there is none of that name."""
    _read(folder, name)
    _file(folder, name).unlink()


def _build(folder: Path, wanted: _Wanted) -> int:
    """Run the builder: in the folder that is mounted as its workspace, with what its BuildKit trusts."""
    workspace = wanted.mounts.get("/workspace", "")
    if not wanted.privileged or not workspace:
        raise ContainerError("docker: the builder needs --privileged and a workspace")
    trusted: list[str] = []
    if "BUILDKIT_HOST" in wanted.environment:
        trusted = list(_read(folder, "earthly-buildkitd").get("trusted", []))
    command = [sys.executable, "-m", earthly.__name__, *wanted.words]
    environment = {**os.environ, "LAB_DOCKER": str(folder), "LAB_TRUSTED": ",".join(trusted)}
    return subprocess.run(command, cwd=workspace, env=environment, check=False).returncode


def _mountable(source: str) -> None:
    """Make what is to be mounted and is not there: a folder, whatever was meant."""
    if source != _SOCKET and not Path(source).exists():
        Path(source).mkdir(parents=True)


def _parsed(arguments: list[str]) -> _Wanted:
    parser = argparse.ArgumentParser(prog="docker run", allow_abbrev=False)
    for flag in ("--rm", "--privileged"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("-d", "--detach", action="store_true")
    parser.add_argument("-t", "--tty", action="store_true")
    parser.add_argument("-i", "--interactive", action="store_true")
    parser.add_argument("-v", "--volume", action="append", default=[])
    parser.add_argument("-e", "--env", action="append", default=[])
    parser.add_argument("-p", "--publish", action="append", default=[])
    parser.add_argument("--name", default="")
    parser.add_argument("image")
    parser.add_argument("words", nargs=argparse.REMAINDER)
    given = parser.parse_args(arguments)
    if given.tty and not sys.stdin.isatty():
        raise ContainerError("the input device is not a TTY")
    mounts = {target: source for source, target in (one.split(":")[:2] for one in given.volume)}
    environment = dict(one.partition("=")[::2] for one in given.env)
    return _Wanted(
        given.image, tuple(given.words), mounts, environment, given.name, given.privileged
    )  # fmt: skip


def _write(folder: Path, wanted: _Wanted) -> None:
    file = _file(folder, wanted.name)
    if file.exists():
        raise ContainerError(f'docker: Conflict. The container name "/{wanted.name}" is already in use.')
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"image": wanted.image, "mounts": wanted.mounts, "trusted": []}), "utf-8")


def _read(folder: Path, name: str) -> dict[str, Any]:
    file = _file(folder, name)
    if not file.exists():
        raise ContainerError(f"Error response from daemon: No such container: {name}")
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def _file(folder: Path, name: str) -> Path:
    return folder / "containers" / f"{name}.json"
