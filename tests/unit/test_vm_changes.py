"""What a changed setting does to a virtual machine that is there."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from settings_helpers import HOST_KEY, load, site
from vm_samples import TEMPLATE, vm_host

from edge.settings import HostSettings
from edge.vm.changes import KINDS, Change, changes, exported, with_new_machine, worst
from edge.vm.made_from import MadeFrom

QUICK = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def facts(host: HostSettings, /, **other: Any) -> dict[str, Any]:
    """Return what a stack exported of a host, as it comes back from the engine, with some of it otherwise."""
    assert host.vm is not None
    made = MadeFrom.of(host, host.vm, host_key=HOST_KEY, template=TEMPLATE)
    vm = json.loads(json.dumps(exported(host.vm, made, "420a-uuid")))
    return {"address": str(host.address), "generation": 1, "agentVersion": "4.9.38", "vm": {**vm, **other}}


def with_vm(host: HostSettings, **other: Any) -> HostSettings:
    assert host.vm is not None
    return replace(host, vm=replace(host.vm, **other))


def only(found: tuple[Change, ...]) -> Change:
    assert len(found) == 1, found
    return found[0]


@pytest.mark.row("C1")
def test_nothing_differs_from_what_was_just_made(tmp_path: Path) -> None:
    host = vm_host(tmp_path)
    assert changes(facts(host), host) == ()
    assert worst(()) == "none"


def test_nothing_is_said_where_nothing_is_known(tmp_path: Path) -> None:
    host = vm_host(tmp_path)
    for known in (None, {}, {"vm": None}, {"vm": {}}, {"generation": 1, "address": "10.9.9.9"}):
        assert changes(known, host) == ()
    existing = load(tmp_path, site()).host_view("plant-a")
    assert changes({"vm": {"cpus": 1}}, existing) == ()


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        ({"cpus": 2}, {}, "in place"),
        ({"cpus": 2.0}, {}, "in place"),
        ({"cpus": 8}, {}, "power cycle"),
        ({"cpus": 2, "hotAdd": False}, {"hot_add": False}, "power cycle"),
        ({"memoryMib": 8192}, {}, "in place"),
        ({"memoryMib": 32768}, {}, "power cycle"),
        ({"memoryMib": 8192, "hotAdd": False}, {"hot_add": False}, "power cycle"),
        ({"coresPerSocket": 2}, {}, "power cycle"),
        ({"hotAdd": False}, {}, "power cycle"),
        ({"diskGib": 100}, {}, "in place"),
        ({"diskGib": 200}, {}, "refused"),
        ({"thin": False}, {}, "refused"),
        ({"network": "vlan-100"}, {}, "in place"),
        ({"switch": "dvs-2"}, {}, "in place"),
        ({"folder": "old"}, {}, "in place"),
        ({"address": "10.200.0.99"}, {}, "new generation"),
        ({"prefix": 25}, {}, "new generation"),
        ({"gateway": "10.200.0.254"}, {}, "new generation"),
        ({"nameservers": ["10.0.0.1"]}, {}, "new generation"),
        ({"searchDomains": ["old.example"]}, {}, "new generation"),
        ({"mac": "00:50:56:00:00:01"}, {}, "new generation"),
        ({"template": "ubuntu-20.04"}, {}, "new generation"),
        ({"vcenter": "other"}, {}, "new generation"),
        ({"datacenter": "DC2"}, {}, "new generation"),
        ({"cluster": "old"}, {}, "none"),
        ({"datastore": "hdd-1"}, {}, "none"),
        ({"resourcePool": "pool"}, {}, "none"),
        ({"host": "esx-1"}, {}, "none"),
    ],
)
@pytest.mark.row("C1")
def test_each_difference(tmp_path: Path, was: dict[str, Any], now: dict[str, Any], kind: str) -> None:
    host = with_vm(vm_host(tmp_path), **now)
    change = only(changes(facts(host, **was), host))
    assert change.kind == kind
    assert change.note
    assert change.was != change.wanted
    assert str(change).startswith(f"{change.key} {change.was} -> {change.wanted}: {kind}, ")
    if kind in ("refused", "new generation", "none"):
        assert change.remedy


def test_a_machine_made_without_hot_add_is_turned_off_once_to_get_it(tmp_path: Path) -> None:
    """What counts is what the running machine was made with, not what the settings want it to be."""
    host = vm_host(tmp_path)
    found = changes(facts(host, hotAdd=False, cpus=2), host)
    assert {one.key: one.kind for one in found} == {"cpus": "power cycle", "hotAdd": "power cycle"}
    later = with_vm(host, hot_add=False, cpus=8)
    found = changes(facts(host), later)
    assert {one.key: one.kind for one in found} == {"cpus": "in place", "hotAdd": "power cycle"}
    assert worst(found) == "power cycle"


def test_a_smaller_disk_names_both_sizes_and_the_way(tmp_path: Path) -> None:
    host = vm_host(tmp_path)
    change = only(changes(facts(host, diskGib=200), host))
    assert (change.was, change.wanted) == ("200GiB", "150GiB")
    assert "Write 200GiB or more" in change.remedy
    assert "state: retired" in change.remedy
    assert with_new_machine((change,)) == (change,)


def test_what_waits_names_the_command_that_brings_it(tmp_path: Path) -> None:
    host = vm_host(tmp_path)
    change = only(changes(facts(host, template="ubuntu-20.04"), host))
    assert "edgectl roll plant-a" in change.remedy
    assert with_new_machine((change,)) == ()


def test_an_adopted_machine_is_left_as_it_was_found(tmp_path: Path) -> None:
    host = vm_host(tmp_path, adopt="/DC1/vm/plant/plant-a")
    assert changes(facts(host), host) == ()
    found = changes(facts(host, diskGib=200, cpus=8, template="old"), host)
    assert {(one.key, one.kind) for one in found} == {("cpus", "none"), ("disk", "none"), ("template", "none")}


def test_without_the_line_that_adopted_it_a_machine_would_be_made_anew(tmp_path: Path) -> None:
    """The provider then compares it with a clone of ours: clone and trigger differ, and both replace."""
    known = facts(vm_host(tmp_path, adopt="/DC1/vm/plant/plant-a"))
    change = only(changes(known, vm_host(tmp_path)))
    assert (change.key, change.was, change.kind) == ("adopt", "/DC1/vm/plant/plant-a", "refused")
    assert "destroyed" in change.note
    assert with_new_machine((change,)) == ()


def test_the_exported_facts_are_plain_values(tmp_path: Path) -> None:
    host = vm_host(tmp_path)
    assert host.vm is not None
    made = MadeFrom.of(host, host.vm, host_key=HOST_KEY, template=TEMPLATE)
    found = exported(host.vm, made, "420a-uuid")
    assert {"uuid", "cpus", "memoryMib", "diskGib", "network", "template", "mac"} <= set(found)
    assert json.loads(json.dumps(found)) == found
    assert found["template"] == "ubuntu-22.04"


def test_the_frozen_address_is_exported_and_not_the_wanted_one(tmp_path: Path) -> None:
    """Else the difference would be gone after the next run, and the machine as it was."""
    host = vm_host(tmp_path)
    assert host.vm is not None
    made = MadeFrom.of(host, host.vm, host_key=HOST_KEY, template=TEMPLATE)
    moved = replace(host, address=IPv4Address("10.200.0.77"))
    assert moved.vm is not None
    assert exported(moved.vm, made, "u")["address"] == "10.200.0.11"
    assert only(changes({"vm": exported(moved.vm, made, "u")}, moved)).key == "address"


# Rules that hold for every size, network and address

SIZES = st.integers(32, 4096)
MEMORY = st.integers(1024, 65536).map(lambda quarter: quarter * 4)
ADDRESSES = st.integers(0x0A000001, 0x0AFFFFFE).map(lambda number: str(IPv4Address(number)))


@QUICK
@given(was=SIZES, now=SIZES)
def test_a_disk_only_grows_and_never_restarts_anything(tmp_path: Path, was: int, now: int) -> None:
    host = with_vm(vm_host(tmp_path), disk_gib=now)
    found = changes(facts(host, diskGib=was), host)
    assert worst(found) == ("none" if was == now else "in place" if now > was else "refused")
    assert bool(with_new_machine(found)) == (now < was)
    assert all(f"{was}GiB" in str(one) and f"{now}GiB" in str(one) for one in found)


@QUICK
@given(was=MEMORY, now=MEMORY, cpus=st.integers(2, 64), cpus_now=st.integers(2, 64), hot=st.booleans())
def test_sizes_restart_a_machine_exactly_when_it_shrinks_or_cannot_grow(
    tmp_path: Path, was: int, now: int, cpus: int, cpus_now: int, hot: bool
) -> None:
    host = with_vm(vm_host(tmp_path), memory_mib=now, cpus=cpus_now, hot_add=hot)
    found = changes(facts(host, memoryMib=was, cpus=cpus), host)
    differs, shrinks = (was, cpus) != (now, cpus_now), now < was or cpus_now < cpus
    wanted = "none" if not differs else "power cycle" if shrinks or not hot else "in place"
    assert worst(found) == wanted


@QUICK
@given(was=ADDRESSES, now=ADDRESSES, prefix=st.integers(8, 30), prefix_now=st.integers(8, 30))
def test_an_address_never_changes_a_machine_that_is_there(
    tmp_path: Path, was: str, now: str, prefix: int, prefix_now: int
) -> None:
    host = replace(vm_host(tmp_path), address=IPv4Address(now), prefix=prefix_now)
    found = changes(facts(host, address=was, prefix=prefix, gateway=was), host)
    assert {one.kind for one in found} <= {"new generation"}
    assert ("address" in {one.key for one in found}) == (was != now)
    assert ("prefix" in {one.key for one in found}) == (prefix != prefix_now)


@QUICK
@given(network=st.text(min_size=1, max_size=20), switch=st.none() | st.text(min_size=1, max_size=8))
def test_a_port_group_is_always_changed_while_the_machine_runs(
    tmp_path: Path, network: str, switch: str | None
) -> None:
    host = vm_host(tmp_path)
    moved = with_vm(host, network=network, switch=switch)
    found = changes(facts(host), moved)
    assert {one.kind for one in found} <= {"in place"}
    assert len(found) == (0 if (network, switch) == ("vlan-200", None) else 1)


@QUICK
@given(st.dictionaries(
    st.sampled_from(["cpus", "memoryMib", "diskGib", "hotAdd", "thin", "network", "address", "nameservers", "cluster", "x"]),
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
))  # fmt: skip
def test_no_facts_break_the_comparison(tmp_path: Path, vm: dict[str, Any]) -> None:
    found = changes({"vm": vm}, vm_host(tmp_path))
    assert worst(found) in KINDS
    assert all(str(one) for one in found)
