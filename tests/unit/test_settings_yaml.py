"""One file, two readers: where they differ is found, and the committed stacks mean the same to both."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from settings_helpers import ROOT, STACKS, refused_text

from edge.errors import SettingsError
from edge.settings.yamltext import TimeStamp, engine_scalar, parse, read

# plain text, what the engine sees, what YAML 1.1 sees
READINGS: tuple[tuple[str, Any, Any], ...] = (
    ("on", "on", True),
    ("yes", "yes", True),
    ("Off", "Off", False),
    ("no", "no", False),
    ("y", "y", "y"),
    ("true", True, True),
    ("TRUE", True, True),
    ("null", None, None),
    ("~", None, None),
    ("1.30", 1.3, 1.3),
    ("066635153087", 66635153087.0, "066635153087"),
    ("013241004608", 13241004608.0, "013241004608"),
    ("0644", 420, 420),
    ("0o644", 420, "0o644"),
    ("0x1F", 31, 31),
    ("0b11", 3, 3),
    ("1_000", 1000, 1000),
    ("12:30:45", "12:30:45", 45045),
    ("30:00", "30:00", 1800),
    ("22:00:11:22:33:44", "22:00:11:22:33:44", 17109657224),
    ("1e3", 1000.0, "1e3"),
    ("1.5e3", 1500.0, "1.5e3"),
    ("1.5e+3", 1500.0, 1500.0),
    (".5", 0.5, 0.5),
    ("+12", 12, 12),
    (".inf", math.inf, math.inf),
    ("2026.11-1", "2026.11-1", "2026.11-1"),
    ("10.200.0.11", "10.200.0.11", "10.200.0.11"),
    ("4.9.38", "4.9.38", "4.9.38"),
    ("24h", "24h", "24h"),
    ("18446744073709551616", 18446744073709551616.0, 18446744073709551616),
    ("=", "=", "="),
)


@pytest.mark.parametrize(("text", "engine", "yaml11"), READINGS, ids=[row[0] for row in READINGS])
def test_both_readings_of_plain_text(text: str, engine: Any, yaml11: Any) -> None:
    assert (type(engine_scalar(text)), engine_scalar(text)) == (type(engine), engine)
    if text != "=":  # PyYAML knows a tag for it, and has no value
        seen = yaml.safe_load(text)
        assert (type(seen), seen) == (type(yaml11), yaml11)


@pytest.mark.parametrize(("text", "engine", "yaml11"), READINGS, ids=[row[0] for row in READINGS])
def test_a_difference_is_a_problem_and_agreement_is_none(text: str, engine: Any, yaml11: Any) -> None:
    document = parse(f"key: {text}", "file")
    same = type(engine) is type(yaml11) and engine == yaml11
    assert bool(document.problems) is not same
    assert document.data == {"key": engine}
    assert document.plain.get(("key",), text) == text


@pytest.mark.parametrize("text", ["2027-01-31", "2027-1-31", "2027-01-31T10:00:00Z", "2027-01-31 10:00:00"])
def test_an_unquoted_day_would_arrive_as_a_time_stamp(text: str) -> None:
    ((path, finding),) = parse(f"key: {text}", "file").problems
    assert path == ("key",)
    assert finding.remedy == f'Put it in quotes: "{text}".'
    assert isinstance(engine_scalar(text), TimeStamp)


def test_quoted_text_is_text_for_both() -> None:
    for text, _, _ in READINGS:
        document = parse(f'key: "{text}"', "file")
        assert document.data == {"key": text}
        assert not document.problems


@given(st.text(max_size=12))
def test_reading_any_plain_scalar_never_fails(text: str) -> None:
    engine_scalar(text)


@given(st.one_of(st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_written_by_python_are_the_same_numbers(number: float) -> None:
    seen = engine_scalar(repr(number))
    assert seen == number


@pytest.mark.parametrize("stack", STACKS)
def test_the_committed_stacks_mean_the_same_to_every_reader(stack: str) -> None:
    path = ROOT / f"Pulumi.{stack}.yaml"
    document = read(path)
    assert document.problems == []
    text = path.read_text("utf-8")
    assert document.data == yaml.safe_load(text)
    assert document.data == YAML(typ="safe", pure=True).load(io.StringIO(text))


@pytest.mark.parametrize("path", sorted((ROOT / "releases").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_committed_releases_mean_the_same_to_every_reader(path: Path) -> None:
    document = read(path)
    assert document.problems == []
    assert document.data == yaml.safe_load(path.read_text("utf-8"))


def test_a_key_that_stands_twice_names_both_lines(tmp_path: Path) -> None:
    text = (ROOT / "Pulumi.dev.yaml").read_text("utf-8").replace("name: workshop\n", "name: plant\n    name: other\n")
    findings = refused_text(tmp_path, text)
    assert findings["site.name"].problem.startswith("stands twice, in lines ")


def test_a_key_that_stands_twice_outside_the_site_is_found_too(tmp_path: Path) -> None:
    text = (ROOT / "Pulumi.dev.yaml").read_text("utf-8").replace("config:\n", "config:\n  aws:region: us-east-1\n")
    findings = refused_text(tmp_path, text)
    assert "config.aws:region" in findings


@pytest.mark.parametrize("text", ["config: [", "config:\n\tsite: x", "a: b: c", "key: @x"])
def test_what_is_no_yaml_is_one_finding_with_its_line(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(text, "Pulumi.x.yaml")
    (finding,) = caught.value.findings
    assert finding.where.startswith("Pulumi.x.yaml, line ")


def test_a_file_that_is_no_text_is_one_finding(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not UTF-8"):
        read(tmp_path / "Pulumi.x.yaml")


def test_merge_keys_and_anchors_are_read() -> None:
    document = parse("a: &x {p: 1}\nb: {<<: *x, q: 2}\nc: *x\n", "file")
    assert document.data == {"a": {"p": 1}, "b": {"p": 1, "q": 2}, "c": {"p": 1}}


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {p: 1}\nb: {<<: *x, p: 2}\nc: {<<: *x, p: 3}\n",
        "a: &x {p: 1}\nb: {p: 2, <<: *x}\n",
        "a: &x {p: 1, q: 1}\nb: &y {p: 2, r: 2}\nc: {<<: [*x, *y]}\nd: {<<: *y, q: 3}\n",
        "a: &x {p: 1}\nb: &y {<<: *x, q: 2}\nc: {<<: *y, q: 3}\n",
    ],
)
def test_own_keys_go_over_merged_ones_as_in_every_reader(text: str) -> None:
    document = parse(text, "file")
    assert document.problems == []
    assert document.data == yaml.safe_load(text)


@pytest.mark.parametrize("text", ["a: &x [*x]", "a: &x {b: *x}", "[" * 3000 + "]" * 3000])
def test_a_file_that_never_ends_is_one_finding(text: str) -> None:
    with pytest.raises(SettingsError, match="Remove the alias"):
        parse(text, "Pulumi.x.yaml")


def test_lines_are_known_down_to_list_items() -> None:
    document = parse("a:\n  b:\n    - x\n    - y\n", "file")
    assert document.line(("a", "b", 1)) == 4
    assert document.line(("a", "b", "nothing", "here")) == 2
