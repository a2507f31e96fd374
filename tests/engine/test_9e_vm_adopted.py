"""A virtual machine that somebody else made becomes a host without a restart, and a clone of ours with its next generation."""

from __future__ import annotations

import base64
import json

import pytest

from lab.keys import new_key
from lab.vcenter.hands import vim
from tests.engine.engine_site import until
from tests.engine.vm_deeds import RECORD, add, config, edgectl, exported, generation, host_key, machines, names, rolled
from tests.engine.vm_site import FOLDER, VmSite, vm_chain

GIB = 1024 * 1024


def _made_by_hand(site: VmSite, name: str, number: int) -> str:
    """Clone, size and boot a machine as a person would, with guestinfo of their own; return its public host key."""
    private, public = new_key(name)
    key = " ".join(public.split()[:2])
    with site.hand() as hand:
        machine = hand.clone(name, folder=FOLDER, numCPUs=4, memoryMB=8192)
        devices = machine.config.hardware.device
        card = next(one for one in devices if hasattr(one, "macAddress"))
        disk = next(one for one in devices if hasattr(one, "capacityInKB"))
        disk.capacityInKB, disk.capacityInBytes = 100 * GIB, 100 * GIB * 1024
        # What every machine of a real vCenter has, and the provider wants to find.
        shares = vim.SharesInfo(level="normal", shares=1000)
        disk.storageIOAllocation = vim.StorageResourceManager.IOAllocationInfo(limit=-1, shares=shares, reservation=0)
        disk.backing.sharing = "sharingNone"
        change = vim.vm.device.VirtualDeviceSpec(device=disk, operation="edit")
        texts = {
            "guestinfo.metadata": _metadata(site, name, number, card.macAddress),
            "guestinfo.userdata": _user_data(site, key, private),
        }
        extra = [
            option
            for field, text in texts.items()
            for option in (
                vim.OptionValue(key=field, value=base64.b64encode(text.encode()).decode()),
                vim.OptionValue(key=f"{field}.encoding", value="base64"),
            )
        ]
        tools = vim.vm.ToolsConfigInfo(toolsUpgradePolicy="manual")
        hand.reconfigure(name, extraConfig=extra, deviceChange=[change], tools=tools)
        hand.power_on(name)
    until(lambda: _booted(site, name), 60, f"cloud-init of {name}")
    return key


def _booted(site: VmSite, name: str) -> bool:
    return any(vm["name"] == name and vm["cloudInit"]["state"] == "done" for vm in site.client.vms())


def _metadata(site: VmSite, name: str, number: int, mac: str) -> str:
    block = site.site.block
    interface = {
        "match": {"macaddress": mac},
        "set-name": "eth0",
        "addresses": [site.address(number)],
        "routes": [{"to": "0.0.0.0/0", "via": str(block.gateway)}],
        "nameservers": {"addresses": [str(block.services)]},
    }
    network = {"version": 2, "ethernets": {"eth0": interface}}
    data = {"instance-id": f"{name}-by-hand", "local-hostname": name, "network": network}
    return json.dumps({**data, "cleanup-guestinfo": ["userdata", "vendordata"]})


def _user_data(site: VmSite, public: str, private: str) -> str:
    user = {
        "name": "edge",
        "shell": "/bin/bash",
        "lock_passwd": True,
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "ssh_authorized_keys": [site.site.fittings().authorized_key],
    }
    data = {
        "users": [user],
        "ssh_pwauth": False,
        "apt": {"preserve_sources_list": True},
        "ssh_keys": {"ed25519_public": public, "ed25519_private": private},
    }
    return "#cloud-config\n" + json.dumps(data)


@pytest.mark.row("A1", "A19", "C1")
def test_an_existing_vm_is_adopted_without_a_restart_and_rolled_to_a_clone(vms: VmSite) -> None:
    site, others = vms, vms.boots()
    RECORD.unlink(missing_ok=True)
    with names(site, "vm-a", "vm-b", "old-c"):
        key = _made_by_hand(site, "old-c", 2)
        path = f"/LAB/vm/{FOLDER}/old-c"
        add(site, "old-c", 2, adopt=path, hostKey=key)
        with site.hand() as hand:
            before, uuid = config(hand, "old-c"), site.uuids()["old-c"]
        said = edgectl(site, "repair", "lab", "--dry-run")
        assert f"old-c: {path} will be adopted by the next up." in said, said
        starts = _boots(site, "old-c")
        run = site.up("up, a VM that somebody else made is adopted")
        assert run.changed() == {"old-c-vm": "import"} | dict.fromkeys(vm_chain("old-c") - {"old-c-vm"}, "create")
        # The one restart is the agent's own, from within.
        assert site.cases[-1].reboots == 1 and _boots(site, "old-c") - starts in (0, 1)
        with site.hand() as hand:
            assert config(hand, "old-c") == before
            assert not [key for key in hand.extra("old-c") if key.startswith("edge-hosts.")]
        assert site.uuids()["old-c"] == uuid and host_key(site, "old-c") == key
        site.clean("adopted")
        run = site.run("refresh, with an adopted VM", "refresh")
        assert run.changed() == {}, run.changed()
        site.clean("adopted, after a refresh")
        site.host("old-c", cpus=8)
        run = site.up("up, more CPUs for an adopted VM: nothing")
        assert run.changed() == {}
        site.host("old-c", cpus=None)
        said = rolled(site, "edgectl roll, an adopted VM becomes a clone", "old-c", "--yes")
        assert "its `adopt:` line goes, and `hostKey:` with it" in said
        assert site.uuids()["old-c"] != uuid and host_key(site, "old-c") != key
        assert exported(site, "old-c")["vm"]["adopt"] == "" and generation(site, "old-c") == 2
        site.clean("rolled")
        assert {name: site.boots()[name] for name in others} == others
        site.restore()
        site.up("up, the VM removed again")
    assert machines(site) == set(site.hosts)
    site.clean()


def _boots(site: VmSite, name: str) -> int:
    """Return how often the lab has started a machine: a restart from within counts too."""
    return int(next(vm["boots"] for vm in site.client.vms() if vm["name"] == name))
