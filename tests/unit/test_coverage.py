"""`docs/coverage.md` is true: every row of the requirements is there, and what it points at exists and names it back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

from edge.checks.catalogue import CATALOGUE
from tests.scripts.case_rows import rows_of

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "coverage.md"

# Typed in on purpose: a list that was read from the table could not miss anything.
ROWS = (
    *("A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10", "A11"),
    *("A12", "A13", "A14", "A15", "A16", "A17", "A18", "A19", "A20", "A21"),
    *("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B10", "B11"),
    *("B12", "B13", "B14", "B15", "B16", "B17"),
    *("C1", "C2", "C3", "C4", "C5", "C6", "C7"),
)
CASES = "tests/scripts/test_checks_cases.py::test_case"
TOPICS: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """One line of the table. `planned` holds the topics of the issues that own what is not built yet."""

    row: str
    what: str
    code: tuple[str, ...]
    tests: tuple[str, ...]
    planned: tuple[str, ...]


def parse(text: str) -> list[Line]:
    """Return the lines of the coverage table; a line is known by the row id in its first cell."""
    lines = []
    for raw in text.splitlines():
        cells = [cell.strip() for cell in raw.strip().strip("|").split("|")]
        if len(cells) != 4 or not re.fullmatch(r"[ABC]\d{1,2}", cells[0]):
            continue
        row, what, code, tests = cells
        planned = tuple(part.strip() for note in re.findall(r"\*planned: ([^*]+)\*", tests) for part in note.split(","))
        lines.append(Line(row, what, _ticked(code), _ticked(tests), planned))
    return lines


def _ticked(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


@cache
def table() -> tuple[Line, ...]:
    """Return the committed table."""
    return tuple(parse(TABLE.read_text("utf-8")))


def _marks(nodes: list[ast.expr]) -> set[str]:
    """Return the rows that `pytest.mark.row(...)` names anywhere in `nodes`, also inside `pytest.param(...)`."""
    rows: set[str] = set()
    for node in nodes:
        for one in ast.walk(node):
            if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr == "row":
                rows |= {arg.value for arg in one.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}
    return rows


def _module_marks(body: list[ast.stmt]) -> set[str]:
    values = [
        statement.value
        for statement in body
        if isinstance(statement, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in statement.targets)
    ]
    return _marks(values)


def _tests(body: list[ast.stmt], prefix: str, rows: set[str]) -> Iterator[tuple[str, frozenset[str]]]:
    inherited = rows | _module_marks(body)
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _tests(node.body, f"{prefix}::{node.name}", inherited | _marks(node.decorator_list))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield f"{prefix}::{node.name}", frozenset(inherited | _marks(node.decorator_list))


def _check_cases() -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the cases of the host checks, which stand in YAML and carry the rows of their check."""
    for path in sorted((ROOT / "tests" / "scripts" / "cases").glob("*.yaml")):
        for case in yaml.safe_load(path.read_text("utf-8")):
            yield f"{CASES}[{case['check']}-{case['case']}]", frozenset(rows_of(case, path.stem))


@cache
def known_tests() -> dict[str, frozenset[str]]:
    """Return every test of the project by its id, with the rows that it carries. No test is imported or run."""
    found: dict[str, frozenset[str]] = dict(_check_cases())
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        found.update(_tests(ast.parse(path.read_text("utf-8")).body, path.relative_to(ROOT).as_posix(), set()))
    return found


def test_every_row_is_in_the_table_once_and_in_order() -> None:
    assert tuple(line.row for line in table()) == ROWS


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_covered_or_planned(row: str) -> None:
    """A row is done (code and tests), or planned (the topic of its issue), or in part both."""
    line = next(line for line in table() if line.row == row)
    assert line.what
    assert line.planned or (line.code and line.tests), f"{row} has neither code and tests nor `*planned: TOPIC*`"
    assert set(line.planned) <= set(TOPICS), f"{row} names an unknown topic: {line.planned}"
    assert bool(line.code) == bool(line.tests), f"{row} has code without tests, or tests without code"


@pytest.mark.parametrize("row", ROWS)
def test_named_code_exists(row: str) -> None:
    missing = [name for line in table() if line.row == row for name in line.code if not (ROOT / name).exists()]
    assert missing == []


@pytest.mark.parametrize("row", ROWS)
def test_named_tests_exist_and_carry_the_row(row: str) -> None:
    named = [name for line in table() if line.row == row for name in line.tests]
    missing = [name for name in named if name not in known_tests()]
    silent = [name for name in named if name in known_tests() and row not in known_tests()[name]]
    assert missing == [], "these tests do not exist"
    assert silent == [], f'these tests lack `@pytest.mark.row("{row}")`'


@pytest.mark.parametrize("row", ROWS)
def test_a_row_that_is_not_only_planned_has_a_marked_test(row: str) -> None:
    line = next(line for line in table() if line.row == row)
    marked = [name for name, rows in known_tests().items() if row in rows]
    assert marked or (line.planned and not line.tests)


def test_every_marked_row_is_a_known_row() -> None:
    unknown = {name: sorted(rows - set(ROWS)) for name, rows in known_tests().items() if rows - set(ROWS)}
    assert unknown == {}


def test_every_row_of_a_check_is_a_known_row() -> None:
    unknown = {
        check.id: sorted(set(check.rows) - set(ROWS)) for check in CATALOGUE.values() if set(check.rows) - set(ROWS)
    }
    assert unknown == {}


def test_the_collector_sees_marks_wherever_they_stand() -> None:
    """Decorators, parameters, classes and `pytestmark`: a mark that is overlooked would make the table lie."""
    source = """
pytestmark = [pytest.mark.row("A1")]

@pytest.mark.row("A2", "A3")
def test_plain(): ...

@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.row("A4"))])
def test_param(x): ...

@pytest.mark.row("A5")
class TestGroup:
    def test_inner(self): ...

def helper(): ...
"""
    found = dict(_tests(ast.parse(source).body, "t.py", set()))
    assert found == {
        "t.py::test_plain": {"A1", "A2", "A3"},
        "t.py::test_param": {"A1", "A4"},
        "t.py::TestGroup::test_inner": {"A1", "A5"},
    }


def test_the_parser_reads_code_tests_and_plans() -> None:
    text = "| row | what | code | tests |\n| A1 | size | `edge/a.py` | `tests/a.py::t`<br>*planned: vSphere, AWS* |"
    assert parse(text) == [Line("A1", "size", ("edge/a.py",), ("tests/a.py::t",), ("vSphere", "AWS"))]
