"""What a build stack exports for its sites, and the facts out of it. Pure, on plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.images.facts import ImageFacts
from edge.stack_exports import believed, without_value

KEYS = ("kind", "image")


def stack_facts(outputs: Mapping[str, Any], *, stack: str) -> ImageFacts:
    """Return the image that a build stack exports.

    Raises FactsError when the exports are none of a build stack, or of a run that failed.
    """
    where = f"build stack {stack}"
    image = believed(outputs, KEYS, kind="build", setting="site.image.stack", where=where).get("image")
    if not isinstance(image, Mapping):
        raise without_value("image", where)
    return ImageFacts.exported(image, where)
