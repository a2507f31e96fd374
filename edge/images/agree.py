"""Whether an image is the one that a release was tested with: every pin of the release, against what the image says. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from edge.findings import Finding, errors
from edge.images.facts import ImageFacts
from edge.settings.release import Canvos, Release
from edge.stages import Stage, judge

_EITHER = "Take the image that this release was tested with, or pin in the release what was tried."


def disagreements(facts: ImageFacts, release: Release, stage: Stage) -> list[Finding]:
    """Return where image and release differ; an empty list is an image that may be used.

    What the release does not pin is not compared, but production wants all pins: tag, commit, image, and every ISO.
    """
    place = f"releases/{release.id}.yaml"
    canvos = release.canvos
    if canvos is None:
        remedy = f"Add `canvos:` to {place}, or choose another release."
        return [Finding("release", release.id, "names no CanvOS tag, but the site has an installer image", remedy)]
    return [*_differences(facts, release, canvos, place), *_missing(facts, canvos, place, stage)]


def _differences(facts: ImageFacts, release: Release, canvos: Canvos, place: str) -> Iterator[Finding]:
    pinned = [
        ("kubernetes", release.kubernetes, facts.kubernetes),
        ("canvos.tag", canvos.tag, facts.canvos_tag),
        ("canvos.commit", canvos.commit, facts.canvos_commit),
    ]
    if canvos.image is not None:
        pinned += [
            ("canvos.image.reference", canvos.image.reference, facts.image),
            ("canvos.image.digest", canvos.image.digest, facts.image_digest or "none: it was not pushed"),
        ]
    for kind, iso in sorted(facts.isos.items()):
        pinned.append((f"canvos.isos.{kind}", getattr(canvos.isos, kind, None), iso.sha256))
    for what, wanted, has in pinned:
        # A given image does not say its commit.
        if wanted and has and wanted != has:
            yield Finding(f"{place}: {what}", wanted, f"is not that of the site's image, which has {has}", _EITHER)


def _missing(facts: ImageFacts, canvos: Canvos, place: str, stage: Stage) -> list[Finding]:
    """Return the pins that a stage may not be without; the settings have warned of the others already."""
    found = [
        None if canvos.commit else judge("canvos.commit.missing", stage, f"{place}: canvos.commit"),
        None if canvos.image else judge("image.digest.missing", stage, f"{place}: canvos.image"),
    ]
    for kind in sorted(facts.isos):
        if not getattr(canvos.isos, kind, None):
            found.append(judge("image.isos.missing", stage, f"{place}: canvos.isos.{kind}"))
    return errors(one for one in found if one is not None)
