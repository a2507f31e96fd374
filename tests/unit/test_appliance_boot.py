"""From installation to first boot and after: whatever is cut off, the next run finishes, and nothing is installed twice."""

from __future__ import annotations

from typing import Any

import pytest
from media_world import FOLDER, INSTALLER, KilledError, MediaWorld

from edge.appliance import boot
from edge.appliance import media as after
from edge.errors import HostError, PendingError
from edge.images import check_resource
from edge.site_iso import content_digest
from edge.vcenter import media
from edge.vcenter.errors import VcenterError

USER_DATA = """#cloud-config
stylus:
  site:
    edgeHostToken: t0ken
    name: plant-a
    tags:
      edge-hosts-epoch: e1
"""
SITE_ISO = f"{FOLDER}/edge-hosts-cidata-{content_digest(USER_DATA)[:12]}.iso"
VCENTER = {"server": "vc.example.com", "user": "u", "password_secret": "vspherePassword"}


def secret(name: str) -> str | None:
    return {"vspherePassword": "pw"}.get(name)


def props(**other: Any) -> dict[str, Any]:
    return {
        "name": "plant-a-boot", "host": "plant-a", "owner": "edge-hosts.plant-dev", "generation": 1.0,
        "uuid": "4211-aa", "epoch": "e1", "vcenter": VCENTER, "datacenter": "DC1", "installer": INSTALLER,
        "user_data": USER_DATA, "timeout": 1800, **other,
    }  # fmt: skip


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> MediaWorld:
    made = MediaWorld()
    monkeypatch.setattr(media, "open_media", made.open)
    return made


def run(world: MediaWorld, steps: int = 3) -> dict[str, Any]:
    """Look again and again, as the engine does, while time passes."""
    for _ in range(steps):
        try:
            return boot.create(props(), secret)
        except PendingError:
            world.step()
    raise AssertionError("it never ended")


@pytest.mark.row("B14")
def test_a_vm_installs_itself_and_boots_with_its_own_iso(world: MediaWorld) -> None:
    with pytest.raises(PendingError, match="installs itself"):
        boot.create(props(), secret)
    assert world.drives == [INSTALLER, ""], "the medium stays while it is being read"
    out = run(world)
    assert world.drives == ["", SITE_ISO] and world.order == ("disk", "cdrom") and world.power == "on"
    assert (world.installations, world.boots, world.identity) == (1, 1, USER_DATA)
    assert out["site_iso"] == SITE_ISO
    assert "user_data" not in out and "t0ken" not in repr(out)


@pytest.mark.row("B14")
@pytest.mark.parametrize("kill_at", range(14))
def test_killed_between_any_two_steps_the_next_run_finishes(world: MediaWorld, kill_at: int) -> None:
    world.kill_at = kill_at
    for _ in range(6):
        try:
            out = boot.create(props(), secret)
            after.create(media_props(out), secret)
            break
        except (PendingError, KilledError):
            world.step()
    assert (world.installations, world.boots, world.identity) == (1, 1, USER_DATA)
    assert world.power == "on" and world.drives == ["", ""]
    assert set(world.files) == {INSTALLER}, "the site ISO holds the token: it does not stay"


def media_props(out: dict[str, Any]) -> dict[str, Any]:
    keep = {key: out[key] for key in ("host", "generation", "uuid", "epoch", "site_iso", "vcenter", "datacenter")}
    return {**keep, "name": "plant-a-media", "mode": "vsphere", "path": ""}


@pytest.mark.row("B14")
def test_a_finished_host_is_left_alone_by_a_run_that_knows_nothing_of_it(world: MediaWorld) -> None:
    after.create(media_props(run(world)), secret)
    world.calls.clear()
    boot.create(props(), secret)
    assert world.calls == ["vm"], "it was looked at, and nothing else"
    assert (world.installations, world.boots) == (1, 1)


@pytest.mark.row("B14")
def test_a_host_that_somebody_switched_off_boots_its_disk_again(world: MediaWorld) -> None:
    after.create(media_props(run(world)), secret)
    world.power = "off"
    boot.create(props(), secret)
    assert (world.power, world.installations, world.boots) == ("on", 1, 2)


@pytest.mark.row("B14")
def test_the_installer_in_front_would_loop_and_is_never_there_at_a_power_on(world: MediaWorld) -> None:
    """The world reinstalls when the installer comes first: so that the tests above can fail."""
    run(world)
    world.power, world.drives, world.order = "off", [INSTALLER, ""], ("cdrom", "disk")
    world.power_on(world.uuid)
    world.step()
    assert world.installations == 2


@pytest.mark.row("B14")
def test_another_registration_on_an_installed_machine_is_refused(world: MediaWorld) -> None:
    out = run(world)
    with pytest.raises(HostError, match="registers at its first boot only") as caught:
        boot.update({**props(), **out}, props(epoch="e2"), secret)
    assert "edgectl roll" in str(caught.value)
    assert (world.installations, world.boots, world.power) == (1, 1, "on")


@pytest.mark.row("B14")
def test_a_new_machine_takes_the_place_and_the_old_iso_goes(world: MediaWorld) -> None:
    out = run(world)
    world.uuid, world.power, world.drives, world.disk = "4211-bb", "off", [INSTALLER, ""], "installed"
    world.marks, world.order, world.boots = {}, (), 0
    made = boot.update({**props(), **out}, props(uuid="4211-bb", epoch="e2", generation=2), secret)
    assert made["uuid"] == "4211-bb" and world.power == "on"
    assert world.drives == ["", SITE_ISO], "the old file was deleted, and a new one made"


def test_only_a_new_machine_or_registration_is_a_difference() -> None:
    olds = {**props(), "site_iso": SITE_ISO}
    assert boot.diff(olds, props(user_data="#cloud-config\n{}\n", installer="[x] y.iso", timeout=5)) == []
    assert boot.diff({**olds, "generation": 1}, props(generation=1.0)) == []
    assert boot.diff(olds, props(generation=2)) == ["generation"]
    assert boot.diff(olds, props(uuid="other")) == ["uuid"]
    assert boot.diff(olds, props(epoch="e2")) == ["epoch"]


def test_what_cannot_go_on_says_so(world: MediaWorld) -> None:
    world.drives = ["", ""]
    with pytest.raises(HostError, match="taken out by somebody"):
        boot.create(props(), secret)
    world.power = "suspended"
    with pytest.raises(HostError, match="is suspended"):
        boot.create(props(), secret)
    world.gone = True
    with pytest.raises(HostError, match="is gone"):
        boot.create(props(), secret)
    with pytest.raises(VcenterError, match="no secret 'vspherePassword'"):
        boot.create(props(), lambda _name: None)


def test_a_task_that_goes_on_is_waited_for(world: MediaWorld) -> None:
    world.step()
    world.slow = True
    with pytest.raises(PendingError):
        boot.create(props(), secret)
    boot.create(props(), secret)
    assert (world.boots, world.identity) == (1, USER_DATA)


def test_delete_takes_the_token_off_the_datastore(world: MediaWorld) -> None:
    out = run(world)
    boot.delete({**props(), **out}, secret)
    assert SITE_ISO not in world.files and world.drives == ["", ""]
    world.gone = True
    boot.delete({**props(), **out}, secret)


def test_a_medium_of_somebody_else_stays(world: MediaWorld) -> None:
    out = run(world)
    world.files["[ssd-1] tools.iso"] = b""
    world.drives = ["[ssd-1] tools.iso", SITE_ISO]
    after.create(media_props(out), secret)
    assert world.drives == ["[ssd-1] tools.iso", ""]


def test_a_locked_file_is_waited_for(world: MediaWorld) -> None:
    out = run(world)
    world.locked = True
    with pytest.raises(PendingError):
        after.create(media_props(out), secret)
    world.locked = False
    assert after.create(media_props(out), secret)["removed"] == SITE_ISO


@pytest.mark.row("B14")
def test_the_installer_iso_must_be_there_with_its_size(world: MediaWorld) -> None:
    asked = {
        "name": "c", "host": "plant-a", "generation": 1, "vcenter": VCENTER, "datacenter": "DC1", "place": INSTALLER,
        "sha256": "0" * 64, "size": 3.0,
    }  # fmt: skip
    assert check_resource.create(asked, secret)["place"] == INSTALLER
    with pytest.raises(VcenterError, match="has 3 bytes where the image says 4"):
        check_resource.create({**asked, "size": 4}, secret)
    with pytest.raises(VcenterError, match=r"\[ssd-1\] other.iso is not there"):
        check_resource.create({**asked, "place": "[ssd-1] other.iso"}, secret)
