"""From the installed disk to the first boot: one installation, whatever is cut off, and never a token left behind."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.appliance import boot
from edge.appliance import media as media_logic
from edge.appliance.userdata import core_digest
from edge.errors import EdgeError, HostError, PendingError
from edge.vcenter.errors import AwayError, VcenterError
from tests.unit.media_world import (
    INSTALLER,
    LOGIN,
    PASSWORD,
    UUID,
    KilledError,
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
    user_data,
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    put_in_place(made, monkeypatch)
    return made


@pytest.mark.row("B14")
def test_a_vm_goes_from_its_installation_to_its_first_boot(world: World) -> None:
    with pytest.raises(PendingError, match=r"^pending: edge host a installs itself from .*watched for 0 min"):
        boot.create(inputs(), secret)
    assert world.calls == ["vm"], "while it installs, nothing is touched"
    outs = until_done(world, lambda: boot.create(inputs(), secret))
    is_running(world)
    (own,) = world.tokens
    assert world.one.drives == ["", own]
    assert own.startswith("[ssd-1] a/edge-hosts-cidata-")
    assert outs["site_iso"] == own
    assert outs["site_digest"] == core_digest(user_data())
    assert (outs["name"], outs["uuid"], outs["epoch"], outs["generation"]) == ("a-boot", UUID, "e1", 1)
    assert world.asked[0].password == PASSWORD


def test_no_secret_is_stored(world: World) -> None:
    outs = until_done(world, lambda: boot.create(inputs(user_data=user_data(token="canary-token")), secret))
    assert "user_data" not in outs
    assert "canary" not in json.dumps(outs)
    assert outs["vcenter"] == LOGIN


def test_drives_and_order_change_in_one_step_and_the_vm_is_off_then(world: World) -> None:
    seen: list[tuple[str, str]] = []
    world.before = lambda call: seen.append((call, world.one.power))
    until_done(world, lambda: boot.create(inputs(), secret))
    assert seen == [("put_file", "off"), ("set_drives", "off"), ("power_on", "off")]


def test_the_worst_case_of_the_simulated_vm_is_one_that_loops(world: World) -> None:
    """The fake is worth something: with the medium first, it installs again."""
    world.install_ends()
    world.boot(world.one)
    assert world.one.installs == 2


@pytest.mark.row("B14")
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("later", ["same", "token", "settings"])
def test_killed_between_any_two_calls_the_next_run_finishes(world: World, at: int, after: bool, later: str) -> None:
    killing(world, at, after=after)
    cut(world, lambda: boot.create(inputs(), secret))
    text = {"same": user_data(), "token": user_data(token="t2"), "settings": user_data(extra="x")}[later]
    outs = until_done(world, lambda: boot.create(inputs(user_data=text), secret))
    is_running(world)
    assert world.tokens == [outs["site_iso"]], "what a killed run has left is deleted"
    taken = {**inputs(site_iso=outs["site_iso"]), "mode": "vsphere"}
    until_done(world, lambda: media_logic.create(taken, secret))
    assert world.tokens == []


class Chance:
    """Around every change: nothing, killed before it, killed after it, or a task that ends after the look."""

    def __init__(self, world: World, outcomes: list[str]) -> None:
        self.world, self.left = world, outcomes
        world.before, world.after = self.before, self.after
        self.now = ""

    def before(self, _call: str) -> None:
        self.now = self.left.pop(0) if self.left else ""
        if self.now == "killed before":
            raise KilledError

    def after(self, _call: str) -> None:
        if self.now == "killed after":
            raise KilledError
        if self.now == "goes on":
            raise PendingError("a task goes on")


@pytest.mark.row("B14")
@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(["", "killed before", "killed after", "goes on"]), max_size=10),
    st.lists(st.sampled_from(["t1", "t2"]), min_size=1, max_size=3),
)
def test_any_number_of_cuts_ends_with_one_installation(outcomes: list[str], tokens: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world = World()
        put_in_place(world, patch)
        Chance(world, list(outcomes))
        chain = itertools.chain(tokens, itertools.repeat(tokens[-1]))

        def whole() -> None:
            text = user_data(token=next(chain))
            outs = until_done(world, lambda: boot.create(inputs(user_data=text), secret), tries=40)
            taken = {**inputs(site_iso=outs["site_iso"]), "mode": "vsphere"}
            # Also when the engine has lost what the first one returned, after the ISO is gone.
            until_done(world, lambda: media_logic.create(taken, secret), tries=40)

        for _ in range(14):
            try:
                whole()
                break
            except KilledError:
                continue
        is_running(world)
        assert world.tokens == []
        assert world.one.drives == ["", ""]


def test_a_run_that_forgot_its_result_finds_the_host_running_without_its_iso(world: World) -> None:
    outs = until_done(world, lambda: boot.create(inputs(), secret))
    until_done(world, lambda: media_logic.create({**inputs(site_iso=outs["site_iso"]), "mode": "vsphere"}, secret))
    again = boot.create(inputs(user_data=user_data(token="t9")), secret)
    assert (again["site_iso"], again["site_digest"]) == ("", "")
    is_running(world)


def test_a_host_that_was_switched_off_meanwhile_is_switched_on_and_not_installed(world: World) -> None:
    until_done(world, lambda: boot.create(inputs(), secret))
    world.one.power = "off"
    until_done(world, lambda: boot.create(inputs(), secret))
    world.one.power, world.one.drives = "off", ["", ""]
    until_done(world, lambda: boot.create(inputs(), secret))
    assert (world.one.installs, world.one.boots, world.one.registered) == (1, 3, "e1")


def refusal(**more: object) -> EdgeError:
    with pytest.raises(HostError) as caught:
        boot.create(inputs(**more), secret)
    return caught.value


@pytest.mark.row("B14")
def test_what_no_waiting_changes_is_one_error(world: World) -> None:
    world.one.power = "suspended"
    assert "is suspended. Remedy: resume it" in str(refusal())
    world.one.power, world.one.drives = "on", ["", ""]
    error = str(refusal())
    assert "the installer's medium was taken out by somebody" in error
    assert "switch the VM off when its console says" in error
    world.one.power, world.one.drives = "off", []
    assert "has no CD-ROM drive. Remedy: write `generation: 2`" in str(refusal())
    world.vms.clear()
    assert "is gone. Remedy: run `pulumi refresh`" in str(refusal())
    assert not world.tokens, "nothing was uploaded for any of them"


@pytest.mark.row("B14")
def test_a_vm_that_was_switched_on_before_it_had_its_own_iso_is_named_with_what_helps(world: World) -> None:
    """As the provider does when a changed size reaches a VM that is installed and off."""
    world.install_ends()
    world.one.order = ("disk",)
    world.boot(world.one)
    assert (world.one.first_boot, world.one.registered) == (False, "")
    with pytest.raises(PendingError) as caught:
        boot.create(inputs(), secret)
    assert "if its console shows the installed system instead" in str(caught.value), (
        "also where the times are not known"
    )
    world.one.started_after = 1210.0
    with pytest.raises(PendingError) as caught:
        boot.create(inputs(), secret)
    said = str(caught.value)
    assert f"a was switched on 20 min after it was made, with {INSTALLER} still in a drive (watched for 0 min)" in said
    assert "has had its first boot" in said
    assert "switching it off does not help: write `generation: 2` at the host" in said
    assert "If it shows the installer, wait" in said
    # Why it does not help: the next boot is not the first one, and its own ISO is not read.
    world.one.power = "off"
    boot.create(inputs(), secret)
    assert (world.one.boots, world.one.registered) == (2, "")


def test_a_vm_is_not_accused_for_the_minutes_in_which_it_is_made(world: World) -> None:
    world.one.started_after = 90.0
    with pytest.raises(PendingError, match=r"^pending: edge host a installs itself"):
        boot.create(inputs(), secret)


def test_a_person_who_took_the_medium_out_says_by_switching_off_that_it_is_installed(world: World) -> None:
    world.one.drives = ["", ""]
    world.install_ends()
    until_done(world, lambda: boot.create(inputs(), secret))
    is_running(world)


def test_an_earlier_registration_is_told_at_once(world: World) -> None:
    until_done(world, lambda: boot.create(inputs(), secret))
    error = str(refusal(epoch="e2"))
    assert "another registration" in error
    assert "`pulumi refresh` and `pulumi up`" in error
    assert "write `generation: 2` at the host" in error
    is_running(world)


def test_half_an_upload_of_a_killed_run_is_never_used(world: World) -> None:
    world.install_ends()
    whole = boot.create(inputs(), secret)["site_iso"]
    assert isinstance(whole, str)
    half = world.data[whole][:100]
    world.vms, world.data[whole] = {UUID: Vm()}, half
    world.install_ends()
    until_done(world, lambda: boot.create(inputs(), secret))
    assert len(world.data[whole]) > len(half)
    is_running(world)


def test_a_vm_with_one_drive_and_one_with_none(world: World) -> None:
    world.one.drives = [INSTALLER]
    until_done(world, lambda: boot.create(inputs(), secret))
    is_running(world)
    assert world.one.drives == world.tokens


def test_what_a_further_drive_holds_stays(world: World) -> None:
    world.one.drives = [INSTALLER, "", "[ssd-1] firmware.iso"]
    world.data["[ssd-1] firmware.iso"] = b"f"
    until_done(world, lambda: boot.create(inputs(), secret))
    assert world.one.drives == ["", world.tokens[0], "[ssd-1] firmware.iso"]


def test_a_vcenter_that_is_away_is_asked_again(world: World) -> None:
    def away(_call: str) -> None:
        raise AwayError("did not answer within 3 s.", remedy="check `server`", where="vCenter vc")

    world.install_ends()
    world.before = away
    with pytest.raises(PendingError, match=r"^pending: vCenter vc did not answer"):
        boot.create(inputs(), secret)
    calm(world)
    until_done(world, lambda: boot.create(inputs(), secret))
    is_running(world)


def test_a_missing_secret_is_named(world: World) -> None:
    with pytest.raises(VcenterError, match=r"no secret 'vspherePassword'.*pulumi config set --secret vspherePassword"):
        boot.create(inputs(), lambda _name: None)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, []),
        ({"user_data": user_data(token="t2")}, []),
        ({"installer": "[ssd-1] newer.iso"}, []),
        ({"timeout": 9.0}, []),
        ({"generation": 2.0}, ["generation"]),
        ({"uuid": "u2"}, ["uuid"]),
        ({"epoch": "e2"}, ["epoch"]),
        ({"datacenter": "DC2"}, ["datacenter"]),
        ({"vcenter": {**LOGIN, "user": "other"}}, ["vcenter"]),
        ({"vcenter": None}, ["vcenter"]),
        ({"uuid": None}, ["uuid"]),
    ],
)
def test_what_makes_a_difference(world: World, change: dict[str, object], names: list[str]) -> None:
    olds = until_done(world, lambda: boot.create(inputs(), secret))
    assert boot.diff({**olds, "__provider": "p"}, inputs(**change)) == names


@pytest.mark.row("B14")
def test_another_registration_of_the_same_machine_is_refused_and_nothing_is_touched(world: World) -> None:
    olds = until_done(world, lambda: boot.create(inputs(), secret))
    with pytest.raises(HostError, match=r"registers at its first boot only.*`generation: 2` at the host"):
        boot.update(olds, inputs(epoch="e2"), secret)
    is_running(world)
    world.calls.clear()
    kept = boot.update(olds, inputs(vcenter={**LOGIN, "user": "other"}, user_data=user_data(token="t2")), secret)
    assert kept["site_iso"] == olds["site_iso"]
    assert kept["site_digest"] == olds["site_digest"]
    assert kept["vcenter"] == {**LOGIN, "user": "other"}
    assert world.calls == []


def test_a_new_machine_goes_the_whole_way_and_the_old_iso_is_deleted(world: World) -> None:
    olds = until_done(world, lambda: boot.create(inputs(), secret))
    old = world.tokens[0]
    world.vms = {"u2": Vm(uuid="u2", folder="[ssd-1] a_1")}
    news = inputs(uuid="u2", epoch="e2", generation=2.0)
    with pytest.raises(PendingError, match="installs itself"):
        boot.update(olds, news, secret)
    vm = world.vms["u2"]
    vm.installed, vm.power = True, "off"
    made = boot.update(olds, news, secret)
    assert (vm.registered, vm.installs, made["uuid"]) == ("e2", 1, "u2")
    assert old not in world.data
    assert world.tokens == [made["site_iso"]]


def test_read_asks_nobody(world: World) -> None:
    props = {"host": "a", "site_iso": "x", "__provider": "pickled"}
    assert boot.read(props, secret) == {"host": "a", "site_iso": "x"}
    assert world.calls == []


def test_delete_ejects_and_deletes_and_gone_is_fine(world: World) -> None:
    outs = until_done(world, lambda: boot.create(inputs(), secret))
    boot.delete(outs, secret)
    assert world.tokens == []
    assert world.one.drives == ["", ""]
    boot.delete(outs, secret)
    world.vms.clear()
    boot.delete(outs, secret)
    boot.delete({**outs, "site_iso": ""}, secret)


def test_a_delete_says_what_it_waits_for_because_nobody_repeats_it(world: World) -> None:
    outs = until_done(world, lambda: boot.create(inputs(), secret))

    def busy(_call: str) -> None:
        raise PendingError("the file is still in use.", remedy="wait")

    world.before = busy
    with pytest.raises(HostError, match=r"edge host a: the file is still in use\. Remedy: run the same command again"):
        boot.delete(outs, secret)
