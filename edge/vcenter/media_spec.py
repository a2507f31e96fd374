"""What is written to and read from vCenter's objects about drives, boot order and files: pure, over the API's own types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from pyVmomi import vim

from edge.vcenter.errors import VcenterError
from edge.vcenter.media import MARK_PREFIX, Power, VmView

# What is asked of a VM.
VM = (
    "name", "runtime.powerState", "config.hardware.device", "config.bootOptions", "config.extraConfig",
    "config.files.vmPathName", "config.createDate", "runtime.bootTime",
)  # fmt: skip
_POWERS: Mapping[str, Power] = {"poweredOn": "on", "poweredOff": "off", "suspended": "suspended"}
_PLACE = re.compile(r"\[([^\]]+)\] ?(.*)")
# The library has no types.
_VIM: Any = vim
_CDROM: Any = vim.vm.device.VirtualCdrom
_BOOTABLE: Any = vim.vm.BootOptions
_LOCKED = "msg.cdromdisconnect.locked"


def parts(path: str) -> tuple[str, str]:
    """Return datastore and inner path of `[datastore] folder/name`. Raises VcenterError for another form."""
    found = _PLACE.fullmatch(path)
    if not found:
        remedy = "write it as `[datastore] folder/name`"
        raise VcenterError(f"{path!r} is no path on a datastore.", remedy=remedy)
    return found[1], found[2]


def split(path: str) -> tuple[str, str]:
    """Return the folder, as `[datastore] folder`, and the name of a file."""
    store, inside = parts(path)
    folder, _, name = inside.rpartition("/")
    return (f"[{store}] {folder}".rstrip(), name)


def address(server: str, store: str, inside: str, datacenter: str) -> str:
    """Return where vCenter or an ESXi host serve a file of a datastore."""
    query = urlencode({"dcPath": datacenter, "dsName": store}, quote_via=quote)
    return f"https://{server}/folder/{quote(inside)}?{query}"


def view(uuid: str, got: Mapping[str, Any]) -> VmView:
    """Return a VM from its properties."""
    return VmView(
        uuid=uuid,
        name=str(got.get("name") or ""),
        power=_POWERS.get(str(got.get("runtime.powerState")), "off"),
        drives=tuple(iso_in(one) for one in drives(got.get("config.hardware.device") or ())),
        boot_order=boot_order(got.get("config.bootOptions")),
        folder=str(got.get("config.files.vmPathName") or "").rpartition("/")[0],
        marks=marks(got.get("config.extraConfig") or ()),
        started_after=_seconds(got.get("config.createDate"), got.get("runtime.bootTime")),
    )


def _seconds(made: object, started: object) -> float:
    """Return the seconds between two moments, 0 where one is not known, as with an old host."""
    if not isinstance(made, datetime) or not isinstance(started, datetime):
        return 0.0
    if (made.tzinfo is None) != (started.tzinfo is None):
        return 0.0
    return max(0.0, (started - made).total_seconds())


def drives(devices: Iterable[Any]) -> list[Any]:
    """Return the CD-ROM drives in the order of their keys, which is that in which they were made."""
    return sorted((one for one in devices if isinstance(one, _CDROM)), key=lambda one: int(one.key))


def iso_in(drive: Any) -> str:
    """Return the path of the ISO in a drive, "" where there is none.

    One that the guest has ejected counts: the next power-on would find it again.
    """
    backing = drive.backing
    return str(backing.fileName or "") if isinstance(backing, _CDROM.IsoBackingInfo) else ""


def boot_order(options: Any) -> tuple[str, ...]:
    """Return the boot order in words; empty where nobody has set one."""
    words = {
        _BOOTABLE.BootableDiskDevice: "disk",
        _BOOTABLE.BootableCdromDevice: "cdrom",
        _BOOTABLE.BootableEthernetDevice: "ethernet",
        _BOOTABLE.BootableFloppyDevice: "floppy",
    }
    # A VM with several disks names each of them.
    return tuple(dict.fromkeys(words.get(type(one), "?") for one in getattr(options, "bootOrder", None) or ()))


def marks(config: Iterable[Any]) -> dict[str, str]:
    """Return the configuration keys that this program has written on the VM."""
    return {str(one.key): str(one.value) for one in config if str(one.key).startswith(MARK_PREFIX)}


def change(
    name: str, devices: Sequence[Any], isos: Sequence[str], order: Sequence[str], marked: Mapping[str, str]
) -> Any:
    """Return the reconfiguration that puts ISOs into drives, with boot order and marks.

    Raises VcenterError for a VM with fewer drives than ISOs.
    """
    there = drives(devices)
    if len(there) < len(isos):
        remedy = "raise the generation of the host, which makes the VM anew"
        raise VcenterError(f"{name} has {len(there)} CD-ROM drives where {len(isos)} are needed.", remedy=remedy)
    spec = _VIM.vm.ConfigSpec()
    spec.deviceChange = [_edited(drive, iso) for drive, iso in zip(there, isos, strict=False) if iso_in(drive) != iso]
    if order:
        spec.bootOptions = _BOOTABLE(bootOrder=_ordered(devices, order))
    spec.extraConfig = [_VIM.option.OptionValue(key=key, value=value) for key, value in sorted(marked.items())]
    return spec


def _edited(drive: Any, iso: str) -> Any:
    if iso:
        drive.backing = _CDROM.IsoBackingInfo(fileName=iso)
    else:
        drive.backing = _CDROM.RemotePassthroughBackingInfo(deviceName="", exclusive=False)
    drive.connectable = _VIM.vm.device.VirtualDevice.ConnectInfo(
        startConnected=bool(iso), connected=bool(iso), allowGuestControl=True
    )
    return _VIM.vm.device.VirtualDeviceSpec(operation="edit", device=drive)


def _ordered(devices: Sequence[Any], order: Sequence[str]) -> list[Any]:
    """Return the boot order; a disk is named by its key, a CD-ROM drive by its kind."""
    disks = sorted(int(one.key) for one in devices if isinstance(one, vim.vm.device.VirtualDisk))
    made: list[Any] = []
    for word in order:
        if word == "disk":
            made += [_BOOTABLE.BootableDiskDevice(deviceKey=key) for key in disks]
        elif word == "cdrom":
            made.append(_BOOTABLE.BootableCdromDevice())
    return made


def search(pattern: str) -> Any:
    """Return what a datastore's browser is asked for: names and sizes."""
    details = _VIM.host.DatastoreBrowser.FileInfo.Details(fileSize=True, fileType=True, modification=False)
    return _VIM.host.DatastoreBrowser.SearchSpec(matchPattern=[pattern], details=details)


def yes(question: Any) -> str | None:
    """Return the answer that takes a locked medium from a guest, None for any other question."""
    texts = [str(getattr(one, "id", "")) for one in getattr(question, "message", None) or ()]
    if _LOCKED not in texts and _LOCKED not in str(getattr(question, "text", "")):
        return None
    choices = getattr(question.choice, "choiceInfo", None) or ()
    for one in choices:
        if str(getattr(one, "label", "")).strip("&").lower() in ("yes", "button.yes"):
            return str(one.key)
    return str(choices[0].key) if choices else "0"
