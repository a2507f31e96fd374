"""A YAML file, read as its two readers read it.

The engine reads a stack file with a YAML 1.2 library for Go that keeps a few habits of 1.1; Python people read it with
PyYAML, which is YAML 1.1. They agree on nearly everything, and where they do not, a value silently means two things:

| written plain    | PyYAML (1.1)          | the engine (1.2 and habits) |
| ---------------- | --------------------- | --------------------------- |
| `on` `yes` `off` | true / false          | text                        |
| `12:30:45`       | 45045 (base 60)       | text                        |
| `066635153087`   | text                  | the number 66635153087.0    |
| `0644`           | 420 (octal)           | 420 (octal)                 |
| `0o644`          | text                  | 420 (octal)                 |
| `1e3`            | text                  | the number 1000.0           |
| `2027-01-31`     | a date                | a time stamp                |
| `1.30`           | 1.3                   | 1.3                         |
| `1_000`          | 1000                  | 1000                        |
| `0x1F`           | 31                    | 31                          |

The settings are what the engine sees. Where the two differ, the value is refused with "put it in quotes"; where both
see the same surprising number, the field that wants text refuses it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from edge.errors import SettingsError
from edge.findings import Finding

Path_ = tuple[str | int, ...]

_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_STAMP = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_WORDS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    ".nan": math.nan, ".NaN": math.nan, ".NAN": math.nan,
    ".inf": math.inf, ".Inf": math.inf, ".INF": math.inf,
    "+.inf": math.inf, "+.Inf": math.inf, "+.INF": math.inf,
    "-.inf": -math.inf, "-.Inf": -math.inf, "-.INF": -math.inf,
}  # fmt: skip


class TimeStamp(str):
    """Text that the engine hands over for an unquoted day or time: always a whole time stamp."""

    __slots__ = ()


def engine_scalar(text: str) -> Any:
    """Return what the engine makes of a plain (unquoted) scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if _STAMP.fullmatch(text):
        stamp = _parse_stamp(text)
        if stamp is not None:
            return TimeStamp(stamp)
    plain = text.replace("_", "")
    if text[:1] in "+-.0123456789" and plain:
        number = _integer(plain)
        if number is not None:
            return number
        if _FLOAT.fullmatch(plain):
            return float(plain)
    return text


def _integer(plain: str) -> int | None:
    """Return an integer as Go's ParseInt with base 0 reads it: 0x, 0o, 0b, a leading 0 for octal, 64 bits at most."""
    found = re.fullmatch(r"([-+]?)(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)", plain)
    if not found:
        return None
    digits = found[2]
    number = int(digits, 8) if re.fullmatch(r"0[0-7]+", digits) else int(digits, 0)
    number = -number if found[1] == "-" else number
    return number if _SMALLEST <= number <= _LARGEST else None


def _parse_stamp(text: str) -> str | None:
    """Return the time stamp in the form that reaches the program, or None when the text is no date."""
    year, month, day = (int(part) for part in re.split(r"[Tt ]", text, maxsplit=1)[0].split("-"))
    try:
        moment = date(year, month, day)
    except ValueError:
        return None
    return f"{moment.isoformat()}T00:00:00Z" if len(text) <= 10 else text


def _same(one: object, other: object) -> bool:
    """Return whether both readers see the same thing. A time never is: no field here wants one."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    return type(one) is type(other) and one == other


@dataclass
class Document:
    """One YAML file: its data as the engine reads it, where everything stands, and what is wrong with it."""

    name: str
    data: Any
    lines: dict[Path_, int] = field(default_factory=dict)
    plain: dict[Path_, str] = field(default_factory=dict)
    problems: list[tuple[Path_, Finding]] = field(default_factory=list)

    def findings(self, *, below: Path_ = (), prefix: str = "") -> list[Finding]:
        """Return the problems at and under a path, each with the path written after `prefix`."""
        size = len(below)
        return [
            Finding(dotted(path[size:], prefix), one.value, one.problem, one.remedy, one.level)
            for path, one in self.problems
            if path[:size] == below
        ]

    def line(self, path: Path_) -> int | None:
        """Return the line of a path, or that of the nearest place above it; the first line is 1."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def dotted(path: Path_, prefix: str = "") -> str:
    """Return a path as people write it: `site.hosts.a.tags`, `site.caCerts[0]`."""
    text = prefix
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


class _Reader(yaml.SafeLoader):
    """PyYAML's own loader; made a class of ours so that nothing registered elsewhere changes it."""


def read(path: Path) -> Document:
    """Return the document in a file. Raises SettingsError when it is missing or no YAML."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise SettingsError(
            [
                Finding(
                    path.name, None, f"does not exist in {path.parent}", "Create it, or correct the name of the stack."
                )
            ]
        ) from None
    except UnicodeDecodeError:
        raise SettingsError([Finding(path.name, None, "is not UTF-8 text", "Save it as UTF-8.")]) from None
    return parse(text, path.name)


def parse(text: str, name: str) -> Document:
    """Return the document in a text. Raises SettingsError when it is no YAML."""
    loader = _Reader(text)
    try:
        node = loader.get_single_node()
        document = Document(name, None)
        document.data = _build(node, (), document, loader) if node is not None else {}
    except yaml.YAMLError as error:
        raise SettingsError([_broken(error, name)]) from None
    except RecursionError:
        endless = Finding(name, None, "contains itself by an alias, or is nested too deeply", "Remove the alias.")
        raise SettingsError([endless]) from None
    finally:
        loader.dispose()
    return document


def _broken(error: yaml.YAMLError, name: str) -> Finding:
    mark = getattr(error, "problem_mark", None)
    where = f"{name}, line {mark.line + 1}, column {mark.column + 1}" if mark else name
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    return Finding(
        where, None, f"is no valid YAML ({what})", "Correct the indentation, a missing colon or quotes there."
    )


def _build(node: yaml.Node, path: Path_, document: Document, loader: _Reader) -> Any:
    """Return the data of a node as the engine reads it, noting lines and differences."""
    document.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document, loader)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, index), document, loader) for index, item in enumerate(node.value)]
    assert isinstance(node, yaml.ScalarNode)
    return _scalar(node, path, document, loader)


_Pair = tuple[yaml.Node, yaml.Node]


def _mapping(node: yaml.MappingNode, path: Path_, document: Document, loader: _Reader) -> dict[str, Any]:
    """Return the pairs of a mapping; its own go over merged ones. A key that stands twice is a problem, the first counts."""
    own, merged = _split(node)
    data = {str(key.value): _build(value, (*path, str(key.value)), document, loader) for key, value in reversed(merged)}
    seen: dict[str, int] = {}
    for key_node, value_node in own:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        here = (*path, key)
        if key in seen:
            problem = f"stands twice, in lines {seen[key]} and {line}"
            document.problems.append((here, Finding("", None, problem, "Keep one of the two.")))
            continue
        seen[key] = document.lines[here] = line
        data[key] = _build(value_node, here, document, loader)
    return data


def _split(node: yaml.MappingNode) -> tuple[list[_Pair], list[_Pair]]:
    """Return a mapping's own pairs, and those that `<<` brings in, the stronger ones first."""
    own: list[_Pair] = []
    merged: list[_Pair] = []
    for key, value in node.value:
        if key.tag != "tag:yaml.org,2002:merge":
            own.append((key, value))
            continue
        for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if isinstance(source, yaml.MappingNode):
                theirs, further = _split(source)
                merged += [*theirs, *further]
    return own, merged


def _scalar(node: yaml.ScalarNode, path: Path_, document: Document, loader: _Reader) -> Any:
    text = str(node.value)
    if node.style is not None or (node.tag == "tag:yaml.org,2002:str" and engine_scalar(text) == text):
        return text
    document.plain[path] = text
    ours = engine_scalar(text)
    try:
        theirs = loader.construct_object(node)  # type: ignore[no-untyped-call,unused-ignore]
    except (yaml.YAMLError, ValueError):
        theirs = text
    if isinstance(ours, TimeStamp):
        problem = Finding("", text, "would arrive as a time stamp", f'Put it in quotes: "{text}".')
        document.problems.append((path, problem))
    elif not _same(theirs, ours):
        document.problems.append(
            (
                path,
                Finding(
                    "",
                    text,
                    f"means two things: {_spoken(ours)} for the engine, {_spoken(theirs)} for YAML 1.1",
                    _alike(text, theirs),
                ),
            )
        )
    return ours


def _alike(text: str, theirs: object) -> str:
    quoted = f'"{text}" in quotes'
    if isinstance(theirs, bool):
        return f"Write {'true' if theirs else 'false'} for a switch, or {quoted} for text."
    return f"Write {quoted} for text, or a plain decimal number."


def _spoken(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value!r}"
    if isinstance(value, date | datetime | TimeStamp):
        return f"the time {value}"
    return "nothing" if value is None else f"the text {value!r}"
