"""What a person sees of a rehearsal: one live line per host while it works, a table at the end, and what to do next."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lab.rehearsal.monitor import Event
from lab.rehearsal.runner import Rehearsal
from lab.rehearsal.words import first_words

MARKS = {"running": "…", "waiting": "…", "done": "✓", "failed": "✗", "skipped": "·"}
COLOURS = {"running": "cyan", "waiting": "yellow", "done": "green", "failed": "red", "skipped": "dim"}


@dataclass
class _Row:
    """The state of one parent's resources, in the order in which they were asked for."""

    steps: dict[str, Event] = field(default_factory=dict)
    line: str = ""
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None

    @property
    def seconds(self) -> float:
        return (self.ended or time.monotonic()) - self.started


class Progress:
    """Collects events and lines from worker threads and draws them.

    On a terminal the lines are redrawn in place; elsewhere (a log, CI) each event is printed once, as it happens.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: dict[str, _Row] = {}
        self._lock = threading.Lock()
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=4, transient=True)
        self._said: dict[str, list[str]] = {}

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    @staticmethod
    def role(name: str, parent: str) -> str:
        """Return the word for a resource below its parent: `a-checks` below `a` is `checks`."""
        return name.removeprefix(f"{parent}-")

    def on_event(self, event: Event) -> None:
        """Take one change of one resource. A virtual machine, below the host's machine, is a step of its host."""
        if event.type.startswith("vsphere:"):
            event = replace(event, parent=event.parent.removesuffix("-machine"))
        with self._lock:
            row = self._rows.setdefault(event.parent, _Row())
            before = row.steps.get(event.name)
            row.steps[event.name] = event
            if event.state in ("done", "failed", "skipped"):
                row.ended = time.monotonic()
            repeated = before is not None and before.state == event.state == "waiting"
        if not self._console.is_terminal and not repeated:
            text = f"{event.parent:<12} {self.role(event.name, event.parent):<13} {event.state}"
            if event.state in ("done", "failed"):
                text += f" after {event.seconds:.1f} s"
            if event.error:
                text += f": {first_words(event.error)}"
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def on_line(self, name: str, line: str) -> None:
        """Take one line that a host said while it worked."""
        with self._lock:
            self._said.setdefault(name, []).append(line)
            for row in self._rows.values():
                if name in row.steps:
                    row.line = line
        if not self._console.is_terminal:
            self._console.print(f"{'':<12} {escape(line)}", highlight=False, soft_wrap=True)

    def _draw(self) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False, expand=True)
        with self._lock:
            rows = [
                (parent or "site", self._steps(parent, row), f"{row.seconds:.0f} s", row.line)
                for parent, row in self._rows.items()
            ]
        # What a host says gives way on a narrow terminal; the host, its steps and its seconds do not.
        widths = [max((len(row[index]) for row in rows), default=0) for index in range(3)]
        table.add_column(no_wrap=True, style="bold", min_width=widths[0])
        table.add_column(no_wrap=True, min_width=widths[1])
        table.add_column(no_wrap=True, justify="right", min_width=widths[2])
        table.add_column(no_wrap=True, overflow="ellipsis", style="dim", ratio=1)
        for name, steps, seconds, line in rows:
            table.add_row(name, steps, seconds, Text(line))
        return table

    def _steps(self, parent: str, row: _Row) -> Text:
        """Return a mark for each step, and the name of the one that is at work, or failed."""
        steps = Text()
        for event in row.steps.values():
            named = event.state in ("running", "waiting", "failed")
            words = f"{MARKS[event.state]} {self.role(event.name, parent)} " if named else MARKS[event.state]
            steps.append(words, style=COLOURS[event.state])
        return steps

    def seconds(self, parent: str) -> float:
        """Return how long the resources of one parent took."""
        with self._lock:
            row = self._rows.get(parent)
            return row.seconds if row else 0.0

    def said(self, name: str) -> list[str]:
        """Return everything that a host said in one step."""
        with self._lock:
            return list(self._said.get(name, []))

    def failures(self) -> list[Event]:
        """Return the failed resources, in order."""
        with self._lock:
            return [event for row in self._rows.values() for event in row.steps.values() if event.state == "failed"]


def closing_table(result: Rehearsal, progress: Progress, addresses: Mapping[str, str]) -> Table:
    """Return the table of all hosts: address, uid, state, checks, seconds. It fits a terminal of 80 columns."""
    table = Table(title=f"stack {result.stack}", title_justify="left", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("host", "address", "uid", "state"):
        table.add_column(heading, no_wrap=True)
    for heading in ("passed", "warned", "failed", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    exported: Mapping[str, Any] = result.outputs.get("hosts", {})
    failed = {event.parent: progress.role(event.name, event.parent) for event in progress.failures()}
    for name, address in addresses.items():
        facts = exported.get(name)
        seconds = f"{progress.seconds(name):.1f}"
        if isinstance(facts, dict):
            checks = facts["checks"]
            state = Text(f"{facts['state']}, {facts['health']}", style="green")
            numbers = [f"{checks[word]:.0f}" for word in ("passed", "warned", "failed")]
            table.add_row(name, address, str(facts["uid"]), state, *numbers, seconds)
        else:
            state = Text(f"{failed.get(name, 'site')} failed", style="red")
            table.add_row(name, address, "-", state, "-", "-", "-", seconds)
    return table
