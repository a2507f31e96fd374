"""An image whose values stand in the stack file, as facts. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath

from edge.canvos.images import parse
from edge.images.facts import ImageFacts, IsoFacts, IsoFile
from edge.settings import StackSettings
from edge.settings.image import GivenImage, GivenIso
from edge.settings.image_places import vcenter_of


def given_facts(image: GivenImage, settings: StackSettings) -> ImageFacts:
    """Return the facts of a given image. Versions come from its name; tag and commit, which it does not say, from the release."""
    name, canvos = parse(image.image), settings.release.canvos
    return ImageFacts(
        canvos_tag=canvos.tag if canvos else "",
        canvos_commit=(canvos.commit or "") if canvos else "",
        pe_version=name.pe_version if name else "",
        kubernetes=name.kubernetes if name else "",
        os=image.os,
        os_version=image.os_version or "",
        image=image.image,
        image_digest=image.image_digest,
        isos={str(kind): _iso(iso, settings) for kind, iso in image.isos.items()},
    )


def _iso(iso: GivenIso, settings: StackSettings) -> IsoFacts:
    site = settings.site
    home = site.vsphere.datacenter if site.vsphere else None
    files = [
        IsoFile(
            vcenter=site.vcenters[vcenter_of(place, site.vcenters)].server,
            datacenter=place.datacenter or home or "",
            datastore=place.datastore,
            path=place.path,
        )
        for place in iso.places
    ]
    return IsoFacts(PurePosixPath(iso.path).name, iso.sha256, iso.size or 0, tuple(files))
