"""What is asked of Palette before the first `up`: each trouble is found, and nothing is changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from edge.findings import Finding
from edge.registration.preflight import palette_findings
from tests.unit.palette_fake import OTHER, PLANTS, TOKEN, FakePalette, error
from tests.unit.palette_time import Clock
from tests.unit.registration_samples import OWNER, STRANGER, labels


@pytest.fixture
def palette() -> FakePalette:
    found = FakePalette(clock=Clock(datetime.now(UTC)))
    add_token(found)
    return found


def add_token(palette: FakePalette, expiry: str = "2096-01-31T23:59:59Z", project: str = PLANTS) -> dict[str, Any]:
    """Put a token into Palette."""
    spec: dict[str, Any] = {"token": TOKEN, "expiry": expiry}
    if project:
        spec["defaultProject"] = {"uid": project, "name": palette.projects[project]}
    palette.tokens["t"] = {"metadata": {"uid": "t", "name": "by hand"}, "spec": spec, "status": {"isActive": True}}
    return palette.tokens["t"]


def findings(palette: FakePalette, **more: Any) -> list[Finding]:
    """Return the findings for hosts a and b."""
    client = palette.client(**more)
    found = palette_findings(client, owner=OWNER, hosts=["a", "b"], token=TOKEN)
    assert {request.method for request in palette.requests} <= {"GET", "POST"}
    assert palette.count("POST", "tokens") == 0
    assert TOKEN not in "".join(str(one) for one in found)
    return found


@pytest.mark.row("A13", "A21")
def test_a_site_that_is_ready_has_no_findings(palette: FakePalette) -> None:
    palette.add("a", labels=labels(), state="in-use")
    assert findings(palette) == []


@pytest.mark.row("A21")
@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"labels": labels(STRANGER)}, "the name is taken"),
        ({"labels": {}}, "without an owner tag"),
        ({"labels": labels(), "project": OTHER}, "registered in project Other"),
    ],
)
def test_every_taken_name_is_found(palette: FakePalette, record: dict[str, Any], words: str) -> None:
    for host in ("a", "b"):
        palette.add(host, **record)
    found = findings(palette)
    assert [one.where for one in found] == ["site.hosts.a", "site.hosts.b"]
    assert all(words in one.problem and one.remedy and one.level == "error" for one in found)


@pytest.mark.row("A21")
def test_an_unknown_project_is_all_that_is_said(palette: FakePalette) -> None:
    (one,) = findings(palette, project_name="Plant")
    assert (one.where, one.level) == ("site.palette", "error")
    assert "no project 'Plant'" in one.problem


def test_a_wrong_key_is_all_that_is_said(palette: FakePalette) -> None:
    palette.key = "rotated"
    (one,) = findings(palette)
    assert "does not accept the API key" in one.problem


@pytest.mark.row("A13")
@pytest.mark.parametrize(
    ("change", "words", "level"),
    [
        ({"spec": {"token": "another"}}, "is not known to Palette", "error"),
        ({"status": {"isActive": False}}, "'by hand' is expired or not active", "error"),
        ({"spec": {"token": TOKEN, "expiry": "2020-01-01T00:00:00Z"}}, "is expired or not active", "error"),
        (
            {"spec": {"token": TOKEN, "defaultProject": {"uid": OTHER, "name": "Other"}}},
            "is for project Other",
            "warning",
        ),
    ],
)
def test_what_is_wrong_with_the_token(palette: FakePalette, change: dict[str, Any], words: str, level: str) -> None:
    palette.tokens["t"].update(change)
    (one,) = findings(palette)
    assert words in one.problem
    assert (one.where, one.level) == ("edge-hosts:registrationToken", level)


@pytest.mark.row("A13")
def test_a_token_without_a_project_is_enough_when_the_site_names_one(palette: FakePalette) -> None:
    add_token(palette, project="")
    assert findings(palette) == []
    (one,) = findings(palette, project_name=None)
    assert "has no default project" in one.problem


@pytest.mark.parametrize(("status", "level"), [(403, "warning"), (400, "error")])
def test_tokens_that_the_key_may_not_see(palette: FakePalette, status: int, level: str) -> None:
    client = palette.client()
    client.project_uid()
    palette.faults = [lambda _request: error(status, "ResourceAccessDenied", "no")]
    (one,) = palette_findings(client, owner=OWNER, hosts=[], token=TOKEN)
    assert one.problem.startswith("cannot be looked at: ")
    assert one.level == level


def test_a_wrong_clock_is_a_warning(palette: FakePalette) -> None:
    palette.clock.advance(-4000)
    (one,) = findings(palette)
    assert (one.where, one.level) == ("this machine", "warning")
    assert "4000 s" in one.problem or "4001 s" in one.problem
