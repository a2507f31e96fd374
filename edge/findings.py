"""One problem that a person has to solve: where it is, what was seen, and what to write or do instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """A single problem. `where` is a YAML path (`site.hosts.a.address`) or the name of an object."""

    where: str
    value: object
    problem: str
    remedy: str
    level: Level = "error"

    def __str__(self) -> str:
        shown = "" if self.value is None else f" (got {shorten(self.value)})"
        return f"{self.where}: {self.problem}{shown}. {self.remedy}"


def shorten(value: object, limit: int = 120) -> str:
    """Return `repr(value)` cut to `limit` characters, so that one bad value cannot fill the screen."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Return only the findings that must stop the program."""
    return [finding for finding in findings if finding.level == "error"]
