"""The firewall request as text: Markdown for a ticket, CSV for a spreadsheet, JSON for a program."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from itertools import groupby
from typing import Literal

from edge.endpoints.model import PHASES
from edge.endpoints.rule import FirewallRule

Format = Literal["md", "csv", "json"]
FORMATS: tuple[Format, ...] = ("md", "csv", "json")

_COLUMNS = ("need", "dir", "proto", "ports", "from", "to", "via", "phase", "why", "source")


def render(rules: Sequence[FirewallRule], form: Format, *, title: str) -> str:
    """Return the request in one of the formats; equal rules give equal text, with a line break at the end."""
    return {"md": markdown, "csv": comma_separated, "json": as_json}[form](rules, title)


def markdown(rules: Sequence[FirewallRule], title: str) -> str:
    """Return one table per section, with a heading each."""
    count = f"{len(rules)} rules. `dir` is seen from the side that files the rule."
    lines = [f"# Firewall request: {title}", "", count, ""]
    for heading, group in groupby(rules, key=lambda rule: rule.title):
        lines += [f"## {heading}", "", _row(_COLUMNS), _row(("---",) * len(_COLUMNS))]
        lines += [_row(_cells(rule)) for rule in group]
        lines.append("")
    return "\n".join(lines)


def comma_separated(rules: Sequence[FirewallRule], _title: str) -> str:
    """Return one line per rule under a line of names, side and section first."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("side", "section", *_COLUMNS))
    for rule in rules:
        writer.writerow((rule.side, rule.title, *_cells(rule)))
    return buffer.getvalue()


def as_json(rules: Sequence[FirewallRule], title: str) -> str:
    """Return a document with a schema number, so that a program can tell when the fields change."""
    document = {"schema": 1, "request": title, "rules": [rule.to_dict() for rule in rules]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _cells(rule: FirewallRule) -> tuple[str, ...]:
    why = f"{rule.reason} (when {rule.condition})" if rule.condition else rule.reason
    phases = ", ".join(phase for phase in PHASES if phase in rule.phase)
    return (
        rule.required, rule.direction, rule.protocol, rule.ports, rule.source, rule.destination, rule.via, phases, why,
        rule.fact,
    )  # fmt: skip


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
