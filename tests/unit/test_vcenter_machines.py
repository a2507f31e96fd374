"""Templates and machines: what a clone would stumble over, and whose name, address and MAC it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from edge.checks.model import Result
from edge.vcenter import machines, reads
from edge.vcenter.model import GIB, Disk, Nic
from edge.vcenter.rows import Rows
from tests.unit.settings_helpers import put
from tests.unit.vcenter_samples import (
    OWNER,
    inventory,
    judged,
    machine,
    places_of,
    red,
    settings_of,
    snapshot,
    template,
    without_folder,
)


def only(tmp_path: Path, found: Any, *changes: Any, heard: Any = None) -> Result:
    """Return the one row that is not as it should be."""
    rows = [row for each in red(judged(settings_of(tmp_path, *changes), found, heard)).values() for row in each]
    assert len(rows) == 1, rows
    return rows[0]


def fresh(**over: Any) -> Any:
    """Return a vCenter before the first `up` whose template is another one."""
    return without_folder(inventory(vms=(template(**over),)))


@pytest.mark.row("A17")
@pytest.mark.parametrize(
    ("over", "check", "status", "words"),
    [
        ({"tools": False}, "tools", "fail", "neither VMware Tools nor cloud-init"),
        ({"firmware": ""}, "firmware", "fail", "not set"),
        ({"encrypted": True}, "encryption", "fail", "is encrypted"),
        ({"hardware": 10}, "hardware", "warn", "debian-12-edge: 10"),
        ({"hardware": 0}, "hardware", "warn", "unknown"),
        ({"guest_id": "windows2019srv_64Guest"}, "guest", "fail", "windows2019srv_64"),
        ({"guest_id": "debian10Guest"}, "guest", "fail", "32-bit"),
        ({"guest_id": ""}, "guest", "fail", "not set"),
        ({"guest_id": "otherGuest"}, "guest", "warn", "otherGuest"),
        ({"nics": (Nic("e1000"),)}, "adapter", "warn", "e1000"),
        ({"nics": (Nic("vmxnet3"), Nic("vmxnet3"))}, "adapter", "warn", "vmxnet3, vmxnet3"),
        ({"nics": ()}, "adapter", "warn", "no card"),
        ({"extra": {"tools.deployPkg.fileName": "imc-1"}}, "customization", "fail", "pending"),
    ],
)
def test_what_is_wrong_with_a_template(
    tmp_path: Path, over: dict[str, Any], check: str, status: str, words: str
) -> None:
    row = only(tmp_path, fresh(**over))
    assert (row.id, row.status) == (f"vsphere.template.{check}", status)
    assert words in row.seen


@pytest.mark.parametrize("guest", ["ubuntu64Guest", "rhel9_64Guest", "other5xLinux64Guest", "rockylinux_64Guest"])
def test_linux_guests_pass(tmp_path: Path, guest: str) -> None:
    assert red(judged(settings_of(tmp_path), fresh(guest_id=guest, firmware="bios", secure_boot=False))) == {}


@pytest.mark.row("A1")
@pytest.mark.parametrize(
    ("disks", "words"),
    [
        ((Disk(200 * GIB),), "200 GiB"),
        ((), "0 disks"),
        ((Disk(GIB), Disk(GIB)), "2 disks"),
        ((Disk(GIB, bus="nvme"),), "on nvme"),
    ],
)
def test_the_disk_of_a_template(tmp_path: Path, disks: tuple[Disk, ...], words: str) -> None:
    rows = red(judged(settings_of(tmp_path), fresh(disks=disks)))["vsphere.template.disk"]
    assert [(row.host, row.status) for row in rows] == [("plant-a", "fail"), ("plant-b", "fail")]
    assert words in rows[0].seen
    if words == "200 GiB":
        assert rows[0].remedy == "write `disk: 200GiB` or more"


def test_a_machine_that_is_there_needs_no_template_of_its_size(tmp_path: Path) -> None:
    """A larger template in a new release must not stop a site whose machines are made."""
    start = inventory(machine("plant-a", 10), machine("plant-b", 11))
    larger = replace(start, vms=(template(disks=(Disk(500 * GIB),)), *start.vms[1:]))
    assert red(judged(settings_of(tmp_path), larger)) == {}


def by_host(tmp_path: Path, found: Any, check: str, *changes: Any, heard: Any = None) -> dict[str, Result]:
    """Return the rows of one check by host."""
    rows = judged(settings_of(tmp_path, *changes), found, heard)
    return {row.host: row for row in rows if row.id == check}


@pytest.mark.row("A17")
def test_a_name_is_free_ours_or_not_ours(tmp_path: Path) -> None:
    rows = by_host(tmp_path, inventory(machine("plant-a")), "vsphere.name")
    assert (rows["plant-a"].status, rows["plant-b"].status) == ("pass", "pass")
    assert rows["plant-a"].seen.startswith("ours, generation 1")
    assert rows["plant-b"].seen == "free in plant"
    foreign = machine("plant-a", extra={"edge-hosts.owner": "edge-hosts.other-dev", "edge-hosts.host": "x"})
    row = by_host(tmp_path, inventory(foreign), "vsphere.name")["plant-a"]
    assert (row.status, row.seen) == ("fail", "/DC1/vm/plant/plant-a belongs to edge-hosts.other-dev (host x)")
    row = by_host(tmp_path, inventory(machine("plant-a", extra={})), "vsphere.name")["plant-a"]
    assert row.status == "fail"
    assert "carries no owner" in row.seen


def test_a_foreign_machine_of_the_name_elsewhere_is_no_matter(tmp_path: Path) -> None:
    elsewhere = machine("plant-a", folder="group-v3", extra={})
    row = by_host(tmp_path, inventory(elsewhere), "vsphere.name")["plant-a"]
    assert (row.status, row.seen) == ("pass", "free in plant; others of the name: /DC1/vm/others/plant-a")


def test_a_machine_to_adopt(tmp_path: Path) -> None:
    path = "/DC1/vm/others/old-name"
    adopt = put("hosts.plant-a.adopt", path)
    there = machine("old-name", folder="group-v3", extra={}, addresses=("10.200.0.11",))
    rows = judged(settings_of(tmp_path, adopt), inventory(there))
    assert {row.status for row in rows if row.host == "plant-a"} == {"pass"}
    row = by_host(tmp_path, inventory(), "vsphere.name", adopt)["plant-a"]
    assert (row.status, row.seen) == ("fail", f"no machine {path} to adopt")
    row = by_host(tmp_path, inventory(replace(there, template=True)), "vsphere.name", adopt)["plant-a"]
    assert row.seen == f"{path} is a template, which cannot be adopted"
    same = put("hosts.plant-a.adopt", "/DC1/vm/plant/plant-a")
    row = by_host(tmp_path, inventory(machine("plant-a", extra={})), "vsphere.name", same)["plant-a"]
    assert (row.status, row.seen) == ("pass", "/DC1/vm/plant/plant-a is to be adopted")


def saying(what: str | None) -> Callable[[IPv4Address], str | None]:
    """Return something that answers on the address of plant-b."""
    return lambda address: what if str(address) == "10.200.0.12" else None


@pytest.mark.row("A2")
def test_addresses(tmp_path: Path) -> None:
    check = "vsphere.address"
    other = machine("printer", folder="group-v3", extra={}, addresses=("192.168.1.1", "10.200.0.12"))
    row = by_host(tmp_path, inventory(other), check)["plant-b"]
    assert (row.status, row.seen) == ("fail", "10.200.0.12 is reported by /DC1/vm/others/printer")
    own = machine("plant-b", addresses=("10.200.0.12",))
    assert by_host(tmp_path, inventory(own), check, heard=saying("SSH-2.0-x"))["plant-b"].status == "pass"
    row = by_host(tmp_path, inventory(), check, heard=saying("SSH-2.0-x"))["plant-b"]
    assert (row.status, "answers on port 22 (SSH-2.0-x)" in row.seen) == ("fail", True)
    row = by_host(tmp_path, inventory(), check, heard=saying("it refuses a connection on port 22"))["plant-b"]
    assert row.status == "warn", "a firewall may answer for a machine that is not there"


@pytest.mark.row("A2")
def test_mac_addresses(tmp_path: Path) -> None:
    mac = "00:50:56:01:02:03"
    given = put("hosts.plant-a.mac", mac)
    other = machine("printer", folder="group-v3", extra={}, nics=(Nic("e1000", mac),))
    row = by_host(tmp_path, inventory(other), "vsphere.mac", given)["plant-a"]
    assert (row.status, row.seen) == ("fail", f"{mac} belongs to /DC1/vm/others/printer")
    own = machine("plant-a", nics=(Nic("vmxnet3", mac),))
    assert by_host(tmp_path, inventory(own), "vsphere.mac", given)["plant-a"].status == "pass"


@pytest.mark.row("A1")
def test_a_disk_only_grows_and_not_below_snapshots(tmp_path: Path) -> None:
    check = "vsphere.resize"
    larger = machine("plant-a", disks=(Disk(200 * GIB),))
    row = by_host(tmp_path, inventory(larger), check)["plant-a"]
    assert (row.status, row.seen, row.expected) == ("fail", "disk of 200 GiB", "at most 150 GiB")
    assert "write `disk: 200GiB`" in row.remedy
    small = machine("plant-a", disks=(Disk(100 * GIB),))
    assert by_host(tmp_path, inventory(small), check)["plant-a"].status == "pass"
    kept = replace(small, snapshots=(snapshot(1),))
    row = by_host(tmp_path, inventory(kept), check)["plant-a"]
    assert (row.status, "before-update" in row.seen) == ("fail", True)
    assert "plant-b" not in by_host(tmp_path, inventory(kept), check)


def test_a_machine_that_is_off_is_red_and_not_looked_at(tmp_path: Path) -> None:
    found = inventory(machine("plant-a", power="poweredOff"))
    row = by_host(tmp_path, found, "vsphere.power")["plant-a"]
    assert (row.status, row.seen) == ("fail", "off")
    settings = settings_of(tmp_path)
    away = reads.away_of(OWNER, places_of(settings, found, Rows("dev")))
    assert away == {"plant-a": "its machine is not powered on", "plant-b": "not made yet"}
    assert reads.away_of(OWNER, places_of(settings, inventory(machine(), machine("plant-b", 11)), Rows("dev"))) == {}


def test_tags_and_attributes_list_what_exists(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path, put("vsphere.tags", {"env": "prod", "zone": "a"}), put("vsphere.attributes", {"owner": "x"})
    )
    rows = Rows("prod")
    places = places_of(settings, inventory(), rows)
    rows = Rows("prod")
    reads.judge_words(places, {"cost-centre"}, {"env": frozenset({"test", "dev"}), "other": None}, rows)
    wrong = {row.seen for row in rows.results()}
    assert wrong == {
        "no tag prod in category env; there are dev, test",
        "no category zone; there are env, other",
        "no custom attribute owner; there are cost-centre",
    }
    rows = Rows("prod")
    reads.judge_words(places, {"owner"}, {"env": frozenset({"prod"}), "zone": frozenset({"a"})}, rows)
    assert {row.status for row in rows.results()} == {"pass"}


def test_what_is_looked_at_closely(tmp_path: Path) -> None:
    """Not every machine of a large vCenter is read in detail: only those that a question is about."""
    settings = settings_of(tmp_path, put("hosts.plant-b.adopt", "/DC1/vm/others/old"))
    found = inventory(
        machine("plant-a", 10),
        machine("x", 11),
        machine("plant-b", 12, folder="group-v3"),
        machine("old", 13, folder="group-v3"),
        machine("y", 14, folder="group-v3"),
    )
    close, networks = reads.needed_closely(found, reads.machines_of(settings.host_views()))
    assert close == {"vm-1", "vm-10", "vm-11", "vm-12", "vm-13"}
    assert networks == {"network-1"}


def test_addresses_are_asked_side_by_side_and_silence_is_no_answer(tmp_path: Path) -> None:
    places = places_of(settings_of(tmp_path), inventory(), Rows("dev"))
    assert machines.ask_all(places, saying("SSH-2.0-x")) == {"plant-b": "SSH-2.0-x"}
    assert machines.ask_all([], saying("SSH-2.0-x")) == {}
