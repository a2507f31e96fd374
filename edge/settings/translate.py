"""From the validator's errors to sentences: where, what was seen, what is wrong, what to write instead."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from edge.findings import Finding
from edge.settings.access import ONLY_NAMED
from edge.settings.base import NOT_TEXT, REFUSED, kind_of
from edge.settings.certificates import Sources
from edge.settings.yamltext import Document, Path_, TimeStamp, dotted

T = TypeVar("T")

_QUOTES = 'Put it in quotes, exactly as it should be: "{text}".'
_EMPTY = "is empty"
_SIMPLE: Mapping[str, tuple[str, str]] = {
    "bool_type": ("must be true or false", "Write `true` or `false`, without quotes."),
    "dict_type": ("must be a mapping", "Write `key: value` lines below it, or {key: value}."),
    "model_type": ("must be a mapping", "Write `key: value` lines below it, or {key: value}."),
    "model_attributes_type": ("must be a mapping", "Write `key: value` lines below it, or {key: value}."),
    "tuple_type": ("must be a list", "Write `- item` lines below it, or [item, item]."),
    "list_type": ("must be a list", "Write `- item` lines below it, or [item, item]."),
}


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the word that a person probably meant, or None."""
    there = {known.lower(): known for known in words}
    found = get_close_matches(word.lower(), list(there), n=1, cutoff=0.6)
    return there[found[0]] if found else None


def validate(
    wanted: type[T],
    raw: object,
    *,
    document: Document | None = None,
    below: Path_ = (),
    prefix: str = "",
    sources: Sources | None = None,
) -> tuple[T | None, list[Finding]]:
    """Return the model made of `raw`, or None with one finding per problem. Never raises for bad input."""
    adapter: TypeAdapter[T] = TypeAdapter(wanted)
    try:
        return adapter.validate_python(raw, context=sources), []
    except ValidationError as error:
        findings: dict[str, Finding] = {}
        for detail in error.errors(include_url=False, include_input=True):
            path = place(detail)
            written = document.plain.get((*below, *path)) if document else None
            finding = translate(detail, path, wanted, prefix, written)
            findings.setdefault(finding.where, finding)
        return None, [one for one in findings.values() if not _follows(one, findings)]


def _follows(finding: Finding, others: Iterable[str]) -> bool:
    """Return whether a list only counts as empty because its items are wrong, which is said already."""
    return finding.problem == _EMPTY and any(other.startswith(f"{finding.where}[") for other in others)


def place(detail: ErrorDetails) -> Path_:
    """Return the YAML path of an error. The last part of an unknown key's is the key itself, however it looks."""
    location = detail["loc"]
    own = detail["type"] == "extra_forbidden"
    return (*clean(location[:-1]), location[-1]) if own else clean(location)


def clean(location: tuple[int | str, ...]) -> Path_:
    """Return a location without the validator's own words: tags of unions and the mark of keys."""
    return tuple(part for part in location if not (isinstance(part, str) and (part.startswith("~") or part == "[key]")))


def translate(detail: ErrorDetails, path: Path_, wanted: object, prefix: str, written: str | None) -> Finding:
    """Return the finding of one error. `written` is the plain YAML text at that place, when it is known."""
    kind, value = detail["type"], detail["input"]
    context = detail.get("ctx", {})
    where = dotted(path, prefix)
    shown: object = written if written is not None else _shown(value)
    if kind == REFUSED:
        problem, remedy = context["problem"], context["remedy"]
        if problem == ONLY_NAMED:
            shown = None  # it may be the secret itself
        return Finding(where, shown, problem, f"{remedy}.")
    if kind == NOT_TEXT or kind == "string_type":
        return Finding(where, shown, *_text_wanted(value, written))
    if kind == "missing":
        return Finding(where, None, "is missing", _how_to_add(path, wanted))
    if kind == "extra_forbidden":
        return _unknown_key(path, wanted, where, detail["loc"])
    if kind == "literal_error":
        return Finding(where, shown, *_choice(context["expected"], value))
    if isinstance(value, TimeStamp):
        return Finding(where, shown, *_text_wanted(value, written))
    return Finding(where, shown, *_other(detail))


def _shown(value: object) -> object:
    """Return a value that may be shown: mappings and lists are named, not repeated, for they may be long."""
    if isinstance(value, Mapping):
        return f"a mapping with {', '.join(map(str, value)) or 'no keys'}"
    if isinstance(value, str) and ("PRIVATE KEY" in value or "\n" in value):
        return None
    return value if isinstance(value, str | int | float | bool) else None


def _text_wanted(value: object, written: str | None) -> tuple[str, str]:
    if isinstance(value, Mapping | list | tuple) or value is None:
        return f"must be text, but is {kind_of(value)}", "Write one value on the same line."
    if isinstance(value, TimeStamp):
        return "must be text, but YAML reads it as a time", _QUOTES.format(text=written or value[:10])
    text = written if written is not None else str(value)
    return f"must be text, but YAML reads it as {kind_of(value)}", _QUOTES.format(text=text)


def _choice(expected: str, value: object) -> tuple[str, str]:
    words = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    if isinstance(value, bool) and {"on", "off"} <= set(words):
        return "must be text, but YAML reads it as true/false", f'Put it in quotes: "{"on" if value else "off"}".'
    near = nearest(value, words) if isinstance(value, str) else None
    hint = f"Did you mean `{near}`? " if near else ""
    return "is not one of the possible values", f"{hint}Write {' or '.join(f'`{word}`' for word in words)}."


def _other(detail: ErrorDetails) -> tuple[str, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if kind in ("greater_than_equal", "less_than_equal"):
        limit = context.get("ge", context.get("le"))
        small = kind == "greater_than_equal"
        return f"is too {'small' if small else 'large'}", f"Write {limit} or {'more' if small else 'less'}."
    if kind == "too_short":
        return _EMPTY, f"Write at least {context.get('min_length', 1)}."
    if kind == "string_pattern_mismatch":
        return "has characters that are not possible here", f"It must match {context.get('pattern')}."
    return f"is not valid ({detail['msg']})", "See docs/configuration.md for what may stand here."


def _unknown_key(path: Path_, wanted: object, where: str, location: tuple[int | str, ...]) -> Finding:
    """Return the finding of a key that this model does not have; of several possible models the tag says which."""
    key, there = str(path[-1]), list(models_at(wanted, path[:-1]))
    tag = location[-2] if len(location) > 1 else ""
    chosen = [model for model in there if variant(model) == f"{tag}".removeprefix("~")] or there
    others = [model for model in there if model not in chosen and key in aliases(model)]
    if others:
        return Finding(where, None, "does not belong here", f"Only {_variant_words(others[0])} has it. Remove it.")
    keys = sorted({alias for model in chosen for alias in aliases(model)})
    near = nearest(key, keys)
    remedy = f"Did you mean `{near}`?" if near else f"Remove it. Possible here: {', '.join(keys)}."
    return Finding(where, None, "is no known key", remedy)


_DISCRIMINATORS = ("machine", "source", "kind")


def variant(model: type[BaseModel]) -> str:
    """Return which of several models this is, by the one word that its discriminating key can have; "" for others."""
    for name in _DISCRIMINATORS:
        info = model.model_fields.get(name)
        if info is not None and get_origin(info.annotation) is Literal:
            return str(get_args(info.annotation)[0])
    return ""


def _variant_words(model: type[BaseModel]) -> str:
    name = next(name for name in _DISCRIMINATORS if name in model.model_fields)
    return f"`{name}: {variant(model)}`"


def _how_to_add(path: Path_, wanted: object) -> str:
    for model in models_at(wanted, path[:-1]):
        for name, info in model.model_fields.items():
            if (info.alias or name) == path[-1]:
                return f"Add `{path[-1]}:` ({(info.description or '').rstrip('.')})."
    return f"Add `{path[-1] if path else 'it'}:`."


def aliases(model: type[BaseModel]) -> list[str]:
    """Return the YAML keys of a model."""
    return [info.alias or name for name, info in model.model_fields.items()]


def models_at(wanted: object, path: Path_) -> Iterator[type[BaseModel]]:
    """Yield the models that may stand at a path below a type; several where a union has several."""
    if not path:
        yield from _models(wanted)
        return
    for inner in _step(wanted, path[0]):
        yield from models_at(inner, path[1:])


def _models(wanted: object) -> Iterator[type[BaseModel]]:
    for one in _members(wanted):
        if isinstance(one, type) and issubclass(one, BaseModel):
            yield one


def _members(wanted: object) -> Iterator[object]:
    """Yield the alternatives of a type, without Annotated, unions and aliases around them."""
    origin = get_origin(wanted)
    if origin is typing.Annotated:
        yield from _members(get_args(wanted)[0])
    elif origin in (typing.Union, types.UnionType):
        for one in get_args(wanted):
            yield from _members(one)
    else:
        yield wanted


def _step(wanted: object, part: str | int) -> Iterator[object]:
    for one in _members(wanted):
        origin, arguments = get_origin(one), get_args(one)
        if isinstance(one, type) and issubclass(one, BaseModel):
            for name, info in one.model_fields.items():
                if (info.alias or name) == part:
                    yield info.annotation
        elif origin is dict and isinstance(part, str):
            yield arguments[1]
        elif origin in (tuple, list) and isinstance(part, int):
            yield arguments[0]
