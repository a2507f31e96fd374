"""A vCenter in memory, with VMs that behave: an installer that wipes the disk, and a first boot that reads the own ISO once.

Without a boot order the CD-ROM comes first, the worst case: an installer that is in a drive then installs again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
import yaml

from edge.errors import PendingError
from edge.site_iso import read_site_iso
from edge.vcenter import media
from edge.vcenter.errors import VcenterError
from edge.vcenter.media import Power, Ticket, VcenterAccess, VmView

INSTALLER = "[ssd-1] edge-hosts-isos/ubuntu-0123456789ab.iso"
UUID = "4213-a"
PASSWORD = "canary-password"
LOGIN = {"server": "vc.plant:443", "user": "edge@plant", "password_secret": "vspherePassword"}


Run = Callable[[], dict[str, object]]


class KilledError(BaseException):
    """The run ends here; not an Exception, so that nothing catches it by chance."""


@dataclass
class Vm:
    """One VM. `installs` and `boots` count; `registered` is the registration that its first boot has read."""

    uuid: str = UUID
    name: str = "a"
    power: Power = "on"
    drives: list[str] = field(default_factory=lambda: [INSTALLER, ""])
    order: tuple[str, ...] = ()
    marks: dict[str, str] = field(default_factory=dict)
    folder: str = "[ssd-1] a"
    installs: int = 1
    boots: int = 0
    installed: bool = False
    first_boot: bool = True
    registered: str = ""
    power_ons: int = 0
    started_after: float = 0.0

    def view(self) -> VmView:
        drives, marks = tuple(self.drives), dict(self.marks)
        return VmView(self.uuid, self.name, self.power, drives, self.order, self.folder, marks, self.started_after)


@dataclass
class World:
    """VMs and files. `calls` lists what was asked; `before` and `after` may raise around a change."""

    vms: dict[str, Vm] = field(default_factory=lambda: {UUID: Vm()})
    data: dict[str, bytes] = field(default_factory=lambda: {INSTALLER: b"x" * 1000})
    calls: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda _call: None
    after: Callable[[str], None] = lambda _call: None
    late: list[Callable[[], None]] = field(default_factory=list)
    asked: list[VcenterAccess] = field(default_factory=list)

    @property
    def one(self) -> Vm:
        return self.vms[UUID]

    def install_ends(self) -> None:
        """Let the installer come to its end: it powers the VM off."""
        vm = self.one
        if vm.power == "on" and not vm.installed:
            vm.installed, vm.first_boot, vm.power = True, True, "off"

    def boot(self, vm: Vm) -> None:
        """Power a VM on: what is first in boot order and can be booted wins."""
        vm.power, vm.power_ons = "on", vm.power_ons + 1
        medium = INSTALLER in vm.drives
        if medium and (not vm.installed or vm.order[:1] != ("disk",)):
            vm.installs, vm.installed = vm.installs + 1, False
        elif vm.installed:
            vm.boots += 1
            if vm.first_boot:
                vm.first_boot = False
                vm.registered = self._epoch(vm)

    def _epoch(self, vm: Vm) -> str:
        for iso in vm.drives:
            if "cidata" in iso and iso in self.data:
                text = read_site_iso(self.data[iso])["user-data"]
                return str(yaml.safe_load(text)["stylus"]["site"]["tags"]["edge-hosts-epoch"])
        return ""

    def _change(self, call: str, deed: Callable[[], None]) -> None:
        self.calls.append(call)
        self.before(call)
        deed()
        self.after(call)

    def vm(self, uuid: str) -> VmView | None:
        self.calls.append("vm")
        while self.late:
            self.late.pop(0)()
        found = self.vms.get(uuid)
        return found.view() if found else None

    def set_drives(
        self, uuid: str, isos: Sequence[str], boot_order: Sequence[str] = (), marks: Mapping[str, str] | None = None
    ) -> None:
        vm = self.vms[uuid]

        def deed() -> None:
            missing = [iso for iso in isos if iso and iso not in self.data]
            if missing or len(isos) > len(vm.drives):
                raise VcenterError(f"no file {missing}")
            vm.drives[: len(isos)] = isos
            vm.order = tuple(boot_order) or vm.order
            vm.marks |= dict(marks or {})

        self._change("set_drives", deed)

    def power_on(self, uuid: str) -> None:
        self._change("power_on", lambda: self.boot(self.vms[uuid]))

    def file_size(self, datacenter: str, path: str) -> int | None:
        self.calls.append("file_size")
        return len(self.data[path]) if path in self.data else None

    def put_file(self, datacenter: str, path: str, data: bytes) -> None:
        assert datacenter == "LAB"
        self._change("put_file", lambda: self.data.__setitem__(path, data))

    def delete_file(self, datacenter: str, path: str) -> None:
        def deed() -> None:
            if any(path in vm.drives and vm.power == "on" for vm in self.vms.values()):
                raise PendingError(f"{path} is still in use.", remedy="wait")
            self.data.pop(path, None)

        self._change("delete_file", deed)

    def make_folder(self, datacenter: str, path: str) -> None:
        self.calls.append("make_folder")

    def files(self, datacenter: str, folder: str) -> Mapping[str, int]:
        self.calls.append("files")
        return {
            path.rpartition("/")[2]: len(data) for path, data in self.data.items() if path.rpartition("/")[0] == folder
        }

    def ticket(self, datacenter: str, path: str, method: Literal["GET", "PUT"]) -> Ticket:
        raise NotImplementedError

    @property
    def tokens(self) -> list[str]:
        """Return the own ISOs that lie on the datastores."""
        return [path for path in self.data if "cidata" in path]


def secret(name: str) -> str | None:
    """Return the secret of the stack."""
    return PASSWORD if name == "vspherePassword" else None


def user_data(epoch: str = "e1", token: str = "t1", extra: str = "") -> str:
    """Return a small site file."""
    site: dict[str, Any] = {"edgeHostToken": token, "name": "a", "tags": {"edge-hosts-epoch": epoch, "extra": extra}}
    return "#cloud-config\n" + yaml.safe_dump({"stylus": {"site": site}})


def inputs(**more: Any) -> dict[str, Any]:
    """Return inputs as the engine hands them over."""
    epoch = more.get("epoch", "e1")
    base = {
        "name": "a-boot", "host": "a", "owner": "edge-hosts.p", "generation": 1.0, "uuid": UUID, "epoch": epoch,
        "vcenter": dict(LOGIN), "datacenter": "LAB", "installer": INSTALLER, "user_data": user_data(epoch),
        "timeout": 3600.0, "site_iso": None, "site_digest": None,
    }  # fmt: skip
    return {**base, **more}


def put_in_place(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every login find a vCenter."""

    @contextmanager
    def opened(access: VcenterAccess) -> Iterator[World]:
        made.asked.append(access)
        yield made

    monkeypatch.setattr(media, "open_media", opened)


def until_done(world: World, run: Run, *, tries: int = 12) -> dict[str, object]:
    """Repeat what is pending, as the engine does; the installer ends after the first look."""
    for _ in range(tries):
        try:
            return run()
        except PendingError:
            world.install_ends()
    raise AssertionError(f"never done: {world.one}")


def is_running(world: World, epoch: str = "e1") -> None:
    """The VM was installed once, runs from its disk, and has read its own ISO."""
    vm = world.one
    assert (vm.installs, vm.power, vm.installed, vm.registered) == (1, "on", True, epoch)
    assert vm.boots == vm.power_ons == 1, "a working host is not restarted"
    assert INSTALLER not in vm.drives
    assert vm.order == ("disk", "cdrom")


def killing(world: World, at: int, *, after: bool) -> None:
    """Let the run be killed before, or after, the change of this number."""
    count = itertools.count()

    def hook(_call: str) -> None:
        if next(count) == at:
            raise KilledError

    world.before, world.after = (lambda _call: None, hook) if after else (hook, lambda _call: None)


def calm(world: World) -> None:
    """Let nothing go wrong any more."""
    world.before = world.after = lambda _call: None


def cut(world: World, run: Run) -> None:
    """Run until killed, or to the end."""
    try:
        until_done(world, run)
    except KilledError:
        pass
    finally:
        calm(world)
