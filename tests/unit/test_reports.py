"""Counting the verdicts of a host over the reports of several steps."""

from __future__ import annotations

import json

from edge.reports import counts, last_json, results


def report(**statuses: str) -> str:
    rows = [{"id": key.replace("_", "."), "status": status} for key, status in statuses.items()]
    return "noise before\n" + json.dumps({"schema": 1, "results": rows})


def test_a_later_step_replaces_only_what_was_skipped() -> None:
    merged = results([report(host_a="skip", host_b="warn"), report(host_a="pass", host_b="pass")])
    assert merged == {"host.a": "pass", "host.b": "warn"}


def test_counts_by_word() -> None:
    found = counts(report(host_a="pass", host_b="warn", host_c="fail", host_d="skip"))
    assert found == {"passed": 1, "warned": 1, "failed": 1, "skipped": 1}


def test_no_report_counts_nothing() -> None:
    assert last_json("") is None
    assert last_json("a line\nno json") is None
    assert last_json("[1]") is None
    assert counts("", "garbage") == {"passed": 0, "warned": 0, "failed": 0, "skipped": 0}
