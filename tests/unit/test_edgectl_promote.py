"""`edgectl promote`: one line moves when the gate is open, nothing when it is closed."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from settings_helpers import DIGEST, RELEASE, drop, project, put, site

from edgectl import app

Run = tuple[int, str, str]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Run:
    code = app.main(["promote", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def sites(tmp_path: Path) -> Path:
    """Return a project with two stacks: plant-staging runs r-1, plant-prod names r-0."""
    older = {**copy.deepcopy(RELEASE), "id": "r-0"}
    production = project(tmp_path, site(stage="prod"))
    project(tmp_path, site(stage="staging"))
    (tmp_path / "releases" / "r-0.yaml").write_text(yaml.safe_dump(older))
    text = production.read_text().replace("edge-hosts:release: r-1", "edge-hosts:release: r-0   # moved by promote")
    production.write_text(f"# production of the plant\n{text}")
    (tmp_path / "facts.json").write_text(json.dumps(facts()))
    (tmp_path / "report.json").write_text(json.dumps(report()))
    return tmp_path


def facts(**changes: Any) -> dict[str, Any]:
    host = {"state": "ready", "release": "r-1", "run": "1", "checks": {"passed": 40, "failed": 0}}
    hosts = {name: {**host, "uid": name} for name in ("plant-a", "plant-b")}
    return {
        "stack": "plant-staging",
        "result": "succeeded",
        "finishedAt": datetime.now(UTC).isoformat(),
        "outputs": {"release": "r-1", "run": "1", "hosts": hosts},
        **changes,
    }


def report(**changes: Any) -> dict[str, Any]:
    results = [{"id": "host.cpu", "status": "pass"}]
    return {
        "stack": "plant-staging",
        "release": "r-1",
        "finishedAt": (datetime.now(UTC) - timedelta(hours=1)).isoformat(),
        "hosts": {name: {"results": results} for name in ("plant-a", "plant-b")},
        **changes,
    }


def options(folder: Path) -> list[str]:
    given = ["--root", str(folder), "--facts", str(folder / "facts.json"), "--report", str(folder / "report.json")]
    return ["plant-staging", "plant-prod", *given]


@pytest.mark.row("C3")
def test_the_line_moves_and_nothing_else(capsys: pytest.CaptureFixture[str], sites: Path) -> None:
    path = sites / "Pulumi.plant-prod.yaml"
    path.chmod(0o640)
    before = path.read_text()
    code, out, err = run(capsys, *options(sites))
    assert code == 0, err
    assert path.read_text() == before.replace("release: r-0 ", "release: r-1 ")
    assert "r-0 -> r-1" in out
    assert "pulumi up --stack plant-prod" in out
    assert path.stat().st_mode & 0o777 == 0o640
    assert not list(sites.glob(".Pulumi*"))


def test_a_second_time_there_is_nothing_to_change(capsys: pytest.CaptureFixture[str], sites: Path) -> None:
    run(capsys, *options(sites))
    before = (sites / "Pulumi.plant-prod.yaml").stat().st_mtime_ns
    code, out, _ = run(capsys, *options(sites))
    assert (code, "already" in out) == (0, True)
    assert (sites / "Pulumi.plant-prod.yaml").stat().st_mtime_ns == before


def test_a_dry_run_changes_nothing(capsys: pytest.CaptureFixture[str], sites: Path) -> None:
    before = (sites / "Pulumi.plant-prod.yaml").read_bytes()
    code, out, _ = run(capsys, *options(sites), "--dry-run")
    assert (code, "from r-0 to r-1" in out) == (0, True)
    assert (sites / "Pulumi.plant-prod.yaml").read_bytes() == before


@pytest.mark.row("C3")
@pytest.mark.parametrize(
    ("seen", "looked", "said"),
    [
        (facts(outputs={"release": "r-0", "hosts": facts()["outputs"]["hosts"]}), report(), "another release"),
        (facts(), report(finishedAt="2020-01-01T00:00:00Z"), "hours old"),
        (facts(), report(hosts={"plant-a": {"results": [{"id": "x", "status": "fail"}]}}), "red checks"),
        (facts(), report(stack="plant-dev"), "another stack"),
    ],
    ids=["other release", "old report", "red check", "other stack"],
)
def test_a_closed_gate_changes_nothing(
    capsys: pytest.CaptureFixture[str], sites: Path, seen: Any, looked: Any, said: str
) -> None:
    (sites / "facts.json").write_text(json.dumps(seen))
    (sites / "report.json").write_text(json.dumps(looked))
    before = (sites / "Pulumi.plant-prod.yaml").read_bytes()
    code, out, err = run(capsys, *options(sites))
    assert code == 7
    assert said in out
    assert "the gate is closed" in err
    assert (sites / "Pulumi.plant-prod.yaml").read_bytes() == before
    assert not list(sites.glob(".Pulumi*"))


def test_an_older_report_can_be_allowed(capsys: pytest.CaptureFixture[str], sites: Path) -> None:
    (sites / "report.json").write_text(
        json.dumps(report(finishedAt=(datetime.now(UTC) - timedelta(hours=30)).isoformat()))
    )
    assert run(capsys, *options(sites))[0] == 7
    assert run(capsys, *options(sites), "--max-age", "48")[0] == 0


def test_without_a_report_the_gate_is_closed(capsys: pytest.CaptureFixture[str], sites: Path) -> None:
    code, out, _ = run(capsys, *options(sites)[:-2])
    assert code == 7
    assert "edgectl verify plant-staging" in out


def test_a_failed_run_of_the_source_is_not_believed(capsys: pytest.CaptureFixture[str], sites: Path) -> None:
    (sites / "facts.json").write_text(json.dumps(facts(result="failed")))
    code, _, err = run(capsys, *options(sites))
    assert code in (6, 7)
    assert "plant-staging" in err


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_report_that_is_none(capsys: pytest.CaptureFixture[str], sites: Path, text: str) -> None:
    (sites / "report.json").write_text(text)
    code, _, err = run(capsys, *options(sites))
    assert (code, "report.json" in err) == (7, True)


def test_a_report_that_does_not_exist(capsys: pytest.CaptureFixture[str], sites: Path) -> None:
    (sites / "report.json").unlink()
    assert run(capsys, *options(sites))[0] == 7


def test_the_stage_of_the_target_judges_the_release(capsys: pytest.CaptureFixture[str], sites: Path) -> None:
    agent = {"version": "4.9.38", "script": {"sha256": DIGEST}, "baseUrl": "http://mirror.example"}
    dev = project(sites, site(stage="dev"), release={**RELEASE, "agent": agent})
    assert dev.is_file()
    (sites / "facts.json").write_text(json.dumps(facts(stack="plant-dev")))
    (sites / "report.json").write_text(json.dumps(report(stack="plant-dev")))
    before = (sites / "Pulumi.plant-prod.yaml").read_bytes()
    code, _, err = run(capsys, "plant-dev", *options(sites)[1:])
    assert code == 2
    assert "Pulumi.plant-prod.yaml with the new release" in err
    assert "stage prod refuses" in err
    assert (sites / "Pulumi.plant-prod.yaml").read_bytes() == before
    assert not list(sites.glob(".Pulumi*"))


def test_a_release_never_goes_back(capsys: pytest.CaptureFixture[str], sites: Path) -> None:
    (sites / "facts.json").write_text(json.dumps(facts(stack="plant-prod")))
    (sites / "report.json").write_text(json.dumps(report(stack="plant-prod", release="r-0")))
    code, out, _ = run(capsys, "plant-prod", "plant-staging", *options(sites)[2:])
    assert code == 7
    assert "comes before prod" in out


def test_one_stack_cannot_be_both(capsys: pytest.CaptureFixture[str], sites: Path) -> None:
    code, _, err = run(capsys, "plant-prod", "plant-prod", "--root", str(sites))
    assert (code, "the same stack" in err) == (7, True)


def test_a_target_that_does_not_exist(capsys: pytest.CaptureFixture[str], sites: Path) -> None:
    code, _, err = run(capsys, "plant-staging", "plant-north", *options(sites)[2:])
    assert (code, "Pulumi.plant-north.yaml" in err) == (2, True)


def test_a_retired_host_need_not_be_healthy(capsys: pytest.CaptureFixture[str], sites: Path) -> None:
    project(sites, site(put("hosts.plant-b.state", "retired"), stage="staging"))
    looked = report()
    drop("hosts.plant-b")(looked)
    (sites / "report.json").write_text(json.dumps(looked))
    assert run(capsys, *options(sites))[0] == 0
