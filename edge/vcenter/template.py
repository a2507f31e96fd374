"""Whether a template can become a host: a disk that fits, Tools or cloud-init inside, nothing that a clone stumbles over."""

from __future__ import annotations

from collections.abc import Sequence

from edge.vcenter.model import GIB, Inventory, Vm
from edge.vcenter.placement import Place
from edge.vcenter.rows import Rows

_PENDING = "tools.deployPkg.fileName"
_OLDEST_HARDWARE = 13
_NOT_LINUX = ("windows", "win", "darwin", "solaris", "freebsd", "vmkernel", "netware", "dos", "os2", "nt4")
# 64-bit systems whose id does not say so.
_SIXTY_FOUR = ("amazonlinux", "crxpod", "photon", "fedora", "flatcar", "rockylinux", "almalinux", "oraclelinux")


def judge_templates(inventory: Inventory, places: Sequence[Place], rows: Rows) -> None:
    """Note what is right and wrong with each template, and with its disk for each machine that is still to be cloned."""
    templates = {place.template.id: place.template for place in places if place.template is not None}
    for template in templates.values():
        rows.good("vsphere.template", inventory.path_of(template))
        _inside(template, rows)
        _around(template, rows)
    for place in places:
        if place.template is not None and place.present is None and place.vm.adopt is None:
            _disk(place, place.template, rows)


def _inside(template: Vm, rows: Rows) -> None:
    """Judge what is installed in it."""
    if template.tools:
        rows.good("vsphere.template.tools", template.name)
    else:
        seen = f"{template.name}: neither VMware Tools nor cloud-init has ever run in it"
        rows.bad("vsphere.template.tools", seen, "open-vm-tools or cloud-init")
    guest = template.guest_id.removesuffix("Guest")
    if not guest or guest.lower().startswith(_NOT_LINUX):
        rows.bad("vsphere.template.guest", f"{template.name}: guest OS {guest or 'not set'}", "a 64-bit Linux")
    elif "64" in guest or guest.lower().startswith(_SIXTY_FOUR):
        rows.good("vsphere.template.guest", f"{template.name}: {template.guest_id}")
    elif guest == "other":
        rows.warn("vsphere.template.guest", f"{template.name}: {template.guest_id}", "the Linux that is installed")
    else:
        rows.bad("vsphere.template.guest", f"{template.name}: {template.guest_id} (32-bit)", "a 64-bit Linux")
    if template.extra.get(_PENDING):
        rows.bad("vsphere.template.customization", f"{template.name}: one is pending", "none")
    else:
        rows.good("vsphere.template.customization", template.name)


def _around(template: Vm, rows: Rows) -> None:
    """Judge the machine itself."""
    if template.firmware in ("efi", "bios"):
        boot = ", secure boot" if template.secure_boot else ""
        rows.good("vsphere.template.firmware", f"{template.name}: {template.firmware}{boot}")
    else:
        rows.bad("vsphere.template.firmware", f"{template.name}: {template.firmware or 'not set'}", "efi or bios")
    if template.encrypted:
        rows.bad("vsphere.template.encryption", f"{template.name} is encrypted", "not encrypted")
    else:
        rows.good("vsphere.template.encryption", template.name)
    version = f"{template.name}: {template.hardware or 'unknown'}"
    if template.hardware >= _OLDEST_HARDWARE:
        rows.good("vsphere.template.hardware", version)
    else:
        rows.bad("vsphere.template.hardware", version, f"{_OLDEST_HARDWARE} or newer")
    kinds = [one.kind for one in template.nics]
    if kinds == ["vmxnet3"]:
        rows.good("vsphere.template.adapter", template.name)
    else:
        rows.bad("vsphere.template.adapter", f"{template.name}: {', '.join(kinds) or 'no card'}", "one vmxnet3")


def _disk(place: Place, template: Vm, rows: Rows) -> None:
    check, disks = "vsphere.template.disk", template.disks
    asked = place.vm.disk_gib
    if len(disks) != 1:
        rows.bad(check, f"{template.name} has {len(disks)} disks", "one", host=place.name)
    elif disks[0].bus != "scsi":
        rows.bad(check, f"the disk of {template.name} is on {disks[0].bus}", "a SCSI controller", host=place.name)
    elif disks[0].size > asked * GIB:
        needed = -(-disks[0].size // GIB)
        fix = f"write `disk: {needed}GiB` or more"
        rows.bad(check, f"{template.name}: {needed} GiB", f"at most the asked {asked} GiB", host=place.name, remedy=fix)
    else:
        rows.good(check, f"{disks[0].size / GIB:.0f} GiB, asked {asked} GiB", place.name)
