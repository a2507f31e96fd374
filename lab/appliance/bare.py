"""A machine without a hypervisor: a person puts media into its drives, switches it on, and takes them out at the end."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from uuid import uuid4

from edge.errors import LabError
from lab.appliance.iso import INSTALLER, label
from lab.client import LabClient
from lab.vm_store import SLOT

_DISK_FIRST = ("disk", "cdrom")
# The name that most single adapters get; a person reads it off the machine.
_SLOT = "160"


def put_media(lab: LabClient, name: str, iso: Path | None, site_iso: Path | None) -> dict[str, Any]:
    """Put two media, or none, into the drives of the bare-metal machine `name`, and return it; a new one is made with a
    blank disk, off. Disk first: the installer is booted while the disk is blank.

    Raises LabError for a name of another machine, and for a file that is no installer ISO or no site ISO.
    """
    for path, volume in ((iso, INSTALLER), (site_iso, "cidata")):
        if path is not None and label(path) != volume:
            raise LabError(
                f"{path} is no ISO with the volume name {volume}", remedy="name the file that the stack tells."
            )
    known = next((vm for vm in lab.vms() if vm["name"] == name), None)
    if known is not None and known["template"]:
        raise LabError(f"{name} is a VM with a template, no bare-metal machine", remedy="choose another name.")
    digits = hashlib.sha256(name.encode()).hexdigest()
    uuid = str(known["uuid"]) if known else str(uuid4())
    media = [str(path.resolve()) if path is not None else "" for path in (iso, site_iso)]
    definition: dict[str, object] = {
        "id": known["id"] if known else uuid,
        "uuid": uuid,
        "name": name,
        "mac": "52:54:00:" + ":".join(digits[at : at + 2] for at in (0, 2, 4)),
        "extra": {SLOT: _SLOT},
        "isos": media,
        "boot_order": list(_DISK_FIRST),
    }
    return lab.define_vm(definition)
