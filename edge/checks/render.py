"""A report for people (tables), for machines (JSON), and for CI (JUnit)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET  # only written, never read

from rich.markup import escape
from rich.table import Table

from edge.checks.catalogue import CATALOGUE
from edge.checks.model import STATUSES, Result
from edge.checks.report import Report

STYLES: Mapping[str, str] = {"pass": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}
_SITE = "(site)"


def title_of(check: str) -> str:
    """Return a check's title, or its id when it is not in the catalogue."""
    return CATALOGUE[check].title if check in CATALOGUE else check


def remedy_of(row: Result) -> str:
    """Return how to fix what a check found."""
    return row.remedy or (CATALOGUE[row.id].remedy if row.id in CATALOGUE else "")


def summary_table(report: Report, notes: Mapping[str, str] | None = None) -> Table:
    """Return one row per host: how many checks passed, warned, failed and were skipped, and a note."""
    table = Table(box=None, pad_edge=False)
    for heading in ("host", "passed", "warned", "failed", "skipped", ""):
        table.add_column(heading, justify="right" if heading not in ("host", "") else "left")
    for host in report.hosts():
        counts = report.counts(host)
        style = "red" if counts["fail"] else "yellow" if counts["warn"] else "green"
        cells = [str(counts[status]) for status in STATUSES]
        table.add_row(escape(host or _SITE), *cells, escape((notes or {}).get(host, "")), style=style)
    return table


def findings_table(report: Report, *, skipped: bool = False) -> Table:
    """Return every row that is not as it should be, with its remedy; skipped ones only when asked for."""
    table = Table(box=None, pad_edge=False, show_lines=False)
    for heading in ("host", "", "check", "seen", "expected", "how to fix it"):
        table.add_column(heading, overflow="fold")
    for row in report.results:
        if row.status == "pass" or (row.status == "skip" and not skipped):
            continue
        word = f"[{STYLES[row.status]}]{row.status}[/]"
        fix = "" if row.status == "skip" else remedy_of(row)
        table.add_row(escape(row.host or _SITE), word, row.id, escape(row.seen), escape(row.expected), escape(fix))
    return table


def sentence(row: Result) -> str:
    """Return what a check found in one line: title, what was seen and expected, how to fix it."""
    return f"{title_of(row.id)}: seen {row.seen}, expected {row.expected}; fix: {remedy_of(row)}"


def finding_lines(report: Report, *, skipped: bool = False) -> list[str]:
    """Return one whole line per row that is not as it should be, for a log; skipped ones only when asked for."""
    lines = []
    for row in report.results:
        if row.status in ("warn", "fail"):
            lines.append(f"{row.status} {row.host or _SITE} {row.id}: {sentence(row)}")
        elif row.status == "skip" and skipped:
            lines.append(f"skip {row.host or _SITE} {row.id}: {row.seen}")
    return lines


def row_dict(row: Result) -> dict[str, str]:
    """Return one result as plain data, with title and remedy."""
    data = {"id": row.id, "status": row.status, "title": title_of(row.id), "seen": row.seen, "expected": row.expected}
    return data if row.status in ("pass", "skip") else {**data, "remedy": remedy_of(row)}


def to_json(
    report: Report, *, release: str, finished_at: str, facts: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Return the report as plain data: per host its counts, results and facts; `site` holds what no host answers.

    `finished_at` is UTC in ISO 8601. A gate reads `release`, `finishedAt` and each host's results.
    """
    hosts = {
        host: {
            "counts": report.counts(host),
            "results": [row_dict(row) for row in report.of(host)],
            "facts": dict(facts.get(host, {})),
        }
        for host in report.hosts()
        if host
    }
    site = [row_dict(row) for row in report.of("")]
    heading = {"stack": report.stack, "release": release, "finishedAt": finished_at, "red": bool(report.red)}
    return {**heading, "site": site, "hosts": hosts}


def to_junit(report: Report) -> str:
    """Return the report as JUnit XML: a suite per host, a case per check; a warning is a passed case with a note."""
    top = ET.Element("testsuites", name=report.stack, tests=str(len(report.results)), failures=str(len(report.red)))
    for host in report.hosts():
        rows, counts = report.of(host), report.counts(host)
        suite = ET.SubElement(top, "testsuite", name=host or report.stack, tests=str(len(rows)))
        for name, number in (("failures", counts["fail"]), ("skipped", counts["skip"]), ("errors", 0)):
            suite.set(name, str(number))
        for row in rows:
            case = ET.SubElement(suite, "testcase", name=row.id, classname=host or report.stack)
            _judge(case, row)
    ET.indent(top)
    return ET.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def _judge(case: ET.Element, row: Result) -> None:
    text = sentence(row)
    if row.status == "fail":
        ET.SubElement(case, "failure", message=_xml(row.seen)).text = _xml(text)
    elif row.status == "skip":
        ET.SubElement(case, "skipped", message=_xml(row.seen))
    elif row.status == "warn":
        ET.SubElement(case, "system-out").text = _xml(f"warning: {text}")


def _xml(text: str) -> str:
    """Return the text without the control characters that XML cannot hold."""
    return "".join(char if char >= " " or char in "\t\n" else "?" for char in text)
