"""Palette's clock in the tests: stands still until it is moved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass
class Clock:
    """A time that only a test moves."""

    moment: datetime = datetime(2026, 11, 3, 12, 0, 0, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the time."""
        return self.moment

    def advance(self, seconds: float) -> None:
        """Move the time."""
        self.moment += timedelta(seconds=seconds)

    def stamp(self) -> str:
        """Return the time as Palette writes it."""
        return self.moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
