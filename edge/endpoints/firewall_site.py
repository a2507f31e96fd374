"""The site's side of the request: what follows from the endpoint table, and what no host can probe."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.endpoints.firewall_aws import NO_SNAT
from edge.endpoints.model import Endpoint, Peer
from edge.endpoints.rows import ALWAYS, JOIN_ONGOING, PRIVATE_GUIDE, USER_GUIDE, host_and_port
from edge.endpoints.rule import (
    FirewallRule,
    Via,
    both_ways,
    nodes_of,
    pods_of,
    resolvers_of,
    rule_of,
    subnets_of,
    vpc_of,
    webhooks_of,
)
from edge.endpoints.site import CILIUM_PAGE, DNS_SERVERS, PROTOCOLS

if TYPE_CHECKING:
    from edge.network import NetworkFacts

_PEER_SECTION: dict[Peer, str] = {"palette": "palette", "aws": "aws", "vpc": "control-plane", "internet": "internet"}
_TUNNEL_GUIDE = "Palette docs, prepare network"


def from_endpoints(facts: NetworkFacts, endpoints: Iterable[Endpoint], via: Via) -> Iterator[FirewallRule]:
    """Yield the rows of the table, without single interface addresses: they change, and their subnets stand beside them."""
    pinned = set(facts.eni_addresses) if facts.eni_subnets or facts.vpc_cidrs else set()
    for row in endpoints:
        if row.host in pinned:
            continue
        nodes = nodes_of(facts)
        ends = (nodes, _destination(facts, row)) if row.direction == "out" else (row.host, nodes)
        rule = rule_of(_section(row), row.direction, row.protocol, str(row.port), ends, row.reason, row.source)
        way = via if row.via_proxy and row.direction == "out" else "direct"
        yield replace(rule, phase=row.phase, required=row.required, condition=row.condition, via=way)
        if row.host.startswith("sts."):
            condition = "pods use IAM roles for service accounts"
            ends, reason = (pods_of(facts), ends[1]), "tokens for pods with IAM roles"
            pods = rule_of("aws", "out", "tcp", str(row.port), ends, reason, USER_GUIDE, condition=condition)
            yield replace(pods, via=way)


def _section(row: Endpoint) -> str:
    if row.peer == "site":
        return "names-and-time" if row.port in (53, 123) else "nodes"
    if row.port == 53:
        return "names-and-time"
    return "inbound" if row.direction == "in" else _PEER_SECTION[row.peer]


def _destination(facts: NetworkFacts, row: Endpoint) -> str:
    """The far end; on a private path the addresses of a service's interface endpoint are in the VPC."""
    if row.peer == "aws" and row.private_service and not row.via_proxy and facts.private_path:
        return f"{row.host} ({row.private_service} in {vpc_of(facts)})"
    if row.peer == "vpc" and row.probe == "apiserver":
        return f"{row.host} (in {subnets_of(facts)})"
    return row.host


def to_proxies(facts: NetworkFacts, proxies: Collection[str]) -> Iterator[FirewallRule]:
    """Yield one rule per proxy of the site; what is marked `proxy` goes that way."""
    for url in proxies:
        host, port = host_and_port(url)
        reason = "every connection of this request that is marked `proxy`"
        yield rule_of("proxy", "out", "tcp", str(port), (nodes_of(facts), host), reason, USER_GUIDE, phase=ALWAYS)


def of_pods(facts: NetworkFacts, webhook_ports: tuple[int, ...] = ()) -> Iterator[FirewallRule]:
    """Yield what pods on edge hosts need beyond their node."""
    pods, subnets = pods_of(facts), subnets_of(facts)
    reason = "pods to the API server"
    yield rule_of("control-plane", "out", "tcp", "443", (pods, subnets), reason, USER_GUIDE, condition=NO_SNAT)
    ports, condition = webhooks_of(webhook_ports)
    reason = "control plane to webhooks"
    yield rule_of("inbound", "in", "tcp", ports, (subnets, pods), reason, USER_GUIDE, condition=condition)
    peers = ", ".join((pods, *facts.vpc_cidrs))
    condition = "pods are routed between the hosts, not tunnelled"
    for protocol in PROTOCOLS:
        for direction, ends in both_ways(pods, peers):
            reason = "CoreDNS, on edge hosts and in the cloud"
            yield rule_of("names-and-time", direction, protocol, "53", ends, reason, USER_GUIDE)
        for direction, ends in both_ways(pods, pods):
            reason, ports = "applications between pods", "those of the applications"
            yield rule_of("nodes", direction, protocol, ports, ends, reason, USER_GUIDE, condition=condition)


def site_only(facts: NetworkFacts) -> Iterator[FirewallRule]:
    """Yield ICMP, forwarded names and the tunnel: no host can probe them, and every ticket needs them."""
    nodes, vpc = nodes_of(facts), vpc_of(facts)
    reason, source = "path MTU discovery: without it large answers hang in a tunnel", "EKS Hybrid Nodes field guides"
    yield rule_of("inbound", "in", "icmp", "type 3 code 4", (vpc, nodes), reason, source)
    yield rule_of("control-plane", "out", "icmp", "type 3 code 4", (nodes, vpc), reason, source)
    reason, condition = "Cilium's health checks", "health checks between nodes are wanted"
    yield rule_of("nodes", "in", "icmp", "type 8 and 0", (nodes, nodes), reason, CILIUM_PAGE, condition=condition)
    for address in resolvers_of(facts):
        reason, ends = "names of private endpoints, forwarded to the VPC", (DNS_SERVERS, address)
        for protocol in PROTOCOLS:
            yield rule_of("names-and-time", "out", protocol, "53", ends, reason, PRIVATE_GUIDE, phase=ALWAYS)
    yield from _tunnel(facts)


def _tunnel(facts: NetworkFacts) -> Iterator[FirewallRule]:
    """IPsec between the site's device and the AWS ends; it is needed for sure when those have addresses."""
    known = facts.tunnel_addresses
    condition = "" if known else "the site is connected by a site-to-site VPN"
    for tunnel in known or ("outside addresses of the AWS tunnels",):
        for protocol, ports in (("udp", "500"), ("udp", "4500"), ("esp", "")):
            for direction, ends in both_ways("VPN device of the site", tunnel):
                yield rule_of(
                    "tunnel",
                    direction,
                    protocol,
                    ports,
                    ends,
                    "IPsec tunnel",
                    _TUNNEL_GUIDE,
                    phase=JOIN_ONGOING,
                    condition=condition,
                )
