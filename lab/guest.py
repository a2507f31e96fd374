"""Gives a new machine its identity, in its own layer over the shared root, before it boots for the first time.

Only ever done to a fresh layer: later its files belong to the machine, and a symbolic link there could point anywhere.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lab.machines import ASKING_USER, LOGIN_USER, MachinePlan

_PUBLIC_CA = "usr/local/share/ca-certificates/lab-public.crt"


@dataclass(frozen=True)
class Identity:
    """What tells one machine from every other: its id and its SSH host key (private in OpenSSH format, public line)."""

    machine_id: str
    host_key: str
    host_key_public: str


@dataclass(frozen=True)
class Fittings:
    """What all machines of a lab get alike: the key that may log in, the public CA, the package sources."""

    authorized_key: str
    public_ca: str
    apt_sources: str


def furnish(root: Path, plan: MachinePlan, identity: Identity, fittings: Fittings) -> None:
    """Write identity, name service, sshd's address, login keys and package sources into a fresh root."""
    _write(root, "etc/machine-id", identity.machine_id + "\n", 0o444)
    _write(root, "etc/hostname", plan.name + "\n")
    _write(root, "etc/hosts", f"127.0.0.1 localhost\n{plan.address} {plan.name}\n::1 localhost ip6-localhost\n")
    _write(root, "etc/ssh/ssh_host_ed25519_key", identity.host_key, 0o600)
    _write(root, "etc/ssh/ssh_host_ed25519_key.pub", identity.host_key_public + "\n")
    if plan.only_first_nic:
        _write(root, "etc/ssh/sshd_config.d/listen.conf", f"ListenAddress {plan.address}\n")
    _name_service(root, plan)
    outfit(root, fittings)
    for user, home in (("root", "root"), (LOGIN_USER, f"home/{LOGIN_USER}"), (ASKING_USER, f"home/{ASKING_USER}")):
        _authorize(root, home, user, fittings.authorized_key)


def outfit(root: Path, fittings: Fittings) -> None:
    """Write what belongs to the lab, not to a machine, into a fresh root: its public CA and its package sources."""
    _write(root, _PUBLIC_CA, fittings.public_ca)
    _write(root, "etc/apt/sources.list.d/lab.list", fittings.apt_sources)


def _name_service(root: Path, plan: MachinePlan) -> None:
    if plan.nameserver is None:
        _write(root, "etc/resolv.conf", "# This machine has no DNS: names are resolved by the proxy.\n")
        return
    _write(root, "etc/resolv.conf", f"nameserver {plan.nameserver}\noptions timeout:2 attempts:2\n")
    # systemd-resolved takes the place of the file above when it is installed; a real network tells it, too.
    _write(root, "etc/systemd/resolved.conf.d/site.conf", f"[Resolve]\nDNS={plan.nameserver}\nDomains=~.\n")


def _authorize(root: Path, home: str, user: str, key: str) -> None:
    owner = _owner(root, user)
    folder = root / home / ".ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    _write(root, f"{home}/.ssh/authorized_keys", key + "\n", 0o600)
    for path in (folder, folder / "authorized_keys"):
        os.chown(path, *owner)


def _owner(root: Path, user: str) -> tuple[int, int]:
    """Return the numbers of a user and its group as the guest knows them."""
    for line in (root / "etc/passwd").read_text("utf-8").splitlines():
        fields = line.split(":")
        if fields[0] == user:
            return int(fields[2]), int(fields[3])
    raise KeyError(user)


def _write(root: Path, name: str, text: str, mode: int = 0o644) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(mode)
