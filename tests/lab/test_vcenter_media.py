"""The lab's vCenter with media: files of datastores over HTTPS, drives, boot order, and machines with a blank disk."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from pyVmomi import vim

from lab.paths import LabPaths
from lab.vcenter import build
from lab.vcenter.hands import Hands, hands
from lab.vcenter.server import READER, USER, Vcenter, alone

REASON = build.missing()
pytestmark = [pytest.mark.skipif(REASON is not None, reason=REASON or ""), pytest.mark.row("B14")]
ISO = "[ssd-1] isos/installer.iso"


@pytest.fixture(scope="module")
def vcenter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vcenter]:
    with alone(tmp_path_factory.mktemp("vcenter"), LabPaths.find().cache) as running:
        yield running


@pytest.fixture
def hand(vcenter: Vcenter) -> Iterator[Hands]:
    with hands(vcenter) as session:
        folder(session, "[ssd-1] isos")
        send(vcenter, session, "PUT", "isos/installer.iso", b"CD001" * 100)
        yield session
        for machine in session.all(vim.VirtualMachine):
            if machine.name.startswith("t-"):
                session.destroy(machine.name)
        vcenter.control.clear()


def folder(hand: Hands, path: str) -> None:
    datacenter = hand.find(vim.Datacenter, "LAB")
    hand.content.fileManager.MakeDirectory(path, datacenter, createParentDirectories=True)


def address(vcenter: Vcenter, path: str, store: str = "ssd-1") -> str:
    return f"https://{vcenter.address}/folder/{path}?{urlencode({'dcPath': 'LAB', 'dsName': store})}"


def ticket(vcenter: Vcenter, hand: Hands, method: str, path: str, store: str = "ssd-1") -> str:
    word = f"http{method.title()}"
    spec = vim.SessionManager.HttpServiceRequestSpec(method=word, url=address(vcenter, path, store))
    return str(hand.content.sessionManager.AcquireGenericServiceTicket(spec).id)


def ask(vcenter: Vcenter, method: str, path: str, number: str, content: bytes | None = None) -> httpx.Response:
    trust = ssl.create_default_context(cafile=str(vcenter.authority))
    with httpx.Client(verify=trust) as client:
        return client.request(
            method, address(vcenter, path), content=content, headers={"Cookie": f"vmware_cgi_ticket={number}"}
        )


def send(vcenter: Vcenter, hand: Hands, method: str, path: str, content: bytes | None = None) -> httpx.Response:
    return ask(vcenter, method, path, ticket(vcenter, hand, method, path), content)


def listed(hand: Hands, path: str) -> dict[str, int]:
    flags = vim.host.DatastoreBrowser.FileInfo.Details(
        fileType=True, fileSize=True, modification=False, fileOwner=False
    )
    spec = vim.host.DatastoreBrowser.SearchSpec(details=flags, matchPattern=["*"])
    browser = hand.find(vim.Datastore, "ssd-1").browser
    return {one.path: one.fileSize for one in hand.done(browser.SearchDatastore_Task(path, spec)).file}


def remove(hand: Hands, path: str) -> None:
    datacenter = hand.find(vim.Datacenter, "LAB")
    hand.done(hand.content.fileManager.DeleteDatastoreFile_Task(path, datacenter))


def blank(hand: Hands, name: str, iso: str = ISO, **config: Any) -> Any:
    """Make a VM as the provider does for an installer: a blank disk, two drives, the first with an ISO."""
    device = vim.vm.device
    disk = device.VirtualDisk(
        key=-3, controllerKey=-1, unitNumber=0, capacityInKB=100 << 20,
        backing=device.VirtualDisk.FlatVer2BackingInfo(diskMode="persistent", thinProvisioned=True, fileName="[ssd-1]"),
    )  # fmt: skip
    loaded = device.VirtualCdrom(
        key=-4, controllerKey=200, unitNumber=0, backing=device.VirtualCdrom.IsoBackingInfo(fileName=iso)
    )
    empty = device.VirtualCdrom(
        key=-5,
        controllerKey=200,
        unitNumber=1,
        backing=device.VirtualCdrom.RemotePassthroughBackingInfo(deviceName="", exclusive=False),
    )
    card = device.VirtualVmxnet3(
        key=-6, addressType="manual", macAddress="00:50:56:3f:ad:01",
        backing=device.VirtualEthernetCard.NetworkBackingInfo(deviceName="vlan-hosts"),
    )  # fmt: skip
    controller = device.ParaVirtualSCSIController(key=-1, busNumber=0, sharedBus="noSharing")
    changes = [device.VirtualDeviceSpec(operation="add", device=one) for one in (controller, loaded, empty, card)]
    changes.append(device.VirtualDeviceSpec(operation="add", fileOperation="create", device=disk))
    spec = vim.vm.ConfigSpec(
        name=name, guestId="ubuntu64Guest", firmware="bios", numCPUs=4, memoryMB=8192, deviceChange=changes,
        files=vim.vm.FileInfo(vmPathName="[ssd-1]"), **config,
    )  # fmt: skip
    pool = hand.find(vim.ClusterComputeResource, "edge").resourcePool
    return hand.done(hand.find(vim.Folder, "vm").CreateVM_Task(spec, pool))


def drives(machine: Any) -> list[Any]:
    return [one for one in machine.config.hardware.device if isinstance(one, vim.vm.device.VirtualCdrom)]


def edit(device: Any) -> Any:
    return vim.vm.device.VirtualDeviceSpec(operation="edit", device=device)


def test_a_file_is_written_read_and_deleted_with_one_ticket_each(vcenter: Vcenter, hand: Hands) -> None:
    content = bytes(range(256)) * 1000
    number = ticket(vcenter, hand, "PUT", "isos/a.iso")
    assert ask(vcenter, "PUT", "isos/a.iso", number, content).status_code == 201
    assert ask(vcenter, "PUT", "isos/a.iso", number, b"again").status_code == 401, "a ticket is used once"
    assert listed(hand, "[ssd-1] isos")["a.iso"] == len(content)
    assert send(vcenter, hand, "GET", "isos/a.iso").content == content
    assert send(vcenter, hand, "HEAD", "isos/a.iso").headers["content-length"] == str(len(content))
    wrong = ticket(vcenter, hand, "GET", "isos/a.iso")
    assert ask(vcenter, "PUT", "isos/a.iso", wrong, b"x").status_code == 401, "a ticket is for one method"
    other = ticket(vcenter, hand, "PUT", "isos/b.iso")
    assert ask(vcenter, "PUT", "isos/a.iso", other, b"x").status_code == 401, "and for one file"
    assert ask(vcenter, "GET", "isos/a.iso", "").status_code == 401
    assert send(vcenter, hand, "GET", "isos/a.iso").content == content, "nothing has touched it"
    assert send(vcenter, hand, "DELETE", "isos/a.iso").status_code == 204
    assert "a.iso" not in listed(hand, "[ssd-1] isos")
    with pytest.raises(vim.fault.FileNotFound):
        remove(hand, "[ssd-1] isos/a.iso")


def test_a_folder_has_to_be_there_and_only_an_administrator_changes_files(vcenter: Vcenter, hand: Hands) -> None:
    assert send(vcenter, hand, "PUT", "nowhere/a.iso", b"x").status_code == 404
    with pytest.raises(vim.fault.FileNotFound):
        listed(hand, "[ssd-1] nowhere")
    with hands(vcenter, READER, vcenter.reader_password) as reader:
        with pytest.raises(vim.fault.NoPermission):
            ticket(vcenter, reader, "PUT", "isos/a.iso")
        with pytest.raises(vim.fault.NoPermission, match=r"Datastore\.FileManagement"):
            remove(reader, ISO)
    vcenter.control.fault("no-privilege", privilege="Datastore.FileManagement", user=USER)
    with pytest.raises(vim.fault.NoPermission, match=r"Datastore\.FileManagement"):
        remove(hand, ISO)


def test_a_full_datastore_and_a_broken_line_leave_half_a_file(vcenter: Vcenter, hand: Hands) -> None:
    vcenter.control.fault("datastore-full", object="ssd-1")
    assert send(vcenter, hand, "PUT", "isos/half.iso", b"y" * 1000).status_code == 507
    assert 0 < listed(hand, "[ssd-1] isos")["half.iso"] < 1000
    vcenter.control.clear()
    number = ticket(vcenter, hand, "PUT", "isos/cut.iso")
    trust = ssl.create_default_context(cafile=str(vcenter.authority))
    with (
        socket.create_connection((vcenter.host, vcenter.port)) as line,
        trust.wrap_socket(line, server_hostname="localhost") as tls,
    ):
        head = f"PUT /folder/isos/cut.iso?dcPath=LAB&dsName=ssd-1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\nCookie: vmware_cgi_ticket={number}\r\n\r\n"
        tls.sendall(head.encode() + b"z" * 4000)
        time.sleep(0.3)
    deadline = time.monotonic() + 5
    while (size := listed(hand, "[ssd-1] isos").get("cut.iso")) != 4000:
        assert time.monotonic() < deadline, size
        time.sleep(0.05)


def test_a_vm_with_a_blank_disk_has_drives_and_no_tools(hand: Hands) -> None:
    machine = blank(hand, "t-blank", extraConfig=[vim.option.OptionValue(key="ethernet0.pciSlotNumber", value="160")])
    assert [one.backing.fileName for one in drives(machine)[:1]] == [ISO]
    assert machine.guest.toolsVersionStatus2 == "guestToolsNotInstalled"
    config = machine.config
    assert (config.firmware, config.guestId, config.swapPlacement) == ("bios", "ubuntu64Guest", "inherit")
    assert config.version == "vmx-19", "the default of the cluster: the provider asks for it before every change"
    hand.power_on("t-blank")
    assert not machine.guest.ipAddress
    with pytest.raises(vim.fault.ToolsUnavailable):
        machine.ShutdownGuest()
    with pytest.raises(vim.fault.FileNotFound, match=r"gone\.iso was not found"):
        blank(hand, "t-missing", iso="[ssd-1] isos/gone.iso")


def test_a_medium_is_ejected_while_the_machine_runs_and_the_boot_order_stays(vcenter: Vcenter, hand: Hands) -> None:
    machine = blank(hand, "t-eject")
    disk = next(one for one in machine.config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk))
    order = [vim.vm.BootOptions.BootableDiskDevice(deviceKey=disk.key), vim.vm.BootOptions.BootableCdromDevice()]
    hand.reconfigure("t-eject", bootOptions=vim.vm.BootOptions(bootOrder=order))
    hand.power_on("t-eject")
    with pytest.raises(vim.fault.FileLocked, match="locked"):
        remove(hand, ISO)
    assert send(vcenter, hand, "DELETE", "isos/installer.iso").status_code == 409
    drive = drives(machine)[0]
    drive.backing = vim.vm.device.VirtualCdrom.RemotePassthroughBackingInfo(deviceName="", exclusive=False)
    hand.reconfigure("t-eject", deviceChange=[edit(drive)], bootOptions=vim.vm.BootOptions(bootDelay=1000))
    assert not isinstance(drives(machine)[0].backing, vim.vm.device.VirtualCdrom.IsoBackingInfo)
    kinds = [type(one).__name__.rpartition(".")[2] for one in machine.config.bootOptions.bootOrder]
    assert kinds == ["BootableDiskDevice", "BootableCdromDevice"]
    remove(hand, ISO)
    wrong = [vim.vm.BootOptions.BootableDiskDevice(deviceKey=4711)]
    with pytest.raises(Exception, match="bootOrder"):
        hand.reconfigure("t-eject", bootOptions=vim.vm.BootOptions(bootOrder=wrong))
