"""What the next machine of an appliance is made from, the host as its machine was made, and what waits for the next one.

An installed appliance reads its ISO, its image and its user-data once. So all of it is frozen in the claim, and a later
difference in the settings or in the image is none for the machine until its generation is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edge.images.facts import ImageFacts, IsoFile
from edge.images.installed import ISO_WORD, USER_DATA, kind_of
from edge.settings.palette import StaticNetwork
from edge.settings.stack import HostSettings, StackSettings
from edge.userdata import static_network
from edge.vm.made_from import APPLIANCE, MadeFrom

SCSI = "pvscsi"
_RHEL = "9"
# What an installed machine does not notice: where its ISO lies, and how large it is.
_UNNOTICED = frozenset({"isoName", "isoSize", "isoStore", "isoDatastore", "isoPath", "isoPlaces", "scsiType"})
_WORDS = {
    "isoSha256": ISO_WORD,
    "imageDigest": "image digest",
    "peVersion": "agent in the image",
    "guestId": "guest id",
}
_SHORT = 12


def guest_id(image: ImageFacts) -> str:
    """Return how vSphere calls the operating system of an image."""
    if image.os == "rhel":
        return f"rhel{image.os_version.partition('.')[0] or _RHEL}_64Guest"
    return "ubuntu64Guest"


def installer(host: HostSettings, settings: StackSettings, image: ImageFacts) -> IsoFile | None:
    """Return the file that a VM boots, None for bare metal. Raises SettingsError when its datacenter has none."""
    if host.vm is None:
        return None
    vm = host.vm
    return image.file_for(
        kind_of(host),
        vcenter=settings.vcenter(vm.vcenter).server,
        datacenter=vm.datacenter,
        datastore=vm.datastore,
        where="site.image",
    )


def wanted(
    host: HostSettings, settings: StackSettings, image: ImageFacts, *, host_key: str, store: str = ""
) -> MadeFrom:
    """Return what the next machine of an appliance would be made from.

    `host_key` is the public half of its derived key, `store` the id of the datastore with its ISO ("" for bare metal).
    Raises SettingsError when the image has no ISO for this machine.
    """
    iso = image.iso(kind_of(host), "site.image")
    network = static_network(host)
    made = MadeFrom(
        machine=host.machine,
        mode=APPLIANCE,
        host_key=host_key,
        address=str(host.address),
        prefix=host.prefix or 0,
        gateway=str(network.gateway) if network else "",
        nameservers=(str(network.nameserver),) if network else (),
        interface=network.interface if network else "",
        image=image.image,
        image_digest=image.image_digest,
        pe_version=image.pe_version,
        iso_name=iso.name,
        iso_sha256=iso.sha256,
        iso_size=iso.size,
        iso_places=tuple(file.place for file in iso.files),
    )
    file, vm = installer(host, settings, image), host.vm
    if file is None or vm is None:
        return made
    return replace(
        made,
        guest_id=guest_id(image),
        firmware=vm.firmware,
        scsi_type=SCSI,
        vcenter=vm.vcenter,
        datacenter=vm.datacenter,
        mac=vm.mac,
        iso_store=store,
        iso_datastore=file.datastore,
        iso_path=file.path,
    )


def as_made(host: HostSettings, made: MadeFrom) -> HostSettings:
    """Return a host with the network that its machine was made with, where that is known."""
    if not made.address:
        return host
    network = host.static_network
    if made.gateway and made.nameservers and made.interface:
        network = StaticNetwork.model_validate(
            {"interface": made.interface, "gateway": made.gateway, "nameserver": made.nameservers[0]}
        )
    return replace(host, address=made.ip, prefix=made.prefix or host.prefix, static_network=network)


def waits(made: MadeFrom, next_one: MadeFrom, *, installed: str, current: str) -> list[str]:
    """Return what a raised generation would bring, in words, the most telling first.

    `installed` is the digest of the user-data that the host was installed with, `current` that of the settings; "" is not
    known, and no difference.
    """
    found = list(_differences(made, next_one))
    return [*found, USER_DATA] if installed and current and installed != current else found


def _differences(made: MadeFrom, next_one: MadeFrom) -> Iterator[str]:
    was, will = made.by_key(), next_one.by_key()
    for key in made.differences(next_one):
        if key not in _UNNOTICED:
            yield f"{_WORDS.get(key, key)} {_shown(key, was[key])} -> {_shown(key, will[key])}"


def _shown(key: str, value: object) -> str:
    text = ", ".join(str(one) for one in value) if isinstance(value, tuple) else str(value)
    return (text[:_SHORT] if key == "isoSha256" else text) or "-"
