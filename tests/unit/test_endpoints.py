"""The endpoint table: which rows a site has, how they are reached, and each trap of the documents as a test."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.endpoints import Endpoint, EndpointQuery, endpoint_table, no_proxy, to_tsv
from edge.endpoints.model import PHASES, merge
from edge.endpoints.rows import host_and_port
from tests.unit.network_samples import CLEAN, facts_of, hosts, lines, row, table

ALL = {"install", "join", "ongoing"}


queries = st.builds(
    EndpointQuery,
    facts=st.builds(
        facts_of,
        st.sampled_from(["us-west-2", "eu-central-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1", "sa-west-1"]),
        credential_provider=st.sampled_from(["ssm", "iamRolesAnywhere"]),
        endpoint_mode=st.sampled_from(["private", "public", "publicAndPrivate"]),
        private_path=st.booleans(),
        inbound_resolvers=st.sampled_from([(), ("10.100.0.2", "10.100.1.2")]),
        eni_subnets=st.sampled_from([(), ("10.100.0.0/24", "10.100.1.0/24")]),
    ),
    dedicated=st.booleans(),
    os_families=st.sampled_from([(), ("ubuntu",), ("rhel",), ("ubuntu", "amzn")]),
    fips=st.booleans(),
    proxy=st.booleans(),
    cilium=st.sets(st.sampled_from(["geneve", "wireguard", "mutualAuth", "bgp", "hubbleRelay"])).map(frozenset),
)


class TestTable:
    @settings(deadline=None)  # the machine of a test run is shared
    @given(queries)
    def test_every_table_is_sorted_unique_stable_and_explained(self, query: EndpointQuery) -> None:
        rows = endpoint_table(query)
        endpoint_table.cache_clear()
        assert endpoint_table(replace(query)) == rows
        assert len({one.key for one in rows}) == len(rows)
        assert merge(reversed(rows)) == rows
        for one in rows:
            assert one.reason
            assert one.source
            assert one.phase
            assert one.phase <= set(PHASES)
            assert one.host == one.host.strip()
            assert (one.required == "conditional") == bool(one.condition)

    @settings(deadline=None)  # the machine of a test run is shared
    @given(queries)
    def test_rows_survive_json(self, query: EndpointQuery) -> None:
        rows = endpoint_table(query)
        again = json.loads(json.dumps([one.to_dict() for one in rows]))
        assert tuple(Endpoint.from_dict({**one, "port": float(one["port"])}) for one in again) == rows

    @settings(deadline=None)  # the machine of a test run is shared
    @given(queries, st.booleans())
    def test_the_hosts_table_holds_one_line_of_six_fields_per_probe(self, query: EndpointQuery, proxy: bool) -> None:
        rows = endpoint_table(query)
        text = to_tsv(rows, proxy)
        probed = [one for one in rows if one.probe != "none"]
        assert len(text.splitlines()) == len(probed)
        assert text.endswith("\n")
        for line in text.splitlines():
            host, port, probe, need, via, reason = line.split("\t")
            assert " " not in host
            assert int(port)
            assert probe in ("tcp", "tls", "https", "apiserver")
            assert need in ("required", "optional")
            assert via in (("proxy", "direct") if proxy else ("direct",))
            assert reason

    def test_a_row_that_no_host_can_probe_is_refused(self) -> None:
        good = row(table(), "eks.eu-central-1.amazonaws.com")
        for change in ({"host": "*.quay.io"}, {"host": "10.0.0.0/24"}, {"direction": "in"}, {"protocol": "udp"}):
            with pytest.raises(ValueError, match="cannot be probed"):
                replace(good, **change)
        with pytest.raises(ValueError, match="name the condition"):
            replace(good, required="conditional")

    def test_two_rows_of_one_key_become_the_stronger(self) -> None:
        strong = row(table(), "sts.eu-central-1.amazonaws.com")
        weak = replace(
            strong, required="conditional", condition="if", phase=frozenset({"install"}), reason="other", probe="none"
        )
        (one,) = merge((weak, strong))
        assert (one.required, one.condition, one.probe) == ("required", "", "tls")
        assert one.phase == ALL
        assert one.reason == f"{strong.reason}; other"
        (both,) = merge((weak, replace(weak, condition="when")))
        assert both.condition == "if or when"


@pytest.mark.row("A6", "C2")
class TestAws:
    def test_installation_and_join_with_systems_manager(self) -> None:
        rows = table("us-east-1")
        required = {one.host: one.phase for one in rows if one.peer == "aws" and one.required == "required"}
        assert required == {
            "hybrid-assets.eks.amazonaws.com": {"install", "join"},
            "eks.us-east-1.amazonaws.com": ALL,
            "api.ecr.us-east-1.amazonaws.com": ALL,
            "602401143452.dkr.ecr.us-east-1.amazonaws.com": ALL,
            # Palette's images have the same bucket, so its row merges with this one.
            "amazon-ssm-us-east-1.s3.us-east-1.amazonaws.com": {"install", "join"},
            "amazon-ssm-us-west-2.s3.us-west-2.amazonaws.com": {"install"},
            "prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com": ALL,
            "ssm.us-east-1.amazonaws.com": ALL,
            "sts.us-east-1.amazonaws.com": {"join", "ongoing"},
        }

    def test_roles_anywhere_instead_of_systems_manager(self) -> None:
        rows = table(credential_provider="iamRolesAnywhere")
        assert row(rows, "rolesanywhere.amazonaws.com").phase == {"install"}
        assert row(rows, "rolesanywhere.eu-central-1.amazonaws.com").phase == {"join", "ongoing"}
        assert row(rows, "iam.amazonaws.com").required == "optional"
        assert not any("ssm" in host for host in hosts(rows))
        assert not any("rolesanywhere" in host for host in hosts(table()))

    @pytest.mark.parametrize("region", ["eu-central-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"])
    def test_trap_the_ssm_installer_comes_from_us_west_2_whatever_the_region(self, region: str) -> None:
        rows = table(region)
        installer = row(rows, "amazon-ssm-us-west-2.s3.us-west-2.amazonaws.com")
        assert (installer.required, installer.phase) == ("required", {"install"})
        assert any(host.startswith(f"amazon-ssm-{region}.s3.{region}.") for host in hosts(rows, "required"))

    def test_trap_in_us_west_2_both_buckets_are_one_row(self) -> None:
        one = row(table("us-west-2"), "amazon-ssm-us-west-2.s3.us-west-2.amazonaws.com")
        assert one.phase == {"install", "join"}

    def test_trap_image_layers_come_from_s3(self) -> None:
        layers = row(table(), "prod-eu-central-1-starport-layer-bucket.s3.eu-central-1.amazonaws.com")
        assert layers.required == "required"
        assert layers.private_service == "com.amazonaws.eu-central-1.s3"

    def test_trap_pod_identity_is_not_eks(self) -> None:
        pod = row(table(), "eks-auth.eu-central-1.api.aws")
        assert (pod.required, pod.condition) == ("conditional", "pods use EKS Pod Identity")

    def test_trap_the_cluster_check_of_nodeadm_asks_sts(self) -> None:
        assert row(table(), "sts.eu-central-1.amazonaws.com").required == "required"

    def test_trap_a_fips_kernel_needs_the_fips_registry_to_resolve(self) -> None:
        name = "602401143452.dkr.ecr-fips.eu-central-1.amazonaws.com"
        assert row(table(query={"fips": True}), name).required == "required"
        assert name not in hosts(table())

    def test_fips_names_are_conditional_and_only_where_they_exist(self) -> None:
        rows = table("us-east-2", query={"fips": True})
        assert row(rows, "ssm-fips.us-east-2.amazonaws.com").required == "conditional"
        assert row(rows, "fips.eks.us-east-2.amazonaws.com").required == "conditional"
        assert not any("rolesanywhere-fips" in host for host in hosts(rows))
        europe = hosts(table("eu-central-1", query={"fips": True}))
        assert {host for host in europe if "fips" in host} == {"602401143452.dkr.ecr-fips.eu-central-1.amazonaws.com"}

    def test_in_govcloud_the_plain_names_are_the_fips_names(self) -> None:
        rows = table("us-gov-west-1", query={"fips": True})
        assert row(rows, "ssm.us-gov-west-1.amazonaws.com").required == "required"
        assert row(rows, "013241004608.dkr.ecr-fips.us-gov-west-1.amazonaws.com").required == "required"
        assert "ssm-fips.us-gov-west-1.amazonaws.com" not in hosts(rows)

    def test_optional_services_are_not_probed(self) -> None:
        rows = table()
        for service in ("ssmmessages", "ec2messages", "logs", "s3"):
            one = row(rows, f"{service}.eu-central-1.amazonaws.com")
            assert (one.required, one.probe) == ("optional", "none")


@pytest.mark.row("A6")
class TestCluster:
    def test_the_api_server_is_asked_as_nodeadm_does(self) -> None:
        one = row(table(), "d87d2a0c.gr7.eu-central-1.eks.amazonaws.com")
        assert (one.probe, one.required, one.phase) == ("apiserver", "required", {"join", "ongoing"})

    @pytest.mark.parametrize(
        ("mode", "resolvers", "via"),
        [
            ("private", (), "direct"),
            ("public", (), "proxy"),
            ("publicAndPrivate", (), "proxy"),
            ("publicAndPrivate", ("10.100.0.2", "10.100.1.2"), "direct"),
        ],
    )
    def test_the_api_server_is_reached_as_its_mode_says(self, mode: str, resolvers: tuple[str, ...], via: str) -> None:
        rows = table(endpoint_mode=mode, inbound_resolvers=resolvers)
        assert lines(rows, proxy=True)["d87d2a0c.gr7.eu-central-1.eks.amazonaws.com"][4] == via

    @pytest.mark.parametrize("mode", ["private", "public"])
    def test_trap_interfaces_are_never_reached_by_a_proxy(self, mode: str) -> None:
        """Pods talk to the interfaces by address even when the endpoint is public."""
        fields = lines(table(endpoint_mode=mode, query={"proxy": True}), proxy=True)
        for address in CLEAN.eni_addresses:
            assert fields[address][1:5] == ["443", "tcp", "required", "direct"]

    def test_trap_firewalls_open_subnets_because_addresses_change(self) -> None:
        rows = table()
        assert row(rows, "10.100.0.0/24").probe == "none"
        whole = table(eni_subnets=())
        assert row(whole, "10.100.0.0/16").required == "required"

    def test_trap_10250_comes_in(self) -> None:
        rows = table()
        for subnet in CLEAN.eni_subnets:
            one = row(rows, subnet, 10250, direction="in")
            assert (one.required, one.phase, one.probe) == ("required", {"ongoing"}, "none")
        assert not [one for one in rows if one.port == 10250 and one.direction == "out"]

    def test_without_an_endpoint_there_is_no_row_of_it(self) -> None:
        assert not [one for one in table(cluster_endpoint="") if one.probe == "apiserver"]

    def test_an_endpoint_with_a_port(self) -> None:
        rows = table(cluster_endpoint="https://api.lab.internal:6443/")
        assert row(rows, "api.lab.internal", 6443).probe == "apiserver"


@pytest.mark.row("A6")
class TestSite:
    def test_names_and_time(self) -> None:
        rows = table()
        for protocol in ("tcp", "udp"):
            assert row(rows, "DNS servers of the site", 53, protocol).probe == "none"
        assert row(rows, "time servers of the site", 123, "udp").phase == ALL

    @pytest.mark.parametrize(
        ("feature", "port", "protocol"),
        [("geneve", 6081, "udp"), ("wireguard", 51871, "udp"), ("mutualAuth", 4250, "tcp"), ("bgp", 179, "tcp")],
    )
    def test_ports_of_a_feature_only_when_it_is_on(self, feature: str, port: int, protocol: str) -> None:
        def ports(rows: tuple[Endpoint, ...]) -> set[tuple[int, str, str]]:
            return {(one.port, one.protocol, one.direction) for one in rows if one.peer == "site"}

        off, on = ports(table()), ports(table(query={"cilium": frozenset({feature})}))
        assert on - off == {(port, protocol, "in"), (port, protocol, "out")}

    def test_vxlan_between_nodes_both_ways(self) -> None:
        rows = table(remote_node_cidrs=("10.200.0.0/16", "10.201.0.0/16"))
        for network in ("10.200.0.0/16", "10.201.0.0/16"):
            assert row(rows, network, 8472, "udp", "in").required == "required"
            assert row(rows, network, 8472, "udp", "out").required == "required"


@pytest.mark.row("A14")
class TestNoProxy:
    def test_networks_and_private_names_are_reached_directly(self) -> None:
        facts = facts_of(private_path=True)
        words = no_proxy(facts, endpoint_table(EndpointQuery(facts, proxy=True)), ("intranet.example",))
        assert set(words) >= {
            "localhost", "127.0.0.1", "10.100.0.0/16", "172.20.0.0/16", "10.200.0.0/16", "192.168.0.0/16",
            "d87d2a0c.gr7.eu-central-1.eks.amazonaws.com", "ssm.eu-central-1.amazonaws.com", "intranet.example",
        }  # fmt: skip
        assert len(set(words)) == len(words)
        assert "hybrid-assets.eks.amazonaws.com" not in words
        assert not any(word.startswith("10.100.0.1") and "/" not in word for word in words)

    def test_a_public_endpoint_goes_by_the_proxy(self) -> None:
        facts = facts_of(endpoint_mode="public")
        words = no_proxy(facts, endpoint_table(EndpointQuery(facts, proxy=True)))
        assert not any("eks.amazonaws.com" in word for word in words)

    @settings(deadline=None)  # the machine of a test run is shared
    @given(queries)
    def test_no_proxy_and_the_table_never_disagree(self, query: EndpointQuery) -> None:
        rows = endpoint_table(query)
        words = no_proxy(query.facts, rows)
        for line in to_tsv(rows, True).splitlines():
            host, *_, via, _reason = line.split("\t")
            if not host[0].isdigit() or ".dkr." in host:
                assert (host in words) == (via == "direct")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://a.example", ("a.example", 443)),
        ("http://a.example/x", ("a.example", 80)),
        ("a.example", ("a.example", 443)),
        ("a.example:8443", ("a.example", 8443)),
        ("a.example:8443/path", ("a.example", 8443)),
    ],
)
def test_host_and_port(address: str, expected: tuple[str, int]) -> None:
    assert host_and_port(address) == expected


def test_no_host_in_an_address() -> None:
    with pytest.raises(ValueError, match="names no host"):
        host_and_port("https://")
