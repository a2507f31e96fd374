"""The port to a vCenter's files and drives, for the length of a rehearsal: over the lab's VMs and datastores."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from edge.errors import LabError, PendingError
from edge.vcenter import media
from edge.vcenter.errors import VcenterError
from edge.vcenter.media import MARK_PREFIX, Power, Ticket, VcenterAccess, VmView, VsphereMedia
from lab.client import LabClient
from lab.rehearsal import drives
from lab.rehearsal.login import refusal

_KEPT = ("id", "name", "uuid", "mac", "disk_gib", "cpus", "memory_mib", "network", "template", "firmware", "extra")


class LabMedia:
    """One login to the vCenter of a rehearsal. Errors are those of a vCenter."""

    def __init__(self, lab: LabClient) -> None:
        self._lab = lab

    def vm(self, uuid: str) -> VmView | None:
        """Return a VM by its BIOS uuid, None when there is none."""
        found = self._find(uuid)
        if found is None:
            return None
        power: Power = "on" if found["state"] == "poweredOn" else "off"
        isos, order = tuple(found["isos"]), tuple(found["boot_order"])
        marks = {str(key): str(value) for key, value in found["extra"].items() if str(key).startswith(MARK_PREFIX)}
        return VmView(uuid, str(found["name"]), power, isos, order, drives.folder_of(found), marks)

    def set_drives(
        self, uuid: str, isos: Sequence[str], boot_order: Sequence[str] = (), marks: Mapping[str, str] | None = None
    ) -> None:
        """Put these ISOs into the drives in order ("" empties one), and set boot order and marks if they are given."""
        vm = self._known(uuid)
        if len(isos) > len(vm["isos"]):
            raise VcenterError(
                f"the VM has {len(vm['isos'])} CD-ROM drives, and {len(isos)} media are given", where=uuid
            )
        for iso in isos:
            if iso and self._ask("size", "LAB", iso) is None:
                raise VcenterError(f"File {iso} was not found.", where=str(vm["name"]))
        changed = [*isos, *vm["isos"][len(isos) :]]
        order = list(boot_order) or vm["boot_order"]
        definition = {key: vm[key] for key in _KEPT}
        definition["extra"] = {**vm["extra"], **dict(marks or {})}
        with _as_vcenter():
            self._lab.define_vm({**definition, "guestinfo": vm["guestinfo"], "isos": changed, "boot_order": order})

    def power_on(self, uuid: str) -> None:
        """Switch a VM on; one that is on already stays so."""
        vm = self._known(uuid)
        if vm["state"] != "poweredOn":
            with _as_vcenter():
                self._lab.power_vm(str(vm["id"]), "on")

    def file_size(self, datacenter: str, path: str) -> int | None:
        """Return the size of a file in bytes, None when it is not there."""
        found: int | None = self._ask("size", datacenter, path)
        return found

    def put_file(self, datacenter: str, path: str, data: bytes) -> None:
        """Write a small file; its folder is made when it is missing."""
        self._ask("put", datacenter, path, content=base64.b64encode(data).decode("ascii"))

    def delete_file(self, datacenter: str, path: str) -> None:
        """Delete a file; one that is gone already is no error."""
        self._ask("delete", datacenter, path)

    def make_folder(self, datacenter: str, path: str) -> None:
        """Make a folder and those above it."""
        self._ask("make-folder", datacenter, path)

    def files(self, datacenter: str, folder: str) -> Mapping[str, int]:
        """Return the files of a folder, by name, with their sizes."""
        found: dict[str, int] = self._ask("files", datacenter, folder)
        return found

    def ticket(self, datacenter: str, path: str, method: Literal["GET", "PUT"]) -> Ticket:
        """Return a ticket for one request to the service of the lab's datastores."""
        found = self._ask("ticket", datacenter, path, method=method)
        authority = self._lab.paths.root / "ca" / "public.pem"
        return Ticket(str(found["url"]), dict(found["headers"]), authority.read_text("utf-8"))

    def _ask(self, action: str, datacenter: str, path: str, **given: object) -> Any:
        with _as_vcenter():
            return self._lab.datastores(action, datacenter, path, **given)

    def _find(self, uuid: str) -> dict[str, Any] | None:
        with _as_vcenter():
            return next((vm for vm in self._lab.vms() if vm["uuid"] == uuid), None)

    def _known(self, uuid: str) -> dict[str, Any]:
        vm = self._find(uuid)
        if vm is None:
            raise VcenterError(f"there is no VM with the BIOS uuid {uuid}", remedy="Was it removed by hand?")
        return vm


@contextmanager
def in_place(lab: Callable[[], LabClient]) -> Iterator[None]:
    """Let `edge.vcenter.media.open_media` open the vCenter of the rehearsal until the end of the block."""

    @contextmanager
    def opened(access: VcenterAccess) -> Iterator[VsphereMedia]:
        client = lab()
        with _as_vcenter():
            problem = refusal(client, access.server, access.user, access.password)
        if problem is not None:
            raise VcenterError(problem, where=access.server)
        yield LabMedia(client)

    before = media.open_media
    media.open_media = opened
    try:
        yield
    finally:
        media.open_media = before


@contextmanager
def _as_vcenter() -> Iterator[None]:
    try:
        yield
    except LabError as error:
        if "locked" in error.message:  # a medium in the drive of a machine that is on
            raise PendingError(error.message, where=error.where) from None
        raise VcenterError(error.message, where=error.where, remedy=error.remedy) from None
