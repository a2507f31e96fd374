"""Everything that is wrong in an AWS account with a cluster and its hosts, all at once, before anything is created. Pure.

One function per check of the catalogue (`aws.*`); how bad a finding is in a stage stands in the catalogue alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network

from edge.aws import rules_cluster, rules_identity, rules_network, rules_private, rules_security
from edge.aws.rules_model import Case, Hint, Judge, Red, RuleFinding, Seen, Skip, Verdict
from edge.aws.view import AwsView
from edge.checks.catalogue import CATALOGUE, checks_at
from edge.errors import SettingsError
from edge.findings import Finding, errors
from edge.network import NetworkFacts, network_rules
from edge.network_question import NetworkQuestion
from edge.settings.network import LookupNetwork, ManagedNetwork
from edge.stages import Stage

JUDGES: Mapping[str, Judge] = {
    **rules_cluster.JUDGES,
    **rules_network.JUDGES,
    **rules_security.JUDGES,
    **rules_private.JUDGES,
    **rules_identity.JUDGES,
}

# What a check must be able to read, whole; checks that can do with a part of it ask themselves.
READS: Mapping[str, tuple[str, ...]] = {
    "aws.vpc.dns": ("ec2:DescribeVpcAttribute",),
    "aws.subnets": ("ec2:DescribeSubnets",),
    "aws.enis": ("ec2:DescribeNetworkInterfaces",),
    "aws.routes": ("ec2:DescribeSubnets", "ec2:DescribeRouteTables"),
    "aws.tunnels": ("ec2:DescribeVpnConnections",),
    "aws.securitygroups.in": ("ec2:DescribeSecurityGroupRules",),
    "aws.securitygroups.out": ("ec2:DescribeSecurityGroupRules",),
    "aws.endpoints": ("ec2:DescribeVpcEndpoints", "ec2:DescribeSecurityGroupRules"),
    "aws.resolver": (
        "route53resolver:ListResolverEndpoints",
        "route53resolver:ListResolverEndpointIpAddresses",
        "ec2:DescribeSecurityGroupRules",
    ),
    "aws.accessentry": ("eks:ListAccessEntries", "eks:DescribeAccessEntry"),
}

_GROUPS = ("aws.securitygroups.in", "aws.securitygroups.out")
_MANAGED = ("aws.routes", "aws.tunnels", "aws.vpc.dns", "aws.endpoints", "aws.resolver", *_GROUPS)
_IDENTITY = ("aws.role", "aws.accessentry")


def made_here(question: NetworkQuestion) -> frozenset[str]:
    """Return the checks whose objects the asking stack makes itself: red before its first `up` is no finding."""
    network = question.network
    if not question.owns_cluster:
        return frozenset()
    made: set[str] = set()
    if isinstance(network, ManagedNetwork):
        made |= {*_MANAGED}
    if isinstance(network, LookupNetwork) and network.security_group_rules:
        made |= {*_GROUPS}
    if isinstance(network, LookupNetwork | ManagedNetwork) and network.identity is not None:
        made |= {*_IDENTITY}
    return frozenset(made)


def judge(check: str, case: Case) -> Verdict:
    """Return the answer of one check. Raises KeyError for an id that is no `aws.*` check."""
    denied = case.denied(*READS.get(check, ()))
    if denied:
        return Verdict(check, skipped=f"not judged: {denied} is not allowed")
    said = list(JUDGES[check](case))
    findings = tuple(_finding(check, one, case.question.stage) for one in said if isinstance(one, Red))
    if check in made_here(case.question) and any(not isinstance(one, Hint) for one in said if isinstance(one, Red)):
        return Verdict(check, skipped=f"this stack makes it: {findings[0].subject} {findings[0].problem} as yet")
    skipped = next((one.reason for one in said if isinstance(one, Skip)), "")
    seen = next((one.text for one in said if isinstance(one, Seen)), "")
    return Verdict(check, findings, seen, skipped)


def _finding(check: str, one: Red, stage: Stage) -> RuleFinding:
    level = "warn" if isinstance(one, Hint) else CATALOGUE[check].level(stage)
    return RuleFinding(check, one.subject, one.value, one.problem, one.remedy, level)


def aws_verdicts(view: AwsView, facts: NetworkFacts, question: NetworkQuestion, now: datetime) -> tuple[Verdict, ...]:
    """Return the answer of every `aws.*` check, in the order of the catalogue. `now` is in UTC."""
    case = Case(view, facts, question, now)
    return tuple(judge(check.id, case) for check in checks_at("aws"))


def aws_findings(view: AwsView, facts: NetworkFacts, question: NetworkQuestion, now: datetime) -> list[RuleFinding]:
    """Return everything that is wrong in the account, in the order of the catalogue; empty for a clean one."""
    return [one for verdict in aws_verdicts(view, facts, question, now) for one in verdict.findings]


def findings_of(
    view: AwsView,
    facts: NetworkFacts,
    question: NetworkQuestion,
    now: datetime,
    *,
    os_names: Collection[str] = (),
    others: Mapping[str, IPv4Address] | None = None,
    own: Mapping[str, IPv4Network] | None = None,
) -> list[Finding]:
    """Return what the rules over the account and those over the facts say together, nothing twice.

    `os_names`, `others` and `own` as `network_rules` takes them.
    """
    about_facts = network_rules(
        facts, question.hosts, question.stage, os_names=os_names, others=others, own=own, judged=True
    )
    return [*(one.finding for one in aws_findings(view, facts, question, now)), *about_facts]


def raise_for(
    view: AwsView,
    facts: NetworkFacts,
    question: NetworkQuestion,
    now: datetime,
    *,
    os_names: Collection[str] = (),
    others: Mapping[str, IPv4Address] | None = None,
    own: Mapping[str, IPv4Network] | None = None,
) -> tuple[Finding, ...]:
    """Return the warnings of `findings_of`. Raises one SettingsError with every error, if there is one."""
    found = findings_of(view, facts, question, now, os_names=os_names, others=others, own=own)
    wrong = errors(found)
    if wrong:
        raise SettingsError(wrong, where=f"AWS account {view.account}, {view.region}, cluster {view.cluster.name}")
    return tuple(found)
