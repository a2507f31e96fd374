"""What a healthy appliance needed once is taken away, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from edge.appliance import media as logic
from edge.appliance import own_iso
from edge.errors import HostError, PendingError
from edge.images import check_resource
from edge.vcenter.errors import VcenterError
from tests.unit.media_world import INSTALLER, LOGIN, World, inputs, put_in_place, secret

OWN = "[ssd-1] a/edge-hosts-cidata-0123456789ab-e1.iso"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    made.one.installed, made.one.drives, made.data[OWN] = True, ["", OWN], b"iso"
    put_in_place(made, monkeypatch)
    return made


def of_vm(**more: Any) -> dict[str, Any]:
    return {**inputs(), "mode": "vsphere", "site_iso": OWN, "removed": None, **more}


@pytest.mark.row("B14")
def test_the_own_iso_of_a_healthy_vm_is_ejected_and_deleted(world: World) -> None:
    outs = logic.create(of_vm(), secret)
    assert outs["removed"] == OWN
    assert "user_data" not in outs
    assert (world.one.drives, world.tokens, world.one.power_ons) == (["", ""], [], 0)
    assert logic.create(of_vm(), secret)["removed"] == OWN, "again is fine"


def test_another_iso_in_the_drive_stays(world: World) -> None:
    world.one.drives, world.data["[ssd-1] tools.iso"] = ["", "[ssd-1] tools.iso"], b"t"
    logic.create(of_vm(), secret)
    assert world.one.drives == ["", "[ssd-1] tools.iso"]
    assert (world.tokens, "set_drives" in world.calls) == ([], False)


def test_a_vm_that_is_gone_leaves_only_its_file(world: World) -> None:
    world.vms.clear()
    assert logic.create(of_vm(), secret)["removed"] == OWN
    assert world.tokens == []


def test_what_killed_runs_have_left_beside_it_goes_too(world: World) -> None:
    world.data["[ssd-1] a/edge-hosts-cidata-ffffffffffff-e0.iso"] = b"old"
    world.data["[ssd-1] a/a.vmx"] = b"vm"
    logic.create(of_vm(site_iso=""), secret)
    assert world.tokens == []
    assert "[ssd-1] a/a.vmx" in world.data


def test_a_file_that_is_locked_is_worth_another_look(world: World) -> None:
    def locked(call: str) -> None:
        if call == "delete_file":
            raise PendingError("it is still in use.", remedy="take it out")

    world.before = locked
    with pytest.raises(PendingError, match=r"^pending: it is still in use\. Remedy: take it out"):
        logic.create(of_vm(), secret)
    world.before = lambda _call: None
    assert logic.create(of_vm(), secret)["removed"] == OWN


@pytest.mark.row("B14")
def test_a_slow_vcenter_is_left_after_each_change_and_every_look_brings_it_further(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_iso, "LOOK_SECONDS", -1.0)
    world.data["[ssd-1] a/edge-hosts-cidata-ffffffffffff-e0.iso"] = b"old"
    changes = []
    for _ in range(6):
        world.calls.clear()
        try:
            logic.create(of_vm(), secret)
        except PendingError as error:
            assert str(error).startswith("pending: edge host a: ")
            changes.append([call for call in world.calls if call not in ("vm", "files")])
        else:
            break
    assert changes == [["set_drives"], ["delete_file"], ["delete_file"]]
    assert (world.tokens, world.one.drives) == ([], ["", ""])


def test_differences_of_the_media(world: World) -> None:
    outs = logic.create(of_vm(), secret)
    assert logic.diff(outs, of_vm(user_data="other", timeout=1.0)) == []
    assert logic.diff(outs, of_vm(epoch="e2")) == ["epoch"]
    assert logic.diff(outs, of_vm(uuid="u2")) == ["uuid"]
    world.calls.clear()
    assert logic.diff(outs, of_vm(vcenter={**LOGIN, "user": "other"})) == [], "nothing is asked of it any more"
    logic.delete(outs, secret)
    assert logic.read({**outs, "__provider": "p"}, secret) == outs
    assert world.calls == []


def checked(**more: Any) -> dict[str, Any]:
    base = {
        "name": "a-iso", "host": "a", "vcenter": dict(LOGIN), "datacenter": "LAB", "place": INSTALLER, "sha256": "f" * 64,
        "size": 1000.0,
    }  # fmt: skip
    return check_resource.create({**base, **more}, secret)


@pytest.mark.row("B14")
def test_an_installer_that_is_there(world: World) -> None:
    outs = checked()
    assert (outs["place"], outs["size"]) == (INSTALLER, 1000)
    assert checked(size=0.0)["place"] == INSTALLER
    assert checked(size=None)["place"] == INSTALLER
    assert check_resource.diff(outs, {**outs, "size": 1000.0, "name": "a-iso"}) == []
    assert check_resource.diff(outs, {**outs, "sha256": "0" * 64}) == ["sha256"]
    assert check_resource.update(outs, outs, secret) == outs
    check_resource.delete(outs, secret)
    assert INSTALLER in world.data
    assert world.calls == ["file_size"] * 4


@pytest.mark.row("B14")
def test_an_installer_that_is_not_there_or_another_one(world: World) -> None:
    with pytest.raises(
        VcenterError, match=r"edge host a: its installer ISO \[ssd-1\] gone\.iso is not there.*images list"
    ):
        checked(place="[ssd-1] gone.iso")
    with pytest.raises(VcenterError, match="has 1000 bytes where the image says 1001: an upload was cut off"):
        checked(size=1001.0)
    world.data[INSTALLER] = b""
    with pytest.raises(VcenterError, match="has 0 bytes and is no ISO"):
        checked(size=0.0)


# What begins the name of an own ISO of host `a` of the owner `edge-hosts.p`.
OURS = "edge-hosts-cidata-6cb2a747-"


def leaving(**more: Any) -> dict[str, Any]:
    base = {
        "name": "a-iso", "host": "a", "owner": "edge-hosts.p", "generation": 2.0, "vcenter": dict(LOGIN),
        "datacenter": "LAB", "store": "ssd-1", "place": INSTALLER,
    }  # fmt: skip
    return {**base, **more}


@pytest.mark.row("B14")
def test_a_host_that_leaves_takes_its_own_isos_along_and_nothing_else(world: World) -> None:
    ours = [f"[ssd-1] {folder}/{OURS}0123456789ab.iso" for folder in ("a", "a_1", "a_2")]
    others = [OWN, f"[ssd-1] b/{OURS}0.iso", f"[ssd-2] a/{OURS}0.iso", "[ssd-1] a/a.vmx", f"[ssd-1] a/{OURS}0.vmdk"]
    world.vms.clear()
    world.data |= dict.fromkeys([*ours, *others], b"x")
    check_resource.delete(leaving(), secret)
    assert set(world.data) == {*others, INSTALLER}, "another owner's, another host's and the build's stay"
    check_resource.delete(leaving(), secret)


def test_a_host_leaves_without_a_datastore_that_is_known_or_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_resource.delete(leaving(store=None, owner=None), secret)
    check_resource.delete(leaving(store=""), secret)
    assert not world.asked, "a state of before, and a datastore cluster, ask nobody"

    def gone(_center: str, _folder: str) -> dict[str, int]:
        raise VcenterError("has no datastore ssd-1 that its user may see.")

    monkeypatch.setattr(world, "files", gone)
    check_resource.delete(leaving(), secret)


def test_a_file_that_cannot_be_deleted_is_told_because_nobody_repeats_a_delete(world: World) -> None:
    world.data[f"[ssd-1] a/{OURS}0.iso"] = b"x"

    def locked(_call: str) -> None:
        raise PendingError("it is still in use.", remedy="take it out")

    world.before = locked
    with pytest.raises(
        HostError, match=r"edge host a: it is still in use\. Remedy: run the same command again; take it"
    ):
        check_resource.delete(leaving(), secret)
