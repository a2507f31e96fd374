"""What follows a failure that is not repeated: an advice, beside the words of a provider that is not ours."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from components import hooks

TIMEOUT = "after 61 failed attempts: dial tcp 10.0.0.1:22: i/o timeout"


def asked(name: str, error: str, operation: str = "create") -> bool:
    """Ask a hook that never repeats, as the binding of checks at a first boot does."""
    function = hooks._repeat(lambda _args: 0.0, logins=False, advice={"a-checks": lambda said: said.upper()[:5]})
    args: Any = SimpleNamespace(urn="u", name=name, errors=[error], failed_operation=operation, new_inputs={})
    return asyncio.run(function(args))  # type: ignore[arg-type]


@pytest.mark.row("B14", "B15")
def test_a_failure_is_followed_by_the_advice_of_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", told.append)
    assert not asked("a-checks", TIMEOUT)
    assert told == ["a-checks: AFTER."]
    assert not asked("b-checks", TIMEOUT)
    assert not asked("a-checks", "")
    assert not asked("a-checks", TIMEOUT, "delete")
    assert len(told) == 1


def test_what_only_looks_pending_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi.log, "warn", lambda _text: None)
    assert not asked("a-checks", "Process exited with status 10: pending: x")
