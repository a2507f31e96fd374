"""A build on the lab's build machine, as the program makes one: its own build over SSH, from the lab's own repository."""

from __future__ import annotations

import io
import shlex
import ssl
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pycdlib
from lab_hand import LabHand

from edge.appliance.userdata import build_file
from edge.canvos.build import Build, BuildRequest, Built, Waiting
from edge.canvos.shell import Done, LocalShell

MACHINE = "builder"
REPOSITORY = "https://github.com/spectrocloud/CanvOS"
REGISTRY = "registry.lab.internal/edge"
ARG = {
    "CUSTOM_TAG": "eks-hybrid", "IMAGE_REGISTRY": REGISTRY, "OS_DISTRIBUTION": "ubuntu", "IMAGE_REPO": "ubuntu", "OS_VERSION": "22.04",
    "K8S_DISTRIBUTION": "nodeadm", "K8S_VERSION": "1.31.0", "ARCH": "amd64", "UPDATE_KERNEL": "false",
}  # fmt: skip
_TRIES, _PAUSE = 300, 0.4


@dataclass
class Builder:
    """The build machine: a shell of it, and builds there. `ran` holds every script that it was asked to run."""

    lab: LabHand
    workdir: str
    ran: list[str] = field(default_factory=list)
    name: str = MACHINE
    socket: str = field(default_factory=lambda: f"{tempfile.mkdtemp(prefix='eh-ssh-')}/%C")

    def run(self, script: str, stdin: str = "") -> Done:
        """Run a script there as the login user."""
        self.ran.append(script)
        config = shlex.quote(str(self.lab.paths.ssh / "config"))
        remote = shlex.quote(f"exec bash -c {shlex.quote(script)}")
        return LocalShell().run(f"ssh -F {config} {self._kept()} {MACHINE} {remote}", stdin)

    def _kept(self) -> str:
        """Return the options with which one connection serves many commands."""
        options = ("ControlMaster=auto", f"ControlPath={self.socket}", "ControlPersist=30", "ServerAliveInterval=2")
        return " ".join(f"-o {option}" for option in options)

    def disconnect(self) -> None:
        """Forget the connection: the machine is another one now, or has been off."""
        config = shlex.quote(str(self.lab.paths.ssh / "config"))
        LocalShell().run(f"ssh -F {config} {self._kept()} -O exit {MACHINE}")

    def says(self, script: str) -> str:
        """Run a script that must succeed and return what it said."""
        done = self.run(script)
        assert done.code == 0, done.out + done.err
        return done.out.strip()

    def request(self, **changes: Any) -> BuildRequest:
        """Return a build of v4.5.15 with one ISO."""
        given: dict[str, Any] = {
            "workdir": self.workdir, "repository": REPOSITORY, "tag": "v4.5.15", "arg": ARG, "user_data": {"poweroff": build_file("poweroff")},
            "registry": REGISTRY, "repo": "ubuntu", "kubernetes": "1.31.0", "custom_tag": "eks-hybrid", "iso_name": "palette-edge-installer",
            "seconds": 180, **changes,
        }  # fmt: skip
        if "accept_small" in BuildRequest.__dataclass_fields__:
            given.setdefault("accept_small", True)
        return BuildRequest(**given)

    def built(self, request: BuildRequest) -> Built:
        """Look again and again until the build is done; a new object each time, as after a kill."""
        for _ in range(_TRIES):
            now = Build(self, request).advance()
            if isinstance(now, Built):
                return now
            assert isinstance(now, Waiting)
            time.sleep(_PAUSE)
        raise AssertionError(f"the build did not end: {now}")

    def fetched(self, path: str) -> bytes:
        """Return the content of a file there, through the machine's disk on this one."""
        return (self.lab.paths.machines / MACHINE / "merged" / path.lstrip("/")).read_bytes()

    def checkout(self, tag: str = "v4.5.15") -> str:
        """Return a fresh clone at a tag, with an `.arg`, for whoever runs the script by hand. What that leaves belongs to root."""
        place = f"{self.workdir}/by-hand"
        lines = "".join(f"{name}={value}\n" for name, value in {**ARG, "ISO_NAME": "by-hand"}.items())
        self.says(f"sudo rm -rf {place}; git clone -q {REPOSITORY} {place} && cd {place} && git checkout -q {tag}")
        self.says(f"cat >{place}/.arg <<'EOF'\n{lines}EOF")
        return place


@dataclass(frozen=True)
class IsoContent:
    """What stands in an ISO: the volume's name, and its files by path."""

    volume: str
    files: dict[str, bytes]


def read_iso(content: bytes) -> IsoContent:
    """Return what is in an ISO, by its Rock Ridge names."""
    iso: Any = pycdlib.PyCdlib()
    iso.open_fp(io.BytesIO(content))
    assert iso.has_rock_ridge()
    files = {}
    for folder, _, names in iso.walk(rr_path="/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            target = io.BytesIO()
            iso.get_file_from_iso_fp(target, rr_path=path)
            files[path.lstrip("/")] = target.getvalue()
    volume = iso.pvd.volume_identifier.decode("ascii").strip()
    iso.close()
    return IsoContent(volume, files)


def registry_get(lab: LabHand, path: str, accept: str = "*/*") -> tuple[dict[str, str], bytes]:
    """Ask the lab's registry, as anybody may, and return headers and content."""
    authority = str(lab.paths.root / "ca" / "public.pem")
    with httpx.Client(verify=ssl.create_default_context(cafile=authority), trust_env=False, timeout=30) as client:
        answer = client.get(
            f"https://{lab.site.block.services}{path}",
            headers={"Host": "registry.lab.internal", "Accept": accept},
            extensions={"sni_hostname": "registry.lab.internal"},
        )
    assert answer.status_code == 200, answer.text
    return dict(answer.headers), answer.content


def unpacked(rootfs: bytes, folder: Path) -> Path:
    """Unpack the root file system of an ISO and return where it lies."""
    folder.mkdir()
    subprocess.run(
        ["tar", "--zstd", "-xf", "-", "-C", str(folder), "--exclude=./dev/*"], input=rootfs, check=True, timeout=120
    )
    return folder
