"""The AWS networking outputs of a stack: region, cluster endpoint, ENIs, remote networks, credential provider."""

from collections.abc import Sequence
from typing import Any, Optional

import pulumi
from pulumi import Input, Output, Resource, ResourceOptions

from components import names
from components.errors import said_plainly
from components.secrets import Secrets
from edge.network import NetworkFacts
from edge.network_outputs import KEYS, site_facts
from edge.network_question import NetworkQuestion
from edge.network_source import Answer, answer_of, ask_aws, full_name, judged
from edge.settings import LookupNetwork, ManagedNetwork, StackNetwork


class EksNetwork(pulumi.ComponentResource):
    """The AWS side of a stack behind one interface, whichever source it has.

    `given`: the values of the stack file; AWS is asked nothing. `lookup`: read from AWS while the program runs, and
    judged before anything is registered. `stack`: the exports of a network stack, by a StackReference. `managed`: the
    objects are made here. Outputs, the same for all: `facts`, the JSON form of `edge.network.NetworkFacts`, from which
    every endpoint, firewall row and host check follows; and `ready`, for the `depends_on` of what must not be made
    before the facts are known to be good. Facts that are wrong end the program with everything that is wrong with them.
    """

    facts: Output[dict[str, Any]]
    ready: Sequence[Input[Resource]]

    def __init__(
        self,
        name: str,
        question: NetworkQuestion,
        secrets: Secrets,
        opts: Optional[ResourceOptions] = None,
        *,
        answer: Optional[Answer] = None,
    ) -> None:
        """`answer` is that of `answer_of(question)` where it was asked for already."""
        self._question = question
        if answer is None:
            answer = answer_of(question)
        super().__init__(names.token("EksNetwork"), name, {"source": question.network.source}, opts)
        after: Sequence[Resource] = ()
        if answer is not None:
            self.facts = Output.from_input(answer.facts.to_dict())
        elif isinstance(question.network, StackNetwork):
            self.facts = self._of_a_stack(name, question.network)
        elif isinstance(question.network, ManagedNetwork):
            self.facts, after = self._made_here(name, secrets)
        else:
            self.facts = not_known_here()
        # Nothing is a resource here, and it is no stored input of what waits for it. What is waited for is the Output itself:
        # it fails with the facts, and carries the resources that they come from (also while its value is unknown).
        good: Any = self.facts.apply(lambda _: None)
        self.ready = [*after, good]
        if isinstance(question.network, LookupNetwork) and answer is not None:
            self._warn(answer.facts, answer)
        self.register_outputs({"facts": self.facts})

    def _of_a_stack(self, name: str, network: StackNetwork) -> Output[dict[str, Any]]:
        """Return the facts that a network stack exports for this site."""
        organization = pulumi.get_organization() or "organization"  # without an engine there is none
        target = full_name(network.stack, organization, pulumi.get_project())
        reference = pulumi.StackReference(names.child(name, "stack"), target, ResourceOptions(parent=self))
        # Key by key: one secret export of that stack would make all of them secrets.
        outputs = Output.all(**{key: reference.get_output(key) for key in KEYS})

        def facts(given: dict[str, Any]) -> dict[str, Any]:
            question = self._question
            with said_plainly():
                found = site_facts(
                    given, site=question.site, region=question.region, stack=network.stack, network=network
                )
            return self._checked(found)

        return outputs.apply(facts)

    def _made_here(self, name: str, secrets: Secrets) -> tuple[Output[dict[str, Any]], Sequence[Resource]]:
        """Return the facts of the objects that are made here, and what hosts wait for."""
        from components.aws.managed import ManagedNetwork as Made  # only who makes something waits for the SDK of AWS

        made = Made(
            names.child(name, "managed"),
            self._question,
            secrets,
            ResourceOptions(parent=self),
            look_up=_facts_from_aws,
        )
        return made.facts.apply(lambda given: self._checked(NetworkFacts.from_dict(given))), made.ready

    def _checked(self, facts: NetworkFacts) -> dict[str, Any]:
        with said_plainly():
            self._warn(facts)
        return facts.to_dict()

    def _warn(self, facts: NetworkFacts, answer: Optional[Answer] = None) -> None:
        """Say the warnings about the facts. Raises SettingsError when there are errors."""
        for finding in judged(self._question, facts, answer.view if answer else None):
            pulumi.log.warn(str(finding), self)


def _facts_from_aws(question: NetworkQuestion) -> Optional[NetworkFacts]:
    """Return the facts of a cluster that exists in a managed network, None where AWS is not asked."""
    answer = ask_aws(question)
    return answer.facts if answer else None


def not_known_here() -> Output[dict[str, Any]]:
    """Return facts that nobody knows while this program runs: a plan without credentials."""
    unknown: Any = pulumi.UNKNOWN
    return Output.from_input(unknown)
