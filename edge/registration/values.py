"""Values as the engine hands them over: whole numbers are floats, absent values are missing, null or empty.

Nothing here raises for a strange value where a difference is asked for: an error in `diff` stops the whole update. In a
preview a value may be the engine's unknown marker, a text; it simply differs from every known value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edge.errors import PaletteError

Props = Mapping[str, object]
Outputs = dict[str, object]

# How to reach Palette. Part of every resource, because a delete knows only what is stored with it.
LOCATION = ("api_url", "project", "project_uid")
CONNECTION = (*LOCATION, "ca_pem")


def text(props: Props, key: str) -> str:
    """Return a text, empty if it is absent."""
    value = props.get(key)
    return value if isinstance(value, str) else ""


def flag(props: Props, key: str) -> bool:
    """Return whether a switch is on."""
    return props.get(key) is True


def whole(props: Props, key: str) -> int:
    """Return a whole number; raise PaletteError if the value is none."""
    value = props.get(key)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and float(value).is_integer():
        return int(value)
    raise PaletteError(
        f"{key} is {value!r} where a whole number is needed.",
        remedy=f"write a number like 1 for the host's {key}.",
        where=f"edge host {text(props, 'host')}",
    )


def needed(props: Props, *keys: str) -> None:
    """Raise PaletteError unless each of `keys` holds a text."""
    for key in keys:
        if not text(props, key):
            where = f"edge host {text(props, 'host')}" if text(props, "host") else ""
            raise PaletteError(f"the input {key} is missing.", remedy=f"give {key} to the resource.", where=where)


def changed(olds: Props, news: Props, keys: Iterable[str]) -> list[str]:
    """Return those of `keys` whose value differs; absent, null, empty and off are the same. Never raises."""
    return [key for key in keys if _plain(olds.get(key)) != _plain(news.get(key))]


def stored(props: Props) -> Outputs:
    """Return what the state holds of a resource, without the engine's own part."""
    return {key: value for key, value in props.items() if key != "__provider"}


def echo(props: Props, keys: Iterable[str]) -> Outputs:
    """Return the inputs that are stored as outputs; whole numbers as such."""
    return {key: _number(props[key]) for key in keys if props.get(key) is not None}


def _plain(value: object) -> object:
    """Return what two values are compared by."""
    return "" if value is None or value is False else _number(value)


def _number(value: object) -> object:
    """Return a whole number as such, whatever it arrived as."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
