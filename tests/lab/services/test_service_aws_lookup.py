"""The program's own look-up, asked of the lab's account: the facts of the committed stack file, and a finding per change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from aws_stand import FACTS, NODES, Aws

from edge.aws.access import AwsAccess
from edge.aws.lookup import Looked, look_up
from edge.errors import AwsError
from edge.findings import Finding
from edge.network_source import NetworkQuestion, findings_about, question_of
from edge.settings import StackSettings, load_stack
from lab.services.ca import ensure_ca
from lab.stackfile import COMMITTED
from tests.components.lab_facts import LAB_FACTS


def _question(aws: Aws) -> NetworkQuestion:
    """Return what the committed stack of the lab asks; only the address of its AWS is that of the test."""
    settings = load_stack("lab", COMMITTED.parent)
    assert isinstance(settings, StackSettings)
    question = question_of(settings)
    access: AwsAccess = question.aws
    return replace(question, aws=replace(access, endpoints=tuple((name, aws.url) for name, _ in access.endpoints)))


def _look(aws: Aws) -> tuple[Looked, Sequence[Finding]]:
    question = _question(aws)
    looked = look_up(question)
    return looked, findings_about(question, looked.facts, looked.view)


@pytest.mark.row("C2")
def test_the_look_up_gives_the_facts_that_the_mocks_are_told(aws: Aws) -> None:
    looked, found = _look(aws)
    assert looked.facts.cluster_ca.strip() == ensure_ca(aws.services.config.ca_dir).cluster.pem.strip()
    assert replace(looked.facts, cluster_ca=LAB_FACTS.cluster_ca) == LAB_FACTS
    assert looked.view.denied == ()
    assert list(found) == []
    assert look_up(_question(aws)) == looked


@pytest.mark.row("A6", "C2")
@pytest.mark.parametrize(
    ("name", "target", "said"),
    [
        ("aws-vpc-block", "10.231.77.0/24", "10.231.77.0/24"),
        ("aws-endpoint", "publicAndPrivate", "both endpoints"),
        ("aws-auth-mode", "CONFIG_MAP", "CONFIG_MAP"),
        ("aws-route-missing", NODES, "has no route to"),
        ("aws-route-blackhole", NODES, "black hole"),
        ("aws-rule-missing", "in:443", "443"),
        ("aws-rule-missing", "out:10250", "10250"),
        ("aws-entry-missing", None, "access entry"),
        ("aws-role-lacks", "eks:ListAccessEntries", "eks:ListAccessEntries"),
        ("aws-eni-missing", FACTS.addresses[1], "interface"),
        ("aws-tunnel-down", None, "tunnel"),
    ],
)
def test_a_change_of_the_account_is_a_finding_and_goes_with_it(
    aws: Aws, name: str, target: str | None, said: str
) -> None:
    aws.fault(name, target)
    _looked, found = _look(aws)
    assert any(said in str(one) for one in found), list(map(str, found))
    aws.fault(name, target, on=False)
    assert list(_look(aws)[1]) == []


@pytest.mark.parametrize(
    ("name", "target", "said"),
    [
        ("aws-not-hybrid", None, "no remote node networks"),
        ("aws-denied", "eks:DescribeCluster", "eks:DescribeCluster"),
        ("aws-expired", None, "has ended"),
    ],
)
def test_what_ends_a_look_up_is_one_sentence(aws: Aws, name: str, target: str | None, said: str) -> None:
    aws.fault(name, target)
    with pytest.raises(AwsError) as caught:
        look_up(_question(aws))
    assert said in caught.value.render()


def test_a_moment_of_throttling_is_waited_out(aws: Aws) -> None:
    aws.fault("aws-throttled", "2")
    assert _look(aws)[0].facts.cluster_name == "lab"


def test_a_look_up_writes_nothing(aws: Aws) -> None:
    before = len(aws.services.requests("aws"))
    _look(aws)
    assert {one["kind"] for one in aws.services.requests("aws")[before:]} == {"read"}
