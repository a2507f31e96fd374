"""Acts for the vSphere provider: look-ups by name, folders, and virtual machines that really boot in the lab.

As everywhere in a rehearsal, only type and wire inputs count. Rules that vCenter or the provider would hold a clone to are
held here, in their words. There is no state: a VM of the same name, origin (template, or ISOs) and trigger is kept, any
other is replaced.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from pulumi.runtime import MockResourceArgs

from edge.errors import LabError
from lab.client import LabClient
from lab.rehearsal import drives, inventory
from lab.rehearsal.login import refusal
from lab.rehearsal.wire import unwrap

PREFIX = "vsphere:index/"
PROVIDER = "pulumi:providers:vsphere"
# What the rehearsal writes beside the program's own extra configuration, to know the VM again.
TRIGGER = "rehearsal.replaceTrigger"
_MAC = re.compile(r"00:50:56:[0-3][0-9a-f](:[0-9a-f]{2}){2}", re.IGNORECASE)
_NAME_LENGTH = 80

Made = tuple[str, dict[str, Any]]
OnLine = Callable[[str, str], None]


class Vsphere:
    """One vCenter for the length of a rehearsal; its machines are the lab's VMs, and outlive it."""

    def __init__(self, lab: Callable[[], LabClient], on_line: OnLine) -> None:
        self._find_lab = lab
        self._lab: LabClient | None = None
        self._on_line = on_line
        self._folders = {""}
        self._lock = threading.Lock()
        self._acts: dict[str, Callable[[MockResourceArgs, dict[str, Any]], Made]] = {
            "folder:Folder": self._folder,
            "virtualMachine:VirtualMachine": self._machine,
            "computeClusterVmAntiAffinityRule:ComputeClusterVmAntiAffinityRule": self._rule,
            "haVmOverride:HaVmOverride": self._override,
        }

    def call(self, token: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a function of the provider answers. Raises LabError in the provider's words."""
        return inventory.look_up(token.rpartition(":")[2], unwrap(dict(given)))

    def create(self, args: MockResourceArgs, inputs: dict[str, Any]) -> Made:
        """Create one resource for real. Raises LabError in the provider's words."""
        if args.typ == PROVIDER:
            return self._login(inputs)
        act = self._acts.get(args.typ.removeprefix(PREFIX))
        if act is None:
            raise LabError(f"the rehearsal has no provider for resources of type {args.typ} ({args.name})")
        return act(args, inputs)

    @property
    def lab(self) -> LabClient:
        """Return the daemon that has the machines."""
        if self._lab is None:
            self._lab = self._find_lab()
        return self._lab

    def _login(self, inputs: Mapping[str, Any]) -> Made:
        """Log in as the provider does when it is configured: every resource and function comes after that."""
        server = str(inputs.get("vsphereServer"))
        problem = refusal(self.lab, server, inputs.get("user"), inputs.get("password"))
        if problem is not None:
            raise LabError(problem, where=server if problem.startswith("ServerFault") else "")
        return f"vsphere-{uuid4().hex[:8]}", {}

    def _folder(self, _args: MockResourceArgs, inputs: dict[str, Any]) -> Made:
        path = str(inputs.get("path") or "").strip("/")
        parent = path.rpartition("/")[0]
        with self._lock:
            if parent not in self._folders:
                raise LabError(f"folder '/{inventory.DATACENTER}/vm/{parent}' not found")
            self._folders.add(path)
        return f"group-v{sum(path.encode())}", {**inputs, "path": path}

    def _rule(self, _args: MockResourceArgs, inputs: dict[str, Any]) -> Made:
        cluster = _known("cluster", inputs.get("computeClusterId"), inventory.CLUSTERS.values())
        members = {str(uuid) for uuid in inputs.get("virtualMachineIds") or ()}
        for uuid in members:
            self._by_uuid(uuid)
        if len(members) < 2:
            raise LabError("virtual_machine_ids: a rule needs at least two virtual machines")
        return f"{cluster}:1", dict(inputs)

    def _override(self, _args: MockResourceArgs, inputs: dict[str, Any]) -> Made:
        cluster = _known("cluster", inputs.get("computeClusterId"), inventory.CLUSTERS.values())
        return f"{cluster}:{self._by_uuid(inputs.get('virtualMachineId'))['id']}", dict(inputs)

    def _by_uuid(self, uuid: object) -> dict[str, Any]:
        for vm in self.lab.vms():
            if vm["uuid"] == uuid:
                return vm
        raise LabError(f'cannot locate virtual machine with UUID "{uuid}": virtual machine with that UUID not found')

    def _machine(self, args: MockResourceArgs, inputs: dict[str, Any]) -> Made:
        if args.resource_id:
            return self._adopt(args, inputs)
        seed = self._clone_rules(inputs) if inputs.get("clone") else None
        if seed is None:
            drives.blank_rules(inputs)
        self._place_rules(inputs)
        isos = drives.wanted(inputs.get("cdroms") or [], self.lab)
        wanted = _definition(inputs, seed, isos)
        name = str(inputs["name"])
        kept: dict[str, Any] | None = None
        for vm in [vm for vm in self.lab.vms() if vm["name"] == name]:
            if kept is None and _origin(vm) == _origin(wanted):
                kept = vm
                continue
            self._on_line(args.name, f"{name}: another machine of this name is destroyed")
            self.lab.destroy_vm(str(vm["id"]))
            drives.clear_folder(vm, self.lab)
        new = kept is None
        if kept is None:
            self._on_line(args.name, f"{name}: cloned from {seed.name}" if seed else f"{name}: made with a blank disk")
            kept = self.lab.define_vm(wanted)
            drives.make_folder(kept, self.lab)
        # The provider switches on what it creates. What has installed itself and is off waits for whoever boots it.
        begun = kept["appliance"] is not None and kept["appliance"]["installations"] > 0
        if not new and begun:
            return self._made(args, inputs, kept)
        return self._running(args, inputs, kept)

    def _adopt(self, args: MockResourceArgs, inputs: dict[str, Any]) -> Made:
        """Take over a VM by its path, as the engine does with the option `import`."""
        name = str(args.resource_id).rpartition("/")[2]
        for vm in self.lab.vms():
            if vm["name"] == name:
                return self._running(args, inputs, vm)
        raise LabError(f"virtual machine '{args.resource_id}' not found")

    def _running(self, args: MockResourceArgs, inputs: dict[str, Any], vm: Mapping[str, Any]) -> Made:
        if vm["state"] != "poweredOn":
            self._on_line(args.name, f"{vm['name']}: powered on")
            vm = self.lab.power_vm(str(vm["id"]), "on")
        return self._made(args, inputs, vm)

    @staticmethod
    def _made(args: MockResourceArgs, inputs: dict[str, Any], vm: Mapping[str, Any]) -> Made:
        outputs = {
            **args.inputs,
            "uuid": vm["uuid"],
            "moid": f"vm-{sum(str(vm['id']).encode())}",
            "powerState": "on" if vm["state"] == "poweredOn" else "off",
            "hostSystemId": inputs.get("hostSystemId") or inventory.HOSTS["esx-1"][0],
            "defaultIpAddress": vm["guest"]["ip"],
            "guestIpAddresses": [ip for ip in [vm["guest"]["ip"]] if ip],
            "imported": bool(args.resource_id),
            "vmxPath": f"{vm['name']}/{vm['name']}.vmx",
            "vmwareToolsStatus": "guestToolsNotRunning",
        }
        return str(vm["uuid"]), outputs

    def _clone_rules(self, inputs: Mapping[str, Any]) -> inventory.Seed:
        """Return what is cloned. Raises LabError where vCenter, the provider or the machine's firmware would refuse."""
        uuid = (inputs.get("clone") or {}).get("templateUuid")
        seed = inventory.BY_UUID.get(str(uuid))
        if seed is None:
            raise LabError(f'cannot locate virtual machine or template with UUID "{uuid}"')
        if seed.encrypted:
            raise LabError(f"error cloning virtual machine: {seed.name} is encrypted and there is no key provider")
        disks = inputs.get("disks") or []
        if len(disks) != 1:
            raise LabError(f"not enough or too many disks: {len(disks)}, and the template has 1")
        size = int(disks[0].get("size") or 0)
        if size < seed.disk_gib:
            raise LabError(
                f"disk.0: disk size in GB must be equal to or greater than the template's ({size} < {seed.disk_gib})"
            )
        for key, of_template in (("firmware", inventory.FIRMWARE), ("scsiType", inventory.SCSI)):
            if inputs.get(key) != of_template:
                raise LabError(f"the machine does not boot: {key} {inputs.get(key)}, its template has {of_template}")
        return seed

    def _place_rules(self, inputs: Mapping[str, Any]) -> None:
        """Raise LabError for a place that is not there, and for sizes and hardware that no VM can have."""
        folder = str(inputs.get("folder") or "").strip("/")
        with self._lock:
            if folder not in self._folders:
                raise LabError(f"folder '/{inventory.DATACENTER}/vm/{folder}' not found")
        _known("resource pool", inputs.get("resourcePoolId"), inventory.POOLS.values())
        stores = [inputs.get("datastoreId"), inputs.get("datastoreClusterId")]
        if sum(store is not None for store in stores) != 1:
            raise LabError("one of datastore_id, datastore_cluster_id must be specified")
        _known("datastore", stores[0] or stores[1], {*inventory.DATASTORES.values(), *inventory.PODS.values()})
        disk = inputs["disks"][0]
        if disk.get("thinProvisioned") is False and int(disk["size"]) > inventory.FREE_GIB:
            raise LabError("Insufficient disk space on datastore.")
        _hardware_rules(inputs)


def _hardware_rules(inputs: Mapping[str, Any]) -> None:
    name, cpus, memory = (
        str(inputs.get("name") or ""),
        int(inputs.get("numCpus") or 1),
        int(inputs.get("memory") or 1024),
    )
    if not name or len(name) > _NAME_LENGTH:
        raise LabError(f"expected length of name to be in the range (1 - {_NAME_LENGTH}), got {name}")
    if memory % 4:
        raise LabError(f"The memory size {memory} MB is no multiple of 4 MB.")
    if cpus % int(inputs.get("numCoresPerSocket") or 1):
        raise LabError(f"The number of {cpus} CPUs is no multiple of the cores per socket.")
    cards = inputs.get("networkInterfaces") or []
    if len(cards) != 1:
        raise LabError(f"a machine of the lab has one network interface, got {len(cards)}")
    _known("network", cards[0].get("networkId"), inventory.NETWORKS.values())
    address = str(cards[0].get("macAddress") or "")
    if not cards[0].get("useStaticMac") or not _MAC.fullmatch(address):
        raise LabError(f"the static hardware address {address!r} is not in VMware's range 00:50:56:00 to 00:50:56:3f")


def _known(what: str, id_: object, known: Any) -> str:
    if id_ not in known:
        raise LabError(
            f"ServerFaultCode: The object '{what}:{id_}' has already been deleted or has not been completely created"
        )
    return str(id_)


def _origin(vm: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what makes a VM the same one: another origin or trigger is another machine."""
    return vm["template"], vm["extra"].get(TRIGGER), vm["extra"].get(drives.ISOS, "")


def _definition(inputs: Mapping[str, Any], seed: inventory.Seed | None, isos: Sequence[str]) -> dict[str, Any]:
    """Return what the lab has to know of a VM: cloned, or with a blank disk and media in its drives."""
    card = inputs["networkInterfaces"][0]
    config = {str(key): str(value) for key, value in (inputs.get("extraConfig") or {}).items()}
    uuid = str(uuid4())
    names = {id_: name for name, id_ in inventory.NETWORKS.items()}
    return {
        "id": uuid,
        "uuid": uuid,
        "name": inputs["name"],
        "mac": card["macAddress"],
        "network": names[card["networkId"]],
        "template": seed.name if seed else "",
        "firmware": str(inputs.get("firmware") or "bios"),
        "isos": list(isos),
        "disk_gib": int(inputs["disks"][0]["size"]),
        "cpus": int(inputs.get("numCpus") or 1),
        "memory_mib": int(inputs.get("memory") or 1024),
        "guestinfo": {key: value for key, value in config.items() if key.startswith("guestinfo.")},
        "extra": {
            **{key: value for key, value in config.items() if not key.startswith("guestinfo.")},
            TRIGGER: str(inputs.get("replaceTrigger") or ""),
            drives.ISOS: "\n".join(isos),
            drives.DATASTORE: drives.datastore_of(inputs),
        },
    }
