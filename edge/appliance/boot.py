"""What the resource ApplianceBoot does: from the installation of a VM to its first boot from disk, in short looks.

The installer switches the VM off when it is done. Then, in one reconfiguration, its medium is taken out, the host's own ISO
is put in, the disk comes first in boot order, and the VM is marked with the id of its registration; after that it is
switched on. The mark is what a run finds that comes after a killed one: a VM with the mark of this registration is never
given a medium that installs, and one that runs is left alone. The order makes a loop impossible: at no moment is a VM
switched on here that still has the installer in a drive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge.appliance.userdata import core_digest
from edge.errors import HostError, PendingError
from edge.registration.values import changed, text
from edge.site_iso import content_digest, site_iso
from edge.vcenter import media
from edge.vcenter.media import BOOT_DISK_FIRST, VmView, VsphereMedia
from edge.vcenter.model import REGISTRATION_KEY

Props = Mapping[str, Any]
Outputs = dict[str, Any]
Secret = Callable[[str], str | None]

# The mark says for which registration the VM was prepared.
MARK = REGISTRATION_KEY
_SHORT = 12
_IDENTITY = ("host", "owner", "generation", "uuid", "epoch")
_STORED = (*_IDENTITY, "vcenter", "datacenter")
_ROLL = "raise its generation: `python -m edgectl roll STACK {host}` makes and installs the machine anew"
_INSTALLING = (
    "look at its console: the installer names a medium whose files do not match their checksums, or a disk that it cannot"
    " use; an installer without `poweroff` stops at its end and waits"
)


def create(props: Props, secret: Secret) -> Outputs:
    """Bring the VM to its first boot. Raises PendingError while it installs, HostError or VcenterError when it cannot."""
    with media.open_media(media.access_of(props["vcenter"], secret)) as live:
        return _advance(live, props)


def diff(olds: Props, news: Props) -> list[str]:
    """Return what asks for an update: another machine or registration, another place. Never raises, asks nobody.

    A changed user-data or installer is no difference: it reaches a host with its next generation.
    """
    return changed(olds, news, (*_IDENTITY, "datacenter", "vcenter"))


def update(olds: Props, news: Props, secret: Secret) -> Outputs:
    """Follow another machine or registration. Raises HostError for a new registration on an installed machine."""
    same = text(olds, "uuid") == text(news, "uuid")
    with media.open_media(media.access_of(news["vcenter"], secret)) as live:
        if same and text(olds, "epoch") == text(news, "epoch"):
            return {**_kept(news), **{key: olds[key] for key in ("site_iso", "site_digest") if key in olds}}
        if not same and text(olds, "site_iso"):
            # The machine before was never healthy: its own ISO is still on the datastore.
            live.delete_file(text(olds, "datacenter"), text(olds, "site_iso"))
        return _advance(live, news)


def read(props: Props, _secret: Secret) -> Outputs | None:
    """Return what is stored: that a machine had its first boot does not change afterwards."""
    return {key: value for key, value in props.items() if key != "__provider"}


def delete(props: Props, secret: Secret) -> None:
    """Delete the host's own ISO if it is still on the datastore: it holds the registration token."""
    if not text(props, "site_iso"):
        return
    with media.open_media(media.access_of(props["vcenter"], secret)) as live:
        view = live.vm(text(props, "uuid"))
        if view is not None and text(props, "site_iso") in view.drives:
            live.set_drives(view.uuid, ["" if iso == text(props, "site_iso") else iso for iso in view.drives])
        live.delete_file(text(props, "datacenter"), text(props, "site_iso"))


def _kept(props: Props) -> Outputs:
    return {key: props[key] for key in (*_STORED, "name") if props.get(key) is not None}


def _advance(live: VsphereMedia, props: Props) -> Outputs:
    """Do what can be done now with one VM; return the outputs when it has had its first boot from disk."""
    host = text(props, "host")
    view = live.vm(text(props, "uuid"))
    if view is None:
        raise _wrong(host, f"its VM {text(props, 'uuid')} is gone.", "run `pulumi refresh`, then `pulumi up`")
    if view.power == "suspended":
        raise _wrong(host, f"its VM {view.name} is suspended.", "resume it in the vCenter, and run again")
    marked = view.marks.get(MARK, "")
    if marked and marked != text(props, "epoch"):
        problem = (
            "it is installed with another registration: its record in Palette was removed or is not the one of then."
        )
        raise _wrong(host, f"{problem} An appliance registers at its first boot only.", _ROLL.format(host=host))
    if view.power == "on":
        if not marked:
            _still_installing(view, props)
        return _done(props, view)
    return _first_boot(live, view, props)


def _still_installing(view: VmView, props: Props) -> None:
    host, installer = text(props, "host"), text(props, "installer")
    if installer in view.drives:
        raise PendingError(f"edge host {host} installs itself from {installer}.", remedy=_INSTALLING, where=host)
    raise _wrong(
        host,
        f"its VM {view.name} runs, but the installer's medium was taken out by somebody before it had switched itself off.",
        "switch the VM off when its console says that the installation is complete, and run again",
    )


def _first_boot(live: VsphereMedia, view: VmView, props: Props) -> Outputs:
    """Prepare a VM that is off, and switch it on. Each step is found done when it is repeated."""
    if len(view.drives) < 2:
        problem = f"its VM {view.name} has {len(view.drives)} CD-ROM drives and needs two."
        raise _wrong(text(props, "host"), problem, _ROLL.format(host=text(props, "host")))
    place, datacenter = _place(view, props), text(props, "datacenter")
    wanted = ("", place, *("" for _ in view.drives[2:]))
    ready = view.marks.get(MARK) == text(props, "epoch") and tuple(view.drives) == wanted
    if not ready or view.boot_order != BOOT_DISK_FIRST:
        if live.file_size(datacenter, place) is None:
            live.put_file(datacenter, place, site_iso(text(props, "user_data")))
        live.set_drives(view.uuid, wanted, BOOT_DISK_FIRST, {MARK: text(props, "epoch")})
    live.power_on(view.uuid)
    return _done(props, view)


def _place(view: VmView, props: Props) -> str:
    """Return where the host's own ISO lies: in the VM's own folder, which every kind of datastore has."""
    digest = content_digest(text(props, "user_data"))[:_SHORT]
    folder = view.folder if view.folder.endswith("]") else f"{view.folder}/"
    return f"{folder}{' ' if folder.endswith(']') else ''}edge-hosts-cidata-{digest}.iso"


def _done(props: Props, view: VmView) -> Outputs:
    digest = core_digest(text(props, "user_data"))
    return {**_kept(props), "site_iso": _place(view, props), "site_digest": digest}


def _wrong(host: str, message: str, remedy: str) -> HostError:
    return HostError(message, remedy=remedy, where=f"edge host {host}")
