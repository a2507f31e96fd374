"""The `.arg` file of a build. Earthly reads it as it stands, and `earthly.sh` sources it with bash: both must see the same.

A value that is more than plain characters is put in single quotes, inside which neither of the two replaces anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from edge.errors import SettingsError
from edge.findings import Finding

FILE = ".arg"
_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
# What needs no quotes, for either reader: no blank, no sign of a shell, nothing that begins a comment.
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")


def value_problem(value: str) -> str | None:
    """Return why a value cannot stand in the file, None when it can."""
    if "'" in value:
        return "has a single quote, which cannot be written so that Earthly and bash both read it"
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        return "has a line break or a control character"
    return None


def quoted(value: str) -> str:
    """Return a value as it stands in the file. Raises ValueError for one that no quoting can carry."""
    problem = value_problem(value)
    if problem is not None:
        raise ValueError(f"the value {problem}")
    return value if _PLAIN.fullmatch(value) else f"'{value}'"


def render(values: Mapping[str, str]) -> str:
    """Return the text of the file, one line per value, in the order given.

    Raises SettingsError with every name and value that cannot be written.
    """
    findings = []
    for name, value in values.items():
        if not _NAME.fullmatch(name):
            findings.append(Finding(f"{FILE}: {name}", None, "is no name of an argument", "Use A-Z, 0-9 and '_'."))
        elif (problem := value_problem(value)) is not None:
            findings.append(Finding(f"{FILE}: {name}", value, problem, "Write a value without it."))
    if findings:
        raise SettingsError(findings)
    return "".join(f"{name}={quoted(value)}\n" for name, value in values.items())
