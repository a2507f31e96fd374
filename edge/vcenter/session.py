"""A login to one vCenter: verified TLS, time limits, and one sentence for everything that can go wrong.

A session that vCenter ended meanwhile is opened again once. It is always closed: vCenter keeps idle sessions for half an
hour, and refuses new ones when there are too many.
"""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from pyVmomi import SoapAdapter, vim, vmodl
from pyVmomi.VmomiSupport import versionIdMap

from edge.errors import EdgeError
from edge.settings.vsphere import Vcenter
from edge.vcenter.errors import AwayError, ExpiredError, VcenterError
from edge.vcenter.trust import context_for, refused

T = TypeVar("T")
_SOAP: Any = SoapAdapter.SoapStubAdapter
_SERVICE: Any = vim.ServiceInstance
_OLDEST = "vim.version.version12"  # vSphere 6.7: what is asked when the server does not list its versions
_AGAIN = "run the same command again"


@dataclass(frozen=True)
class Limits:
    """Time limits in seconds: for a connection, for one answer, and for all that is asked of one vCenter."""

    connect: float = 15.0
    answer: float = 60.0
    whole: float = 180.0


LIMITS = Limits()


class Session:
    """An open login. `ask` is the way to every call; it takes care of a session that ended."""

    def __init__(self, vcenter: Vcenter, password: str, limits: Limits = LIMITS) -> None:
        self.vcenter, self.limits = vcenter, limits
        self.where = f"vCenter {vcenter.server}"
        self._password = password
        self._content: Any = None
        self.context: ssl.SSLContext | None = None
        self._ends = time.monotonic() + limits.whole

    def open(self) -> None:
        """Log in. Raises VcenterError (TrustError for its certificate) that says why it cannot."""
        self.context = context_for(self.vcenter, seconds=self.limits.connect)
        self._content = self._guarded(self._login)
        if self._content.about.apiType != "VirtualCenter":
            self.close()
            raise VcenterError(
                "is no vCenter, but a single ESXi host, which cannot clone a template.",
                remedy="name the vCenter that manages it as `server`",
                where=self.where,
            )

    def renew(self) -> None:
        """Begin the time limit for all that is asked anew: for a login that is kept for the next one."""
        self._ends = time.monotonic() + self.limits.whole

    def told(self, error: Exception) -> Exception:
        """Return an error of the client libraries, or of a task, as one sentence."""
        return error if isinstance(error, EdgeError) else self._error(error)

    @property
    def cookie(self) -> str:
        """Return the cookie of the login, as NAME=VALUE; a secret."""
        return str(self._content.sessionManager._stub.cookie or "").partition(";")[0]

    def close(self) -> None:
        """Log out, whatever happened before; a failing logout is nobody's problem any more."""
        content, self._content = self._content, None
        if content is not None:
            with suppress(Exception):
                content.sessionManager.Logout()
            self._drop(content)

    def _drop(self, content: Any) -> None:
        with suppress(Exception):
            content.sessionManager._stub.DropConnections()

    @property
    def about(self) -> str:
        """Return product, version and build of the vCenter."""
        return str(self._content.about.fullName) if self._content is not None else ""

    def ask(self, question: Callable[[Any], T]) -> T:
        """Return `question(content)`; log in again once when the session had ended. Raises VcenterError otherwise."""
        try:
            return self._guarded(lambda: question(self._content))
        except ExpiredError:
            self._drop(self._content)
            self._content = self._guarded(self._login)
        return self._guarded(lambda: question(self._content))

    def _login(self) -> Any:
        stub = _SOAP(
            host=f"[{self.vcenter.host}]" if ":" in self.vcenter.host else self.vcenter.host,
            port=self.vcenter.port,
            path="/sdk",
            version=self._version(),
            sslContext=self.context,
            httpConnectionTimeout=self.limits.answer,
        )
        try:
            content = _SERVICE("ServiceInstance", stub).RetrieveContent()
            content.sessionManager.Login(self.vcenter.user, self._password, None)
        except BaseException:
            stub.DropConnections()
            raise
        return content

    def _version(self) -> str:
        """Return the newest version of the API that both sides know."""
        with self.http() as client:
            text = client.get("/sdk/vimServiceVersions.xml", timeout=self.limits.connect).text
        offered = set(re.findall(r"<version>\s*([0-9.]+)\s*</version>", text))
        known = {number: name for name, number in versionIdMap.items() if name.startswith("vim.version.")}
        both = sorted(offered & set(known), key=lambda number: [int(part) for part in number.split(".")])
        return known[both[-1]] if both else _OLDEST

    def http(self) -> httpx.Client:
        """Return a client for the vCenter's other interfaces, with the same trust and limits."""
        timeout = httpx.Timeout(self.limits.answer, connect=self.limits.connect)
        address = self.vcenter.server
        return httpx.Client(
            base_url=f"https://{address}", verify=self.context or True, timeout=timeout, trust_env=False
        )

    @contextmanager
    def rest(self) -> Iterator[httpx.Client]:
        """Yield a client that is logged in to the REST interface, where the tags are; log out at the end."""
        with self.http() as client:
            login = "/rest/com/vmware/cis/session"
            with self._translated():
                answer = client.post(login, auth=(self.vcenter.user, self._password))
                answer.raise_for_status()
                client.headers["vmware-api-session-id"] = str(answer.json()["value"])
            try:
                with self._translated():
                    yield client
            finally:
                with suppress(Exception):
                    client.delete(login)

    def _guarded(self, call: Callable[[], T]) -> T:
        if time.monotonic() > self._ends:
            raise self.late()
        with self._translated():
            return call()
        raise AssertionError  # the context manager raises, or lets the return pass

    def late(self) -> VcenterError:
        """Return the error of a vCenter that takes too long."""
        return AwayError(
            f"did not finish its answers within {self.limits.whole:.0f} s.", remedy=_AGAIN, where=self.where
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn every error of the client libraries into one sentence."""
        try:
            yield
        except EdgeError:
            raise
        except Exception as error:  # the client raises bare `Exception` and parser errors for answers it cannot read
            raise self._error(error) from error

    def _error(self, error: Exception) -> Exception:
        if isinstance(error, vim.fault.NotAuthenticated):
            return ExpiredError("ended the session twice.", remedy=_AGAIN, where=self.where)
        if isinstance(error, vmodl.MethodFault):
            return self._of_fault(error)
        cause = _cause(error)
        if isinstance(cause, ssl.SSLError | OSError):
            return refused(self.vcenter, cause, seconds=self.limits.connect)
        if isinstance(error, httpx.TimeoutException):
            return refused(self.vcenter, TimeoutError(), seconds=self.limits.connect)
        kind = type(error).__name__
        text = f"{error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else kind
        return VcenterError(
            f"answered in a way that is not understood ({text}).",
            remedy="check that `server` is a vCenter of version 6.7 or newer",
            where=self.where,
        )

    def _of_fault(self, fault: Any) -> VcenterError:
        """Return a fault of vCenter as a sentence; its own text is quoted where it says more."""
        said = str(getattr(fault, "msg", "") or "").strip().rstrip(".")
        user = self.vcenter.user
        if "lock" in said.lower() and isinstance(fault, vim.fault.InvalidLogin | vim.fault.NoPermission):
            return self._login_error(f"has locked the user {user} ({said}).", "wait until it is unlocked, or unlock it")
        if isinstance(fault, vim.fault.InvalidLogin):
            secret = self.vcenter.password.secret
            fix = f"correct `user` or the secret {secret}; vCenter says the same of a locked or expired account"
            return self._login_error(f"refused the password of {user}.", fix)
        if isinstance(fault, vim.fault.NoPermission):
            missing = getattr(fault, "privilegeId", "") or "a privilege"
            fix = "give it the role of the README, section `Your first site`"
            return self._login_error(f"refused {user}: {missing} is missing on {_object(fault)}.", fix)
        return VcenterError(
            f"answered with {type(fault).__name__.rpartition('.')[2]}{f': {said}' if said else ''}.",
            remedy="look into the vCenter's recent tasks and events",
            where=self.where,
        )

    def _login_error(self, message: str, remedy: str) -> VcenterError:
        return VcenterError(message, remedy=remedy, where=self.where)


def _object(fault: Any) -> str:
    found = getattr(fault, "object", None)
    return str(getattr(found, "_moId", "")) or "an object"


def _cause(error: Exception) -> BaseException:
    """Return the first network error among an error and what led to it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return error


@contextmanager
def session(vcenter: Vcenter, password: str, limits: Limits = LIMITS) -> Iterator[Session]:
    """Yield an open session; log out at the end."""
    opened = Session(vcenter, password, limits)
    opened.open()
    try:
        yield opened
    finally:
        opened.close()


def within(seconds: float, call: Callable[[], T], late: Callable[[], Exception]) -> T:
    """Return `call()`, run beside this thread; raise `late()` when it takes longer than `seconds`.

    A server that sends one byte now and then keeps every single time limit; this one ends it. The thread is left behind.
    """
    box: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            box.append(call())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not box:
        raise late()
    return box[0]
