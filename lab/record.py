"""The record of what the lab made, written line by line before each thing is made.

So a lab that was killed at any moment can be taken down: a line may stand for a thing that was never made, but nothing
was made without a line. Taking down is in `lab.takedown`.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["process", "cgroup", "mount", "netns", "link", "route", "folder", "empty-folder"]


@dataclass(frozen=True)
class Made:
    """One thing that was, or was about to be, made: what it is, and the facts that tell it from everything else."""

    number: str
    kind: Kind
    facts: Mapping[str, str | int] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a fact as text."""
        return str(self.facts[name])

    def whole(self, name: str) -> int:
        """Return a fact as a whole number."""
        return int(self.facts[name])


class Record:
    """The lines of one lab. Several processes may add to it: each line is written by one call."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._numbers = itertools.count()
        self._author = f"{os.getpid()}.{time.monotonic_ns()}"

    def add(self, kind: Kind, **facts: str | int) -> Made:
        """Write down, on disk, that a thing is about to be made, and return its entry."""
        made = Made(f"{self._author}.{next(self._numbers)}", kind, facts)
        self._append({"number": made.number, "kind": kind, "facts": facts})
        return made

    def gone(self, made: Made) -> None:
        """Write down that a thing is no longer there."""
        if self.path.exists():
            self._append({"gone": made.number})

    def entries(self) -> list[Made]:
        """Return what is still to be taken down, the oldest first. A last line cut by a crash is ignored."""
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return []
        found: dict[str, Made] = {}
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if "gone" in entry:
                found.pop(entry["gone"], None)
            else:
                found[entry["number"]] = Made(entry["number"], entry["kind"], entry["facts"])
        return list(found.values())

    def compact(self) -> None:
        """Rewrite the file with what is still there; remove it when that is nothing."""
        left = self.entries()
        if not left:
            self.path.unlink(missing_ok=True)
            return
        lines = [json.dumps({"number": e.number, "kind": e.kind, "facts": dict(e.facts)}) for e in left]
        partial = self.path.with_suffix(".partial")
        partial.write_text("\n".join(lines) + "\n", "utf-8")
        partial.replace(self.path)

    def _append(self, entry: Mapping[str, object]) -> None:
        line = (json.dumps(entry) + "\n").encode()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # A line cut by a crash must not swallow this one.
            if os.fstat(descriptor).st_size and not _ends_with_newline(self.path):
                line = b"\n" + line
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
