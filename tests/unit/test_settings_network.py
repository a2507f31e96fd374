"""Stacks of kind `network`, and what each source of a network allows in which kind of stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.aws.access import AssumedRole
from edge.errors import SettingsError
from edge.settings import NetworkSettings, StackSettings, from_config, load_any, load_stack
from edge.settings.load import stack_kind
from tests.unit.network_stacks import GIVEN, MANAGED, load_network, network, network_file, network_refused
from tests.unit.settings_helpers import SITE, drop, load, project, put, refused, site

SITE_MANAGED = {**MANAGED, "remoteNodeCidrs": ["10.200.0.0/16"], "remotePodCidrs": ["192.168.0.0/16"]}


@pytest.mark.row("C2", "C3")
@pytest.mark.parametrize(
    "source", [{"source": "lookup", "cluster": "plants-prod"}, GIVEN, MANAGED], ids=lambda one: one["source"]
)
def test_a_network_stack_needs_no_release_and_no_host(tmp_path: Path, source: dict[str, Any]) -> None:
    settings = load_network(tmp_path, network(network=source))
    assert list(settings.site.sites) == ["plant", "harbour"]
    assert (settings.owner, settings.stage, settings.region) == ("edge-hosts.plants-dev", "dev", "eu-central-1")
    assert settings.aws.region == "eu-central-1"


@pytest.mark.parametrize("raw", [network(), network(network=GIVEN), network(network=MANAGED)])
def test_the_program_sees_a_network_stack_as_edgectl_does(tmp_path: Path, raw: dict[str, Any]) -> None:
    settings = load_network(tmp_path, raw)
    seen = from_config(
        "plants-dev", "edge-hosts", raw, None, {"region": "eu-central-1"}, site_is_secret=False, root=tmp_path
    )
    assert seen == settings


def test_a_network_stack_has_no_release(tmp_path: Path) -> None:
    findings = network_refused(tmp_path, network(), **{"edge-hosts__release": "r-1"})
    assert list(findings) == ["release"]
    assert "Remove" in findings["release"].remedy


@pytest.mark.parametrize("name", ["plants-prod", "harbour-dev"])
def test_its_stack_is_called_by_name_and_stage(tmp_path: Path, name: str) -> None:
    network_file(tmp_path, network(), name)
    with pytest.raises(SettingsError, match="Name the stack plants-dev"):
        load_any(name, tmp_path)


def test_what_serves_sites_only_refuses_it_in_one_sentence(tmp_path: Path) -> None:
    network_file(tmp_path, network(put("sites.plant.remoteNodeCidrs", ["nonsense"])))
    with pytest.raises(SettingsError) as caught:
        load_stack("plants-dev", tmp_path)
    (finding,) = caught.value.findings
    assert finding.where == "site.kind"
    assert "no hosts and no release" in finding.problem
    assert stack_kind("plants-dev", tmp_path) == "network"
    assert stack_kind("plant-dev", tmp_path) == "site"


def test_its_own_problems_are_all_shown_at_once(tmp_path: Path) -> None:
    raw = network(put("sites.plant.remoteNodeCidrs", ["10.200.0.1/16"]), put("regoin", "x"), drop("stage"))
    assert set(network_refused(tmp_path, raw)) == {"site.sites.plant.remoteNodeCidrs[0]", "site.regoin", "site.stage"}


@pytest.mark.row("C2")
@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        (put("network", {"source": "stack", "stack": "other-dev"}), "site.network.source", "from no other one"),
        (put("network", SITE_MANAGED), "site.network.remoteNodeCidrs", "taken from the sites"),
        (put("network", {**MANAGED, "vpn": {"address": "52.28.1.7"}}), "site.network.vpn", "the VPN of one site"),
        (put("sites.plant.vpn", {"address": "52.28.1.7"}), "site.sites.plant.vpn", "the source is lookup"),
        (put("activation", {"source": "create", "expires": "2026-12-20T00:00:00Z"}), "site.activation", ""),
        (put("hosts", SITE["hosts"]), "site.hosts", ""),
    ],
)
def test_what_a_network_stack_may_not_say(tmp_path: Path, change: Any, where: str, words: str) -> None:
    findings = network_refused(tmp_path, network(change))
    assert where in findings
    assert words in findings[where].problem


@pytest.mark.row("C2")
def test_a_vpn_needs_a_gateway(tmp_path: Path) -> None:
    vpn = {"address": "52.28.1.7"}
    without = {key: value for key, value in MANAGED.items() if key != "gateway"}
    findings = network_refused(tmp_path, network(put("sites.plant.vpn", vpn), network=without))
    assert "there are VPNs" in findings["site.network.gateway"].problem
    findings = refused(tmp_path, site(network={**without, **_own(), "vpn": vpn}))
    assert "there are VPNs" in findings["site.network.gateway"].problem
    assert load_network(tmp_path, network(put("sites.plant.vpn", vpn), network=MANAGED)).site.sites["plant"].vpn


def _own() -> dict[str, Any]:
    return {"remoteNodeCidrs": ["10.200.0.0/16"], "remotePodCidrs": ["192.168.0.0/16"]}


@pytest.mark.row("C2")
@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"identity": {}}, "site.network.identity"),
        ({"securityGroupRules": True}, "site.network.securityGroupRules"),
    ],
)
def test_what_belongs_to_the_cluster_is_refused_in_a_site(tmp_path: Path, change: Any, where: str) -> None:
    looked = {"source": "lookup", "cluster": "plants-prod", **change}
    assert "knows all sites" in refused(tmp_path, site(network=looked))[where].problem
    assert load_network(tmp_path, network(network=looked)).site.network.source == "lookup"


@pytest.mark.row("C2")
def test_a_site_may_own_everything_of_a_cluster_that_serves_it_alone(tmp_path: Path) -> None:
    owned = {**SITE_MANAGED, "vpn": {"address": "52.28.1.7", "tunnels": [{"presharedKey": {"secret": "psk"}}]}}
    settings = load(tmp_path, site(network={**owned, "identity": {}}))
    assert settings.secret_uses()["psk"] == ("site.network.vpn.tunnels[0].presharedKey",)
    findings = refused(tmp_path, site(drop("network.remoteNodeCidrs"), network=owned))
    assert list(findings) == ["site.network.remoteNodeCidrs"]


def test_the_secrets_of_all_sites_are_known(tmp_path: Path) -> None:
    key = {"address": "52.28.1.7", "tunnels": [{}, {"presharedKey": {"secret": "psk"}}]}
    other = {**key, "address": "52.28.1.8"}
    settings = load_network(
        tmp_path, network(put("sites.plant.vpn", key), put("sites.harbour.vpn", other), network=MANAGED)
    )
    places = tuple(f"site.sites.{name}.vpn.tunnels[1].presharedKey" for name in ("harbour", "plant"))
    assert settings.secret_uses() == {"psk": places}
    assert list(settings.stand_ins()) == ["psk"]
    findings = network_refused(
        tmp_path, network(put("sites.plant.vpn", key), network=MANAGED), **{"edge-hosts__psk": "in clear"}
    )
    assert list(findings) == ["edge-hosts:psk"]


# The networks of all sites


@pytest.mark.row("C2")
@pytest.mark.parametrize(
    "source", [{"source": "lookup", "cluster": "plants-prod"}, GIVEN, MANAGED], ids=lambda one: one["source"]
)
def test_two_sites_must_not_share_an_address(tmp_path: Path, source: dict[str, Any]) -> None:
    raw = network(put("sites.harbour.remotePodCidrs", ["192.168.64.0/18"]), network=source)
    found = network_refused(tmp_path, raw)["site.sites.harbour.remotePodCidrs[0]"]
    assert found.problem == "overlaps 192.168.0.0/17 of the site plant"


@pytest.mark.row("C2")
def test_a_site_outside_of_the_given_networks(tmp_path: Path) -> None:
    raw = network(put("sites.harbour.remoteNodeCidrs", ["10.202.0.0/16"]), network=GIVEN)
    found = network_refused(tmp_path, raw)["site.sites.harbour.remoteNodeCidrs[0]"]
    assert "10.200.0.0/16, 10.201.0.0/16" in found.problem


@pytest.mark.row("C2")
def test_sixteen_networks_are_too_many_for_a_cluster(tmp_path: Path) -> None:
    sites = {f"plant-{at}": {"remoteNodeCidrs": [f"10.{at}.0.0/16"], "remotePodCidrs": []} for at in range(16)}
    found = network_refused(tmp_path, network(network=MANAGED, sites=sites))
    assert found["site.network.remoteNodeCidrs"].problem == "has 16 blocks, but EKS takes at most 15"
    assert load_network(tmp_path, network(network=MANAGED, sites=dict(list(sites.items())[:15])))


@pytest.mark.row("C2")
@pytest.mark.parametrize(
    ("change", "where"),
    [
        (put("sites.harbour.remoteNodeCidrs", ["10.100.8.0/24"]), "site.sites.harbour.remoteNodeCidrs[0]"),
        (put("sites.plant.remotePodCidrs", ["10.99.0.0/16", "8.8.0.0/16"]), "site.sites.plant.remotePodCidrs[1]"),
        (put("network.cluster.serviceCidr", "10.100.0.0/20"), "site.network.cluster.serviceCidr"),
        (put("network.vpc.subnets", [{"cidr": "10.9.0.0/24", "zone": "eu-central-1a"}]), "site.network.vpc.subnets[0].cidr"),
    ],
)  # fmt: skip
def test_planned_networks_are_judged_at_the_place_where_they_are_written(
    tmp_path: Path, change: Any, where: str
) -> None:
    assert where in network_refused(tmp_path, network(change, network=MANAGED))


@pytest.mark.row("C2")
def test_what_aws_will_make_is_not_missed_in_a_plan(tmp_path: Path) -> None:
    """Not even in production, where a missing API server is an error of values that are given."""
    raw = network(network={**MANAGED, "privatePath": True})
    for settings in (load_network(tmp_path, raw), load(tmp_path, site(network=SITE_MANAGED))):
        places = {finding.where for finding in settings.warnings}
        assert not {place for place in places if "clusterEndpoint" in place or "eniAddresses" in place}
        assert "site.network.inboundResolvers" not in places


@pytest.mark.row("C2")
def test_hosts_of_a_planned_network_are_judged(tmp_path: Path) -> None:
    owned = {**SITE_MANAGED, "remoteNodeCidrs": ["10.201.0.0/16"]}
    assert {"site.hosts.plant-a.address", "site.hosts.plant-b.address"} <= set(refused(tmp_path, site(network=owned)))


# How AWS is reached


@pytest.mark.row("C2")
def test_the_aws_keys_are_read_alike_from_both_sides(tmp_path: Path) -> None:
    roles = [{"roleArn": "arn:aws:iam::123456789012:role/reader", "duration": "1h", "externalId": "x"}]
    endpoints = [{"eks": "http://127.0.0.1:5000"}, {"ec2": "http://127.0.0.1:5000"}]
    keys = {"aws__profile": "plants", "aws__assumeRoles": roles, "aws__endpoints": endpoints}
    keys |= {"aws__secretKey": {"secure": "v1:x"}, "aws__useFipsEndpoint": True}
    settings = load_network(tmp_path, network(), **keys)
    handed = {
        "region": "eu-central-1",
        "profile": "plants",
        "assumeRoles": '[{"roleArn":"arn:aws:iam::123456789012:role/reader","duration":"1h","externalId":"x"}]',
        "endpoints": '[{"eks":"http://127.0.0.1:5000"},{"ec2":"http://127.0.0.1:5000"}]',
        "useFipsEndpoint": "true",
        "token": None,
    }
    seen = from_config("plants-dev", "edge-hosts", network(), None, handed, site_is_secret=False, root=tmp_path)
    assert isinstance(seen, NetworkSettings)
    assert seen.aws == settings.aws
    assert seen.aws.roles == (AssumedRole("arn:aws:iam::123456789012:role/reader", external_id="x", duration=3600),)
    assert seen.aws.endpoint("eks") == "http://127.0.0.1:5000"
    assert (seen.aws.profile, seen.aws.fips, seen.aws.secret_key) == ("plants", True, "")


def test_the_region_of_the_network_is_where_aws_is_asked(tmp_path: Path) -> None:
    project(tmp_path, site(network={"source": "lookup", "cluster": "plants", "region": "eu-west-1"}))
    settings = load_any("plant-dev", tmp_path)
    assert isinstance(settings, StackSettings)
    assert (settings.region, settings.aws.region) == ("eu-west-1", "eu-west-1")
