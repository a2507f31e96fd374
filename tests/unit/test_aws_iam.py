"""The policies of the hybrid nodes role, parsed and compared with documents typed by hand from AWS's own templates."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.aws import iam
from edge.aws.permissions_identity import IDENTITY_ACTIONS

pytestmark = pytest.mark.row("C2", "A6")

ACCOUNT = "066635153087"
PLACES = [
    ("aws", "eu-central-1"),
    ("aws-cn", "cn-north-1"),
    ("aws-us-gov", "us-gov-west-1"),
    ("aws-eusc", "eusc-de-east-1"),
]
CLUSTERS = {
    "aws": "arn:aws:eks:eu-central-1:066635153087:cluster/plants",
    "aws-cn": "arn:aws-cn:eks:cn-north-1:066635153087:cluster/plants",
    "aws-us-gov": "arn:aws-us-gov:eks:us-gov-west-1:066635153087:cluster/plants",
    "aws-eusc": "arn:aws-eusc:eks:eusc-de-east-1:066635153087:cluster/plants",
}
SSM_SOURCE = {
    "aws": "arn:aws:ssm:eu-central-1:066635153087:*",
    "aws-cn": "arn:aws-cn:ssm:cn-north-1:066635153087:*",
    "aws-us-gov": "arn:aws-us-gov:ssm:us-gov-west-1:066635153087:*",
    "aws-eusc": "arn:aws-eusc:ssm:eusc-de-east-1:066635153087:*",
}
HOSTS = {
    "aws": "arn:aws:ssm:eu-central-1:066635153087:managed-instance/*",
    "aws-cn": "arn:aws-cn:ssm:cn-north-1:066635153087:managed-instance/*",
    "aws-us-gov": "arn:aws-us-gov:ssm:us-gov-west-1:066635153087:managed-instance/*",
    "aws-eusc": "arn:aws-eusc:ssm:eusc-de-east-1:066635153087:managed-instance/*",
}
ANCHOR = "arn:aws:rolesanywhere:eu-central-1:066635153087:trust-anchor/3b8bb3a5-0f0c-4b8b-9d3b-5a2f9c0a1f11"


def parsed(document: dict[str, Any]) -> Any:
    """Return a document as AWS would read it from the text that is sent."""
    return json.loads(iam.rendered(document))


@pytest.mark.parametrize(("partition", "region"), PLACES)
def test_systems_manager_of_this_account_and_region_takes_the_role_on(partition: str, region: str) -> None:
    assert parsed(iam.trust_policy("ssm", partition=partition, region=region, account=ACCOUNT)) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ssm.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": "066635153087"},
                    "ArnEquals": {"aws:SourceArn": SSM_SOURCE[partition]},
                },
            }
        ],
    }


def test_one_trust_anchor_takes_the_role_on_under_the_name_in_the_certificate() -> None:
    found = iam.trust_policy(
        "iamRolesAnywhere", partition="aws", region="eu-central-1", account=ACCOUNT, trust_anchor=ANCHOR
    )
    assert parsed(found) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "rolesanywhere.amazonaws.com"},
                "Action": ["sts:TagSession", "sts:SetSourceIdentity"],
                "Condition": {"ArnEquals": {"aws:SourceArn": ANCHOR}},
            },
            {
                "Effect": "Allow",
                "Principal": {"Service": "rolesanywhere.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"sts:RoleSessionName": "${aws:PrincipalTag/x509Subject/CN}"},
                    "ArnEquals": {"aws:SourceArn": ANCHOR},
                },
            },
        ],
    }


def test_a_role_of_roles_anywhere_without_a_trust_anchor_is_no_policy() -> None:
    with pytest.raises(ValueError, match="trust anchor"):
        iam.trust_policy("iamRolesAnywhere", partition="aws", region="eu-central-1", account=ACCOUNT)


READ = {"Sid": "ReadCluster", "Effect": "Allow", "Action": ["eks:DescribeCluster", "eks:ListAccessEntries"]}
FIND = {"Sid": "FindHosts", "Effect": "Allow", "Action": "ssm:DescribeInstanceInformation", "Resource": "*"}
LEAVE = {"Sid": "DeregisterHosts", "Effect": "Allow", "Action": "ssm:DeregisterManagedInstance"}
PODS = {"Sid": "PodIdentity", "Effect": "Allow", "Action": "eks-auth:AssumeRoleForPodIdentity", "Resource": "*"}


def rights(provider: Any, partition: str, region: str, **how: Any) -> Any:
    where = {"partition": partition, "region": region, "account": ACCOUNT, "cluster_arn": CLUSTERS[partition]}
    return parsed(iam.inline_policy(provider, **where, **how))


@pytest.mark.parametrize(("partition", "region"), PLACES)
def test_a_host_of_ssm_reads_the_cluster_and_removes_registrations_as_a_registered_host(
    partition: str, region: str
) -> None:
    hosts = HOSTS[partition]
    assert rights("ssm", partition, region) == {
        "Version": "2012-10-17",
        "Statement": [
            {**READ, "Resource": CLUSTERS[partition]},
            FIND,
            {**LEAVE, "Resource": hosts, "Condition": {"ArnLike": {"ssm:SourceInstanceARN": hosts}}},
        ],
    }


@pytest.mark.parametrize(("partition", "region"), PLACES)
def test_a_host_of_ssm_may_be_limited_to_what_carries_the_clusters_tag(partition: str, region: str) -> None:
    condition = {"StringEquals": {"ssm:resourceTag/EKSClusterARN": CLUSTERS[partition]}}
    assert rights("ssm", partition, region, deregister_by="tag")["Statement"][2] == {
        **LEAVE,
        "Resource": HOSTS[partition],
        "Condition": condition,
    }


@pytest.mark.parametrize(("partition", "region"), PLACES)
def test_a_host_of_roles_anywhere_reads_the_cluster_and_nothing_else(partition: str, region: str) -> None:
    expected = {"Version": "2012-10-17", "Statement": [{**READ, "Resource": CLUSTERS[partition]}]}
    assert rights("iamRolesAnywhere", partition, region) == expected
    assert rights("iamRolesAnywhere", partition, region, deregister_by="tag") == expected


@pytest.mark.parametrize("provider", ["ssm", "iamRolesAnywhere"])
def test_pod_identity_is_one_more_right_when_it_is_asked_for(provider: str) -> None:
    plain = rights(provider, "aws", "eu-central-1")["Statement"]
    assert rights(provider, "aws", "eu-central-1", pod_identity=True)["Statement"] == [*plain, PODS]


@pytest.mark.parametrize(
    ("provider", "partition", "expected"),
    [
        (
            "ssm",
            "aws",
            {
                "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
                "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
            },
        ),
        (
            "ssm",
            "aws-cn",
            {
                "arn:aws-cn:iam::aws:policy/AmazonSSMManagedInstanceCore",
                "arn:aws-cn:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
            },
        ),
        ("iamRolesAnywhere", "aws-us-gov", {"arn:aws-us-gov:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"}),
        ("iamRolesAnywhere", "aws-eusc", {"arn:aws-eusc:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"}),
    ],
)
def test_managed_policies_are_those_of_the_partition(provider: Any, partition: str, expected: set[str]) -> None:
    assert set(iam.managed_policies(provider, partition).values()) == expected


def test_a_document_has_one_text_whatever_the_order_of_its_keys() -> None:
    document = iam.trust_policy("ssm", partition="aws", region="eu-central-1", account=ACCOUNT)
    turned = dict(reversed(list(document.items())))
    turned["Statement"] = [dict(reversed(list(one.items()))) for one in document["Statement"]]
    assert list(turned) != list(document)
    assert iam.rendered(turned) == iam.rendered(document)


@pytest.mark.parametrize(
    ("session", "longest"),
    [("15m", 3600), ("59m", 3600), ("60m", 7200), ("61m", 7200), ("660m", 43200), ("719m", 43200)],
)
def test_a_role_outlasts_the_sessions_of_its_profile(session: str, longest: int) -> None:
    assert iam.max_session(timedelta(minutes=int(session[:-1]))) == longest


@given(st.integers(900, 12 * 3600 - 1))
def test_a_role_always_outlasts_its_profile_within_what_iam_takes(seconds: int) -> None:
    assert max(seconds, 3599) < iam.max_session(timedelta(seconds=seconds)) <= 43200


_WORD = st.text("abcXYZ019+=,.@_-", min_size=1, max_size=20)


@given(st.lists(_WORD, max_size=3), _WORD)
def test_path_and_name_of_a_role_make_its_arn_and_come_out_of_it(above: list[str], name: str) -> None:
    written = "/".join([*above, name])
    path, bare = iam.role_parts(written)
    assert bare == name
    assert path.startswith("/") and path.endswith("/")
    assert iam.role_in(f"arn:aws:iam::{ACCOUNT}:role{path}{bare}") == written


def test_no_arn_is_no_role() -> None:
    assert iam.role_in("") == ""


def test_actions_are_actions_and_passing_the_role_is_among_them() -> None:
    for kind, actions in IDENTITY_ACTIONS.items():
        service = {"iam": "iam", "eks": "eks", "rolesanywhere": "rolesanywhere", "ssm": "ssm"}[
            kind.split(":")[1].split("/")[0]
        ]
        assert actions.create and actions.read and actions.delete
        assert {one.split(":")[0] for one in actions.all()} <= {service, "iam"}
    passing = {kind for kind, actions in IDENTITY_ACTIONS.items() if "iam:PassRole" in actions.create}
    assert passing == {"aws:ssm/activation:Activation", "aws:rolesanywhere/profile:Profile"}


def test_every_action_is_one_that_the_service_has() -> None:
    """Actions are named after calls of the API, but for the few that are no calls."""
    import botocore.session

    session = botocore.session.get_session()
    for actions in IDENTITY_ACTIONS.values():
        for action in actions.all():
            service, name = action.split(":")
            calls = session.get_service_model(service).operation_names
            assert name in calls or action == "iam:PassRole", action
