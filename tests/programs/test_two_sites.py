"""Two sites on one cluster: a network stack and two site stacks, added and removed in either order."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from components.errors import ProgramError
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


def changed(before: Recording, after: Recording) -> set[tuple[str, str]]:
    """Return (resource, input) of everything on hosts that differs; fails when anything but an input does."""
    ones, others = of_hosts(before), of_hosts(after)
    assert ones.keys() == others.keys()
    for name, one in ones.items():
        assert replace(one, inputs={}) == replace(others[name], inputs={})
    return {
        (name, key)
        for name, one in ones.items()
        for key in one.inputs.keys() | others[name].inputs.keys()
        if one.inputs.get(key) != others[name].inputs.get(key)
    }


@pytest.mark.row("C2", "C3")
@pytest.mark.parametrize("first", ["plant", "harbour"])
def test_a_second_site_that_comes_or_goes_restarts_nothing_on_the_hosts_of_the_first(first: str) -> None:
    """The read-only checks are told of it and run again; no other step, no machine and no record hears of it."""
    second = "harbour" if first == "plant" else "plant"
    alone, both, other_order = network(first), network(first, second), network(second, first)
    before, during = site(first, alone), site(first, both)
    assert changed(before, during) == {(f"{host}-checks", "stdin") for host in HOSTS[first]}
    assert changed(during, site(first, other_order)) == set()
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
    recording = site("harbour", both)
    assert "EH_REMOTE_NODE_CIDRS=10.201.0.0/16" in recording.get("harbour-a-checks").plain("stdin")
    for step in ("preparation", "agent", "started"):
        assert "10.200.0.0/16" not in recording.get(f"harbour-a-{step}").plain("stdin")


@pytest.mark.row("C2")
def test_a_site_that_was_taken_out_of_the_network_too_early_is_told_where_it_belongs() -> None:
    recording = Recording()
    with pytest.raises(ProgramError) as caught:
        site("plant", network("harbour"), recording=recording)
    text = str(caught.value)
    assert "site.name: is no site of the network stack plants-dev, which has harbour (got 'plant')" in text
    assert "Add `plant:` with its networks below `sites:` in Pulumi.plants-dev.yaml" in text
    assert not any(one.name.endswith("-claim") for one in recording.resources)


@pytest.mark.row("C2")
def test_two_sites_with_a_network_in_common_are_refused_before_anything_is_registered() -> None:
    recording = Recording()
    sites = {**SITES, "harbour": {"remoteNodeCidrs": ["10.200.128.0/17"], "remotePodCidrs": []}}
    with pytest.raises(ProgramError, match=r"site\.sites\.harbour\.remoteNodeCidrs\[0\]: overlaps 10\.200\.0\.0/16"):
        run(network_of("lookup", sites), facts=FACTS, recording=recording)
    assert recording.resources == []
