"""A network stack and a site that refers to it: what the engine does when the network comes, changes, and is wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from ruamel.yaml import YAML

from lab.engine import Engine
from tests.engine.engine_site import HOSTS, EngineSite, Settings, chain

NETWORK = "shared-dev"
# As the site's `given` network says it, for the stack that many sites refer to.
_OF_THE_CLUSTER = ("remoteNodeCidrs", "remotePodCidrs")


class Shared:
    """The network stack of the lab's site and of another one, in the same backend."""

    def __init__(self, site: EngineSite) -> None:
        self.engine = Engine(site.engine.program, site.engine.folder, stack=NETWORK)
        self._given = _given_network(site)
        networks = {key: self._given[key] for key in _OF_THE_CLUSTER}
        self.sites: dict[str, Any] = {"lab": networks}

    def up(self, change: Callable[[Settings], None] = lambda _network: None) -> None:
        """Deploy the network stack with its sites as they are now; `change` alters the network itself."""
        network = copy.deepcopy(self._given)
        for key in _OF_THE_CLUSTER:
            network[key] = sorted({cidr for site in self.sites.values() for cidr in site[key]})
        change(network)
        site = {"kind": "network", "name": "shared", "stage": "dev", "network": network, "sites": self.sites}
        file = self.engine.folder / "shared.yaml"
        with file.open("w", encoding="utf-8") as stream:
            YAML().dump({"config": {"aws:region": "eu-central-1", "edge-hosts:site": site}}, stream)
        self.engine.prepare(file, {})
        run = self.engine.run("up")
        assert run.code == 0, f"{run.messages()}\n{run.stderr}"


def _given_network(site: EngineSite) -> Settings:
    """Return the values of the lab's network as a site with `source: given` writes them."""
    facts = site.engine.outputs()["network"]
    names = {
        "clusterName": "cluster_name", "clusterEndpoint": "cluster_endpoint", "clusterCa": "cluster_ca",
        "endpointMode": "endpoint_mode", "authMode": "auth_mode", "vpcCidrs": "vpc_cidrs", "eniSubnets": "eni_subnets",
        "eniAddresses": "eni_addresses", "serviceCidr": "service_cidr", "remoteNodeCidrs": "remote_node_cidrs",
        "remotePodCidrs": "remote_pod_cidrs", "kubernetesVersion": "kubernetes_version",
    }  # fmt: skip
    return {"source": "given", **{key: facts[fact] for key, fact in names.items()}}


def _refer(site: EngineSite) -> None:
    site.edit(lambda settings: settings.update(network={"source": "stack", "stack": NETWORK}))


@pytest.mark.row("C2", "C3")
def test_a_site_follows_its_network_stack(site: EngineSite) -> None:
    shared = Shared(site)
    before = site.engine.outputs()["network"]
    _refer(site)
    run = site.run("up, the network stack is not there", "up", code=1)
    assert run.changed() == {}
    assert f"network stack {NETWORK}" in run.messages()

    shared.up()
    run = site.run("up, the network comes from a stack", "up")
    assert set(run.changed()) <= {f"{host}-checks" for host in HOSTS}, "the same facts from elsewhere"
    assert site.engine.outputs()["network"] == before
    assert site.cases[-1].reboots == 0
    site.clean()


@pytest.mark.row("C2")
def test_another_site_of_the_cluster_comes_and_goes(site: EngineSite) -> None:
    shared = Shared(site)
    shared.up()
    _refer(site)
    site.run("(the network comes from a stack)", "up")
    shared.sites["other"] = {"remoteNodeCidrs": ["10.77.0.0/16"], "remotePodCidrs": ["10.78.0.0/16"]}
    shared.up()
    run = site.run("up, another site of the cluster came", "up")
    assert set(run.changed()) == {f"{host}-checks" for host in HOSTS}
    assert "other 10.77.0.0/16" in site.engine.outputs()["network"]["other_sites"]
    del shared.sites["other"]
    shared.up()
    run = site.run("up, another site of the cluster left", "up")
    assert set(run.changed()) == {f"{host}-checks" for host in HOSTS}
    assert site.engine.outputs()["network"]["other_sites"] == []
    assert [case.reboots for case in site.cases[-2:]] == [0, 0]
    site.clean()


@pytest.mark.row("A6", "C2")
def test_a_wrong_network_touches_no_host(bare_site: EngineSite) -> None:
    """The facts arrive while the program runs; nothing of a host is made before they are known to be good."""
    site = bare_site
    site.run("up, bare machines", "up")
    shared = Shared(site)
    site.fresh()
    _refer(site)
    shared.up(lambda network: network.update(serviceCidr=network["vpcCidrs"][0], endpointMode="publicAndPrivate"))
    run = site.run("up, the network overlaps and has both endpoints", "up", code=1)
    assert run.changed() == {}
    assert not site.records()
    words = run.messages()
    assert "overlaps the VPC block" in words and "Turn one of the two endpoints off" in words, "all findings at once"

    shared.up()
    site.run("up, the network is right", "up")
    assert site.healthy() == set(HOSTS)
    assert set(site.engine.run("preview").changed()) & chain("bare") == set()
    site.clean()
