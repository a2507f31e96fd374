"""The machine of a bare-metal appliance: somebody boots it by hand. Nothing is created or deleted; what it gets is frozen."""

from collections.abc import Sequence
from typing import Any, Optional

import pulumi
from pulumi import Input, Output, Resource, ResourceOptions

from components import names
from components.errors import said_plainly
from components.secrets import Secrets
from components.vm_parts import public_key
from edge.appliance.made import wanted
from edge.images.facts import ImageFacts
from edge.settings import HostSettings, StackSettings
from edge.vm.made_from import MadeFrom


def bare_wanted(
    settings: StackSettings, host: HostSettings, image_facts: Output[dict[str, Any]], secrets: Secrets
) -> Output[str]:
    """Return what the next installation of a bare-metal appliance would be of, as the JSON that the claim freezes."""

    def text(given: dict[str, Any]) -> str:
        with said_plainly():
            return wanted(host, settings, ImageFacts.from_dict(given["facts"]), host_key=given["key"]).to_json()

    key = public_key(settings, host, secrets)
    return Output.unsecret(Output.all(key=key, facts=image_facts).apply(text))


class ApplianceBare(pulumi.ComponentResource):
    """A machine that is installed by hand. Outputs: `address` (IPv4, as frozen), `uuid` (empty), `host_key` (derived)."""

    address: Output[str]
    uuid: Output[str]

    def __init__(self, host: HostSettings, made: Output[MadeFrom], opts: Optional[ResourceOptions] = None) -> None:
        super().__init__(names.token("ApplianceBare"), names.child(host.name, "machine"), {"host": host.name}, opts)
        self.address = made.apply(lambda one: one.address or str(host.address))
        self.uuid = Output.from_input("")
        self.host_key: Input[Optional[str]] = made.apply(lambda one: one.host_key or None)
        self.ready: Sequence[Resource] = ()
        self.facts: Output[dict[str, Any]] = Output.from_input({})
        self.register_outputs({"address": self.address, "uuid": self.uuid})
