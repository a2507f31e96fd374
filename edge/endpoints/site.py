"""The site's own side of the table: name and time servers, what comes in from the control plane, node to node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from edge.endpoints.model import Endpoint, EndpointQuery
from edge.endpoints.rows import ALWAYS, ONGOING, PRIVATE_GUIDE, USER_GUIDE, into, out

DNS_SERVERS = "DNS servers of the site"
TIME_SERVERS = "time servers of the site"
ROUTERS = "routers of the site"

CILIUM_PAGE = "Cilium docs, system requirements"

KUBELET = 10250
PROTOCOLS: tuple[Literal["tcp", "udp"], ...] = ("tcp", "udp")

# Port, protocol, feature that needs it ("" = always), what it is for, and the condition when it is not always needed.
_CILIUM: tuple[tuple[int, Literal["tcp", "udp"], str, str, str], ...] = (
    (8472, "udp", "", "VXLAN between nodes; nodeadm also asks the host's firewall for it", ""),
    (6081, "udp", "geneve", "Geneve between nodes, instead of VXLAN", ""),
    (4240, "tcp", "", "Cilium's health checks between nodes", "health checks between nodes are wanted"),
    (4244, "tcp", "", "Hubble between nodes", "Hubble is on"),
    (4250, "tcp", "mutualAuth", "mutual authentication between nodes", ""),
    (51871, "udp", "wireguard", "WireGuard between nodes", ""),
)


def site_rows(query: EndpointQuery) -> Iterator[Endpoint]:
    """Yield the rows of DNS, time, kubelet and Cilium."""
    yield from _names_and_time(query)
    yield from _from_control_plane(query)
    yield from _between_nodes(query)


def _names_and_time(query: EndpointQuery) -> Iterator[Endpoint]:
    for protocol in PROTOCOLS:
        reason = "names of everything in this table"
        yield _service(DNS_SERVERS, 53, protocol, reason, USER_GUIDE)
    reason = "clock: more than five minutes off, signatures and certificates are refused"
    yield _service(TIME_SERVERS, 123, "udp", reason, "nodeadm source, internal/system/ntp.go")
    condition = "the host asks the resolver itself, not through the site's DNS servers"
    for address in query.facts.inbound_resolvers:
        for protocol in PROTOCOLS:
            reason = "inbound resolver of the VPC: names of the private endpoints"
            row = out(address, ALWAYS, reason, PRIVATE_GUIDE, peer="vpc", port=53, protocol=protocol, probe="tcp")
            yield replace(row, required="conditional", condition=condition, via_proxy=False)


def _service(host: str, port: int, protocol: Literal["tcp", "udp"], reason: str, source: str) -> Endpoint:
    return out(host, ALWAYS, reason, source, peer="site", port=port, protocol=protocol, via_proxy=False)


def _from_control_plane(query: EndpointQuery) -> Iterator[Endpoint]:
    """The one flow that comes in from AWS, and the one most often asked for in the wrong direction."""
    reason = "control plane to kubelet: logs, exec, port-forward"
    for subnet in query.facts.eni_subnets or query.facts.vpc_cidrs:
        yield into(subnet, KUBELET, reason, USER_GUIDE, peer="vpc")


def _between_nodes(query: EndpointQuery) -> Iterator[Endpoint]:
    for port, protocol, feature, reason, condition in _CILIUM:
        if feature and feature not in query.cilium:
            continue
        for network, other in _node_networks(query):
            needed = " and ".join(part for part in (condition, other) if part)
            yield into(network, port, reason, CILIUM_PAGE, peer="site", protocol=protocol, condition=needed)
            row = out(network, ONGOING, reason, CILIUM_PAGE, peer="site", port=port, protocol=protocol, via_proxy=False)
            yield replace(row, required="conditional", condition=needed) if needed else row
    if "bgp" in query.cilium:
        reason = "BGP: announces the pod networks"
        yield into(ROUTERS, 179, reason, CILIUM_PAGE, peer="site")
        yield out(ROUTERS, ONGOING, reason, CILIUM_PAGE, peer="site", port=179, via_proxy=False)


def _node_networks(query: EndpointQuery) -> Iterator[tuple[str, str]]:
    """Yield the networks of nodes, each with the condition under which its nodes talk to those of this site."""
    facts = query.facts
    yield from ((network, "") for network in facts.remote_node_cidrs)
    for entry in facts.other_sites:
        name, _, network = entry.rpartition(" ")
        if network not in (*facts.remote_node_cidrs, *facts.remote_pod_cidrs):
            yield network, f"pods of this site and of {name} talk to each other"
