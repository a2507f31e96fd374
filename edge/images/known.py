"""The image of a site, as far as it is known without running the program: its values, or what a stack exported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.errors import FactsError
from edge.facts import load_facts
from edge.images.facts import ImageFacts
from edge.images.given import given_facts
from edge.settings import GivenImage, StackImage, StackSettings


def has_appliances(settings: StackSettings) -> bool:
    """Return whether a site has a host in Appliance Mode that is not leaving."""
    return any(
        host.mode == "appliance" and host.state in ("active", "rolling") for host in settings.site.hosts.values()
    )


def image_of(settings: StackSettings, root: Path, file: Path | None = None) -> ImageFacts | None:
    """Return the image of a site, None for one that takes none.

    That of another stack, or of a site that builds its own, is what the last run exported; `file` holds exported facts to
    be used instead. Raises FactsError when there are none.
    """
    image = settings.site.image
    if image is None:
        return None
    if isinstance(image, GivenImage):
        return given_facts(image, settings)
    stack = image.stack if isinstance(image, StackImage) else settings.stack
    return exported_image(stack, load_facts(stack, root, file=file).outputs)


def exported_image(stack: str, outputs: Mapping[str, Any]) -> ImageFacts:
    """Return the image that a stack exports. Raises FactsError when it exports none, or one that lacks something."""
    found = outputs.get("image")
    where = f"stack {stack}"
    if not isinstance(found, Mapping):
        remedy = "run `pulumi up` for it; `image.stack` must name a stack of kind build."
        raise FactsError("it exports no image.", remedy=remedy, where=where)
    return ImageFacts.exported(found, where)


def appliance_iso(host: object) -> str:
    """Return the sha256 of the ISO that a host was installed from, by its exported facts; "" for a host of another kind."""
    made = host.get("appliance") if isinstance(host, Mapping) else None
    found = made.get("isoSha256") if isinstance(made, Mapping) else None
    return found if isinstance(found, str) else ""
