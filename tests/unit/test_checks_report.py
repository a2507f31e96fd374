"""What comes back from a host is checked before it is believed, and shown as tables, JSON and JUnit."""

from __future__ import annotations

import io
import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from edge.checks.model import Result
from edge.checks.render import finding_lines, findings_table, summary_table, to_json, to_junit
from edge.checks.report import Report, parse, site_report
from edge.errors import HostError

ROW = {"id": "host.cpu.minimum", "status": "pass", "seen": "4 CPUs", "expected": ""}


def document(**over: Any) -> dict[str, Any]:
    """Return what a host prints."""
    whole = {"schema": 1, "step": "checks", "host": "a", "outcome": "ok", "results": [ROW], "facts": {"arch": "amd64"}}
    return {**whole, **over}


def test_a_report_is_read_from_the_last_line() -> None:
    report = parse(f"noise\nmore noise\n{json.dumps(document())}\n\n", "a")
    assert report.results == (Result("host.cpu.minimum", "a", "pass", "4 CPUs"),)
    assert report.facts == {"arch": "amd64"}
    assert report.to_dict() == document()


@pytest.mark.parametrize(
    ("stdout", "words"),
    [
        ("", "it printed nothing"),
        ("   \n\n", "it printed nothing"),
        ("Last login: yesterday", "'Last login: yesterday'"),
        (json.dumps(document()) + "\ntrailing words", "'trailing words'"),
        (json.dumps(document())[:-20], "cut off"),
        ("x" * 1_000_000, "…"),
        (json.dumps(document(host="b")), "says host 'b' where 'a'"),
        (json.dumps(document(step="prepare")), "says step 'prepare'"),
        (json.dumps(document(schema=2)), "says schema '2'"),
        (json.dumps(document(outcome="fine")), "not of the form"),
        (json.dumps(document(results={})), "not of the form"),
        (json.dumps(document(facts=[])), "not of the form"),
        (json.dumps(document(results=[{**ROW, "status": "green"}])), "not of the form"),
        (json.dumps(document(results=[{**ROW, "seen": 4}])), "not of the form"),
        (json.dumps(document(results=["row"])), "not of the form"),
        (json.dumps(document(results=[{"status": "pass"}])), "not of the form"),
    ],
)
def test_anything_else_is_an_error_that_names_the_host_and_a_remedy(stdout: str, words: str) -> None:
    """A missing report line must never pass for a good one."""
    with pytest.raises(HostError) as caught:
        parse(stdout, "a")
    assert caught.value.where == "a"
    assert words in str(caught.value)
    assert "Remedy:" in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.fixture
def report() -> Report:
    """Return a report with each status, and texts that a terminal or XML could trip over."""
    rows = (
        Result("across.clock", "", "pass", "within 10 s"),
        Result("host.cpu.minimum", "a", "pass", "4 CPUs"),
        Result("host.os.docker", "a", "warn", "package [docker.io] <&>", "no Docker"),
        Result("host.dns.answers", "b", "fail", "no answer \x1b[31m", "an address"),
        Result("control.login", "b", "fail", "refused", "a login", "start sshd"),
        Result("host.os.fips", "b", "skip", "FIPS is not asked for"),
    )
    return Report("plant-dev", rows)


def _printed(what: object) -> str:
    console = Console(width=250, record=True, file=io.StringIO())
    console.print(what)
    return console.export_text()


def test_the_tables_show_every_host_and_every_finding_with_its_remedy(report: Report) -> None:
    summary = _printed(summary_table(report, {"b": "could not be looked at"}))
    assert [line.split()[:5] for line in summary.splitlines()[1:]] == [
        ["(site)", "1", "0", "0", "0"],
        ["a", "1", "1", "0", "0"],
        ["b", "0", "0", "2", "1"],
    ]
    findings = _printed(findings_table(report))
    assert "package [docker.io] <&>" in findings
    assert "let the host reach a name server" in findings
    assert "start sshd" in findings
    assert "FIPS is not asked for" not in findings
    assert "FIPS is not asked for" in _printed(findings_table(report, skipped=True))


def test_a_log_gets_one_whole_line_per_finding(report: Report) -> None:
    lines = finding_lines(report)
    assert [line.split()[:3] for line in lines] == [
        ["warn", "a", "host.os.docker:"],
        ["fail", "b", "host.dns.answers:"],
        ["fail", "b", "control.login:"],
    ]
    assert lines[2].endswith("seen refused, expected a login; fix: start sshd")
    assert finding_lines(report, skipped=True)[-1] == "skip b host.os.fips: FIPS is not asked for"


def test_the_json_is_what_the_gate_of_a_promotion_reads(report: Report) -> None:
    data = to_json(report, release="r-1", finished_at="2026-11-20T12:00:00+00:00", facts={"a": {"arch": "amd64"}})
    assert json.loads(json.dumps(data)) == data
    assert {name: data[name] for name in ("stack", "release", "finishedAt", "red")} == {
        "stack": "plant-dev",
        "release": "r-1",
        "finishedAt": "2026-11-20T12:00:00+00:00",
        "red": True,
    }
    assert [row["id"] for row in data["site"]] == ["across.clock"]
    assert data["hosts"]["a"]["facts"] == {"arch": "amd64"}
    assert data["hosts"]["b"]["counts"] == {"pass": 0, "warn": 0, "fail": 2, "skip": 1}
    login = next(row for row in data["hosts"]["b"]["results"] if row["id"] == "control.login")
    assert login["remedy"] == "start sshd"
    assert "remedy" not in data["hosts"]["a"]["results"][0]


def test_the_junit_file_is_valid_and_counts(report: Report) -> None:
    top = ET.fromstring(to_junit(report))
    assert (top.get("tests"), top.get("failures")) == ("6", "2")
    suites = {suite.get("name"): suite for suite in top}
    assert list(suites) == ["plant-dev", "a", "b"]
    assert suites["b"].get("skipped") == "1"
    case = next(case for case in suites["b"] if case.get("name") == "host.dns.answers")
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "no answer ?[31m"
    assert (
        suites["a"][1].findtext("system-out", "").startswith("warning: Docker is absent: seen package [docker.io] <&>")
    )


def test_a_report_of_a_site_puts_what_concerns_all_first() -> None:
    whole = site_report("s", [parse(json.dumps(document()), "a")], [Result("across.clock", "", "skip", "x")])
    assert whole.hosts() == ("", "a")
    assert whole.red == ()
    assert whole.counts("a")["pass"] == 1
