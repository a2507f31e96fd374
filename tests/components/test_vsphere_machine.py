"""The VM of a host, asserted on the committed lab stack: what the rules of the chain do not say."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pulumi
import pytest
import yaml
from pulumi import Output
from pulumi.runtime import Mocks, set_mocks
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.stack import wait_for_rpcs

from components import vm_parts
from edge.vm.made_from import MadeFrom
from tests.components.harness import canary, config_of, record_stack, recorded

VM = "vsphere:index/virtualMachine:VirtualMachine"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF1Gg+X+Ebf7AChByyztNBDxg3vJ3GZsWki4zpd3bLRM"


class _Nothing(Mocks):
    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], None]:
        return {}, None

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        return "", {}


def nothing_under_mocks(*, preview: bool) -> None:
    """Let Outputs be looked at as in a run or in a preview, without an engine.

    A program that a test before let fail leaves its open calls behind, of an event loop that is closed.
    """
    SETTINGS.rpc_manager.clear()
    SETTINGS.outputs.clear()
    set_mocks(_Nothing(), preview=preview)


def _json(**values: Any) -> str:
    return MadeFrom(machine="vsphere", mode="agent", **values).to_json()


async def _chosen(told: str | None, *, preview: bool) -> tuple[Any, bool]:
    """Return what a VM is made from when the claim answers `told` (None: it failed), and whether that is known."""
    nothing_under_mocks(preview=preview)

    def soon(value: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_result(value)
        return future

    claim: Output[str] = Output(set(), soon(told), soon(told is not None), soon(False))
    found = vm_parts.frozen(claim, Output.from_input(_json(template="new", address="10.0.0.2")))
    answer = await found.future(), await found.is_known()
    await wait_for_rpcs()
    return answer


@pytest.mark.row("C1", "C3")
@pytest.mark.parametrize("preview", [False, True])
def test_what_the_claim_froze_counts(preview: bool) -> None:
    made, known = asyncio.run(_chosen(_json(template="old", address="10.0.0.1"), preview=preview))
    assert (made.template, made.address, known) == ("old", "10.0.0.1", True)


@pytest.mark.row("C1", "C3")
def test_a_claim_of_an_existing_machine_freezes_nothing_for_a_vm() -> None:
    made, _known = asyncio.run(_chosen('{"machine": "existing", "mode": "agent", "hostKey": ""}', preview=False))
    assert made.template == "new"


@pytest.mark.row("C2", "C3")
def test_in_an_update_a_failed_claim_leaves_the_connection_with_a_value() -> None:
    """For a secret without a value the engine ends the whole run; a connection is a secret."""
    made, known = asyncio.run(_chosen(None, preview=False))
    assert (made.template, known) == ("new", True)
    assert asyncio.run(_chosen(None, preview=True))[1] is False


def _site(**vm: Any) -> dict[str, Any]:
    site: dict[str, Any] = json.loads(config_of("lab")[0]["edge-hosts:site"])
    site["hosts"]["vm"].update(vm)
    return site


@pytest.mark.row("C1")
def test_an_adopted_vm_is_imported_and_left_as_it_is() -> None:
    path = "/LAB/vm/lab-dev/vm"
    recording = record_stack("lab", site=_site(adopt=path, hostKey=KEY))
    vm = recording.get("vm-vm", VM)
    assert (vm.import_id, vm.ignore_changes) == (path, ("*",))
    assert recording.get("vm-checks").plain("connection")["hostKey"] == KEY
    assert recorded("lab").get("vm-vm", VM).import_id == ""


@pytest.mark.row("A2", "A3", "C1")
def test_the_guest_is_told_its_name_its_address_and_who_may_log_in() -> None:
    config = recorded("lab").get("vm-vm", VM).plain("extraConfig")
    told = yaml.safe_load(base64.b64decode(config["guestinfo.metadata"]))
    nic = told["network"]["ethernets"]["eth0"]
    assert told["local-hostname"] == "vm" and nic["addresses"] == ["10.231.76.21/24"]
    assert nic["match"]["macaddress"] == recorded("lab").get("vm-vm", VM).plain("networkInterfaces")[0]["macAddress"]
    user = yaml.safe_load(base64.b64decode(config["guestinfo.userdata"]))["users"][0]
    assert user["name"] == "edge" and user["lock_passwd"] and len(user["ssh_authorized_keys"]) == 1


@pytest.mark.row("C1")
def test_a_raised_generation_gives_another_key_and_another_instance() -> None:
    before, after = recorded("lab"), record_stack("lab", site=_site(generation=2))
    assert after.get("vm-vm", VM).plain("replaceTrigger") == "2"
    keys = {one.get("vm-checks").plain("connection")["hostKey"] for one in (before, after)}
    assert len(keys) == 2
    told = [
        base64.b64decode(one.get("vm-vm", VM).plain("extraConfig")["guestinfo.metadata"]) for one in (before, after)
    ]
    assert told[0] != told[1]


@pytest.mark.row("C1")
def test_a_size_changes_the_vm_only() -> None:
    before, after = recorded("lab"), record_stack("lab", site=_site(memory="16GiB", disk="200GiB"))
    changed = {
        one.name
        for one, other in zip(
            sorted(before.resources, key=lambda each: (each.type, each.name)),
            sorted(after.resources, key=lambda each: (each.type, each.name)),
            strict=True,
        )
        if one.inputs != other.inputs
    }
    assert changed == {"vm-vm"}
    assert after.get("vm-vm", VM).plain("memory") == 16384 and after.get("vm-vm", VM).plain("disks")[0]["size"] == 200


@pytest.mark.row("C1")
def test_vms_of_one_cluster_are_kept_apart_when_asked() -> None:
    site = _site()
    site["vsphere"].update(antiAffinity=True, ha={"restartPriority": "high"})
    site["hosts"]["vm-b"] = {"address": "10.231.76.29/24"}
    recording = record_stack("lab", site=site)
    rule = recording.get("lab/LAB/edge/apart")
    assert rule.property_dependencies["virtualMachineIds"] == ("appliance-vm", "vm-b-vm", "vm-vm")
    assert recording.get("vm-ha").plain("haVmRestartPriority") == "high"
    folders = [one.name for one in recording.resources if one.type == "vsphere:index/folder:Folder"]
    assert folders == ["lab/LAB/lab-dev"]


@pytest.mark.row("C1")
def test_the_exported_facts_of_a_vm_hold_no_secret() -> None:
    vm = recorded("lab").exports["hosts"]["vm"]["vm"]
    assert vm["cpus"] == 4 and vm["template"] == "debian-12-edge" and vm["hostKey"].startswith("ssh-ed25519 ")
    assert canary("hostKeySeed") not in json.dumps(vm)
