"""The machines of the lab: which there are, where they hang, and how one logs in to them.

`bare`     an existing machine with a default route and DNS, and nothing installed
`proxied`  one without a default route: its only way out is the authenticating proxy; by VPN it reaches the control
           plane's interfaces, and its DNS knows nothing but the cluster
`jump`     the jump host
`jumped`   one whose sshd listens only in the network behind the jump host
`builder`  the build machine: git, an ISO writer, and a Docker that is the lab's

Beside them the program makes VMs, in the committed stack file one: `vm`.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import Literal

from lab.block import Block

LOGIN_USER = "edge"
ASKING_USER = "asksudo"
SSH_PORT = 22
VM_NAME = "vm"
BUILDER = "builder"


@dataclass(frozen=True)
class Nic:
    """One network interface of a machine: `host0`, `host1`, ... in the order of the plan."""

    lan: Literal["hosts", "lan", "uplink"]
    address: IPv4Interface


@dataclass(frozen=True)
class MachinePlan:
    """What a machine is when it is new.

    `routes` are those beside the default route; with `only_first_nic`, sshd listens on the first interface only.
    `device` is the first interface as the machine names it. `id` tells VMs apart, whose names may change.
    """

    name: str
    nics: tuple[Nic, ...]
    gateway: IPv4Address | None = None
    nameserver: IPv4Address | None = None
    routes: tuple[str, ...] = ()
    via: str | None = None
    only_first_nic: bool = False
    device: str = "host0"
    id: str = ""

    @property
    def key(self) -> str:
        """Return what things of this machine are named after: folders, namespaces, cables."""
        return self.id or self.name

    @property
    def address(self) -> IPv4Address:
        """Return the address at which one logs in."""
        return self.nics[0].address.ip

    @property
    def way_out(self) -> IPv4Address:
        """Return the address from which the machine asks others: that of the interface with the default route."""
        leaving = (nic for nic in self.nics if self.gateway is not None and self.gateway in nic.address.network)
        return next(leaving, self.nics[0]).address.ip


def vm_address(block: Block, number: int = 0) -> IPv4Address:
    """Return the address of a VM in the network of the hosts: 0 is that of the committed stack file."""
    return block.address(0, 21 + number)


def plans(block: Block) -> tuple[MachinePlan, ...]:
    """Return the machines of the lab in the order in which they start."""

    def nic(lan: Literal["hosts", "lan", "uplink"], part: int, host: int) -> Nic:
        return Nic(lan, IPv4Interface(f"{block.address(part, host)}/24"))

    return (
        MachinePlan("bare", (nic("hosts", 0, 11),), gateway=block.gateway, nameserver=block.services),
        MachinePlan(
            "proxied",
            (nic("hosts", 0, 12),),
            nameserver=block.gateway,
            routes=tuple(f"{address}/32 via {block.gateway}" for address in block.enis),
        ),
        MachinePlan(
            "jump",
            (nic("hosts", 0, 10), nic("lan", 1, 10)),
            gateway=block.gateway,
            nameserver=block.services,
        ),
        MachinePlan(
            "jumped",
            (nic("lan", 1, 13), nic("uplink", 3, 13)),
            gateway=block.uplink_gateway,
            nameserver=block.services,
            via="jump",
            only_first_nic=True,
        ),
        MachinePlan(BUILDER, (nic("hosts", 0, 14),), gateway=block.gateway, nameserver=block.services),
    )
