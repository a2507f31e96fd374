"""What a rule over an AWS account is given, and what it says: findings that name an object, a value and a remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, ip_network

from edge.aws.view import AwsView, RuleView
from edge.checks.model import CheckLevel
from edge.findings import Finding
from edge.network import NetworkFacts
from edge.network_question import NetworkQuestion


@dataclass(frozen=True)
class Red:
    """Something is wrong with an object, as bad as the catalogue says for the stage. `remedy` has no full stop."""

    subject: str
    problem: str
    remedy: str
    value: object = None


@dataclass(frozen=True)
class Hint(Red):
    """Something to look at that stops nothing, in any stage."""


@dataclass(frozen=True)
class Seen:
    """What was seen, for a row that passes."""

    text: str


@dataclass(frozen=True)
class Skip:
    """Why it cannot be judged, or need not be."""

    reason: str


Said = Red | Seen | Skip


@dataclass(frozen=True)
class RuleFinding:
    """A finding of a check: `subject` is what it is about (`rtb-...`), `level` what it means in the stage."""

    check: str
    subject: str
    value: object
    problem: str
    remedy: str
    level: CheckLevel

    @property
    def finding(self) -> Finding:
        """The same as the settings' rules say it."""
        level = "error" if self.level == "fail" else "warning"
        return Finding(self.subject, self.value, self.problem, f"{self.remedy}.", level)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Verdict:
    """The answer of one check: its findings, else what was seen, or why it was skipped."""

    check: str
    findings: tuple[RuleFinding, ...] = ()
    seen: str = ""
    skipped: str = ""


@dataclass(frozen=True)
class Case:
    """What the rules judge: the account as it was read, the facts made of it, and who asks, at which moment (UTC)."""

    view: AwsView
    facts: NetworkFacts
    question: NetworkQuestion
    now: datetime

    @property
    def cluster(self) -> str:
        """The cluster as messages name it."""
        return f"cluster {self.view.cluster.name}"

    @property
    def remote(self) -> tuple[IPv4Network, ...]:
        """The remote node networks, then the remote pod networks."""
        return (*self.nodes, *self.pods)

    @property
    def nodes(self) -> tuple[IPv4Network, ...]:
        """The remote node networks of the cluster."""
        return blocks(self.view.cluster.remote_node_cidrs)

    @property
    def pods(self) -> tuple[IPv4Network, ...]:
        """The remote pod networks of the cluster."""
        return blocks(self.view.cluster.remote_pod_cidrs)

    def command(self, words: str) -> str:
        """Return a command of the AWS CLI as a remedy shows it, with the Region."""
        return f"`aws {words} --region {self.view.region}`"

    def update(self, words: str) -> str:
        """Return the command that changes the configuration of the cluster."""
        return self.command(f"eks update-cluster-config --name {self.view.cluster.name} {words}")

    def rules(self, groups: tuple[str, ...], direction: str) -> list[RuleView]:
        """Return the rules of some security groups in one direction."""
        return [one for one in self.view.rules if one.group in groups and one.direction == direction]

    def denied(self, *actions: str) -> str:
        """Return the first of some IAM actions that the reader had no right to, "" when it had all of them."""
        return next((action for action in actions if not self.view.could_read(action)), "")


Judge = Callable[[Case], Iterator[Said]]


def blocks(texts: tuple[str, ...]) -> tuple[IPv4Network, ...]:
    """Return the IPv4 blocks of a list as AWS writes it; what is none is left out."""
    found = []
    for text in texts:
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            continue
        if isinstance(network, IPv4Network):
            found.append(network)
    return tuple(found)


def shown(values: object) -> str:
    """Return values for a message: separated by commas, "none" when there are none."""
    return ", ".join(str(one) for one in values) or "none"  # type: ignore[attr-defined]
