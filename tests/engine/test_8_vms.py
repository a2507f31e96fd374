"""Virtual machines: made, left alone, changed in place, and what a change of the template or the address does not do."""

from __future__ import annotations

import base64
import json

import pytest

from edge.vm.hostkey import derive
from tests.engine.vm_site import VmSite, described_vm, vm_chain


@pytest.mark.row("A1", "A2", "A17", "C1", "C3")
def test_a_site_of_vms_is_made_and_a_second_preview_is_clean(no_vms: VmSite) -> None:
    site = no_vms
    run = site.up("up, two VMs from nothing")
    made = {name for name in run.changed() if not name.startswith(("vm-a-", "vm-b-"))}
    assert made == {"lab/LAB/lab-dev"}
    assert set(run.changed()) - made == vm_chain("vm-a") | vm_chain("vm-b")
    assert site.healthy() == set(site.hosts)
    site.clean("after the first up")
    run = site.run("refresh, after the guests have cleared their guestinfo", "refresh")
    assert run.changed() == {}, run.changed()
    site.clean("after a refresh")
    boots = site.boots()
    run = site.up("up, unchanged")
    assert run.changed() == {} and site.boots() == boots


@pytest.mark.row("C1")
def test_no_secret_is_in_the_state_or_in_what_the_engine_says(vms: VmSite) -> None:
    state, said = vms.engine.export(), "".join(run.stdout + run.stderr for run in vms.runs)
    values = dict(vms.secrets)
    for host in vms.hosts:
        key = derive(vms.secrets["hostKeySeed"], site="lab", host=host, generation=1)
        lines = [line for line in key.private.splitlines() if not line.startswith("-----")]
        values |= {f"line {number} of the host key of {host}": line for number, line in enumerate(lines) if number}
        values[f"the host key of {host}, packed"] = base64.b64encode(lines[2].encode()).decode()[4:-4]
        assert key.public in state
    for name, value in values.items():
        for part in (value, json.dumps(value)[1:-1]):
            assert part not in state, f"{name} is in the state"
            assert part not in said, f"{name} is in what the engine said"


@pytest.mark.row("A1", "C1")
def test_sizes_grow_in_place_and_the_guest_goes_on(vms: VmSite) -> None:
    site, boots = vms, vms.boots()
    site.host("vm-a", cpus=6, memory="12GiB", disk="120GiB")
    run = site.up("up, more CPUs, memory and disk for one VM")
    assert run.changed() == {"vm-a-vm": "update"} and site.boots() == boots
    with site.hand() as hand:
        seen = described_vm(hand, "vm-a")
    assert (seen["cpus"], seen["memory"], seen["disk"]) == (6, 12288, 120)
    site.clean()
    site.keep()


@pytest.mark.row("A1", "C1")
def test_less_memory_is_a_power_cycle(vms: VmSite) -> None:
    site, boots = vms, vms.boots()
    site.host("vm-b", memory="4GiB")
    run = site.up("up, less memory for one VM")
    assert run.changed() == {"vm-b-vm": "update"}
    after = site.boots()
    assert after["vm-b"] != boots["vm-b"] and after["vm-a"] == boots["vm-a"]
    site.clean()
    site.keep()


@pytest.mark.row("A1", "C1")
def test_a_smaller_disk_is_refused_before_anything_is_changed(vms: VmSite) -> None:
    site, boots = vms, vms.boots()
    site.host("vm-b", disk="60GiB")
    run = site.run("up, a smaller disk", "up", code=1)
    assert "shrunk" in run.messages() or "disk" in run.messages()
    assert site.boots() == boots
    with site.hand() as hand:
        assert described_vm(hand, "vm-b")["disk"] == 100


@pytest.mark.row("A2", "C1")
def test_a_vm_moves_to_another_port_group_and_keeps_its_address(vms: VmSite) -> None:
    site, boots = vms, vms.boots()
    site.edit(lambda settings: settings["hosts"]["vm-b"].update(vsphere={"network": "dvs-hosts"}))
    run = site.up("up, another port group")
    assert run.changed() == {"vm-b-vm": "update"} and site.boots() == boots
    site.clean()


@pytest.mark.row("A2", "C3")
def test_a_new_template_or_address_is_no_difference_until_the_host_is_rolled(vms: VmSite) -> None:
    site, boots, uuids = vms, vms.boots(), vms.uuids()
    with site.hand() as hand:
        folder = hand.machine("debian-12-edge").parent.name
        clone = hand.clone("debian-13-edge", folder=folder)
        clone.MarkAsTemplate()
    site.edit(lambda settings: settings["vsphere"].update(template="debian-13-edge"))
    run = site.up("up, a new template in the settings")
    assert run.changed() == {} and site.uuids() | {"debian-13-edge": ""} == uuids | {"debian-13-edge": ""}
    site.restore()
    site.host("vm-a", address=site.address(20))
    run = site.run("up, another address in the settings", "up", code=1)
    assert run.failed() == {"vm-a-checks": "update"} and "host.network.address" in run.messages()
    assert site.boots() == boots
    site.restore()
    run = site.up("up, the address is back")
    site.clean()
