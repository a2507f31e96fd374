"""The acting mocks of vSphere: hand-written resources become VMs that boot; what vCenter refuses is refused."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_hand import LabHand
from pulumi.runtime import MockCallArgs, MockResourceArgs
from vm_hand import USER, VmHand, defined

from edge.errors import EdgeError, LabError
from lab.paths import CHECKOUT
from lab.rehearsal.acting import ActingMocks
from lab.rehearsal.inventory import NETWORKS, SEEDS, SWITCHES
from lab.rehearsal.wire import secret

pytestmark = [pytest.mark.lab, pytest.mark.row("A1", "A17")]

_VM = "vsphere:index/virtualMachine:VirtualMachine"
_FOLDER = "vsphere:index/folder:Folder"
_PROVIDER = "pulumi:providers:vsphere"
NAMES = {
    "getDatacenter": "LAB",
    "getComputeCluster": "edge",
    "getHost": "esx-9",
    "getResourcePool": "edge/Resources/small",
    "getDatastore": "ssd-1",
    "getDatastoreCluster": "pod-1",
    "getDistributedVirtualSwitch": "dvs",
    "getNetwork": "vlan-hosts",
    "getVirtualMachine": "debian-12-edge",
    "getCustomAttribute": "owner",
}


@pytest.fixture
def vcenter(lab: LabHand) -> Iterator[ActingMocks]:
    """Return mocks that act in the shared lab; the VMs of the test are destroyed at its end."""
    yield ActingMocks({}, "some", lambda _name, _line: None, lambda: lab.client)
    for vm in lab.client.vms():
        lab.client.destroy_vm(vm["id"])


def create(to: ActingMocks, kind: str, inputs: dict[str, Any], adopt: str = "") -> tuple[str, dict[str, Any]]:
    return to.new_resource(MockResourceArgs(kind, "by-hand", inputs, "", adopt, custom=True))


def ask(to: ActingMocks, function: str, **given: Any) -> dict[Any, Any]:
    found, failures = to.call(MockCallArgs(f"vsphere:index/{function}:{function}", given, ""))
    assert not failures
    return found


def wanted(lab: LabHand, to: ActingMocks, **other: Any) -> tuple[VmHand, dict[str, Any]]:
    """Return a VM with guest variables by hand, not made yet, and the wire inputs that would make it."""
    hand = defined(lab, "by-hand", 4)
    lab.client.destroy_vm(hand.id)
    inputs = {
        "name": "by-hand",
        "resourcePoolId": ask(to, "getComputeCluster", name="edge")["resourcePoolId"],
        "datastoreId": ask(to, "getDatastore", name="ssd-1")["id"],
        "clone": {"templateUuid": ask(to, "getVirtualMachine", name="debian-12-edge")["uuid"]},
        "numCpus": 4.0,
        "memory": 8192.0,
        "firmware": "efi",
        "scsiType": "pvscsi",
        "disks": [{"label": "disk0", "size": 100.0, "thinProvisioned": True}],
        "networkInterfaces": [
            {
                "networkId": NETWORKS["vlan-hosts"],
                "adapterType": "vmxnet3",
                "useStaticMac": True,
                "macAddress": hand.definition["mac"],
            }
        ],
        "extraConfig": secret({**hand.definition["guestinfo"], "edge-hosts.owner": "some.stack"}),
        "replaceTrigger": "1",
    }
    return hand, inputs | other


def of(hand: VmHand, made: tuple[str, dict[str, Any]]) -> VmHand:
    """Return the VM that was made instead of the hand's own."""
    return VmHand(hand.lab, {**hand.definition, "id": made[0]}, hand.address, hand.host_key)


def test_a_clone_boots_and_is_kept_until_its_trigger_changes(lab: LabHand, vcenter: ActingMocks) -> None:
    hand, inputs = wanted(lab, vcenter)
    made = create(vcenter, _VM, inputs)
    vm = of(hand, made)
    assert (made[1]["uuid"], made[1]["powerState"]) == (made[0], "on")
    vm.wait()
    assert vm.says("hostname; id -un").split() == ["by-hand", USER]
    shown = vm.shown()
    assert (shown["cpus"], shown["memory_mib"], shown["disk_gib"]) == (4, 8192, 100)
    assert shown["extra"]["edge-hosts.owner"] == "some.stack"
    vm.power("off")
    assert create(vcenter, _VM, inputs)[0] == made[0], "the same again: kept, and switched on"
    assert vm.shown()["state"] == "poweredOn"
    assert create(vcenter, _VM, {}, adopt="/LAB/vm/some/by-hand")[0] == made[0]
    other = create(vcenter, _VM, inputs | {"replaceTrigger": "2"})
    assert other[0] != made[0]
    assert [one["id"] for one in lab.client.vms()] == [other[0]]
    again = of(hand, other)
    again.wait()
    assert again.ssh("true").returncode == 0


def test_one_byte_of_the_guest_variables_changes_the_guest(lab: LabHand, vcenter: ActingMocks) -> None:
    hand, inputs = wanted(lab, vcenter)
    config = dict(hand.definition["guestinfo"])
    text = base64.b64decode(config["guestinfo.metadata"]).decode()
    config["guestinfo.metadata"] = base64.b64encode(text.replace("by-hand", "by-hanD").encode()).decode()
    vm = of(hand, create(vcenter, _VM, inputs | {"extraConfig": secret(config)}))
    vm.wait()
    assert vm.says("hostname").lower() == "by-hand"
    assert vm.says("hostname") != "by-hand"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"clone": {"templateUuid": "0-0"}}, "cannot locate virtual machine or template with UUID"),
        ({"clone": {"templateUuid": SEEDS[2].uuid}}, "encrypted is encrypted"),
        ({"disks": [{"label": "disk0", "size": 9.0}]}, "equal to or greater than the template's"),
        ({"disks": []}, "disks: 0"),
        ({"disks": [{"label": "disk0", "size": 600.0, "thinProvisioned": False}]}, "Insufficient disk space"),
        ({"firmware": "bios"}, "does not boot: firmware bios"),
        ({"scsiType": "lsilogic"}, "does not boot: scsiType"),
        ({"memory": 8191.0}, "multiple of 4 MB"),
        ({"numCpus": 4.0, "numCoresPerSocket": 3.0}, "cores per socket"),
        ({"resourcePoolId": "resgroup-0"}, "resource pool:resgroup-0"),
        ({"datastoreId": "datastore-0"}, "datastore:datastore-0"),
        ({"datastoreId": None}, "one of datastore_id, datastore_cluster_id"),
        ({"folder": "nowhere"}, "folder '/LAB/vm/nowhere' not found"),
        ({"networkInterfaces": []}, "one network interface, got 0"),
        ({"networkInterfaces": [{"networkId": "network-0"}]}, "network:network-0"),
        ({"networkInterfaces": [{"networkId": "network-51", "useStaticMac": True, "macAddress": "02:00:00:00:00:01"}]}, "VMware's range"),
        ({"name": "n" * 81}, "range"),
    ],
)  # fmt: skip
def test_what_a_vcenter_refuses_is_refused(
    lab: LabHand, vcenter: ActingMocks, change: dict[str, Any], words: str
) -> None:
    _, inputs = wanted(lab, vcenter)
    with pytest.raises(EdgeError, match=words):
        create(vcenter, _VM, inputs | change)
    assert lab.client.vms() == []


@pytest.mark.parametrize("function", NAMES)
def test_an_unknown_name_is_an_error_that_lists_the_known_ones(vcenter: ActingMocks, function: str) -> None:
    assert ask(vcenter, function, name=NAMES[function])["id"]
    with pytest.raises(LabError, match="'nothing' not found") as refused:
        ask(vcenter, function, name="nothing")
    assert NAMES[function] in refused.value.remedy


def test_a_port_group_is_of_its_switch(vcenter: ActingMocks) -> None:
    switch = SWITCHES["dvs"]
    assert ask(vcenter, "getNetwork", name="dvs-hosts", distributedVirtualSwitchUuid=switch)["id"]
    with pytest.raises(LabError, match="not found on the switch"):
        ask(vcenter, "getNetwork", name="vlan-hosts", distributedVirtualSwitchUuid=switch)


def test_a_folder_needs_its_parent(vcenter: ActingMocks) -> None:
    with pytest.raises(LabError, match="folder '/LAB/vm/plants' not found"):
        create(vcenter, _FOLDER, {"path": "plants/twelve", "type": "vm"})
    create(vcenter, _FOLDER, {"path": "plants", "type": "vm"})
    assert create(vcenter, _FOLDER, {"path": "plants/twelve", "type": "vm"})[1]["path"] == "plants/twelve"


@pytest.mark.parametrize("change", [{"password": secret("wrong")}, {"user": "nobody@vsphere.local"}])
def test_a_wrong_login_is_refused(lab: LabHand, vcenter: ActingMocks, change: dict[str, Any]) -> None:
    inputs = {
        "vsphereServer": f"{lab.site.block.services}:8989",
        "user": "lab@vsphere.local",
        "password": secret(lab.site.secrets["vspherePassword"]),
    }
    assert create(vcenter, _PROVIDER, inputs)[0]
    with pytest.raises(LabError, match="incorrect user name or password"):
        create(vcenter, _PROVIDER, inputs | change)
    with pytest.raises(LabError, match="dial tcp"):
        create(vcenter, _PROVIDER, inputs | {"vsphereServer": "vcenter.example.com"})


def test_rules_need_virtual_machines_that_are_there(lab: LabHand, vcenter: ActingMocks) -> None:
    first, second = defined(lab, "a", 5), defined(lab, "b", 6)
    rule = "vsphere:index/computeClusterVmAntiAffinityRule:ComputeClusterVmAntiAffinityRule"
    inputs = {"computeClusterId": "domain-c10", "virtualMachineIds": [first.id, second.id], "name": "apart"}
    assert create(vcenter, rule, inputs)[0]
    for members in ([first.id], [first.id, first.id], [first.id, "nobody"]):
        with pytest.raises(LabError):
            create(vcenter, rule, inputs | {"virtualMachineIds": members})


PROGRAM = """\
import base64, pulumi, pulumi_vsphere as vsphere
config = pulumi.Config("edge-hosts")
provider = vsphere.Provider(
    "mine", vsphere_server=config.require("server"), user="lab@vsphere.local", password=config.require_secret("password")
)
ask = pulumi.InvokeOptions(provider=provider)
dc = vsphere.get_datacenter_output(name="LAB", opts=ask).id
cluster = vsphere.get_compute_cluster_output(name="edge", datacenter_id=dc, opts=ask)
template = vsphere.get_virtual_machine_output(name="debian-12-edge", datacenter_id=dc, opts=ask)
opts = pulumi.ResourceOptions(provider=provider)
folder = vsphere.Folder("mine", path="mine", type="vm", datacenter_id=dc, opts=opts)
vm = vsphere.VirtualMachine(
    "mine",
    name="mine",
    folder=folder.path,
    resource_pool_id=cluster.resource_pool_id,
    datastore_id=vsphere.get_datastore_output(name="ssd-2", datacenter_id=dc, opts=ask).id,
    num_cpus=2,
    memory=4096,
    firmware=template.firmware,
    scsi_type=template.scsi_type,
    guest_id=template.guest_id,
    disks=[{"label": "disk0", "size": 20}],
    network_interfaces=[{
        "network_id": vsphere.get_network_output(name="dvs-hosts", datacenter_id=dc, opts=ask).id,
        "use_static_mac": True, "mac_address": "00:50:56:3f:aa:77",
    }],
    clone={"template_uuid": template.id},
    extra_config={"guestinfo.metadata": base64.b64encode(b"instance-id: mine\\nlocal-hostname: mine\\n").decode(),
                  "guestinfo.metadata.encoding": "base64"},
    opts=opts,
)
pulumi.export("uuid", vm.id)
pulumi.export("power", vm.power_state)
"""


RUN = """\
import json, sys
from pathlib import Path
from lab.rehearsal.runner import rehearse
config = json.load(sys.stdin)
result = rehearse(
    Path(sys.argv[1]), project="edge-hosts", stack="mine", config=config, secret_keys=["edge-hosts:password"]
)
print(json.dumps({"failed": dict(result.failed), **result.record()}))
"""


def test_a_program_that_nobody_knows_makes_its_vm(lab: LabHand, vcenter: ActingMocks, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(PROGRAM, "utf-8")
    config = {
        "edge-hosts:server": f"{lab.site.block.services}:8989",
        "edge-hosts:password": lab.site.secrets["vspherePassword"],
    }
    # In a process of its own, as a person would run it: a program leaves an event loop behind.
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path)],
        cwd=CHECKOUT,
        env=lab.environment,
        input=json.dumps(config),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["failed"] == {}
    found = lab.client.vms()
    assert [(vm["name"], vm["state"], vm["network"]) for vm in found] == [("mine", "poweredOn", "dvs-hosts")]
    assert result["outputs"] == {"uuid": found[0]["uuid"], "power": "on"}
