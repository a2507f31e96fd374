"""The provider image of a site by its name, as far as the settings know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the endpoint table asks, and the settings ask the endpoint table
    from edge.settings import StackSettings


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
