"""Every shell file of the project: shellcheck finds nothing, and nobody has to read more than 400 lines at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge.steps import SCRIPTS

STUBS = Path(__file__).resolve().parent.parent / "scripts" / "stubs"
FILES = sorted([*SCRIPTS.rglob("*.sh"), *STUBS.iterdir()])


# The files are parts of one text: what one of them sets, another one uses.
ACROSS_FILES = "SC2034,SC2153"


def test_shellcheck_finds_nothing() -> None:
    program = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([program, f"--exclude={ACROSS_FILES}", *FILES], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_and_its_functions_are_short(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) <= 400
    start = 0
    for number, line in enumerate(lines):
        if line.endswith("() {"):
            start = number
        elif line == "}":
            assert number - start <= 40, lines[start]


@pytest.mark.parametrize("path", sorted(SCRIPTS.rglob("*.sh")), ids=lambda path: path.name)
def test_no_here_document_is_used(path: Path) -> None:
    """bash before 5.1 writes a temporary file for one, and a look at a host writes nothing."""
    code = [line for line in path.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    assert not [line for line in code if "<<" in line and "$((" not in line and "((" not in line]
