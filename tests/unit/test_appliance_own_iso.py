"""A host's own ISO never stays behind: after an error for good, after a kill, with a slow vCenter, with an earlier VM."""

from __future__ import annotations

import pytest

from edge.appliance import boot, own_iso
from edge.errors import HostError, PendingError
from edge.vcenter.errors import VcenterError
from tests.unit.media_world import (
    UUID,
    Vm,
    World,
    calm,
    cut,
    inputs,
    is_running,
    killing,
    put_in_place,
    secret,
    until_done,
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    put_in_place(made, monkeypatch)
    return made


def failing(world: World, *calls: str) -> None:
    """Let changes be refused for good, as without a privilege."""

    def refused(call: str) -> None:
        if call in calls:
            raise VcenterError(f"{call} is not allowed.", remedy="give the privilege", where="vCenter vc")

    world.before = refused


@pytest.mark.row("B14")
@pytest.mark.parametrize("call", ["set_drives", "power_on"])
def test_what_fails_for_good_leaves_no_token_behind(world: World, call: str) -> None:
    world.install_ends()
    failing(world, call)
    with pytest.raises(VcenterError, match=rf"^vCenter vc: {call} is not allowed\. Remedy: give the privilege$"):
        boot.create(inputs(), secret)
    assert world.tokens == []
    assert not own_iso.own_isos(world.one.view()), "a drive with a file that is gone would be a first boot without it"
    calm(world)
    until_done(world, lambda: boot.create(inputs(), secret))
    is_running(world)


def test_half_an_upload_that_fails_is_deleted(world: World) -> None:
    world.install_ends()

    def full(call: str) -> None:
        if call == "put_file":
            raise VcenterError("the datastore is full.", remedy="make room")

    world.after = full
    with pytest.raises(VcenterError, match="full"):
        boot.create(inputs(), secret)
    assert world.tokens == []


def test_a_token_that_cannot_be_taken_away_is_told_with_the_first_error(world: World) -> None:
    world.install_ends()
    failing(world, "set_drives", "delete_file")
    with pytest.raises(HostError) as caught:
        boot.create(inputs(), secret)
    (left,) = world.tokens
    assert str(caught.value) == (
        "edge host a: vCenter vc: set_drives is not allowed. Its own ISO, which holds the registration token, still lies at"
        f" {left} (delete_file is not allowed). Remedy: give the privilege; if the host is given up then, delete that file in"
        " the vCenter"
    )


def test_an_error_after_the_vm_came_on_touches_nothing(world: World) -> None:
    world.install_ends()

    def told_late(call: str) -> None:
        if call == "power_on":
            raise VcenterError("powering on failed.")

    world.after = told_late
    with pytest.raises(HostError, match=r"powering on failed\. Its own ISO.*the VM is on by now"):
        boot.create(inputs(), secret)
    calm(world)
    boot.create(inputs(), secret)
    is_running(world)


def next_vm(world: World, folder: str) -> dict[str, object]:
    """Take the VM away and let the next generation install itself, in the folder that a vCenter gives it."""
    world.vms = {UUID: Vm(folder=folder)}
    world.install_ends()
    return inputs(epoch="e2", generation=2.0)


@pytest.mark.row("B14")
@pytest.mark.parametrize("at", range(2))
def test_what_a_kill_left_with_an_earlier_vm_is_deleted_by_the_next_one(world: World, at: int) -> None:
    world.install_ends()
    killing(world, at, after=True)
    cut(world, lambda: boot.create(inputs(), secret))
    (left,) = world.tokens
    assert left.startswith("[ssd-1] a/")
    others = dict.fromkeys(
        ["[ssd-1] a/edge-hosts-cidata-0123abcd-e1.iso", "[ssd-1] a/a.log", "[ssd-1] a_2/x.iso"], b"x"
    )
    world.data |= others
    news = next_vm(world, "[ssd-1] a_1")
    outs = until_done(world, lambda: boot.create(news, secret))
    assert left not in world.data
    assert others.keys() <= world.data.keys(), "another owner's VM of this name may be at its first boot"
    assert outs["site_iso"] in world.data
    assert world.one.registered == "e2"


@pytest.mark.row("B14")
def test_a_slow_vcenter_is_left_after_each_change_and_never_in_vain(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_iso, "LOOK_SECONDS", -1.0)
    world.data |= dict.fromkeys([f"[ssd-1] a/edge-hosts-cidata-{number}.iso" for number in range(2)], b"old")
    world.install_ends()
    changes = []
    for _ in range(6):
        world.calls.clear()
        try:
            boot.create(inputs(), secret)
        except PendingError:
            changes.append([call for call in world.calls if call not in ("vm", "files")])
        else:
            break
    assert changes == [["put_file", "set_drives"], ["delete_file"], ["delete_file"]]
    is_running(world)


def test_a_delete_is_not_cut_off_because_nobody_repeats_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    outs = until_done(world, lambda: boot.create(inputs(), secret))
    monkeypatch.setattr(own_iso, "LOOK_SECONDS", -1.0)
    boot.delete(outs, secret)
    assert world.tokens == []
