"""The rules for role, access entry and activation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge.aws.view import AwsView, EntryView
from tests.unit.aws_judged import clean, judged, only, verdict
from tests.unit.aws_samples import (
    ACTIVATION,
    ANYWHERE_ROLE,
    CLUSTER_ARN,
    ROLE,
    ROLE_ARN,
    activation,
    clean_view,
    inline,
    made_activation,
    managed_policy,
    network_of,
    trust_anywhere,
    trust_ssm,
)

pytestmark = pytest.mark.row("A6", "C2")
NAME = "AmazonEKSHybridNodesRole"
ANYWHERE = {"credential_provider": "iamRolesAnywhere", "private_path": False}


def with_role(**changes: Any) -> AwsView:
    return clean_view(role=replace(ROLE, **changes))


class TestRole:
    @pytest.mark.parametrize(
        ("trust", "words"),
        [
            (trust_anywhere(), "does not let ssm.amazonaws.com do sts:AssumeRole"),
            ({}, "does not let ssm.amazonaws.com"),
            (trust_ssm(account="123456789012"), "only where aws:SourceAccount is another one"),
            (trust_ssm(region="us-east-1"), "only where aws:SourceArn is another one"),
        ],
    )
    def test_whom_it_trusts(self, trust: dict[str, Any], words: str) -> None:
        found = judged(with_role(trust=trust))
        assert {(one.check, one.level, one.subject) for one in found} == {("aws.role", "fail", NAME)}
        assert any(words in one.problem for one in found)
        assert all("update-assume-role-policy" in one.remedy for one in found)

    @pytest.mark.parametrize("arn", ["arn:aws:ssm:*:066635153087:*", "arn:aws:ssm:eu-central-1:*:*", "*"])
    def test_conditions_with_wildcards_hold(self, arn: str) -> None:
        trust = trust_ssm()
        trust["Statement"][0]["Condition"] = {"ArnLike": {"AWS:SourceArn": [arn]}}
        assert judged(with_role(trust=trust)) == []

    @pytest.mark.parametrize("action", ["eks:DescribeCluster", "eks:ListAccessEntries"])
    def test_both_actions_on_the_cluster(self, action: str) -> None:
        other = ({"eks:DescribeCluster", "eks:ListAccessEntries"} - {action}).pop()
        found = judged(with_role(policies={"eks": inline(other)}))
        only(found, "aws.role", "fail", NAME, f"may not do {action} on {CLUSTER_ARN}", "put-role-policy")

    @pytest.mark.parametrize(
        "policy",
        [
            inline("eks:*", resource="*"),
            inline("eks:Describe*", "eks:List*", resource="arn:aws:eks:*:*:cluster/plants-*"),
            inline("*", resource="*"),
        ],
    )
    def test_wildcards_are_enough(self, policy: dict[str, Any]) -> None:
        assert judged(with_role(policies={"eks": policy})) == []

    def test_another_cluster_is_not(self) -> None:
        policy = inline("eks:DescribeCluster", "eks:ListAccessEntries", resource=CLUSTER_ARN.replace("prod", "dev"))
        assert [one.level for one in judged(with_role(policies={"eks": policy}))] == ["fail", "fail"]

    def test_a_deny_wins(self) -> None:
        policies = {**ROLE.policies, "no": inline("eks:List*", effect="Deny", resource="*")}
        found = judged(with_role(policies=policies))
        only(found, "aws.role", "fail", NAME, "is denied eks:ListAccessEntries", "Remove the Deny")

    def test_a_condition_is_a_warning(self) -> None:
        policy = inline("eks:DescribeCluster", "eks:ListAccessEntries")
        policy["Statement"][0]["Condition"] = {"StringEquals": {"aws:RequestedRegion": "eu-central-1"}}
        found = judged(with_role(policies={"eks": policy}))
        assert [one.level for one in found] == ["warn", "warn"]
        assert "under a condition only" in found[0].problem

    @pytest.mark.parametrize(
        ("left", "action", "policy"),
        [
            ("AmazonSSMManagedInstanceCore", "ecr:GetAuthorizationToken", "AmazonEC2ContainerRegistryPullOnly"),
            ("AmazonEC2ContainerRegistryPullOnly", "ssm:UpdateInstanceInformation", "AmazonSSMManagedInstanceCore"),
        ],
    )
    def test_managed_policies(self, left: str, action: str, policy: str) -> None:
        found = judged(with_role(managed=(managed_policy(left),)))
        assert {one.level for one in found} == {"fail"}
        assert action in found[0].problem
        assert f"--policy-arn arn:aws:iam::aws:policy/{policy}" in found[0].remedy

    def test_what_other_policies_allow_counts(self) -> None:
        pull = inline("ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", resource="*")
        core = inline("ssm:*", "ssmmessages:*", resource="*")
        assert judged(with_role(managed=(), policies={**ROLE.policies, "pull": pull, "core": core})) == []

    def test_a_document_that_was_read_counts_before_the_name(self) -> None:
        arn = managed_policy("AmazonEC2ContainerRegistryPullOnly")
        found = judged(with_role(policies={**ROLE.policies, arn: inline("ecr:GetAuthorizationToken", resource="*")}))
        assert {one.problem.split()[3] for one in found} == {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}

    def test_a_policy_that_was_not_read_makes_it_a_warning(self) -> None:
        own = "arn:aws:iam::066635153087:policy/hybrid"
        found = judged(with_role(managed=(*ROLE.managed, own), policies={}))
        assert [one.level for one in found] == ["warn", "warn"]
        assert f"unless {own} allows it" in found[0].problem
        read = {own: inline("eks:DescribeCluster", "eks:ListAccessEntries")}
        assert judged(with_role(managed=(*ROLE.managed, own), policies=read)) == []

    def test_a_policy_of_the_own_account_is_not_that_of_aws(self) -> None:
        fake = "arn:aws:iam::066635153087:policy/AmazonSSMManagedInstanceCore"
        found = judged(with_role(managed=(ROLE.managed[0], fake)))
        assert found and all("ssm" in one.problem for one in found)

    def test_a_role_that_is_nowhere(self) -> None:
        found = judged(clean_view(role=None))
        only(found, "aws.role", "fail", ROLE_ARN, "was not found", "hybridRole")


class TestRolesAnywhere:
    def test_a_clean_one(self) -> None:
        assert judged(clean_view(role=ANYWHERE_ROLE), facts=ANYWHERE) == []

    def test_tags_and_source_identity(self) -> None:
        trust = trust_anywhere()
        del trust["Statement"][1]
        found = judged(clean_view(role=replace(ANYWHERE_ROLE, trust=trust)), facts=ANYWHERE)
        only(found, "aws.role", "fail", NAME, "sts:TagSession, sts:SetSourceIdentity", "iamRolesAnywhere")

    def test_another_trust_anchor(self) -> None:
        facts = {**ANYWHERE, "trust_anchor_arn": "arn:aws:rolesanywhere:eu-central-1:066635153087:trust-anchor/other"}
        found = judged(clean_view(role=ANYWHERE_ROLE), facts=facts)
        assert {(one.check, one.level) for one in found} == {("aws.role", "fail")}
        assert "aws:SourceArn" in found[0].problem

    @pytest.mark.parametrize(("seconds", "level"), [(3599, "fail"), (3600, "warn"), (3601, "")])
    def test_the_longest_session(self, seconds: int, level: str) -> None:
        found = judged(clean_view(role=replace(ANYWHERE_ROLE, max_session=seconds)), facts=ANYWHERE)
        assert [one.level for one in found] == ([level] if level else [])
        assert all("--max-session-duration 7200" in one.remedy for one in found)

    def test_the_session_of_the_settings(self) -> None:
        raw = {
            "source": "lookup",
            "cluster": "plants-prod",
            "identity": {"rolesAnywhere": {"trustAnchor": {"arn": ANCHOR}, "session": "3h"}},
        }
        found = judged(clean_view(role=ANYWHERE_ROLE), facts=ANYWHERE, network=network_of(raw))
        only(found, "aws.role", "fail", NAME, "allows sessions of 7200 s", "asks for 10800 s")

    def test_an_activation_is_not_asked_for(self) -> None:
        view = clean_view(role=ANYWHERE_ROLE, activations=())
        assert verdict("aws.activation", view, ANYWHERE).skipped


ANCHOR = "arn:aws:rolesanywhere:eu-central-1:066635153087:trust-anchor/0b1c2d3e-0000-4000-8000-000000000001"


class TestAccessEntry:
    def test_the_mapping_in_aws_auth_alone_is_one_whole_sentence(self) -> None:
        [found] = judged(clean_view(entries=()))
        assert str(found.finding) == (
            f"cluster plants-prod: has no access entry of type HYBRID_LINUX for {ROLE_ARN}; the mapping in aws-auth alone"
            " is not found by nodeadm, which then refuses to join. Make it: `aws eks create-access-entry --cluster-name"
            f" plants-prod --principal-arn {ROLE_ARN} --type HYBRID_LINUX --region eu-central-1`."
        )

    def test_an_entry_of_another_role(self) -> None:
        other = EntryView(ROLE_ARN + "2", "HYBRID_LINUX")
        only(judged(clean_view(entries=(other,))), "aws.accessentry", "fail", "cluster plants-prod", other.principal)

    def test_an_entry_of_another_type(self) -> None:
        view = clean_view(entries=(EntryView(ROLE_ARN, "STANDARD"),))
        only(
            judged(view), "aws.accessentry", "fail", ROLE_ARN, "STANDARD", "delete-access-entry", "create-access-entry"
        )

    def test_any_hybrid_entry_will_do_while_no_role_is_known(self) -> None:
        view = clean_view(role=None)
        found = [one for one in judged(view, facts={"hybrid_role_arn": ""}) if one.check == "aws.accessentry"]
        assert found == []


@pytest.mark.row("C7")
class TestActivation:
    def test_an_expired_activation_is_one_whole_sentence(self) -> None:
        [found] = judged(clean_view(activations=(activation(days=-1, expired=True),)))
        assert str(found.finding) == (
            f"activation {ACTIVATION}: is expired, and 2 registrations are still to come (got '2026-08-31T12:00:00Z')."
            " Make a new activation: `activation: {source: create, expires: ...}`, or one by hand and write its id."
        )

    @pytest.mark.parametrize(
        ("found", "level", "words"),
        [
            (activation(days=5, expired=True), "fail", "is expired"),
            (activation(days=-1), "fail", "is expired"),
            (activation(limit=1), "fail", "has 1 of 1 registrations left, but 2 are still to come"),
            (activation(days=1), "warn", "expires within two days"),
            (replace(activation(), role="Other"), "fail", "gives hosts the role Other"),
            (replace(activation(), id="0" * 8), "fail", "does not exist in eu-central-1"),
            (activation(limit=2, count=2, days=-1), "warn", "is expired, and 0 registrations"),
        ],
    )
    def test_one_that_exists(self, found: Any, level: str, words: str) -> None:
        judgement = judged(clean_view(activations=(found,)))
        assert [(one.check, one.level) for one in judgement] == [("aws.activation", level)]
        assert words in judgement[0].problem

    @pytest.mark.parametrize("found", [activation(limit=2), activation(limit=2, count=2), activation(limit=3, count=1)])
    def test_one_that_serves(self, found: Any) -> None:
        assert judged(clean_view(activations=(found,))) == []

    def test_the_role_may_have_a_path(self) -> None:
        found = replace(activation(), role="hybrid/AmazonEKSHybridNodesRole")
        assert judged(clean_view(activations=(found,))) == []

    @pytest.mark.parametrize(
        ("moment", "level", "words"),
        [
            ("2026-08-31T00:00:00Z", "fail", "is over, and 2 registrations are still to come"),
            ("2026-10-02T00:00:00Z", "fail", "is more than 30 days ahead"),
            ("2026-09-30T00:00:00Z", "", ""),
        ],
    )
    def test_one_that_the_stack_makes(self, moment: str, level: str, words: str) -> None:
        found = judged(clean_view(activations=()), activation=made_activation(moment))
        if level:
            only(found, "aws.activation", level, "site.activation.expires", words, '"2026-09-30T12:00:00Z"', moment)
        else:
            assert found == []

    def test_one_that_the_stack_made_and_that_is_used_up(self) -> None:
        made = activation(limit=2, count=2, days=20)
        found = judged(
            clean_view(activations=(made,)), activation=made_activation("2026-09-21T12:00:00Z"), generations=3
        )
        only(found, "aws.activation", "fail", f"activation {ACTIVATION}", "0 of 2 registrations left, but 1")

    def test_reinstalled_hosts_register_again(self) -> None:
        assert judged(clean(), generations=4) == []
        only(
            judged(clean(), generations=5),
            "aws.activation",
            "fail",
            f"activation {ACTIVATION}",
            "but 5 are still to come",
        )

    def test_activations_that_may_not_be_read(self) -> None:
        view = clean_view(denied=("ssm:DescribeActivations",), activations=())
        assert verdict("aws.activation", view).skipped == "not judged: ssm:DescribeActivations is not allowed"

    def test_a_site_without_an_activation(self) -> None:
        assert verdict("aws.activation", clean(), activation=None).skipped
