"""How a row is made: the rules that every group of the table shares, above all which way a connection goes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal
from urllib.parse import urlsplit

from edge.endpoints.model import Endpoint, EndpointQuery, Need, Peer, Phase, Probe
from edge.endpoints.private import has_endpoint

INSTALL: frozenset[Phase] = frozenset({"install"})
JOIN: frozenset[Phase] = frozenset({"join"})
ONGOING: frozenset[Phase] = frozenset({"ongoing"})
INSTALL_JOIN = INSTALL | JOIN
JOIN_ONGOING = JOIN | ONGOING
ALWAYS = INSTALL | JOIN | ONGOING

USER_GUIDE = "EKS User Guide, hybrid nodes networking"
ECR_LAYERS = "Amazon ECR documentation, VPC endpoints"
PRIVATE_GUIDE = "EKS User Guide, hybrid nodes private connectivity"

_NO_ENDPOINT = "the VPC has no interface endpoint for it"
_NO_WAY = "not reachable through PrivateLink: mirrored artifacts, or a way out for this host only"


def out(
    host: str,
    phase: Iterable[Phase],
    reason: str,
    source: str,
    *,
    peer: Peer,
    port: int = 443,
    protocol: Literal["tcp", "udp"] = "tcp",
    condition: str = "",
    optional: bool = False,
    probe: Probe = "tls",
    via_proxy: bool = True,
) -> Endpoint:
    """Return a row for a connection that a host opens.

    A condition makes it conditional. Optional rows, and far ends that are not one host, are not probed.
    """
    need: Need = "optional" if optional else "conditional" if condition else "required"
    unprobed = optional or protocol == "udp" or "*" in host or "/" in host or " " in host
    return Endpoint(
        host=host.lower() if " " not in host else host,
        port=port,
        protocol=protocol,
        direction="out",
        peer=peer,
        phase=frozenset(phase),
        required=need,
        condition=condition,
        private_service=None,
        reason=reason,
        source=source,
        probe="none" if unprobed else probe,
        via_proxy=via_proxy,
    )


def into(
    host: str,
    port: int,
    reason: str,
    source: str,
    *,
    peer: Peer,
    protocol: Literal["tcp", "udp"] = "tcp",
    condition: str = "",
    optional: bool = False,
    phase: Iterable[Phase] = ONGOING,
) -> Endpoint:
    """Return a row for a connection that somebody opens to the host; it is never probed, since only `host` could."""
    need: Need = "optional" if optional else "conditional" if condition else "required"
    phases = frozenset(phase)
    return Endpoint(host, port, protocol, "in", peer, phases, need, condition, None, reason, source, "none", False)


def aws(
    query: EndpointQuery,
    host: str,
    phase: Iterable[Phase],
    reason: str,
    source: str = USER_GUIDE,
    *,
    service: str = "",
    region: str = "",
    condition: str = "",
    optional: bool = False,
) -> Endpoint:
    """Return a row for an AWS service.

    On a private path a service with an interface endpoint is reached inside the VPC, past any proxy. What PrivateLink
    does not offer stays required only when a proxy leads out; otherwise its content must be mirrored. What it offers, but
    nobody has made in this VPC, stays required: nothing can stand in for it.
    """
    facts = query.facts
    region = region or facts.region
    offered = bool(service) and region == facts.region
    inside = offered and has_endpoint(facts, service)
    if facts.private_path and not offered and not query.proxy and not optional:
        condition = f"{condition}; {_NO_WAY}" if condition else _NO_WAY
    if facts.private_path and offered and not inside:
        reason = f"{reason}; {_NO_ENDPOINT}"
    row = out(host, phase, reason, source, peer="aws", condition=condition, optional=optional, via_proxy=not inside)
    return replace(row, private_service=f"com.amazonaws.{region}.{service}") if service else row


def host_and_port(address: str) -> tuple[str, int]:
    """Return host and port of a URL, `NAME:PORT` or a name; 443 unless a port or `http://` is written.

    Raises ValueError when there is no host in it.
    """
    parts = urlsplit(address if "://" in address else f"//{address}")
    if not parts.hostname:
        raise ValueError(f"{address!r} names no host: write a URL or a host name")
    return parts.hostname, parts.port or (80 if parts.scheme == "http" else 443)
