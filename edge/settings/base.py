"""The base of every settings model, and the one way in which a validator refuses a value."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Discriminator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

REFUSED = "edge_refused"
NOT_TEXT = "edge_not_text"


class Model(BaseModel):
    """A frozen model without unknown keys: camelCase in YAML, snake_case in Python."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=False,
        validate_default=False,
        use_attribute_docstrings=False,
        hide_input_in_errors=True,
    )


def refuse(problem: str, remedy: str) -> PydanticCustomError:
    """Return the error a validator raises: what is wrong and what to write instead, both whole sentences' ends."""
    return PydanticCustomError(REFUSED, "{problem}", {"problem": problem, "remedy": remedy})


def not_text(value: object) -> PydanticCustomError:
    """Return the error for a value that must be text and was read as something else by YAML."""
    return PydanticCustomError(
        NOT_TEXT,
        "must be text, but YAML reads it as {kind}",
        {"kind": kind_of(value)},
    )


def kind_of(value: object) -> str:
    """Return what a person calls the kind of a YAML value."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true/false"
    if isinstance(value, int | float):
        return f"the number {value!r}"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return "text" if isinstance(value, str) else f"a {type(value).__name__}"


class _Words(dict[str, Any]):
    """A context that can stand in a union: Python hashes its members (3.11), and a plain dict has no hash."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))


def one_of(key: str, words: tuple[str, ...], remedy: str, *, default: str | None = None) -> Discriminator:
    """Return the discriminator of a union by the word under `key`: its members carry the tags `~WORD`."""

    def pick(value: Any) -> str | None:
        word = value.get(key, default) if isinstance(value, dict) else getattr(value, key, None)
        return f"~{word}" if word in words else None

    problem = f"has no known `{key}`"
    context = _Words(problem=problem, remedy=remedy)
    return Discriminator(pick, custom_error_type=REFUSED, custom_error_message=problem, custom_error_context=context)
