"""One VM and one datastore behind the port to a vCenter, with the manners of real ones: the installer wipes the disk.

Time passes in steps: each `step` lets the installer, or the guest, go on. A medium with the installer that comes first at a
power-on installs again, whatever is on the disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from edge.errors import PendingError
from edge.site_iso import read_site_iso
from edge.vcenter.media import Power, Ticket, VcenterAccess, VmView

INSTALLER = "[ssd-1] edge-hosts-isos/installer-0123456789ab.iso"
FOLDER = "[ssd-1] plant-a"


class KilledError(Exception):
    """The program ends here, as by SIGKILL: nothing of what it would have stored is stored."""


@dataclass
class MediaWorld:
    """A vCenter with one VM, which the provider has just switched on with the installer in its first drive."""

    uuid: str = "4211-aa"
    power: Power = "on"
    drives: list[str] = field(default_factory=lambda: [INSTALLER, ""])
    order: tuple[str, ...] = ()
    marks: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=lambda: {INSTALLER: b"iso"})
    disk: str = ""
    installations: int = 0
    boots: int = 0
    identity: str = ""
    gone: bool = False
    locked: bool = False
    calls: list[str] = field(default_factory=list)
    kill_at: int = -1
    slow: bool = False

    def __post_init__(self) -> None:
        self._switched_on()

    # -- what happens by itself --------------------------------------------------------------------------------------

    def _switched_on(self) -> None:
        first_is_disk = not self.order or self.order[0] == "disk"
        if self.disk and first_is_disk:
            self._boot_disk()
        elif INSTALLER in self.drives:
            self.disk = "half"
        elif self.disk:
            self._boot_disk()

    def _boot_disk(self) -> None:
        self.boots += 1
        if self.boots == 1:
            for place in self.drives:
                if place and place != INSTALLER and place in self.files:
                    self.identity = read_site_iso(self.files[place])["user-data"]

    def step(self) -> None:
        """Let the installer end: it has wiped and written the disk, and switches the VM off."""
        if self.power == "on" and self.disk == "half" and INSTALLER in self.drives:
            self.disk, self.power = "installed", "off"
            self.installations += 1

    # -- the port ----------------------------------------------------------------------------------------------------

    @contextmanager
    def open(self, access: VcenterAccess) -> Iterator[MediaWorld]:
        """Stand in for `edge.vcenter.media.open_media`."""
        assert access.password == "pw"
        yield self

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if len(self.calls) - 1 == self.kill_at:
            raise KilledError(name)

    def vm(self, uuid: str) -> VmView | None:
        self._call("vm")
        if self.gone or uuid != self.uuid:
            return None
        return VmView(uuid, "plant-a", self.power, tuple(self.drives), self.order, FOLDER, dict(self.marks))

    def set_drives(
        self, uuid: str, isos: Sequence[str], boot_order: Sequence[str] = (), marks: Mapping[str, str] | None = None
    ) -> None:
        assert uuid == self.uuid
        missing = [iso for iso in isos if iso and iso not in self.files]
        assert not missing, f"no such file: {missing}"
        self.drives = list(isos)
        self.order = tuple(boot_order) or self.order
        self.marks |= dict(marks or {})
        self._call("set_drives")

    def power_on(self, uuid: str) -> None:
        assert uuid == self.uuid
        if self.power != "on":
            self.power = "on"
            self._switched_on()
        self._call("power_on")
        if self.slow:
            self.slow = False
            raise PendingError("vCenter is still at work")

    def file_size(self, datacenter: str, path: str) -> int | None:
        assert datacenter == "DC1"
        self._call("file_size")
        return len(self.files[path]) if path in self.files else None

    def put_file(self, datacenter: str, path: str, data: bytes) -> None:
        assert datacenter == "DC1"
        self.files[path] = data
        self._call("put_file")

    def delete_file(self, datacenter: str, path: str) -> None:
        assert datacenter == "DC1"
        if self.locked:
            raise PendingError("locked")
        self.files.pop(path, None)
        self._call("delete_file")

    def make_folder(self, datacenter: str, path: str) -> None:
        self._call("make_folder")

    def ticket(self, datacenter: str, path: str, method: Any) -> Ticket:
        raise AssertionError("nothing here needs a ticket")
