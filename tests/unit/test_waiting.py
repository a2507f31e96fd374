"""The one decision about repeating: pending and refused logins are repeated, everything else fails at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import waiting

PENDING = "PendingError: pending: plant-12-a is registered but not healthy yet"
REFUSED = "proxy: after 4 failed attempts: ssh: handshake failed: EOF"
LOST = 'wait: remote command exited without exit status or exit signal: running "sh -c x":'
MISMATCH = "after 15 failed attempts: ssh: handshake failed: ssh: host key mismatch"
RED = 'Process exited with status 10: running "sh -c x":\nRED host.cpu.minimum'


@pytest.mark.row("A21")
@pytest.mark.parametrize("error", [PENDING, REFUSED])
def test_not_ready_and_not_connected_are_repeated(error: str) -> None:
    assert waiting.decide([error], 1200.0, logins=True) == pytest.approx(1200.0 / waiting.MAX_TRIES)


@pytest.mark.row("A3")
def test_a_refused_login_is_repeated_only_where_the_provider_cannot() -> None:
    assert waiting.decide([REFUSED], 1200.0) is None


@pytest.mark.row("A3", "A19")
@pytest.mark.parametrize("error", [LOST, MISMATCH, RED, "", "PaletteError: the API key is refused"])
def test_real_failures_are_not_repeated(error: str) -> None:
    assert waiting.decide([error], 1200.0, logins=True) is None


@pytest.mark.row("A3")
def test_tries_that_take_minutes_each_do_not_add_up_beyond_the_limit() -> None:
    assert waiting.decide([REFUSED], 90.0, logins=True, elapsed=80.0) == 2.0
    assert waiting.decide([REFUSED], 90.0, logins=True, elapsed=89.0) is None


def test_a_script_that_prints_the_words_of_a_failed_dial_is_not_repeated() -> None:
    assert waiting.decide([f"{RED}\nafter 3 failed attempts: dial tcp"], 1200.0, logins=True) is None


def test_nothing_failed_means_nothing_to_repeat() -> None:
    assert waiting.decide([], 1200.0, logins=True) is None


@given(st.floats(min_value=1, max_value=100_000))
def test_all_tries_together_fill_the_limit_and_never_pass_a_hundred(limit: float) -> None:
    errors: list[str] = []
    waited = 0.0
    while True:
        errors.insert(0, PENDING)
        wait = waiting.decide(errors, limit)
        if wait is None:
            break
        waited += wait
    assert len(errors) <= 100
    assert waited <= limit * (1 + 1e-9)
    assert waited >= min(limit, 99 * waiting.pause(limit)) - 2 * waiting.pause(limit)


@given(st.floats(min_value=1, max_value=100_000))
def test_growing_pauses_fill_the_limit_within_a_hundred_tries(limit: float) -> None:
    errors: list[str] = []
    waits: list[float] = []
    while (wait := waiting.decide([PENDING, *errors], limit, growing=True)) is not None:
        errors.append(PENDING)
        waits.append(wait)
    assert len(errors) <= waiting.MAX_TRIES
    assert waits == sorted(waits)
    assert sum(waits) <= limit * (1 + 1e-9)
    assert limit - sum(waits) <= max(waiting.SHORTEST_PAUSE, *waits, limit * 0.03)


def test_a_short_build_with_a_long_limit_is_looked_at_often() -> None:
    waits = [waiting.growing_pause(5400.0, tries) for tries in range(1, 8)]
    assert waits[0] == waiting.SHORTEST_PAUSE
    assert sum(waits) < 35
