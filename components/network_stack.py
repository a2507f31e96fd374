"""A stack of kind `network`: the AWS side of many sites, and the one owner of what belongs to their cluster. No hosts."""

import os
import secrets as random
from dataclasses import dataclass
from typing import Any, Optional

import pulumi
from pulumi import Output, ResourceOptions

from components import names
from components.network import EksNetwork
from components.secrets import Secrets
from edge.aws.security import OF_THE_CLUSTER, outbound_only, security_rules
from edge.endpoints.partitions import partition_of
from edge.network import NetworkFacts
from edge.network_outputs import FORM, site_networks
from edge.network_question import NetworkQuestion, question_of
from edge.network_request import aws_side
from edge.network_source import Answer, answer_of, networks_of
from edge.settings import LookupNetwork, NetworkSettings


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
        facts = self._own_objects(question, answer, child)
        self.exports = self._exports(settings, facts)
        self.register_outputs({"sites": list(settings.site.sites)})

    def _own_objects(
        self, question: NetworkQuestion, answer: Optional[Answer], child: ResourceOptions
    ) -> Output[dict[str, Any]]:
        """Make what this stack owns of a cluster of another tool, if anything, and return the facts with it.

        A managed network makes its own.
        """
        network, facts, name = question.network, self.network.facts, self._name
        if not isinstance(network, LookupNetwork):
            return facts
        if network.security_group_rules:
            self._security_rules(question, answer, child)
        if network.identity is None:
            return facts
        from components.aws.identity import HybridIdentity  # only who makes something waits for the SDK of AWS

        identity = HybridIdentity(
            f"{name}-identity",
            network.identity,
            provider=network.credential_provider,
            account=facts.apply(lambda known: known["account_id"]),
            region=question.region,
            partition=partition_of(question.region).id,
            cluster_name=network.cluster,
            cluster_arn=facts.apply(lambda known: NetworkFacts.from_dict(known).cluster_arn),
            tags={},
            protect=question.stage == "prod",
            opts=child,
        )
        made = {
            "hybrid_role_arn": identity.role_arn,
            "trust_anchor_arn": identity.trust_anchor_arn,
            "profile_arn": identity.profile_arn,
        }
        # What is given by its ARN, or is not used, stays as the look-up found it.
        return Output.all(facts=facts, **made).apply(
            lambda all_: all_["facts"] | {key: all_[key] for key in made if all_[key]}
        )

    def _security_rules(self, question: NetworkQuestion, answer: Optional[Answer], child: ResourceOptions) -> None:
        """Make the rules of all sites in the cluster's own group; EKS makes the inbound ones itself."""
        from components.aws.security_rules import SecurityRules  # only who makes something waits for the SDK of AWS

        rules = security_rules(networks_of(question), roles=OF_THE_CLUSTER)
        unknown: Any = pulumi.UNKNOWN
        view = answer.view if answer else None
        SecurityRules(
            f"{self._name}-cluster",
            group_id=view.cluster.cluster_group if view else Output.from_input(unknown),
            rules=outbound_only(rules),
            region=question.region,
            opts=child,
        )

    def _exports(self, settings: NetworkSettings, facts: Output[dict[str, Any]]) -> dict[str, Any]:
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
