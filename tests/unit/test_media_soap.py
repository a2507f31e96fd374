"""What is written to a vCenter about media, and what its answers mean: over the client library's own types."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pyVmomi import vim

from edge.errors import PendingError
from edge.vcenter import media_soap, media_spec, media_ticket, properties
from edge.vcenter.errors import VcenterError
from edge.vcenter.media import BOOT_DISK_FIRST, VcenterAccess
from edge.vcenter.media_places import Center, Store
from edge.vcenter.media_pool import vcenter_of

DEVICE: Any = vim.vm.device
BOOT: Any = vim.vm.BootOptions
CDROM: Any = DEVICE.VirtualCdrom
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def devices(*isos: str) -> list[Any]:
    """Return a VM's devices: two disks, and drives whose keys run the other way."""
    made: list[Any] = [DEVICE.VirtualDisk(key=2001), DEVICE.VirtualDisk(key=2000)]
    for at, iso in reversed(list(enumerate(isos))):
        backing = CDROM.IsoBackingInfo(fileName=iso) if iso else CDROM.AtapiBackingInfo(deviceName="")
        made.append(CDROM(key=3000 + at, controllerKey=200, unitNumber=at, backing=backing))
    return made


@pytest.mark.row("B14")
def test_one_reconfiguration_holds_drives_boot_order_and_mark() -> None:
    spec = media_spec.change("a", devices("[s] i.iso", ""), ["", "[s] o.iso"], BOOT_DISK_FIRST, {"edge-hosts.x": "1"})
    edits = {one.device.key: one for one in spec.deviceChange}
    assert sorted(edits) == [3000, 3001]
    assert {one.operation for one in edits.values()} == {"edit"}
    assert isinstance(edits[3000].device.backing, CDROM.RemotePassthroughBackingInfo)
    assert not edits[3000].device.connectable.startConnected
    assert edits[3001].device.backing.fileName == "[s] o.iso"
    assert edits[3001].device.connectable.startConnected
    order = spec.bootOptions.bootOrder
    assert [getattr(one, "deviceKey", "cdrom") for one in order] == [2000, 2001, "cdrom"]
    assert [(one.key, one.value) for one in spec.extraConfig] == [("edge-hosts.x", "1")]


def test_a_drive_that_is_as_it_should_be_is_not_touched() -> None:
    spec = media_spec.change("a", devices("", "[s] o.iso"), ["", ""], (), {})
    assert [one.device.key for one in spec.deviceChange] == [3001]
    assert spec.bootOptions is None
    with pytest.raises(VcenterError, match="a has 1 CD-ROM drives where 2 are needed"):
        media_spec.change("a", devices("x"), ["", ""], (), {})


def test_a_vm_is_read_as_it_is() -> None:
    order = [
        BOOT.BootableDiskDevice(deviceKey=2000),
        BOOT.BootableDiskDevice(deviceKey=2001),
        BOOT.BootableCdromDevice(),
    ]
    got = {
        "name": "a", "runtime.powerState": "suspended", "config.hardware.device": devices("[s] i.iso", ""),
        "config.bootOptions": BOOT(bootOrder=order), "config.files.vmPathName": "[s] a b/a b.vmx",
        "config.extraConfig": [SimpleNamespace(key="edge-hosts.owner", value="o"), SimpleNamespace(key="x", value="y")],
    }  # fmt: skip
    view = media_spec.view("u", got)
    assert (view.power, view.drives, view.folder) == ("suspended", ("[s] i.iso", ""), "[s] a b")
    assert view.boot_order == BOOT_DISK_FIRST, "two disks are one word"
    assert view.marks == {"edge-hosts.owner": "o"}
    assert media_spec.view("u", {"name": "a"}).drives == ()


def test_how_long_after_its_making_a_vm_was_switched_on() -> None:
    made = datetime(2026, 1, 1, tzinfo=UTC)

    def after(created: object, started: object) -> float:
        got = {"config.createDate": created, "runtime.bootTime": started}
        return media_spec.view("u", got).started_after

    assert after(made, made + timedelta(minutes=20)) == 1200.0
    assert after(made, made - timedelta(minutes=1)) == 0.0, "two clocks"
    assert after(made, None) == after(None, made) == after(made, datetime(2026, 1, 1, 1)) == 0.0


@pytest.mark.parametrize("text", ["a.iso", "[] a.iso", "datastore a.iso"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(VcenterError, match="is no path on a datastore"):
        media_spec.parts(text)


def test_places_and_addresses() -> None:
    assert media_spec.split("[s 1] a/b/c.iso") == ("[s 1] a/b", "c.iso")
    assert media_spec.split("[s] c.iso") == ("[s]", "c.iso")
    address = media_spec.address("vc:8443", "s 1", "a/ü c.iso", "Europe/DC 1")
    assert address == "https://vc:8443/folder/a/%C3%BC%20c.iso?dcPath=Europe%2FDC%201&dsName=s%201"


class Live:
    """A session that asks at once."""

    def __init__(self, **content: Any) -> None:
        self.content = SimpleNamespace(**content)
        self.where = "vCenter vc"
        access = VcenterAccess("vc.plant", "u", "p")
        self.vcenter = vcenter_of(access)

    def ask(self, question: Callable[[Any], Any]) -> Any:
        return question(self.content)

    def told(self, error: Exception) -> Exception:
        return VcenterError(str(getattr(error, "msg", error)), where=self.where)


def question(identity: str, label: str = "Yes") -> Any:
    choice = SimpleNamespace(choiceInfo=[SimpleNamespace(key="1", label="No"), SimpleNamespace(key="0", label=label)])
    message = [SimpleNamespace(id=identity)]
    return SimpleNamespace(id="q7", text="The guest holds it.", message=message, choice=choice)


class Task:
    """A VM whose reconfiguration asks a question, and ends when it is answered."""

    def __init__(self, asked: Any, error: Any = None) -> None:
        self.question, self.error, self.answers = asked, error, list[tuple[str, str]]()

    def AnswerVM(self, identity: str, choice: str) -> None:
        self.answers.append((identity, choice))
        self.question = None

    def read(self, _content: Any, objects: Any, kind: Any, _names: Any) -> Any:
        if kind is vim.VirtualMachine:
            return [(self, {"runtime.question": self.question} if self.question else {})]
        if self.error is not None:
            return [(self, {"info.state": "error", "info.error": self.error})]
        return [(self, {"info.state": "running" if self.question else "success", "info.result": "r"})]


def soap(monkeypatch: pytest.MonkeyPatch, task: Task) -> media_soap.SoapMedia:
    monkeypatch.setattr(properties, "of", task.read)
    made = media_soap.SoapMedia(VcenterAccess("vc", "u", "p"), task_seconds=0.3)
    monkeypatch.setattr(made, "_live", Live(), raising=False)
    return made


@pytest.mark.row("B14")
def test_the_question_about_a_locked_medium_is_answered_with_yes_and_no_other_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = Task(question("msg.cdromdisconnect.locked"))
    assert soap(monkeypatch, task)._done(lambda _: task, "ejecting", task) == "r"
    assert task.answers == [("q7", "0")], "the choice that says yes, wherever it stands"
    other = Task(question("msg.uuid.altered"))
    with pytest.raises(PendingError, match="ejecting goes on"):
        soap(monkeypatch, other)._done(lambda _: other, "ejecting", other)
    assert other.answers == []


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (vim.fault.TaskInProgress(), PendingError, "waits for another task"),
        (vim.fault.FileLocked(), PendingError, "is still in use"),
        (vim.fault.CannotDeleteFile(), PendingError, "is still in use"),
        (vim.fault.InvalidState(msg="no way"), VcenterError, "no way"),
        (vim.fault.FileNotFound(), None, ""),
    ],
)
def test_what_the_end_of_a_delete_means(
    monkeypatch: pytest.MonkeyPatch, fault: Any, kind: type[Exception] | None, words: str
) -> None:
    task = Task(None, fault)
    live = soap(monkeypatch, task)
    places = SimpleNamespace(
        datacenter=lambda *_, **__: SimpleNamespace(ref="dc"), datastore=lambda *_, **__: SimpleNamespace(ref="ds")
    )
    monkeypatch.setattr(live, "_places", places, raising=False)
    files = SimpleNamespace(DeleteDatastoreFile_Task=lambda path, center: task)
    monkeypatch.setattr(live._live, "content", SimpleNamespace(fileManager=files))
    if kind is None:
        live.delete_file("DC", "[s] a.iso")
        return
    with pytest.raises(kind, match=words):
        live.delete_file("DC", "[s] a.iso")


def ticket(hosts: list[dict[str, Any]], reach: Callable[[str], bool], monkeypatch: pytest.MonkeyPatch) -> Any:
    asked: list[Any] = []

    def acquire(spec: Any) -> Any:
        asked.append(spec)
        return SimpleNamespace(id="t-1")

    live: Any = Live(sessionManager=SimpleNamespace(AcquireGenericServiceTicket=acquire))
    monkeypatch.setattr(properties, "of", lambda *_: [(None, one) for one in hosts])
    made = media_ticket.ticket_for(
        live, Center("dc", "DC", "EU/DC"), Store("ds", "s", "VMFS", None, ()), "a.iso", "PUT", reach
    )
    assert asked[0].url == made.url, "it is good for this request only"
    assert asked[0].method == "httpPut"
    assert made.headers == {"Cookie": "vmware_cgi_ticket=t-1"}
    return made


def esxi(name: str, state: str = "connected", certificate: Any = PEM, **more: Any) -> dict[str, Any]:
    signed = [byte if byte < 128 else byte - 256 for byte in certificate.encode()] if certificate else None
    return {"name": name, "runtime.connectionState": state, "config.certificate": signed, **more}


@pytest.mark.row("B14")
def test_a_ticket_is_for_a_host_that_has_the_datastore_and_can_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = [esxi("esx-off", "disconnected"), esxi("esx-m", **{"runtime.inMaintenanceMode": True}), esxi("esx-1.plant")]
    made = ticket(hosts, lambda name: name == "esx-1.plant", monkeypatch)
    where = urlsplit(made.url)
    assert (where.netloc, where.path) == ("esx-1.plant", "/folder/a.iso")
    assert parse_qs(where.query) == {"dcPath": ["ha-datacenter"], "dsName": ["s"]}
    assert made.ca_pem == PEM, "the vCenter's knowledge of that host, not whatever signed it"


@pytest.mark.parametrize("hosts", [[], [esxi("esx-1")], [esxi("esx-1", certificate="")]])
def test_without_such_a_host_it_is_for_the_vcenter(hosts: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    made = ticket(hosts, lambda name: False, monkeypatch)
    where = urlsplit(made.url)
    assert where.netloc == "vc.plant"
    assert parse_qs(where.query) == {"dcPath": ["EU/DC"], "dsName": ["s"]}
    assert made.ca_pem == ""


def test_a_name_that_leads_nowhere_is_not_waited_for() -> None:
    threads = threading.active_count()
    assert media_ticket.reachable("no-such-host.invalid") is False
    assert threading.active_count() <= threads + 1


def test_an_access_that_cannot_be_one_is_told_without_its_password() -> None:
    with pytest.raises(VcenterError) as caught:
        vcenter_of(VcenterAccess("vc.plant", "u", "canary", thumbprint="abc"))
    assert "thumbprint" in str(caught.value)
    assert "canary" not in str(caught.value)
    assert "canary" not in repr(VcenterAccess("vc", "u", "canary"))
