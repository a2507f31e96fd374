"""The AWS networking outputs of a site: region, cluster endpoint, ENIs, remote networks, credential provider."""

from typing import Any, Optional

import pulumi
from pulumi import Output, ResourceOptions

from components import names
from edge.network import NetworkFacts
from edge.settings import StackSettings


class EksNetwork(pulumi.ComponentResource):
    """The AWS side of a site behind one interface, whichever source it has.

    Source `given`: the values of the stack file; AWS is asked nothing. Output: `facts`, the JSON form of
    `edge.network.NetworkFacts`; every endpoint, firewall row and host check follows from it.
    """

    facts: Output[dict[str, Any]]

    def __init__(self, name: str, settings: StackSettings, opts: Optional[ResourceOptions] = None) -> None:
        super().__init__(names.token("EksNetwork"), name, {"source": settings.site.network.source}, opts)
        self.facts = Output.from_input(NetworkFacts.given(settings).to_dict())
        self.register_outputs({"facts": self.facts})
