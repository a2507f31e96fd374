"""An image by the values in the stack file, in the one form in which every site takes its image."""

from __future__ import annotations

from edge.canvos.images import parse
from edge.images.facts import ImageFacts, IsoFacts, IsoFile
from edge.settings.image import GivenImage, GivenIso
from edge.settings.image_places import vcenter_of
from edge.settings.release import Release
from edge.settings.site import Site


def given_facts(site: Site, image: GivenImage, release: Release) -> ImageFacts:
    """Return the facts of an image whose values stand in the settings; the agent's version is that of its tag, if it has one.

    What the settings do not say is "": a datacenter without the site's `vsphere`, and the digest of the build's inputs.
    """
    name = parse(image.image)
    canvos = release.canvos
    return ImageFacts(
        canvos_tag=canvos.tag if canvos else "",
        canvos_commit=(canvos.commit or "") if canvos else "",
        pe_version=name.pe_version if name else "",
        kubernetes=name.kubernetes if name else release.kubernetes,
        os=image.os,
        os_version=image.os_version or "",
        image=image.image,
        image_digest=image.image_digest,
        isos={kind: _iso(site, iso) for kind, iso in image.isos.items()},
    )


def _iso(site: Site, iso: GivenIso) -> IsoFacts:
    home = (site.vsphere.datacenter if site.vsphere else None) or ""
    files = []
    for place in iso.places:
        vcenter = site.vcenters.get(vcenter_of(place, site.vcenters))
        server = vcenter.server if vcenter else ""
        files.append(IsoFile(server, place.datacenter or home, place.datastore, place.path))
    return IsoFacts(iso.path.rpartition("/")[2], iso.sha256, iso.size or 0, tuple(files))
