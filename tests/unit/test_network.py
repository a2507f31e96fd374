"""Network facts, and one test per rule: each breaks a clean site in one place and names what must be found."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from ipaddress import IPv4Address, IPv4Network
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import FactsError, SettingsError
from edge.findings import Finding
from edge.network import NetworkFacts, network_rules
from tests.unit.network_samples import ADDRESSES, CLEAN, facts_of


def found(stage: str = "prod", addresses: dict[str, IPv4Address] | None = None, **changes: Any) -> list[Finding]:
    """Return the findings of the clean site with changes."""
    return network_rules(replace(CLEAN, **changes), ADDRESSES if addresses is None else addresses, stage)


def levels(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.where, finding.level) for finding in findings]


def only(findings: list[Finding], where: str, level: str, *words: str) -> None:
    """Assert that there is one finding, at that place, of that level, with those words in it."""
    assert levels(findings) == [(where, level)], findings
    for word in words:
        assert word in str(findings[0])


class TestFacts:
    def test_json_and_back(self) -> None:
        again = NetworkFacts.from_dict(json.loads(json.dumps(CLEAN.to_dict())))
        assert again == CLEAN

    @settings(deadline=None)  # the machine of a test run is shared
    @given(st.lists(st.text(max_size=8), max_size=3), st.booleans(), st.text(max_size=8))
    def test_any_facts_survive_json(self, words: list[str], switch: bool, name: str) -> None:
        facts = replace(CLEAN, eni_addresses=tuple(words), private_path=switch, cluster_name=name)
        assert NetworkFacts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"region": None}, "region"),
            ({"vpc_cidrs": "10.0.0.0/8"}, "vpc_cidrs"),
            ({"private_path": "yes"}, "private_path"),
            ({"shape": "new"}, "unknown shape"),
        ],
    )
    def test_facts_of_another_shape_are_refused(self, change: dict[str, Any], words: str) -> None:
        with pytest.raises(FactsError, match=words) as caught:
            NetworkFacts.from_dict({**CLEAN.to_dict(), **change})
        assert "pulumi up" in caught.value.remedy

    def test_missing_facts_are_refused(self) -> None:
        data = CLEAN.to_dict()
        del data["cluster_name"]
        with pytest.raises(FactsError, match="no cluster_name"):
            NetworkFacts.from_dict(data)

    def test_given_takes_everything_from_the_settings(self) -> None:
        model = SimpleNamespace(
            source="given",
            region=None,
            cluster_name="c",
            cluster_endpoint="https://X.gr7.cn-north-1.eks.amazonaws.com.cn",
            cluster_ca=None,
            vpc_cidrs=(IPv4Network("10.100.0.0/16"),),
            inbound_resolvers=(IPv4Address("10.100.0.2"),),
            service_cidr=IPv4Network("172.20.0.0/16"),
            private_path=True,
        )
        facts = NetworkFacts.given(SimpleNamespace(site=SimpleNamespace(network=model), region="cn-north-1"))  # type: ignore[arg-type]
        assert (facts.region, facts.partition) == ("cn-north-1", "aws-cn")
        assert facts.vpc_cidrs == ("10.100.0.0/16",)
        assert facts.inbound_resolvers == ("10.100.0.2",)
        assert facts.service_cidr == "172.20.0.0/16"
        assert facts.cluster_ca == ""
        assert facts.private_path is True

    def test_the_settings_know_every_fact(self) -> None:
        """A fact that no key of `site.network` fills would silently keep its default."""
        from edge.settings.network import GivenNetwork

        derived = {"partition", "other_sites"}
        assert {field.name for field in fields(NetworkFacts)} - derived <= set(GivenNetwork.model_fields)

    def test_another_source_is_refused_in_one_sentence(self) -> None:
        site = SimpleNamespace(network=SimpleNamespace(source="lookup"))
        with pytest.raises(SettingsError, match=r"site\.network\.source: does not write the values down"):
            NetworkFacts.given(SimpleNamespace(site=site, region="eu-central-1"))  # type: ignore[arg-type]


@pytest.mark.row("A6", "C2")
class TestRules:
    def test_a_clean_site_has_no_findings(self) -> None:
        assert found() == []

    @pytest.mark.parametrize("field", ["remote_node_cidrs", "remote_pod_cidrs"])
    @pytest.mark.parametrize(
        ("cidr", "level", "words"),
        [
            ("8.8.0.0/16", "error", "not a private block"),
            ("172.16.0.0/11", "error", "address inside a block"),
            ("172.0.0.0/11", "error", "not a private block"),
            ("100.64.0.0/16", "warning", "100.64.0.0/10"),
        ],
    )
    def test_remote_networks_are_private(self, field: str, cidr: str, level: str, words: str) -> None:
        findings = found(addresses={}, **{field: (cidr,)})
        assert any(finding.level == level and words in finding.problem for finding in findings), findings

    def test_a_block_larger_than_8_is_refused(self) -> None:
        findings = found(addresses={}, remote_node_cidrs=("10.0.0.0/7",))
        assert any("larger than /8" in finding.problem for finding in findings)

    def test_a_single_address_is_a_block(self) -> None:
        assert found(addresses={"a": IPv4Address("10.200.0.11")}, remote_node_cidrs=("10.200.0.11/32",)) == []

    @pytest.mark.parametrize("field", ["remote_node_cidrs", "remote_pod_cidrs"])
    def test_sixteen_blocks_are_one_too_many(self, field: str) -> None:
        name = {"remote_node_cidrs": "remoteNodeCidrs", "remote_pod_cidrs": "remotePodCidrs"}[field]
        blocks = tuple(f"10.{number}.0.0/16" for number in range(201, 217))
        clean = {"remote_pod_cidrs": ("192.168.0.0/16",), "remote_node_cidrs": ("10.200.0.0/16",)}
        only(found(addresses={}, **{**clean, field: blocks}), f"site.network.{name}", "error", "16", "at most 15")
        assert found(addresses={}, **{**clean, field: blocks[:15]}) == []

    @pytest.mark.parametrize(
        ("changes", "where", "other"),
        [
            ({"remote_pod_cidrs": ("10.200.128.0/17",)}, "remoteNodeCidrs[0]", "remotePodCidrs[0]"),
            ({"vpc_cidrs": ("10.100.0.0/16", "10.200.64.0/20")}, "remoteNodeCidrs[0]", "vpcCidrs[1]"),
            ({"vpc_cidrs": ("10.100.0.0/16", "192.168.4.0/22")}, "remotePodCidrs[0]", "vpcCidrs[1]"),
            ({"service_cidr": "10.200.0.0/20"}, "remoteNodeCidrs[0]", "serviceCidr"),
            ({"service_cidr": "192.168.16.0/20"}, "remotePodCidrs[0]", "serviceCidr"),
            ({"service_cidr": "10.100.0.0/16"}, "serviceCidr", "vpcCidrs[0]"),
        ],
    )
    def test_every_overlap_is_found(self, changes: dict[str, Any], where: str, other: str) -> None:
        only(found(**changes), f"site.network.{where}", "error", "overlaps", f"site.network.{other}")

    @pytest.mark.parametrize(
        ("cidr", "fits"),
        [("172.16.0.0/12", True), ("172.20.0.0/24", True), ("172.20.0.0/25", False), ("10.0.0.0/11", False)],
    )
    def test_the_service_network_is_between_12_and_24(self, cidr: str, fits: bool) -> None:
        findings = found(service_cidr=cidr)
        assert ("site.network.serviceCidr", "error") in levels(findings) or fits
        assert not fits or findings == []

    def test_the_service_network_is_not_cgnat(self) -> None:
        only(found(service_cidr="100.64.0.0/16"), "site.network.serviceCidr", "error", "not a private block")

    def test_the_vpc_may_be_public(self) -> None:
        assert found(vpc_cidrs=("10.100.0.0/16", "52.95.0.0/20")) == []

    def test_a_block_named_twice_is_a_warning(self) -> None:
        findings = found(remote_node_cidrs=("10.200.0.0/16", "10.200.4.0/24"))
        only(findings, "site.network.remoteNodeCidrs[0]", "warning", "counts twice")

    @pytest.mark.parametrize(
        ("changes", "where", "level"),
        [
            ({"remote_node_cidrs": ()}, "remoteNodeCidrs", "error"),
            ({"remote_pod_cidrs": ()}, "remotePodCidrs", "warning"),
            ({"service_cidr": ""}, "serviceCidr", "warning"),
            ({"eni_addresses": ()}, "eniAddresses", "warning"),
            ({"eni_subnets": ()}, "eniSubnets", "warning"),
            ({"vpc_cidrs": ()}, "vpcCidrs", "warning"),
        ],
    )
    def test_what_is_missing_is_named(self, changes: dict[str, Any], where: str, level: str) -> None:
        only(found(**changes), f"site.network.{where}", level)

    def test_a_host_outside_the_remote_node_network(self) -> None:
        addresses = {**ADDRESSES, "plant-12-c": IPv4Address("10.201.0.13")}
        only(found(addresses=addresses), "site.hosts.plant-12-c.address", "error", "10.201.0.13", "10.200.0.0/16")

    @pytest.mark.parametrize(("prefix", "nodes"), [(24, 2), (25, 1), (20, 32), (26, 0)])
    def test_every_host_needs_a_slice_of_the_pod_network(self, prefix: int, nodes: int) -> None:
        hosts = {f"h{number}": IPv4Address(0x0AC80001 + number) for number in range(nodes + 1)}
        pods = (f"192.168.0.0/{prefix}",)
        only(found(addresses=hosts, remote_pod_cidrs=pods), "site.network.remotePodCidrs", "error", f"{nodes} nodes")
        hosts.popitem()
        assert found(addresses=hosts, remote_pod_cidrs=pods) == []

    def test_the_interfaces_stand_in_the_vpc(self) -> None:
        findings = found(eni_subnets=("10.100.0.0/24", "10.99.0.0/24"), eni_addresses=("10.100.0.12",))
        only(findings, "site.network.eniSubnets[1]", "error", "none of the VPC blocks")
        only(
            found(eni_addresses=("10.100.9.9",)),
            "site.network.eniAddresses[0]",
            "error",
            "outside the cluster's subnets",
        )

    @pytest.mark.parametrize(("stage", "level"), [("dev", "warning"), ("staging", "error"), ("prod", "error")])
    def test_one_subnet_is_not_two_zones(self, stage: str, level: str) -> None:
        findings = found(stage, eni_subnets=("10.100.0.0/24",), eni_addresses=("10.100.0.12",))
        only(findings, "site.network.eniSubnets", level, "two zones")

    @pytest.mark.parametrize(("prefix", "level"), [(28, "warning"), (29, "error")])
    def test_small_subnets(self, prefix: int, level: str) -> None:
        findings = found(eni_subnets=("10.100.0.0/24", f"10.100.1.0/{prefix}"), eni_addresses=("10.100.0.12",))
        only(findings, "site.network.eniSubnets[1]", level)

    def test_addresses_that_are_none(self) -> None:
        findings = found(eni_addresses=("10.100.0.300", "fd00::1"))
        assert levels(findings) == [
            ("site.network.eniAddresses[0]", "error"),
            ("site.network.eniAddresses[1]", "error"),
        ]

    def test_both_endpoints_on_is_an_error(self) -> None:
        only(found(endpoint_mode="publicAndPrivate"), "site.network.endpointMode", "error", "inboundResolvers")

    def test_both_endpoints_with_an_inbound_resolver_is_a_warning(self) -> None:
        findings = found(endpoint_mode="publicAndPrivate", inbound_resolvers=("10.100.0.2", "10.100.1.2"))
        only(findings, "site.network.endpointMode", "warning")

    def test_the_public_endpoint_alone_is_fine(self) -> None:
        assert found(endpoint_mode="public") == []
        findings = found(endpoint_mode="public", private_path=True, inbound_resolvers=("10.100.0.2", "10.100.1.2"))
        only(findings, "site.network.endpointMode", "warning", "privatePath")

    def test_an_unknown_endpoint_mode(self) -> None:
        only(found(endpoint_mode="both"), "site.network.endpointMode", "error")

    @pytest.mark.parametrize(("mode", "level"), [("CONFIG_MAP", "error"), ("api", "error"), ("API", "warning")])
    def test_the_authentication_mode(self, mode: str, level: str) -> None:
        only(found(auth_mode=mode), "site.network.authMode", level)

    @pytest.mark.parametrize(
        ("resolvers", "level", "words"),
        [
            ((), "warning", "is empty"),
            (("10.100.0.2",), "warning", "one address"),
            (("10.99.0.2", "10.100.1.2"), "error", "none of the VPC"),
        ],
    )
    def test_a_private_path_needs_its_resolver(self, resolvers: tuple[str, ...], level: str, words: str) -> None:
        findings = found(private_path=True, inbound_resolvers=resolvers)
        assert [finding.level for finding in findings] == [level]
        assert words in str(findings[0])

    def test_an_unknown_region_is_refused_with_the_nearest(self) -> None:
        findings = network_rules(facts_of("eu-centrall-1"), ADDRESSES, "prod")
        assert ("site.network.region", "error") in levels(findings)
        assert "eu-central-1" in next(str(one) for one in findings if one.where == "site.network.region")

    def test_a_region_without_a_known_registry_is_a_warning_about_us_west_2(self) -> None:
        only(
            network_rules(facts_of("sa-west-1"), ADDRESSES, "prod"),
            "site.network.region", "warning", "602401143452.dkr.ecr.us-west-2.amazonaws.com",
        )  # fmt: skip

    @pytest.mark.parametrize("region", ["us-gov-west-1", "cn-north-1", "eusc-de-east-1"])
    def test_other_partitions_are_a_warning(self, region: str) -> None:
        only(
            network_rules(facts_of(region), ADDRESSES, "prod"),
            "site.network.region",
            "warning",
            "does not offer hybrid nodes",
        )

    def test_facts_of_the_wrong_partition(self) -> None:
        only(found(partition="aws-cn"), "site.network.region", "error", "partition aws")

    def test_a_cluster_of_another_region(self) -> None:
        findings = found(cluster_endpoint="https://D87D.gr7.us-west-2.eks.amazonaws.com")
        only(findings, "site.network.clusterEndpoint", "error", "us-west-2")

    def test_endpoints_that_are_none(self) -> None:
        only(found(cluster_endpoint="http://api"), "site.network.clusterEndpoint", "error", "https")
        only(found(cluster_endpoint=""), "site.network.clusterEndpoint", "error")
        only(found("dev", cluster_endpoint=""), "site.network.clusterEndpoint", "warning")

    def test_the_ca_is_pem(self) -> None:
        only(found(cluster_ca="LS0tLS1CRUdJTiBDRVJUSUZJ"), "site.network.clusterCa", "error", "decode")
        only(found(cluster_ca=""), "site.network.clusterCa", "warning")

    @pytest.mark.parametrize(
        ("cluster", "level"), [("1.27", "warning"), ("1.37", "warning"), ("1.3x", "error"), ("", "warning")]
    )
    def test_the_version_of_the_cluster(self, cluster: str, level: str) -> None:
        only(found(kubernetes_version=cluster), "site.network.kubernetesVersion", level)

    @pytest.mark.parametrize(
        ("host", "words"),
        [("1.32.0", "newer than the API server"), ("1.27.0", "behind"), ("1.31.0", ""), ("1.28.0", ""), ("", "")],
    )
    def test_the_version_skew(self, host: str, words: str) -> None:
        findings = network_rules(CLEAN, ADDRESSES, "prod", kubernetes=host)
        if words:
            only(findings, "site.network.kubernetesVersion", "error", words, host)
        else:
            assert findings == []

    @pytest.mark.parametrize(
        ("os_name", "fits"),
        [("ubuntu-20.04", False), ("rhel-8", False), ("ubuntu-22.04", True), ("rhel-9", True), ("amzn-2023", True)],
    )
    def test_roles_anywhere_does_not_work_on_old_systems(self, os_name: str, fits: bool) -> None:
        facts = replace(CLEAN, credential_provider="iamRolesAnywhere")
        findings = network_rules(facts, ADDRESSES, "prod", os_names=[os_name])
        assert findings == [] if fits else levels(findings) == [("site.network.credentialProvider", "error")]
        assert network_rules(CLEAN, ADDRESSES, "prod", os_names=[os_name]) == []

    def test_an_unknown_credential_provider(self) -> None:
        only(found(credential_provider="iam-ra"), "site.network.credentialProvider", "error", "iamRolesAnywhere")

    def test_a_proxy_inside_the_pod_network_is_out_of_reach(self) -> None:
        proxy = {"site.proxy.https": IPv4Address("192.168.1.10")}
        findings = network_rules(CLEAN, ADDRESSES, "prod", others=proxy)
        only(findings, "site.proxy.https", "error", "192.168.0.0/16", "cannot reach")

    def test_everything_at_once(self) -> None:
        findings = found(
            addresses={"a": IPv4Address("10.1.0.1")},
            remote_node_cidrs=("8.0.0.0/8", "nonsense"),
            service_cidr="10.100.0.0/25",
            auth_mode="CONFIG_MAP",
            endpoint_mode="publicAndPrivate",
            kubernetes_version="1.99",
        )
        places = {finding.where.removeprefix("site.") for finding in findings}
        assert places == {
            "network.remoteNodeCidrs[0]",
            "network.remoteNodeCidrs[1]",
            "network.serviceCidr",
            "network.authMode",
            "network.endpointMode",
            "network.kubernetesVersion",
            "hosts.a.address",
        }
        assert all(finding.remedy for finding in findings)
