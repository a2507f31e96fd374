"""What a host behind a proxy must reach without it, so that NO_PROXY and the endpoint table never disagree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from edge.endpoints.model import Endpoint

if TYPE_CHECKING:
    from edge.network import NetworkFacts

_LOCAL = ("localhost", "127.0.0.1", ".svc", ".svc.cluster.local")


def no_proxy(facts: NetworkFacts, endpoints: Iterable[Endpoint], extra: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the words of NO_PROXY, sorted within their kind and unique.

    They are the machine itself, the networks of VPC, service, nodes and pods, every name that the table reaches
    directly (the private API server, interface endpoints), and what the settings add. Addresses in those networks need
    no word of their own.
    """
    networks = (*facts.vpc_cidrs, facts.service_cidr, *facts.remote_node_cidrs, *facts.remote_pod_cidrs)
    direct = sorted({row.host for row in endpoints if _is_direct_name(row)})
    words = (*_LOCAL, *(network for network in networks if network), *direct, *extra)
    return tuple(dict.fromkeys(words))


def _is_direct_name(row: Endpoint) -> bool:
    """Return whether a row is a single name, not an address, that must be reached past the proxy."""
    if row.direction != "out" or row.via_proxy or row.protocol != "tcp" or not set(row.host).isdisjoint(" /*"):
        return False
    return not row.host.replace(".", "").isdigit()
