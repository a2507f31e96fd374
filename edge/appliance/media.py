"""What the resource ApplianceMedia does: when a host is healthy, its own ISO is taken out of the drive and deleted.

The ISO holds the registration token and the host's private key. It is read at the first boot from disk, so it stays until
the host is healthy, and no longer (Palette docs, site user-data).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge.appliance import iso_file
from edge.appliance.own_iso import in_time, left_over, look_ends, own_isos, remove
from edge.registration.values import changed, stored, text
from edge.vcenter import media
from edge.vcenter.media import VsphereMedia

Props = Mapping[str, Any]
Outputs = dict[str, Any]
Secret = Callable[[str], str | None]

BARE = "bare"
_IDENTITY = ("host", "generation", "uuid", "epoch", "site_iso", "path")
_STORED = ("name", "mode", "datacenter", "vcenter", *_IDENTITY)


def create(props: Props, secret: Secret) -> Outputs:
    """Remove the ISO. Raises PendingError while something still holds the file. Output: `removed`, what was removed."""
    if text(props, "mode") == BARE:
        iso_file.forget(Path(text(props, "path")), text(props, "host"))
        return {**_kept(props), "removed": text(props, "path")}
    with media.opened(props["vcenter"], secret, text(props, "host")) as live:
        _taken_out(live, props, look_ends())
    return {**_kept(props), "removed": text(props, "site_iso")}


def diff(olds: Props, news: Props) -> list[str]:
    """Return what asks for an update: another machine, registration or ISO. Never raises, asks nobody."""
    return changed(olds, news, _IDENTITY)


def update(_olds: Props, news: Props, secret: Secret) -> Outputs:
    """Remove the ISO of another machine or registration."""
    return create(news, secret)


def read(props: Props, _secret: Secret) -> Outputs | None:
    """Return what is stored: what was removed stays so."""
    return stored(props)


def delete(_props: Props, _secret: Secret) -> None:
    """Do nothing: there is nothing left."""


def _taken_out(live: VsphereMedia, props: Props, ends: float) -> None:
    """Remove the ISO, and what killed runs have left in a drive or beside the VM's own files; each holds a token.

    A medium that somebody else has put in is his own affair. One is removed in every look, however slow the vCenter is.
    """
    host, uuid, datacenter = text(props, "host"), text(props, "uuid"), text(props, "datacenter")
    view, place = live.vm(uuid), text(props, "site_iso")
    found = sorted({*own_isos(view), *left_over(live, datacenter, view)}) if view is not None else []
    for one in found:
        remove(live, uuid, datacenter, one, host=host, ends=ends)
        in_time(ends, host, "one of its own ISOs is deleted; what else there is of them goes next")
    if place and place not in found:
        remove(live, uuid, datacenter, place, host=host, ends=ends)


def _kept(props: Props) -> Outputs:
    return {key: props[key] for key in _STORED if props.get(key) is not None}
