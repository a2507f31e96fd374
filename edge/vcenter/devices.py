"""One machine closely: its disks, network cards, firmware, snapshots and what the guest tells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any

from pyVmomi import vim

from edge.vcenter.model import Disk, Nic, Snapshot, Vm

CLOSE = (
    "config.hardware.device", "config.hardware.numCPU", "config.hardware.memoryMB", "config.extraConfig",
    "config.firmware", "config.bootOptions", "config.guestId", "config.version", "config.keyId", "config.tools",
    "config.vAppConfig", "guest.net", "guest.toolsVersionStatus2", "guest.toolsRunningStatus", "snapshot",
)  # fmt: skip
# What a template that cloud-init configures carries: guestinfo of an earlier boot, or a person's word.
_CLOUD_INIT = ("guestinfo.metadata", "guestinfo.userdata", "edge-hosts.cloud-init")
_BUSES: tuple[tuple[Any, str], ...] = (
    (vim.vm.device.VirtualSCSIController, "scsi"),
    (vim.vm.device.VirtualIDEController, "ide"),
    (vim.vm.device.VirtualAHCIController, "sata"),
    (vim.vm.device.VirtualNVMEController, "nvme"),
)


def closely(vm: Vm, got: Mapping[str, Any]) -> Vm:
    """Return a machine with everything that its properties tell."""
    devices = got.get("config.hardware.device") or ()
    extra = {str(one.key): str(one.value) for one in got.get("config.extraConfig") or ()}
    boot = got.get("config.bootOptions")
    number = re.fullmatch(r"vmx-0*(\d+)", str(got.get("config.version") or ""))
    return replace(
        vm,
        close=True,
        extra=extra,
        disks=tuple(_disks(devices)),
        nics=tuple(_nics(devices)),
        snapshots=tuple(_snapshots(getattr(got.get("snapshot"), "rootSnapshotList", None) or ())),
        addresses=tuple(dict.fromkeys((*vm.addresses, *_addresses(got.get("guest.net") or ())))),
        firmware=str(got.get("config.firmware") or ""),
        secure_boot=bool(getattr(boot, "efiSecureBootEnabled", False)),
        guest_id=str(got.get("config.guestId") or ""),
        hardware=int(number[1]) if number else 0,
        encrypted=got.get("config.keyId") is not None,
        tools=_tools(got, extra),
        cpus=int(got.get("config.hardware.numCPU") or 0),
        memory_mib=int(got.get("config.hardware.memoryMB") or 0),
    )


def _disks(devices: Iterable[Any]) -> Iterator[Disk]:
    buses = {one.key: word for one in devices for kind, word in _BUSES if isinstance(one, kind)}
    for one in devices:
        if isinstance(one, vim.vm.device.VirtualDisk):
            size = int(one.capacityInBytes or 0) or int(one.capacityInKB or 0) * 1024
            backing = one.backing
            store = str(getattr(getattr(backing, "datastore", None), "_moId", "") or "")
            yield Disk(size, bool(getattr(backing, "thinProvisioned", False)), buses.get(one.controllerKey, "?"), store)


def _nics(devices: Iterable[Any]) -> Iterator[Nic]:
    for one in devices:
        if isinstance(one, vim.vm.device.VirtualEthernetCard):
            kind = type(one).__name__.rpartition(".")[2].removeprefix("Virtual").lower()
            backing = one.backing
            port = getattr(getattr(backing, "port", None), "portgroupKey", "")
            network = str(getattr(getattr(backing, "network", None), "_moId", "") or port or "")
            yield Nic(kind, str(one.macAddress or "").lower(), network)


def _snapshots(trees: Iterable[Any]) -> Iterator[Snapshot]:
    for one in trees:
        created = one.createTime
        yield Snapshot(str(one.name), created if created.tzinfo else created.replace(tzinfo=UTC))
        yield from _snapshots(one.childSnapshotList or ())


def _addresses(nets: Iterable[Any]) -> Iterator[str]:
    """Yield the addresses that the guest reports on the cards that vSphere gave it; not those of container bridges."""
    for one in nets:
        if (one.deviceConfigId if one.deviceConfigId is not None else -1) > 0:
            yield from (str(address) for address in one.ipAddress or ())


def _tools(got: Mapping[str, Any], extra: Mapping[str, str]) -> bool:
    """Return whether a machine shows VMware Tools or cloud-init: either has run in it, or its OVF asks for user-data."""
    status = str(got.get("guest.toolsVersionStatus2") or "")
    version = int(getattr(got.get("config.tools"), "toolsVersion", None) or 0)
    running = str(got.get("guest.toolsRunningStatus") or "") == "guestToolsRunning"
    asked = getattr(got.get("config.vAppConfig"), "property", None) or ()
    return (
        version > 0
        or running
        or (bool(status) and status != "guestToolsNotInstalled")
        or any(extra.get(key) for key in _CLOUD_INIT)
        or any(str(one.id) == "user-data" for one in asked)
    )
