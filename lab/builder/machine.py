"""The build machine `builder`: reached over SSH like a bare one, with a Docker that is the lab's, and a login to its registry.

It is shown, read-only: the tools of `lab/builder/tools`, the layers of the root that images begin with, and the faults of
builds. Docker's folder is one of this machine's, because the machine's own disk is a layer that carries no further one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from edge.errors import LabError
from lab.appliance import overlay
from lab.builder.tools.rootfs import AGENT_VERSION
from lab.disk import mount_disk
from lab.guest import Fittings, furnish, outfit
from lab.machine import Machine
from lab.machines import BUILDER
from lab.paths import CHECKOUT
from lab.proc import run
from lab.record import Record
from lab.services.names import REGISTRY_HOST
from lab.services.registry import login
from lab.site import Site
from lab.takedown import remove_tree, unmount

TOOLS = CHECKOUT / "lab" / "builder" / "tools"
_OWN_FILES = CHECKOUT / "lab" / "appliance"
_INSIDE = "/usr/local/lib/edge-hosts-lab"
_DOCKER = f"""#!/bin/sh
PYTHONPATH={_INSIDE} PYTHONDONTWRITEBYTECODE=1 exec python3 -m lab.builder.tools.docker "$@"
"""


@dataclass
class BuilderMachine(Machine):
    """The machine, and what it is shown of this one."""

    shown: tuple[tuple[Path, str], ...] = ()

    @property
    def docker(self) -> Path:
        """Return the folder of the machine's Docker. It goes with the machine's disk."""
        return self.place.folder / "docker"

    def _own_flags(self) -> list[str]:
        bound = [f"--bind-ro={path}:{inside}" for path, inside in self.shown]
        return [*super()._own_flags(), *bound, f"--bind={self.docker}:/var/lib/docker"]

    def _before_boot(self) -> None:
        self.docker.mkdir(exist_ok=True)


def shown_to_builder(site: Site, layers: tuple[Path, ...]) -> tuple[tuple[Path, str], ...]:
    """Return what the build machine is shown: folders of this machine, and where it sees them.

    `layers` are the root that images begin with, the upper one first.
    """
    base = [(path, f"{_INSIDE}/base/{number}") for number, path in enumerate(layers)]
    faults = site.paths.root / "build-faults"
    faults.mkdir(parents=True, exist_ok=True)
    identity = (site.paths.root / "appliance" / "id", f"{_INSIDE}/base/id")
    return (TOOLS, f"{_INSIDE}/lab/builder/tools"), *base, identity, (faults, f"{_INSIDE}/faults")


def furnish_builder(root: Path, site: Site) -> None:
    """Make a new disk the build machine's: identity, trust in the lab's CA, `docker`, and root's login to the registry."""
    furnish(root, site.plan(BUILDER), site.identities[BUILDER], site.fittings())
    run("chroot", str(root), "update-ca-certificates")
    _write(root / "usr/local/bin/docker", _DOCKER, 0o755)
    auth = {"auths": {REGISTRY_HOST: {"auth": login(site.secrets.get("registryPassword", ""))}}}
    _write(root / "root/.docker/config.json", json.dumps(auth, indent=2) + "\n", 0o600)


def appliance_layers(site: Site, record: Record) -> tuple[Path, ...]:
    """Return the layers of the root that images begin with, the upper one first, made if they are not up to date.

    The upper one holds what belongs to the lab (its public CA, its package sources) and the appliance's own files. Raises
    LabError for a lab without the root.
    """
    if site.appliance is None:
        raise LabError("this lab was made without a root for appliances", remedy="take it down and up again.")
    folder, wanted = site.paths.root / "appliance", _digest(site.appliance, site.fittings())
    identity = folder / "id"
    if not identity.exists() or identity.read_text("utf-8") != wanted:
        remove_tree(folder)
        merged = mount_disk(f"{site.paths.prefix}-appliance", (site.appliance,), folder, record)
        try:
            outfit(merged, site.fittings())
            run("chroot", str(merged), "update-ca-certificates")
            overlay.write(merged, AGENT_VERSION)
        finally:
            unmount(merged)
        identity.write_text(wanted, "utf-8")
    return folder / "upper", site.appliance


def _digest(root: Path, fittings: Fittings) -> str:
    """Return what the layers are made of: the root, what belongs to the lab, and the sources of the appliance's files."""
    facts = hashlib.sha256(f"{root}\n{fittings.public_ca}\n{fittings.apt_sources}".encode())
    for folder in (_OWN_FILES, CHECKOUT / "lab" / "vendor"):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                facts.update(f"{path.relative_to(CHECKOUT)}\n".encode() + path.read_bytes())
    return facts.hexdigest()


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(text, "utf-8")
    path.chmod(mode)
