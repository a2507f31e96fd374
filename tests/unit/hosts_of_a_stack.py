"""A stack of two scripted machines behind real SSH servers, for the commands that look at hosts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from edge import inspection, ssh
from edge.ssh_errors import connected_socket
from tests.scripts.checks_machine import Machine, described, laid_over
from tests.unit.settings_helpers import project, put, site
from tests.unit.ssh_server import Host, Wishes

NAMES = {"plant-a": "10.200.0.11", "plant-b": "10.200.0.12"}
CLUSTER = "0123456789ABCDEF0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com"


@dataclass
class Stack:
    """The project's folder, and each host's server and machine by name."""

    root: Path
    servers: dict[str, Host]
    machines: dict[str, Machine]
    ways: dict[str, int]

    def arguments(self, command: str, *more: str) -> list[str]:
        """Return the arguments of an edgectl command for this stack."""
        return [command, "plant-dev", "--root", str(self.root), "--report-dir", str(self.root / "reports"), *more]


def boots(boot: str) -> dict[str, Any]:
    """Return a `cat` that tells a boot of this machine alone; the machine that runs the tests has only one."""
    return {"/proc/sys/kernel/random/boot_id": f"boot-{boot}", "*": {"run": 'exec /bin/cat "$@"'}}


def machine(folder: Path, name: str, **over: Any) -> Machine:
    """Return a machine that a site of these settings would call healthy."""
    address, letter = NAMES[name], name[-1]
    own = {
        "without": ["curl"],
        "files": {
            "/etc/machine-id": letter * 32,
            "/sys/class/dmi/id/product_uuid": f"4200000{letter}-0000-0000-0000-000000000001",
            "/proc/sys/kernel/hostname": name,
        },
        "commands": {
            "cat": boots(letter),
            "ip": {
                "-o -4 addr show": f"2: ens160    inet {address}/24 scope global ens160\\ valid_lft forever",
                "-o -4 route show": "default via 10.200.0.1 dev ens160\n10.200.0.0/24 dev ens160 scope link",
                "-o -4 route get *": f"10.100.0.10 via 10.200.0.1 dev ens160 src {address} uid 0 \\ cache",
            },
            "getent": {
                "passwd *": "edge:x:1000:1000::/home/edge:/bin/bash",
                "ahostsv4 api.spectrocloud.com": "203.0.113.1 STREAM x",
                f"ahostsv4 {CLUSTER}": "10.100.0.10 STREAM x",
                "*": {"exit": 2},
            },
        },
    }
    return Machine(folder / name, laid_over(laid_over(described("ubuntu-24.04"), own), over))


def wishes(key: asyncssh.SSHKey, of: Machine) -> Wishes:
    """Return a server that runs its commands on a scripted machine."""
    return Wishes(keys=(key,), env={"PATH": str(of.bin), "EH_ROOT": str(of.root)})


@contextmanager
def stack(folder: Path, monkeypatch: pytest.MonkeyPatch, *changes: Any, **over: dict[str, Any]) -> Iterator[Stack]:
    """Yield a running stack. `over` changes the machine of a host: plant_a={...}."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    monkeypatch.setenv("EDGE_HOSTS_SECRET_SSH_PRIVATE_KEY", key.export_private_key().decode())
    monkeypatch.setenv("EDGE_HOSTS_SECRET_REGISTRATION_TOKEN", "canary-token")
    machines = {name: machine(folder, name, **over.get(name.replace("-", "_"), {})) for name in NAMES}
    with ExitStack() as opened:
        servers = {name: opened.enter_context(Host(wishes(key, machines[name]))) for name in NAMES}
        keys = [put(f"hosts.{name}.hostKey", server.host_key) for name, server in servers.items()]
        root = folder / "project"
        root.mkdir()
        project(root, site(*keys, put("network.endpointMode", "private"), *changes))
        ways = {NAMES[name]: server.port for name, server in servers.items()}

        async def there(address: str, port: int, seconds: float, host: str) -> socket.socket:
            return await connected_socket("127.0.0.1", ways.get(address, port), seconds, host)

        monkeypatch.setattr(ssh, "connected_socket", there)
        monkeypatch.setattr(inspection, "endpoint_table", lambda query: ())
        yield Stack(root, servers, machines, ways)
