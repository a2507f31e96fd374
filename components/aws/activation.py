"""The SSM hybrid activation of a site: made for its hosts, or one that exists and is handed on."""

from typing import Any, Optional

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from components import names
from components.secrets import Secrets
from edge.aws import activation as rules
from edge.aws.iam import role_in
from edge.network import NetworkFacts
from edge.network_question import NetworkQuestion
from edge.settings.aws_values import shown_timestamp
from edge.settings.identity import MadeActivation


class SiteActivation(pulumi.ComponentResource):
    """Makes the activation with which the hosts of a site register, or takes a given one.

    Outputs: `facts` without a secret: `id`, `region`, `expires` (UTC; "" when it is not known), `registrations` (0 when
    they are not known) and `role` (name, after its path when it has one); `code`, a secret, None for a given activation
    whose code is not in the stack. Everything of an activation is fixed: a change makes a new one, before the old one is
    deleted. Hosts that have registered stay registered.
    """

    facts: Output[dict[str, Any]]
    code: Optional[Output[str]]

    def __init__(
        self,
        name: str,
        question: NetworkQuestion,
        network_facts: Output[dict[str, Any]],
        secrets: Secrets,
        opts: Optional[ResourceOptions] = None,
    ) -> None:
        activation = question.activation
        if activation is None:
            raise ValueError("the stack has no activation")
        super().__init__(names.token("SiteActivation"), name, {"source": activation.source}, opts)
        facts = network_facts.apply(NetworkFacts.from_dict)
        if isinstance(activation, MadeActivation):
            self._make(name, question, activation, facts)
        else:
            known = {"id": activation.id, "region": question.region, "expires": "", "registrations": 0}
            self.facts = facts.apply(lambda given: {**known, "role": role_in(given.hybrid_role_arn)})
            self.code = secrets.get(activation.code.secret) if activation.code else None
        self.register_outputs({"facts": self.facts})

    def _make(self, name: str, question: NetworkQuestion, wanted: MadeActivation, facts: Output[NetworkFacts]) -> None:
        """Make the activation, and set `facts` and `code`."""
        limit, expires = rules.limit_of(wanted, len(question.hosts)), shown_timestamp(wanted.expires)
        role = facts.apply(lambda given: rules.role_of(wanted.role, given.hybrid_role_arn))
        made = aws.ssm.Activation(
            names.child(name, "ssm"),
            name=rules.instance_name(question.site),
            description=rules.description(question.owner, question.site),
            iam_role=role,
            registration_limit=limit,
            expiration_date=expires,
            region=question.region,
            tags=facts.apply(lambda given: rules.activation_tags(question.owner, question.site, given.cluster_arn)),
            opts=ResourceOptions(
                parent=self,
                additional_secret_outputs=["activation_code"],
                # Its name is fixed, for which the provider would delete first: a failing create would leave none.
                delete_before_replace=False,
            ),
        )
        known = {"region": question.region, "expires": expires, "registrations": limit}
        self.facts = Output.all(made.id, role).apply(lambda given: {**known, "id": given[0], "role": given[1]})
        self.code = Output.secret(made.activation_code)
