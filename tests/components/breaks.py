"""A copy of the program in which one line is broken, and what the rules of its chains say of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.components.harness import ROOT


def copy_of(to: Path) -> Path:
    """Copy the program with its tests into a folder, and return it."""
    for name in ("components", "edge", "scripts", "releases", "tests"):
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in [*ROOT.glob("Pulumi*.yaml"), ROOT / "__main__.py"]:
        shutil.copy(path, to)
    return to


@contextmanager
def broken(folder: Path, file: str, old: str, new: str) -> Iterator[None]:
    """Break one place of a copy, and mend it afterwards. It must be the only one of its kind."""
    path = folder / file
    source = path.read_text("utf-8")
    assert source.count(old) == 1, f"{file} has {source.count(old)} places of {old!r}: write the break again"
    path.write_text(source.replace(old, new), "utf-8")
    try:
        yield
    finally:
        path.write_text(source, "utf-8")


def judged(folder: Path, judge: str) -> list[str]:
    """Return what a judge says of a copy: a program that prints broken rules as JSON in its last line."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", judge], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        return [f"the program fails: {done.stderr.strip().splitlines()[-1]}"]
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found
