"""What the lab knows of its VMs, kept in one folder per VM, so that an interrupted lab comes back with the same ones."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from edge.errors import LabError
from lab.keys import write_private_json
from lab.takedown import remove_tree

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
_NAME_LENGTH = 80
Power = Literal["on", "off"]


@dataclass(frozen=True)
class Definition:
    """A VM as whoever stands for the vCenter defines it. Sizes are kept and shown; a container has those of its host."""

    id: str
    name: str
    uuid: str
    mac: str
    disk_gib: int = 0
    cpus: int = 0
    memory_mib: int = 0
    network: str = ""
    template: str = ""
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
        found = cls(**{**values, "mac": values["mac"].lower()})
        for value, pattern, what in ((found.id, _ID, "id"), (found.mac, _MAC, "hardware address")):
            if not pattern.fullmatch(value):
                raise LabError(f"{value!r} is no {what} of a VM", where=found.name)
        if len(found.name) > _NAME_LENGTH:
            raise LabError(f"the name {found.name!r} is longer than {_NAME_LENGTH} characters")
        return found


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
            found.append(Stored(Definition(**facts["definition"]), facts["guestinfo"], facts["power"]))
        return found

    def save(self, vm: Stored) -> None:
        """Keep a VM, for its owner's eyes only: guest variables hold keys."""
        write_private_json(self.folder(vm.definition.id) / "vm.json", asdict(vm))

    def remove(self, id_: str) -> None:
        """Forget a VM and its disk."""
        # First the definition: what is left of an interrupted removal is no VM any more.
        (self.folder(id_) / "vm.json").unlink(missing_ok=True)
        remove_tree(self.folder(id_))
