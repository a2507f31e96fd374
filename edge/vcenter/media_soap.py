"""The port to a vCenter's media, over its SOAP interface and its `/folder` service. Short calls: nothing waits for long.

A task that is not done after about a second is left to itself, and PendingError says so: the next look sees where it is.
Privileges, beside System.View and System.Read: stated at each call, all in `edge.vcenter.privileges` (vSphere Web Services
API reference, `ReconfigVM_Task`, `FileManager`, `HostDatastoreBrowser`; programming guide, HTTP access to files).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx
from pyVmomi import vim

from edge.errors import PendingError
from edge.vcenter import media_spec as spec
from edge.vcenter import properties
from edge.vcenter.errors import AwayError, VcenterError
from edge.vcenter.media import Ticket, VcenterAccess, VmView
from edge.vcenter.media_places import Places
from edge.vcenter.media_pool import POOL, Pool
from edge.vcenter.media_ticket import ticket_for
from edge.vcenter.session import Session

T = TypeVar("T")
TASK_SECONDS = 1.2
_PACE = 0.1
_VM: Any = vim.VirtualMachine
_BROWSER: Any = vim.host.DatastoreBrowser
_GONE = (vim.fault.FileNotFound, vim.fault.NotFound, vim.fault.InvalidDatastore)
_BUSY = (vim.fault.TaskInProgress, vim.fault.ConcurrentAccess)
_LOCKED = (vim.fault.FileLocked, vim.fault.CannotAccessFile, vim.fault.CannotDeleteFile, vim.fault.ResourceInUse)
_RIGHTS = "give the user Datastore.FileManagement and Datastore.Browse on the datastore"


class SoapMedia:
    """A login to a vCenter, for the length of a `with`; it is kept for the next one for some seconds.

    One object is used by one thread. Opening raises VcenterError that says why it cannot, AwayError when nobody answers.
    """

    def __init__(self, access: VcenterAccess, pool: Pool = POOL, task_seconds: float = TASK_SECONDS) -> None:
        self._access, self._pool, self._seconds = access, pool, task_seconds

    def __enter__(self) -> Self:
        self._live = self._pool.take(self._access)
        self._places = Places(self._live)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A login that was cut off in an answer is of no use to the next one.
        if isinstance(error, AwayError):
            self._live.close()
        else:
            self._pool.give(self._access, self._live)

    @property
    def _where(self) -> str:
        return self._live.where

    def vm(self, uuid: str) -> VmView | None:
        """Return a VM by its BIOS uuid, None when there is none. Needs nothing but reading."""
        found = self._found(uuid)
        return None if found is None else spec.view(uuid, found[1])

    def set_drives(
        self, uuid: str, isos: Sequence[str], boot_order: Sequence[str] = (), marks: Mapping[str, str] | None = None
    ) -> None:
        """Put these ISOs into the drives in order ("" empties one), set boot order and marks if given; one reconfiguration.

        A drive that the guest holds locked is opened all the same: the question about it is answered with yes. Needs
        VirtualMachine.Interact.SetCDMedia, .DeviceConnection and .AnswerQuestion, VirtualMachine.Config.EditDevice,
        .Settings and .AdvancedConfig, and Datastore.Browse where the ISO lies.
        """
        machine, got = self._needed(uuid)
        name = str(got.get("name"))
        change = spec.change(name, got.get("config.hardware.device") or (), isos, boot_order, marks or {})
        self._done(lambda _: machine.ReconfigVM_Task(change), f"the VM {name}: changing its drives", machine)

    def power_on(self, uuid: str) -> None:
        """Switch a VM on; one that is on stays so. Needs VirtualMachine.Interact.PowerOn."""
        machine, got = self._needed(uuid)
        if str(got.get("runtime.powerState")) == "poweredOn":
            return
        self._done(
            lambda _: machine.PowerOnVM_Task(None), f"the VM {got.get('name')}: powering on", machine, _already_on
        )

    def file_size(self, datacenter: str, path: str) -> int | None:
        """Return the size of a file in bytes, None when it is not there. Needs Datastore.Browse."""
        folder, name = spec.split(path)
        return self._listed(datacenter, folder, name).get(name)

    def files(self, datacenter: str, folder: str) -> Mapping[str, int]:
        """Return the files of a folder, by name, with their sizes; nothing when it is missing. Needs Datastore.Browse."""
        return self._listed(datacenter, folder, "*")

    def put_file(self, datacenter: str, path: str, data: bytes) -> None:
        """Write a small file, over one of the same name; its folder is made when it is missing.

        Sent through the vCenter, with the cookie of the login. Needs Datastore.FileManagement and Datastore.Browse.
        """
        status = self._put(datacenter, path, data)
        if status in (404, 500):
            # vCenter does not say what is missing; the folder is the likely part, and making it once more does no harm.
            self.make_folder(datacenter, spec.split(path)[0])
            status = self._put(datacenter, path, data)
        if status not in (200, 201, 204):
            words = {507: "the datastore is full", 401: "the login may not write", 403: "the user may not write"}
            problem = f"refused to write {path}: {words.get(status, 'unexpected answer')} (status {status})."
            fix = "make room on the datastore" if status == 507 else _RIGHTS
            raise VcenterError(problem, remedy=fix, where=self._where)

    def delete_file(self, datacenter: str, path: str) -> None:
        """Delete a file; one that is gone already, with its datastore or not, is no error. Needs Datastore.FileManagement.

        Raises PendingError while a machine holds it.
        """
        store, _ = spec.parts(path)
        center = self._places.datacenter(datacenter, missing_ok=True)
        if center is None or self._places.datastore(center, store, missing_ok=True) is None:
            return

        def locked(fault: Any) -> bool:
            if isinstance(fault, _LOCKED):
                remedy = f"if this lasts, take {path} out of the drive of the VM that has it, or delete it by hand"
                raise PendingError(f"{self._where}: {path} is still in use.", remedy=remedy)
            return isinstance(fault, _GONE)

        self._done(lambda content: content.fileManager.DeleteDatastoreFile_Task(path, center.ref), f"deleting {path}", None, locked)  # fmt: skip

    def make_folder(self, datacenter: str, path: str) -> None:
        """Make a folder and those above it; one that is there already is no error.

        Needs Datastore.FileManagement; on a vSAN datastore, whose top folders are objects of their own, Datastore.Config.
        """
        store, relative = spec.parts(path)
        if not relative:
            return
        center = self._places.datacenter(datacenter)
        found = self._places.datastore(center, store)
        top, _, below = relative.partition("/")
        if found.kind.lower() == "vsan":
            self._make(lambda content: content.datastoreNamespaceManager.CreateDirectory(found.ref, top, None))
            if not below:
                return
        self._make(lambda content: content.fileManager.MakeDirectory(path, center.ref, True))

    def ticket(self, datacenter: str, path: str, method: Literal["GET", "PUT"]) -> Ticket:
        """Return a ticket for one request. Needs Datastore.Browse to read, Datastore.FileManagement to write.

        It is for an ESXi host that has the datastore, as the vSphere client does it, where a connection to one comes about;
        else for the vCenter itself. Its certificate is the one that the vCenter knows of that host.
        """
        center = self._places.datacenter(datacenter)
        store, relative = spec.parts(path)
        return ticket_for(self._live, center, self._places.datastore(center, store), relative, method)

    def _make(self, call: Callable[[Any], Any]) -> None:
        def asked(content: Any) -> None:
            try:
                call(content)
            except vim.fault.FileAlreadyExists:
                return

        self._live.ask(asked)

    def _put(self, datacenter: str, path: str, data: bytes) -> int:
        store, relative = spec.parts(path)
        center = self._places.datacenter(datacenter)
        self._places.datastore(center, store)
        address = spec.address(self._live.vcenter.server, store, relative, center.path)
        try:
            with self._live.http() as client:
                headers = {"Cookie": self._live.cookie, "Content-Type": "application/octet-stream"}
                return client.put(address, content=data, headers=headers).status_code
        except httpx.HTTPError as error:
            raise self._live.told(error) from None

    def _listed(self, datacenter: str, folder: str, pattern: str) -> dict[str, int]:
        center = self._places.datacenter(datacenter)
        browser = self._places.datastore(center, spec.parts(folder)[0]).browser
        wanted = spec.search(pattern)
        found = self._done(
            lambda _: browser.SearchDatastore_Task(folder, wanted), f"looking into {folder}", None, _is_gone
        )
        return {
            str(one.path): int(one.fileSize or 0)
            for one in getattr(found, "file", None) or ()
            if not isinstance(one, _BROWSER.FolderInfo)
        }

    def _found(self, uuid: str) -> tuple[Any, Mapping[str, Any]] | None:
        def question(content: Any) -> list[tuple[Any, Mapping[str, Any]]]:
            machines = content.searchIndex.FindAllByUuid(None, uuid, True, False)
            return properties.of(content, machines or (), _VM, spec.VM)

        found = self._live.ask(question)
        if len(found) > 1:
            names = ", ".join(sorted(str(got.get("name")) for _, got in found))
            remedy = "give the copies a uuid of their own (`uuid.action = create`), or remove them"
            raise VcenterError(f"has several VMs with the uuid {uuid}: {names}.", remedy=remedy, where=self._where)
        return found[0] if found else None

    def _needed(self, uuid: str) -> tuple[Any, Mapping[str, Any]]:
        found = self._found(uuid)
        if found is None:
            remedy = "run `pulumi refresh`, then `pulumi up`, which makes it again"
            raise VcenterError(f"has no VM with the uuid {uuid} any more.", remedy=remedy, where=self._where)
        return found

    def _done(
        self, start: Callable[[Any], Any], what: str, machine: Any = None, fine: Callable[[Any], bool] | None = None
    ) -> Any:
        """Start a task and return its result if it ends soon. `fine` says of a fault that it is none, or raises."""
        task = self._live.ask(_unless(start, fine))
        ends = time.monotonic() + self._seconds
        while task is not None:
            state, result, fault = _state(self._live, task)
            if state == "success":
                return result
            if state == "error":
                if fine is not None and fine(fault):
                    return None
                raise self._failed(fault, what)
            _answer(self._live, machine)
            if time.monotonic() > ends:
                raise PendingError(f"{self._where}: {what} goes on.", remedy="look at its tasks in the vSphere client")
            time.sleep(_PACE)
        return None

    def _failed(self, fault: Any, what: str) -> Exception:
        if isinstance(fault, _BUSY):
            return PendingError(f"{self._where}: {what} waits for another task.", remedy="look at the VM's tasks")
        error = self._live.told(fault) if isinstance(fault, Exception) else None
        if isinstance(error, VcenterError):
            return VcenterError(f"{what} failed: {error.message}", remedy=error.remedy, where=error.where)
        return error or VcenterError(f"{what} failed.", remedy="look into its recent tasks", where=self._where)


def _unless(start: Callable[[Any], Any], fine: Callable[[Any], bool] | None) -> Callable[[Any], Any]:
    """Return the start of a task, which gives None when the call itself is refused with a fault that is none."""

    def asked(content: Any) -> Any:
        try:
            return start(content)
        except (*_GONE, *_LOCKED, vim.fault.InvalidPowerState) as fault:
            if fine is not None and fine(fault):
                return None
            raise

    return asked


def _state(live: Session, task: Any) -> tuple[str, Any, Any]:
    wanted = ("info.state", "info.error", "info.result")
    found = live.ask(lambda content: properties.of(content, [task], vim.Task, wanted))
    got = found[0][1] if found else {}
    return str(got.get("info.state", "success")), got.get("info.result"), got.get("info.error")


def _answer(live: Session, machine: Any) -> None:
    """Answer the question about a locked drive with yes; every other question is a person's."""
    if machine is None:
        return

    def asked(content: Any) -> None:
        found = properties.of(content, [machine], _VM, ("runtime.question",))
        question = found[0][1].get("runtime.question") if found else None
        if question is not None and (choice := spec.yes(question)) is not None:
            machine.AnswerVM(question.id, choice)

    live.ask(asked)


def _already_on(fault: Any) -> bool:
    return isinstance(fault, vim.fault.InvalidPowerState) and str(fault.existingState) == "poweredOn"


def _is_gone(fault: Any) -> bool:
    return isinstance(fault, _GONE)
