"""Two sites on one cluster: a network stack and two site stacks, added and removed in either order."""

from __future__ import annotations

import copy
from typing import Any

import pulumi
import pytest

from components.testing import Recording
from tests.programs.network_programs import FACTS, exports_of, network_of, of_hosts, run, site_of
from tests.unit.settings_helpers import HOST_KEY

SITES = {
    "plant": {"remoteNodeCidrs": ["10.200.0.0/16"], "remotePodCidrs": ["192.168.0.0/17"]},
    "harbour": {"remoteNodeCidrs": ["10.201.0.0/16"], "remotePodCidrs": ["192.168.128.0/17"]},
}
HOSTS = {
    "plant": {"plant-a": {"address": "10.200.0.11/24", "hostKey": HOST_KEY}},
    "harbour": {"harbour-a": {"address": "10.201.0.11/24", "hostKey": HOST_KEY}},
}


def network(*sites: str) -> dict[str, Any]:
    """Return what a network stack exports that has these sites, added in this order."""
    raw = network_of("given", {name: SITES[name] for name in sites})
    raw["network"] |= {
        "remoteNodeCidrs": [block for name in sites for block in SITES[name]["remoteNodeCidrs"]],
        "remotePodCidrs": [block for name in sites for block in SITES[name]["remotePodCidrs"]],
    }
    return exports_of(run(raw))


def site(name: str, exports: dict[str, Any], **options: Any) -> Recording:
    """Return what the stack of a site registers over those exports."""
    raw = site_of("stack", name=name, hosts=copy.deepcopy(HOSTS[name]))
    return run(raw, exports=exports, **options)


@pytest.mark.row("C2", "C3")
@pytest.mark.parametrize("first", ["plant", "harbour"])
def test_a_second_site_that_comes_or_goes_changes_nothing_on_the_hosts_of_the_first(first: str) -> None:
    second = "harbour" if first == "plant" else "plant"
    alone, both, other_order = network(first), network(first, second), network(second, first)
    before, during = site(first, alone), site(first, both)
    assert of_hosts(before) == of_hosts(during)
    assert of_hosts(during) == of_hosts(site(first, other_order))
    assert {one.name for one in before.resources} == {one.name for one in during.resources}
    own = {key: during.exports["network"][key] for key in ("remote_node_cidrs", "remote_pod_cidrs")}
    assert own == {
        "remote_node_cidrs": SITES[first]["remoteNodeCidrs"],
        "remote_pod_cidrs": SITES[first]["remotePodCidrs"],
    }
    blocks = [*SITES[second]["remoteNodeCidrs"], *SITES[second]["remotePodCidrs"]]
    assert during.exports["network"]["other_sites"] == [f"{second} {block}" for block in blocks]
    assert before.exports["network"] == {**during.exports["network"], "other_sites": []}


@pytest.mark.row("C2")
def test_each_site_waits_for_its_own_networks_only() -> None:
    both = network("plant", "harbour")
    stdin = site("harbour", both).get("harbour-a-checks").plain("stdin")
    assert "EH_REMOTE_NODE_CIDRS=10.201.0.0/16" in stdin
    assert "10.200.0.0/16" not in stdin


@pytest.mark.row("C2")
def test_a_site_that_was_taken_out_of_the_network_too_early_is_told_where_it_belongs() -> None:
    recording = Recording()
    with pytest.raises(pulumi.RunError) as caught:
        site("plant", network("harbour"), recording=recording)
    text = str(caught.value)
    assert "site.name: is no site of the network stack plants-dev, which has harbour (got 'plant')" in text
    assert "Add `plant:` with its networks below `sites:` in Pulumi.plants-dev.yaml" in text
    assert not any(one.name.endswith("-claim") for one in recording.resources)


@pytest.mark.row("C2")
def test_two_sites_with_a_network_in_common_are_refused_before_anything_is_registered() -> None:
    recording = Recording()
    sites = {**SITES, "harbour": {"remoteNodeCidrs": ["10.200.128.0/17"], "remotePodCidrs": []}}
    with pytest.raises(pulumi.RunError, match=r"site\.sites\.harbour\.remoteNodeCidrs\[0\]: overlaps 10\.200\.0\.0/16"):
        run(network_of("lookup", sites), facts=FACTS, recording=recording)
    assert recording.resources == []
