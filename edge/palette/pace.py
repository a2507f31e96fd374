"""Keeps one process under Palette's rate limit, so that two hundred waiting hosts do not lock each other out.

Palette allows 10 requests a second per source address and API prefix, with bursts of 50 (API introduction). We stay a
little below it, because others may sit behind the same address.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PER_SECOND = 8.0
BURST = 40.0


class Pace:
    """A bucket of permits: `BURST` at first, then `PER_SECOND` of them each second. Safe between threads."""

    def __init__(
        self,
        per_second: float = PER_SECOND,
        burst: float = BURST,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate, self._burst = per_second, burst
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._permits, self._at = burst, clock()

    def take(self, longest: float) -> bool:
        """Wait for a permit, at most `longest` seconds. Return False, and take none, when it would last longer."""
        with self._lock:
            now = self._clock()
            self._permits = min(self._burst, self._permits + (now - self._at) * self._rate)
            self._at = now
            wait = max(0.0, (1.0 - self._permits) / self._rate)
            if wait > longest:
                return False
            # Taken ahead of time, so that the next one in line waits behind us.
            self._permits -= 1.0
        if wait:
            self._sleep(wait)
        return True


_paces: dict[str, Pace] = {}
_paces_lock = threading.Lock()


def pace_of(server: str) -> Pace:
    """Return the one pace that all clients of `server` in this process share."""
    with _paces_lock:
        return _paces.setdefault(server, Pace())
