"""What `verify` and `preflight` share: printing a report, and writing it for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from edge.checks.across import across
from edge.checks.model import Result
from edge.checks.render import finding_lines, findings_table, summary_table, to_json, to_junit
from edge.checks.report import Report, site_report
from edge.errors import ChecksRedError, HostError
from edge.files import replace_file
from edge.inspection import Looked, ahead_of_median, login_results
from edge.settings import AnySettings, StackSettings
from edge.stages import Stage

REPORTS = Path(".edge") / "reports"


def report_of(stack: str, stage: Stage, looked: Sequence[Looked], others: Sequence[Result] = ()) -> Report:
    """Return the report of a site: what was asked about it, the comparison of its hosts, and each host's own rows."""
    reports = [one.report for one in looked if one.report is not None]
    boots = {one.host: one.boot for one in looked if one.boot is not None}
    compared = across(stage, reports, boots=boots, clocks=ahead_of_median(looked))
    logins = login_results(looked, stage)
    return site_report(stack, reports, [*others, *compared, *logins])


def show(console: Console, report: Report, looked: Sequence[Looked], *, skipped: bool) -> None:
    """Print every row that is not as it should be, with its remedy, then one row per host: what matters stands last."""
    if console.is_terminal:
        table = findings_table(report, skipped=skipped)
        if table.row_count:
            console.print(table)
            console.print()
    else:
        for line in finding_lines(report, skipped=skipped):
            console.print(Text(line), soft_wrap=True)
    console.print(summary_table(report, {one.host: _note(one) for one in looked}))


def _note(one: Looked) -> str:
    return "could not be looked at" if one.error else f"{one.seconds:.1f} s"


def as_data(report: Report, looked: Sequence[Looked], release: str) -> str:
    """Return the report as JSON text, finished now."""
    facts: Mapping[str, Mapping[str, str]] = {one.host: one.report.facts for one in looked if one.report}
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps(to_json(report, release=release, finished_at=finished, facts=facts), indent=2) + "\n"


@dataclass(frozen=True)
class Files:
    """Where a report goes: the folder of the last reports, and where else it was asked for."""

    folder: Path
    as_json: Path | None = None
    junit: Path | None = None


def publish(
    console: Console,
    settings: AnySettings,
    report: Report,
    looked: Sequence[Looked],
    files: Files,
    *,
    name: str,
    skipped: bool,
) -> int:
    """Print and write a report, as NAME.json in the folder of reports; return the exit code of the command."""
    show(console, report, looked, skipped=skipped)
    for finding in settings.warnings:
        console.print(f"warning: {finding}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    data = as_data(report, looked, settings.release.id if isinstance(settings, StackSettings) else "")
    kept = files.folder / f"{name}.json"
    for path, text in ((kept, data), (files.as_json, data), (files.junit, to_junit(report))):
        if path is not None:
            replace_file(path, text, what="the report", remedy="name a folder that can be written")
    console.print(f"report: {kept}", style="dim", highlight=False, soft_wrap=True)
    return exit_code(report, looked)


def exit_code(report: Report, looked: Sequence[Looked]) -> int:
    """Return 5 when a host could not be looked at (nothing is known of it), 3 when a check is red, else 0."""
    if any(one.error is not None for one in looked):
        return HostError.exit_code
    return ChecksRedError.exit_code if report.red else 0
