"""What the resource ApplianceBoot does: from the installation of a VM to its first boot from disk, in short looks.

The installer switches the VM off when it is done. Then, in one reconfiguration, its medium is taken out, the host's own ISO
is put in, the disk comes first in boot order, and the VM is marked with the id of its registration; after that it is
switched on. The mark is what a run finds that comes after a killed one: a VM with the mark of this registration is never
given a medium that installs, and one that runs is left alone. The order makes a loop impossible: at no moment is a VM
switched on here that still has the installer in a drive.

Others may do that: the provider switches a VM on whose size it changes, also one that is installed and off. Such a VM boots
its disk without its own ISO, and that was its first boot. It looks like one that installs itself, so it is named, and waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from edge.appliance.anew import made_anew
from edge.appliance.own_iso import in_time, left_over, look_ends, own_isos, place_of, remove
from edge.appliance.userdata import core_digest
from edge.errors import EdgeError, HostError, PendingError
from edge.registration.values import changed, stored, text
from edge.site_iso import site_iso
from edge.vcenter import media
from edge.vcenter.errors import AwayError
from edge.vcenter.media import BOOT_DISK_FIRST, VmView, VsphereMedia
from edge.vcenter.model import REGISTRATION_KEY

Props = Mapping[str, Any]
Outputs = dict[str, Any]
Secret = Callable[[str], str | None]

# The mark says for which registration the VM was prepared.
MARK = REGISTRATION_KEY
_BEGAN: dict[str, float] = {}
_IDENTITY = ("host", "owner", "generation", "uuid", "epoch")
_STORED = (*_IDENTITY, "vcenter", "datacenter")
_INSTALLING = (
    "look at its console: the installer names a medium whose files do not match their checksums, or a disk that it cannot"
    " use; an installer without `poweroff` stops at its end and waits"
)
# Another one than the installer on the console.
_SPENT = (
    "if its console shows the installed system instead, that was switched on before its own ISO was in the drive (as by a change"
    " of its CPUs, memory or disk), and has had its first boot, at which alone the ISO is read: switching it off does not help"
)
# A VM is switched on when it is made; later than this it was somebody else, or the provider after a change.
_AGAIN_SECONDS = 600.0


def create(props: Props, secret: Secret) -> Outputs:
    """Bring the VM to its first boot. Raises PendingError while it installs, HostError or VcenterError when it cannot."""
    with media.opened(props["vcenter"], secret, text(props, "host")) as live:
        return _advance(live, props)


def diff(olds: Props, news: Props) -> list[str]:
    """Return what asks for an update: another machine or registration, another place. Never raises, asks nobody.

    A changed user-data or installer is no difference: it reaches a host with its next generation.
    """
    return changed(olds, news, (*_IDENTITY, "datacenter", "vcenter"))


def update(olds: Props, news: Props, secret: Secret) -> Outputs:
    """Follow another machine or registration. Raises HostError for a new registration on an installed machine."""
    same = text(olds, "uuid").lower() == text(news, "uuid").lower()
    if same and text(olds, "epoch") == text(news, "epoch"):
        return {**_kept(news), **{key: olds[key] for key in ("site_iso", "site_digest") if key in olds}}
    made = create(news, secret)
    left = text(olds, "site_iso")
    if not same and left and left != made["site_iso"]:
        # Perhaps the machine before was never healthy. It is gone, and it may have been in another vCenter.
        with media.opened(olds["vcenter"], secret, text(news, "host")) as live:
            live.delete_file(text(olds, "datacenter"), left)
    return made


def read(props: Props, _secret: Secret) -> Outputs | None:
    """Return what is stored: that a machine had its first boot does not change afterwards."""
    return stored(props)


def delete(props: Props, secret: Secret) -> None:
    """Delete the host's own ISO if it is still on the datastore: it holds the registration token."""
    place, host = text(props, "site_iso"), text(props, "host")
    if not place:
        return
    with media.opened_once(props["vcenter"], secret, host) as live:
        remove(live, text(props, "uuid"), text(props, "datacenter"), place, host=host)


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
        problem = "it was installed with another registration, and an appliance registers at its first boot only."
        remedy = (
            f"if its record is there by now, `pulumi refresh` and `pulumi up` take it over; else {made_anew(props)}"
        )
        raise _wrong(host, problem, remedy)
    if view.power == "on":
        if not marked:
            _still_installing(view, props)
        return _done(props, view)
    return _first_boot(live, view, props)


def _still_installing(view: VmView, props: Props) -> None:
    host, installer = text(props, "host"), text(props, "installer")
    if installer in view.drives:
        began = _BEGAN.setdefault(view.uuid, time.monotonic())
        watched = f"watched for {int((time.monotonic() - began) // 60)} min"
        remedy = f"{_INSTALLING}; {_SPENT}. When the cause is removed, or the first boot is spent, {made_anew(props)}"
        words = f"edge host {host} installs itself from {installer} ({watched})."
        if view.started_after > _AGAIN_SECONDS:
            after = f"{int(view.started_after // 60)} min after it was made"
            words = f"edge host {host} was switched on {after}, with {installer} still in a drive ({watched})."
            remedy = f"{_SPENT}: {made_anew(props)}. If it shows the installer, wait: it installs itself again"
        raise PendingError(words, remedy=remedy, where=host)
    raise _wrong(
        host,
        f"its VM {view.name} runs, but the installer's medium was taken out by somebody before it had switched itself off.",
        "switch the VM off when its console says that the installation is complete, and run again",
    )


def _first_boot(live: VsphereMedia, view: VmView, props: Props) -> Outputs:
    """Prepare a VM that is off, and switch it on. Each step is found done when it is repeated."""
    ends, host = look_ends(), text(props, "host")
    place, datacenter = place_of(view, props), text(props, "datacenter")
    wanted = _drives(view, place, props)
    marked = view.marks.get(MARK) == text(props, "epoch")
    ready = marked and list(view.drives) == wanted and view.boot_order == BOOT_DISK_FIRST
    with _else_taken_away(live, view.uuid, props, place):
        if not ready:
            # Written whether it is there or not: an upload that was cut off leaves half a file of the same name.
            live.put_file(datacenter, place, site_iso(text(props, "user_data")))
            live.set_drives(view.uuid, wanted, BOOT_DISK_FIRST, {MARK: text(props, "epoch")})
            in_time(ends, host, "its drives are changed; it is cleaned up and switched on next")
        for other in left_over(live, datacenter, view, props=props, wanted=place):
            live.delete_file(datacenter, other)
            in_time(ends, host, "what earlier runs have left is deleted; it is switched on next")
        if not ready:
            in_time(ends, host, "it is switched on next")
        live.power_on(view.uuid)
    return {**_kept(props), "site_iso": place, "site_digest": core_digest(text(props, "user_data"))}


@contextmanager
def _else_taken_away(live: VsphereMedia, uuid: str, props: Props, place: str) -> Iterator[None]:
    """Delete the host's own ISO when a step fails for good. There are no outputs then, so nobody would delete it later."""
    try:
        yield
    except (PendingError, AwayError):
        raise  # The next look goes on from here.
    except EdgeError as error:
        problem = _taken_away(live, uuid, props, place)
        if not problem:
            raise
        first = f"{error.where}: {error.message}" if error.where else error.message
        remedy = f"{error.remedy}; if the host is given up then, delete that file in the vCenter".lstrip("; ")
        words = f"{first} Its own ISO, which holds the registration token, still lies at {place} ({problem})."
        raise _wrong(text(props, "host"), words, remedy) from None


def _taken_away(live: VsphereMedia, uuid: str, props: Props, place: str) -> str:
    """Take the ISO out of a VM that is off, and delete it; return why that was not done, "" when it was."""
    try:
        view = live.vm(uuid)
        if view is not None and view.power != "off":
            return "the VM is on by now"
        remove(live, uuid, text(props, "datacenter"), place, host=text(props, "host"))
    except EdgeError as error:
        return error.message.removeprefix(PendingError.PREFIX).rstrip(".")
    return ""


def _drives(view: VmView, place: str, props: Props) -> list[str]:
    """Return what the drives hold before the first boot: no installer, the own ISO in the second one, else in the only one."""
    if not view.drives:
        raise _wrong(text(props, "host"), f"its VM {view.name} has no CD-ROM drive.", made_anew(props))
    installer = text(props, "installer")
    kept = ["" if iso == installer or iso in own_isos(view) else iso for iso in view.drives]
    at = min(1, len(kept) - 1)
    # Whatever else somebody put into the first drive could boot, too.
    return [place if number == at else "" if number == 0 else iso for number, iso in enumerate(kept)]


def _done(props: Props, view: VmView) -> Outputs:
    """Return the outputs of a VM that runs with the mark: what is in its drive, not what would be put there now.

    A run that was killed may have booted it with another token or other settings; `site_digest` is "" then, not known.
    """
    _BEGAN.pop(view.uuid, None)
    own = own_isos(view)
    known = place_of(view, props) in own
    digest = core_digest(text(props, "user_data")) if known else ""
    return {**_kept(props), "site_iso": own[0] if own else "", "site_digest": digest}


def _wrong(host: str, message: str, remedy: str) -> HostError:
    return HostError(message, remedy=remedy, where=f"edge host {host}")
