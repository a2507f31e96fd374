"""The life of a virtual machine: new generations, protection, and what people do to it behind our back."""

from __future__ import annotations

import pytest

from tests.engine.engine_site import until
from tests.engine.vm_deeds import (
    RECORD,
    cloning,
    edgectl,
    exported,
    generation,
    host_key,
    roll_killed_when,
    rolled,
    template,
)
from tests.engine.vm_site import VmSite, described_vm, vm_chain

STEPS = ("checks", "preparation", "registration", "agent", "started", "healthy")


@pytest.mark.row("A1", "A17", "A19")
def test_a_raised_generation_makes_one_vm_anew(vms: VmSite) -> None:
    site, boots, uuids, epochs = vms, vms.boots(), vms.uuids(), vms.epochs()
    key, target = host_key(vms, "vm-a"), generation(vms, "vm-a") + 1
    template(site, "debian-12-second")
    site.edit(lambda settings: settings["vsphere"].update(template="debian-12-second"))
    site.host("vm-a", generation=target, state="rolling")
    site.engine.environment["PULUMI_CONTINUE_ON_ERROR"] = "false"
    run = site.up("up, generation of one VM raised, and a new template for all")
    counts = run.counts()
    assert (counts["delete-replaced"], counts["create-replacement"], counts["update"]) == (1, 1, 7), counts
    assert set(run.changed()) == vm_chain("vm-a")
    assert run.changed()["vm-a-claim"] == "update" and next(iter(run.changed())) == "vm-a-claim"
    after = site.uuids()
    assert after["vm-a"] != uuids["vm-a"] and after["vm-b"] == uuids["vm-b"]
    assert site.boots()["vm-a"] != boots["vm-a"] and site.boots()["vm-b"] == boots["vm-b"]
    assert host_key(site, "vm-a") != key and exported(site, "vm-a")["vm"]["hostKey"] == host_key(site, "vm-a")
    facts = {host: exported(site, host)["vm"]["template"] for host in site.hosts}
    assert facts == {"vm-a": "debian-12-second", "vm-b": "debian-12-edge"}
    assert site.epochs()["vm-a"] != epochs["vm-a"] and site.epochs()["vm-b"] == epochs["vm-b"]
    assert site.records()["vm-a"]["metadata"]["labels"]["edge-hosts-generation"] == str(target)
    site.clean()
    site.host("vm-a", state=None)
    site.keep()
    site.clean()


@pytest.mark.row("A17", "A19", "C1")
def test_edgectl_rolls_one_host_and_then_all(vms: VmSite) -> None:
    site, uuids = vms, vms.uuids()
    RECORD.unlink(missing_ok=True)
    target = generation(site, "vm-b") + 1
    rolled(site, "edgectl roll, one VM", "vm-b", "--yes")
    after = site.uuids()
    assert after["vm-b"] != uuids["vm-b"] and after["vm-a"] == uuids["vm-a"]
    assert generation(site, "vm-b") == target and "rolling" not in site.engine.settings.read_text("utf-8")
    site.clean()
    text = rolled(site, "edgectl roll --all, two VMs", "--all", "--yes")
    last = site.uuids()
    assert last["vm-a"] != after["vm-a"] and last["vm-b"] != after["vm-b"]
    assert text.index("vm-a: healthy at generation") < text.index("vm-b: pulumi up (protection lifted)")
    assert site.healthy() == set(site.hosts)
    site.keep()
    site.clean()


@pytest.mark.row("A17", "A19", "C1")
def test_a_roll_whose_engine_is_killed_in_the_clone_goes_on(vms: VmSite) -> None:
    site, uuids, target = vms, vms.uuids(), generation(vms, "vm-a") + 1
    RECORD.unlink(missing_ok=True)
    site.vcenter.control.fault("slow-task", method="CloneVM_Task", seconds=6, times=1)
    said = roll_killed_when(site, ("vm-a", "--yes"), lambda: cloning(site), "vCenter clones")
    assert "--resume" in said, said
    said = edgectl(site, "roll", "lab", "--resume", "--yes", code=9)
    assert "locked" in said, said
    site.engine.cancel()
    until(lambda: "vm-a" in site.uuids(), 30, "vCenter has ended the clone all the same")
    said = edgectl(site, "repair", "lab", "--yes")
    assert "vm-a: done (destroy)" in said, said
    rolled(site, "edgectl roll --resume, the engine was killed in the clone", "--resume", "--yes")
    after = site.uuids()
    assert after["vm-a"] != uuids["vm-a"] and after["vm-b"] == uuids["vm-b"]
    assert generation(site, "vm-a") == target
    site.run("refresh --clear-pending-creates, after a killed roll", "refresh", "--clear-pending-creates")
    assert '"pending_operations": [' not in site.engine.export()
    site.keep()
    site.clean()


@pytest.mark.row("A17", "A19")
def test_a_protected_vm_goes_only_with_rolling(vms: VmSite) -> None:
    site = vms
    site.host("vm-b", protect=True)
    run = site.up("up, a VM protected")
    assert run.changed() == {}
    uuids, boots, target = site.uuids(), site.boots(), generation(site, "vm-b") + 1
    site.host("vm-b", generation=target)
    run = site.up("up, generation of a protected VM raised: refused", code=1)
    assert site.uuids() == uuids and site.boots() == boots
    assert run.failed() == {"vm-b-claim": "update"} and "it is protected" in run.messages(), run.messages()
    site.host("vm-b", state="rolling")
    run = site.up("up, the same with rolling")
    assert run.counts()["create-replacement"] == 1 and site.uuids()["vm-b"] != uuids["vm-b"]
    site.host("vm-b", state=None)
    run = site.up("up, protected again")
    assert run.changed() == {}
    site.host("vm-b", protect=None)
    run = site.up("up, protection taken away")
    assert run.changed() == {}
    site.keep()
    site.clean()


@pytest.mark.row("A1", "C3")
def test_a_vm_that_was_powered_off_is_powered_on_by_repair(vms: VmSite) -> None:
    site, uuids, epochs = vms, vms.uuids(), vms.epochs()
    with site.hand() as hand:
        hand.power_off("vm-b")
    until(lambda: site.healthy() == {"vm-a"}, 60, "Palette misses the host")
    run = site.run("refresh, a VM was powered off", "refresh")
    assert run.changed() == {"vm-b-healthy": "update"}, run.changed()
    said = edgectl(site, "repair", "lab", "--dry-run", code=3)
    assert "vm-b: its machine is powered off; it can be powered on." in said, said
    assert site.power("vm-b") == "poweredOff"
    said = edgectl(site, "repair", "lab", "--yes")
    assert "vm-b: done (power on)" in said and site.power("vm-b") == "poweredOn"
    run = site.up("up, repair has powered it on")
    assert run.changed() == {"vm-b-healthy": "update"}
    assert site.uuids() == uuids and site.epochs() == epochs and site.healthy() == set(site.hosts)
    site.clean()


@pytest.mark.row("A1", "A19", "C3")
def test_a_deleted_vm_is_made_again(vms: VmSite) -> None:
    site, uuids, boots, epochs, key = vms, vms.uuids(), vms.boots(), vms.epochs(), host_key(vms, "vm-b")
    number = generation(site, "vm-b")
    with site.hand() as hand:
        hand.destroy("vm-b")
    said = edgectl(site, "repair", "lab", "--dry-run", code=3)
    assert "vm-b: its machine was deleted" in said, said
    run = site.run("refresh, a VM was deleted", "refresh")
    assert run.changed() == {"vm-b-vm": "delete"}, run.changed()
    run = site.up("up, the deleted VM is made again")
    assert run.changed() == {"vm-b-vm": "create"} | dict.fromkeys(vm_chain("vm-b", *STEPS), "update")
    after = site.uuids()
    assert after["vm-b"] != uuids["vm-b"] and after["vm-a"] == uuids["vm-a"] and site.boots()["vm-a"] == boots["vm-a"]
    assert site.epochs()["vm-b"] != epochs["vm-b"] and site.epochs()["vm-a"] == epochs["vm-a"]
    assert generation(site, "vm-b") == number and host_key(site, "vm-b") == key
    site.clean()


@pytest.mark.row("A1", "C1", "C3")
def test_a_vm_that_others_move_is_left_where_it_is(vms: VmSite) -> None:
    site, boots = vms, vms.boots()
    with site.hand() as hand:
        before = described_vm(hand, "vm-a")
        other = "esx-2" if before["host"] == "esx-1" else "esx-1"
        hand.migrate("vm-a", other)
        hand.relocate("vm-a", "ssd-2")
        hand.snapshot("vm-a")
        moved = described_vm(hand, "vm-a")
    assert moved["host"] == other and "ssd-2" in moved["file"]
    run = site.run("refresh, a VM was migrated, relocated, and has a snapshot", "refresh")
    assert run.changed() == {}, run.changed()
    site.clean("after vMotion")
    run = site.up("up, after vMotion")
    assert run.changed() == {} and site.boots() == boots
    with site.hand() as hand:
        assert described_vm(hand, "vm-a") == moved
    assert "vm-a: as it should be." in edgectl(site, "repair", "lab", "--dry-run")
    site.host("vm-a", disk="140GiB")
    run = site.up("up, a larger disk with a snapshot: refused by vCenter", code=1)
    with site.hand() as hand:
        hand.remove_snapshots("vm-a")
    run = site.up("up, the snapshot is gone")
    assert run.changed() == {"vm-a-vm": "update"} and site.boots() == boots
    site.keep()
    site.clean()
