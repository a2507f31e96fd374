"""The policy evaluator against a slow, obvious oracle: a universe so small that every action and resource is written down."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.aws.policy import Condition, decide, matches, trust_conditions, trusted_services, trusts

ACTIONS = ("eks:Aa", "eks:Ab", "ssm:Aa", "ssm:Bb")
RESOURCES = ("arn:x:1", "arn:x:2", "arn:Y:1", "*")

action_patterns = st.sampled_from(("*", "eks:*", "EKS:a*", "ssm:?a", "ssm:Bb", "eks:aa", "*:A?", "iam:*"))
resource_patterns = st.sampled_from(("*", "arn:x:*", "arn:?:1", "arn:x:2", "arn:y:1", "arn:*:1"))


def one_or_many(patterns: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.one_of(patterns, st.lists(patterns, min_size=1, max_size=2))


@st.composite
def statement(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a statement with any of the elements and their `Not` forms."""
    found: dict[str, Any] = {"Effect": draw(st.sampled_from(("Allow", "Deny")))}
    found[draw(st.sampled_from(("Action", "NotAction")))] = draw(one_or_many(action_patterns))
    found[draw(st.sampled_from(("Resource", "NotResource")))] = draw(one_or_many(resource_patterns))
    if draw(st.booleans()):
        found["Condition"] = {"StringEquals": {"aws:SourceAccount": "1"}}
    return found


document = st.one_of(statement(), st.lists(statement(), max_size=3)).map(lambda found: {"Statement": found})


def slow_match(pattern: str, text: str) -> bool:
    """Compare character by character."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(slow_match(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and slow_match(pattern[1:], text[1:])


def slow_set(one: dict[str, Any], element: str, universe: tuple[str, ...], lower: bool) -> set[str]:
    """Return the members of the universe that an element takes in, by writing all of them down."""
    name = element if element in one else f"Not{element}"
    patterns = [one[name]] if isinstance(one[name], str) else one[name]
    fold = str.lower if lower else str
    named = {text for text in universe for pattern in patterns if slow_match(fold(pattern), fold(text))}
    return named if name == element else set(universe) - named


def slow_decide(documents: list[dict[str, Any]], action: str, resource: str) -> str:
    """Put the pair into four sets and look where it lies."""
    sets: dict[tuple[str, bool], set[tuple[str, str]]] = {}
    for whole in documents:
        found = whole["Statement"]
        for one in [found] if isinstance(found, dict) else found:
            pairs = {
                (left, right)
                for left in slow_set(one, "Action", ACTIONS, lower=True)
                for right in slow_set(one, "Resource", RESOURCES, lower=False)
            }
            sets.setdefault((one["Effect"], "Condition" in one), set()).update(pairs)
    pair = (action, resource)
    here = {key for key, pairs in sets.items() if pair in pairs}
    if ("Deny", False) in here:
        return "denied"
    if ("Allow", False) in here and ("Deny", True) not in here:
        return "allowed"
    return "conditional" if {("Allow", False), ("Allow", True)} & here else "implicit"


@pytest.mark.row("C2")
@settings(deadline=None, max_examples=300)  # the machine of a test run is shared
@given(st.lists(document, max_size=3), st.sampled_from(ACTIONS), st.sampled_from(RESOURCES))
def test_the_evaluator_agrees_with_the_written_out_sets(
    documents: list[dict[str, Any]], action: str, resource: str
) -> None:
    assert decide(documents, action, resource) == slow_decide(documents, action, resource)


@settings(deadline=None, max_examples=300)
@given(st.text("ab*?:.+", max_size=6), st.text("ab:.+", max_size=6))
def test_wildcards_agree_with_a_comparison_by_characters(pattern: str, text: str) -> None:
    assert matches(pattern, text) == slow_match(pattern, text)


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": action, "Resource": resource, **more}}


CLUSTER = "arn:aws:eks:eu-central-1:123456789012:cluster/plants"


@pytest.mark.parametrize(
    ("documents", "decision"),
    [
        ([], "implicit"),
        ([allow("eks:DescribeCluster", CLUSTER)], "allowed"),
        ([allow(["ssm:*", "eks:describecluster"], ["arn:aws:s3:::b", CLUSTER])], "allowed"),
        ([allow("eks:Describe*", "arn:aws:eks:*")], "allowed"),
        ([allow("eks:DescribeCluster", "arn:aws:eks:*:*:cluster/other")], "implicit"),
        ([allow("eks:DescribeCluster", CLUSTER.upper())], "implicit"),
        ([allow("eks:DescribeCluster", "arn:aws:eks:*:*:cluster/${aws:PrincipalTag/cluster}")], "conditional"),
        ([allow("eks:DescribeCluster", "arn:aws:eks:eu-central-1:123456789012:cluster/plant${*}")], "implicit"),
        ([{"Statement": [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]}], "allowed"),
        ([{"Statement": [{"Effect": "Allow", "NotAction": "eks:*", "Resource": "*"}]}], "implicit"),
        ([{"Statement": [{"Effect": "Allow", "Action": "eks:*", "NotResource": CLUSTER}]}], "implicit"),
        (
            [{"Statement": [{"Effect": "Allow", "Action": "eks:*", "NotResource": "${aws:PrincipalTag/x}"}]}],
            "conditional",
        ),
        ([allow("*"), {"Statement": [{"Effect": "Deny", "Action": "eks:*", "Resource": CLUSTER}]}], "denied"),
        ([{"Statement": "nonsense"}], "implicit"),
        ([{}], "implicit"),
        ([{"Statement": [{"Effect": "Allow", "Resource": "*"}]}], "implicit"),
    ],
)
def test_the_forms_that_documents_take(documents: list[dict[str, Any]], decision: str) -> None:
    assert decide(documents, "eks:DescribeCluster", CLUSTER) == decision


TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["ssm.amazonaws.com"], "AWS": "arn:aws:iam::123456789012:root"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        }
    ],
}


@pytest.mark.parametrize(
    ("principal", "decision"),
    [
        ({"Service": "ssm.amazonaws.com"}, "allowed"),
        ({"Service": ["ec2.amazonaws.com", "ssm.amazonaws.com"]}, "allowed"),
        ("*", "allowed"),
        ({"AWS": "*"}, "implicit"),
        ({"Service": "rolesanywhere.amazonaws.com"}, "implicit"),
    ],
)
def test_who_is_trusted(principal: Any, decision: str) -> None:
    whole = {"Statement": {"Effect": "Allow", "Principal": principal, "Action": ["sts:TagSession", "sts:AssumeRole"]}}
    assert trusts(whole, "ssm.amazonaws.com", "sts:AssumeRole") == decision


def test_a_trust_policy_tells_its_services_and_conditions() -> None:
    assert trusts(TRUST, "ssm.amazonaws.com", "sts:AssumeRole") == "conditional"
    assert trusts(TRUST, "ssm.amazonaws.com", "sts:TagSession") == "implicit"
    assert trusted_services(TRUST) == ("ssm.amazonaws.com",)
    assert list(trust_conditions(TRUST, "ssm.amazonaws.com")) == [
        Condition("StringEquals", "aws:SourceAccount", ("123456789012",))
    ]
    assert list(trust_conditions(TRUST, "ec2.amazonaws.com")) == []


def test_whom_a_not_principal_leaves_out() -> None:
    whole = {"Statement": {"Effect": "Allow", "NotPrincipal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:*"}}
    assert trusts(whole, "ssm.amazonaws.com", "sts:AssumeRole") == "allowed"
    assert trusts(whole, "ec2.amazonaws.com", "sts:AssumeRole") == "implicit"
