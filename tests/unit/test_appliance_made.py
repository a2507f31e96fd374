"""What an appliance is made from, what waits for its next generation, what a person does by hand, and who is too small."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.appliance.by_hand import announcement, media_facts
from edge.appliance.made import as_made, guest_id, installer, waits, wanted
from edge.appliance.minimum import judge_machine
from edge.errors import PaletteError, SettingsError
from edge.images.facts import ImageFacts
from edge.images.given import given_facts
from edge.palette.models import edge_host_record
from edge.settings import GivenImage, StackSettings
from edge.userdata import static_network
from edge.vm.made_from import MadeFrom
from tests.unit.image_stacks import IMAGE, PINNED, STATIC, mixed
from tests.unit.settings_helpers import DIGEST, load

VM, BARE = "plant-b", "plant-c"
KEY = "ssh-ed25519 AAAA"


def stack(folder: Path, *changes: Any) -> StackSettings:
    return load(folder, mixed(*changes), release=PINNED)


def image_of(config: StackSettings) -> ImageFacts:
    assert isinstance(config.site.image, GivenImage)
    return given_facts(config.site.image, config)


def made(config: StackSettings, host: str) -> MadeFrom:
    return wanted(config.host_view(host), config, image_of(config), host_key=KEY, store="datastore-7")


@pytest.mark.row("B14")
def test_a_vm_is_made_from_the_iso_that_powers_off_and_bare_metal_from_the_other(tmp_path: Path) -> None:
    config = stack(tmp_path)
    vm, bare = made(config, VM), made(config, BARE)
    assert (vm.iso_place, vm.iso_store) == ("[isos] edge-hosts-isos/edge-poweroff.iso", "datastore-7")
    assert (vm.firmware, vm.guest_id, vm.scsi_type) == ("bios", "ubuntu64Guest", "pvscsi")
    assert vm.image == IMAGE and vm.pe_version == "v4.9.38" and vm.iso_sha256 == DIGEST
    assert (bare.iso_place, bare.iso_store, bare.mac, bare.guest_id) == ("", "", "", "")
    assert bare.iso_places == ("[isos] edge-hosts-isos/edge-reboot.iso",)
    assert (bare.interface, bare.gateway) == (STATIC["interface"], STATIC["gateway"])
    assert vm.makes("appliance") and bare.makes("appliance") and not vm.makes("agent")


@pytest.mark.row("B14")
@pytest.mark.parametrize(
    ("os", "version", "known"),
    [
        ("ubuntu", "22.04", "ubuntu64Guest"),
        ("rhel", "8.10", "rhel8_64Guest"),
        ("rhel", "9", "rhel9_64Guest"),
        ("rhel", "", "rhel9_64Guest"),
    ],
)
def test_vsphere_is_told_the_system_of_the_image(os: str, version: str, known: str, tmp_path: Path) -> None:
    assert guest_id(replace(image_of(stack(tmp_path)), os=os, os_version=version)) == known


@pytest.mark.row("B14")
def test_an_image_without_an_iso_for_the_machine_is_one_error(tmp_path: Path) -> None:
    config = stack(tmp_path)
    image = image_of(config)
    elsewhere = replace(image.isos["poweroff"], files=())
    with pytest.raises(SettingsError, match="has no ISO of kind poweroff for datacenter DC1"):
        installer(config.host_view(VM), config, replace(image, isos={"poweroff": elsewhere}))
    with pytest.raises(SettingsError, match="is a kind of ISO that the image lacks"):
        wanted(config.host_view(BARE), config, replace(image, isos={}), host_key=KEY)


def test_what_the_claim_stores_is_read_back_whole(tmp_path: Path) -> None:
    config = stack(tmp_path)
    for host in (VM, BARE):
        one = made(config, host)
        assert MadeFrom.from_json(one.to_json()) == one


@pytest.mark.row("B14", "B17")
def test_a_host_is_as_it_was_made_whatever_the_settings_say_now(tmp_path: Path) -> None:
    config = stack(tmp_path)
    for name, other in ((VM, "10.9.0.2"), (BARE, "10.9.0.3")):
        host = config.host_view(name)
        moved = replace(made(config, name), address=other, prefix=16, gateway="10.9.0.1", nameservers=("10.9.0.9",))
        seen = as_made(host, moved)
        network = static_network(seen)
        assert network is not None
        assert (str(seen.address), seen.prefix, str(network.gateway), str(network.nameserver)) == (
            other, 16, "10.9.0.1", "10.9.0.9",
        )  # fmt: skip
        assert as_made(host, made(config, name)).address == host.address
        assert as_made(host, MadeFrom()) == host


@pytest.mark.row("B14")
def test_what_waits_is_told_in_words(tmp_path: Path) -> None:
    one = made(stack(tmp_path), VM)
    other = replace(one, iso_sha256="cd" * 32, image="later", firmware="efi", nameservers=("10.0.0.1",))
    assert waits(one, one, installed="a", current="a") == []
    assert waits(one, one, installed="", current="a") == [] == waits(one, one, installed="a", current="")
    assert waits(one, one, installed="a", current="b") == ["its own user-data"]
    assert set(waits(one, other, installed="a", current="a")) == {
        f"iso {DIGEST[:12]} -> cdcdcdcdcdcd", f"image {IMAGE} -> later", "firmware bios -> efi",
        "nameservers 10.200.0.2 -> 10.0.0.1",
    }  # fmt: skip


@given(st.sampled_from([field.name for field in fields(MadeFrom) if field.type == "str"]), st.text(min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_nothing_waits_that_an_installed_machine_does_not_notice(name: str, value: str) -> None:
    unnoticed = {"iso_name", "iso_store", "iso_datastore", "iso_path", "scsi_type"}
    one = MadeFrom(**{name: "old"})
    told = waits(one, replace(one, **{name: value}), installed="", current="")
    assert len(told) == (0 if name in unnoticed or value == "old" else 1)


@pytest.mark.row("B17")
def test_what_is_done_by_hand_is_said_in_order(tmp_path: Path) -> None:
    facts = media_facts(made(stack(tmp_path), BARE), ".edge/isos/plant-dev/plant-c.iso")
    order = ["sha256", "Attach both", "Boot", "Installation Complete", "healthy"]
    assert [word in line for word, line in zip(order, facts["steps"], strict=True)] == [True] * len(order)
    assert DIGEST in facts["steps"][0] and ".edge/isos/plant-dev/plant-c.iso" in facts["steps"][1]
    text = announcement(BARE, facts)
    assert text.startswith("plant-c waits for its installation ([isos] edge-hosts-isos/edge-reboot.iso):")
    assert "  1. Compare" in text and "  5. Leave" in text


def record(**device: Any) -> Any:
    good = {
        "cpu": {"cores": 4},
        "memory": {"sizeInMB": 16384},
        "disks": [{"size": 20}, {"size": 200}],
        "nics": [{"ip": "10.0.0.2/24"}, {"ip": "10.0.0.9", "isDefault": True}],
    }
    return edge_host_record({"metadata": {"uid": "a"}, "spec": {"device": {**good, **device}}})


@pytest.mark.row("B2")
def test_a_record_tells_size_and_addresses() -> None:
    one = record()
    assert (one.cpus, one.memory_mib, one.disk_gb, one.addresses) == (4, 16384, 200, ("10.0.0.9", "10.0.0.2"))
    assert record(memory={"sizeInMB": 16 * 1024**3}).memory_mib == 16384
    for nonsense in (None, [], "x", {"cores": "4"}, {"cores": True}):
        assert record(cpu=nonsense).cpus == 0
    judge_machine(one, "10.0.0.2")
    judge_machine(edge_host_record({}), "10.0.0.2")


@pytest.mark.row("B2")
@pytest.mark.parametrize(
    ("device", "problem"),
    [
        ({"cpu": {"cores": 1}}, "too small: 1 CPU; an appliance needs 2 CPUs, 8 GiB of memory and a disk of 100 GB"),
        ({"memory": {"sizeInMB": 4096}}, "too small: 4.0 GiB of memory"),
        ({"disks": [{"size": 60}]}, "too small: a disk of 60 GB"),
        ({"nics": [{"ip": "10.0.0.7"}]}, "registered with 10.0.0.7 instead of 10.0.0.2"),
    ],
)
def test_a_machine_that_is_not_as_it_should_be_is_one_error_with_its_remedy(device: Any, problem: str) -> None:
    with pytest.raises(PaletteError, match=problem) as caught:
        judge_machine(record(**device), "10.0.0.2")
    assert "generation" in str(caught.value)


@pytest.mark.row("B2")
@pytest.mark.parametrize("device", [{"memory": {"sizeInMB": 7700}}, {"disks": [{"size": 93}]}, {"disks": []}])
def test_what_is_sold_as_enough_is_enough(device: Any) -> None:
    judge_machine(record(**device), "10.0.0.2")
