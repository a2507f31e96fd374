"""The lab's four networks of 256 addresses, and how a free place for them is found on somebody else's machine."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from edge.errors import LabError
from lab.proc import run

DEFAULT_NETWORK = IPv4Network("10.231.76.0/22")
# Where to look, in this order, when the default is taken: private ranges that few sites use.
_RANGES = ("10.231.0.0/16", "10.187.0.0/16", "172.29.0.0/16", "192.168.224.0/19")
_LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class Block:
    """A /22: the network of the hosts, the one behind the jump host, the services, and the uplink of what is behind."""

    network: IPv4Network = DEFAULT_NETWORK

    def part(self, index: int) -> IPv4Network:
        """Return one of the four networks: 0 hosts, 1 behind the jump host, 2 services, 3 uplink."""
        return list(self.network.subnets(new_prefix=24))[index]

    def address(self, part: int, host: int) -> IPv4Address:
        """Return the address `host` of one of the four networks."""
        return self.part(part)[host]

    @property
    def gateway(self) -> IPv4Address:
        """Return this machine's address in the network of the hosts; the proxy listens there."""
        return self.address(0, 1)

    @property
    def uplink_gateway(self) -> IPv4Address:
        """Return this machine's address in the uplink network."""
        return self.address(3, 1)

    @property
    def services(self) -> IPv4Address:
        """Return the address of the stand-ins with certificates of the public CA."""
        return self.address(2, 1)

    @property
    def corporate(self) -> IPv4Address:
        """Return the address of the stand-ins with certificates of the corporate CA."""
        return self.address(2, 2)

    @property
    def enis(self) -> tuple[IPv4Address, ...]:
        """Return the addresses of the cluster's network interfaces, one in each of its subnets."""
        return self.address(2, 11), self.address(2, 43)

    @property
    def eni_subnets(self) -> tuple[IPv4Network, ...]:
        """Return the subnets of the cluster's network interfaces."""
        return tuple(list(self.part(2).subnets(new_prefix=27))[:2])

    @property
    def remote_nodes(self) -> tuple[IPv4Network, ...]:
        """Return the networks from which hosts of the site reach the control plane: theirs, and their uplink."""
        return next(self.network.subnets(new_prefix=23)), self.part(3)

    @property
    def silent(self) -> IPv4Address:
        """Return an address on which nothing listens until a fault needs it."""
        return self.address(2, 20)

    def moved(self, text: str) -> str:
        """Return a text with every address of the default block replaced by the same address of this one."""
        first = int(DEFAULT_NETWORK.network_address)

        def move(match: re.Match[str]) -> str:
            try:
                address = IPv4Address(match[0])
            except ValueError:
                return match[0]
            if address not in DEFAULT_NETWORK:
                return match[0]
            return str(self.network.network_address + (int(address) - first))

        return re.sub(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)", move, text)


def choose_block(taken: Iterable[IPv4Network]) -> Block:
    """Return the first block that overlaps none of the networks in `taken`; the default one if that is free.

    Raises LabError when none is free.
    """
    used = list(taken)
    candidates = [DEFAULT_NETWORK]
    for name in _RANGES:
        candidates += IPv4Network(name).subnets(new_prefix=22)
    for network in candidates:
        if not any(network.overlaps(other) for other in used):
            return Block(network)
    raise LabError(
        f"no free network of 1024 addresses in {', '.join(_RANGES)}",
        remedy="remove a route to these ranges (`ip route`), or take another lab down.",
    )


def networks_in_use() -> list[IPv4Network]:
    """Return every network that this machine has an address in or a route to, default routes apart."""
    used: list[IPv4Network] = []
    for route in json.loads(run("ip", "-4", "-json", "route", "show", "table", "all") or "[]"):
        with contextlib.suppress(ValueError):
            network = IPv4Network(str(route["dst"]), strict=False)
            if network.prefixlen and not network.is_loopback and not network.is_multicast:
                used.append(network)
    return used


@contextlib.contextmanager
def choosing() -> Iterator[None]:
    """Hold off every other lab of this machine while a block is chosen and taken.

    The lock is a name among abstract sockets: it leaves no file, and ends with the process that holds it.
    """
    deadline = time.monotonic() + _LOCK_SECONDS
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        while True:
            try:
                lock.bind("\0edge-hosts-lab-network")
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise LabError(
                        "another lab has been choosing its network for a minute", remedy="end it, then try again."
                    ) from None
                time.sleep(0.1)
        yield
