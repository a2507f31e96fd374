"""What the lab knows of its VMs, kept in one folder per VM, so that an interrupted lab comes back with the same ones."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from edge.errors import LabError
from lab.appliance.drives import MOST
from lab.keys import write_private_json
from lab.takedown import remove_tree

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
_NAME_LENGTH = 80
# As VMware's adapter is named at boot: after its slot, which the VM's settings can choose.
FIRST_DEVICE = "ens192"
SLOT = "ethernet0.pciSlotNumber"
SLOT_DEVICES = {"160": "ens160", "192": "ens192", "224": "ens224", "256": "ens256"}
Power = Literal["on", "off"]


@dataclass(frozen=True)
class Definition:
    """A VM as whoever stands for the vCenter defines it. Sizes are kept and shown; a container has those of its host.

    Without a `template` its disk is blank. `isos` are the media in its drives, `[datastore] path` or a file of this host,
    "" for an empty drive; `boot_order` holds disk and cdrom, empty for the firmware's own.
    """

    id: str
    name: str
    uuid: str
    mac: str
    disk_gib: int = 0
    cpus: int = 0
    memory_mib: int = 0
    network: str = ""
    template: str = ""
    firmware: str = ""
    isos: tuple[str, ...] = ()
    boot_order: tuple[str, ...] = ()
    guestinfo: Mapping[str, str] = field(default_factory=dict, repr=False)
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Definition:
        """Return the definition in a request. Raises LabError for a value that no VM can have."""
        unknown = sorted(set(body) - set(cls.__dataclass_fields__))
        lacking = [name for name in ("id", "name", "uuid", "mac") if not body.get(name)]
        if unknown or lacking:
            raise LabError(
                f"a VM's definition {'has no field' if unknown else 'lacks'} {(unknown or lacking)[0]}",
                remedy=f"its fields are {', '.join(cls.__dataclass_fields__)}.",
            )
        values: dict[str, Any] = {name: str(body.get(name) or "") for name in cls.__dataclass_fields__}
        values |= {name: int(body.get(name) or 0) for name in ("disk_gib", "cpus", "memory_mib")}
        for name in ("guestinfo", "extra"):
            values[name] = {str(key): str(value) for key, value in (body.get(name) or {}).items()}
        for name in ("isos", "boot_order"):
            values[name] = tuple(str(value or "") for value in body.get(name) or ())
        found = cls(**{**values, "mac": values["mac"].lower()})
        for value, pattern, what in ((found.id, _ID, "id"), (found.mac, _MAC, "hardware address")):
            if not pattern.fullmatch(value):
                raise LabError(f"{value!r} is no {what} of a VM", where=found.name)
        if len(found.name) > _NAME_LENGTH:
            raise LabError(f"the name {found.name!r} is longer than {_NAME_LENGTH} characters")
        if len(found.isos) > MOST:
            raise LabError(f"a VM has {MOST} drives, and {len(found.isos)} media are given", where=found.name)
        if unknown_devices := sorted(set(found.boot_order) - {"disk", "cdrom"}):
            raise LabError(f"a VM cannot boot from {unknown_devices[0]!r}", where=found.name, remedy="use disk, cdrom.")
        return found

    @property
    def device(self) -> str:
        """Return how a Linux system names the first interface: after the slot that it is in."""
        return SLOT_DEVICES.get(self.extra.get(SLOT, ""), FIRST_DEVICE)


@dataclass(frozen=True)
class Stored:
    """A VM in the store: its definition, its guest variables as the guest left them, and whether it is to run."""

    definition: Definition
    guestinfo: Mapping[str, str] = field(repr=False)
    power: Power = "off"

    def redefined(self, new: Definition) -> Stored:
        """Return the VM with a new definition; a variable that is defined as before stays as the guest left it."""
        before = self.definition.guestinfo
        guestinfo = {
            key: self.guestinfo.get(key, value) if before.get(key) == value else value
            for key, value in new.guestinfo.items()
        }
        # What the guest has set by itself, such as the encoding of an emptied variable.
        guestinfo |= {key: value for key, value in self.guestinfo.items() if key not in before and key not in guestinfo}
        return replace(self, definition=new, guestinfo=guestinfo)

    def as_new(self) -> Stored:
        """Return the VM with its guest variables as they were defined, as before its first boot."""
        return replace(self, guestinfo=dict(self.definition.guestinfo))


class Store:
    """The folder with one folder per VM."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder(self, id_: str) -> Path:
        """Return the folder of a VM."""
        return self._folder / id_

    def load(self) -> list[Stored]:
        """Return all VMs, sorted by id. A folder without a whole definition is one that was never made, and ignored."""
        found = []
        for path in sorted(self._folder.glob("*/vm.json")):
            facts = json.loads(path.read_text("utf-8"))
            definition: dict[str, Any] = facts["definition"]
            for name in ("isos", "boot_order"):
                definition[name] = tuple(definition.get(name, ()))
            found.append(Stored(Definition(**definition), facts["guestinfo"], facts["power"]))
        return found

    def save(self, vm: Stored) -> None:
        """Keep a VM, for its owner's eyes only: guest variables hold keys."""
        write_private_json(self.folder(vm.definition.id) / "vm.json", asdict(vm))

    def remove(self, id_: str) -> None:
        """Forget a VM and its disk."""
        # First the definition: what is left of an interrupted removal is no VM any more.
        (self.folder(id_) / "vm.json").unlink(missing_ok=True)
        remove_tree(self.folder(id_))
