"""The text of a remote step: quoted values, one function, a last line whose stdin is closed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zopfli import gzip

from edge import steps

PACKED_SAMPLE = "78bb18fce9fdf04b1f12192c906e987cdf47dcbca09108a46cc7ac23df9ff93c"
TEXT = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["EH_A", "EH_B1", "EH_LONG_NAME"]), TEXT, min_size=1))
def test_bash_reads_back_every_value(values: dict[str, str]) -> None:
    """Whatever a value holds, bash has it unchanged and runs none of it."""
    script = steps.assignments(values) + "\nprintf '%s\\0' " + " ".join(f'"${name}"' for name in sorted(values))
    done = subprocess.run(["bash"], input=script.encode(), capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == [values[name] for name in sorted(values)]
    assert done.stderr == b""


@pytest.mark.parametrize("name", ["PATH", "EH_a", "EH_X;ls", "eh_x", "EH_ X"])
def test_only_our_own_names_are_assigned(name: str) -> None:
    with pytest.raises(ValueError, match="no name for a value"):
        steps.assignments({name: "x"})


def test_a_nul_character_is_refused_with_the_name_of_the_value() -> None:
    with pytest.raises(ValueError, match="EH_A"):
        steps.assignments({"EH_A": "a\0b"})


@pytest.mark.parametrize("step", ["checks", "prepare", "agent", "started"])
def test_each_step_ends_with_its_main_and_a_closed_stdin(step: steps.Step) -> None:
    text = steps.bundle(step, {"EH_HOST": "a"})
    assert text.endswith('main "$@" </dev/null\n')
    assert text.startswith("trap ")
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False, capture_output=True).returncode == 0


@pytest.mark.row("A19")
def test_becoming_root_never_asks() -> None:
    command = steps.login_command("uninstall")
    assert "sudo -n bash -s -- uninstall" in command
    assert "exec bash -s -- uninstall" in command
    done = subprocess.run(["sh", "-c", command], input="echo ran $1", text=True, capture_output=True, check=True)
    assert done.stdout == "ran uninstall\n"


def test_a_child_that_reads_stdin_does_not_swallow_the_rest() -> None:
    """The trap that the last line is there for: without it `cat` would eat the commands after it."""
    script = "main() {\n  cat >/dev/null\n  echo after\n}\n" + 'main "$@" </dev/null\n'
    done = subprocess.run(["bash", "-s"], input=script, text=True, capture_output=True, check=True)
    assert done.stdout == "after\n"


@pytest.mark.parametrize("step", ["checks", "prepare", "agent", "started"])
def test_leaving_out_comments_changes_no_function(step: steps.Step) -> None:
    """Bash prints its functions without comments but with every quoted text: both must be the same."""
    patterns = steps._FILES[step]
    whole = "\n".join(p.read_text("utf-8") for pattern in patterns for p in sorted(steps.SCRIPTS.glob(pattern)))
    whole += "\n" + (steps.SCRIPTS / f"{step}.sh").read_text("utf-8")
    short = "\n".join(steps._source(step))
    functions = [
        subprocess.run(["bash"], input=f"{text}\ndeclare -f\n", text=True, capture_output=True, check=True).stdout
        for text in (whole, short)
    ]
    assert "main ()" in functions[0]
    assert functions[0] == functions[1]
    assert len(short) < len(whole)


def test_a_script_that_is_cut_off_is_a_failure() -> None:
    """A connection that dies while the text travels leaves half a script: bash must not end with 0."""
    text = steps.bundle("started", {"EH_HOST": "a"})
    for part in (0.3, 0.9, 0.999):
        done = subprocess.run(
            ["bash", "-s"], input=text[: int(len(text) * part)], text=True, capture_output=True, check=False
        )
        assert done.returncode != 0


@pytest.mark.parametrize("step", ["checks", "prepare", "agent", "started"])
def test_the_host_unpacks_exactly_what_was_packed(step: steps.Step) -> None:
    text = steps.packed(step) + "\ndeclare -f\n"
    unpacked = subprocess.run(["bash"], input=text, text=True, capture_output=True, check=True).stdout
    source = "\n".join(steps._source(step)) + "\ndeclare -f\n"
    assert unpacked == subprocess.run(["bash"], input=source, text=True, capture_output=True, check=True).stdout


def test_the_packed_text_is_the_same_on_every_machine() -> None:
    """Other bytes for the same code would make every host run every step again: the packer is pinned for this."""
    assert hashlib.sha256(gzip.compress(b"edge-hosts " * 999, numiterations=1)).hexdigest() == PACKED_SAMPLE


def test_a_host_without_gzip_says_so(tmp_path: Path) -> None:
    (tmp_path / "base64").symlink_to(shutil.which("base64") or "/usr/bin/base64")
    bash = shutil.which("bash") or "/bin/bash"
    text = steps.bundle("started", {"EH_HOST": "a"})
    done = subprocess.run([bash], input=text, text=True, capture_output=True, env={"PATH": str(tmp_path)}, check=False)
    assert done.returncode == 90
    assert "install gzip" in done.stderr
