"""The rehearsal's VMs by ISO, and its port to files and drives: what vCenter refuses is refused, and a VM is kept."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from appliance_hand import POWEROFF, installer_iso, packed_root
from lab_hand import LabHand, until
from pulumi.runtime import MockResourceArgs

from edge.errors import LabError, PendingError
from edge.vcenter import media
from edge.vcenter.errors import VcenterError
from edge.vcenter.media import BOOT_DISK_FIRST, VcenterAccess, VsphereMedia
from lab.rehearsal.acting import ActingMocks
from lab.rehearsal.inventory import DATASTORES, NETWORKS, POOLS
from lab.rehearsal.login import PORT, USER
from lab.rehearsal.media import in_place

pytestmark = [pytest.mark.lab, pytest.mark.row("B14")]
_VM = "vsphere:index/virtualMachine:VirtualMachine"
ISO = "[ssd-1] isos/installer.iso"


@pytest.fixture
def vcenter(lab: LabHand) -> Iterator[ActingMocks]:
    yield ActingMocks({}, "some", lambda _name, _line: None, lambda: lab.client)
    for vm in lab.client.vms():
        lab.client.destroy_vm(vm["id"])
    lab.client.clear_faults()


@pytest.fixture
def port(lab: LabHand) -> Iterator[VsphereMedia]:
    site = lab.site
    access = VcenterAccess(f"{site.block.services}:{PORT}", USER, site.secrets["vspherePassword"])
    with in_place(lambda: lab.client), media.open_media(access) as opened:
        yield opened


@pytest.fixture(scope="module")
def iso(lab: LabHand, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = lab.paths.datastores / "ssd-1" / "isos"
    place.mkdir(exist_ok=True)
    return installer_iso(packed_root(lab, tmp_path_factory.mktemp("root")), POWEROFF, place / "installer.iso")


def inputs(**other: Any) -> dict[str, Any]:
    """Return the wire inputs of a VM by ISO, as a program gives them to the provider."""
    card = {
        "networkId": NETWORKS["vlan-hosts"],
        "adapterType": "vmxnet3",
        "useStaticMac": True,
        "macAddress": "00:50:56:3f:ac:01",
    }
    return {
        "name": "by-iso",
        "resourcePoolId": POOLS["edge/Resources"],
        "datastoreId": DATASTORES["ssd-1"],
        "numCpus": 4.0,
        "memory": 8192.0,
        "firmware": "bios",
        "guestId": "ubuntu64Guest",
        "disks": [{"label": "disk0", "size": 100.0, "thinProvisioned": True}],
        "cdroms": [{"datastoreId": DATASTORES["ssd-1"], "path": "isos/installer.iso"}, {"clientDevice": True}],
        "networkInterfaces": [card],
        "extraConfig": {"ethernet0.pciSlotNumber": "160"},
        "replaceTrigger": "1",
    } | other


def create(to: ActingMocks, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return to.new_resource(MockResourceArgs(_VM, "by-iso", given, "", "", custom=True))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"cdroms": [{"datastoreId": DATASTORES["ssd-1"], "path": "isos/none.iso"}]},
            r"File \[ssd-1\] isos/none.iso was not found",
        ),
        ({"cdroms": [{"clientDevice": True}] * 3}, "supports 2 item maximum"),
        ({"cdroms": [{"clientDevice": True, "path": "x", "datastoreId": "y"}]}, "Cannot have both client_device"),
        ({"cdroms": [{}]}, "Either client_device or datastore_id and path must be set"),
        ({"cdroms": [{"datastoreId": "datastore-99", "path": "x"}]}, "datastore:datastore-99"),
        ({"firmware": "uefi"}, "expected firmware to be one of"),
        ({"guestId": "plan9Guest"}, r"configSpec\.guestId"),
        ({"disks": []}, "one disk, got 0"),
        ({"memory": 8193.0}, "multiple of 4 MB"),
    ],
)
def test_what_vcenter_refuses_is_refused(
    vcenter: ActingMocks, lab: LabHand, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(LabError, match=words):
        create(vcenter, inputs(cdroms=[{"clientDevice": True}]) | change)
    assert lab.client.vms() == []


def test_a_vm_by_iso_is_kept_as_it_is_until_medium_or_trigger_change(
    lab: LabHand, vcenter: ActingMocks, port: VsphereMedia, iso: Path
) -> None:
    id_, outputs = create(vcenter, inputs())
    view = port.vm(id_)
    assert view is not None and outputs["powerState"] == "on"
    assert (view.power, view.drives, view.boot_order, view.folder) == ("on", (ISO, ""), (), "[ssd-1] by-iso")
    until(lambda: (port.vm(id_) or view).power == "off", 90, "power off after the installation")
    assert create(vcenter, inputs())[0] == id_
    shown = lab.client.vms()[0]
    assert (shown["state"], shown["appliance"]["installations"]) == ("poweredOff", 1), "not switched on again"
    with pytest.raises(VcenterError, match=r"none\.iso was not found"):
        port.set_drives(id_, ["", "[ssd-1] by-iso/none.iso"])
    port.put_file("LAB", "[ssd-1] by-iso/site.iso", b"no medium at all")
    port.set_drives(id_, ["", "[ssd-1] by-iso/site.iso"], BOOT_DISK_FIRST, {"edge-hosts.booted": "e1"})
    port.power_on(id_)
    view = port.vm(id_)
    assert view is not None
    assert (view.power, view.drives, view.boot_order) == ("on", ("", "[ssd-1] by-iso/site.iso"), BOOT_DISK_FIRST)
    assert view.marks == {"edge-hosts.booted": "e1"}
    assert create(vcenter, inputs())[0] == id_, "marked, it is still the same machine"
    assert lab.client.vms()[0]["appliance"]["source"] == "disk"
    with pytest.raises(PendingError, match="locked"):
        port.delete_file("LAB", "[ssd-1] by-iso/site.iso")
    port.set_drives(id_, ["", ""])
    port.delete_file("LAB", "[ssd-1] by-iso/site.iso")
    port.delete_file("LAB", "[ssd-1] by-iso/site.iso")
    assert port.files("LAB", "[ssd-1] by-iso") == {}
    again = create(vcenter, inputs(replaceTrigger="2"))
    assert again[0] != id_ and port.vm(id_) is None, "a raised generation is another machine"
    assert lab.client.vms()[0]["appliance"]["installations"] == 0


def test_a_ticket_moves_a_file_once(lab: LabHand, vcenter: ActingMocks, port: VsphereMedia) -> None:
    port.make_folder("LAB", "[ssd-2] moved here")
    path, content = "[ssd-2] moved here/a b.iso", b"x" * 300_000
    assert port.file_size("LAB", path) is None
    ticket = port.ticket("LAB", path, "PUT")
    assert f"{lab.site.block.services}:8990/folder/moved%20here/a%20b.iso?dcPath=LAB&dsName=ssd-2" in ticket.url
    with httpx.Client(verify=ssl.create_default_context(cadata=ticket.ca_pem)) as client:
        assert client.put(ticket.url, content=content, headers=dict(ticket.headers)).status_code == 201
        assert client.put(ticket.url, content=b"", headers=dict(ticket.headers)).status_code == 401
        assert port.file_size("LAB", path) == len(content)
        back = port.ticket("LAB", path, "GET")
        assert client.put(back.url, content=b"", headers=dict(back.headers)).status_code == 401, "for another method"
        back = port.ticket("LAB", path, "GET")
        assert client.get(back.url, headers=dict(back.headers)).content == content
        lab.client.fault("datastore-full", "ssd-2")
        ticket = port.ticket("LAB", path, "PUT")
        assert client.put(ticket.url, content=content, headers=dict(ticket.headers)).status_code == 507
        assert 0 < (port.file_size("LAB", path) or 0) < len(content), "half a file stays"
        with pytest.raises(VcenterError, match="Insufficient disk space"):
            port.put_file("LAB", path, b"x")
    port.delete_file("LAB", path)
    with pytest.raises(VcenterError, match="datacenter 'OTHER'"):
        port.file_size("OTHER", path)
    with pytest.raises(VcenterError, match="Invalid datastore path"):
        port.file_size("LAB", "[ssd-1] ../../secrets.json")


def test_the_port_is_that_of_the_rehearsal_and_only_for_its_length(lab: LabHand) -> None:
    before = media.open_media
    server = f"{lab.site.block.services}:{PORT}"
    with in_place(lambda: lab.client):
        assert media.open_media is not before
        with (
            pytest.raises(VcenterError, match="incorrect user name or password"),
            media.open_media(VcenterAccess(server, USER, "no")),
        ):
            pass
        with pytest.raises(VcenterError, match="i/o timeout"), media.open_media(VcenterAccess("10.0.0.1", USER, "no")):
            pass
    assert media.open_media is before
