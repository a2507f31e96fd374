"""The wire form of values: secrets, unknowns and floats, as a resource provider would get them."""

from __future__ import annotations

from typing import Any

from pulumi.output import Unknown

SECRET_KEY = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the mark of a secret on the wire
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def is_secret(value: object) -> bool:
    """Return whether a wire value is wrapped as a secret."""
    return isinstance(value, dict) and value.get(SECRET_KEY) == SECRET_SIGNATURE


def unwrap(value: Any) -> Any:
    """Return a wire value without its secret wrappers, as a provider that accepts none gets it; unknowns are markers."""
    if is_secret(value):
        return unwrap(value["value"])
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, dict):
        return {key: unwrap(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unwrap(item) for item in value]
    return value


def whole_numbers(value: Any) -> Any:
    """Return a value with floats that are whole as ints: the wire knows only floats, a reader of facts wants counts."""
    if isinstance(value, dict):
        return {key: whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def secret(value: Any) -> dict[str, Any]:
    """Return a value wrapped as a secret."""
    return {SECRET_KEY: SECRET_SIGNATURE, "value": value}


def has_unknown(value: Any) -> bool:
    """Return whether a wire value holds the marker of an unknown, at any depth."""
    plain = unwrap(value)
    if isinstance(plain, dict):
        return any(has_unknown(item) for item in plain.values())
    if isinstance(plain, list):
        return any(has_unknown(item) for item in plain)
    return bool(plain == UNKNOWN)
