"""A stack of kind `network`: the AWS side of many sites, and the one owner of what belongs to their cluster. No hosts."""

import os
import secrets as random
from dataclasses import dataclass
from typing import Any, Optional

import pulumi
from pulumi import ResourceOptions

from components import names
from components.network import EksNetwork
from components.secrets import Secrets
from edge.network import NetworkFacts
from edge.network_outputs import FORM, site_networks
from edge.network_request import aws_side
from edge.network_source import answer_of, question_of
from edge.settings import NetworkSettings


@dataclass(frozen=True)
class EdgeNetworkArgs:
    """The validated settings of a network stack, and access to its secrets."""

    settings: NetworkSettings
    secrets: Secrets


class EdgeNetwork(pulumi.ComponentResource):
    """The network of several sites.

    `exports` holds what site stacks read (`kind`, `form`, `network`, `sites`) and the AWS side of the firewall request.
    """

    exports: dict[str, Any]

    def __init__(self, name: str, args: EdgeNetworkArgs, opts: Optional[ResourceOptions] = None) -> None:
        settings = args.settings
        question = question_of(settings)
        answer = answer_of(question)  # before anything is registered
        super().__init__(names.token("EdgeNetwork"), name, {"stage": settings.stage}, opts)
        for warning in settings.warnings:
            pulumi.log.warn(str(warning), self)
        child = ResourceOptions(parent=self)
        self.network = EksNetwork(f"{name}-network", question, args.secrets, child, answer=answer)
        self.exports = self._exports(settings)
        self.register_outputs({"sites": list(settings.site.sites)})

    def _exports(self, settings: NetworkSettings) -> dict[str, Any]:
        facts = self.network.facts
        return {
            "kind": settings.site.kind,
            "form": FORM,
            "stage": settings.stage,
            "owner": settings.owner,
            "run": os.environ.get("EDGE_HOSTS_RUN_ID") or random.token_hex(8),
            "network": facts,
            "sites": site_networks(settings.site.sites),
            "firewall": facts.apply(lambda given: [rule.to_dict() for rule in aws_side(NetworkFacts.from_dict(given))]),
        }
