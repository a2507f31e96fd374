"""Access entries, roles and activations: which are asked for, and what is not there."""

from __future__ import annotations

from typing import Any

import pytest

from edge.aws.errors import MissingError
from edge.aws.read import WantedRole, read_cluster
from edge.aws.read_identity import document, read_activations, read_entries, role_in
from edge.aws.reader import Reader
from tests.unit.aws_world import (
    ACTIVATION,
    NAME,
    OWNER,
    ROLE,
    ROLE_ARN,
    Account,
    account,
    activation,
    built,
    entry,
    stubbed,
    view_of,
)

__all__ = ["built"]  # a fixture


def test_only_the_entries_that_matter_are_described(built: Account) -> None:
    others = [
        entry("arn:aws:iam::123456789012:role/admin", "STANDARD"),
        entry("arn:aws:iam::123456789012:user/me", "STANDARD"),
        entry(
            "arn:aws:iam::123456789012:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS", "STANDARD"
        ),
        entry(f"arn:aws:iam::123456789012:role/plants/{ROLE}", "STANDARD"),
    ]
    made = account(built, entries=[entry(ROLE_ARN), *others])
    cluster = read_cluster(Reader(made), NAME)

    def asked(wanted: WantedRole) -> list[str]:
        made.asked.clear()
        found = read_entries(Reader(made), cluster, wanted)
        described = [values["principalArn"] for action, values in made.asked if action == "eks:DescribeAccessEntry"]
        assert sorted(described) == [one.principal for one in found]
        return sorted(described)

    admin, path = others[0]["principalArn"], others[3]["principalArn"]
    assert asked(WantedRole()) == sorted([ROLE_ARN, admin, path])
    assert asked(WantedRole("admin")) == [admin]
    assert asked(WantedRole(f"plants/{ROLE}")) == sorted([ROLE_ARN, path])
    assert asked(WantedRole("nobody")) == []


def test_an_entry_that_goes_between_the_two_calls_is_none(built: Account) -> None:
    made = account(built)
    made.answers["eks:ListAccessEntries"] = lambda _: {"accessEntries": [ROLE_ARN, f"{ROLE_ARN}-gone"]}
    assert [one.principal for one in view_of(made).entries] == [ROLE_ARN]


def test_a_cluster_without_access_entries_is_not_asked_for_them(built: Account) -> None:
    made = account(built)
    plain = made.changes["eks:DescribeCluster"]

    def config_map(parsed: dict[str, Any]) -> None:
        plain(parsed)
        parsed["cluster"]["accessConfig"] = {"authenticationMode": "CONFIG_MAP"}

    made.changes["eks:DescribeCluster"] = config_map
    view = view_of(made)
    assert (view.entries, view.role) == ((), None)
    assert "eks:ListAccessEntries" not in made.actions


def test_a_role_that_is_not_there(built: Account) -> None:
    made = account(built)
    with pytest.raises(MissingError) as caught:
        view_of(made, WantedRole("plants/hosts"))
    assert str(caught.value) == (
        "AWS iam:GetRole in eu-central-1: there is no role hosts. Remedy: Correct `site.network.hybridRole`; it is the name"
        " of an IAM role of the cluster's account."
    )
    assert view_of(made, WantedRole("hosts", made_here=True)).role is None
    made.entries = [entry("arn:aws:iam::123456789012:role/gone")]
    with pytest.raises(MissingError, match="Delete the access entry of that role, or make the role again"):
        view_of(made)


def test_names_of_roles() -> None:
    assert role_in("arn:aws:iam::123456789012:role/a/b/hosts") == "hosts"
    assert role_in("arn:aws-cn:iam::123456789012:role/hosts") == "hosts"
    assert role_in("arn:aws:iam::123456789012:user/me") == ""
    assert WantedRole("a/b/hosts").plain == WantedRole("hosts").plain == "hosts"


def test_policy_documents_in_both_forms() -> None:
    assert document("%7B%22Version%22%3A%20%222012-10-17%22%7D") == {"Version": "2012-10-17"}
    assert document({"Version": "x"}) == {"Version": "x"}
    assert document("no json") == document(None) == {}


def test_activations_are_those_of_the_owner() -> None:
    tags = [{"Key": "edge-hosts-owner", "Value": OWNER}]
    used = activation(ACTIVATION, Expired=True, RegistrationsCount=6, IamRole="hosts", Tags=tags)
    reader = stubbed(
        "ssm", ("DescribeActivations", {}, {"ActivationList": [used, activation(ACTIVATION), {**used, "Tags": []}]})
    )
    (view,) = read_activations(reader, OWNER)
    assert (view.expired, view.count, view.role, view.tags) == (True, 6, "hosts", {"edge-hosts-owner": OWNER})
