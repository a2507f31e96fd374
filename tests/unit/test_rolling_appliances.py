"""A roll, a plan and the changes of a VM know appliances: what is older, what is told, and what its settings differ in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.plan import host_plans
from edge.rolling import HostRoll, Identity, arrived, gate, outdated, says
from edge.settings import HostSettings, StackSettings
from edge.vm.changes import changes, exported
from edge.vm.made_from import MadeFrom
from tests.unit.image_stacks import CANVOS, FROM_STACK, PINNED, mixed
from tests.unit.settings_helpers import DIGEST, load, put

VM, BARE = "plant-b", "plant-c"
OTHER = "cd" * 32
HEALTHY: dict[str, Any] = {
    "state": "ready", "health": "healthy", "generation": 1.0, "epoch": "e1", "release": "r-1",
    "appliance": {"isoSha256": DIGEST, "waits": []},
}  # fmt: skip


def settings_of(folder: Path, *changed: Any, **more: Any) -> StackSettings:
    return load(folder, mixed(*changed, **more), release=PINNED)


def with_appliance(**facts: Any) -> dict[str, Any]:
    return {**HEALTHY, "appliance": {**HEALTHY["appliance"], **facts}}


def vm_facts(host: HostSettings, **made: Any) -> dict[str, Any]:
    """Return what a stack exports of an appliance VM that was just made of these settings, with some of it otherwise."""
    assert host.vm is not None
    given = MadeFrom(
        machine="vsphere", mode="appliance", mac=host.vm.mac, address=str(host.address), prefix=host.prefix or 0,
        gateway=str(host.vm.gateway), nameservers=(str(host.vm.nameservers[0]),), firmware="bios", vcenter=host.vm.vcenter,
        datacenter=host.vm.datacenter,
    )  # fmt: skip
    frozen = replace(given, **made)
    return {**HEALTHY, "vm": {**exported(host.vm, frozen, "420a-uuid"), "firmware": frozen.firmware}}


# -- what differs ----------------------------------------------------------------------------------------------------------


@pytest.mark.row("B14")
def test_nothing_differs_from_an_appliance_that_was_just_made(tmp_path: Path) -> None:
    """It takes one name server and no search domain, and has no template: none of them is a difference."""
    more = put("vsphere.nameservers", ["10.200.0.2", "10.200.0.3"]), put("vsphere.searchDomains", ["plant.example"])
    host = settings_of(tmp_path, *more).host_view(VM)
    assert changes(vm_facts(host), host) == ()


@pytest.mark.row("B14")
@pytest.mark.parametrize(
    ("made", "key"),
    [
        ({"address": "10.200.0.99"}, "address"),
        ({"gateway": "10.200.0.99"}, "gateway"),
        ({"nameservers": ("10.200.0.99",)}, "nameservers"),
        ({"firmware": "efi"}, "firmware"),
        ({"mac": "00:50:56:00:00:01"}, "mac"),
        ({"datacenter": "DC9"}, "datacenter"),
    ],
)
def test_what_an_appliance_is_made_with_waits_for_its_next_generation(
    made: dict[str, Any], key: str, tmp_path: Path
) -> None:
    settings = settings_of(tmp_path)
    host = settings.host_view(VM)
    found = changes(vm_facts(host, **made), host)
    assert [(one.key, one.kind) for one in found] == [(key, "new generation")]
    plan = next(one for one in host_plans(settings, {VM: vm_facts(host, **made)}) if one.name == VM)
    assert (plan.action, plan.reboots, plan.replaces) == ("converge", False, False)


def test_a_word_of_the_last_run_is_not_believed_over_the_settings(tmp_path: Path) -> None:
    """What the last run saw and the settings have taken back since then does not wait any more."""
    settings = settings_of(tmp_path)
    known = vm_facts(settings.host_view(VM))
    known["appliance"] = {
        "isoSha256": DIGEST,
        "waits": [f"iso {DIGEST[:12]} -> {OTHER[:12]}", "address 10.200.0.12 -> 10.200.0.99", "its own user-data"],
    }
    plan = next(one for one in host_plans(settings, {VM: known}) if one.name == VM)
    assert [one.key for one in plan.changes] == ["its own user-data"]


@pytest.mark.row("B14", "B17")
def test_what_becomes_of_an_appliance_that_leaves(tmp_path: Path) -> None:
    """Nothing can be uninstalled from it: its agent is its system."""
    settings = settings_of(tmp_path)
    known = {"gone-vm": vm_facts(settings.host_view(VM)), "gone-bare": HEALTHY}
    whys = {one.name: one.why for one in host_plans(settings, known) if one.action == "gone"}
    assert "destroyed with its disk" in whys["gone-vm"]
    assert "the machine runs on" in whys["gone-bare"] and "uninstalled" not in whys["gone-bare"]


# -- the roll --------------------------------------------------------------------------------------------------------------


@pytest.mark.row("B14", "B17")
@pytest.mark.parametrize("host", [VM, BARE])
def test_an_appliance_is_older_than_the_release_by_its_iso(host: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert outdated(settings, host, {**HEALTHY, "release": "r-0"}) == "", (
        "a release with the same ISO reinstalls nothing"
    )
    old = outdated(settings, host, with_appliance(isoSha256=OTHER))
    assert old == f"installed from ISO {OTHER[:12]}, the release wants {DIGEST[:12]}"
    assert outdated(settings, host, with_appliance(isoSha256="")) == "installed from an unknown ISO"
    assert outdated(settings, host, {**HEALTHY, "appliance": None}) == "installed from an unknown ISO"


def test_of_an_image_that_only_a_run_knows_the_last_run_says_what_is_old(tmp_path: Path) -> None:
    unpinned = load(tmp_path, mixed(image=FROM_STACK), release={**PINNED, "canvos": {"tag": CANVOS["tag"]}})
    assert outdated(unpinned, VM, HEALTHY) == ""
    waits = [f"iso {DIGEST[:12]} -> {OTHER[:12]}", "its own user-data"]
    assert OTHER[:12] in outdated(unpinned, VM, with_appliance(waits=waits))
    assert outdated(unpinned, VM, with_appliance(waits=waits[1:])) == "", "user-data alone is no older release"


@pytest.mark.row("B14", "B17")
def test_a_roll_says_what_becomes_of_an_appliance(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    vm = says(settings.host_view(VM), HostRoll(VM, 2, None, Identity()), HEALTHY)
    assert "generation 1 -> 2" in vm and "installs itself" in vm and "None" not in vm and "agent" not in vm
    bare = says(settings.host_view(BARE), HostRoll(BARE, 2, None, Identity()), HEALTHY)
    assert "SOMEBODY BOOTS IT" in bare and "erases its disk" in bare and "waits 2 h" in bare
    assert "10.200.0.13 stays" in bare


@pytest.mark.row("B17")
def test_an_appliance_has_arrived_with_another_registration(tmp_path: Path) -> None:
    """Bare metal has no uuid, so only its registration tells the new installation from the old one."""
    settings = settings_of(tmp_path, put(f"hosts.{BARE}.allowReboot", True))
    assert gate(settings, {BARE: HEALTHY}, BARE) == []
    roll = HostRoll(BARE, 2, None, Identity("", "e1"))
    assert arrived(roll, {**HEALTHY, "generation": 2.0, "epoch": "e2"}) is None
    stale = arrived(roll, {**HEALTHY, "generation": 2.0})
    assert stale is not None and "registration of before" in stale.problem
