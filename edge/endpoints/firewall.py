"""The firewall request of a site: what a network team must open on its side, and in AWS, sorted for a ticket.

It follows from the endpoint table and the network facts alone, so two requests of the same site are equal line by line,
and the difference of two is what changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from edge.endpoints.model import NEEDS, PHASES, Endpoint, Need, Peer, Phase
from edge.endpoints.rows import ALWAYS, JOIN_ONGOING, ONGOING, PRIVATE_GUIDE, USER_GUIDE, host_and_port
from edge.endpoints.site import CILIUM_PAGE, KUBELET, PROTOCOLS
from edge.endpoints.table import endpoint_table, query_for

if TYPE_CHECKING:
    from edge.network import NetworkFacts
    from edge.settings import StackSettings

Side = Literal["site", "aws"]
Direction = Literal["out", "in"]
Via = Literal["direct", "proxy", "proxy or direct"]

# Sections in the order of the ticket: title, side.
SECTIONS: dict[str, tuple[str, Side]] = {
    "proxy": ("Site: edge hosts to the proxy", "site"),
    "palette": ("Site: edge hosts to Palette", "site"),
    "aws": ("Site: edge hosts to AWS services", "site"),
    "control-plane": ("Site: edge hosts and pods to the EKS control plane", "site"),
    "inbound": ("Site: EKS control plane to edge hosts and pods (INBOUND)", "site"),
    "internet": ("Site: edge hosts to downloads, packages and images", "site"),
    "names-and-time": ("Site: names and time", "site"),
    "nodes": ("Site: between edge hosts", "site"),
    "tunnel": ("Site: tunnel to AWS", "site"),
    "aws-cluster": ("AWS: security groups of the cluster", "aws"),
    "aws-endpoints": ("AWS: security group of the interface endpoints", "aws"),
    "aws-resolver": ("AWS: security group of the inbound resolver", "aws"),
    "aws-nodes": ("AWS: security group of the cloud nodes", "aws"),
}
_ORDER = tuple(SECTIONS)

_PEER_SECTION: dict[Peer, str] = {"palette": "palette", "aws": "aws", "vpc": "control-plane", "internet": "internet"}

WEBHOOK_PORTS = "443, 8443, 9443"

_NO_SNAT = "pods are not hidden behind their node's address"
_WEBHOOKS = "webhooks run on edge hosts; these are common ports, theirs may differ"


@dataclass(frozen=True)
class FirewallRule:
    """One line of the request.

    `direction` is seen from the side that files it; `ports` is text ("" where the protocol has none).
    """

    section: str
    direction: Direction
    protocol: str
    ports: str
    source: str
    destination: str
    phase: frozenset[Phase]
    required: Need
    condition: str
    reason: str
    fact: str
    via: Via = "direct"

    @property
    def side(self) -> Side:
        """Who files it: the network team of the site, or that of the AWS account."""
        return SECTIONS[self.section][1]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        phases = [phase for phase in PHASES if phase in self.phase]
        return {"side": self.side, **data, "section": SECTIONS[self.section][0], "phase": phases}


def site_rules(settings: StackSettings, facts: NetworkFacts) -> tuple[FirewallRule, ...]:
    """Return the firewall request of a stack, every phase."""
    views = [settings.host_view(name).proxy for name in settings.site.hosts]
    proxies = {proxy.https for proxy in views if proxy} | {proxy.http_url for proxy in views if proxy}
    return firewall_rules(facts, endpoint_table(query_for(settings, facts)), sorted(proxies), some_direct=None in views)


def firewall_rules(
    facts: NetworkFacts, endpoints: Iterable[Endpoint], proxies: Collection[str] = (), *, some_direct: bool = True
) -> tuple[FirewallRule, ...]:
    """Return the request, sorted and unique.

    `proxies`: URLs of the site's proxies. `some_direct`: at least one host has none.
    """
    via: Via = "direct" if not proxies else "proxy or direct" if some_direct else "proxy"
    rules = {
        *_from_endpoints(facts, endpoints, via),
        *_to_proxies(facts, proxies),
        *_pods(facts),
        *_site_only(facts),
        *_aws_cluster(facts),
        *_aws_private(facts),
    }
    return tuple(sorted(rules, key=_order))


def of_phases(rules: Iterable[FirewallRule], phases: Collection[Phase]) -> tuple[FirewallRule, ...]:
    """Return the rules that one of `phases` needs; all of them when `phases` is empty."""
    return tuple(rule for rule in rules if not phases or rule.phase & frozenset(phases))


def _order(rule: FirewallRule) -> tuple[object, ...]:
    return (
        _ORDER.index(rule.section), NEEDS.index(rule.required), rule.direction, rule.protocol, rule.ports,
        rule.destination, rule.source, rule.reason,
    )  # fmt: skip


def _nodes(facts: NetworkFacts) -> str:
    return ", ".join(facts.remote_node_cidrs) or "edge hosts"


def _pod_networks(facts: NetworkFacts) -> str:
    return ", ".join(facts.remote_pod_cidrs) or "pods on edge hosts"


def _subnets(facts: NetworkFacts) -> str:
    return ", ".join(facts.eni_subnets or facts.vpc_cidrs) or "subnets of the cluster"


def _from_endpoints(facts: NetworkFacts, endpoints: Iterable[Endpoint], via: Via) -> Iterator[FirewallRule]:
    """The rows of the table, without single interface addresses: they change, and their subnets stand beside them."""
    pinned = set(facts.eni_addresses) if facts.eni_subnets or facts.vpc_cidrs else set()
    for row in endpoints:
        if row.host in pinned:
            continue
        ends = (_nodes(facts), _destination(facts, row)) if row.direction == "out" else (row.host, _nodes(facts))
        rule = _rule(_section(row), row.direction, row.protocol, str(row.port), ends, row.reason, row.source)
        way = via if row.via_proxy and row.direction == "out" else "direct"
        yield replace(rule, phase=row.phase, required=row.required, condition=row.condition, via=way)


def _section(row: Endpoint) -> str:
    if row.peer == "site":
        return "names-and-time" if row.port in (53, 123) else "nodes"
    if row.port == 53:
        return "names-and-time"
    return "inbound" if row.direction == "in" else _PEER_SECTION[row.peer]


def _destination(facts: NetworkFacts, row: Endpoint) -> str:
    """The far end; on a private path the addresses of a service's interface endpoint are in the VPC."""
    if row.peer == "aws" and not row.via_proxy and facts.private_path:
        return f"{row.host} ({row.private_service} in {', '.join(facts.vpc_cidrs)})"
    if row.peer == "vpc" and row.probe == "apiserver":
        return f"{row.host} (in {_subnets(facts)})"
    return row.host


def _rule(
    section: str,
    direction: Direction,
    protocol: str,
    ports: str,
    ends: tuple[str, str],
    reason: str,
    fact: str,
    *,
    phase: frozenset[Phase] = ONGOING,
    condition: str = "",
) -> FirewallRule:
    """Return a rule that is no row of the table. `ends`: the peer seen from here first, whichever way it goes."""
    source, destination = ends
    need: Need = "conditional" if condition else "required"
    return FirewallRule(section, direction, protocol, ports, source, destination, phase, need, condition, reason, fact)


def _to_proxies(facts: NetworkFacts, proxies: Collection[str]) -> Iterator[FirewallRule]:
    for url in proxies:
        host, port = host_and_port(url)
        reason = "every connection of this request that is marked `proxy`"
        yield _rule("proxy", "out", "tcp", str(port), (_nodes(facts), host), reason, USER_GUIDE, phase=ALWAYS)


def _pods(facts: NetworkFacts) -> Iterator[FirewallRule]:
    """What pods on edge hosts need beyond their node."""
    pods, subnets = _pod_networks(facts), _subnets(facts)
    reason = "pods to the API server"
    yield _rule("control-plane", "out", "tcp", "443", (pods, subnets), reason, USER_GUIDE, condition=_NO_SNAT)
    reason = "control plane to webhooks"
    yield _rule("inbound", "in", "tcp", WEBHOOK_PORTS, (subnets, pods), reason, USER_GUIDE, condition=_WEBHOOKS)
    peers = ", ".join((pods, *facts.vpc_cidrs))
    for protocol in PROTOCOLS:
        reason = "CoreDNS, on edge hosts and in the cloud"
        yield _rule("names-and-time", "out", protocol, "53", (pods, peers), reason, USER_GUIDE)
        yield _rule("names-and-time", "in", protocol, "53", (peers, pods), reason, USER_GUIDE)


def _site_only(facts: NetworkFacts) -> Iterator[FirewallRule]:
    """ICMP and the tunnel: no host can probe them, and every ticket needs them."""
    nodes, vpc = _nodes(facts), ", ".join(facts.vpc_cidrs) or "the VPC"
    reason = "path MTU discovery: without it large answers hang in a tunnel"
    yield _rule("inbound", "in", "icmp", "type 3 code 4", (vpc, nodes), reason, "EKS Hybrid Nodes field guides")
    condition = "health checks between nodes are wanted"
    reason = "Cilium's health checks"
    yield _rule("nodes", "in", "icmp", "type 8 and 0", (nodes, nodes), reason, CILIUM_PAGE, condition=condition)
    device, tunnels = "VPN device of the site", "outside addresses of the AWS tunnels"
    condition, source = "the site is connected by a site-to-site VPN", "Palette docs, prepare network"
    for protocol, ports in (("udp", "500"), ("udp", "4500"), ("esp", "")):
        for direction, ends in _both_ways(device, tunnels):
            yield _rule(
                "tunnel",
                direction,
                protocol,
                ports,
                ends,
                "IPsec tunnel",
                source,
                phase=JOIN_ONGOING,
                condition=condition,
            )


def _both_ways(here: str, there: str) -> tuple[tuple[Direction, tuple[str, str]], tuple[Direction, tuple[str, str]]]:
    return (("out", (here, there)), ("in", (there, here)))


def _aws_cluster(facts: NetworkFacts) -> Iterator[FirewallRule]:
    """Security groups on the control plane's interfaces, and on cloud nodes.

    Clusters of mid-2025 and later get the inbound ones from EKS itself, never the outbound ones.
    """
    group = ", ".join(facts.security_groups) or "security group of the cluster"
    nodes, pods = _nodes(facts), _pod_networks(facts)
    section, port = "aws-cluster", str(KUBELET)
    reason = "API server from edge hosts"
    yield _rule(section, "in", "tcp", "443", (nodes, group), reason, USER_GUIDE, phase=JOIN_ONGOING)
    reason = "API server from pods"
    yield _rule(section, "in", "tcp", "443", (pods, group), reason, USER_GUIDE, condition=_NO_SNAT)
    reason = "control plane to kubelet: logs, exec, port-forward; part of the default that lets everything out"
    yield _rule(section, "out", "tcp", port, (group, nodes), reason, USER_GUIDE)
    reason = "control plane to webhooks"
    yield _rule(section, "out", "tcp", WEBHOOK_PORTS, (group, pods), reason, USER_GUIDE, condition=_WEBHOOKS)
    reason, condition = "CoreDNS replicas in the cloud", "CoreDNS runs on cloud nodes"
    for protocol in PROTOCOLS:
        for direction, ends in _both_ways("cloud nodes", pods):
            yield _rule("aws-nodes", direction, protocol, "53", ends, reason, USER_GUIDE, condition=condition)


def _aws_private(facts: NetworkFacts) -> Iterator[FirewallRule]:
    """Security groups of interface endpoints and inbound resolver, where the site uses them."""
    hosts = f"{_nodes(facts)}, {_pod_networks(facts)}"
    if facts.private_path:
        reason, ends = "AWS services through interface endpoints", (hosts, "interface endpoints")
        yield _rule("aws-endpoints", "in", "tcp", "443", ends, reason, PRIVATE_GUIDE, phase=ALWAYS)
    for address in facts.inbound_resolvers:
        reason, ends = "names of private endpoints", (f"DNS servers of the site, {_nodes(facts)}", address)
        for protocol in PROTOCOLS:
            yield _rule("aws-resolver", "in", protocol, "53", ends, reason, PRIVATE_GUIDE, phase=ALWAYS)
