"""Where the facts of a network come from: the same question for a site and for a network stack, whatever the source.

`answer_of` is for the program (before anything is registered), `network_facts` for `edgectl` (without an engine). A
network stack's exports reach the program as Outputs, so the program takes them from its own StackReference.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from edge.aws.access import AwsAccess
from edge.aws.view import AwsView
from edge.endpoints.partitions import partition_of
from edge.errors import FactsError, SettingsError
from edge.facts import load_facts
from edge.findings import Finding, errors
from edge.network import NetworkFacts, network_rules
from edge.network_outputs import site_facts
from edge.settings.identity import Activation
from edge.settings.managed import NewCluster
from edge.settings.network import LookupNetwork, ManagedNetwork, Network, StackNetwork
from edge.settings.network_rules import outside
from edge.settings.network_stack import AnySettings, NetworkSettings
from edge.settings.site import SiteNetworks
from edge.settings.stack import StackSettings
from edge.stages import Stage


@dataclass(frozen=True)
class NetworkQuestion:
    """What a source needs to know of the stack that asks.

    `site` is the site's name, "" in a network stack; `sites` the networks of the sites of a network stack, empty in a site.
    `hosts` are the addresses of the site's hosts, `kubernetes` the version that its release installs ("" = not judged),
    `generations` the sum of their generations: how often machines of the site have registered, or will have. `os_names`,
    `others` and `own` are what `edge.network.network_rules` wants to know of a site.
    """

    network: Network
    region: str
    stage: Stage
    owner: str
    aws: AwsAccess
    site: str = ""
    sites: Mapping[str, SiteNetworks] = field(default_factory=dict)
    hosts: Mapping[str, IPv4Address] = field(default_factory=dict)
    kubernetes: str = ""
    activation: Activation | None = None
    generations: int = 0
    os_names: tuple[str, ...] = ()
    others: Mapping[str, IPv4Address] = field(default_factory=dict)
    own: Mapping[str, IPv4Network] = field(default_factory=dict)

    @property
    def owns_cluster(self) -> bool:
        """Whether objects of the whole cluster may be made here: in a network stack, or where the site makes all of it."""
        return not self.site or self.network.source == "managed"


def question_of(settings: AnySettings) -> NetworkQuestion:
    """Return the question of a stack."""
    if isinstance(settings, NetworkSettings):
        return NetworkQuestion(
            network=settings.site.network,
            region=settings.site.network.region or settings.region,
            stage=settings.stage,
            owner=settings.owner,
            aws=settings.aws,
            sites=settings.site.sites,
        )
    site = settings.site
    return NetworkQuestion(
        network=site.network,
        region=site.network.region or settings.region,
        stage=settings.stage,
        owner=settings.owner,
        aws=settings.aws,
        site=site.name,
        hosts={name: host.ip for name, host in site.hosts.items()},
        kubernetes=settings.release.kubernetes,
        activation=site.activation,
        generations=sum(host.generation for host in site.hosts.values()),
        os_names=tuple(sorted({name for host in settings.host_views() for name in host.accept_os})),
        **_surroundings(settings),
    )


def _surroundings(settings: StackSettings) -> dict[str, Any]:
    """Return what else a site has written down that a cluster's networks must not swallow."""
    around = part("edge.settings.surroundings")
    if around is None:
        return {}
    views = settings.host_views()
    others = around.addresses_around(settings.site, views, settings.release)
    return {"others": others, "own": around.networks_around(settings.site)}


@dataclass(frozen=True)
class Answer:
    """The facts of a network. `view` is there where AWS was asked, `note` says what a person should know about them."""

    facts: NetworkFacts
    view: AwsView | None = None
    note: str = ""


LookUp = Callable[[NetworkQuestion], Answer | None]


def _ask_aws(question: NetworkQuestion) -> Answer | None:
    """Return what AWS answers. Botocore takes its time to import, so only who asks waits for it."""
    looked = importlib.import_module("edge.aws.lookup").look_up(question)
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
    rules = part("edge.aws.rules")
    if view is not None and rules is not None:
        found = rules.findings_of(view, facts, question, datetime.now(UTC), **site)
    else:
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


def planned_facts(question: NetworkQuestion) -> NetworkFacts:
    """Return what is known of a managed network before it is made; what AWS makes is empty."""
    plan = part("edge.aws.plan")
    planned: NetworkFacts = plan.planned_facts(question) if plan else _planned(question)
    return planned


def part(name: str) -> Any:
    """Return a module of the AWS side, None where this build has none of it."""
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def _planned(question: NetworkQuestion) -> NetworkFacts:
    network = question.network
    if not isinstance(network, ManagedNetwork):
        raise TypeError(f"a network of source {network.source} is not planned")
    vpc, cluster = network.vpc, network.cluster
    new = cluster if isinstance(cluster, NewCluster) else None
    sites = question.sites.values()
    nodes = [*network.remote_node_cidrs, *(one for site in sites for one in site.remote_node_cidrs)]
    pods = [*network.remote_pod_cidrs, *(one for site in sites for one in site.remote_pod_cidrs)]
    own = () if vpc.cidr is None else (vpc.cidr, *vpc.secondary_cidrs)
    return NetworkFacts(
        region=question.region,
        partition=partition_of(question.region).id,
        cluster_name=new.name if new else getattr(cluster, "existing", ""),
        cluster_endpoint="",
        endpoint_mode=new.endpoint_mode if new else "private",
        auth_mode=new.auth_mode if new else "API_AND_CONFIG_MAP",
        vpc_cidrs=tuple(map(str, (*own, *vpc.cidrs))),
        eni_subnets=tuple(map(str, (*(one.cidr for one in vpc.subnets), *vpc.subnet_ids.values()))),
        service_cidr=str(new.service_cidr) if new else "",
        remote_node_cidrs=tuple(dict.fromkeys(map(str, nodes))),
        remote_pod_cidrs=tuple(dict.fromkeys(map(str, pods))),
        credential_provider=network.credential_provider,
        private_path=network.private_path,
        inbound_resolvers=tuple(map(str, network.inbound_resolvers)),
        kubernetes_version=new.kubernetes_version if new else "",
    )


# -- without an engine ------------------------------------------------------------------------------------------------


def network_facts(settings: AnySettings, root: Path, *, file: Path | None = None) -> Answer:
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


def _of_managed(settings: AnySettings, question: NetworkQuestion, root: Path, file: Path | None) -> Answer:
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
