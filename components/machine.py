"""The machine of an edge host: what every kind gives to the rest of the chain, and the kind that already exists."""

from collections.abc import Sequence
from typing import Any, Optional, Protocol

import pulumi
from pulumi import Input, Output, Resource, ResourceOptions

from components import names
from edge.settings import HostSettings


class Machine(Protocol):
    """What the chain needs of a machine, whatever it is made of.

    `uuid` tells one machine of a name from the next; it is empty for an existing machine, which is told apart by the
    generation alone. `ready` is what the first step on the machine waits for, `facts` what the stack exports of it.
    """

    address: Output[str]
    uuid: Output[str]
    host_key: Input[Optional[str]]
    ready: Sequence[Resource]
    facts: Output[dict[str, Any]]


class ExistingMachine(pulumi.ComponentResource):
    """A machine that is there already: physical, or a VM that somebody else owns. Nothing is created or deleted.

    Outputs: `address` (IPv4), `uuid` (empty), `made_from` (what the claim froze).
    """

    address: Output[str]
    uuid: Output[str]

    def __init__(self, host: HostSettings, made_from: Input[str], opts: Optional[ResourceOptions] = None) -> None:
        super().__init__(
            names.token("ExistingMachine"), names.child(host.name, "machine"), {"address": str(host.address)}, opts
        )
        self.address = Output.from_input(str(host.address))
        self.uuid = Output.from_input("")
        self.host_key: Input[Optional[str]] = host.host_key
        self.ready: Sequence[Resource] = (self,)
        self.facts: Output[dict[str, Any]] = Output.from_input({})
        self.register_outputs({"address": self.address, "uuid": self.uuid, "made_from": made_from})
