"""What the resource InstallerIsoCheck does: it looks whether an installer ISO lies where an image says, before a VM is made.

A site only uses ISOs; the build stack made and owns them. A vCenter does not tell the digest of a file, so its size is
compared; the digest was compared when the file was uploaded and read back.

It is in the state before there is a VM, and is deleted after it. So its delete is what takes away the host's own ISO that a
run has written and never got to delete: no other resource is left that could.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge.appliance.own_iso import of_host
from edge.registration.values import changed, stored, text
from edge.vcenter import media
from edge.vcenter.errors import AwayError, VcenterError
from edge.vcenter.media import VsphereMedia

Props = Mapping[str, Any]
Outputs = dict[str, Any]
Secret = Callable[[str], str | None]

_STORED = ("name", "host", "owner", "generation", "vcenter", "datacenter", "store", "place", "sha256", "size")


def create(props: Props, secret: Secret) -> Outputs:
    """Return the outputs when the file is there with its size (0 = any). Raises VcenterError when it is not."""
    place, size = text(props, "place"), int(props.get("size") or 0)
    with media.opened(props["vcenter"], secret, text(props, "host")) as live:
        found = live.file_size(text(props, "datacenter"), place)
    where = f"edge host {text(props, 'host')}"
    again = (
        "run `pulumi refresh` and `pulumi up` of the stack that builds the image, which uploads what is missing; see "
        "`python -m edgectl images list`"
    )
    if found is None:
        raise VcenterError(f"its installer ISO {place} is not there.", remedy=again, where=where)
    if (size and found != size) or not found:
        said = f"where the image says {size}" if size else "and is no ISO"
        problem = f"its installer ISO {place} has {found} bytes {said}: an upload was cut off, or it is another file."
        raise VcenterError(problem, remedy=f"delete it there, and {again}", where=where)
    return {key: props[key] for key in _STORED if props.get(key) is not None}


def diff(olds: Props, news: Props) -> list[str]:
    """Return what asks for another look: another ISO, place or generation. Never raises, asks nobody."""
    return changed(olds, news, ("host", "generation", "datacenter", "place", "sha256", "size"))


def update(_olds: Props, news: Props, secret: Secret) -> Outputs:
    """Look again."""
    return create(news, secret)


def read(props: Props, _secret: Secret) -> Outputs | None:
    """Return what is stored: an ISO that has gone since then matters only when a machine is made anew."""
    return stored(props)


def delete(props: Props, secret: Secret) -> None:
    """Delete the host's own ISOs that its VMs have left behind; the installer's belongs to the build, and stays.

    Raises HostError when one cannot be deleted. A state of before this was known names no datastore, and asks nobody.
    """
    if not text(props, "store"):
        return
    with media.opened_once(props["vcenter"], secret, text(props, "host")) as live:
        for place in _left(live, props):
            live.delete_file(text(props, "datacenter"), place)


def _left(live: VsphereMedia, props: Props) -> list[str]:
    try:
        return of_host(live, props)
    except AwayError:
        raise
    except VcenterError:
        # The datastore is gone, or is not to be seen any more: a host must be able to leave all the same.
        return []
