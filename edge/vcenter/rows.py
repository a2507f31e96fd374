"""Collecting the answers of a vCenter as rows of the report."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.checks.catalogue import CATALOGUE
from edge.checks.model import Result
from edge.stages import Stage


@dataclass
class Rows:
    """The rows so far. Hosts that share a place give one row of the site, not one each."""

    stage: Stage
    found: dict[Result, None] = field(default_factory=dict)

    def good(self, check: str, seen: str, host: str = "") -> None:
        """Note that a check passed."""
        self.found[Result(check, host, "pass", seen)] = None

    def bad(self, check: str, seen: str, expected: str = "", *, host: str = "", remedy: str = "") -> None:
        """Note that a check is red, as red as the stage makes it."""
        wanted = expected or CATALOGUE[check].title.lower()
        self.found[Result(check, host, CATALOGUE[check].level(self.stage), seen, wanted, remedy)] = None

    def warn(self, check: str, seen: str, expected: str = "", *, host: str = "", remedy: str = "") -> None:
        """Note something that does not stop anything, whatever the stage."""
        wanted = expected or CATALOGUE[check].title.lower()
        self.found[Result(check, host, "warn", seen, wanted, remedy)] = None

    def skip(self, check: str, reason: str, host: str = "") -> None:
        """Note that a check could not be judged."""
        self.found[Result(check, host, "skip", reason)] = None

    def results(self) -> list[Result]:
        """Return the rows in the order of the catalogue; those of the site before those of the hosts."""
        order = {check: at for at, check in enumerate(CATALOGUE)}
        return sorted(self.found, key=lambda row: (bool(row.host), order[row.id] if not row.host else 0))
