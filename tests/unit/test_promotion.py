"""The gate of a promotion, each condition broken once; and moving one line without touching another byte."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from settings_helpers import DIGEST, ROOT, STACKS, drop, put

from edge.errors import PromotionError
from edge.promotion import UNKNOWN, gate, moved, order, unknown_places
from edge.settings.release import Release
from edge.stages import STAGES
from tests.unit.image_stacks import PINNED
from tests.unit.test_images_pin import FACTS as IMAGE_FACTS

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOSTS = ["a", "b"]

FACTS: dict[str, Any] = {
    "stack": "staging",
    "result": "succeeded",
    "outputs": {
        "release": "r-1",
        "run": "0011",
        "hosts": {
            name: {
                "uid": name,
                "state": "ready",
                "release": "r-1",
                "run": "0011",
                "checks": {"passed": 40, "failed": 0},
            }
            for name in HOSTS
        },
    },
}
REPORT: dict[str, Any] = {
    "stack": "staging",
    "release": "r-1",
    "finishedAt": "2026-11-23T10:00:00+00:00",
    "site": [{"id": "site.token", "status": "pass"}],
    "hosts": {
        name: {"results": [{"id": "host.cpu", "status": "pass"}, {"id": "x", "status": "warn"}]} for name in HOSTS
    },
}

Change = Callable[[dict[str, Any]], None]


def judged(facts: Change | None = None, report: Change | None = None) -> dict[str, str]:
    """Return the problems that the gate finds, by place, after one change to the facts or to the report."""
    seen, looked = copy.deepcopy(FACTS), copy.deepcopy(REPORT)
    if facts:
        facts(seen)
    if report:
        report(looked)
    found = gate(seen, looked, release="r-1", hosts=HOSTS, now=NOW, max_age=timedelta(hours=24))
    assert all(finding.remedy for finding in found)
    return {finding.where: finding.problem for finding in found}


@pytest.mark.row("C3")
def test_the_gate_opens_when_everything_is_right() -> None:
    assert judged() == {}
    assert judged(put("outputs.hosts.a.state", "in-use")) == {}


@pytest.mark.row("C3")
@pytest.mark.parametrize(
    ("change", "where", "problem"),
    [
        (put("result", "failed"), "staging", "did not succeed"),
        (put("result", "unknown"), "staging", "does not say"),
        (put("outputs", None), "staging", "no outputs"),
        (put("outputs.release", "r-0"), "staging", "another release"),
        (drop("outputs.release"), "staging", "another release"),
        (put("outputs.hosts", {}), "staging", "no hosts"),
        (drop("outputs.hosts.b"), "staging: b", "was not deployed"),
        (put("outputs.hosts.b", UNKNOWN), "staging: hosts.b", "unknown"),
        (put("outputs.hosts.b", None), "staging: b", "no facts"),
        (put("outputs.hosts.b.uid", UNKNOWN), "staging: hosts.b.uid", "unknown"),
        (put("outputs.hosts.b.release", "r-0"), "staging: b", "does not run r-1"),
        (put("outputs.hosts.b.run", "0010"), "staging: b", "older run"),
        (put("outputs.hosts.b.state", "unpaired"), "staging: b", "not healthy"),
        (drop("outputs.hosts.b.state"), "staging: b", "not healthy"),
        (put("outputs.hosts.b.health", "unhealthy"), "staging: b", "not healthy"),
        (put("outputs.hosts.b.checks.failed", 1), "staging: b", "red checks in the last run"),
        (put("outputs.hosts.b.checks", {}), "staging: b", "no results"),
    ],
)
def test_facts_that_keep_the_gate_closed(change: Change, where: str, problem: str) -> None:
    found = judged(facts=change)
    assert problem in found[where]


@pytest.mark.row("C3")
@pytest.mark.parametrize(
    ("change", "where", "problem"),
    [
        (put("stack", "dev"), "staging: report", "another stack"),
        (put("release", "r-0"), "staging: report", "another release"),
        (put("finishedAt", "2026-11-22T11:00:00+00:00"), "staging: report", "25 hours old, more than 24"),
        (put("finishedAt", "2026-11-23T13:00:00Z"), "staging: report", "from the future"),
        (put("finishedAt", "yesterday"), "staging: report", "does not say when"),
        (drop("finishedAt"), "staging: report", "does not say when"),
        (drop("hosts"), "staging: a", "no results"),
        (drop("hosts.b"), "staging: b", "no results"),
        (put("hosts.b.results", []), "staging: b", "no results"),
        (put("hosts.b.results", [{"id": "x", "status": "fail"}]), "staging: b", "red checks in the report"),
        (put("site", [{"id": "site.token", "status": "fail"}]), "staging: report", "about the site"),
    ],
)
def test_reports_that_keep_the_gate_closed(change: Change, where: str, problem: str) -> None:
    found = judged(report=change)
    assert problem in found[where]


def test_without_a_report_the_gate_is_closed() -> None:
    (finding,) = gate(FACTS, None, release="r-1", hosts=HOSTS, now=NOW)
    assert "edgectl verify staging" in finding.remedy


def test_a_report_of_another_time_zone_counts_by_its_instant() -> None:
    assert judged(report=put("finishedAt", "2026-11-23T14:00:00+02:00")) == {}
    assert judged(report=put("finishedAt", "2026-11-23T10:00:00")) == {}


def test_everything_that_is_wrong_comes_at_once() -> None:
    found = judged(put("outputs.hosts.a.state", "unpaired"), put("hosts.b.results", [{"status": "fail"}]))
    assert set(found) == {"staging: a", "staging: b"}


def test_unknown_places_are_found_at_any_depth() -> None:
    assert list(unknown_places({"a": [{"b": UNKNOWN}], "c": UNKNOWN})) == ["a[0].b", "c"]
    assert list(unknown_places("x")) == []


@pytest.mark.parametrize("source", STAGES)
@pytest.mark.parametrize("target", STAGES)
def test_a_promotion_never_goes_back(source: Any, target: Any) -> None:
    assert bool(order(source, target)) is (STAGES.index(target) < STAGES.index(source))


# Moving the line


@pytest.mark.row("C3")
@pytest.mark.parametrize("stack", STACKS)
def test_only_the_release_changes_in_a_committed_stack(stack: str) -> None:
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text("utf-8")
    after, before = moved(text, "2027.01-3")
    assert yaml.safe_load(after)["config"]["edge-hosts:release"] == "2027.01-3"
    assert after.replace("edge-hosts:release: 2027.01-3", f"edge-hosts:release: {before}") == text
    assert moved(after, before) == (text, "2027.01-3")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (
            "config:\r\n  edge-hosts:release: r-1   # why\r\n  x: 1\r\n",
            "config:\r\n  edge-hosts:release: r-2   # why\r\n  x: 1\r\n",
        ),
        ('config:\n  edge-hosts:release: "r-1"\n', 'config:\n  edge-hosts:release: "r-2"\n'),
        ("config:\n  edge-hosts:release: 'r-1'", "config:\n  edge-hosts:release: 'r-2'"),
        ("config: {edge-hosts:release: r-1, b: 2}\n", "config: {edge-hosts:release: r-2, b: 2}\n"),
        ('config:\n  "edge-hosts:release":   r-1\n', 'config:\n  "edge-hosts:release":   r-2\n'),
        ("\ufeffconfig:\n  edge-hosts:release: r-1\n", "\ufeffconfig:\n  edge-hosts:release: r-2\n"),
        ("# é ü 😀\nconfig:\n  edge-hosts:release: r-1\n", "# é ü 😀\nconfig:\n  edge-hosts:release: r-2\n"),
        (
            "config:\n  # edge-hosts:release: r-0\n  edge-hosts:release: r-1\n",
            "config:\n  # edge-hosts:release: r-0\n  edge-hosts:release: r-2\n",
        ),
    ],
)
def test_every_other_byte_stays(text: str, after: str) -> None:
    assert moved(text, "r-2") == (after, "r-1")


def test_a_name_that_would_be_a_number_gets_quotes() -> None:
    after, _ = moved("config:\n  edge-hosts:release: r-1\n", "2026.11")
    assert after == 'config:\n  edge-hosts:release: "2026.11"\n'


@pytest.mark.parametrize(
    "text",
    ["", "config:\n  x: 1\n", "config: []\n", "- a\n", "config:\n  edge-hosts:release: &r r-1\n",
     "config:\n  edge-hosts:release: |\n    r-1\n", "config:\n  edge-hosts:release: !!str r-1\n",
     "config:\n  edge-hosts:release: [r-1]\n"],
)  # fmt: skip
def test_a_file_whose_line_cannot_be_moved(text: str) -> None:
    with pytest.raises(PromotionError, match="Remedy"):
        moved(text, "r-2")


@given(
    before=st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True),
    comment=st.from_regex(r"[ -~é]{0,30}", fullmatch=True),
)
def test_moving_there_and_back_is_nothing(before: str, comment: str) -> None:
    text = f'config:\n  a: 1\n  edge-hosts:release: "{before}"  # {comment}\n  b: 2\n'
    there, was = moved(text, "r-2")
    assert was == before
    assert moved(there, before)[0] == text


def _with_appliance(image: dict[str, Any] | None, installed: str = DIGEST) -> list[str]:
    """Return what the gate says of a site whose host `a` is an appliance."""
    seen = copy.deepcopy(FACTS)
    seen["outputs"]["hosts"]["a"]["appliance"] = {"isoSha256": installed}
    if image is not None:
        seen["outputs"]["image"] = image
    release = Release.model_validate(PINNED)
    found = gate(seen, REPORT, release="r-1", hosts=HOSTS, now=NOW, max_age=timedelta(hours=24), pinned=release)
    assert all(finding.remedy for finding in found)
    return [str(finding) for finding in found]


@pytest.mark.row("B11", "C3")
def test_the_image_that_the_source_runs_must_be_the_one_that_the_release_records() -> None:
    other = "cd" * 32
    assert _with_appliance(IMAGE_FACTS.to_dict()) == []
    assert "exports no image" in _with_appliance(None)[0]
    for change in ({"image_digest": f"sha256:{other}"}, {"canvos_commit": "0" * 40}):
        (said,) = _with_appliance(replace(IMAGE_FACTS, **change).to_dict())
        assert "staging: image" in said
    (said,) = _with_appliance(IMAGE_FACTS.to_dict(), installed=other)
    assert "staging: a" in said
    assert "from an ISO that the release does not record" in said
    assert "Raise the host's generation" in said
