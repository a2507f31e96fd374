"""The provider image of a site by its name, as far as the settings know it, and the registry that it is pulled from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the endpoint table asks, and the settings ask the endpoint table
    from edge.settings import StackSettings

_DOCKER_HUB = "registry-1.docker.io"


def image_reference(settings: StackSettings) -> str:
    """Return the provider image of a site's appliances, without its tag where that is not known yet.

    "" while only the build stack knows it: the release records it once it was tried.
    """
    image, canvos = settings.site.image, settings.release.canvos
    if image is None:
        return ""
    if image.source == "given":
        return image.image
    if image.source == "build":
        return f"{image.build.registry}/{image.build.repo}"
    return canvos.image.reference if canvos is not None and canvos.image is not None else ""


def registry_of(reference: str) -> str:
    """Return host[:port] of the registry that an image is pulled from: Docker's own for a name without a host."""
    first, slash, _ = reference.partition("/")
    named = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return first if named else _DOCKER_HUB
