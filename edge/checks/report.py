"""What comes back from the hosts: one JSON document per host, checked before it is believed, and the report of a site."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edge.checks.model import STATUSES, Result, Status
from edge.errors import HostError

SCHEMA = 1
OUTCOMES = ("ok", "red", "changed", "unchanged")
_AGAIN = "look into /var/lib/edge-hosts/log on the host, then run the same command again"
_SHOWN = 160


@dataclass(frozen=True)
class HostReport:
    """The report of one step on one host: its rows, and the facts that tell this machine from others."""

    host: str
    step: str
    outcome: str
    results: tuple[Result, ...]
    facts: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, as the host printed it."""
        rows = [
            {"id": row.id, "status": row.status, "seen": row.seen, "expected": row.expected} for row in self.results
        ]
        return {
            "schema": SCHEMA,
            "step": self.step,
            "host": self.host,
            "outcome": self.outcome,
            "results": rows,
            "facts": dict(self.facts),
        }


@dataclass(frozen=True)
class Report:
    """The results of a whole site, from hosts, across them, and about the site itself."""

    stack: str
    results: tuple[Result, ...]

    @property
    def red(self) -> tuple[Result, ...]:
        """Return the failed results."""
        return tuple(row for row in self.results if row.status == "fail")

    def hosts(self) -> tuple[str, ...]:
        """Return the hosts in the order of their first result; "" stands for the site itself."""
        return tuple(dict.fromkeys(row.host for row in self.results))

    def of(self, host: str) -> tuple[Result, ...]:
        """Return the results of one host."""
        return tuple(row for row in self.results if row.host == host)

    def counts(self, host: str) -> dict[Status, int]:
        """Return how many results of a host have each status."""
        rows = self.of(host)
        return {status: sum(row.status == status for row in rows) for status in STATUSES}


def parse(stdout: str, host: str, *, step: str = "checks") -> HostReport:
    """Return the report on the last line of a step's output.

    Raises HostError that names the host when there is none, when it is cut off, of another schema, step or host, or holds
    anything but what a step writes: half a report must not pass for a good one.
    """
    line = stdout.strip().rpartition("\n")[2].strip()
    if not line.startswith("{"):
        seen = f"its last line is {_shown(line)!r}" if line else "it printed nothing"
        raise HostError(f"the step {step} ended without a report ({seen}).", remedy=_AGAIN, where=host)
    try:
        data = json.loads(line)
    except ValueError:
        raise HostError(f"the report of the step {step} is cut off or damaged.", remedy=_AGAIN, where=host) from None
    wanted = {"schema": SCHEMA, "step": step, "host": host}
    for name, value in wanted.items():
        if data.get(name) != value:
            problem = f"the report says {name} {_shown(data.get(name))!r} where {value!r} was asked for."
            raise HostError(problem, remedy="check that `address` leads to the machine that is meant.", where=host)
    return _checked(data, host, step)


def _checked(data: Mapping[str, Any], host: str, step: str) -> HostReport:
    """Return the report of data whose heading is right."""
    rows, facts = data.get("results"), data.get("facts")
    good = data.get("outcome") in OUTCOMES and isinstance(rows, list) and isinstance(facts, dict)
    results = [_row(row, host) for row in rows] if good and isinstance(rows, list) else [None]
    if not isinstance(facts, dict) or None in results:
        raise HostError(
            f"the report of the step {step} is not of the form this program writes.", remedy=_AGAIN, where=host
        )
    texts = {str(name): str(value) for name, value in facts.items()}
    return HostReport(host, step, data["outcome"], tuple(row for row in results if row is not None), texts)


def _row(row: object, host: str) -> Result | None:
    if not isinstance(row, dict) or row.get("status") not in STATUSES:
        return None
    texts = [row.get("id"), row.get("seen", ""), row.get("expected", "")]
    if not all(isinstance(text, str) for text in texts) or not row["id"]:
        return None
    return Result(row["id"], host, row["status"], row.get("seen", ""), row.get("expected", ""))


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def site_report(stack: str, hosts: Iterable[HostReport], others: Iterable[Result] = ()) -> Report:
    """Return one report of a site: what was asked about it first, then its hosts."""
    return Report(stack, (*others, *(row for host in hosts for row in host.results)))
