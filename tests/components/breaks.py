"""A copy of the program in which one line is broken."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.components.harness import ROOT


def copy_of(to: Path) -> Path:
    """Copy the program with its tests into a folder, and return it."""
    ignored = shutil.ignore_patterns("__pycache__", "golden", "lab", "engine")
    for name in ("components", "edge", "scripts", "releases", "tests"):
        shutil.copytree(ROOT / name, to / name, ignore=ignored)
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


LIBRARIES = "import asyncssh, cryptography, httpx, pulumi, pulumi_command, pulumi_vsphere, pydantic, tenacity, yaml"
