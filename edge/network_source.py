"""Where the facts of a network come from: the same question for a site and for a network stack, whatever the source.

`answer_of` is for the program (before anything is registered), `network_facts` for `edgectl` (without an engine). A
network stack's exports reach the program as Outputs, so the program takes them from its own StackReference.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.aws import plan_rules
from edge.aws.plan import network_plan, planned_facts
from edge.aws.rules import findings_of
from edge.aws.view import AwsView
from edge.endpoints.partitions import partition_of
from edge.errors import FactsError, SettingsError
from edge.facts import load_facts
from edge.findings import Finding, errors
from edge.network import NetworkFacts, network_rules
from edge.network_outputs import site_facts
from edge.network_question import NetworkQuestion, question_of
from edge.settings.network import LookupNetwork, ManagedNetwork, Network, StackNetwork
from edge.settings.network_rules import outside
from edge.settings.network_stack import AwsSettings


@dataclass(frozen=True)
class Answer:
    """The facts of a network. `view` is there where AWS was asked, `note` says what a person should know about them."""

    facts: NetworkFacts
    view: AwsView | None = None
    note: str = ""


LookUp = Callable[[NetworkQuestion], Answer | None]


def _ask_aws(question: NetworkQuestion) -> Answer | None:
    """Return what AWS answers. Botocore takes its time to import, so only who asks waits for it."""
    from edge.aws.lookup import look_up

    looked = look_up(question)
    return Answer(looked.facts, looked.view)


_look_up: ContextVar[LookUp] = ContextVar("look_up", default=_ask_aws)


@contextmanager
def instead_of_aws(look_up: LookUp) -> Iterator[None]:
    """Let the program ask `look_up` instead of AWS: to plan without credentials. None = not known here, as in a preview."""
    token = _look_up.set(look_up)
    try:
        yield
    finally:
        _look_up.reset(token)


def ask_aws(question: NetworkQuestion) -> Answer | None:
    """Return what AWS answers, or what stands in for it (`instead_of_aws`). Raises AwsError."""
    return _look_up.get()(question)


def answer_of(question: NetworkQuestion) -> Answer | None:
    """Return the facts as far as they are known before anything is registered, judged; None where they come later.

    Raises AwsError, and SettingsError with everything that is wrong with the network.
    """
    network = question.network
    if isinstance(network, StackNetwork | ManagedNetwork):
        return None
    if not isinstance(network, LookupNetwork):
        return Answer(NetworkFacts.written(network, question.region))
    answer = ask_aws(question)
    if answer is not None:
        judged(question, answer.facts, answer.view)
    return answer


def judged(question: NetworkQuestion, facts: NetworkFacts, view: AwsView | None = None) -> list[Finding]:
    """Return the warnings about facts that were read. Raises SettingsError with every finding when there is an error."""
    found = findings_about(question, facts, view)
    if errors(found):
        raise SettingsError(errors(found))
    return found


def findings_about(question: NetworkQuestion, facts: NetworkFacts, view: AwsView | None = None) -> list[Finding]:
    """Return everything that the rules say about facts that were read, all at once."""
    site: dict[str, Any] = {"os_names": question.os_names, "others": question.others}
    if question.own:
        site["own"] = question.own
    if view is not None:
        found = findings_of(view, facts, question, datetime.now(UTC), **site)
        return [_renamed(one, question) for one in found]
    found = network_rules(facts, question.hosts, question.stage, kubernetes=question.kubernetes, **site)
    command = _update_command(question, facts)
    missing = outside(question.sites, facts.remote_node_cidrs, facts.remote_pod_cidrs, remedy=command)
    return [*(_renamed(one, question) for one in found), *missing]


def _renamed(finding: Finding, question: NetworkQuestion) -> Finding:
    """Return a finding under the name of what was read, where no key of the settings has its value."""
    key = finding.where.removeprefix("site.network.").partition("[")[0]
    network = question.network
    written = {info.alias or name for name, info in type(network).model_fields.items()}
    if not finding.where.startswith("site.network.") or key in written:
        return finding
    what = f"network stack {network.stack}" if isinstance(network, StackNetwork) else f"cluster {_cluster(network)}"
    return replace(finding, where=f"{what}: {finding.where.removeprefix('site.network.')}")


def _cluster(network: Network) -> str:
    return network.cluster if isinstance(network, LookupNetwork) else "of this network"


def _update_command(question: NetworkQuestion, facts: NetworkFacts) -> str:
    """Return the remedy for missing remote networks. EKS replaces both lists whole, so it names all blocks."""
    lists = {}
    for name, key, known in (
        ("remoteNodeNetworks", "remote_node_cidrs", facts.remote_node_cidrs),
        ("remotePodNetworks", "remote_pod_cidrs", facts.remote_pod_cidrs),
    ):
        wanted = (str(block) for site in question.sites.values() for block in getattr(site, key))
        lists[name] = [{"cidrs": list(dict.fromkeys((*known, *wanted)))}]
    config = json.dumps(lists, separators=(",", ":"))
    return (
        f"Run `aws eks update-cluster-config --region {facts.region} --name {facts.cluster_name}"
        f" --remote-network-config '{config}'`, in the tool that owns the cluster, or correct it."
    )


def networks_of(question: NetworkQuestion) -> NetworkFacts:
    """Return facts that know the networks of all sites of a network stack, and nothing else: what rules are made for."""
    sites = question.sites.values()
    return NetworkFacts(
        region=question.region,
        partition=partition_of(question.region).id,
        cluster_name=_cluster(question.network),
        cluster_endpoint="",
        remote_node_cidrs=tuple(str(block) for site in sites for block in site.remote_node_cidrs),
        remote_pod_cidrs=tuple(str(block) for site in sites for block in site.remote_pod_cidrs),
    )


def plan_findings(question: NetworkQuestion) -> list[Finding]:
    """Return what is wrong with the making of a managed network: gateways, VPNs, private path, cluster."""
    return list(plan_rules.plan_findings(network_plan(question)))


# -- without an engine ------------------------------------------------------------------------------------------------


def network_facts(settings: AwsSettings, root: Path, *, file: Path | None = None) -> Answer:
    """Return the facts of a stack's network for `edgectl`: given, asked of AWS, or exported by the stack that knows them.

    `file` holds exported outputs, of the network stack for `source: stack`, else of this stack; nothing is asked then.
    Raises FactsError, AwsError or SettingsError.
    """
    network, question = settings.site.network, question_of(settings)
    if isinstance(network, StackNetwork):
        return Answer(_of_network_stack(network, question, root, file))
    if isinstance(network, ManagedNetwork):
        return _of_managed(settings, question, root, file)
    if not isinstance(network, LookupNetwork):
        return Answer(NetworkFacts.given(settings))
    if file is not None:
        return Answer(_exported(settings.stack, root, file), note=f"What AWS says is taken from {file}, not asked.")
    answer = ask_aws(question)
    if answer is None:
        raise FactsError("AWS was not asked.", remedy="give exported outputs.", where=f"stack {settings.stack}")
    return answer


def _of_network_stack(network: StackNetwork, question: NetworkQuestion, root: Path, file: Path | None) -> NetworkFacts:
    known = load_facts(full_name(network.stack), root, file=file)
    return site_facts(known.outputs, site=question.site, region=question.region, stack=network.stack, network=network)


def full_name(stack: str, organization: str = "organization", project: str = "") -> str:
    """Return the name of a stack with its organization where it has a project; `organization` is that of own backends."""
    parts = stack.split("/")
    if len(parts) == 1 and project:
        parts = [project, *parts]
    return "/".join(parts) if len(parts) in (1, 3) else "/".join((organization, *parts))


def _of_managed(settings: AwsSettings, question: NetworkQuestion, root: Path, file: Path | None) -> Answer:
    try:
        return Answer(_exported(settings.stack, root, file))
    except FactsError as error:
        if file is not None:
            raise
        why = error.message.rstrip(".")
    note = f"Planned values: what AWS makes (API server, its CA, interfaces) is not known, because {why}."
    return Answer(planned_facts(question), note=note)


def _exported(stack: str, root: Path, file: Path | None) -> NetworkFacts:
    outputs = load_facts(stack, root, file=file).outputs
    network = outputs.get("network")
    if not isinstance(network, Mapping):
        remedy = "run `pulumi up` for it with this version of the program."
        raise FactsError("it has no output 'network'.", remedy=remedy, where=f"stack {stack}")
    return NetworkFacts.from_dict(network)
