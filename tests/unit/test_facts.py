"""The facts of a stack: where they come from, and when they are not to be believed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from edge.errors import FactsError
from edge.facts import UNKNOWN, load_facts

HEALTHY = {"hosts": {"a": {"uid": "a", "state": "ready"}}, "release": "2026.11-1"}
RUN = {"kind": "update", "result": "succeeded", "endTime": "2026-11-03T12:00:00.000Z"}

FakeCli = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGE_HOSTS_LAB", str(tmp_path / "lab"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def cli(tmp_path: Path) -> FakeCli:
    """Return what puts a `pulumi` on PATH that prints the given outputs and history, and writes down how it was called."""

    def install(outputs: Any, history: Any, *, fail: str = "") -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        answers = {"output": json.dumps(outputs), "history": json.dumps(history)}
        script = folder / "pulumi"
        script.write_text(
            f"#!{sys.executable}\nimport sys, pathlib\n"
            f"with pathlib.Path({str(folder / 'log')!r}).open('a') as log: print(*sys.argv[1:], file=log)\n"
            f"if {fail!r}: sys.exit('error: ' + {fail!r})\n"
            f"print({answers!r}[sys.argv[2]])\n"
        )
        script.chmod(0o755)
        return folder / "log"

    return install


def record(tmp_path: Path, **more: Any) -> Path:
    """Write the record of a rehearsal and return its path."""
    path = tmp_path / "lab" / "facts" / "lab.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {"stack": "lab", "result": "succeeded", "finishedAt": "2026-11-03T12:00:00+00:00", "outputs": HEALTHY}
    path.write_text(json.dumps({**body, **more}))
    return path


@pytest.mark.row("C3")
def test_the_record_of_a_rehearsal(tmp_path: Path) -> None:
    record(tmp_path)
    facts = load_facts("lab", tmp_path)
    assert (facts.stack, facts.result, facts.source) == ("lab", "succeeded", "rehearsal")
    assert facts.outputs == HEALTHY
    assert facts.finished_at == datetime(2026, 11, 3, 12, tzinfo=UTC)
    assert load_facts("organization/edge-hosts/lab", tmp_path).outputs == HEALTHY


def test_a_record_in_the_projects_own_folder(tmp_path: Path) -> None:
    folder = tmp_path / ".edge" / "facts"
    folder.mkdir(parents=True)
    (folder / "dev.json").write_text(json.dumps({"stack": "dev", "result": "succeeded", "outputs": HEALTHY}))
    assert load_facts("dev", tmp_path, "rehearsal").outputs == HEALTHY


@pytest.mark.row("C3")
@pytest.mark.parametrize("result", ["failed", "in-progress", "interrupted", ""])
def test_a_stack_whose_last_run_failed_is_refused(tmp_path: Path, result: str) -> None:
    record(tmp_path, result=result)
    with pytest.raises(FactsError, match=r"stack lab: its last run ended .* not to be believed.*pulumi up"):
        load_facts("lab", tmp_path)


@pytest.mark.row("C3")
def test_the_engines_unknown_marker_is_refused_and_the_hosts_named(tmp_path: Path) -> None:
    hosts = {"a": {"uid": "a"}, "b": {"uid": UNKNOWN, "checks": [UNKNOWN]}, "c": UNKNOWN}
    record(tmp_path, outputs={"hosts": hosts, "network": {"cidrs": ["10.0.0.0/8", UNKNOWN]}})
    with pytest.raises(FactsError, match=r"without a value: export network\.cidrs\.1, host b, host c\."):
        load_facts("lab", tmp_path)
    record(tmp_path, outputs={"hosts": UNKNOWN})
    with pytest.raises(FactsError, match="export hosts"):
        load_facts("lab", tmp_path)


def test_the_cli_is_asked_without_changing_anything(tmp_path: Path, cli: FakeCli) -> None:
    log = cli(HEALTHY, [{**RUN, "kind": "preview", "result": "failed"}, RUN])
    facts = load_facts("dev", tmp_path)
    assert (facts.source, facts.outputs, facts.finished_at) == ("cli", HEALTHY, datetime(2026, 11, 3, 12, tzinfo=UTC))
    assert log.read_text().splitlines() == [
        "stack output --json --stack dev --non-interactive",
        "stack history --json --page-size 10 --stack dev --non-interactive",
    ]


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ([{**RUN, "result": "failed"}, RUN], "last run ended 'failed'"),
        ([{**RUN, "kind": "refresh", "result": "failed"}, RUN], "last run ended 'failed'"),
        ([{"kind": "update", "result": "in-progress"}], "last run ended 'in-progress'"),
        ([{**RUN, "kind": "destroy"}, RUN], "it is not deployed"),
        ([], "it is not deployed"),
        ({}, "answered with another form"),
    ],
)
def test_the_newest_run_decides(tmp_path: Path, cli: FakeCli, history: Any, words: str) -> None:
    cli(HEALTHY, history)
    with pytest.raises(FactsError, match=words):
        load_facts("dev", tmp_path, "cli")


def test_a_cli_that_fails_is_quoted_in_one_line(tmp_path: Path, cli: FakeCli) -> None:
    cli({}, [], fail="no stack named 'dev' found")
    with pytest.raises(FactsError, match=r"`pulumi stack output` failed: no stack named 'dev' found\. Remedy"):
        load_facts("dev", tmp_path)


def test_without_record_and_cli_it_is_said_what_to_do(tmp_path: Path) -> None:
    for source in (None, "cli", "rehearsal"):
        with pytest.raises(FactsError, match=r"stack dev: .*Remedy: "):
            load_facts("dev", tmp_path, source)  # type: ignore[arg-type]


@pytest.mark.parametrize(("end", "source"), [("2026-11-03T13:00:00Z", "cli"), ("2026-11-03T11:00:00Z", "rehearsal")])
def test_of_rehearsal_and_engine_the_newer_one_counts(tmp_path: Path, cli: FakeCli, end: str, source: str) -> None:
    record(tmp_path)
    cli(HEALTHY, [{**RUN, "endTime": end}])
    assert load_facts("lab", tmp_path).source == source


def test_the_record_stands_when_the_cli_knows_no_such_stack(tmp_path: Path, cli: FakeCli) -> None:
    record(tmp_path)
    cli({}, [], fail="no stack named 'lab' found")
    assert load_facts("lab", tmp_path).source == "rehearsal"


def test_plain_outputs_of_a_file_cannot_tell_how_the_run_ended(tmp_path: Path) -> None:
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(HEALTHY))
    facts = load_facts("dev", tmp_path, file=path)
    assert (facts.result, facts.outputs, facts.source) == ("unknown", HEALTHY, "file")


def test_an_exported_state_gives_its_outputs_without_secrets(tmp_path: Path) -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:x:y"}
    stack = {"type": "pulumi:pulumi:Stack", "outputs": {**HEALTHY, "token": secret, "list": [secret, 1]}}
    deployment: dict[str, Any] = {"resources": [{"type": "edge:Claim"}, stack]}
    path = tmp_path / "state.json"
    path.write_text(json.dumps({"version": 3, "deployment": deployment}))
    facts = load_facts("dev", tmp_path, file=path)
    assert (facts.outputs["token"], facts.outputs["list"], facts.outputs["hosts"]["a"]["uid"]) == (
        "[secret]",
        ["[secret]", 1],
        "a",
    )
    deployment["pending_operations"] = [{"type": "creating"}]
    path.write_text(json.dumps({"version": 3, "deployment": deployment}))
    with pytest.raises(FactsError, match="last run ended 'interrupted'"):
        load_facts("dev", tmp_path, file=path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "no JSON object"),
        ("{", "it is no JSON"),
        ('{"stack": "prod", "result": "succeeded", "outputs": {}}', "it is of stack 'prod', not 'dev'"),
        ('{"stack": "dev", "result": "succeeded", "outputs": []}', "outputs are no JSON object"),
    ],
)
def test_a_file_that_is_something_else(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "facts.json"
    path.write_text(text)
    with pytest.raises(FactsError, match=words):
        load_facts("dev", tmp_path, file=path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FactsError, match=r"none\.json: the file cannot be read: No such file"):
        load_facts("dev", tmp_path, file=tmp_path / "none.json")
    with pytest.raises(FactsError, match="no file"):
        load_facts("dev", tmp_path, "file")


def automation(monkeypatch: pytest.MonkeyPatch, stack: Any) -> None:
    """Put a stand-in for the Automation API in its place."""
    module = ModuleType("pulumi.automation")
    module.select_stack = lambda stack_name, work_dir: stack  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pulumi.automation", module)


def test_the_automation_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {
        "hosts": SimpleNamespace(value={"a": 1}, secret=False),
        "t": SimpleNamespace(value="canary", secret=True),
    }
    run = SimpleNamespace(kind="update", result="succeeded", end_time=datetime(2026, 11, 3, 12))
    stack = SimpleNamespace(outputs=lambda: outputs, history=lambda page_size, show_secrets: [run])
    automation(monkeypatch, stack)
    facts = load_facts("dev", tmp_path, "automation")
    assert (facts.outputs, facts.source) == ({"hosts": {"a": 1}, "t": "[secret]"}, "automation")
    assert facts.finished_at == datetime(2026, 11, 3, 12, tzinfo=UTC)


def test_errors_of_the_automation_api_are_not_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("stdout: canary")

    automation(monkeypatch, SimpleNamespace(outputs=fail))
    with pytest.raises(FactsError, match=r"the Automation API failed \(RuntimeError\)") as caught:
        load_facts("dev", tmp_path, "automation")
    assert caught.value.__context__ is None
    monkeypatch.setitem(sys.modules, "pulumi.automation", None)
    with pytest.raises(FactsError, match="not installed"):
        load_facts("dev", tmp_path, "automation")
