"""Every host check of the catalogue against scripted machines: what it says where all is well, and where it is not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.checks.catalogue import CATALOGUE
from edge.checks.policy import host_checks, level_of
from tests.scripts.case_rows import rows_of
from tests.scripts.checks_machine import BASE, HERE, Machine, described, laid_over
from tests.scripts.listeners import listeners

CURL = shutil.which("curl")
KEYS = {
    "check",
    "case",
    "machine",
    "is",
    "seen",
    "files",
    "folders",
    "links",
    "modes",
    "units",
    "commands",
    "values",
    "remove",
    "without",
}


def _cases() -> Iterator[dict[str, Any]]:
    for path in sorted((HERE / "cases").glob("*.yaml")):
        for case in yaml.safe_load(path.read_text("utf-8")):
            yield {**case, "file": path.stem}


CASES = tuple(_cases())


def _rows(case: dict[str, Any]) -> Any:
    rows = rows_of(case, case["file"])
    return pytest.mark.row(*rows) if rows else ()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Yield the real listeners, and where the real curl is."""
    with listeners(tmp_path_factory.mktemp("listeners")) as found:
        yield {**found, "curl": CURL or "/bin/false"}


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{case['check']}-{case['case']}", marks=_rows(case)) for case in CASES]
)
def test_case(case: dict[str, Any], tmp_path: Path, places: dict[str, str]) -> None:
    check = CATALOGUE[case["check"]]
    if check.phase == 1 and case.get("machine") == "online" and CURL is None:
        pytest.skip("no curl on this machine")
    machine = Machine(tmp_path, laid_over(described(case.get("machine", BASE)), case), places)
    run = machine.run(phases=str(check.phase), only=check.id)
    assert run.code == 0, run.stderr
    row = run.row(check.id)
    mode = machine.values.get("EH_MODE", "agent")
    wanted = level_of(check, "prod", mode=mode) if case["is"] == "bad" else case["is"]  # type: ignore[arg-type]
    assert row["status"] == wanted, row
    assert case.get("seen", "") in row["seen"], row
    assert bool(row["expected"]) == (case["is"] in ("bad", "warn")), row


def test_cases_use_known_words_only() -> None:
    """A misspelt key would change nothing, and the case would prove nothing."""
    assert [case for case in CASES if set(case) - KEYS - {"file"} or case["check"] not in CATALOGUE] == []


@pytest.mark.parametrize("check", [check.id for check in host_checks("appliance")])
def test_every_check_has_a_good_and_a_bad_case(check: str) -> None:
    kinds = {case["is"] for case in CASES if case["check"] == check}
    assert {"pass", "bad"} <= kinds, f"add the missing case to {HERE / 'cases'}"


def test_no_case_stands_twice() -> None:
    names = [(case["check"], case["case"]) for case in CASES]
    assert len(names) == len(set(names))
