"""The port to media against the lab's vCenter: drives, files, tickets, tasks that last, privileges that are missing."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pyVmomi import vim

from edge.appliance import boot, own_iso
from edge.appliance import media as after
from edge.errors import PendingError
from edge.site_iso import read_site_iso
from edge.vcenter.errors import AwayError, VcenterError
from edge.vcenter.media import BOOT_DISK_FIRST, VcenterAccess
from edge.vcenter.media_pool import Pool
from edge.vcenter.media_soap import SoapMedia
from lab.paths import LabPaths
from lab.vcenter import build
from lab.vcenter.hands import Hands, hands
from lab.vcenter.server import READER, USER, Vcenter, alone
from tests.lab.test_vcenter_media import blank
from tests.unit.media_world import user_data

_WHY_NOT = build.missing()
pytestmark = [pytest.mark.lab, pytest.mark.skipif(_WHY_NOT is not None, reason=_WHY_NOT or "")]
INSTALLER = "[ssd-1] isos/installer.iso"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vcenter]:
    with alone(tmp_path_factory.mktemp("vcenter"), LabPaths.find().cache) as vcenter:
        yield vcenter


@pytest.fixture
def vcenter(running: Vcenter) -> Iterator[Vcenter]:
    running.control.clear()
    with live_in(running) as live:
        live.put_file("LAB", INSTALLER, b"CD001" * 100)
    yield running
    running.control.clear()


@pytest.fixture
def hand(vcenter: Vcenter) -> Iterator[Hands]:
    with hands(vcenter) as session:
        yield session
        for machine in session.all(vim.VirtualMachine):
            if machine.name.startswith("m-"):
                session.destroy(machine.name)


def access(vcenter: Vcenter, user: str = USER, password: str | None = None) -> VcenterAccess:
    return VcenterAccess(vcenter.address, user, password or vcenter.password, vcenter.authority.read_text())


def live_in(vcenter: Vcenter, pool: Pool | None = None, **more: Any) -> SoapMedia:
    return SoapMedia(access(vcenter), pool or Pool(), **more)


def uuid_of(machine: Any) -> str:
    return str(machine.config.uuid)


@pytest.mark.row("B14")
def test_drives_order_and_mark_are_changed_and_read_back(vcenter: Vcenter, hand: Hands) -> None:
    machine = blank(hand, "m-drives", iso=INSTALLER)
    uuid = uuid_of(machine)
    with live_in(vcenter) as live:
        view = live.vm(uuid)
        assert view is not None
        assert (view.name, view.power, view.drives, view.boot_order) == ("m-drives", "off", (INSTALLER, ""), ())
        assert view.folder == "[ssd-1] m-drives"
        own = f"{view.folder}/own.iso"
        live.put_file("LAB", own, b"own")
        live.set_drives(uuid, ["", own], BOOT_DISK_FIRST, {"edge-hosts.registration": "e1"})
        view = live.vm(uuid)
        assert view is not None
        assert (view.drives, view.boot_order) == (("", own), ("disk", "cdrom"))
        assert view.marks == {"edge-hosts.registration": "e1"}
        live.power_on(uuid)
        live.power_on(uuid)
        live.set_drives(uuid, ["", ""])
        after_it = live.vm(uuid)
        assert after_it is not None
        assert (after_it.power, after_it.drives, after_it.boot_order) == ("on", ("", ""), ("disk", "cdrom"))
        assert live.vm("00000000-0000-0000-0000-000000000000") is None


def test_files_are_written_listed_and_deleted(vcenter: Vcenter) -> None:
    with live_in(vcenter) as live:
        place = "[ssd-2] a/b/c d.iso"
        assert live.file_size("LAB", place) is None
        assert live.files("LAB", "[ssd-2] a/b") == {}
        live.put_file("LAB", place, b"x" * 5)
        live.put_file("LAB", place, b"y" * 7)
        live.make_folder("LAB", "[ssd-2] a/b/below")
        live.make_folder("LAB", "[ssd-2] a/b/below")
        assert live.file_size("LAB", place) == 7
        assert live.files("LAB", "[ssd-2] a/b") == {"c d.iso": 7}, "folders are no files"
        live.delete_file("LAB", place)
        live.delete_file("LAB", place)
        live.delete_file("LAB", "[no-such] a.iso")
        live.delete_file("NO-SUCH", place)
        assert live.file_size("LAB", place) is None
        with pytest.raises(VcenterError, match=r"has no datastore no-such.*there are ssd-1, ssd-2, ssd-3"):
            live.file_size("LAB", "[no-such] a.iso")
        with pytest.raises(VcenterError, match=r"has no datacenter LAD.*there are LAB"):
            live.file_size("LAD", place)
        with pytest.raises(VcenterError, match="is no path on a datastore"):
            live.file_size("LAB", "a.iso")


def test_a_ticket_is_for_one_request(vcenter: Vcenter) -> None:
    trust = ssl.create_default_context(cafile=str(vcenter.authority))
    with live_in(vcenter) as live, httpx.Client(verify=trust) as client:
        live.make_folder("LAB", "[ssd-3] up")
        put = live.ticket("LAB", "[ssd-3] up/big.iso", "PUT")
        assert client.put(put.url, content=b"z" * 9, headers=dict(put.headers)).status_code == 201
        assert client.put(put.url, content=b"z", headers=dict(put.headers)).status_code == 401
        got = live.ticket("LAB", "[ssd-3] up/big.iso", "GET")
        assert client.get(got.url, headers=dict(got.headers)).content == b"z" * 9
        assert live.file_size("LAB", "[ssd-3] up/big.iso") == 9
        assert "BEGIN CERTIFICATE" in put.ca_pem
        secret_part = str(put.headers["Cookie"]).partition("=")[2]
        assert secret_part not in repr(put)


def test_a_medium_in_use_is_pending_and_deleted_when_it_is_free(vcenter: Vcenter, hand: Hands) -> None:
    machine = blank(hand, "m-locked", iso=INSTALLER)
    hand.power_on("m-locked")
    with live_in(vcenter) as live:
        with pytest.raises(PendingError, match=r"installer\.iso is still in use.*take .* out of the drive"):
            live.delete_file("LAB", INSTALLER)
        own_iso.remove(live, uuid_of(machine), "LAB", INSTALLER, host="m-locked")
        assert live.file_size("LAB", INSTALLER) is None


def test_a_task_that_lasts_is_left_to_itself_and_not_started_twice(vcenter: Vcenter, hand: Hands) -> None:
    machine = blank(hand, "m-slow", iso=INSTALLER)
    uuid = uuid_of(machine)
    vcenter.control.fault("slow-task", method="ReconfigVM_Task", seconds=3)
    with live_in(vcenter) as live:
        start = time.monotonic()
        with pytest.raises(PendingError, match=r"^pending: vCenter .*the VM m-slow: changing its drives goes on"):
            live.set_drives(uuid, ["", ""], BOOT_DISK_FIRST)
        assert time.monotonic() - start < 2
        view = live.vm(uuid)
        assert view is not None
        assert view.drives == (INSTALLER, "")
        deadline = time.monotonic() + 10
        while view is not None and view.drives != ("", ""):
            assert time.monotonic() < deadline
            time.sleep(0.1)
            view = live.vm(uuid)


def test_a_vcenter_that_is_silent_is_asked_again(vcenter: Vcenter) -> None:
    vcenter.control.fault("silent")
    start = time.monotonic()
    with pytest.raises(AwayError), live_in(vcenter) as live:
        live.file_size("LAB", INSTALLER)
    assert time.monotonic() - start < 6


@pytest.mark.parametrize(
    "privilege", ["VirtualMachine.Config.EditDevice", "VirtualMachine.Interact.PowerOn", "Datastore.FileManagement"]
)
def test_a_missing_privilege_is_named(vcenter: Vcenter, hand: Hands, privilege: str) -> None:
    uuid = uuid_of(blank(hand, "m-rights", iso=INSTALLER))
    vcenter.control.fault("no-privilege", privilege=privilege, user=USER)
    with live_in(vcenter) as live, pytest.raises(VcenterError, match=privilege.replace(".", r"\.")):
        if privilege.startswith("Datastore"):
            live.delete_file("LAB", INSTALLER)
        else:
            live.set_drives(uuid, ["", ""])
            live.power_on(uuid)


def test_a_full_datastore_and_a_reader_are_one_sentence(vcenter: Vcenter) -> None:
    vcenter.control.fault("datastore-full", object="ssd-1")
    with live_in(vcenter) as live, pytest.raises(VcenterError, match=r"the datastore is full \(status 507\)"):
        live.put_file("LAB", "[ssd-1] isos/big.iso", b"x" * 1000)
    vcenter.control.clear()
    with (
        SoapMedia(access(vcenter, READER, vcenter.reader_password), Pool()) as live,
        pytest.raises(VcenterError, match=r"Datastore\.FileManagement"),
    ):
        live.delete_file("LAB", INSTALLER)


def test_logins_are_kept_shared_by_nobody_and_closed(vcenter: Vcenter) -> None:
    pool, seen = Pool(), []
    for _ in range(3):
        with live_in(vcenter, pool) as live:
            seen.append(live._live)
    assert seen[0] is seen[1] is seen[2], "one login for many looks"

    def look() -> None:
        with live_in(vcenter, pool) as live:
            seen.append(live._live)
            time.sleep(0.3)
            live.file_size("LAB", INSTALLER)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len({id(one) for one in seen}) == 4, "each has its own while it is used"
    pool.close()
    assert all(one._content is None for one in seen)
    quick = Pool(idle_seconds=0.2)
    with live_in(vcenter, quick) as live:
        kept = live._live
    deadline = time.monotonic() + 5
    while kept._content is not None:
        assert time.monotonic() < deadline, "an idle login is closed"
        time.sleep(0.05)


def test_a_login_that_the_vcenter_ended_is_renewed(vcenter: Vcenter) -> None:
    pool = Pool()
    with live_in(vcenter, pool) as live:
        assert live.file_size("LAB", INSTALLER) == 500
    vcenter.control.fault("session-expired")
    with live_in(vcenter, pool) as live:
        assert live.file_size("LAB", INSTALLER) == 500
        live.put_file("LAB", "[ssd-1] isos/after.iso", b"x")


@pytest.mark.row("B14")
def test_an_appliance_goes_its_whole_way_and_no_look_lasts_two_seconds(vcenter: Vcenter, hand: Hands) -> None:
    machine = blank(hand, "m-whole", iso=INSTALLER)
    hand.power_on("m-whole")
    login = {"server": vcenter.address, "user": USER, "password_secret": "vspherePassword",
             "ca_pem": vcenter.authority.read_text()}  # fmt: skip
    props = {
        "name": "m-boot", "host": "m-whole", "owner": "o", "generation": 1.0, "uuid": uuid_of(machine), "epoch": "e1",
        "vcenter": login, "datacenter": "LAB", "installer": INSTALLER, "user_data": user_data(), "timeout": 60.0,
    }  # fmt: skip

    def secret(name: str) -> str | None:
        return vcenter.password if name == "vspherePassword" else None

    def looked(act: Any, given: dict[str, Any]) -> dict[str, Any]:
        for _ in range(20):
            start = time.monotonic()
            try:
                found: dict[str, Any] = act(given, secret)
            except PendingError:
                assert time.monotonic() - start < 2
                continue
            assert time.monotonic() - start < 2
            return found
        raise AssertionError("never done")

    with pytest.raises(PendingError, match="installs itself"):
        boot.create(props, secret)
    hand.power_off("m-whole")
    outs = looked(boot.create, props)
    assert machine.runtime.powerState == "poweredOn"
    with live_in(vcenter) as live:
        ticket = live.ticket("LAB", outs["site_iso"], "GET")
        trust = ssl.create_default_context(cafile=str(vcenter.authority))
        content = httpx.get(ticket.url, headers=dict(ticket.headers), verify=trust).content
        assert read_site_iso(content)["user-data"] == user_data()
    looked(after.create, {**props, **outs, "mode": "vsphere"})
    with live_in(vcenter) as live:
        assert live.file_size("LAB", outs["site_iso"]) is None
        view = live.vm(uuid_of(machine))
        assert view is not None
        assert (view.power, view.drives) == ("on", ("", ""))
