"""Changes the plain values of one host in the text of a stack file; every other character stays as it was.

A stack file belongs to people: comments, order, quotes and line ends are theirs. So a value is written over in place, a
missing key is put behind the host's address, and a key that goes takes its line with it. The result is read again, and
is refused when it says anything else than what was asked for: an alias or a merge can bring in values from elsewhere.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import yaml

from edge.errors import RollError, SettingsError
from edge.settings.yamltext import parse

_SITE_KEY = "edge-hosts:site"
_PLACE = ("config", _SITE_KEY, "hosts")
_AFTER = ("generation", "address")

_Pair = tuple[yaml.Node, yaml.Node]


def with_values(text: str, host: str, values: Mapping[str, int | str | None]) -> str:
    """Return the text of a stack file in which the host has these values; None takes a key away.

    The values are numbers or words that need no quotes. Raises RollError when the host is not in the file, or is
    written in a way that cannot be changed in place, SettingsError when the text is no YAML.
    """
    before = parse(text, "the stack file").data
    wanted = copy.deepcopy(before)
    entry = _entry(wanted, host)
    if entry is None:
        raise RollError("is not under `hosts:` of the stack file.", remedy="Correct the name.", where=host)
    for key, value in values.items():
        if value is None:
            entry.pop(key, None)
        else:
            entry[key] = value
    try:
        for key, value in values.items():
            text = _with_value(text, host, key, value)
        after = parse(text, "the stack file").data
    except (yaml.YAMLError, SettingsError):
        after = None
    if after != wanted:
        raise _by_hand(host, values)
    return text


def written(text: str, host: str, key: str) -> Any:
    """Return what the stack file says for a key of the host, None when it says nothing."""
    entry = _entry(parse(text, "the stack file").data, host)
    return None if entry is None else entry.get(key)


def _entry(data: Any, host: str) -> dict[str, Any] | None:
    for part in (*_PLACE, host):
        data = data.get(part) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else None


def _by_hand(host: str, values: Mapping[str, int | str | None]) -> RollError:
    lines = ", ".join(f"`{key}: {value}`" for key, value in values.items() if value is not None)
    gone = ", ".join(f"`{key}`" for key, value in values.items() if value is None)
    remedy = f"Write {lines} on the host's own lines by hand" if lines else "Change the host's own lines by hand"
    return RollError(
        "its lines in the stack file cannot be changed in place (an alias, a merge or a tag stands there).",
        remedy=f"{remedy}{f', without {gone}' if gone else ''}.",
        where=host,
    )


def _with_value(text: str, host: str, key: str, value: int | str | None) -> str:
    node = _host_node(text, host)
    if node is None:
        return text  # it comes in from elsewhere; the comparison at the end decides
    pairs: list[_Pair] = node.value
    at = next((index for index, pair in enumerate(pairs) if pair[0].value == key), None)
    if value is None:
        return text if at is None else _without(text, node, at)
    if at is not None:
        return _replaced(text, pairs[at][1], str(value))
    return _added(text, node, key, str(value))


def _host_node(text: str, host: str) -> yaml.MappingNode | None:
    """Return the node of the host's own mapping, with its place in the text."""
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    for part in (*_PLACE, host):
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for key, value in pairs if key.value == part), None)
    return node if isinstance(node, yaml.MappingNode) and node.value else None


def _replaced(text: str, node: yaml.Node, value: str) -> str:
    """Return the text with a scalar written over; its quotes stay."""
    start, end = node.start_mark.index, node.end_mark.index
    quote = getattr(node, "style", None) or ""
    quote = quote if quote in ("'", '"') else ""
    return f"{text[:start]}{quote}{value}{quote}{text[end:]}"


def _added(text: str, node: yaml.MappingNode, key: str, value: str) -> str:
    """Return the text with a new key behind the host's generation or address, else before its first key."""
    pairs: list[_Pair] = node.value
    known = {pair[0].value: pair for pair in pairs}
    before = next((known[name] for name in _AFTER if name in known), None)
    if node.flow_style:
        if before is None:
            return _inserted(text, pairs[0][0].start_mark.index, f"{key}: {value}, ")
        return _inserted(text, before[1].end_mark.index, f", {key}: {value}")
    column = (before or pairs[0])[0].start_mark.column
    if before is None:
        return _inserted(text, pairs[0][0].start_mark.index, f"{key}: {value}{_line_end(text)}{' ' * column}")
    at = _end_of_line(text, before[1].end_mark.index)
    return _inserted(text, at, f"{_line_end(text)}{' ' * column}{key}: {value}")


def _without(text: str, node: yaml.MappingNode, at: int) -> str:
    """Return the text without one key: its lines in a block, the pair and one comma between braces."""
    pairs: list[_Pair] = node.value
    start, end = pairs[at][0].start_mark.index, pairs[at][1].end_mark.index
    if not node.flow_style:
        line = text.rfind("\n", 0, start) + 1
        stop = _end_of_line(text, end)
        if text[line:start].strip():  # the first key, on the line of something else
            return text[:start] + text[pairs[at + 1][0].start_mark.index :] if at + 1 < len(pairs) else text
        stop += len(_line_end(text)) if text.startswith(_line_end(text), stop) else 0
        return text[:line] + text[stop:]
    if at + 1 < len(pairs):
        return text[:start] + text[pairs[at + 1][0].start_mark.index :]
    previous = pairs[at - 1][1].end_mark.index if at else start
    if "#" in text[previous:start]:  # a comment on the line before stays, and so does the comma before it
        previous = start
    return text[:previous] + text[end:]


def _inserted(text: str, at: int, more: str) -> str:
    return text[:at] + more + text[at:]


def _end_of_line(text: str, at: int) -> int:
    """Return where the line ends that `at` is in, before its line end."""
    stop = text.find("\n", at)
    stop = len(text) if stop < 0 else stop
    return stop - 1 if text[at:stop].endswith("\r") else stop


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
