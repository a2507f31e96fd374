"""Is an image the one that a release was tested with? Asked before a site boots it, and before a release is promoted."""

from __future__ import annotations

from collections.abc import Iterator

from edge.canvos.request import NEWEST
from edge.findings import Finding
from edge.images.facts import ImageFacts
from edge.settings.release import Canvos, Release

_PIN = "Pin what was tried: `python -m edge.releases pin {release} --image FACTS`"


def disagreements(release: Release, image: ImageFacts, where: str, *, complete: bool = False) -> list[Finding]:
    """Return what an image has otherwise than its release records; nothing when they agree.

    A release need not record an image while it is tried; `complete` asks for all of it: commit, digest and every ISO that
    the image has.
    """
    canvos = release.canvos
    if canvos is None:
        remedy = "Add `canvos: {tag: TAG}` to the release, with the tag that the image was built of."
        return [
            Finding(where, image.canvos_tag, f"is an image, but the release {release.id} names no `canvos`", remedy)
        ]
    found = [*_made_of(release, canvos, image, where), *_made(release, canvos, image, where)]
    return [*found, *_missing(release, canvos, image)] if complete else found


def _made_of(release: Release, canvos: Canvos, image: ImageFacts, where: str) -> Iterator[Finding]:
    build = f"Build the image anew with release {release.id}, or use the release that it was built with."
    for name, has, wants in (
        ("canvos.tag", image.canvos_tag, canvos.tag if canvos.tag != NEWEST else image.canvos_tag),
        ("kubernetes", image.kubernetes, release.kubernetes),
        ("canvos.commit", image.canvos_commit, canvos.commit or image.canvos_commit),
    ):
        # A given image does not say its commit.
        if has and has != wants:
            yield Finding(where, has, f"is not what the release {release.id} says as {name} ({wants})", build)


def _made(release: Release, canvos: Canvos, image: ImageFacts, where: str) -> Iterator[Finding]:
    remedy = f"{_PIN.format(release=release.id)}, or let the stack use the image that the release records."
    if canvos.image is not None:
        for name, has, wants in (
            ("reference", image.image, canvos.image.reference),
            ("digest", image.image_digest, canvos.image.digest),
        ):
            if has != wants:
                problem = f"is not what the release {release.id} records as canvos.image.{name} ({wants})"
                yield Finding(where, has or "nothing", problem, remedy)
    for kind, wanted in recorded_isos(canvos).items():
        iso = image.isos.get(kind)
        if iso is not None and iso.sha256 != wanted:
            problem = f"is not what the release {release.id} records as canvos.isos.{kind} ({wanted})"
            yield Finding(where, iso.sha256, problem, remedy)


def _missing(release: Release, canvos: Canvos, image: ImageFacts) -> Iterator[Finding]:
    place = f"releases/{release.id}.yaml"
    remedy = f"{_PIN.format(release=release.id)}."
    recorded = recorded_isos(canvos)
    tag = canvos.tag if canvos.tag != NEWEST else None
    wanted = (("canvos.tag", tag), ("canvos.commit", canvos.commit), ("canvos.image", canvos.image))
    lacks = [name for name, value in wanted if value is None]
    lacks += [f"canvos.isos.{kind}" for kind in sorted(image.isos) if kind not in recorded]
    for name in lacks:
        yield Finding(
            f"{place}: {name}", None, "is not recorded, so what was tried is not what would be promoted", remedy
        )


def recorded_isos(canvos: Canvos | None) -> dict[str, str]:
    """Return the sha256 of the ISOs that a release records, by kind."""
    return canvos.isos.by_kind() if canvos is not None else {}
