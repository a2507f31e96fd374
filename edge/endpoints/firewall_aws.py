"""The AWS side of the request: what the security groups of cluster, endpoints, resolver and cloud nodes must let through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edge.endpoints.private import service_of
from edge.endpoints.rows import ALWAYS, JOIN_ONGOING, PRIVATE_GUIDE, USER_GUIDE
from edge.endpoints.rule import FirewallRule, both_ways, nodes_of, pods_of, resolvers_of, rule_of, vpc_of, webhooks_of
from edge.endpoints.site import DNS_SERVERS, KUBELET, PROTOCOLS

if TYPE_CHECKING:
    from edge.network import NetworkFacts

NO_SNAT = "pods are not hidden behind their node's address"

_GATEWAY_GUIDE = "EKS User Guide, hybrid nodes gateway"
_CLOUD_NODES = "cloud nodes"


def aws_side(facts: NetworkFacts, webhook_ports: tuple[int, ...] = ()) -> Iterator[FirewallRule]:
    """Yield the rules of every security group that the hosts of these facts need."""
    yield from _cluster(facts, webhook_ports)
    yield from _private(facts)
    yield from _cloud_nodes(facts)


def _cluster(facts: NetworkFacts, webhook_ports: tuple[int, ...]) -> Iterator[FirewallRule]:
    """Security groups on the control plane's interfaces.

    Clusters of mid-2025 and later get the inbound ones from EKS itself, never the outbound ones.
    """
    group = ", ".join(facts.security_groups) or "security group of the cluster"
    nodes, pods = nodes_of(facts), pods_of(facts)
    section, port = "aws-cluster", str(KUBELET)
    reason = "API server from edge hosts"
    yield rule_of(section, "in", "tcp", "443", (nodes, group), reason, USER_GUIDE, phase=JOIN_ONGOING)
    reason = "API server from pods"
    yield rule_of(section, "in", "tcp", "443", (pods, group), reason, USER_GUIDE, condition=NO_SNAT)
    reason = "control plane to kubelet: logs, exec, port-forward; part of the default that lets everything out"
    yield rule_of(section, "out", "tcp", port, (group, nodes), reason, USER_GUIDE)
    ports, condition = webhooks_of(webhook_ports)
    reason = "control plane to webhooks"
    yield rule_of(section, "out", "tcp", ports, (group, pods), reason, USER_GUIDE, condition=condition)


def _private(facts: NetworkFacts) -> Iterator[FirewallRule]:
    """Security groups of interface endpoints and inbound resolver, where the site uses them."""
    if facts.private_path:
        services = ", ".join(sorted({service_of(name, facts.region) for name in facts.endpoint_services}))
        reason = f"AWS services through interface endpoints{f' ({services})' if services else ''}"
        ends = (f"{nodes_of(facts)}, {pods_of(facts)}", "interface endpoints")
        yield rule_of("aws-endpoints", "in", "tcp", "443", ends, reason, PRIVATE_GUIDE, phase=ALWAYS)
        reason, ends = "private DNS leads what runs in the VPC there, too", (vpc_of(facts), "interface endpoints")
        yield rule_of("aws-endpoints", "in", "tcp", "443", ends, reason, PRIVATE_GUIDE, phase=ALWAYS)
    for address in resolvers_of(facts):
        reason, ends = "names of private endpoints", (f"{DNS_SERVERS}, {nodes_of(facts)}", address)
        for protocol in PROTOCOLS:
            yield rule_of("aws-resolver", "in", protocol, "53", ends, reason, PRIVATE_GUIDE, phase=ALWAYS)


def _cloud_nodes(facts: NetworkFacts) -> Iterator[FirewallRule]:
    """What nodes in the VPC and pods on the hosts say to each other."""
    section, nodes, pods = "aws-nodes", nodes_of(facts), pods_of(facts)
    reason, condition = "CoreDNS replicas in the cloud", "CoreDNS runs on cloud nodes"
    for protocol in PROTOCOLS:
        for direction, ends in both_ways(_CLOUD_NODES, pods):
            yield rule_of(section, direction, protocol, "53", ends, reason, USER_GUIDE, condition=condition)
    reason, condition = "VXLAN of the gateway's nodes", "the EKS Hybrid Nodes gateway routes the pods"
    for direction, ends in both_ways(_CLOUD_NODES, nodes):
        yield rule_of(section, direction, "udp", "8472", ends, reason, _GATEWAY_GUIDE, condition=condition)
    for protocol, ports in (("tcp", "22"), ("icmp", "all")):
        ends, source = (nodes, _CLOUD_NODES), "Palette docs, prepare network"
        yield rule_of(section, "in", protocol, ports, ends, "looking for faults", source, optional=True)
