"""The lab's vCenter behaves as a real one where the program would otherwise pass here and fail there."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pyVim.task import WaitForTasks
from pyVmomi import vim, vmodl

from lab.paths import LabPaths
from lab.vcenter import build
from lab.vcenter.hands import Hands, hands
from lab.vcenter.server import READER, USER, Vcenter, alone

REASON = build.missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=REASON or "")
GIB = 1 << 30


@pytest.fixture(scope="module")
def vcenter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vcenter]:
    with alone(tmp_path_factory.mktemp("vcenter"), LabPaths.find().cache, clone_seconds=0.1) as running:
        yield running


@pytest.fixture
def hand(vcenter: Vcenter) -> Iterator[Hands]:
    with hands(vcenter) as session:
        yield session
        for machine in session.all(vim.VirtualMachine):
            if machine.name.startswith("t-"):
                session.destroy(machine.name)


def disk_of(machine: Any) -> Any:
    return next(one for one in machine.config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk))


def card_of(machine: Any) -> Any:
    return next(one for one in machine.config.hardware.device if isinstance(one, vim.vm.device.VirtualEthernetCard))


def edit(device: Any) -> Any:
    return vim.vm.device.VirtualDeviceSpec(operation="edit", device=device)


def grown(machine: Any, gib: int) -> Any:
    disk = disk_of(machine)
    disk.capacityInKB, disk.capacityInBytes = gib * GIB // 1024, gib * GIB
    return edit(disk)


def test_the_inventory_is_the_one_that_the_lab_promises(hand: Hands) -> None:
    names = {
        kind: {item.name for item in hand.all(kind)}
        for kind in (vim.Datacenter, vim.ClusterComputeResource, vim.HostSystem, vim.Datastore, vim.StoragePod)
    }
    assert names[vim.Datacenter] == {"LAB"}
    assert names[vim.ClusterComputeResource] == {"edge"}
    assert names[vim.HostSystem] == {"esx-1", "esx-2", "esx-9"}
    assert names[vim.Datastore] == {"ssd-1", "ssd-2", "ssd-3"}
    assert names[vim.StoragePod] == {"pod-1"}
    assert {"VM Network", "vlan-hosts", "dvs-hosts"} <= {item.name for item in hand.all(vim.Network)}
    assert hand.find(vim.Datastore, "ssd-3").parent.name == "pod-1"
    cluster = hand.find(vim.ClusterComputeResource, "edge").configurationEx
    assert cluster.drsConfig.enabled and cluster.dasConfig.enabled


@pytest.mark.row("A1", "A2")
def test_templates_can_be_told_apart_by_what_makes_one_usable(hand: Hands) -> None:
    good, bare = hand.machine("debian-12-edge"), hand.machine("no-tools")
    assert good.config.template and good.config.firmware == "efi" and good.config.version == "vmx-19"
    assert disk_of(good).capacityInBytes == 10 * GIB
    assert good.guest.toolsVersionStatus2 == "guestToolsUnmanaged"
    assert bare.config.template and bare.guest.toolsVersionStatus2 == "guestToolsNotInstalled"
    assert not hand.machine("not-a-template").config.template
    assert hand.machine("encrypted").config.keyId is not None and good.config.keyId is None


@pytest.mark.row("A2")
def test_a_clone_is_like_its_template_and_has_an_identity_of_its_own(hand: Hands) -> None:
    source = hand.machine("debian-12-edge")
    first = hand.clone("t-one")
    assert first.config.firmware == "efi" and first.config.bootOptions.efiSecureBootEnabled
    assert first.config.cpuHotAddEnabled and first.config.version == source.config.version
    assert first.config.swapPlacement == "inherit"
    assert first.guest.toolsVersionStatus2 == "guestToolsUnmanaged"
    assert first.runtime.host.name in ("esx-1", "esx-2")
    assert card_of(first).macAddress != card_of(source).macAddress
    assert [disk_of(first).deviceInfo.label, card_of(first).deviceInfo.label] == ["Hard disk 1", "Network adapter 1"]
    before = first.config.uuid
    hand.destroy("t-one")
    assert hand.clone("t-one").config.uuid not in (before, source.config.uuid)


def test_a_name_is_used_once_in_a_folder(hand: Hands) -> None:
    hand.clone("t-same")
    with pytest.raises(vim.fault.DuplicateName, match="already exists"):
        hand.clone("t-same")
    hand.clone("t-other")
    with pytest.raises(vim.fault.DuplicateName):
        hand.rename("t-other", "t-same")
    other = hand.find(vim.Folder, "vm").CreateFolder("t-folder")
    hand.clone("t-same", folder="t-folder")
    hand.destroy("t-same")
    hand.done(other.Destroy_Task())
    with pytest.raises(vim.fault.InvalidName):
        hand.clone("t-" + "x" * 80)


def test_twelve_clones_at_once_in_one_session_are_all_seen_to_end(hand: Hands) -> None:
    began = time.monotonic()
    tasks = [hand.clone(f"t-{number}", wait=False) for number in range(12)]
    WaitForTasks(tasks, si=hand.instance)
    assert {task.info.state for task in tasks} == {"success"}
    assert time.monotonic() - began < 30
    assert len({task.info.result.config.uuid for task in tasks}) == 12


def test_a_clone_stands_under_its_name_without_extra_config_while_it_is_made(vcenter: Vcenter, hand: Hands) -> None:
    option = vim.option.OptionValue(key="edge-hosts.owner", value="us")
    vcenter.control.fault("slow-task", method="ReconfigVM_Task", seconds=0)
    vcenter.control.clear()
    task = hand.clone("t-half", wait=False, extraConfig=[option])
    half = None
    while half is None:
        half = next((one for one in hand.all(vim.VirtualMachine) if one.name == "t-half"), None)
    if task.info.state == "running":
        assert "edge-hosts.owner" not in hand.extra("t-half")
        with pytest.raises(vim.fault.TaskInProgress):
            hand.power_on("t-half")
    hand.done(task)
    assert hand.extra("t-half")["edge-hosts.owner"] == "us"


@pytest.mark.row("A1")
@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"guestId": "plan9Guest"}, vmodl.fault.InvalidArgument),
        ({"memoryMB": 2049}, vmodl.fault.InvalidArgument),
        ({"numCPUs": 3, "numCoresPerSocket": 2}, vmodl.fault.InvalidArgument),
    ],
)
def test_impossible_sizes_and_guests_are_refused(hand: Hands, changes: dict[str, Any], fault: type) -> None:
    hand.clone("t-bad")
    with pytest.raises(fault):
        hand.reconfigure("t-bad", **changes)


def test_a_missing_iso_and_an_unknown_network_are_refused(hand: Hands) -> None:
    machine = hand.clone("t-devices")
    backing = vim.vm.device.VirtualCdrom.IsoBackingInfo(fileName="[ssd-1] nowhere/installer.iso")
    controller = next(
        one for one in machine.config.hardware.device if isinstance(one, vim.vm.device.VirtualIDEController)
    )
    drive = vim.vm.device.VirtualCdrom(key=-1, controllerKey=controller.key, unitNumber=0, backing=backing)
    with pytest.raises(vim.fault.FileNotFound):
        hand.reconfigure("t-devices", deviceChange=[vim.vm.device.VirtualDeviceSpec(operation="add", device=drive)])
    card = card_of(machine)
    card.backing = vim.vm.device.VirtualEthernetCard.NetworkBackingInfo(deviceName="vlan-of-nobody")
    with pytest.raises(vim.fault.InvalidDeviceBacking, match="vlan-of-nobody"):
        hand.reconfigure("t-devices", deviceChange=[edit(card)])
    card = card_of(machine)
    card.addressType, card.macAddress = "manual", "00:50:56:80:00:01"
    with pytest.raises(vim.fault.InvalidDeviceSpec, match="valid range"):
        hand.reconfigure("t-devices", deviceChange=[edit(card)])


def test_disks_are_counted_thick_whole_and_thin_as_written(hand: Hands) -> None:
    datastore = hand.find(vim.Datastore, "ssd-2")
    free = datastore.summary.freeSpace
    machine = hand.clone("t-disk", datastore="ssd-2")
    assert free - datastore.summary.freeSpace == 2 * GIB
    hand.reconfigure("t-disk", deviceChange=[grown(machine, 900)])
    disk = disk_of(machine)
    assert disk.capacityInBytes == 900 * GIB and datastore.summary.freeSpace == free - 2 * GIB
    thick = vim.vm.device.VirtualDisk(
        key=-1, controllerKey=disk.controllerKey, unitNumber=1, capacityInKB=600 * GIB // 1024,
        backing=vim.vm.device.VirtualDisk.FlatVer2BackingInfo(diskMode="persistent", thinProvisioned=False, fileName="[ssd-2]"),
    )  # fmt: skip
    added = vim.vm.device.VirtualDeviceSpec(operation="add", fileOperation="create", device=thick)
    with pytest.raises(vim.fault.NoDiskSpace, match="600 GiB needed"):
        hand.reconfigure("t-disk", deviceChange=[added])
    hand.destroy("t-disk")
    assert datastore.summary.freeSpace == free


def test_memory_is_short_only_in_a_pool_with_a_limit(hand: Hands) -> None:
    small = hand.find(vim.ResourcePool, "small")
    hand.clone("t-small", pool=small, memoryMB=8192)
    with pytest.raises(vim.fault.InsufficientResourcesFault):
        hand.power_on("t-small")
    hand.clone("t-large", memoryMB=8192)
    hand.power_on("t-large")


def test_power_states_follow_each_other_as_on_a_machine(hand: Hands) -> None:
    machine = hand.clone("t-power")
    with pytest.raises(vim.fault.InvalidPowerState):
        hand.power_off("t-power")
    hand.power_on("t-power")
    with pytest.raises(vim.fault.InvalidPowerState):
        hand.power_on("t-power")
    with pytest.raises(vim.fault.InvalidPowerState):
        hand.done(machine.Destroy_Task())
    hand.done(machine.ResetVM_Task())
    machine.RebootGuest()
    machine.ShutdownGuest()
    deadline = time.monotonic() + 10
    while machine.runtime.powerState != "poweredOff" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert machine.runtime.powerState == "poweredOff"
    with pytest.raises(vim.fault.InvalidState):
        hand.power_on("debian-12-edge")


@pytest.mark.row("A1")
def test_a_running_machine_grows_only_with_hot_add_and_never_shrinks(hand: Hands) -> None:
    machine = hand.clone("t-hot")
    hand.power_on("t-hot")
    hand.reconfigure("t-hot", numCPUs=4, memoryMB=4096)
    assert (machine.config.hardware.numCPU, machine.config.hardware.memoryMB) == (4, 4096)
    with pytest.raises(vim.fault.CpuHotPlugNotSupported):
        hand.reconfigure("t-hot", numCPUs=2)
    with pytest.raises(vim.fault.MemoryHotPlugNotSupported):
        hand.reconfigure("t-hot", memoryMB=2048)
    with pytest.raises(vim.fault.InvalidPowerState):
        hand.reconfigure("t-hot", cpuHotAddEnabled=False)
    hand.power_off("t-hot")
    hand.reconfigure("t-hot", numCPUs=2, memoryMB=2048, cpuHotAddEnabled=False, memoryHotAddEnabled=False)
    hand.power_on("t-hot")
    with pytest.raises(vim.fault.CpuHotPlugNotSupported):
        hand.reconfigure("t-hot", numCPUs=4)


def test_a_disk_grows_while_on_but_not_over_a_snapshot_and_never_shrinks(hand: Hands) -> None:
    machine = hand.clone("t-grow")
    hand.power_on("t-grow")
    hand.reconfigure("t-grow", deviceChange=[grown(machine, 20)])
    assert disk_of(machine).capacityInBytes == 20 * GIB
    with pytest.raises(vim.fault.InvalidDeviceOperation):
        hand.reconfigure("t-grow", deviceChange=[grown(machine, 15)])
    path = disk_of(machine).backing.fileName
    hand.snapshot("t-grow")
    assert disk_of(machine).backing.fileName == path.replace(".vmdk", "-000001.vmdk")
    with pytest.raises(vim.fault.InvalidDeviceOperation, match="snapshots"):
        hand.reconfigure("t-grow", deviceChange=[grown(machine, 30)])
    hand.remove_snapshots("t-grow")
    assert disk_of(machine).backing.fileName == path
    hand.reconfigure("t-grow", deviceChange=[grown(machine, 30)])


def test_network_and_extra_config_change_while_on(hand: Hands) -> None:
    machine = hand.clone("t-net")
    hand.power_on("t-net")
    group = hand.find(vim.dvs.DistributedVirtualPortgroup, "dvs-hosts")
    port = vim.dvs.PortConnection(portgroupKey=group.key, switchUuid=group.config.distributedVirtualSwitch.uuid)
    card = card_of(machine)
    card.backing = vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port)
    hand.reconfigure("t-net", deviceChange=[edit(card)])
    assert [network.name for network in machine.network] == ["dvs-hosts"]
    option = vim.option.OptionValue
    hand.reconfigure("t-net", extraConfig=[option(key="guestinfo.userdata", value="x"), option(key="none", value="")])
    assert hand.extra("t-net")["guestinfo.userdata"] == "x" and "none" not in hand.extra("t-net")
    hand.reconfigure("t-net", extraConfig=[option(key="guestinfo.userdata", value="")])
    assert "guestinfo.userdata" not in hand.extra("t-net")


def test_a_guest_with_tools_tells_name_and_address_and_one_without_does_not(hand: Hands) -> None:
    text = "local-hostname: edge-1\nnetwork: {ethernets: {eth0: {addresses: [10.1.2.3/24]}}}"
    option = vim.option.OptionValue(key="guestinfo.metadata", value=text)
    told = hand.clone("t-guest", extraConfig=[option])
    hand.power_on("t-guest")
    assert (told.guest.toolsRunningStatus, told.guest.hostName) == ("guestToolsRunning", "edge-1")
    assert told.guest.ipAddress == told.summary.guest.ipAddress == "10.1.2.3"
    silent = hand.clone("t-silent", template="no-tools")
    hand.power_on("t-silent")
    assert silent.guest.toolsRunningStatus == "guestToolsNotRunning" and not silent.guest.ipAddress
    with pytest.raises(vim.fault.ToolsUnavailable):
        silent.ShutdownGuest()


def test_machines_move_between_hosts_datastores_and_folders(hand: Hands) -> None:
    machine = hand.clone("t-move")
    hand.power_on("t-move")
    other = "esx-2" if machine.runtime.host.name == "esx-1" else "esx-1"
    hand.migrate("t-move", other)
    assert machine.runtime.host.name == other and machine in hand.find(vim.HostSystem, other).vm
    with pytest.raises(vmodl.fault.InvalidArgument):
        hand.migrate("t-move", "esx-9")
    hand.relocate("t-move", "ssd-2")
    assert disk_of(machine).backing.fileName.startswith("[ssd-2] ")
    assert [datastore.name for datastore in machine.datastore] == ["ssd-2"]
    hand.rename("t-move", "t-moved")
    assert machine.name == "t-moved" and machine.runtime.powerState == "poweredOn"


def test_rules_keep_machines_apart_and_forget_those_that_go(hand: Hands) -> None:
    machines = [hand.clone("t-a"), hand.clone("t-b")]
    cluster = hand.find(vim.ClusterComputeResource, "edge")

    def add(name: str, vms: list[Any]) -> None:
        rule = vim.cluster.AntiAffinityRuleSpec(name=name, enabled=True, vm=vms)
        change = vim.cluster.RuleSpec(operation="add", info=rule)
        hand.done(cluster.ReconfigureComputeResource_Task(vim.cluster.ConfigSpecEx(rulesSpec=[change]), True))

    with pytest.raises(vmodl.fault.InvalidArgument):
        add("t-alone", machines[:1])
    add("t-apart", machines)
    assert {vm.name for vm in cluster.configurationEx.rule[0].vm} == {"t-a", "t-b"}
    hand.destroy("t-a")
    assert {vm.name for vm in cluster.configurationEx.rule[0].vm} == {"t-b"}
    key = cluster.configurationEx.rule[0].key
    change = vim.cluster.RuleSpec(operation="remove", removeKey=key)
    hand.done(cluster.ReconfigureComputeResource_Task(vim.cluster.ConfigSpecEx(rulesSpec=[change]), True))


def test_a_datastore_cluster_places_a_clone_on_its_datastore(hand: Hands) -> None:
    root = hand.find(vim.ClusterComputeResource, "edge").resourcePool
    spec = vim.storageDrs.StoragePlacementSpec(
        type="clone", vm=hand.machine("debian-12-edge"), cloneName="t-pod", folder=hand.find(vim.Folder, "vm"),
        cloneSpec=vim.vm.CloneSpec(location=vim.vm.RelocateSpec(pool=root)),
        podSelectionSpec=vim.storageDrs.PodSelectionSpec(storagePod=hand.find(vim.StoragePod, "pod-1")),
    )  # fmt: skip
    manager = hand.content.storageResourceManager
    found = manager.RecommendDatastores(spec)
    assert found.recommendations[0].action[0].destination.name == "ssd-3"
    result = hand.done(manager.ApplyStorageDrsRecommendation_Task([found.recommendations[0].key]))
    assert result.vm.name == "t-pod" and result.vm.datastore[0].name == "ssd-3"


def test_a_cluster_is_found_as_a_compute_resource_and_tells_its_hardware_versions(hand: Hands) -> None:
    cluster = hand.find(vim.ClusterComputeResource, "edge")
    alias = vim.ComputeResource(cluster._moId, hand.instance._stub)
    assert {host.name for host in alias.host} == {"esx-1", "esx-2"}
    option = alias.environmentBrowser.QueryConfigOption("vmx-19", None)
    assert option.version == "vmx-19" and option.hardwareOptions.hwVersion == 19


def rest(vcenter: Vcenter, user: str, password: str) -> httpx.Client:
    context = ssl.create_default_context(cafile=str(vcenter.authority))
    base = f"https://localhost:{vcenter.port}/rest/com/vmware/cis"
    answer = httpx.post(f"{base}/session", auth=(user, password), verify=context)
    return httpx.Client(base_url=base, verify=context, headers={"vmware-api-session-id": answer.json()["value"]})


def test_tags_and_attributes_are_there_and_a_reader_cannot_make_any(vcenter: Vcenter, hand: Hands) -> None:
    with rest(vcenter, USER, vcenter.password) as client:
        tags = client.get("/tagging/tag").json()["value"]
        names = {client.get(f"/tagging/tag/id:{tag}").json()["value"]["name"] for tag in tags}
        assert names == {"lab", "production"}
    with rest(vcenter, READER, vcenter.reader_password) as client:
        spec = {"create_spec": {"name": "x", "description": "", "category_id": "y"}}
        assert client.post("/tagging/tag", json=spec).status_code == 403
    assert [field.name for field in hand.content.customFieldsManager.field] == ["owner"]


def test_a_reader_reads_everything_and_changes_nothing(vcenter: Vcenter, hand: Hands) -> None:
    hand.clone("t-read")
    wanted = ["VirtualMachine.Interact.PowerOn", "System.Read"]
    with hands(vcenter, READER, vcenter.reader_password) as reader:
        machine = reader.machine("t-read")
        manager = reader.content.authorizationManager
        granted = manager.HasPrivilegeOnEntities([machine], reader.content.sessionManager.currentSession.key, wanted)
        assert [one.isGranted for one in granted[0].privAvailability] == [False, True]
        fetched = manager.FetchUserPrivilegeOnEntities([machine], READER)
        assert wanted[0] not in fetched[0].privileges and wanted[1] in fetched[0].privileges
        with pytest.raises(vim.fault.NoPermission, match=r"VirtualMachine\.Interact\.PowerOn") as caught:
            reader.power_on("t-read")
        assert caught.value.privilegeId == wanted[0]
        with pytest.raises(vim.fault.NoPermission):
            reader.clone("t-not")
    manager = hand.content.authorizationManager
    fetched = manager.FetchUserPrivilegeOnEntities([hand.machine("t-read")], USER)
    assert wanted[0] in fetched[0].privileges


def test_a_wrong_password_is_refused(vcenter: Vcenter) -> None:
    with pytest.raises(vim.fault.InvalidLogin), hands(vcenter, USER, "wrong"):
        pass
