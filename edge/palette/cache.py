"""Remembers an answer for a few seconds, for all threads of a process: one search serves every host of a site.

The asking happens in a thread of its own. A caller waits only as long as it may; what it could not wait for is there
for the next one. So a search that takes longer than a provider method may last still gets done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from edge.palette.errors import RefusedError, UnavailableError

Value = TypeVar("Value")
Note = Callable[[UnavailableError], None]

# A failure is remembered as well, but shortly, so that everybody who waited for the same answer does not ask again.
_FAILURE_SECONDS = 1.0


@dataclass
class _Flight(Generic[Value]):
    """One asking: under way, or done with a value or an error."""

    done: threading.Event = field(default_factory=threading.Event)
    values: list[Value] = field(default_factory=list)
    error: Exception | None = None
    trouble: UnavailableError | None = None
    at: float = 0.0

    def serves(self, now: float, max_age: float) -> bool:
        """Return whether a caller at `now` may use this one."""
        limit = max_age if self.error is None else min(max_age, _FAILURE_SECONDS)
        return not self.done.is_set() or now - self.at < limit

    def note(self, trouble: UnavailableError) -> None:
        """Keep what stands in the way right now, for those who stop waiting before the asking ends."""
        self.trouble = trouble

    def result(self) -> Value:
        """Return the value, or raise a fresh copy of the error."""
        if self.error is None:
            return self.values[0]
        raise self.error.again() if isinstance(self.error, RefusedError) else self.error


class ShortMemory(Generic[Value]):
    """Answers by key. A second caller of the same key waits for the first one's answer instead of asking too."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._flights: dict[Hashable, _Flight[Value]] = {}

    def get(self, key: Hashable, ask: Callable[[Note], Value], max_age: float, longest: float) -> Value:
        """Return the value of `key`, at most `max_age` seconds old, else what `ask(note)` gives.

        Waits at most `longest` seconds; raises UnavailableError after that, and whatever `ask` raised. Meanwhile `ask`
        tells `note` what it is waiting for.
        """
        with self._lock:
            flight = self._flights.get(key)
            if flight is None or not flight.serves(self._clock(), max_age):
                flight = self._flights[key] = _Flight()
                threading.Thread(target=self._fly, args=(flight, ask), name="palette-memory", daemon=True).start()
        if not flight.done.wait(max(0.0, longest)):
            if flight.trouble is not None:
                raise flight.trouble.again()
            problem = "is slow: the answer that this host waits for is still on its way."
            raise UnavailableError(problem, remedy="ask again in a few seconds.", where="Palette")
        return flight.result()

    def _fly(self, flight: _Flight[Value], ask: Callable[[Note], Value]) -> None:
        try:
            flight.values.append(ask(flight.note))
        except Exception as error:
            # Without its traceback: the frames would keep everything alive that they refer to.
            flight.error = error.with_traceback(None)
        flight.at = self._clock()
        flight.done.set()

    def forget(self) -> None:
        """Drop everything that is remembered; what is being asked right now is not waited for."""
        with self._lock:
            self._flights.clear()
