"""Rules about the AWS side of a stack: who may own what, and what the networks must keep before anything is asked of AWS.

Cluster, remote networks, rules, role and access entry belong to one stack that knows all sites of the cluster; a site
owns its activation, or, with `source: managed`, everything of a cluster that serves it alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path

from edge.aws.access import AwsAccess
from edge.findings import Finding, errors
from edge.settings.names import name_findings
from edge.settings.network import GivenNetwork, LookupNetwork, ManagedNetwork, StackNetwork
from edge.settings.site import NetworkStack, Site, SiteNetworks

# Facts that AWS makes: a plan cannot know them, so that they are missing is no problem of the settings.
_MADE_BY_AWS = {
    "cluster_endpoint": "clusterEndpoint",
    "cluster_ca": "clusterCa",
    "eni_addresses": "eniAddresses",
    "service_cidr": "serviceCidr",
    "kubernetes_version": "kubernetesVersion",
    "inbound_resolvers": "inboundResolvers",
}
_REMOTE = {"remoteNodeCidrs": "remote_node_cidrs", "remotePodCidrs": "remote_pod_cidrs"}
_LISTS = {**_REMOTE, "vpcCidrs": "vpc_cidrs", "eniSubnets": "eni_subnets"}
_OF_THE_CLUSTER = ("serviceCidr", "kubernetesVersion", "endpointMode", "authMode")
_A_FACT = re.compile(r"site\.network\.([a-zA-Z]+)(?:\[([0-9]+)\])?")
_OWNER = "the one stack of kind network that knows all sites of the cluster"


def site_source_findings(site: Site) -> Iterator[Finding]:
    """Yield what a site says about its AWS side that it may not, or that does not fit together."""
    network = site.network
    if isinstance(network, LookupNetwork):
        yield from _only_in_a_network_stack(network)
    if isinstance(network, ManagedNetwork) and not network.remote_node_cidrs:
        problem = "is empty: a cluster without them accepts no hybrid node"
        yield Finding("site.network.remoteNodeCidrs", None, problem, "Write the networks of the hosts.")


def network_stack_findings(stack: str, project: str, whole: NetworkStack, region: str | None) -> list[Finding]:
    """Return what the rules say about a network stack of the right shape. `region` is None when unknown."""
    from edge.settings.aws_rules import identity_findings

    found = [*name_findings(stack, project, whole.name, whole.stage), *_sources(whole), *_apart(whole)]
    network = whole.network
    found += identity_findings(network, "site.network")
    if isinstance(network, GivenNetwork):
        known = (map(str, network.remote_node_cidrs), map(str, network.remote_pod_cidrs))
        found += outside(whole.sites, *known, remedy="Add it to those of `network`, or correct it.")
    return [*found, *_offline(stack, project, whole, region, found)]


def _sources(whole: NetworkStack) -> Iterator[Finding]:
    network = whole.network
    vpns = [name for name, site in whole.sites.items() if site.vpn]
    if isinstance(network, StackNetwork):
        yield Finding(
            "site.network.source", "stack", "is for sites: a network stack takes its network from no other one",
            "Write `source: given`, `lookup` or `managed`.",
        )  # fmt: skip
    if isinstance(network, ManagedNetwork):
        for key, value in (
            ("remoteNodeCidrs", network.remote_node_cidrs),
            ("remotePodCidrs", network.remote_pod_cidrs),
        ):
            if value:
                shown = ", ".join(map(str, value))
                problem = "is taken from the sites in a network stack, which would be a second list"
                yield Finding(f"site.network.{key}", shown, problem, f"Write it as `sites.NAME.{key}`.")
        if network.vpn:
            problem = "is the VPN of one site, but a network stack has several"
            yield Finding("site.network.vpn", None, problem, "Write it as `sites.NAME.vpn`.")
    else:
        for name in vpns:
            problem = f"is made with `source: managed` only, and the source is {network.source}"
            yield Finding(f"site.sites.{name}.vpn", None, problem, "Remove it; its connection is made elsewhere.")


def _only_in_a_network_stack(network: LookupNetwork) -> Iterator[Finding]:
    if network.identity is not None:
        problem = f"makes role and access entry of the whole cluster, which belong to {_OWNER}"
        yield Finding("site.network.identity", None, problem, "Move it there; the site reads the role.")
    if network.security_group_rules:
        problem = f"makes rules of the cluster's own security group, which belong to {_OWNER}"
        yield Finding("site.network.securityGroupRules", True, problem, "Move it there.")


def _apart(whole: NetworkStack) -> Iterator[Finding]:
    """Yield the networks that two sites share: neither EKS nor a router can tell them apart."""
    blocks = [
        (f"site.sites.{name}.{key}[{at}]", name, block)
        for name, site in whole.sites.items()
        for key, field in _REMOTE.items()
        for at, block in enumerate(getattr(site, field))
    ]
    for (_, first, one), (where, second, other) in combinations(blocks, 2):
        if first != second and one.overlaps(other):
            problem = f"overlaps {one} of the site {first}"
            yield Finding(where, str(other), problem, "Give every site networks of its own.")


def outside(
    sites: Mapping[str, SiteNetworks], nodes: Iterable[str], pods: Iterable[str], *, remedy: str
) -> Iterator[Finding]:
    """Yield every network of a site that lies in none of the cluster's remote networks (`nodes`, `pods`)."""
    for key, known in (("remoteNodeCidrs", list(nodes)), ("remotePodCidrs", list(pods))):
        around = [IPv4Network(one) for one in known]
        for name, site in sites.items():
            for at, block in enumerate(getattr(site, _REMOTE[key])):
                if not any(block.subnet_of(one) for one in around):
                    problem = f"lies in none of the cluster's networks of that kind ({', '.join(known) or 'none'})"
                    yield Finding(f"site.sites.{name}.{key}[{at}]", str(block), problem, remedy)


def _offline(
    stack: str, project: str, whole: NetworkStack, region: str | None, found: list[Finding]
) -> Iterator[Finding]:
    """Yield what the rules of AWS say about the values that are known without asking: those given, or to be made."""
    network = whole.network
    if region is None or isinstance(network, LookupNetwork | StackNetwork) or errors(found):
        return
    from edge.aws.plan import planned_facts
    from edge.network import NetworkFacts, network_rules
    from edge.network_question import question_of
    from edge.network_source import plan_findings  # they need the settings, too
    from edge.settings.network_stack import NetworkSettings

    if isinstance(network, GivenNetwork):
        yield from network_rules(NetworkFacts.written(network, region), {}, whole.stage)
        return
    access = AwsAccess(region=region)
    settings = NetworkSettings(stack=stack, project=project, root=Path(), site=whole, region=region, aws=access)
    question = question_of(settings)
    facts = planned_facts(question)
    for one in without_unknown(network_rules(facts, {}, whole.stage), facts):
        yield at_its_place(one, facts, network, whole)
    yield from plan_findings(question)


def without_unknown(found: list[Finding], facts: object) -> list[Finding]:
    """Return the findings without those that only say that a value is missing which AWS makes."""
    missing = {f"site.network.{key}" for name, key in _MADE_BY_AWS.items() if not getattr(facts, name)}
    return [one for one in found if one.where not in missing or one.value is not None]


def at_its_place(
    finding: Finding, facts: object, network: ManagedNetwork, whole: NetworkStack | None = None
) -> Finding:
    """Return a finding about planned facts as one about the key of the settings that the value was written in."""
    places = _places(network, whole)

    def place(match: re.Match[str]) -> str:
        if match[2] is None:
            return f"site.network.cluster.{match[1]}" if match[1] in _OF_THE_CLUSTER else match[0]
        texts = getattr(facts, _LISTS[match[1]], ())
        at = int(match[2])
        return places.get((match[1], texts[at]), match[0]) if at < len(texts) else match[0]

    where, problem = (_A_FACT.sub(place, text) for text in (finding.where, finding.problem))
    return replace(finding, where=where, problem=problem)


def _places(network: ManagedNetwork, whole: NetworkStack | None) -> Mapping[tuple[str, str], str]:
    """Return where each block stands, by the name of the fact and its text; of one that is written twice the first."""
    vpc, base = network.vpc, "site.network.vpc"
    written: list[tuple[str, str, object]] = [
        ("vpcCidrs", f"{base}.cidr", vpc.cidr),
        *(("vpcCidrs", f"{base}.secondaryCidrs[{at}]", one) for at, one in enumerate(vpc.secondary_cidrs)),
        *(("vpcCidrs", f"{base}.cidrs[{at}]", one) for at, one in enumerate(vpc.cidrs)),
        *(("eniSubnets", f"{base}.subnets[{at}].cidr", one.cidr) for at, one in enumerate(vpc.subnets)),
        *(("eniSubnets", f"{base}.subnetIds.{id_}", one) for id_, one in vpc.subnet_ids.items()),
    ]
    for name, site in (whole.sites if whole else {}).items():
        for key, field in _REMOTE.items():
            where = f"site.sites.{name}.{key}"
            written += [(key, f"{where}[{at}]", block) for at, block in enumerate(getattr(site, field))]
    found: dict[tuple[str, str], str] = {}
    for key, where, block in written:
        found.setdefault((key, str(block)), where)
    return found
