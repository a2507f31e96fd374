"""The root file system of an image: the lab's base, the authorities, and what the Dockerfile's commands do to it.

The commands really run, in the root, as root. `/boot`, documents, and the lists and caches of packages are left out.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.builder.tools.arguments import BASE, Arguments, BuildFailedError

FACTS = "usr/lib/edge-hosts-lab/image.json"
"""What an image is: agent, Kubernetes, system, and the authorities that its build trusted."""
AGENT = "opt/spectrocloud/bin/palette-agent"
AGENT_VERSION = "@AGENT_VERSION@"
"""Stands in the base for the version of the agent, which is that of the tag."""
_LEFT_OUT = (
    "./boot/*", "./dev/*", "./proc/*", "./run/*", "./sys/*", "./tmp/*", "./var/tmp/*", "./var/cache/apt/*", "./var/lib/apt/lists/*",
    "./usr/share/doc/*", "./usr/share/man/*", "./usr/share/locale/*", "./usr/share/info/*", "./var/log/journal/*", "./debs",
)  # fmt: skip
_RESOLVER = "run/systemd/resolve/stub-resolv.conf"
_CHUNK = 1 << 20
_RUN_SECONDS = 900


@dataclass(frozen=True)
class Layer:
    """A packed root: the file (tar, zstd), and the digest of the tar in it."""

    layer: Path
    diff_id: str


@contextmanager
def image_root(given: Arguments, kubernetes: str, docker: Path, *, small: bool) -> Iterator[Layer]:
    """Yield the packed root; the file may be moved away. `small`: the disk for it is full after a few megabytes.

    Raises BuildFailedError when a command of the Dockerfile fails or there is no space.
    """
    docker.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="build-", dir=docker))
    mounts: list[Path] = []
    try:
        if small:
            _mount(mounts, work, "-t", "tmpfs", "-o", "size=8m", "tmpfs")
        for name in ("upper", "work", "root"):
            (work / name).mkdir()
        lower = ":".join(str(path) for path in sorted(BASE.glob("[0-9]*")))
        options = f"lowerdir={lower},upperdir={work / 'upper'},workdir={work / 'work'}"
        _mount(mounts, work / "root", "-t", "overlay", "-o", options, "overlay")
        _furnish(work / "root", given, kubernetes)
        yield _pack(work / "root", work / "rootfs.tar.zst")
    finally:
        for point in mounts[::-1]:
            subprocess.run(["umount", "--lazy", str(point)], check=False)
        shutil.rmtree(work, ignore_errors=True)


def _furnish(root: Path, given: Arguments, kubernetes: str) -> None:
    """Do to a root what the Dockerfile says, in its order."""
    for word, rest in given.instructions():
        if word == "COPY" and "certs/" in rest:
            _copy_authorities(root, given)
        elif word == "RUN":
            _run(root, rest)
        elif word == "ENV":
            with (root / "etc/environment").open("a", encoding="utf-8") as stream:
                stream.write(rest.replace(" ", "=", 1) + "\n" if "=" not in rest else rest + "\n")
        elif word not in ("ARG", "FROM", "COPY", "LABEL", "WORKDIR", "USER", "SHELL"):
            raise BuildFailedError(f"Dockerfile: unknown instruction {word}")
    if given.authorities():
        _run(root, "command -v update-ca-certificates >/dev/null && update-ca-certificates")
    agent = root / AGENT
    if agent.is_file():
        text = agent.read_text("utf-8")
        agent.write_text(text.replace(AGENT_VERSION, given.pe_version.removeprefix("v")), "utf-8")
    facts = {
        "agent": given.pe_version,
        "distribution": given.values.get("K8S_DISTRIBUTION", ""),
        "kubernetes": kubernetes,
        "system": f"{given.values.get('OS_DISTRIBUTION', '')} {given.values.get('OS_VERSION', '')}".strip(),
        "image": given.image_name(kubernetes),
        "runs": given.runs(),
        "authorities": [path.name for path in given.authorities()],
        "buildkitTrusts": list(given.trusted),
    }
    place = root / FACTS
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")


def _copy_authorities(root: Path, given: Arguments) -> None:
    place = root / "usr/local/share/ca-certificates"
    place.mkdir(parents=True, exist_ok=True)
    for path in given.authorities():
        shutil.copyfile(path, place / path.name)


def _run(root: Path, command: str) -> None:
    """Run a command in the root, with processes, devices and name service. Raises BuildFailedError when it fails."""
    print(f"{'base-image':>24} | RUN {command}", flush=True)
    resolver = root / _RESOLVER
    resolver.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile("/etc/resolv.conf", resolver)
    inner = 'mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && exec chroot "$1" /bin/sh -c "$2"'
    words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", inner, "sh", str(root), command]
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    done = subprocess.run(
        ["env", "-i", path, "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", *words],
        stdin=subprocess.DEVNULL, timeout=_RUN_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BuildFailedError(f"the command '/bin/sh -c {command}' did not complete. Exit code {done.returncode}")


def _pack(root: Path, target: Path) -> Layer:
    """Pack a root in one pass; return the file and the digest of what is in it."""
    tar = ["tar", "--create", "--numeric-owner", "--xattrs", "--sort=name", "--one-file-system", f"--directory={root}"]
    tar += [f"--exclude={pattern}" for pattern in _LEFT_OUT]
    digest = hashlib.sha256()
    with (
        target.open("wb") as out,
        subprocess.Popen([*tar, "."], stdout=subprocess.PIPE) as packing,
        subprocess.Popen(["zstd", "-q", "-1", "-T0"], stdin=subprocess.PIPE, stdout=out) as pressing,
    ):
        assert packing.stdout is not None and pressing.stdin is not None
        try:
            while part := packing.stdout.read(_CHUNK):
                digest.update(part)
                pressing.stdin.write(part)
            pressing.stdin.close()
        except BrokenPipeError:
            packing.kill()
    if packing.returncode or pressing.returncode:
        raise BuildFailedError("write rootfs: no space left on device" if pressing.returncode else "tar failed")
    return Layer(target, f"sha256:{digest.hexdigest()}")


def _mount(mounts: list[Path], point: Path, *words: str) -> None:
    point.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *words, str(point)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailedError(f"mount: {done.stderr.strip()}")
    mounts.append(point)
