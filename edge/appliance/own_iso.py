"""A host's own ISOs on datastores: how they are called, where they may lie, and how they are taken away.

Each holds a registration token and a private host key, and lies in the folder of its VM. That folder outlives the VM when
something is left in it, and the next VM of the same name gets another one: `a`, then `a_1`. So the name says whose an ISO
is: in a folder that is not the VM's own, only this host's ISOs are touched. An installer's ISO never has such a name.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from edge.errors import PendingError
from edge.registration.values import text
from edge.site_iso import content_digest
from edge.vcenter.media import VmView, VsphereMedia

Props = Mapping[str, Any]

# A look ends within some two seconds: a step that would begin later than this is left to the next one.
LOOK_SECONDS = 0.8
_PREFIX = "edge-hosts-cidata-"
_SHORT = 12
_WHOSE = 8
# How many folders of one name are looked into, each of them in one call.
_FOLDERS = 8


def look_ends() -> float:
    """Return the moment after which a look begins no further step."""
    return time.monotonic() + LOOK_SECONDS


def in_time(ends: float, host: str, words: str) -> None:
    """Raise PendingError when a look is over. Asked after a change only, so that every look brings the host further."""
    if time.monotonic() > ends:
        raise PendingError(f"edge host {host}: {words}.", where=host)


def place_of(view: VmView, props: Props) -> str:
    """Return where the host's own ISO lies: in the VM's own folder, which every kind of datastore has."""
    digest = content_digest(text(props, "user_data"))[:_SHORT]
    return _inside(view.folder, f"{_mark(props)}{digest}.iso")


def own_isos(view: VmView) -> list[str]:
    """Return the ISOs in the drives of a VM that this program has put there."""
    return [iso for iso in view.drives if _name(iso).startswith(_PREFIX)]


def left_over(
    live: VsphereMedia, datacenter: str, view: VmView, *, props: Props | None = None, wanted: str = ""
) -> list[str]:
    """Return the hosts' own ISOs in the folder of a VM that are not `wanted`: killed runs leave them.

    With `props` (host, owner), those of this host in the folders of its earlier VMs, too.
    """
    found = _listed(live, datacenter, [view.folder], _PREFIX)
    if props is not None:
        found += _listed(live, datacenter, _earlier(view.folder, text(props, "host")), _mark(props))
    return sorted(place for place in found if place != wanted)


def of_host(live: VsphereMedia, props: Props) -> list[str]:
    """Return this host's own ISOs in every folder that a VM of its name may have had. `props`: host, owner, generation,
    datacenter, and `store`, the datastore of its VMs; none without a datastore, as with a datastore cluster.
    """
    store, host = text(props, "store"), text(props, "host")
    if not store or not host or not text(props, "owner"):
        return []
    # One more than there were generations: a VM of another owner may have had the name first.
    count = min(int(float(props.get("generation") or 1)) + 1, _FOLDERS)
    return sorted(_listed(live, text(props, "datacenter"), _folders(store, host, count), _mark(props)))


def remove(live: VsphereMedia, uuid: str, datacenter: str, place: str, *, host: str, ends: float = math.inf) -> None:
    """Take an ISO out of the drives of a VM and delete it. A drive that holds another one is left alone.

    Raises PendingError when the look is over after the first of both; it is safe to repeat.
    """
    view = live.vm(uuid)
    if view is not None and place in view.drives:
        live.set_drives(view.uuid, ["" if iso == place else iso for iso in view.drives])
        in_time(ends, host, "its own ISO is taken out of the drive, and deleted next")
    live.delete_file(datacenter, place)


def _mark(props: Props) -> str:
    """Return how the names of this host's own ISOs begin; another stack may have a host of the same name."""
    whose = hashlib.sha256(f"{text(props, 'owner')}/{text(props, 'host')}".encode()).hexdigest()
    return f"{_PREFIX}{whose[:_WHOSE]}-"


def _earlier(folder: str, host: str) -> list[str]:
    """Return the folders that VMs of the same name had before the one in `folder`."""
    found = re.fullmatch(rf"\[([^\]]+)\] {re.escape(host)}_(\d+)", folder)
    return _folders(found[1], host, min(int(found[2]), _FOLDERS)) if found else []


def _folders(store: str, host: str, count: int) -> list[str]:
    return [f"[{store}] {host}{f'_{number}' if number else ''}" for number in range(count)]


def _listed(live: VsphereMedia, datacenter: str, folders: Iterable[str], begins: str) -> list[str]:
    return [
        _inside(folder, name)
        for folder in folders
        for name in live.files(datacenter, folder)
        if name.startswith(begins) and name.endswith(".iso")
    ]


def _inside(folder: str, name: str) -> str:
    return f"{folder} {name}" if folder.endswith("]") else f"{folder}/{name}"


def _name(place: str) -> str:
    return place.rpartition("/")[2].rpartition("] ")[2]
