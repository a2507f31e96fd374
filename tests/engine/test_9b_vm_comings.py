"""Virtual machines that come and go: added, renamed, retired, all destroyed; and a foreign one in their place."""

from __future__ import annotations

import pytest

from tests.engine.engine_site import Settings
from tests.engine.vm_deeds import add, edgectl, errors, has_folder, machines, names
from tests.engine.vm_site import FOLDER, VM_CHAIN, VmSite, vm_chain


def _order(run_names: list[str], host: str) -> list[str]:
    return [name.removeprefix(f"{host}-") for name in run_names if name.startswith(f"{host}-")]


# The VM goes before its claim, which takes the record in Palette away.
LEAVING = ["healthy", "started", "agent", "registration", "preparation", "checks", "vm", "claim"]


@pytest.mark.row("A1", "A19", "C1")
def test_vms_are_added_renamed_and_retired(vms: VmSite) -> None:
    site, boots, uuids, epochs = vms, vms.boots(), vms.uuids(), vms.epochs()
    with names(site, "vm-a", "vm-c", "vm-d", "vm-b"):
        add(site, "vm-c", 2, after="vm-a")
        run = site.up("up, a VM added between two")
        assert run.changed() == dict.fromkeys(vm_chain("vm-c"), "create")
        site.clean()

        def renamed(settings: Settings) -> None:
            settings["hosts"].pop("vm-c")
            settings["hosts"].insert(1, "vm-d", {"address": site.address(3), "protect": True})

        site.edit(renamed)
        run = site.up("up, a VM renamed: another one, with another address")
        assert run.changed() == dict.fromkeys(vm_chain("vm-c"), "delete") | dict.fromkeys(vm_chain("vm-d"), "create")
        assert _order(list(run.changed()), "vm-c") == LEAVING
        assert machines(site) == {"vm-a", "vm-b", "vm-d"} == set(site.records())
        protected = site.engine.settings.read_text("utf-8")
        site.without("vm-d")
        run = site.up("up, a protected VM removed: refused", code=1)
        assert "protect" in run.messages() and run.changed() == {} and "vm-d" in machines(site)
        site.engine.settings.write_text(protected, "utf-8")
        site.host("vm-d", protect=None, state="retired")
        run = site.up("up, the VM retired")
        assert run.changed() == {}
        site.without("vm-d")
        run = site.up("up, the retired VM removed from the middle")
        assert run.changed() == dict.fromkeys(vm_chain("vm-d"), "delete")
        assert _order(list(run.changed()), "vm-d") == LEAVING
    assert machines(site) == {"vm-a", "vm-b"} == set(site.records()) and has_folder(site)
    assert site.boots() == boots and site.epochs() == epochs
    assert {name: site.uuids()[name] for name in site.hosts} == {name: uuids[name] for name in site.hosts}
    site.clean()


@pytest.mark.row("A1", "C2")
def test_a_foreign_vm_of_the_name_stops_that_host_alone(vms: VmSite) -> None:
    site = vms
    with site.hand() as hand:
        foreign = hand.clone("vm-c", folder=FOLDER).config.uuid
    with names(site, "vm-a", "vm-b", "vm-c", "vm-d"):
        add(site, "vm-c", 2)
        add(site, "vm-d", 3)
        run = site.up("up, two VMs added, a foreign one has the name of the first", code=1)
        assert run.failed() == {"vm-c-vm": "create"}
        assert len(errors(run, "vm-c")) == 1
        assert run.changed() == dict.fromkeys(vm_chain("vm-d") | {"vm-c-claim"}, "create")
        assert site.uuids()["vm-c"] == foreign and site.power("vm-c") == "poweredOff"
        said = edgectl(site, "repair", "lab", "--yes", code=3)
        assert "vm-c: /LAB/vm/lab-dev/vm-c is foreign" in said and "done" not in said
        assert site.uuids()["vm-c"] == foreign
        with site.hand() as hand:
            hand.destroy("vm-c")
        run = site.up("up, the foreign VM is gone")
        assert run.changed() == dict.fromkeys(vm_chain("vm-c") - {"vm-c-claim"}, "create")
        site.clean()
        site.restore()
        run = site.up("up, both removed again")
        assert run.changed() == dict.fromkeys(vm_chain("vm-c") | vm_chain("vm-d"), "delete")
    site.clean()


@pytest.mark.row("A19")
def test_destroy_leaves_no_vm_and_no_folder(vms: VmSite) -> None:
    site = vms
    run = site.run("destroy, two VMs", "destroy")
    made = vm_chain("vm-a") | vm_chain("vm-b") | {"lab/LAB/lab-dev"}
    assert run.changed() == dict.fromkeys(made, "delete")
    for host in site.hosts:
        assert _order(list(run.changed()), host) == LEAVING and len(LEAVING) == len(VM_CHAIN)
    assert machines(site) == set() == set(site.records()) and not has_folder(site) and site.client.vms() == []
