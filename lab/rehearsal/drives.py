"""The drives of a VM in a rehearsal: the provider's and vCenter's rules for them, and the folder of the VM's own files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge.errors import LabError
from lab.client import LabClient
from lab.rehearsal import inventory

# Beside the program's own extra configuration: the media that the VM was made with, and the datastore that it lies on.
ISOS, DATASTORE = "rehearsal.isos", "rehearsal.datastore"
_MOST = 2
_FIRMWARES = ("bios", "efi")


def wanted(cdroms: Sequence[Mapping[str, Any]], lab: LabClient) -> list[str]:
    """Return the media of a VM's drives as `[datastore] path`, "" for an empty drive. Raises LabError in the words of
    the provider, and in vCenter's for a file that is not there."""
    if len(cdroms) > _MOST:
        raise LabError(f"cdrom: attribute supports {_MOST} item maximum, config has {len(cdroms)} declared")
    return [_medium(cdrom, lab) for cdrom in cdroms]


def _medium(cdrom: Mapping[str, Any], lab: LabClient) -> str:
    client, store, path = bool(cdrom.get("clientDevice")), cdrom.get("datastoreId"), cdrom.get("path")
    if client and (store or path):
        raise LabError("Cannot have both client_device parameter and ISO file parameters (datastore_id, path) set")
    if client:
        return ""
    if not store or not path:
        raise LabError("Either client_device or datastore_id and path must be set")
    medium = f"[{_name(store)}] {path}"
    if lab.datastores("size", inventory.DATACENTER, medium) is None:
        raise LabError(f"File {medium} was not found.")
    return medium


def blank_rules(inputs: Mapping[str, Any]) -> None:
    """Raise LabError for a VM from scratch that vCenter refuses."""
    from pyVmomi import vim as typed

    vim: Any = typed  # its classes are made at run time

    disks = inputs.get("disks") or []
    if len(disks) != 1:
        raise LabError(f"a machine of the lab has one disk, got {len(disks)}")
    if int(disks[0].get("size") or 0) < 1:
        raise LabError("disk.0: size for disk is required and must be at least 1 GB")
    firmware, guest = inputs.get("firmware") or "bios", inputs.get("guestId") or "otherGuest64"
    if firmware not in _FIRMWARES:
        raise LabError(f"expected firmware to be one of {list(_FIRMWARES)}, got {firmware}")
    if guest not in vim.vm.GuestOsDescriptor.GuestOsIdentifier.values:
        raise LabError("A specified parameter was not correct: configSpec.guestId")


def datastore_of(inputs: Mapping[str, Any]) -> str:
    """Return the datastore that a VM is put on; the one of a cluster when the cluster chooses."""
    store = inputs.get("datastoreId")
    return _name(store) if store else inventory.IN_PODS["pod-1"]


def _name(store: object) -> str:
    for name, id_ in inventory.DATASTORES.items():
        if id_ == store:
            return name
    raise LabError(
        f"ServerFaultCode: The object 'datastore:{store}' has already been deleted or has not been completely created"
    )


def folder_of(vm: Mapping[str, Any]) -> str:
    """Return the folder of a VM's own files."""
    return f"[{vm['extra'].get(DATASTORE, 'ssd-1')}] {vm['name']}"


def make_folder(vm: Mapping[str, Any], lab: LabClient) -> None:
    """Make the folder of a new VM."""
    lab.datastores("make-folder", inventory.DATACENTER, folder_of(vm))


def clear_folder(vm: Mapping[str, Any], lab: LabClient) -> None:
    """Remove the folder of a VM that is destroyed, with the files in it, as vCenter does."""
    folder = folder_of(vm)
    for name in lab.datastores("files", inventory.DATACENTER, folder):
        lab.datastores("delete", inventory.DATACENTER, f"{folder}/{name}")
    lab.datastores("delete", inventory.DATACENTER, folder)
