"""The rules of the machine of a host: where it is a VM, what its type, name, options and secrets must be."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

from components.testing import Recording, Registration
from edge.vm.hostkey import derive
from tests.components.harness import canary

VM = "vsphere:index/virtualMachine:VirtualMachine"
FOLDER = "vsphere:index/folder:Folder"
IGNORED = {"extraConfig", "hostSystemId", "resourcePoolId", "datastoreId", "datastoreClusterId"}


def vm_problems(recording: Recording, host: str, *, site: str, protect: bool) -> Iterator[str]:
    """Yield every broken rule of the VM of `host`."""
    vm, claim = recording.get(f"{host}-vm", VM), recording.get(f"{host}-claim")
    generation = int(claim.inputs["generation"])
    key = derive(canary("hostKeySeed"), site=site, host=host, generation=generation)
    yield from (f"{vm.name}: {problem}" for problem in _options(recording, host, vm, protect))
    yield from (f"{vm.name}: {problem}" for problem in _inputs(vm, host, generation))
    yield from (f"{vm.name}: {problem}" for problem in _guestinfo(vm, key.private))
    wanted = json.loads(claim.plain("made_from_wanted"))
    if claim.is_secret("made_from_wanted") or wanted["hostKey"] != key.public:
        yield f"{claim.name}: does not freeze the derived host key in clear"
    for role in ("checks", "preparation", "agent", "started"):
        step = recording.get(f"{host}-{role}")
        if step.plain("connection").get("hostKey") != key.public:
            yield f"{step.name}: does not pin the derived host key"
        if vm.name not in step.property_dependencies.get("stdin", ()):
            yield f"{step.name}: would not run again on a new machine"
    if vm.name not in recording.get(f"{host}-checks").dependencies:
        yield f"{host}-checks: does not wait for the machine"
    if recording.get(f"{host}-checks").plain("connection")["dialErrorLimit"] != 60:
        yield f"{host}-checks: does not wait for a first boot"
    if recording.get(f"{host}-agent").plain("delete"):
        yield f"{host}-agent: uninstalls from a machine that goes with it"


def _options(recording: Recording, host: str, vm: Registration, protect: bool) -> Iterator[str]:
    folders = {one.name for one in recording.resources if one.type == FOLDER}
    if vm.parent != f"{host}-machine" or recording.get(vm.parent).type != "edge-hosts:index:VsphereMachine":
        yield f"has the parent {vm.parent!r}"
    if f"{host}-claim" not in vm.dependencies or not folders & set(vm.dependencies):
        yield f"waits for {vm.dependencies} only"
    if vm.protect != protect:
        yield f"has protect={vm.protect}"
    if not vm.delete_before_replace:
        yield "would be made before the one of its name is gone"
    if set(vm.ignore_changes) != IGNORED or vm.replace_on_changes:
        yield f"ignores {vm.ignore_changes}"
    if vm.import_id or vm.retain_on_delete or vm.deleted_with:
        yield "has options of another life"
    if not vm.provider.startswith("vcenter-"):
        yield f"uses the provider {vm.provider!r}"
    provider = recording.get(vm.provider)
    if not provider.is_secret("password") or provider.plain("allowUnverifiedSsl") not in (False, "false"):
        yield "logs in with a password in clear, or without verifying the server"


def _inputs(vm: Registration, host: str, generation: int) -> Iterator[str]:
    claim = f"{host}-claim"
    if vm.inputs["name"] != host:
        yield f"is called {vm.inputs['name']!r}"
    if vm.plain("replaceTrigger") != str(generation):
        yield f"has replaceTrigger={vm.plain('replaceTrigger')!r}"
    for name in ("replaceTrigger", "clone", "guestId", "firmware", "scsiType"):
        if claim not in vm.property_dependencies.get(name, ()):
            yield f"does not take {name} from the claim"
    for name in ("waitForGuestNetTimeout", "waitForGuestIpTimeout"):
        if vm.plain(name) != 0:
            yield f"waits for VMware Tools ({name})"
    if vm.plain("extraConfigRebootRequired") is not False:
        yield "would restart for its guestinfo"
    if vm.plain("enableDiskUuid") is not True:
        yield "hides the ids of its disks"
    nics = vm.plain("networkInterfaces")
    if [nic["adapterType"] for nic in nics] != ["vmxnet3"] or not nics[0]["macAddress"].startswith("00:50:56:"):
        yield f"has the interfaces {nics}"
    if [disk["label"] for disk in vm.plain("disks")] != ["disk0"]:
        yield "has other disks than its own one"


def _guestinfo(vm: Registration, private_key: str) -> Iterator[str]:
    if not vm.is_secret("extraConfig"):
        yield "has its guestinfo in clear"
    config = vm.plain("extraConfig")
    user_data = base64.b64decode(config["guestinfo.userdata"]).decode()
    if private_key.splitlines()[1] not in user_data.replace(" ", "").replace("\n\n", "\n"):
        yield "does not get the derived host key"
    if "guestinfo.metadata" not in config or "edge-hosts.owner" not in config:
        yield "is not marked as ours"
