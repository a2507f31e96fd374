"""One line of the firewall request, the sections that lines stand in, and the words for what only the site knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from edge.endpoints.model import NEEDS, PHASES, Need, Phase
from edge.endpoints.rows import ONGOING

if TYPE_CHECKING:
    from edge.network import NetworkFacts

Side = Literal["site", "aws"]
Direction = Literal["out", "in"]
Via = Literal["direct", "proxy", "proxy or direct"]

# Sections in the order of the ticket: title, side.
SECTIONS: dict[str, tuple[str, Side]] = {
    "login": ("Site: logins to edge hosts (INBOUND)", "site"),
    "proxy": ("Site: edge hosts to the proxy", "site"),
    "palette": ("Site: edge hosts to Palette", "site"),
    "aws": ("Site: edge hosts to AWS services", "site"),
    "control-plane": ("Site: edge hosts and pods to the EKS control plane", "site"),
    "inbound": ("Site: EKS control plane to edge hosts and pods (INBOUND)", "site"),
    "internet": ("Site: edge hosts to downloads, packages and images", "site"),
    "names-and-time": ("Site: names and time", "site"),
    "nodes": ("Site: between edge hosts", "site"),
    "tunnel": ("Site: tunnel to AWS", "site"),
    "login-builder": ("Builder: logins to the build machine (INBOUND)", "site"),
    "builder": ("Builder: the build machine to its sources, registry and vCenter", "site"),
    "aws-cluster": ("AWS: security groups of the cluster", "aws"),
    "aws-endpoints": ("AWS: security group of the interface endpoints", "aws"),
    "aws-resolver": ("AWS: security group of the inbound resolver", "aws"),
    "aws-nodes": ("AWS: security group of the cloud nodes", "aws"),
}
_ORDER = tuple(SECTIONS)


@dataclass(frozen=True)
class FirewallRule:
    """One line of the request.

    `direction` is seen from the side that files it; `ports` is text ("" where the protocol has none). `site` names the
    site where the request is one for many ("" in the request of one site, and on the AWS side).
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
    site: str = ""

    @property
    def side(self) -> Side:
        """Who files it: the network team of the site, or that of the AWS account."""
        return SECTIONS[self.section][1]

    @property
    def title(self) -> str:
        """The heading that the line stands under."""
        title = SECTIONS[self.section][0]
        return title.replace("Site:", f"Site {self.site}:", 1) if self.site else title

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; `site` only where there is one."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        phases = [phase for phase in PHASES if phase in self.phase]
        if not self.site:
            del data["site"]
        return {"side": self.side, **data, "section": self.title, "phase": phases}


def order(rule: FirewallRule) -> tuple[object, ...]:
    """Return the key that sorts a request: the AWS side of many sites first, then section by section, what is needed first."""
    return (
        rule.site, _ORDER.index(rule.section), NEEDS.index(rule.required), rule.direction, rule.protocol, rule.ports,
        rule.destination, rule.source, rule.reason,
    )  # fmt: skip


def rule_of(
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
    optional: bool = False,
) -> FirewallRule:
    """Return a rule that is no row of the table. `ends`: where the connection comes from, and where it goes."""
    source, destination = ends
    need: Need = "optional" if optional else "conditional" if condition else "required"
    return FirewallRule(section, direction, protocol, ports, source, destination, phase, need, condition, reason, fact)


def both_ways(here: str, there: str) -> tuple[tuple[Direction, tuple[str, str]], tuple[Direction, tuple[str, str]]]:
    """Return both directions with their ends, as `here` sees them."""
    return (("out", (here, there)), ("in", (there, here)))


def nodes_of(facts: NetworkFacts) -> str:
    """Return the networks of the hosts, separated by commas."""
    return ", ".join(facts.remote_node_cidrs) or "edge hosts"


def pods_of(facts: NetworkFacts) -> str:
    """Return the networks of the pods on the hosts, separated by commas."""
    return ", ".join(facts.remote_pod_cidrs) or "pods on edge hosts"


def subnets_of(facts: NetworkFacts) -> str:
    """Return the subnets of the control plane's interfaces, or the VPC, separated by commas."""
    return ", ".join(facts.eni_subnets or facts.vpc_cidrs) or "subnets of the cluster"


def vpc_of(facts: NetworkFacts) -> str:
    """Return the blocks of the VPC, separated by commas."""
    return ", ".join(facts.vpc_cidrs) or "the VPC"


def resolvers_of(facts: NetworkFacts) -> tuple[str, ...]:
    """Return the addresses of the inbound resolver; words for it on a private path that has not told them."""
    return facts.inbound_resolvers or (("inbound resolver of the VPC",) if facts.private_path else ())


# Ports of webhooks are the add-ons' own; these are common. A managed network names its own.
WEBHOOK_PORTS = "443, 8443, 9443"


def webhooks_of(ports: tuple[int, ...]) -> tuple[str, str]:
    """Return the ports of webhooks as text, and the condition under which they are needed."""
    if ports:
        return ", ".join(str(port) for port in sorted(set(ports))), "webhooks run on edge hosts"
    return WEBHOOK_PORTS, "webhooks run on edge hosts; these are common ports, theirs may differ"
