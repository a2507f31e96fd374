"""The agent reads its user-data with awk: it must read what a YAML library reads."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.userdata import dump
from lab.services.vendor import VENDOR

pytestmark = pytest.mark.skipif(shutil.which("jq") is None, reason="not on this machine: jq")
READER = VENDOR / "agent" / "10-yaml.sh"
LETTERS = "abz019 \n\t:#-'\"\\|>&*!%@`[]{},?=~._/$ä€😀"

# YAML 1.1 takes these three for line breaks; nobody writes them into user-data.
odd = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029"), max_size=12)
texts = st.text(LETTERS, max_size=24) | odd
keys = st.text(LETTERS.replace("\n", "").replace("?", ""), min_size=1, max_size=12)
leaves = texts | st.booleans() | st.none() | st.integers(-(10**12), 10**12)
documents = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)


class _Plain(yaml.SafeDumper):
    """Writes no anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


class _Literal(_Plain):
    """Writes texts of several lines as literal blocks where YAML allows it."""


_Literal.add_representer(
    str,
    lambda dumper, data: dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None),
)


def read(text: str) -> object:
    """Return what the agent's reader makes of a YAML text. Raises CalledProcessError when it refuses."""
    script = f'. "{READER}"\nset -o pipefail\nyaml_to_json\n'
    done = subprocess.run(["bash", "-c", script], input=text.encode(), capture_output=True, check=True, timeout=20)
    return json.loads(done.stdout)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    documents=st.lists(documents, min_size=8, max_size=8),
    width=st.sampled_from([20, 80, 4096]),
    style=st.sampled_from([False, None, True]),
    dumper=st.sampled_from([_Plain, _Literal]),
    unicode=st.booleans(),
)
def test_reads_what_a_library_writes(
    documents: list[object], width: int, style: bool | None, dumper: type[yaml.SafeDumper], unicode: bool
) -> None:
    """Whatever is written comes back, in every style and width."""
    wanted = {f"k{number}": document for number, document in enumerate(documents)}
    text = yaml.dump(
        wanted, Dumper=dumper, width=width, default_flow_style=style, allow_unicode=unicode, sort_keys=False
    )
    if "? " in text and any(line.lstrip(" -").startswith("? ") for line in text.splitlines()):
        return  # complex keys are refused, and user-data has none
    assert read(text) == yaml.safe_load(text)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents=st.lists(documents, min_size=8, max_size=8))
def test_reads_what_the_program_writes(documents: list[object]) -> None:
    """The writer of the program's user-data is understood, whatever the settings hold."""
    wanted = {f"k{number}": document for number, document in enumerate(documents)}
    text = dump(wanted)
    if not any(line.lstrip(" -").startswith("? ") for line in text.splitlines()):
        assert read(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1\n",
        "a: *x\n",
        "a: !tag b\n",
        "a:\n   b: 1\n  c: 2\n",
        "a: 'open\n",
        'a: "\\q"\n',
        "a: [1\n",
        "- 1\nb: 2\n",
    ],
)
def test_refuses_what_it_does_not_know(text: str) -> None:
    """Anchors, tags and broken text are an error, never a wrong value."""
    with pytest.raises(subprocess.CalledProcessError):
        read(text)


def test_comments_and_line_ends() -> None:
    """Comments go, and so do the line ends of Windows."""
    assert read("#cloud-config\r\na: b # c\r\n# d\r\ne: 'f # g'\r\n") == {"a": "b", "e": "f # g"}
    assert read("#cloud-config\n") is None
