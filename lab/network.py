"""The networks of a lab: bridges on this machine, one namespace per lab machine, and nothing else of this machine.

Nothing is forwarded between networks and no packet filter is touched: every stand-in listens on an address of this
machine, and a machine that is reached through the jump host hangs on a bridge in a namespace of its own, where this
machine's packet filter does not apply.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal, TypeVar

from edge.errors import LabError
from lab.block import Block
from lab.machines import MachinePlan
from lab.paths import LabPaths
from lab.proc import run
from lab.record import Made, Record
from lab.takedown import interface_exists, unmount

T = TypeVar("T")
Lan = Literal["hosts", "lan", "uplink"]
_CLONE_NEWNET = 0x40000000
# What tells a lab's bridge from one that happens to have its name.
_ALIAS = "edge-hosts-lab"


class Network:
    """Makes the networks of one lab and connects machines to them. Everything goes on the record first."""

    def __init__(self, paths: LabPaths, record: Record, block: Block) -> None:
        self._paths = paths
        self._record = record
        self.block = block
        self.bridges = {lan: f"{paths.prefix}-{lan}" for lan in ("hosts", "uplink", "svc")}
        self._lan_netns = paths.netns / "lan"

    def up(self) -> None:
        """Make the bridges, this machine's addresses on them, and the namespace that holds the inner network."""
        block = self.block
        self._paths.netns.mkdir(exist_ok=True)
        self._bridge("hosts", [f"{block.gateway}/24"])
        self._bridge("uplink", [f"{block.uplink_gateway}/24"])
        services = (block.services, block.corporate, *block.enis, block.silent)
        self._bridge("svc", [f"{address}/32" for address in services])
        # Refuses at once what only the jump host can reach, and tells other labs that the block is taken.
        route = f"unreachable {block.part(1)}"
        self._record.add("route", route=route)
        run("ip", "route", "replace", *route.split())
        self._make_netns(self._lan_netns)
        ip_in(self._lan_netns, "link add lan type bridge forward_delay 0", "link set lan up")

    def attach(self, plan: MachinePlan) -> Path:
        """Make the namespace of a machine with its interfaces, addresses and default route; return the namespace.

        A machine keeps all of it through its reboots, as it would keep its cables and its static configuration.
        """
        netns = self._paths.netns / plan.key
        self._make_netns(netns)
        commands = ["link set lo up"]
        for index, nic in enumerate(plan.nics):
            self._cable(plan.key, netns, index, nic.lan)
            commands += [f"addr add {nic.address} dev host{index}", f"link set host{index} up"]
        if plan.gateway:
            commands.append(f"route add default via {plan.gateway}")
        commands += [f"route add {route}" for route in plan.routes]
        ip_in(netns, *commands)
        return netns

    def _bridge(self, lan: str, addresses: Sequence[str]) -> None:
        name = self.bridges[lan]
        if interface_exists(name):
            self._forget_leftover(name)
        self._link(name)
        commands = [f"link add name {name} type bridge forward_delay 0", f"link set {name} alias {_ALIAS}"]
        commands += [f"addr add {address} dev {name}" for address in addresses]
        run("ip", "-batch", "-", stdin="\n".join([*commands, f"link set {name} up"]))

    def _forget_leftover(self, name: str) -> None:
        """Remove a bridge of a lab in this folder whose record somebody removed; raise LabError for another's."""
        if Path("/sys/class/net", name, "ifalias").read_text("utf-8").strip() != _ALIAS:
            raise LabError(
                f"the network interface {name} exists, and no lab made it",
                remedy=f"see `ip link show {name}`: rename or remove it, or put the lab into another folder "
                "(EDGE_HOSTS_LAB).",
            )
        run("ip", "link", "del", "dev", name)

    def _cable(self, machine: str, netns: Path, index: int, lan: Lan) -> None:
        outer = self.cable_name(machine, index)
        if lan == "lan":
            # Both ends lie in namespaces, so the cable goes with either of them.
            run_in(
                self._lan_netns, "ip", "link", "add", outer, "type", "veth", "peer", f"host{index}", "netns", str(netns)
            )
            ip_in(self._lan_netns, f"link set {outer} master lan up")
            return
        self._link(outer)
        run("ip", "link", "add", outer, "type", "veth", "peer", f"host{index}", "netns", str(netns))
        run("ip", "link", "set", outer, "master", self.bridges[lan], "up")

    def socket(self, key: str) -> tuple[Path, tuple[Made, ...]]:
        """Return the namespace that a VM's interface will lie in, and the entries of the record that stand for both."""
        netns = self._paths.netns / key
        return netns, (self._record.add("netns", path=str(netns)), self._link(self.cable_name(key, 0)))

    def replug(self, key: str, device: str, mac: str) -> None:
        """Give a VM, before it boots, its one interface as firmware leaves it: without a configuration."""
        netns, outer = self._paths.netns / key, self.cable_name(key, 0)
        self.unplug(key)
        netns.touch()
        run("unshare", f"--net={netns}", "true")
        peer = ("peer", "name", device, "address", mac, "netns", str(netns))
        run("ip", "link", "add", outer, "type", "veth", *peer)
        run("ip", "link", "set", outer, "master", self.bridges["hosts"], "up")

    def unplug(self, key: str) -> None:
        """Remove the interface of a VM and its namespace."""
        netns, outer = self._paths.netns / key, self.cable_name(key, 0)
        if interface_exists(outer):
            run("ip", "link", "del", "dev", outer)
        unmount(netns)
        netns.unlink(missing_ok=True)

    def plug(self, plan: MachinePlan, connected: bool) -> None:
        """Pull the cable of a machine's first interface, or plug it in again. The machine keeps its addresses."""
        command = f"link set {self.cable_name(plan.key, 0)} {'up' if connected else 'down'}"
        if plan.nics[0].lan == "lan":
            ip_in(self._lan_netns, command)
        else:
            run("ip", "-batch", "-", stdin=command)

    def cable_name(self, machine: str, index: int) -> str:
        """Return the name of a cable's outer end: at most 15 characters, the kernel's limit."""
        return f"{self._paths.prefix}{hashlib.sha256(machine.encode()).hexdigest()[:7]}{index}"

    def _link(self, name: str) -> Made:
        return self._record.add("link", name=name)

    def _make_netns(self, path: Path) -> None:
        self._record.add("netns", path=str(path))
        unmount(path)
        path.touch()
        run("unshare", f"--net={path}", "true")


def run_in(netns: Path, *argv: str, stdin: str | None = None, check: bool = True) -> str:
    """Run a tool in a network namespace and return its standard output."""
    return run("nsenter", f"--net={netns}", *argv, stdin=stdin, check=check)


def ip_in(netns: Path, *commands: str, check: bool = True) -> None:
    """Give `ip` some commands in a network namespace, in one process."""
    run_in(netns, "ip", "-batch", "-", stdin="\n".join(commands), check=check)


def inside_netns(netns: Path, action: Callable[[], T]) -> T:
    """Return what `action` returns when called in a network namespace.

    Sockets made there belong to the namespace for good. It runs in a thread of its own, because a namespace is a
    property of a thread; the thread ends with the call.
    """
    outcome: list[T] = []
    problem: list[BaseException] = []

    def body() -> None:
        try:
            descriptor = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(descriptor, _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {netns}")
            finally:
                os.close(descriptor)
            outcome.append(action())
        except BaseException as error:  # handed on to the caller's thread
            problem.append(error)

    thread = threading.Thread(target=body, name=f"netns-{netns.name}")
    thread.start()
    thread.join()
    if problem:
        raise problem[0]
    return outcome[0]


def banner(netns: Path, address: IPv4Address, port: int = 22, seconds: float = 1.0) -> bool:
    """Return whether an SSH server answers at `address`, seen from inside the namespace."""

    def ask() -> bool:
        with socket.create_connection((str(address), port), timeout=seconds) as connection:
            connection.settimeout(seconds)
            return connection.recv(4) == b"SSH-"

    try:
        return inside_netns(netns, ask)
    except OSError:
        return False


def reaches(netns: Path, address: IPv4Address, port: int, seconds: float = 2.0) -> bool:
    """Return whether a machine can open a connection to `address`."""

    def ask() -> bool:
        socket.create_connection((str(address), port), timeout=seconds).close()
        return True

    try:
        return inside_netns(netns, ask)
    except OSError:
        return False
