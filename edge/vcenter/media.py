"""Files on datastores and the CD-ROM drives of a VM: what an appliance needs of a vCenter beside the provider.

The provider has no boot order and no settable power state, and knows a CD-ROM only as a part of the VM's definition. So the
way from an installed disk to the first boot is done here, in single short calls. Paths are as vSphere writes them:
`[datastore] folder/name`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from edge.errors import HostError, PendingError
from edge.vcenter.errors import AwayError, VcenterError

if TYPE_CHECKING:
    from edge.settings.vsphere import Vcenter

Power = Literal["on", "off", "suspended"]
BOOT_DISK_FIRST = ("disk", "cdrom")
MARK_PREFIX = "edge-hosts."


@dataclass(frozen=True)
class VcenterAccess:
    """How to log in to a vCenter: `server` is host[:port]; `ca_pem` and `thumbprint` as in the settings ("" = none)."""

    server: str
    user: str
    password: str = field(repr=False)
    ca_pem: str = ""
    thumbprint: str = ""
    password_secret: str = "vspherePassword"  # noqa: S105  (the name of a secret)


def access_of(vcenter: Mapping[str, object], secret: Callable[[str], str | None]) -> VcenterAccess:
    """Return the access out of a resource's inputs: `server`, `user`, `password_secret`, `ca_pem`, `thumbprint`.

    `secret` reads the stack's configuration. Raises VcenterError when the password is not there.
    """
    name, server = str(vcenter.get("password_secret") or "vspherePassword"), str(vcenter.get("server") or "")
    password = secret(name)
    if not password:
        remedy = f"run `pulumi config set --secret {name}`"
        raise VcenterError(f"the stack has no secret {name!r}.", remedy=remedy, where=f"vCenter {server}")
    texts = {key: str(vcenter.get(key) or "") for key in ("user", "ca_pem", "thumbprint")}
    return VcenterAccess(server=server, password=password, password_secret=name, **texts)


def access_to(vcenter: Vcenter, password: str) -> VcenterAccess:
    """Return the access to a vCenter of the settings."""
    return VcenterAccess(vcenter.server, vcenter.user, password, vcenter.ca_cert or "", vcenter.thumbprint or "")


def login_inputs(vcenter: Vcenter) -> dict[str, str]:
    """Return what `access_of` needs beside `server`, as inputs of a resource; the password is only named."""
    return {
        "user": vcenter.user,
        "password_secret": vcenter.password.secret,
        "ca_pem": vcenter.ca_cert or "",
        "thumbprint": vcenter.thumbprint or "",
    }


@dataclass(frozen=True)
class VmView:
    """A VM as it is now. `drives` are the ISO paths in its CD-ROM drives in order ("" = empty), `folder` is where its own
    files lie (`[datastore] folder`), `boot_order` is empty where nobody has set one. `marks` are the configuration keys
    that begin with `edge-hosts.`: what this program has written on the VM itself. `started_after` are the seconds from its
    making to the last time that it was switched on, 0 where that is not known."""

    uuid: str
    name: str
    power: Power
    drives: tuple[str, ...]
    boot_order: tuple[str, ...]
    folder: str
    marks: Mapping[str, str] = field(default_factory=dict)
    started_after: float = 0.0


@dataclass(frozen=True)
class Ticket:
    """A single request to a datastore that needs no login: its address, its headers (a secret), and whom to trust."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    ca_pem: str = ""


class VsphereMedia(Protocol):
    """One vCenter. Every call lasts two seconds at most and raises PendingError where a task goes on, else VcenterError."""

    def vm(self, uuid: str) -> VmView | None:
        """Return a VM by its BIOS uuid, None when there is none."""
        ...

    def set_drives(
        self, uuid: str, isos: Sequence[str], boot_order: Sequence[str] = (), marks: Mapping[str, str] | None = None
    ) -> None:
        """Put these ISOs into the drives in order ("" empties one), set a boot order and marks if they are given; one step."""
        ...

    def power_on(self, uuid: str) -> None:
        """Switch a VM on."""
        ...

    def file_size(self, datacenter: str, path: str) -> int | None:
        """Return the size of a file in bytes, None when it is not there."""
        ...

    def put_file(self, datacenter: str, path: str, data: bytes) -> None:
        """Write a small file, over one of the same name; its folder is made when it is missing."""
        ...

    def delete_file(self, datacenter: str, path: str) -> None:
        """Delete a file; one that is gone already is no error."""
        ...

    def make_folder(self, datacenter: str, path: str) -> None:
        """Make a folder and those above it; one that is there already is no error."""
        ...

    def files(self, datacenter: str, folder: str) -> Mapping[str, int]:
        """Return the files of a folder, by name, with their sizes; nothing when the folder is missing."""
        ...

    def ticket(self, datacenter: str, path: str, method: Literal["GET", "PUT"]) -> Ticket:
        """Return a ticket for one request."""
        ...


def open_media(access: VcenterAccess) -> AbstractContextManager[VsphereMedia]:
    """Return a login to a vCenter, to be used in a `with`. Raises VcenterError that says why it cannot."""
    from edge.vcenter.media_soap import SoapMedia  # pyVmomi takes half a second to import

    return SoapMedia(access)


@contextmanager
def opened(vcenter: Mapping[str, object], secret: Callable[[str], str | None], host: str) -> Iterator[VsphereMedia]:
    """Yield a login for a resource of a host. A vCenter that does not answer just now is PendingError, not the end."""
    try:
        with open_media(access_of(vcenter, secret)) as live:
            yield live
    except AwayError as error:
        raise awaited(error, host) from None


@contextmanager
def opened_once(
    vcenter: Mapping[str, object], secret: Callable[[str], str | None], host: str
) -> Iterator[VsphereMedia]:
    """Yield a login for the delete of a resource of a host. The engine repeats no delete: what would be pending is HostError."""
    try:
        with opened(vcenter, secret, host) as live:
            yield live
    except PendingError as error:
        remedy = f"run the same command again; {error.remedy or 'vCenter is at work'}"
        problem = error.message.removeprefix(PendingError.PREFIX)
        raise HostError(problem, remedy=remedy, where=f"edge host {host}") from None


def awaited(error: AwayError, where: str) -> PendingError:
    """Return what a vCenter that does not answer just now means to a resource that is asked again."""
    return PendingError(f"{error.where} {error.message}", remedy=error.remedy, where=where)
