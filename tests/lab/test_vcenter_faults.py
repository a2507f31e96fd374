"""What goes wrong in the lab's vCenter on purpose is seen as it is with a real one."""

from __future__ import annotations

import os
import shutil
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyVim.task import WaitForTasks
from pyVmomi import vim

from edge.errors import LabError
from lab.paths import LabPaths
from lab.vcenter import build
from lab.vcenter.control import Control
from lab.vcenter.hands import Hands, hands
from lab.vcenter.server import READER, USER, Vcenter, alone

REASON = build.missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=REASON or "")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vcenter]:
    with alone(tmp_path_factory.mktemp("vcenter"), LabPaths.find().cache, clone_seconds=0.1) as started:
        yield started


@pytest.fixture
def vcenter(running: Vcenter) -> Iterator[Vcenter]:
    yield running
    running.control.clear()


@pytest.fixture
def hand(vcenter: Vcenter) -> Iterator[Hands]:
    with hands(vcenter) as session:
        yield session
        vcenter.control.clear()
        for machine in session.all(vim.VirtualMachine):
            if machine.name.startswith("t-"):
                session.destroy(machine.name)


def test_a_missing_privilege_is_told_before_and_at_the_call(vcenter: Vcenter, hand: Hands) -> None:
    wanted = "Datastore.AllocateSpace"
    vcenter.control.fault("no-privilege", privilege=wanted, object="ssd-1", user=USER)
    manager, key = hand.content.authorizationManager, hand.content.sessionManager.currentSession.key
    both = [hand.find(vim.Datastore, name) for name in ("ssd-1", "ssd-2")]
    granted = manager.HasPrivilegeOnEntities(both, key, [wanted])
    assert [one.privAvailability[0].isGranted for one in granted] == [False, True]
    assert wanted not in manager.FetchUserPrivilegeOnEntities(both[:1], USER)[0].privileges
    with pytest.raises(vim.fault.NoPermission, match=wanted) as caught:
        hand.clone("t-denied")
    assert (caught.value.privilegeId, caught.value.object) == (wanted, both[0])
    hand.clone("t-allowed", datastore="ssd-2")


def test_a_method_can_be_refused_by_its_name(vcenter: Vcenter, hand: Hands) -> None:
    hand.clone("t-off")
    vcenter.control.fault("no-privilege", method="PowerOnVM_Task", times=1)
    with pytest.raises(vim.fault.NoPermission, match=r"VirtualMachine\.Interact\.PowerOn"):
        hand.power_on("t-off")
    hand.power_on("t-off")


def test_a_full_datastore_has_no_space_to_show_and_none_to_give(vcenter: Vcenter, hand: Hands) -> None:
    datastore = hand.find(vim.Datastore, "ssd-1")
    vcenter.control.fault("datastore-full", object="ssd-1")
    assert datastore.summary.freeSpace == 0
    with pytest.raises(vim.fault.NoDiskSpace, match="'ssd-1'"):
        hand.clone("t-full")
    assert "t-full" not in {machine.name for machine in hand.all(vim.VirtualMachine)}
    vcenter.control.clear("datastore-full")
    assert datastore.summary.freeSpace > 0
    hand.clone("t-full")


def test_a_slow_task_can_be_seen_running_and_blocks_nobody(vcenter: Vcenter, hand: Hands) -> None:
    vcenter.control.fault("slow-task", method="CloneVM_Task", seconds=1.0, times=1)
    began = time.monotonic()
    slow = hand.clone("t-slow", wait=False)
    hand.clone("t-quick")
    assert time.monotonic() - began < 0.9 and slow.info.state == "running"
    hand.done(slow)
    assert time.monotonic() - began >= 1.0


def test_a_failing_task_fails_with_the_words_given(vcenter: Vcenter, hand: Hands) -> None:
    hand.clone("t-fails")
    vcenter.control.fault(
        "failing-task", method="PowerOnVM_Task", object="t-fails", message="the host is gone", times=1
    )
    task = hand.machine("t-fails").PowerOnVM_Task()
    with pytest.raises(Exception, match="the host is gone"):
        hand.done(task)
    assert task.info.error.msg == "the host is gone"
    assert hand.machine("t-fails").runtime.powerState == "poweredOff"
    hand.power_on("t-fails")


def test_an_expired_session_is_unknown_and_a_new_one_works(vcenter: Vcenter) -> None:
    base = f"https://localhost:{vcenter.port}/rest/com/vmware/cis"
    context = ssl.create_default_context(cafile=str(vcenter.authority))
    token = httpx.post(f"{base}/session", auth=(USER, vcenter.password), verify=context).json()["value"]
    header = {"vmware-api-session-id": token}
    assert httpx.get(f"{base}/tagging/tag", headers=header, verify=context).status_code == 200
    with hands(vcenter) as lost:
        machine = lost.machine("debian-12-edge")
        vcenter.control.fault("session-expired")
        with pytest.raises(vim.fault.NotAuthenticated):
            machine.Rename_Task("t-renamed")
    assert httpx.get(f"{base}/tagging/tag", headers=header, verify=context).status_code == 401
    with hands(vcenter) as fresh:
        assert fresh.machine("debian-12-edge").config.template


def test_an_expired_session_ends_a_wait_for_a_task(vcenter: Vcenter) -> None:
    with hands(vcenter) as lost, hands(vcenter, READER, vcenter.reader_password):
        vcenter.control.fault("slow-task", method="CloneVM_Task", seconds=1.0, times=1)
        lost.clone("t-late", wait=False)
        vcenter.control.fault("session-expired")
        with pytest.raises(vim.fault.NotAuthenticated):
            lost.content.sessionManager.UpdateServiceMessage("x")
    with hands(vcenter) as fresh:
        deadline = time.monotonic() + 10
        while "t-late" not in {one.name for one in fresh.all(vim.VirtualMachine)} and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.3)
        fresh.destroy("t-late")


@pytest.mark.parametrize("order", ["", "reversed"])
def test_two_at_once_wait_for_each_other_and_end_in_the_order_asked_for(
    vcenter: Vcenter, hand: Hands, order: str
) -> None:
    vcenter.control.fault("two-at-once", method="CloneVM_Task", order=order)
    first = hand.clone("t-first", wait=False)
    time.sleep(0.3)
    assert first.info.state == "running"
    second = hand.clone("t-second", wait=False)
    WaitForTasks([first, second], si=hand.instance)
    if order == "reversed":
        assert second.info.completeTime < first.info.completeTime


def test_a_silent_vcenter_accepts_and_answers_nothing(vcenter: Vcenter) -> None:
    context = ssl.create_default_context(cafile=str(vcenter.authority))
    vcenter.control.fault("silent")
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"https://localhost:{vcenter.port}/sdk/vimServiceVersions.xml", verify=context, timeout=0.5)
    vcenter.control.clear("silent")
    answer = httpx.get(f"https://localhost:{vcenter.port}/sdk/vimServiceVersions.xml", verify=context, timeout=5)
    assert answer.status_code == 200


def test_an_unknown_fault_and_a_vcenter_that_is_off_are_told_in_one_sentence(vcenter: Vcenter, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="there is no fault"):
        vcenter.control.fault("none")
    with pytest.raises(LabError, match="is not running"):
        Control(tmp_path / "control.sock").status()


def test_without_a_go_toolchain_the_reason_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(build, "_KNOWN_PLACE", tmp_path / "none")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    said = build.missing()
    assert said is not None and "no Go toolchain 1.25 or later" in said and "\n" not in said
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go version go1.19.8 linux/amd64\n", "ascii")
    old.chmod(0o755)
    said = build.missing()
    assert said is not None and said.endswith("is 1.19")


def test_the_sources_are_formatted_and_vetted() -> None:
    go = build.toolchain()
    environment = {**os.environ, "CGO_ENABLED": "0"}
    gofmt = go.with_name("gofmt")
    command = [str(gofmt) if gofmt.exists() else shutil.which("gofmt") or "gofmt", "-l", "."]
    assert subprocess.run(command, cwd=build.SOURCES, capture_output=True, text=True, check=True).stdout == ""
    subprocess.run([str(go), "vet", "."], cwd=build.SOURCES, env=environment, check=True, timeout=240)
    assert all(len(path.read_text("utf-8").splitlines()) <= 400 for path in build.SOURCES.glob("*.go"))


def test_the_sockets_and_passwords_are_for_their_owner_only(running: Vcenter) -> None:
    place = running.control.path.parent
    for name in ("control.sock", "users.json", "server.pem"):
        assert stat.S_IMODE((place / name).stat().st_mode) == 0o600


def disk_file(machine: Any) -> str:
    disks = [one for one in machine.config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk)]
    return str(disks[0].backing.fileName)


def test_a_restarted_vcenter_has_its_machines_folders_and_certificate(tmp_path: Path) -> None:
    cache = LabPaths.find().cache
    with alone(tmp_path / "kept", cache, keep=True) as first, hands(first) as hand:
        hand.find(vim.Folder, "vm").CreateFolder("site-1")
        option = vim.option.OptionValue(key="edge-hosts.owner", value="us")
        made = hand.clone("t-kept", folder="site-1", extraConfig=[option], memoryMB=4096)
        hand.power_on("t-kept")
        hand.snapshot("t-kept")
        before = (made.config.uuid, made._moId, disk_file(made))
        certificate = ssl.get_server_certificate(("localhost", first.port))
    with alone(tmp_path / "kept", cache, keep=True) as second, hands(second) as hand:
        machine = hand.machine("t-kept")
        assert (machine.config.uuid, machine._moId, disk_file(machine)) == before
        assert machine.parent.name == "site-1" and machine.runtime.powerState == "poweredOn"
        assert machine.config.hardware.memoryMB == 4096 and hand.extra("t-kept")["edge-hosts.owner"] == "us"
        assert machine.snapshot.rootSnapshotList[0].name == "before"
        assert ssl.get_server_certificate(("localhost", second.port)) == certificate
        hand.clone("t-next")
        hand.destroy("t-kept")
        assert len({one._moId for one in hand.all(vim.VirtualMachine)}) == 5
