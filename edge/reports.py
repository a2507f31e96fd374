"""Reading the JSON report that a remote step prints as its last line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

STATUSES = ("pass", "warn", "fail", "skip")


def last_json(stdout: str) -> dict[str, Any] | None:
    """Return the report on the last line of a step's output, or None when there is none."""
    lines = stdout.strip().splitlines()
    if not lines:
        return None
    try:
        report = json.loads(lines[-1])
    except ValueError:
        return None
    return report if isinstance(report, dict) else None


def results(stdouts: Iterable[str]) -> dict[str, str]:
    """Return the status of each check by id; a later step's verdict replaces an earlier `skip`."""
    merged: dict[str, str] = {}
    for stdout in stdouts:
        for row in (last_json(stdout) or {}).get("results", []):
            if merged.get(row["id"], "skip") == "skip":
                merged[row["id"]] = row["status"]
    return merged


def fact(stdout: str, name: str) -> str:
    """Return one fact of the host from a report, "" when the report does not have it."""
    facts = (last_json(stdout) or {}).get("facts", {})
    return str(facts.get(name, "")) if isinstance(facts, dict) else ""


def counts(*stdouts: str) -> dict[str, int]:
    """Return how many checks passed, warned, failed and were skipped over the reports of several steps."""
    statuses = list(results(stdouts).values())
    words = ("passed", "warned", "failed", "skipped")
    return {word: statuses.count(status) for word, status in zip(words, STATUSES, strict=True)}
