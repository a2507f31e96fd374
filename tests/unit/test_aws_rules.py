"""The rules over an AWS account as a whole, and those for the cluster: each breaks the clean account in one place."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address
from typing import Any

import pytest

from edge.aws.rules import JUDGES, READS, aws_findings, aws_verdicts, findings_of, made_here, raise_for
from edge.aws.view import AwsView
from edge.checks.catalogue import CATALOGUE, checks_at
from edge.errors import SettingsError
from edge.stages import STAGES
from tests.unit.aws_judged import clean, judged, only, verdict, with_routes, without_rules
from tests.unit.aws_samples import (
    GROUP,
    NODES,
    NOW,
    TABLES,
    activation,
    clean_view,
    cluster_with,
    facts_of_view,
    network_of,
    question,
    sites_of,
)

pytestmark = pytest.mark.row("A6", "C2")


def test_every_check_of_the_catalogue_has_its_rule_and_no_other() -> None:
    assert {check.id for check in checks_at("aws")} == set(JUDGES)
    assert set(READS) <= set(JUDGES)


@pytest.mark.parametrize("stage", STAGES)
def test_a_clean_account_has_no_findings(stage: str) -> None:
    assert judged(clean(), stage) == []


def test_every_check_of_a_clean_account_passes_and_says_what_it_saw() -> None:
    view = clean()
    found = aws_verdicts(view, facts_of_view(view), question(), NOW)
    assert [one.check for one in found] == [check.id for check in checks_at("aws")]
    assert [one.check for one in found if not one.seen] == ["aws.publiccidrs"]


@pytest.mark.parametrize(
    ("change", "check", "level", "words"),
    [
        ({"status": "UPDATING"}, "aws.cluster", "warn", "aws eks wait cluster-active --name plants-prod"),
        ({"status": "CREATING"}, "aws.cluster", "fail", "not active yet"),
        ({"status": "FAILED"}, "aws.cluster", "fail", "aws eks describe-cluster --name plants-prod"),
        ({"ip_family": "ipv6"}, "aws.family", "fail", "'ipv6'"),
        ({"version": "1.27"}, "aws.kubernetes", "fail", "newer than the API server"),
        ({"version": "1.35"}, "aws.kubernetes", "fail", "minor versions behind"),
        ({"auth_mode": "API"}, "aws.authmode", "warn", "HYBRID_LINUX"),
        ({"public": False, "private": False}, "aws.endpointmode", "fail", "endpointPrivateAccess=true"),
        ({"remote_pod_cidrs": ()}, "aws.remotenetworks", "warn", "webhooks"),
    ],
)
def test_one_break_of_the_cluster_is_one_finding(change: dict[str, Any], check: str, level: str, words: str) -> None:
    found = [one for one in judged(cluster_with(**change)) if one.check == check]
    only([one for one in found if one.level == level], check, level, "cluster plants-prod", words)
    others = {one.check for one in judged(cluster_with(**change))} - {check}
    assert others == set(), others


def test_wrong_auth_mode_is_one_whole_sentence() -> None:
    """Access entries cannot exist then, so the entry is not judged besides."""
    [found] = judged(cluster_with(auth_mode="CONFIG_MAP"))
    assert str(found.finding) == (
        "cluster plants-prod: has an authentication mode that EKS refuses for a cluster with remote networks (got"
        " 'CONFIG_MAP'). Change it, which cannot be taken back: `aws eks update-cluster-config --name plants-prod"
        " --access-config authenticationMode=API_AND_CONFIG_MAP --region eu-central-1`."
    )


def test_a_cluster_without_remote_networks_is_one_whole_sentence() -> None:
    view = cluster_with(remote_node_cidrs=(), remote_pod_cidrs=())
    [found] = judged(view)
    assert str(found.finding) == (
        "cluster plants-prod: has no remote node network, so it accepts no hybrid node. Write the networks of all its"
        " sites: `aws eks update-cluster-config --name plants-prod --remote-network-config"
        " remoteNodeNetworks=[{cidrs=[NODES]}],remotePodNetworks=[{cidrs=[PODS]}] --region eu-central-1`."
    )
    assert [str(one) for one in findings_of(view, facts_of_view(view), question(), NOW)] == [str(found.finding)]


def test_both_endpoints_on_is_one_whole_sentence() -> None:
    view = replace(cluster_with(public=True, public_cidrs=("198.51.100.7/32",)), resolvers=())
    [found] = judged(view, facts={"private_path": False})
    assert str(found.finding) == (
        "cluster plants-prod: has both endpoints on, which gives hosts public addresses of the API server: a join hangs"
        " behind a firewall (got 'publicAndPrivate'). Turn the public one off: `aws eks update-cluster-config --name"
        " plants-prod --resources-vpc-config endpointPublicAccess=false,endpointPrivateAccess=true --region"
        " eu-central-1`; or make an inbound resolver and forward the name to it."
    )


def test_both_endpoints_with_a_resolver_are_a_warning() -> None:
    found = judged(cluster_with(public=True, public_cidrs=("198.51.100.7/32",)))
    only(found, "aws.endpointmode", "warn", "cluster plants-prod", "forward")


@pytest.mark.parametrize("stage", STAGES)
def test_a_public_api_server_that_answers_the_world_is_a_warning(stage: str) -> None:
    view = cluster_with(public=True, private=False)
    found = judged(view, stage, facts={"private_path": False, "inbound_resolvers": ()})
    only(found, "aws.publiccidrs", "warn", "cluster plants-prod", "whole world", "publicAccessCidrs")
    narrow = cluster_with(public=True, private=False, public_cidrs=("198.51.100.7/32",))
    assert judged(narrow, facts={"private_path": False, "inbound_resolvers": ()}) == []
    assert "198.51.100.7/32" in verdict("aws.publiccidrs", narrow).seen


def test_a_public_api_server_does_not_fit_a_private_path() -> None:
    view = cluster_with(public=True, private=False, public_cidrs=("198.51.100.7/32",))
    only(judged(view), "aws.endpointmode", "warn", "cluster plants-prod", "privatePath")


def test_sixteen_networks_are_one_clear_message() -> None:
    view = cluster_with(remote_node_cidrs=tuple(f"10.{number}.0.0/16" for number in range(200, 216)))
    found = [one for one in findings_of(view, facts_of_view(view), question(), NOW) if "at most" in one.problem]
    assert [str(one) for one in found] == [
        "cluster plants-prod: would have 16 remote node networks, but EKS takes at most 15 (got 16). Join neighbouring"
        " blocks into larger ones."
    ]


class TestRemoteNetworks:
    def test_a_network_of_a_site_that_the_cluster_does_not_have(self) -> None:
        sites = sites_of(north=([NODES], ["192.168.0.0/17"]), south=(["10.201.0.0/16"], []))
        found = judged(clean(), site="", sites=sites, hosts={})
        words = (
            "10.201.0.0/16 of site south",
            "remote node networks",
            "cidrs=[10.200.0.0/16,10.201.0.0/16]}],remotePodNetworks=[{cidrs=[192.168.0.0/16]}]",
        )
        only(found, "aws.remotenetworks", "fail", "cluster plants-prod", *words)

    def test_only_the_part_that_is_missing_is_named(self) -> None:
        found = judged(clean(), site="", sites=sites_of(north=(["10.200.0.0/15"], [])), hosts={})
        only(found, "aws.remotenetworks", "fail", "cluster plants-prod", "does not have 10.201.0.0/16 of site north")

    def test_networks_of_a_managed_site_around_a_cluster_that_exists(self) -> None:
        network = network_of(MANAGED | {"remotePodCidrs": ["192.168.0.0/16", "172.30.0.0/16"]})
        found = judged(clean(), network=network)
        only(found, "aws.remotenetworks", "fail", "cluster plants-prod", "172.30.0.0/16 of site.network")


MANAGED: dict[str, Any] = {
    "source": "managed",
    "vpc": {
        "id": "vpc-0000000a",
        "cidrs": ["10.100.0.0/16"],
        "subnetIds": {"subnet-0000000a": "10.100.0.0/24"},
        "routeTableIds": ["rtb-0000000a"],
    },
    "cluster": {"existing": "plants-prod"},
    "remoteNodeCidrs": [NODES],
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"remote_pod_cidrs": ("10.200.128.0/17",)}, "remote pod network 10.200.128.0/17"),
        ({"service_cidr": "10.200.0.0/20"}, "the service network 10.200.0.0/20"),
        ({"service_cidr": "192.168.16.0/20"}, "the remote pod network 192.168.0.0/16, which overlaps"),
        (
            {"service_cidr": "10.100.0.0/16"},
            "the service network 10.100.0.0/16, which overlaps the block of vpc-0000000a",
        ),
    ],
)
def test_an_overlap_of_the_cluster_is_named(change: dict[str, Any], words: str) -> None:
    found = [one for one in judged(cluster_with(**change)) if one.check == "aws.overlap"]
    only(found, "aws.overlap", "fail", "cluster plants-prod", words)


def test_a_secondary_block_of_the_vpc_overlaps_too() -> None:
    view = clean()
    wide = replace(view, vpc=replace(view.vpc, cidrs=("10.100.0.0/16", "10.200.64.0/20")))
    only(judged(wide), "aws.overlap", "fail", "cluster plants-prod", "10.200.0.0/16", "vpc-0000000a 10.200.64.0/20")


class TestAccess:
    def test_what_may_not_be_read_is_a_warning_that_names_the_action(self) -> None:
        view = clean_view(denied=("ec2:DescribeVpnConnections",), tunnels=())
        only(judged(view), "aws.access", "warn", "ec2:DescribeVpnConnections", "Allow ec2:DescribeVpnConnections")
        assert verdict("aws.tunnels", view).skipped == "not judged: ec2:DescribeVpnConnections is not allowed"

    @pytest.mark.parametrize("check", sorted(READS))
    def test_nothing_is_judged_by_what_was_not_read(self, check: str) -> None:
        """An empty list is no proof that there is nothing: the reader could not see it."""
        for action in READS[check]:
            empty = clean_view(
                denied=(action,),
                rules=(),
                endpoints=(),
                resolvers=(),
                entries=(),
                interfaces=(),
                subnets=(),
                tunnels=(),
            )
            assert verdict(check, empty).findings == ()
            assert action in verdict(check, empty).skipped

    def test_a_role_that_could_not_be_read(self) -> None:
        view = clean_view(denied=("iam:GetRole",), role=None)
        only(judged(view), "aws.access", "warn", "iam:GetRole")
        assert verdict("aws.role", view).skipped == "not judged: iam:GetRole is not allowed"

    def test_the_trust_is_judged_when_the_permissions_cannot_be(self) -> None:
        view = clean()
        assert view.role is not None
        blind = replace(view, denied=("iam:GetRolePolicy",), role=replace(view.role, trust={}, policies={}, managed=()))
        found = {(one.check, one.level) for one in judged(blind)}
        assert found == {("aws.access", "warn"), ("aws.role", "fail"), ("aws.role", "warn")}


# One break of each check that is red by its catalogue level, whatever the stage.
BREAKS: dict[str, tuple[AwsView, dict[str, Any]]] = {
    "aws.cluster": (cluster_with(status="FAILED"), {}),
    "aws.family": (cluster_with(ip_family="ipv6"), {}),
    "aws.kubernetes": (clean(), {"kubernetes": "1.32.0"}),
    "aws.authmode": (cluster_with(auth_mode="CONFIG_MAP"), {}),
    "aws.endpointmode": (cluster_with(private=False), {}),
    "aws.publiccidrs": (cluster_with(public=True), {}),
    "aws.remotenetworks": (cluster_with(remote_node_cidrs=()), {}),
    "aws.overlap": (cluster_with(service_cidr="10.100.0.0/16"), {}),
    "aws.subnets": (clean_view(subnets=tuple(replace(one, free=5) for one in clean().subnets)), {}),
    "aws.enis": (clean_view(interfaces=()), {}),
    "aws.routes": (with_routes(clean(), drop=NODES), {}),
    "aws.tunnels": (clean_view(tunnels=tuple(replace(one, up=False) for one in clean().tunnels)), {}),
    "aws.securitygroups.in": (without_rules(clean(), GROUP, "in"), {}),
    "aws.securitygroups.out": (without_rules(clean(), "sg-0000000b", "out"), {}),
    "aws.vpc.dns": (clean_view(vpc=replace(clean().vpc, dns_support=False)), {}),
    "aws.endpoints": (clean_view(endpoints=()), {}),
    "aws.resolver": (clean_view(resolvers=()), {}),
    "aws.role": (clean_view(role=None), {}),
    "aws.accessentry": (clean_view(entries=()), {}),
    "aws.activation": (clean_view(activations=(activation(days=-1),)), {}),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("check", [check.id for check in checks_at("aws") if check.id != "aws.access"])
def test_how_bad_a_break_is_stands_in_the_catalogue(check: str, stage: str) -> None:
    view, asked = BREAKS[check]
    mine = [one for one in judged(view, stage, **asked) if one.check == check]
    assert {one.level for one in mine if one.level == CATALOGUE[check].level(stage)}  # type: ignore[arg-type]
    assert all(one.remedy and not one.remedy.endswith(".") for one in mine)
    back = [one for one in judged(clean(), stage) if one.check == check]
    assert back == []


@pytest.mark.parametrize(
    ("check", "levels"),
    [
        ("aws.routes", ["fail", "fail", "fail"]),
        ("aws.securitygroups.out", ["fail", "fail", "fail"]),
        ("aws.tunnels", ["warn", "fail", "fail"]),
        ("aws.enis", ["warn", "fail", "fail"]),
        ("aws.resolver", ["warn", "fail", "fail"]),
        ("aws.publiccidrs", ["warn", "warn", "warn"]),
        ("aws.accessentry", ["fail", "fail", "fail"]),
    ],
)
def test_what_the_stages_think_of_a_break(check: str, levels: list[str]) -> None:
    view, asked = BREAKS[check]
    found = [{one.level for one in judged(view, stage, **asked) if one.check == check} for stage in STAGES]
    assert [("fail" if "fail" in one else "warn") for one in found] == levels


class TestGate:
    def test_all_errors_are_one_message_with_the_places(self) -> None:
        view = with_routes(cluster_with(auth_mode="CONFIG_MAP", ip_family="ipv6"), drop=NODES)
        hosts = {"plant-12-a": IPv4Address("10.250.0.1")}
        with pytest.raises(SettingsError) as caught:
            raise_for(view, facts_of_view(view), question(hosts=hosts), NOW)
        text = str(caught.value)
        assert "AWS account 066635153087, eu-central-1, cluster plants-prod: 4 problems" in text
        assert [one.where for one in caught.value.findings] == [
            "cluster plants-prod",
            "cluster plants-prod",
            f"{TABLES[0]} (subnet-0000000a)",
            "site.hosts.plant-12-a.address",
        ]

    def test_warnings_come_back(self) -> None:
        view = clean_view(tunnels=(clean().tunnels[0], replace(clean().tunnels[1], up=False)))
        assert [one.where for one in raise_for(view, facts_of_view(view), question(), NOW)] == ["vpn-0000000a"]
        assert raise_for(clean(), facts_of_view(clean()), question(), NOW) == ()

    def test_what_the_stage_forgives_is_a_warning(self) -> None:
        view = clean_view(interfaces=clean().interfaces[:1])
        assert [one.where for one in raise_for(view, facts_of_view(view), question("dev"), NOW)] == [
            "cluster plants-prod"
        ]
        with pytest.raises(SettingsError):
            raise_for(view, facts_of_view(view), question("staging"), NOW)

    def test_nothing_is_said_twice(self) -> None:
        """Each break of the account is one place's finding: the rules over the facts stay silent about it."""
        for check, (view, asked) in BREAKS.items():
            found = findings_of(view, facts_of_view(view), question(**asked), NOW)
            mine = judged(view, **asked)
            assert len(found) == len(mine), (check, [str(one) for one in found])

    def test_pods_for_more_hosts_than_the_cluster_has_slices(self) -> None:
        view = cluster_with(remote_pod_cidrs=("192.168.0.0/25",))
        found = findings_of(view, facts_of_view(view), question(), NOW)
        assert [one.where for one in found] == ["site.network.remotePodCidrs"]
        assert "1 nodes, but the site has 2 hosts" in found[0].problem


class TestMadeHere:
    """What a stack makes itself is no finding before its first `up`, and is judged once it is there."""

    def test_rules_and_identity_of_a_network_stack(self) -> None:
        raw = {"source": "lookup", "cluster": "plants-prod", "securityGroupRules": True, "identity": {}}
        asked = {"network": network_of(raw), "site": "", "sites": sites_of(n=([NODES], [])), "hosts": {}}
        asked |= {"activation": None}
        bare = replace(without_rules(clean(), GROUP, "in"), role=None, entries=())
        assert judged(bare, **asked) == []
        said = {check: verdict(check, bare, **asked).skipped for check in ("aws.role", "aws.securitygroups.in")}
        assert all(text.startswith("this stack makes it: ") for text in said.values())
        assert verdict("aws.role", clean(), **asked).seen

    def test_a_site_makes_nothing_of_a_cluster_that_it_looks_up(self) -> None:
        raw = {"source": "lookup", "cluster": "plants-prod", "securityGroupRules": True}
        assert made_here(question(network=network_of(raw))) == frozenset()
        found = judged(without_rules(clean(), GROUP, "in"), network=network_of(raw))
        assert {one.check for one in found} == {"aws.securitygroups.in"}

    def test_routes_of_a_managed_site(self) -> None:
        view = with_routes(clean(), drop=NODES)
        assert judged(view, network=network_of(MANAGED)) == []
        assert {one.check for one in judged(view)} == {"aws.routes"}


def test_hints_about_what_a_stack_makes_are_still_said() -> None:
    pods = [one for one in clean().rules if one.group == GROUP and one.peer != NODES]
    view = replace(clean(), rules=tuple(one for one in clean().rules if one not in pods))
    raw = {"source": "lookup", "cluster": "plants-prod", "securityGroupRules": True}
    found = judged(view, network=network_of(raw), site="", sites=sites_of(n=([NODES], [])), hosts={}, activation=None)
    assert [(one.check, one.level) for one in found] == [("aws.securitygroups.in", "warn")]


def test_the_moment_decides() -> None:
    view = clean()
    late = NOW + timedelta(days=21)
    assert {one.check for one in aws_findings(view, facts_of_view(view), question(), late)} == {"aws.activation"}
