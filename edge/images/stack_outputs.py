"""What a build stack exports for its sites, and the facts out of it. Pure, on plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.errors import FactsError
from edge.facts import UNKNOWN
from edge.images.facts import ImageFacts

KEYS = ("kind", "image")
_UNTIL_GOOD = "run `pulumi up` for it until it ends without an error."


def stack_facts(outputs: Mapping[str, Any], *, stack: str) -> ImageFacts:
    """Return the image that a build stack exports.

    Raises FactsError when the exports are none of a build stack, or of a run that failed.
    """
    where = f"build stack {stack}"
    known = {key: outputs.get(key) for key in KEYS if outputs.get(key) is not None}
    if not known:
        problem = "it exports nothing: it was never deployed, or destroyed."
        raise FactsError(problem, remedy="run `pulumi up` for it.", where=where)
    if _has_unknown(known):
        raise FactsError("its last run failed and left values without an answer.", remedy=_UNTIL_GOOD, where=where)
    kind = known.get("kind")
    if kind != "build":
        problem = f"it is of kind {kind or 'nothing'}, not build."
        raise FactsError(problem, remedy="name a stack of kind build as `site.image.stack`.", where=where)
    image = known.get("image")
    if not isinstance(image, Mapping):
        # In an update the SDK hands the engine's unknown marker over as nothing.
        problem = "its output 'image' has no value, as after a run that failed."
        raise FactsError(problem, remedy=_UNTIL_GOOD, where=where)
    try:
        return ImageFacts.from_dict(image)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        problem = f"its output 'image' has another form ({type(error).__name__}: {error})."
        remedy = "run `pulumi up` for it with this version of the program."
        raise FactsError(problem, remedy=remedy, where=where) from None


def _has_unknown(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(_has_unknown(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return any(_has_unknown(inner) for inner in value)
    return value == UNKNOWN
