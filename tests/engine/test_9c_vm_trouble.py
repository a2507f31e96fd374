"""vCenter refuses, fails or is slow, and the engine dies in the middle: one message each, and the next `up` converges."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.engine.engine_site import until
from tests.engine.vm_deeds import add, cloning, edgectl, errors, killed_when, machines, names
from tests.engine.vm_site import VmSite, vm_chain

PENDING = '"pending_operations": ['


@pytest.mark.row("A1", "A18", "C1")
def test_an_interrupted_clone_is_found_by_repair_and_made_anew(vms: VmSite) -> None:
    site, boots = vms, vms.boots()
    with names(site, "vm-a", "vm-b", "vm-c"):
        add(site, "vm-c", 2)
        site.vcenter.control.fault("slow-task", method="CloneVM_Task", seconds=8, times=1)
        killed_when(site, lambda: cloning(site), "vCenter clones")
        until(lambda: "vm-c" in site.uuids(), 30, "vCenter has ended the clone all the same")
        run = site.up("up after SIGKILL in the clone: locked", code=1)
        assert "locked" in run.messages() + run.stderr
        site.engine.cancel()
        run = site.up("up after cancel: the clone is in the way", code=1)
        assert run.failed() == {"vm-c-vm": "create"} and len(errors(run, "vm-c")) == 1
        said = edgectl(site, "repair", "lab", "--dry-run", code=3)
        assert "destroying it lets the next up make it anew" in said and "vm-c" in machines(site)
        said = edgectl(site, "repair", "lab", "--yes")
        assert "vm-c: done (destroy)" in said and "vm-c" not in machines(site)
        run = site.up("up, repair has removed the clone")
        assert dict.fromkeys(vm_chain("vm-c") - {"vm-c-claim"}, "create").items() <= run.changed().items()
        run = site.run("refresh --clear-pending-creates, after a killed clone", "refresh", "--clear-pending-creates")
        assert PENDING not in site.engine.export()
        site.clean()
        assert {name: site.boots()[name] for name in boots} == boots
        site.restore()
        site.up("up, the VM removed again")
    site.clean()


@pytest.mark.row("A1", "C2")
def test_a_create_that_vcenter_refuses_says_why_once_and_converges(vms: VmSite) -> None:
    site = vms
    faults: list[tuple[str, str, str, dict[str, str]]] = [
        ("a privilege is missing", "CreateFromExisting", "no-privilege", {"privilege": "VirtualMachine.Inventory.CreateFromExisting"}),
        ("the datastore is full", "ssd-1", "datastore-full", {"object": "ssd-1"}),
        ("the clone fails", "lost its storage", "failing-task", {"method": "CloneVM_Task", "message": "the host lost its storage"}),
    ]  # fmt: skip
    with names(site, "vm-a", "vm-b", "vm-c"):
        add(site, "vm-c", 2)
        for what, word, fault, details in faults:
            site.vcenter.control.fault(fault, **details)
            run = site.up(f"up, a VM added, {what}", code=1)
            assert run.failed() == {"vm-c-vm": "create"} and len(errors(run, "vm-c")) == 1
            assert word in errors(run, "vm-c")[0] and "vm-c" not in machines(site)
            site.vcenter.control.clear()
        run = site.up("up, vCenter agrees again")
        assert run.changed() == dict.fromkeys(vm_chain("vm-c") - {"vm-c-claim"}, "create")
        site.clean()
        site.vcenter.control.fault("failing-task", method="ReconfigVM_Task", message="the host is busy")
        site.host("vm-c", cpus=6)
        run = site.up("up, more CPUs, the reconfiguration fails", code=1)
        assert run.failed() == {"vm-c-vm": "update"} and len(errors(run, "vm-c")) == 1
        site.vcenter.control.clear()
        run = site.up("up, more CPUs, it succeeds")
        assert run.changed() == {"vm-c-vm": "update"}
        site.clean()
        site.restore()
        site.vcenter.control.fault("failing-task", method="Destroy_Task", message="the file is locked")
        run = site.up("up, the VM removed, its destroy fails", code=1)
        assert run.failed() == {"vm-c-vm": "delete"} and "vm-c" in site.records()
        site.vcenter.control.clear()
        run = site.up("up, the destroy succeeds")
        assert run.changed() == {"vm-c-vm": "delete", "vm-c-claim": "delete"} and "vm-c" not in site.records()
    site.clean()


@pytest.mark.row("A1", "C2")
def test_a_first_boot_that_fails_is_made_up_for(vms: VmSite) -> None:
    site = vms
    with names(site, "vm-a", "vm-b", "vm-c", "vm-d"):
        add(site, "vm-c", 2)
        site.vcenter.control.fault("failing-task", method="PowerOnVM_Task", message="the host has no memory left")
        run = site.up("up, a VM added, its power-on fails", code=1)
        assert run.failed() == {"vm-c-vm": "create"} and len(errors(run, "vm-c")) == 1
        assert "the host has no memory left" in errors(run, "vm-c")[0] and site.power("vm-c") == "poweredOff"
        uuid = site.uuids()["vm-c"]
        said = edgectl(site, "repair", "lab", "--dry-run", code=3)
        assert "vm-c: its machine is powered off; it can be powered on." in said, said
        site.vcenter.control.clear()
        run = site.up("up, the power-on succeeds: the same VM")
        rest = vm_chain("vm-c") - {"vm-c-vm", "vm-c-claim"}
        assert run.changed() == {"vm-c-vm": "update"} | dict.fromkeys(rest, "create") and site.uuids()["vm-c"] == uuid
        site.clean()
        site.vcenter.control.fault("failing-task", method="ReconfigVM_Task", message="the host is busy")
        add(site, "vm-d", 3)
        run = site.up("up, a VM added, its reconfiguration fails", code=1)
        assert run.failed() == {"vm-d-vm": "create"} and len(errors(run, "vm-d")) == 1
        assert "the host is busy" in errors(run, "vm-d")[0] and "vm-d" not in machines(site)
        site.vcenter.control.clear()
        run = site.up("up, the reconfiguration succeeds")
        assert run.changed() == dict.fromkeys(vm_chain("vm-d") - {"vm-d-claim"}, "create")
        site.clean()
        site.restore()
        site.up("up, both removed again")
    site.clean()


@pytest.mark.row("A1", "C2")
def test_a_session_that_expires_in_the_clone(vms: VmSite) -> None:
    site = vms
    with names(site, "vm-a", "vm-b", "vm-c", "vm-d"):
        add(site, "vm-c", 2)
        site.vcenter.control.fault("slow-task", method="CloneVM_Task", seconds=6, times=1)
        with site.case("up, a VM added, the session expires in the clone") as done:
            process = site.engine.start("up")
            runner = ThreadPoolExecutor(1)
            ended = runner.submit(site.engine.finish, process)
            until(lambda: cloning(site), 60, "vCenter clones")
            site.vcenter.control.fault("session-expired")
            done.append(ended.result())
        run = done[0]
        assert run.failed() == {"vm-c-vm": "create"} and len(errors(run, "vm-c")) == 1
        assert "The session is not authenticated" in errors(run, "vm-c")[0]
        # The engine has heard of the failure, so nothing is pending; vCenter ends the clone all the same.
        until(lambda: "vm-c" in machines(site), 30, "vCenter has ended the clone")
        assert "vm-c: /LAB/vm/lab-dev/vm-c is foreign" in edgectl(site, "repair", "lab", "--yes", code=3)
        run = site.up("up, the clone is in the way", code=1)
        assert run.failed() == {"vm-c-vm": "create"} and "already exists" in errors(run, "vm-c")[0]
        with site.hand() as hand:
            hand.destroy("vm-c")
        run = site.up("up, the clone was removed by hand")
        assert run.changed() == dict.fromkeys(vm_chain("vm-c") - {"vm-c-claim"}, "create")
        site.vcenter.control.fault("two-at-once", method="CloneVM_Task", order="reversed")
        add(site, "vm-d", 3)
        add(site, "vm-e", 4)
        with names(site, "vm-a", "vm-b", "vm-c", "vm-d", "vm-e"):
            run = site.up("up, two VMs added, their clones run in reversed order")
            assert run.changed() == dict.fromkeys(vm_chain("vm-d") | vm_chain("vm-e"), "create")
            site.clean()
            site.restore()
            site.up("up, all removed again")
    site.clean()
