"""The site that the lab stands for: its block of addresses, its machines with their keys, its secrets, its stack file.

Everything is decided once, when the lab comes up for the first time, and kept in the lab's folder until it is taken
down: so a lab that was interrupted comes back as the same site.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from edge.errors import LabError
from lab.block import Block
from lab.guest import Fittings, Identity
from lab.keys import new_identity, new_secrets, public_line, write_private, write_private_json
from lab.machines import LOGIN_USER, SSH_PORT, VM_NAME, MachinePlan, plans, vm_address
from lab.paths import LabPaths

REGION = "eu-central-1"
# Generations of the VM whose host keys the lab's own ssh knows beforehand.
_GENERATIONS = 9
# As in the committed stack file.
STACK_SITE = "lab"
PROXY_USER = "lab"
PALETTE_PROJECT = "Lab"
# The cluster of the committed stack file.
CLUSTER = "lab"
CLUSTER_ENDPOINT = "https://ab0123456789abcdef0123456789abcd.gr7.eu-central-1.eks.amazonaws.com"
KUBERNETES = "1.31"
SERVICE_CIDR = "172.20.0.0/16"
REMOTE_PODS = "10.232.0.0/16"
PACKAGES_URL = "http://packages.lab.internal/debian"


@dataclass(frozen=True)
class SshTarget:
    """How one logs in to a machine; `via` is the jump host, itself a target."""

    host: str
    port: int
    user: str
    host_key: str
    key_file: Path
    via: SshTarget | None = None


@dataclass(frozen=True)
class Site:
    """The facts of one lab. `base` is the root file system, `debs` the folder of packages, `os_id` like `debian-12`.

    `template` is the root file system of VMs, `builder` that of the build machine, `appliance` that which images begin with;
    a lab of an earlier version has none.
    """

    paths: LabPaths
    block: Block
    suite: str
    os_id: str
    base: Path
    debs: Path
    identities: dict[str, Identity] = field(repr=False)
    secrets: dict[str, str] = field(repr=False)
    template: Path | None = None
    builder: Path | None = None
    appliance: Path | None = None

    @property
    def plans(self) -> tuple[MachinePlan, ...]:
        """Return the machines of the site."""
        return plans(self.block)

    def plan(self, name: str) -> MachinePlan:
        """Return the plan of a machine. Raises LabError for an unknown name."""
        for plan in self.plans:
            if plan.name == name:
                return plan
        names = ", ".join(plan.name for plan in self.plans)
        raise LabError(f"the lab has no machine {name!r}", remedy=f"its machines are {names}.")

    def ssh(self, name: str, user: str = LOGIN_USER) -> SshTarget:
        """Return how one logs in to a machine as `user` (the login user, `root`, or the one whose sudo asks)."""
        plan = self.plan(name)
        via = self.ssh(plan.via) if plan.via else None
        host_key = " ".join(self.identities[name].host_key_public.split()[:2])
        return SshTarget(str(plan.address), SSH_PORT, user, host_key, self.paths.private_key, via)

    def ssh_to_vm(self, generation: int = 1) -> SshTarget:
        """Return how one logs in to the VM of the committed stack file, as the program makes it in a generation."""
        from edge.vm.hostkey import derive

        key = derive(self.secrets["hostKeySeed"], site=STACK_SITE, host=VM_NAME, generation=generation)
        return SshTarget(str(vm_address(self.block)), SSH_PORT, LOGIN_USER, key.public, self.paths.private_key)

    def fittings(self) -> Fittings:
        """Return what all machines get alike. Raises LabError when the certificate authority is not made yet."""
        authority = self.paths.root / "ca" / "public.pem"
        if not authority.exists():
            raise LabError(f"{authority} is missing", remedy="run `python -m lab down` and `up` again.")
        lines = [f"deb [trusted=yes] {PACKAGES_URL} {suite} main" for suite in (self.suite, f"{self.suite}-updates")]
        return Fittings(
            authorized_key=public_line(self.secrets["sshPrivateKey"], "lab"),
            public_ca=authority.read_text("utf-8"),
            apt_sources="\n".join(lines) + "\n",
        )

    def save(self) -> None:
        """Write the site, its secrets and its ssh files into the lab's folder."""
        facts = {
            "network": str(self.block.network),
            "suite": self.suite,
            "os": self.os_id,
            "base": str(self.base),
            "debs": str(self.debs),
            "template": str(self.template or ""),
            "builder": str(self.builder or ""),
            "appliance": str(self.appliance or ""),
            "identities": {name: asdict(identity) for name, identity in self.identities.items()},
        }
        write_private_json(self.paths.secrets, self.secrets)
        write_private(self.paths.private_key, self.secrets["sshPrivateKey"])
        self._write_ssh_config()
        # The last one: a site without all of its files does not count as made.
        write_private_json(self.paths.site, facts)

    def _write_ssh_config(self) -> None:
        """Write a configuration with which `ssh -F .lab/ssh/config NAME` reaches every machine."""
        known, blocks = [], []
        for plan in self.plans:
            target = self.ssh(plan.name)
            known.append(f"{target.host} {target.host_key}")
            lines = [f"Host {plan.name}", f"  HostName {target.host}", f"  User {target.user}"]
            blocks += [*lines, f"  ProxyJump {plan.via}"] if plan.via else lines
        vm = self.ssh_to_vm()
        blocks += [f"Host {VM_NAME}", f"  HostName {vm.host}", f"  User {vm.user}"]
        known += [f"{vm.host} {self.ssh_to_vm(number).host_key}" for number in range(1, _GENERATIONS + 1)]
        common = [
            "Host *",
            f'  IdentityFile "{self.paths.private_key}"',
            f'  UserKnownHostsFile "{self.paths.ssh / "known_hosts"}"',
            "  IdentitiesOnly yes",
            "  StrictHostKeyChecking yes",
        ]
        write_private(self.paths.ssh / "known_hosts", "\n".join(known) + "\n")
        write_private(self.paths.ssh / "config", "\n".join([*blocks, *common]) + "\n")


def load_site(paths: LabPaths | None = None) -> Site | None:
    """Return the site of the lab in the given folder (default: the one that the environment names), or None."""
    place = paths or LabPaths.find()
    try:
        facts: dict[str, Any] = json.loads(place.site.read_text("utf-8"))
        values: dict[str, str] = json.loads(place.secrets.read_text("utf-8"))
    except FileNotFoundError:
        return None
    return Site(
        paths=place,
        block=Block(IPv4Network(facts["network"])),
        suite=facts["suite"],
        os_id=facts["os"],
        base=Path(facts["base"]),
        debs=Path(facts["debs"]),
        identities={name: Identity(**identity) for name, identity in facts["identities"].items()},
        secrets=values,
        **{name: Path(facts[name]) if facts.get(name) else None for name in ("template", "builder", "appliance")},
    )


def new_site(
    paths: LabPaths, block: Block, *, suite: str, os_id: str, base: Path, debs: Path, template: Path | None = None,
    builder: Path | None = None, appliance: Path | None = None,
) -> Site:  # fmt: skip
    """Return a new site with new keys and secrets, saved in the lab's folder."""
    identities = {plan.name: new_identity(plan.name) for plan in plans(block)}
    site = Site(paths, block, suite, os_id, base, debs, identities, new_secrets(), template, builder, appliance)
    site.save()
    return site
