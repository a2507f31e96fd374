"""What the identity of a cluster's hosts registers: types, inputs, parents, dependencies, and what AWS's API says of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from pulumi import Output

from components.aws.identity import HybridIdentity
from components.testing import Recording, record
from edge.errors import SettingsError
from edge.settings.identity import Identity
from tests.components.aws_api import problems
from tests.unit.settings_helpers import authority

pytestmark = pytest.mark.row("C2")

ACCOUNT, REGION = "066635153087", "eu-central-1"
CLUSTER = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/plants"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/AmazonEKSHybridNodesRole"
GIVEN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/edge/Given"
ANCHOR_ARN = f"arn:aws:rolesanywhere:{REGION}:{ACCOUNT}:trust-anchor/3b8bb3a5-0f0c-4b8b-9d3b-5a2f9c0a1f11"
PROFILE_ARN = f"arn:aws:rolesanywhere:{REGION}:{ACCOUNT}:profile/9d3b3b8b-0f0c-4b8b-b3a5-5a2f9c0a1f22"
OTHER_ANCHOR, OTHER_PROFILE = f"{ANCHOR_ARN[:-2]}99", f"{PROFILE_ARN[:-2]}99"
PCA = f"arn:aws:acm-pca:{REGION}:{ACCOUNT}:certificate-authority/12345678-1234-1234-1234-123456789012"
TAGS = {"owner": "edge-hosts.plants-prod"}
OUTPUTS: Mapping[str, Mapping[str, Any]] = {
    "aws:iam/role:Role": {"arn": ROLE_ARN},
    "aws:rolesanywhere/trustAnchor:TrustAnchor": {"arn": ANCHOR_ARN},
    "aws:rolesanywhere/profile:Profile": {"arn": PROFILE_ARN},
}
ROLE, ENTRY = "aws:iam/role:Role", "aws:eks/accessEntry:AccessEntry"
ANCHOR, PROFILE = "aws:rolesanywhere/trustAnchor:TrustAnchor", "aws:rolesanywhere/profile:Profile"
POLICY, ATTACHMENT = "aws:iam/rolePolicy:RolePolicy", "aws:iam/rolePolicyAttachment:RolePolicyAttachment"


def made(provider: Any = "ssm", config: Mapping[str, str] | None = None, **more: Any) -> Recording:
    """Return what an identity registers; `more` are its settings and the arguments `protect`, `preview`, `tags`."""
    preview = more.pop("preview", False)
    how = {"protect": more.pop("protect", False), "tags": more.pop("tags", TAGS), "partition": "aws", "region": REGION}
    identity = Identity.model_validate(more)

    def program() -> None:
        one = HybridIdentity(
            "plants-identity",
            identity,
            provider=provider,
            account=Output.from_input(ACCOUNT),
            cluster_name=Output.from_input("plants"),
            cluster_arn=Output.from_input(CLUSTER),
            **how,
        )
        for name in ("role_arn", "role_name", "trust_anchor_arn", "profile_arn"):
            pulumi.export(name, getattr(one, name))

    options: dict[str, Any] = {"config": config or {}, "secret_keys": [], "preview": preview, "outputs": OUTPUTS}
    return record(program, project="edge-hosts", stack="plants-prod", **options)


def anywhere(**more: Any) -> dict[str, Any]:
    return {"rolesAnywhere": {"trustAnchor": {"certificates": authority()}, **more}}


def kinds(recording: Recording) -> dict[str, str]:
    """Return the type of every object that is made in AWS, by name."""
    return {one.name: one.type for one in recording.resources if one.custom}


def test_ssm_gets_a_role_with_its_policies_and_an_access_entry() -> None:
    recording = made()
    assert kinds(recording) == {
        "plants-identity-role": ROLE,
        "plants-identity-policy": POLICY,
        "plants-identity-ssm-core": ATTACHMENT,
        "plants-identity-ecr-pull": ATTACHMENT,
        "plants-identity-access-entry": ENTRY,
    }
    assert {one.parent for one in recording.resources if one.custom} == {"plants-identity"}
    component = recording.get("plants-identity")
    assert (component.type, component.custom, component.dependencies) == ("edge-hosts:index:HybridIdentity", False, ())
    assert recording.exports == {
        "role_arn": ROLE_ARN,
        "role_name": "AmazonEKSHybridNodesRole",
        "trust_anchor_arn": "",
        "profile_arn": "",
    }


def test_the_role_is_trusted_by_systems_manager_and_has_its_rights() -> None:
    recording = made()
    role = recording.get("plants-identity-role")
    trust = json.loads(role.plain("assumeRolePolicy"))
    assert trust["Statement"][0]["Principal"] == {"Service": "ssm.amazonaws.com"}
    assert trust["Statement"][0]["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    assert (role.plain("name"), role.plain("path"), role.plain("tags")) == ("AmazonEKSHybridNodesRole", "/", TAGS)
    assert role.plain("maxSessionDuration") is None
    policy = recording.get("plants-identity-policy")
    actions = [one["Action"] for one in json.loads(policy.plain("policy"))["Statement"]]
    assert actions == [
        ["eks:DescribeCluster", "eks:ListAccessEntries"],
        "ssm:DescribeInstanceInformation",
        "ssm:DeregisterManagedInstance",
    ]
    attached = {one.plain("policyArn") for one in recording.resources if one.type == ATTACHMENT}
    assert attached == {
        "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
        "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
    }
    for name in ("policy", "ssm-core", "ecr-pull"):
        assert recording.get(f"plants-identity-{name}").property_dependencies["role"] == ("plants-identity-role",)


def test_the_access_entry_says_role_cluster_and_type_and_nothing_else() -> None:
    entry = made(tags={}).get("plants-identity-access-entry")
    assert dict(entry.inputs) == {
        "clusterName": "plants",
        "principalArn": ROLE_ARN,
        "type": "HYBRID_LINUX",
        "region": REGION,
    }
    assert entry.property_dependencies["principalArn"] == ("plants-identity-role",)
    assert "plants-identity-access-entry" not in kinds(made(accessEntry=False))


def test_roles_anywhere_gets_trust_anchor_role_and_profile() -> None:
    recording = made("iamRolesAnywhere", **anywhere())
    assert kinds(recording) == {
        "plants-identity-trust-anchor": ANCHOR,
        "plants-identity-role": ROLE,
        "plants-identity-policy": POLICY,
        "plants-identity-ecr-pull": ATTACHMENT,
        "plants-identity-access-entry": ENTRY,
        "plants-identity-profile": PROFILE,
    }
    role, profile = recording.get("plants-identity-role"), recording.get("plants-identity-profile")
    sources = [
        one["Condition"]["ArnEquals"]["aws:SourceArn"]
        for one in json.loads(role.plain("assumeRolePolicy"))["Statement"]
    ]
    assert sources == [ANCHOR_ARN, ANCHOR_ARN]
    assert role.property_dependencies["assumeRolePolicy"] == ("plants-identity-trust-anchor",)
    assert (profile.plain("acceptRoleSessionName"), profile.plain("enabled")) == (True, True)
    assert (profile.plain("durationSeconds"), profile.plain("roleArns")) == (3600, [ROLE_ARN])
    assert role.plain("maxSessionDuration") == 7200
    assert "ssm:" not in recording.get("plants-identity-policy").plain("policy")
    assert recording.exports["trust_anchor_arn"] == ANCHOR_ARN
    assert recording.exports["profile_arn"] == PROFILE_ARN


def test_the_trust_anchor_holds_the_certificate_alone() -> None:
    pem = authority()
    settings = {"rolesAnywhere": {"trustAnchor": {"certificates": pem}}}
    anchor = made("iamRolesAnywhere", **settings).get("plants-identity-trust-anchor")
    assert anchor.plain("source") == {
        "sourceType": "CERTIFICATE_BUNDLE",
        "sourceData": {"x509CertificateData": pem},
    }
    assert anchor.plain("enabled") is True


def test_a_private_ca_of_aws_can_be_the_authority() -> None:
    settings = {"rolesAnywhere": {"trustAnchor": {"acmPca": PCA}}}
    anchor = made("iamRolesAnywhere", **settings).get("plants-identity-trust-anchor")
    assert anchor.plain("source") == {"sourceType": "AWS_ACM_PCA", "sourceData": {"acmPcaArn": PCA}}


def test_what_exists_is_used_as_it_is_and_nothing_is_made_or_changed() -> None:
    existing = {"trustAnchor": {"arn": OTHER_ANCHOR}, "profile": OTHER_PROFILE}
    settings: dict[str, Any] = {"role": {"arn": GIVEN_ROLE}, "rolesAnywhere": existing}
    recording = made("iamRolesAnywhere", accessEntry=False, **settings)
    assert kinds(recording) == {}
    assert recording.exports == {
        "role_arn": GIVEN_ROLE,
        "role_name": "Given",
        "trust_anchor_arn": OTHER_ANCHOR,
        "profile_arn": OTHER_PROFILE,
    }
    with_entry = made("iamRolesAnywhere", **settings)
    assert kinds(with_entry) == {"plants-identity-access-entry": ENTRY}
    assert with_entry.get("plants-identity-access-entry").plain("principalArn") == GIVEN_ROLE


def test_what_exists_is_known_in_the_first_preview() -> None:
    existing = {"trustAnchor": {"arn": OTHER_ANCHOR}, "profile": OTHER_PROFILE}
    recording = made("iamRolesAnywhere", preview=True, role={"arn": GIVEN_ROLE}, rolesAnywhere=existing)
    assert recording.exports["role_arn"] == GIVEN_ROLE
    assert recording.exports["profile_arn"] == OTHER_PROFILE


def test_a_given_trust_anchor_is_what_a_new_role_trusts() -> None:
    settings = {"rolesAnywhere": {"trustAnchor": {"arn": OTHER_ANCHOR}}}
    recording = made("iamRolesAnywhere", **settings)
    assert ANCHOR not in kinds(recording).values()
    assert OTHER_ANCHOR in recording.get("plants-identity-role").plain("assumeRolePolicy")


@pytest.mark.parametrize("protect", [True, False])
def test_what_hosts_know_by_its_arn_is_protected(protect: bool) -> None:
    recording = made("iamRolesAnywhere", protect=protect, **anywhere())
    kept = {one.type for one in recording.resources if one.protect}
    assert kept == ({ROLE, ANCHOR, PROFILE} if protect else set())


def test_the_settings_of_the_role_reach_it() -> None:
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/Boundary"
    wanted = {"name": "edge/plants/Nodes", "permissionsBoundary": boundary, "podIdentity": True, "deregisterBy": "tag"}
    recording = made(role=wanted)
    role = recording.get("plants-identity-role")
    assert (role.plain("path"), role.plain("name")) == ("/edge/plants/", "Nodes")
    assert role.plain("permissionsBoundary") == boundary
    statements = json.loads(recording.get("plants-identity-policy").plain("policy"))["Statement"]
    assert statements[2]["Condition"] == {"StringEquals": {"ssm:resourceTag/EKSClusterARN": CLUSTER}}
    assert statements[3]["Action"] == "eks-auth:AssumeRoleForPodIdentity"


def test_two_runs_send_the_same_text() -> None:
    def texts(recording: Recording) -> list[str]:
        role, policy = recording.get("plants-identity-role"), recording.get("plants-identity-policy")
        return [role.plain("assumeRolePolicy"), policy.plain("policy")]

    first = texts(made())
    assert first == texts(made())
    assert all(text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")) for text in first)


BOTH = {
    "ssm": ("ssm", {}),
    "ssm, all settings": (
        "ssm",
        {
            "role": {
                "name": "edge/Nodes",
                "permissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/B",
                "podIdentity": True,
            }
        },
    ),
    "roles anywhere": ("iamRolesAnywhere", anywhere(session="15m")),
    "roles anywhere, long": ("iamRolesAnywhere", anywhere(session="11h")),
    "private CA": ("iamRolesAnywhere", {"rolesAnywhere": {"trustAnchor": {"acmPca": PCA}}}),
}


@pytest.mark.parametrize(("provider", "settings"), BOTH.values(), ids=BOTH)
def test_aws_would_take_what_is_sent(provider: str, settings: dict[str, Any]) -> None:
    sent = [one for one in made(provider, **settings).resources if one.custom]
    assert len(sent) >= 5
    assert {one.name: problems(one) for one in sent} == {one.name: [] for one in sent}


@pytest.mark.parametrize(
    ("name", "key", "value", "words"),
    [
        ("role", "name", "n" * 65, "more than 64"),
        ("role", "name", "a/b", "does not match"),
        ("role", "path", "edge/", "does not match"),
        ("role", "maxSessionDuration", 43201.0, "more than 43200"),
        ("profile", "durationSeconds", 899.0, "valid min value: 900"),
        ("profile", "roleArns", None, "Missing required parameter"),
        ("trust-anchor", "source", {"sourceType": "FILE", "sourceData": {}}, "none of"),
        ("access-entry", "principalArn", 7.0, "Invalid type"),
        ("access-entry", "userName", "someone", "userName is not sent"),
    ],
)
def test_what_aws_would_not_take_is_found(name: str, key: str, value: Any, words: str) -> None:
    one = made("iamRolesAnywhere", **anywhere()).get(f"plants-identity-{name}")
    broken = dataclasses.replace(one, inputs={**one.inputs, key: value})
    assert words in " ".join(problems(broken))


def test_an_identity_that_does_not_fit_the_provider_is_refused_before_anything_is_made() -> None:
    with pytest.raises(SettingsError, match="hosts use IAM Roles Anywhere"):
        made("iamRolesAnywhere")
    with pytest.raises(SettingsError, match="does not fit `credentialProvider: ssm`"):
        made("ssm", **anywhere())


def test_trust_anchor_and_profile_are_made_in_the_region_of_the_stack_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="aws:region: is not the region of the network, eu-central-1"):
        made("iamRolesAnywhere", {"aws:region": "us-east-1"}, **anywhere())
    existing = {"trustAnchor": {"arn": OTHER_ANCHOR}, "profile": OTHER_PROFILE}
    assert made("iamRolesAnywhere", {"aws:region": "us-east-1"}, rolesAnywhere=existing).exports["role_arn"] == ROLE_ARN
    assert made("iamRolesAnywhere", {"aws:region": REGION}, **anywhere()).exports["profile_arn"] == PROFILE_ARN
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with pytest.raises(SettingsError, match="us-east-1"):
        made("iamRolesAnywhere", **anywhere())
