"""The lab's stack deployed by the real engine, as a person sees it: the rehearsal's own screen, fed from the engine's events."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from edge.errors import LabError
from edge.settings import load_stack
from lab import cgroups
from lab.engine import Engine, Event, Run, is_custom
from lab.engine_vcenter import serve
from lab.lock import locked
from lab.paths import CHECKOUT
from lab.rehearsal.lab_run import API_KEY, report
from lab.rehearsal.monitor import Event as Change
from lab.rehearsal.runner import Rehearsal, write_record
from lab.rehearsal.view import Progress
from lab.site import Site

# Seconds that an interrupted engine gets to end the steps that are at work; a second Ctrl-C does not wait for it.
_GRACE_SECONDS = 20.0
_COLOUR = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")


def run(site: Site, stack_file: Path | None = None, console: Console | None = None) -> int:
    """Deploy the lab's stack with `pulumi up` and return an exit code: 0 when every host is healthy.

    The state lies in the lab's folder.
    """
    screen = console or Console()
    paths = site.paths
    file = stack_file or paths.stack_file
    settings = load_stack("lab", CHECKOUT, stack_file=file)
    secrets: Mapping[str, str] = json.loads(paths.secrets.read_text("utf-8"))
    wanted = settings.secret_names() | {API_KEY}
    cgroup = cgroups.hierarchy() / paths.prefix / "engine"
    engine = Engine(CHECKOUT, paths.root / "engine", cgroup=cgroup)
    engine.environment |= serve(site, settings, engine.folder)
    with locked(paths, "up"):
        _clear(engine, cgroup)
        engine.prepare(file, {name: secrets[name] for name in sorted(wanted) if name in secrets})
        with Progress(screen) as progress:
            done = _followed(engine, _Translator(progress))
    result = _result(engine, done)
    write_record(result, paths.facts)
    report(screen, settings, result, progress, file)
    if done.code and not done.failed():
        screen.print(f"{done.messages()}\n{done.stderr}".strip(), style="red", markup=False, highlight=False)
    screen.print(_summary(done), highlight=False)
    return 0 if result.succeeded else 1


def _clear(engine: Engine, cgroup: Path) -> None:
    """End what an earlier run left when it was killed: the engine's processes, then its lock. This lab is ours alone."""
    cgroups.kill(cgroup)
    cgroup.mkdir(exist_ok=True)
    if engine.exists():
        engine.cancel()


def _followed(engine: Engine, translator: _Translator) -> Run:
    """Run `up` to its end. Ctrl-C is handed on to the engine, which ends its steps; then it is raised."""
    process = engine.start("up")
    try:
        return engine.finish(process, translator.take)
    except KeyboardInterrupt:
        _interrupt(engine, process)
        raise


def _interrupt(engine: Engine, process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(_GRACE_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        engine.kill(process)
    except ProcessLookupError:
        return


def _result(engine: Engine, done: Run) -> Rehearsal:
    """Return the run in the form of a rehearsal's: exports, and what failed. An errored run's exports are not believed."""
    failed = dict.fromkeys(done.failed(), "failed")
    if done.code and not failed:
        failed = {"stack": "failed"}
    try:
        outputs = engine.outputs()
    except LabError:
        outputs = {}
    return Rehearsal(engine.stack, outputs, failed)


def _summary(done: Run) -> str:
    """Return one line with what the engine did."""
    words = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted", "same": "unchanged"}
    counts = done.counts()
    parts = [f"{counts[operation]} {word}" for operation, word in words.items() if counts[operation]]
    return f"pulumi up: {', '.join(parts) or 'nothing done'}; {done.seconds:.0f} s"


class _Translator:
    """Turns the engine's events into those of the screen: one change of one resource, one line of one host."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._started: dict[str, float] = {}
        self._errors: dict[str, str] = {}

    def take(self, event: Event) -> None:
        """Show one event of the engine; components and resources without a change are not shown."""
        if "diagnosticEvent" in event:
            self._diagnostic(event["diagnosticEvent"])
            return
        for kind, state in (
            ("resourcePreEvent", "running"),
            ("resOutputsEvent", "done"),
            ("resOpFailedEvent", "failed"),
        ):
            if kind in event:
                self._step(event[kind]["metadata"], state)

    def _step(self, metadata: Mapping[str, Any], state: Any) -> None:
        urn, operation = str(metadata["urn"]), str(metadata["op"])
        if operation in ("same", "read") or not is_custom(str(metadata["type"])):
            return
        began = self._started.setdefault(urn, time.monotonic())
        parent = str((metadata.get("new") or metadata.get("old") or {}).get("parent", ""))
        error = self._errors.get(urn, "") if state == "failed" else ""
        seconds = time.monotonic() - began
        self._progress.on_event(Change(_name(urn), str(metadata["type"]), _name(parent), state, seconds, error))

    def _diagnostic(self, told: Mapping[str, Any]) -> None:
        urn, text = str(told.get("urn", "")), _COLOUR.sub("", str(told["message"])).strip()
        if not urn or not text:
            return
        if told["severity"] == "error":
            self._errors[urn] = text
        elif told["severity"].startswith("info"):
            for line in text.splitlines():
                self._progress.on_line(_name(urn), line)


def _name(urn: str) -> str:
    return urn.rsplit("::", 1)[-1]
