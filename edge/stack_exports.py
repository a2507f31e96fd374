"""Whether what one stack exports for others can be believed: it was deployed, its last run went well, it is of the right kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from edge.errors import FactsError
from edge.facts import has_unknown

_UNTIL_GOOD = "run `pulumi up` for it until it ends without an error."


def believed(outputs: Mapping[str, Any], keys: Iterable[str], *, kind: str, setting: str, where: str) -> dict[str, Any]:
    """Return the exports of these keys that have a value.

    `setting` is what names the stack, for the remedy. Raises FactsError when nothing is there, a value has no answer, or
    the stack is of another kind.
    """
    known = {key: outputs.get(key) for key in keys if outputs.get(key) is not None}
    if not known:
        problem = "it exports nothing: it was never deployed, or destroyed."
        raise FactsError(problem, remedy="run `pulumi up` for it.", where=where)
    if has_unknown(known):
        problem = "its last run failed and left values without an answer."
        raise FactsError(problem, remedy=_UNTIL_GOOD, where=where)
    seen = known.get("kind")
    if seen != kind:
        problem = f"it is of kind {seen or 'nothing'}, not {kind}."
        raise FactsError(problem, remedy=f"name a stack of kind {kind} as `{setting}`.", where=where)
    return known


def without_value(key: str, where: str) -> FactsError:
    """Return the error about an output that is there and has no value: so the SDK hands on what a failed run left."""
    return FactsError(f"its output {key!r} has no value, as after a run that failed.", remedy=_UNTIL_GOOD, where=where)
