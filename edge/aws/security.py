"""Rules of security groups, derived from the AWS side of the firewall request.

The request is made once, from the facts of the network; what a network team reads in it and what is written into the
groups of a managed network is therefore the same. One rule is one protocol, one port, one CIDR block: adding a site adds
rules and changes none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import Literal

from edge.endpoints.firewall import WEBHOOK_PORTS, FirewallRule, firewall_rules
from edge.network import NetworkFacts

GroupRole = Literal["cluster", "endpoints", "resolver"]
Direction = Literal["in", "out"]
ROLES: tuple[GroupRole, ...] = ("cluster", "endpoints", "resolver")
OF_THE_CLUSTER: tuple[GroupRole, ...] = ("cluster",)

_ROLE_OF_SECTION: dict[str, GroupRole] = {
    "aws-cluster": "cluster",
    "aws-endpoints": "endpoints",
    "aws-resolver": "resolver",
}
# What EC2 lets stand in the description of a rule, and how much of it (EC2 API reference, IpRange).
_UNFIT = re.compile(r"[^a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]")
_LONGEST = 255


@dataclass(frozen=True)
class SecurityRule:
    """One rule of the group with this role. `cidr` is the peer; `port` the one port of `protocol` (`tcp`, `udp`)."""

    role: GroupRole
    direction: Direction
    protocol: str
    port: int
    cidr: str
    reason: str

    @property
    def key(self) -> str:
        """The logical name of the rule inside its group."""
        return f"{self.direction}-{self.protocol}-{self.port}-{self.cidr}"


def security_rules(
    facts: NetworkFacts, *, webhook_ports: Collection[int] = (), roles: Collection[GroupRole] = ROLES
) -> tuple[SecurityRule, ...]:
    """Return what the groups of a network must let through, sorted and unique; `roles` are the groups that there are.

    `webhook_ports`: ports of webhooks on the hosts. The request names common ones; a group is opened for those only that
    are in use. DNS servers of a site reach the resolver where they stand in a network of its hosts.
    """
    # Neither the private path's flag nor the resolver's addresses decide what a group that exists must let through.
    asked = replace(facts, private_path="endpoints" in roles, inbound_resolvers=("resolver",), endpoint_services=())
    found: dict[tuple[object, ...], SecurityRule] = {}
    for rule in (*_derived(firewall_rules(asked, ()), webhook_ports), *_from_the_vpc(facts)):
        if rule.role in roles:
            found.setdefault((rule.role, rule.key), rule)
    return tuple(sorted(found.values(), key=_order))


def outbound_only(rules: Iterable[SecurityRule]) -> tuple[SecurityRule, ...]:
    """Return the rules for the group that EKS makes itself: EKS keeps the inbound ones, and refuses a second of a kind."""
    return tuple(rule for rule in rules if rule.direction == "out")


def _derived(rows: Iterable[FirewallRule], webhook_ports: Collection[int]) -> Iterator[SecurityRule]:
    for row in rows:
        role = _ROLE_OF_SECTION.get(row.section)
        if role is None:
            continue
        ports = sorted(set(webhook_ports)) if row.ports == WEBHOOK_PORTS else _numbers(row.ports)
        for cidr in _networks(row.source if row.direction == "in" else row.destination):
            for port in ports:
                yield SecurityRule(role, row.direction, row.protocol, port, cidr, _description(row.reason))


def _from_the_vpc(facts: NetworkFacts) -> Iterator[SecurityRule]:
    """Yield what no site asks for: with private names, everything in the VPC is led to the endpoints, cloud nodes too."""
    for cidr in facts.vpc_cidrs:
        reason = "cloud nodes: private DNS leads them to the interface endpoints"
        yield SecurityRule("endpoints", "in", "tcp", 443, cidr, reason)


def _numbers(ports: str) -> list[int]:
    return [int(port) for port in ports.split(", ") if port.isdigit()]


def _networks(ends: str) -> Iterator[str]:
    """Yield the networks among the ends of a row; it also has words, for what only a site knows."""
    for end in ends.split(", "):
        try:
            yield str(IPv4Network(end))
        except ValueError:
            continue


def _description(reason: str) -> str:
    return _UNFIT.sub("", reason)[:_LONGEST]


def _order(rule: SecurityRule) -> tuple[object, ...]:
    return (ROLES.index(rule.role), rule.direction, rule.protocol, rule.port, IPv4Network(rule.cidr))
