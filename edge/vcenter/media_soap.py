"""Files and CD-ROM drives of a real vCenter, in single short calls: the adapter of `edge.vcenter.media` over its API.

A login is kept for the next call of the same process, because a look at a VM is shorter than a login. A task that vCenter
does not finish at once is no reason to wait here: whoever asked is told "not yet", and looks again.
Sources: vSphere Web Services API (VirtualMachine, FileManager, HostDatastoreBrowser, SessionManager).
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

import httpx
from pyVmomi import vim

from edge.errors import PendingError
from edge.settings.access import SecretRef
from edge.settings.vsphere import Vcenter
from edge.vcenter import media_spec, properties
from edge.vcenter.errors import VcenterError
from edge.vcenter.media import Power, Ticket, VcenterAccess, VmView
from edge.vcenter.session import Limits, Session

_SPEC: Any = vim.SessionManager.HttpServiceRequestSpec
_LIMITS = Limits(connect=5.0, answer=15.0, whole=86400.0)
# The provider serves four calls at a time, so none of them waits longer for a task than this.
_PATIENCE, _PACE = 1.2, 0.1
# vCenter ends an idle session after half an hour; a process that looks again does so within seconds.
_KEPT_SECONDS = 60.0
_VM_PROPERTIES = (
    "name", "runtime.powerState", "runtime.question", "config.hardware.device", "config.bootOptions",
    "config.extraConfig", "config.files.vmPathName",
)  # fmt: skip
_POWERS: Mapping[str, Power] = {"poweredOn": "on", "poweredOff": "off", "suspended": "suspended"}


class _Idle:
    """Logins of this process that nobody uses at the moment, by whom they belong to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: dict[VcenterAccess, list[tuple[float, Session]]] = {}

    def take(self, access: VcenterAccess) -> Session | None:
        """Return a fresh one, None when there is none; those that are too old are closed."""
        with self._lock:
            free = self._free.pop(access, [])
            now = time.monotonic()
            fresh = [one for one in free if now - one[0] < _KEPT_SECONDS]
            taken = fresh.pop() if fresh else None
            if fresh:
                self._free[access] = fresh
        for when, session in free:
            if now - when >= _KEPT_SECONDS:
                session.close()
        return taken[1] if taken else None

    def give(self, access: VcenterAccess, session: Session) -> None:
        """Keep one for the next call."""
        with self._lock:
            self._free.setdefault(access, []).append((time.monotonic(), session))

    def close(self) -> None:
        """Log all of them out."""
        with self._lock:
            sessions = [session for free in self._free.values() for _, session in free]
            self._free.clear()
        for session in sessions:
            session.close()


_IDLE = _Idle()
atexit.register(_IDLE.close)


class SoapMedia:
    """A login to one vCenter, for a `with`. Methods and errors are those of `edge.vcenter.media.VsphereMedia`.

    Rights on the VM's folder: VirtualMachine.Interact.SetCDMedia, .DeviceConnection, .PowerOn, .AnswerQuestion,
    VirtualMachine.Config.EditDevice, .Settings, .AdvancedConfig; on the datastore: Datastore.Browse, .FileManagement.
    """

    def __init__(self, access: VcenterAccess) -> None:
        self._access = access
        self._session: Session | None = None

    def __enter__(self) -> SoapMedia:
        self._session = _IDLE.take(self._access)
        if self._session is None:
            session = Session(_settings(self._access), self._access.password, _LIMITS)
            session.open()
            self._session = session
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exc: object) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        # What went wrong may be the session itself; a task that goes on is nothing wrong.
        if kind is None or issubclass(kind, PendingError):
            _IDLE.give(self._access, session)
        else:
            session.close()

    @property
    def _live(self) -> Session:
        assert self._session is not None, "used outside of its `with`"
        return self._session

    def vm(self, uuid: str) -> VmView | None:
        """Return a VM by its BIOS uuid, None when there is none."""
        found = self._look(uuid)
        if found is None:
            return None
        got = found[1]
        return VmView(
            uuid=uuid,
            name=str(got.get("name") or ""),
            power=_POWERS.get(str(got.get("runtime.powerState")), "off"),
            drives=tuple(media_spec.iso_in(one) for one in media_spec.drives(_devices(got))),
            boot_order=media_spec.boot_order(got.get("config.bootOptions")),
            folder=str(got.get("config.files.vmPathName") or "").rpartition("/")[0],
            marks=media_spec.marks(got.get("config.extraConfig") or ()),
        )

    def set_drives(
        self, uuid: str, isos: Sequence[str], boot_order: Sequence[str] = (), marks: Mapping[str, str] | None = None
    ) -> None:
        """Put these ISOs into the drives in order, and set boot order and marks; one reconfiguration.

        A guest that holds its medium asks a question of vCenter: it is answered with yes.
        """
        machine, got = self._known(uuid)
        spec = media_spec.change(str(got.get("name")), _devices(got), isos, boot_order, marks or {})
        what = f"the drives of {got.get('name')}"
        self._task(what, lambda: machine.ReconfigVM_Task(spec), asks=machine)

    def power_on(self, uuid: str) -> None:
        """Switch a VM on; one that is on already stays so."""
        machine, got = self._known(uuid)
        if str(got.get("runtime.powerState")) != "poweredOn":
            self._task(f"switching {got.get('name')} on", lambda: machine.PowerOnVM_Task(None))

    def file_size(self, datacenter: str, path: str) -> int | None:
        """Return the size of a file in bytes, None when it is not there."""
        folder, name = media_spec.split(path)
        return self._search(datacenter, folder, name).get(name)

    def files(self, datacenter: str, folder: str) -> Mapping[str, int]:
        """Return the files of a folder, by name, with their sizes; nothing when the folder is missing."""
        return self._search(datacenter, folder, "*")

    def put_file(self, datacenter: str, path: str, data: bytes) -> None:
        """Write a small file over HTTPS, with the session's own login; its folder is made when it is missing."""
        folder, _ = media_spec.split(path)
        if not folder.endswith("]"):
            self.make_folder(datacenter, folder)
        url = self._url(datacenter, path)
        cookie = self._live.ask(lambda content: content.sessionManager._stub.cookie)
        with self._live.http() as client:
            try:
                answer = client.put(url, content=data, headers={"Cookie": str(cookie).split(";")[0]})
            except httpx.HTTPError as error:
                raise self._error(f"could not take {path} ({type(error).__name__}).", "run the same again") from error
        if answer.status_code not in (200, 201, 204):
            full = answer.status_code in (500, 507)
            why = "make room on the datastore" if full else "check the right Datastore.FileManagement there"
            raise self._error(f"refused to write {path} ({answer.status_code}).", f"{why}, and run again")

    def delete_file(self, datacenter: str, path: str) -> None:
        """Delete a file; one that is gone already is no error. Raises PendingError while something holds it."""
        center = self._datacenter(datacenter)
        try:
            self._task(
                f"deleting {path}",
                lambda: self._live.ask(lambda content: content.fileManager.DeleteDatastoreFile_Task(path, center)),
            )
        except _FileGoneError:
            return

    def make_folder(self, datacenter: str, path: str) -> None:
        """Make a folder and those above it; one that is there already is no error.

        On vSAN the first level is an object of its own that only the namespace manager makes: then the error says so.
        """
        center = self._datacenter(datacenter)

        def make(content: Any) -> None:
            try:
                content.fileManager.MakeDirectory(path, center, True)
            except vim.fault.FileAlreadyExists:
                return

        try:
            self._live.ask(make)
        except VcenterError as error:
            remedy = "make this folder on the datastore (on vSAN with `govc datastore.mkdir -namespace`), and run again"
            raise self._error(f"could not make {path}: {error.message}", remedy) from error

    def ticket(self, datacenter: str, path: str, method: Literal["GET", "PUT"]) -> Ticket:
        """Return a ticket for one request: a cookie that opens this address once, and nothing else."""
        url = f"https://{self._access.server}{self._url(datacenter, path)}"
        wanted = _SPEC(method=f"http{method.capitalize()}", url=url)
        found = self._live.ask(lambda content: content.sessionManager.AcquireGenericServiceTicket(wanted))
        return Ticket(url, {"Cookie": f"vmware_cgi_ticket={found.id}"}, media_spec.trusted(self._access))

    # -- how it is asked ---------------------------------------------------------------------------------------------

    def _error(self, message: str, remedy: str) -> VcenterError:
        return VcenterError(message, remedy=remedy, where=f"vCenter {self._access.server}")

    def _look(self, uuid: str) -> tuple[Any, Mapping[str, Any]] | None:
        def question(content: Any) -> tuple[Any, Mapping[str, Any]] | None:
            machine = content.searchIndex.FindByUuid(None, uuid, True, False)
            if machine is None:
                return None
            found = properties.of(content, [machine], vim.VirtualMachine, _VM_PROPERTIES)
            return found[0] if found else None

        return self._live.ask(question)

    def _known(self, uuid: str) -> tuple[Any, Mapping[str, Any]]:
        found = self._look(uuid)
        if found is None:
            raise self._error(f"has no VM with the uuid {uuid} any more.", "run `pulumi refresh`, then `pulumi up`")
        return found

    def _datacenter(self, name: str) -> Any:
        return self._datacenter_and_path(name)[0]

    def _datacenter_and_path(self, name: str) -> tuple[Any, str]:
        """Return a datacenter by its name, and its path below the root: folders of datacenters stand in it."""

        def question(content: Any) -> tuple[Any, str] | None:
            wanted = {vim.Datacenter: ("name", "parent"), vim.Folder: ("name", "parent")}
            found = properties.below(content, content.rootFolder, wanted)
            folders = {one._moId: got for one, got in found[vim.Folder]}
            for one, got in found[vim.Datacenter]:
                if got.get("name") == name:
                    return one, media_spec.path_of(got, folders)
            return None

        answer = self._live.ask(question)
        if answer is None:
            raise self._error(f"has no datacenter {name!r}.", "correct `datacenter`")
        return answer

    def _url(self, datacenter: str, path: str) -> str:
        place = self._datacenter_and_path(datacenter)[1]
        store, inside = media_spec.parts(path)
        return f"/folder/{quote(inside)}?dcPath={quote(place, safe='')}&dsName={quote(store, safe='')}"

    def _search(self, datacenter: str, folder: str, pattern: str) -> dict[str, int]:
        """Return what a datastore's browser finds in one folder."""
        store, _ = media_spec.parts(folder + "/x" if not folder.endswith("]") else folder + " x")
        center = self._datacenter(datacenter)

        def browser(content: Any) -> Any:
            stores = properties.of(content, [center], vim.Datacenter, ("datastore",))
            listed = properties.of(content, stores[0][1].get("datastore") or (), vim.Datastore, ("name", "browser"))
            return next((got["browser"] for _, got in listed if got.get("name") == store), None)

        found = self._live.ask(browser)
        if found is None:
            raise self._error(f"has no datastore {store!r} in {datacenter}.", "correct `datastore`")
        spec = media_spec.search(pattern)
        try:
            result = self._task(f"looking into {folder}", lambda: found.SearchDatastore_Task(folder, spec))
        except _FileGoneError:
            return {}
        return {str(one.path): int(one.fileSize or 0) for one in getattr(result, "file", None) or ()}

    def _task(self, what: str, start: Callable[[], Any], asks: Any = None) -> Any:
        """Start a task and return its result. Raises PendingError when vCenter is not done with it at once."""
        task = self._live.ask(lambda _content: start())
        ends = time.monotonic() + _PATIENCE
        while True:
            got = self._live.ask(lambda content: properties.of(content, [task], vim.Task, ("info",)))
            info = got[0][1].get("info") if got else None
            state = str(getattr(info, "state", "success"))
            if state == "success":
                return getattr(info, "result", None)
            if state == "error":
                self._failed(what, getattr(info, "error", None))
            if asks is not None:
                self._answer(asks)
            if time.monotonic() > ends:
                raise PendingError(f"vCenter {self._access.server} is still at work on {what}", where=what)
            time.sleep(_PACE)

    def _answer(self, machine: Any) -> None:
        """Answer the question whether a medium is taken from a guest that holds it; no other question is touched."""
        found = self._live.ask(
            lambda content: properties.of(content, [machine], vim.VirtualMachine, ("runtime.question",))
        )
        question = found[0][1].get("runtime.question") if found else None
        if question is not None and (choice := media_spec.yes(question)) is not None:
            self._live.ask(lambda _content: machine.AnswerVM(question.id, choice))

    def _failed(self, what: str, error: Any) -> None:
        """Raise what a failed task means: not yet for something in use, gone for a missing file, else one sentence."""
        said = str(getattr(error, "localizedMessage", "") or getattr(error, "msg", "") or type(error).__name__)
        said = said.strip().rstrip(".")
        if isinstance(error, vim.fault.FileNotFound):
            raise _FileGoneError(said, where=what)
        if isinstance(error, vim.fault.FileLocked | vim.fault.ResourceInUse | vim.fault.TaskInProgress):
            raise PendingError(f"{what} waits: {said}", where=what)
        raise self._error(f"{what} failed: {said}.", "look into the vCenter's recent tasks and events")


class _FileGoneError(VcenterError):
    """The file or folder that a task was about is not there."""


def _devices(got: Mapping[str, Any]) -> Sequence[Any]:
    devices: Sequence[Any] = got.get("config.hardware.device") or ()
    return devices


def _settings(access: VcenterAccess) -> Vcenter:
    """Return the settings of a vCenter as the session takes them; they were checked where they were written."""
    return Vcenter.model_construct(
        server=access.server,
        user=access.user,
        password=SecretRef(secret=access.password_secret),
        ca_cert=access.ca_pem or None,
        thumbprint=access.thumbprint or None,
    )
