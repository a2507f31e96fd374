"""The figures of bench/endpoints.py, with twice the limit and in processor time, because the machine of a test is shared."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """Return the measuring program as a module."""
    spec = importlib.util.spec_from_file_location("bench_endpoints", ROOT / "bench" / "endpoints.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_check_of_a_site_with_two_hundred_hosts(bench: ModuleType, tmp_path: Path) -> None:
    stack = bench.site_of(200, tmp_path)
    found = []
    for _ in range(3):
        began = time.process_time()
        bench.checked(stack, tmp_path)
        found.append(time.process_time() - began)
    assert min(found) < 2 * bench.CHECK_LIMIT


@pytest.mark.parametrize(("limit", "code"), [(0.0, 1), (60.0, 0)])
def test_the_program_ends_with_1_when_it_is_over_a_limit(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], limit: float, code: int
) -> None:
    monkeypatch.setattr(bench, "TABLES_LIMIT", limit)
    monkeypatch.setattr(bench, "CHECK_LIMIT", 60.0)
    monkeypatch.setattr(bench, "process", lambda stack, folder: None)
    assert bench.main(2, 1) == code
    assert ("OVER" in capsys.readouterr().out) == bool(code)
