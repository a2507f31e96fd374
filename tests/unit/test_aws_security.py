"""Security-group rules are the AWS side of the firewall request, block by block and port by port."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.aws.security import ROLES, SecurityRule, outbound_only, security_rules
from edge.endpoints.firewall import firewall_rules
from edge.network import NetworkFacts

pytestmark = pytest.mark.row("C2")

FACTS = NetworkFacts(
    region="eu-central-1", partition="aws", cluster_name="plants", cluster_endpoint="", vpc_cidrs=("10.100.0.0/16",),
    remote_node_cidrs=("10.200.0.0/24", "10.201.0.0/24"), remote_pod_cidrs=("192.168.0.0/16",), private_path=True,
    inbound_resolvers=("10.100.0.53",),
)  # fmt: skip


def seen(rules: tuple[SecurityRule, ...]) -> set[tuple[str, str, str, int, str]]:
    return {(one.role, one.direction, one.protocol, one.port, one.cidr) for one in rules}


def test_the_rules_typed_by_hand_from_the_user_guide() -> None:
    """EKS User Guide, hybrid nodes networking (cluster) and private connectivity (endpoints, resolver)."""
    assert seen(security_rules(FACTS, webhook_ports=[9443])) == {
        ("cluster", "in", "tcp", 443, "10.200.0.0/24"),
        ("cluster", "in", "tcp", 443, "10.201.0.0/24"),
        ("cluster", "in", "tcp", 443, "192.168.0.0/16"),
        ("cluster", "out", "tcp", 10250, "10.200.0.0/24"),
        ("cluster", "out", "tcp", 10250, "10.201.0.0/24"),
        ("cluster", "out", "tcp", 9443, "192.168.0.0/16"),
        ("endpoints", "in", "tcp", 443, "10.200.0.0/24"),
        ("endpoints", "in", "tcp", 443, "10.201.0.0/24"),
        ("endpoints", "in", "tcp", 443, "192.168.0.0/16"),
        ("endpoints", "in", "tcp", 443, "10.100.0.0/16"),
        ("resolver", "in", "tcp", 53, "10.200.0.0/24"),
        ("resolver", "in", "tcp", 53, "10.201.0.0/24"),
        ("resolver", "in", "udp", 53, "10.200.0.0/24"),
        ("resolver", "in", "udp", 53, "10.201.0.0/24"),
    }


def test_every_rule_but_that_of_the_vpc_stands_in_the_firewall_request() -> None:
    """The request is for people and has lists; each rule must be found in a line of it, in its direction."""
    lines = [line for line in firewall_rules(FACTS, ()) if line.side == "aws"]
    for rule in security_rules(FACTS, webhook_ports=[9443]):
        peers = [line.source if line.direction == "in" else line.destination for line in lines if _fits(line, rule)]
        assert any(rule.cidr in peer.split(", ") for peer in peers) or rule.cidr in FACTS.vpc_cidrs, rule


def _fits(line: object, rule: SecurityRule) -> bool:
    sections = {"cluster": "aws-cluster", "endpoints": "aws-endpoints", "resolver": "aws-resolver"}
    return (
        getattr(line, "section", "") == sections[rule.role]
        and getattr(line, "direction", "") == rule.direction
        and getattr(line, "protocol", "") == rule.protocol
        and str(rule.port) in getattr(line, "ports", "").split(", ")
    )


def test_only_ports_of_webhooks_that_are_in_use_are_opened() -> None:
    out = {one.port for one in security_rules(FACTS) if one.direction == "out"}
    assert out == {10250}
    assert {one.port for one in security_rules(FACTS, webhook_ports=[8443, 9443]) if one.direction == "out"} == {
        10250,
        8443,
        9443,
    }


def test_a_group_that_is_not_made_gets_no_rules() -> None:
    for role in ROLES:
        assert {one.role for one in security_rules(FACTS, roles=[role])} == {role}
    # Endpoints that a site uses beside the internet have their group, too.
    assert any(one.role == "endpoints" for one in security_rules(replace(FACTS, private_path=False)))
    assert security_rules(FACTS, roles=[]) == ()


def test_eks_keeps_the_inbound_rules_of_its_own_group() -> None:
    assert {one.direction for one in outbound_only(security_rules(FACTS, webhook_ports=[9443]))} == {"out"}


def test_without_pods_there_is_no_rule_for_them() -> None:
    rules = security_rules(replace(FACTS, remote_pod_cidrs=()), webhook_ports=[9443])
    assert {one.cidr for one in rules} == {"10.100.0.0/16", "10.200.0.0/24", "10.201.0.0/24"}


blocks = st.lists(st.integers(0, 2**16 - 1).map(lambda n: f"10.{n >> 8}.{n & 255}.0/24"), min_size=1, max_size=15)


@given(nodes=blocks, pods=blocks, vpc=blocks)
def test_rules_are_sorted_unique_and_fit_for_ec2(nodes: list[str], pods: list[str], vpc: list[str]) -> None:
    facts = replace(FACTS, remote_node_cidrs=tuple(nodes), remote_pod_cidrs=tuple(pods), vpc_cidrs=tuple(vpc))
    rules = security_rules(facts, webhook_ports=[9443])
    assert len({(one.role, one.key) for one in rules}) == len(rules)
    assert rules == security_rules(replace(facts, remote_node_cidrs=tuple(reversed(nodes))), webhook_ports=[9443])
    assert {one.cidr for one in rules if one.port == 10250} == set(nodes)
    # EC2 API reference, IpRange: characters and length of a description.
    assert all(re.fullmatch(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}", one.reason) for one in rules)
