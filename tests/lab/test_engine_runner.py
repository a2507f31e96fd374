"""The parts of the engine's runner that need no engine: slots, the reading of events, the stack file, the choice."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from edge.errors import LabError
from lab import engine
from lab.deploy import Runner, deploy
from lab.engine import Run, slots
from lab.engine_run import _Translator
from lab.rehearsal.view import Progress

URN = "urn:pulumi:lab::edge-hosts::edge-hosts:index:EdgeSite$edge-hosts:index:EdgeHost${type}::{name}"
COMMAND = "command:remote:Command"


def _event(kind: str, operation: str, name: str, type_: str = COMMAND) -> dict[str, Any]:
    urn = URN.format(type=type_, name=name)
    parent = URN.format(type="edge-hosts:index:EdgeHost", name=name.split("-", maxsplit=1)[0])
    return {kind: {"metadata": {"op": operation, "urn": urn, "type": type_, "new": {"parent": parent}}}}


def _said(severity: str, name: str, message: str) -> dict[str, Any]:
    urn = URN.format(type=COMMAND, name=name)
    return {"diagnosticEvent": {"severity": severity, "urn": urn, "message": f"<{{%reset%}}>{message}<{{%reset%}}>"}}


@pytest.mark.row("C2")
@pytest.mark.parametrize(("hosts", "wanted"), [(0, 8), (3, 11), (56, 64), (200, 64)])
def test_every_host_that_waits_has_a_slot_up_to_a_limit(hosts: int, wanted: int) -> None:
    assert slots(hosts) == wanted


def test_a_run_is_read_from_its_events() -> None:
    events = (
        _event("resOutputsEvent", "create", "a-checks"),
        _event("resOutputsEvent", "same", "b-checks"),
        _event("resOutputsEvent", "create", "a", "edge-hosts:index:EdgeHost"),
        _event("resOpFailedEvent", "update", "b-agent"),
        _said("error", "b-agent", "it is broken"),
    )
    run = Run(1, events, "", "", 1.0)
    assert run.changed() == {"a-checks": "create"} and run.failed() == {"b-agent": "update"}
    assert run.counts() == {"create": 1, "same": 1} and "it is broken" in run.messages()


def test_encrypted_texts_are_kept_in_a_stack_file_that_is_written_anew() -> None:
    text = engine._with_secrets("# a comment\nconfig:\n  edge-hosts:release: lab-1\n", {"token": "v1:x:y"})
    assert text == "# a comment\nconfig:\n  edge-hosts:token:\n    secure: v1:x:y\n  edge-hosts:release: lab-1\n"


@pytest.mark.row("C2")
def test_the_screen_shows_what_the_engine_does_host_by_host() -> None:
    out = io.StringIO()
    progress = Progress(Console(file=out, width=200))
    translator = _Translator(progress)
    for event in (
        _event("resourcePreEvent", "same", "b-checks"),
        _event("resourcePreEvent", "create", "a-checks"),
        _said("info", "a-checks", "checks: looking at a"),
        _said("error", "a-checks", "Process exited with status 10"),
        _event("resOpFailedEvent", "create", "a-checks"),
    ):
        translator.take(json.loads(json.dumps(event)))
    assert [(one.name, one.parent, one.error) for one in progress.failures()] == [
        ("a-checks", "a", "Process exited with status 10")
    ]
    assert progress.said("a-checks") == ["checks: looking at a"]
    assert "b-checks" not in out.getvalue() and "<{%" not in out.getvalue()


def test_an_engine_that_is_asked_for_and_not_there_is_one_message(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    nobody: Any = None
    with pytest.raises(LabError, match="the Pulumi CLI is not on PATH"):
        deploy(nobody, nobody, runner=Runner.ENGINE)
