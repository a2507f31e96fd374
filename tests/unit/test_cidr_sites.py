"""Networks of several sites of one cluster, and a host's own surroundings; overlaps against sets of addresses."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.cidr_sites import other_site_findings, own_network_findings, sites_findings
from edge.network import network_rules
from edge.settings.site import SiteNetworks
from edge.settings.surroundings import addresses_around, networks_around
from tests.unit.aws_samples import sites_of
from tests.unit.network_samples import ADDRESSES, CLEAN
from tests.unit.settings_helpers import RELEASE, load, put, refused, site, vm_site
from tests.unit.test_cidr import addresses_of, small

pytestmark = pytest.mark.row("A6", "C2")


class TestSites:
    def test_sites_that_are_apart(self) -> None:
        sites = sites_of(north=(["10.200.0.0/16"], ["192.168.0.0/17"]), south=(["10.201.0.0/16"], ["192.168.128.0/17"]))
        assert sites_findings(sites) == []

    @pytest.mark.parametrize(
        ("north", "south", "where", "words"),
        [
            ((["10.200.0.0/16"], []), (["10.200.4.0/24"], []), "north.remoteNodeCidrs[0]", "site.sites.south.remoteNodeCidrs[0]"),
            ((["10.200.0.0/16"], []), (["10.201.0.0/16"], ["10.200.8.0/22"]), "north.remoteNodeCidrs[0]", "south.remotePodCidrs[0]"),
            ((["10.200.0.0/16"], ["192.168.0.0/16"]), (["10.201.0.0/16"], ["192.168.0.0/17"]), "north.remotePodCidrs[0]", "192.168.0.0/17"),
            ((["10.200.0.0/16", "10.200.3.0/24"], []), (["10.201.0.0/16"], []), "north.remoteNodeCidrs[0]", "north.remoteNodeCidrs[1]"),
            ((["10.200.0.0/16"], ["10.200.0.0/20"]), (["10.201.0.0/16"], []), "north.remoteNodeCidrs[0]", "north.remotePodCidrs[0]"),
        ],
    )  # fmt: skip
    def test_networks_that_meet(self, north: Any, south: Any, where: str, words: str) -> None:
        [found] = sites_findings(sites_of(north=north, south=south))
        assert (found.where, found.level) == (f"site.sites.{where}", "error")
        assert words in found.problem

    def test_one_pod_network_for_two_sites_is_a_warning(self) -> None:
        pods = ["192.168.0.0/16"]
        [found] = sites_findings(sites_of(north=(["10.200.0.0/16"], pods), south=(["10.201.0.0/16"], pods)))
        assert (found.where, found.level) == ("site.sites.north.remotePodCidrs[0]", "warning")
        assert "routes of the VPC lead all of it to one site" in found.problem

    def test_a_public_network_of_a_site(self) -> None:
        [found] = sites_findings(sites_of(north=(["8.8.0.0/16"], [])))
        assert (found.where, found.level) == ("site.sites.north.remoteNodeCidrs[0]", "error")

    def test_sixteen_networks_of_all_sites_are_one_whole_sentence(self) -> None:
        sites = {f"s{at}": ([f"10.{at}.0.0/17", f"10.{at}.128.0/17"], []) for at in range(100, 108)}
        [found] = sites_findings(sites_of(**sites))
        assert str(found) == (
            "site.sites: have 16 remote node networks together, but EKS takes at most 15 in a cluster (got 8). Join"
            " neighbouring blocks into larger ones, or put some of the sites on another cluster."
        )
        fewer = {name: (nodes[: 1 if name == "s100" else 2], pods) for name, (nodes, pods) in sites.items()}
        assert sites_findings(sites_of(**fewer)) == []

    def test_pods_have_a_limit_of_their_own_and_shared_ones_count_once(self) -> None:
        pods = [f"192.168.{at}.0/25" for at in range(16)]
        found = sites_findings(sites_of(north=(["10.200.0.0/16"], pods)))
        assert [one.problem for one in found] == [
            "have 16 remote pod networks together, but EKS takes at most 15 in a cluster"
        ]
        shared = sites_findings(sites_of(north=(["10.200.0.0/16"], pods[:15]), south=(["10.201.0.0/16"], pods[:15])))
        assert {one.level for one in shared} == {"warning"}

    @settings(deadline=None)  # the machine of a test run is shared
    @given(st.lists(st.tuples(small, small), min_size=1, max_size=4))
    def test_a_pair_is_found_exactly_when_it_shares_an_address(
        self, pairs: list[tuple[IPv4Network, IPv4Network]]
    ) -> None:
        sites = {
            f"s{at}": SiteNetworks.model_construct(remote_node_cidrs=(node,), remote_pod_cidrs=(pod,))
            for at, (node, pod) in enumerate(pairs)
        }
        places = [
            (f"site.sites.s{at}.remote{kind}Cidrs[0]", network)
            for kind, which in (("Node", 0), ("Pod", 1))
            for at, network in enumerate(pair[which] for pair in pairs)
        ]
        slow = {
            frozenset((one, other))
            for one, left in places
            for other, right in places
            if one != other and addresses_of(left) & addresses_of(right)
        }
        named = [one for one in sites_findings(sites) if "site.sites." in one.problem]
        quick = [frozenset((one.where, _other(one.problem))) for one in named]
        assert set(quick) == slow
        assert len(quick) == len(slow), "no pair is named twice"


def _other(problem: str) -> str:
    return next(word.strip("():,") for word in problem.split() if "site.sites." in word)


class TestOtherSites:
    @pytest.mark.parametrize(
        ("entry", "where", "level"),
        [
            ("south 10.200.9.0/24", "site.network.remoteNodeCidrs[0]", "error"),
            ("south 10.200.0.0/16", "site.network.remoteNodeCidrs[0]", "error"),
            ("south 192.168.4.0/22", "site.network.remotePodCidrs[0]", "error"),
            ("south 192.168.0.0/16", "site.network.remotePodCidrs[0]", "warning"),
            ("south ten", "site.network.otherSites[0]", "error"),
        ],
    )
    def test_what_meets_another_site(self, entry: str, where: str, level: str) -> None:
        found = network_rules(replace(CLEAN, other_sites=(entry,)), ADDRESSES, "prod")
        assert [(one.where, one.level) for one in found] == [(where, level)]
        assert "south" in str(found[0])
        assert found[0].remedy.endswith(".")

    def test_a_host_that_stands_in_another_site(self) -> None:
        facts = replace(CLEAN, other_sites=("south 10.201.0.0/16",))
        assert other_site_findings(facts, ADDRESSES) == []
        found = other_site_findings(facts, {"a": IPv4Address("10.201.0.4")})
        assert [(one.where, one.problem) for one in found] == [
            ("site.hosts.a.address", "lies in 10.201.0.0/16 of site south")
        ]


class TestOwnNetworks:
    @pytest.mark.parametrize(
        ("network", "words"),
        [
            ("192.168.7.0/24", "192.168.0.0/16 (site.network.remotePodCidrs[0])"),
            ("172.20.5.0/24", "172.20.0.0/16 (site.network.serviceCidr)"),
            ("10.100.0.0/24", "10.100.0.0/16 (site.network.vpcCidrs[0])"),
            ("10.0.0.0/8", "10.100.0.0/16 (site.network.vpcCidrs[0])"),
        ],
    )
    def test_a_network_that_the_cluster_swallows(self, network: str, words: str) -> None:
        [found] = network_rules(CLEAN, ADDRESSES, "prod", own={"site.hosts.a.address": IPv4Network(network)})
        assert (found.where, found.level) == ("site.hosts.a.address", "error")
        assert words in found.problem

    @settings(deadline=None)  # the machine of a test run is shared
    @given(small, small, small, small)
    def test_against_sets_of_addresses(
        self, own: IPv4Network, pod: IPv4Network, service: IPv4Network, vpc: IPv4Network
    ) -> None:
        facts = replace(CLEAN, remote_pod_cidrs=(str(pod),), service_cidr=str(service), vpc_cidrs=(str(vpc),))
        slow = sum(bool(addresses_of(own) & addresses_of(other)) for other in (pod, service, vpc))
        assert len(own_network_findings(facts, {"x": own})) == slow


PODS = "192.168.3.7"


class TestSurroundings:
    """Whatever a site has written down as an address, and a host must go on reaching, is looked at."""

    @pytest.mark.parametrize(
        ("where", "change"),
        [
            ("site.proxy.https", put("proxy", {"https": f"http://{PODS}:3128"})),
            ("site.proxy.http", put("proxy", {"https": "http://proxy.example.com:3128", "http": f"http://{PODS}:3128"})),
            ("site.hosts.plant-a.proxy.https", put("hosts.plant-a.proxy", {"https": f"http://{PODS}:3128"})),
            ("site.ssh.jumpHost.address", put("ssh.jumpHost", {"address": PODS})),
            ("site.hosts.plant-b.ssh.jumpHost.address", put("hosts.plant-b.ssh", {"jumpHost": {"address": PODS}})),
            ("site.palette.registryCredentials.domain", put("palette.registryCredentials", {"domain": f"{PODS}:5000/x", "username": "u", "password": {"secret": "registry"}})),
            ("site.network.inboundResolvers[0]", put("network.inboundResolvers", [PODS, "10.100.1.2"])),
        ],
    )  # fmt: skip
    def test_an_address_inside_the_pod_network_is_refused(self, tmp_path: Path, where: str, change: Any) -> None:
        found = [one for one in refused(tmp_path, site(change)).values() if "cannot reach" in one.problem]
        assert [(one.where, one.level) for one in found] == [(where, "error")]

    @pytest.mark.parametrize(
        ("key", "value", "where"),
        [
            ("vsphere.gateway", "172.20.0.1", "site.vsphere.gateway"),
            ("vsphere.nameservers", ["10.200.0.2", PODS], "site.vsphere.nameservers[1]"),
            ("vcenters.main", {"server": f"{PODS}:8443", "user": "u@vsphere.local"}, "site.vcenters.main.server"),
        ],
    )
    def test_surroundings_of_virtual_machines(self, tmp_path: Path, key: str, value: Any, where: str) -> None:
        found = [one for one in refused(tmp_path, vm_site(put(key, value))).values() if "cannot reach" in one.problem]
        assert [one.where for one in found] == [where]

    def test_the_mirror_of_the_release(self, tmp_path: Path) -> None:
        release = {**RELEASE, "agent": {**RELEASE["agent"], "baseUrl": f"https://{PODS}/agent"}}
        found = [one for one in refused(tmp_path, site(), release=release).values() if "cannot reach" in one.problem]
        assert [one.where for one in found] == ["releases/r-1.yaml: agent.baseUrl"]

    def test_names_are_no_addresses_and_one_address_is_said_once(self, tmp_path: Path) -> None:
        settings = load(tmp_path, site(put("proxy", {"https": "http://10.200.0.3:3128"})))
        around = addresses_around(settings.site, settings.host_views(), settings.release)
        assert around == {"site.proxy.https": IPv4Address("10.200.0.3")}

    def test_networks_that_hosts_stand_in(self, tmp_path: Path) -> None:
        settings = load(tmp_path, site())
        assert networks_around(settings.site) == {"site.hosts.plant-a.address": IPv4Network("10.200.0.0/24")}
        wide = site(put("hosts.plant-a.address", "10.200.0.11/8"))
        found = [one for one in refused(tmp_path, wide).values() if "overlaps 10.100.0.0/16" in one.problem]
        assert [one.where for one in found] == ["site.hosts.plant-a.address"]
