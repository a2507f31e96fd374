"""The site's activation: how many registrations, which role, and what is wrong with its life and size."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from settings_helpers import authority, load, private_key_pem, project, put, refused, refused_text, site

from edge.aws import activation as subject
from edge.aws.view import ActivationView
from edge.errors import SettingsError
from edge.findings import Finding
from edge.settings.aws_rules import aws_findings
from edge.settings.identity import GivenActivation, MadeActivation
from edge.stages import STAGES

pytestmark = pytest.mark.row("C2", "C7")

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ID = "4a6a1c1e-5f0a-4c53-9f5e-0d9d7a3b2c11"
DAY = timedelta(days=1)


def made(expires: datetime = NOW + 10 * DAY, **more: Any) -> MadeActivation:
    return MadeActivation(source="create", expires=expires, **more)


def seen(count: int, limit: int = 10, expires: datetime = NOW + DAY, expired: bool = False) -> ActivationView:
    return ActivationView(ID, "role", limit, count, expires, expired, {})


def judged(activation: Any, hosts: int = 3, stage: Any = "prod", **more: Any) -> list[Finding]:
    return subject.activation_findings(activation, hosts=hosts, stage=stage, now=more.pop("now", NOW), **more)


@pytest.mark.parametrize(
    ("hosts", "limit"),
    [(1, 10), (5, 10), (6, 20), (20, 40), (21, 80), (320, 640), (321, 1000), (500, 1000), (1000, 1000)],
)
def test_the_limit_is_a_step_of_at_least_twice_the_hosts(hosts: int, limit: int) -> None:
    assert subject.registration_limit(hosts) == limit


@given(st.integers(1, 1000))
def test_the_limit_is_one_that_aws_takes_leaves_room_and_grows(hosts: int) -> None:
    limit = subject.registration_limit(hosts)
    assert 1 <= limit <= 1000
    assert limit >= min(2 * hosts, 1000)
    assert limit <= max(10, 4 * hosts)
    assert limit <= subject.registration_limit(hosts + 1)


def test_a_growing_site_changes_its_activation_seven_times_at_most() -> None:
    limits = [subject.registration_limit(hosts) for hosts in range(1, 1001)]
    assert sum(one != other for one, other in itertools.pairwise(limits)) == 7


def test_what_the_settings_say_comes_first() -> None:
    assert subject.limit_of(made(registrations=7), 3) == 7
    assert subject.limit_of(made(), 3) == 10


def test_tags_name_owner_site_and_the_cluster_when_it_is_known() -> None:
    own = {"edge-hosts-owner": "edge-hosts.plant-prod", "edge-hosts-site": "plant"}
    assert subject.activation_tags("edge-hosts.plant-prod", "plant", "") == own
    arn = "arn:aws:eks:eu-central-1:066635153087:cluster/plants"
    assert subject.activation_tags("edge-hosts.plant-prod", "plant", arn) == {**own, "EKSClusterARN": arn}


def test_name_and_description_fit_for_the_longest_names() -> None:
    site_name, owner = "s" * 63, "o" * 63
    assert len(subject.instance_name(site_name)) <= 256
    assert len(subject.description(owner, site_name)) <= 256
    assert owner in subject.description(owner, site_name)


@pytest.mark.parametrize(
    ("own", "arn", "role"),
    [
        (None, "arn:aws:iam::066635153087:role/Nodes", "Nodes"),
        (None, "arn:aws-cn:iam::066635153087:role/edge/plants/Nodes", "edge/plants/Nodes"),
        ("edge/Nodes", "", "edge/Nodes"),
        ("edge/Nodes", "arn:aws:iam::066635153087:role/edge/Nodes", "edge/Nodes"),
    ],
)
def test_the_role_is_named_with_its_path(own: str | None, arn: str, role: str) -> None:
    assert subject.role_of(own, arn) == role


@pytest.mark.parametrize(
    ("own", "arn", "words"),
    [
        (None, "", "is missing, and the network tells no hybrid nodes role"),
        ("Other", "arn:aws:iam::066635153087:role/Nodes", "is not the hybrid nodes role of the network, Nodes"),
        (
            "Nodes",
            "arn:aws:iam::066635153087:role/edge/Nodes",
            "is not the hybrid nodes role of the network, edge/Nodes",
        ),
        (None, "arn:aws:iam::066635153087:role/a/" + "n" * 63, "too long for an activation (65 characters)"),
    ],
)
def test_a_role_that_cannot_be_used_is_one_clear_sentence(own: str | None, arn: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        subject.role_of(own, arn)
    assert [one.where for one in caught.value.findings] == ["site.activation.role"]
    assert words in str(caught.value)


def test_a_sound_activation_has_no_finding() -> None:
    assert judged(made()) == []
    assert judged(made(), view=seen(0)) == []
    assert judged(GivenActivation(source="given", id=ID)) == []


@pytest.mark.parametrize(("left", "level"), [(-1, "error"), (0, "error"), (1, "warning")])
def test_the_end_itself_is_over(left: int, level: str) -> None:
    assert [one.level for one in judged(made(NOW + timedelta(seconds=left)))] == [level]


@pytest.mark.parametrize("stage", STAGES)
def test_by_the_clock_alone_an_end_in_the_past_is_an_error_that_names_both_ways_out(stage: str) -> None:
    (found,) = judged(made(NOW - timedelta(seconds=1)), stage=stage)
    assert (found.where, found.level) == ("site.activation.expires", "error")
    assert found.value == "2026-11-28T11:59:59Z"
    assert "2026-12-28T12:00:00Z" in found.remedy and "remove `activation`" in found.remedy


@pytest.mark.parametrize("stage", STAGES)
def test_an_end_in_the_past_is_no_error_when_all_hosts_have_registered(stage: str) -> None:
    found = judged(made(NOW - DAY), stage=stage, view=seen(3, expires=NOW - DAY, expired=True))
    assert [(one.where, one.level) for one in found] == [("site.activation", "warning")]
    assert all("work on without it" in one.problem for one in found)


def test_an_end_in_the_past_is_an_error_while_one_host_has_not_registered() -> None:
    found = judged(GivenActivation(source="given", id=ID), view=seen(2, expired=True))
    assert [(one.level, one.value) for one in found] == [("error", ID)]
    assert "1 of 3 hosts have not registered" in found[0].problem


def test_aws_keeps_no_activation_for_more_than_thirty_days() -> None:
    assert judged(made(NOW + 30 * DAY)) == []
    (found,) = judged(made(NOW + 30 * DAY + timedelta(seconds=1)))
    assert (found.where, found.level) == ("site.activation.expires", "error")
    assert "30 days" in found.problem and "2026-12-28T12:00:00Z" in found.remedy


@pytest.mark.parametrize("stage", STAGES)
def test_an_end_within_a_day_is_a_warning_while_hosts_wait(stage: str) -> None:
    assert [one.level for one in judged(made(NOW + DAY), stage=stage)] == ["warning"]
    assert judged(made(NOW + DAY + timedelta(seconds=1)), stage=stage) == []
    assert judged(made(NOW + DAY), stage=stage, view=seen(3)) == []


def test_what_aws_says_of_an_activation_that_will_be_replaced_does_not_count() -> None:
    old = seen(10, expires=NOW - DAY, expired=True)
    assert judged(made(NOW + 10 * DAY), hosts=20, view=old) == []
    assert [one.level for one in judged(made(NOW - 2 * DAY), view=old)] == ["error"]


def test_too_few_registrations_are_an_error() -> None:
    (found,) = judged(made(registrations=2))
    assert (found.where, found.value, found.level) == ("site.activation.registrations", 2, "error")
    assert "3 hosts" in found.problem and "10" in found.remedy


@pytest.mark.parametrize(("stage", "levels"), [("dev", []), ("staging", ["warning"]), ("prod", ["warning"])])
def test_registrations_without_room_are_a_warning_where_it_counts(stage: str, levels: list[str]) -> None:
    assert [one.level for one in judged(made(registrations=3), stage=stage)] == levels
    assert judged(made(registrations=4), stage=stage) == []


def test_a_site_of_more_than_a_thousand_hosts_has_no_activation_that_is_large_enough() -> None:
    assert "1001 hosts" in judged(made(), hosts=1001)[0].problem
    assert [one.level for one in judged(made(), hosts=1000)] == ["warning"]
    assert judged(made(), hosts=999) == []


@pytest.mark.parametrize(
    ("count", "limit", "hosts", "expected"),
    [
        (0, 10, 3, None),
        (9, 10, 9, None),
        (10, 10, 10, "warning"),
        (10, 10, 11, "error"),
        (2, 3, 4, "error"),
        (3, 3, 3, "warning"),
    ],
)
def test_registrations_that_are_used_up_are_an_error_only_for_hosts_that_wait(
    count: int, limit: int, hosts: int, expected: str | None
) -> None:
    found = judged(GivenActivation(source="given", id=ID), hosts, view=seen(count, limit))
    assert [one.level for one in found] == ([expected] if expected else [])


@given(st.integers(0, 40), st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_no_error_with_a_view_means_that_every_host_has_registered_or_can(
    count: int, limit: int, hosts: int, expired: bool
) -> None:
    count = min(count, limit)
    found = judged(GivenActivation(source="given", id=ID), hosts, view=seen(count, limit, expired=expired))
    able = count if expired else limit
    assert any(one.level == "error" for one in found) == (hosts > able)


# What the settings of a stack say of it.


def raw(expires: str = "2026-12-08T12:00:00Z", **more: Any) -> dict[str, Any]:
    whole = site(put("network.hybridRoleArn", "arn:aws:iam::066635153087:role/Nodes"))
    return {**whole, "activation": {"source": "create", "expires": expires, **more}}


def soon() -> str:
    return (datetime.now(UTC) + 10 * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_stack_with_an_activation_is_read(tmp_path: Path) -> None:
    settings = load(tmp_path, raw(soon()))
    assert aws_findings(settings.site) == []
    assert settings.secret_names() == {"registrationToken", "sshPrivateKey"}


def test_a_given_activation_names_its_code(tmp_path: Path) -> None:
    whole = {**site(), "activation": {"source": "given", "id": ID, "code": {"secret": "activationCode"}}}
    assert load(tmp_path, whole).secret_uses()["activationCode"] == ("site.activation.code",)
    without = {**site(), "activation": {"source": "given", "id": ID}}
    assert "activationCode" not in load(tmp_path, without).secret_uses()


@pytest.mark.row("A15")
def test_an_activation_code_in_clear_text_is_refused_and_not_repeated(tmp_path: Path) -> None:
    findings = refused(tmp_path, raw(soon()), **{"edge-hosts__activationCode": "tops3cret-code"})
    assert "clear text" in findings["edge-hosts:activationCode"].problem
    assert "tops3cret" not in str(findings)


@pytest.mark.row("A15")
def test_an_activation_code_inside_the_site_is_refused(tmp_path: Path) -> None:
    whole = {**site(), "activation": {"source": "given", "id": ID, "code": "tops3cret-code"}}
    findings = refused(tmp_path, whole)
    assert "site.activation.code" in findings
    assert "tops3cret" not in str(findings)


def test_an_expired_activation_keeps_a_stack_from_being_used(tmp_path: Path) -> None:
    finding = refused(tmp_path, raw("2025-01-01T00:00:00Z"))["site.activation.expires"]
    assert "lies in the past" in finding.problem


def test_an_activation_without_quotes_around_its_end_is_refused(tmp_path: Path) -> None:
    path = project(tmp_path, raw("2026-12-08T12:00:00Z"))
    text = path.read_text().replace("'2026-12-08T12:00:00Z'", "2026-12-08T12:00:00Z")
    finding = refused_text(tmp_path, text)["site.activation.expires"]
    assert "quotes" in finding.remedy


@pytest.mark.parametrize("end", ["2026-12-08", "2026-12-08T12:00:00", "soon", "in 30 days"])
def test_an_end_without_time_or_zone_is_refused(tmp_path: Path, end: str) -> None:
    assert "time zone" in refused(tmp_path, raw(end))["site.activation.expires"].remedy


def test_an_activation_does_not_go_with_roles_anywhere(tmp_path: Path) -> None:
    whole = raw(soon())
    whole["network"]["credentialProvider"] = "iamRolesAnywhere"
    finding = refused(tmp_path, whole)["site.activation"]
    assert "credentialProvider: iamRolesAnywhere" in finding.problem


def test_an_activation_needs_a_role(tmp_path: Path) -> None:
    whole = raw(soon())
    del whole["network"]["hybridRoleArn"]
    assert "tells no hybrid nodes role" in refused(tmp_path, whole)["site.activation.role"].problem
    whole["activation"]["role"] = "Nodes"
    assert load(tmp_path, whole).site.activation is not None


def test_another_role_than_the_networks_is_refused(tmp_path: Path) -> None:
    assert "Nodes" in refused(tmp_path, raw(soon(), role="Others"))["site.activation.role"].problem


# What the settings of a network say of its identity.

PLAIN = {"source": "lookup", "cluster": "plants"}


def identity(provider: str = "ssm", **given: Any) -> list[Finding]:
    """Return the findings about an identity of a site whose network is looked up."""
    from edge.settings import Site

    network = {**PLAIN, "credentialProvider": provider, "identity": given}
    return aws_findings(Site.model_validate({**site(), "network": network}))


def ca() -> dict[str, Any]:
    return {"trustAnchor": {"certificates": authority()}}


def test_an_identity_fits_its_provider() -> None:
    assert identity() == []
    assert identity("iamRolesAnywhere", rolesAnywhere=ca()) == []
    assert [one.where for one in identity("iamRolesAnywhere")] == ["site.network.identity.rolesAnywhere"]
    assert [one.where for one in identity(rolesAnywhere=ca())] == ["site.network.identity.rolesAnywhere"]


def test_a_session_leaves_room_for_the_roles_own() -> None:
    assert identity("iamRolesAnywhere", rolesAnywhere={**ca(), "session": "11h"}) == []
    (found,) = identity("iamRolesAnywhere", rolesAnywhere={**ca(), "session": "12h"})
    assert (found.where, found.level) == ("site.network.identity.rolesAnywhere.session", "error")


@pytest.mark.parametrize("role", [{"name": "edge/Nodes"}, {"arn": "arn:aws:iam::066635153087:role/edge/Nodes"}])
def test_a_path_of_a_role_is_a_warning(role: dict[str, str]) -> None:
    (found,) = identity(role=role)
    assert (found.level, found.where) == ("warning", "site.network.identity.role")
    assert "aws-auth" in found.problem


def test_the_key_of_an_authority_is_refused_and_not_repeated() -> None:
    key = private_key_pem()
    with pytest.raises(ValueError, match="holds a private key") as caught:
        identity("iamRolesAnywhere", rolesAnywhere={"trustAnchor": {"certificates": authority() + key}})
    assert key.splitlines()[1] not in str(caught.value.args)
