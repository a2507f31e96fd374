"""Checks across hosts: what only a comparison shows. Cloned templates are the usual cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edge.checks.catalogue import CATALOGUE
from edge.checks.model import Result, Status
from edge.checks.report import HostReport
from edge.stages import Stage

# Seconds by which a clock may differ from the median of the site; AWS signatures fail at 300, logs mislead much earlier.
CLOCK_SECONDS = 10.0


def across(
    stage: Stage,
    reports: Sequence[HostReport],
    *,
    boots: Mapping[str, str] | None = None,
    clocks: Mapping[str, float] | None = None,
) -> list[Result]:
    """Return the results of all checks across `reports`.

    `boots` is the id of each host's boot, `clocks` the seconds by which each clock differs from the median.
    """
    judge = _Judge(stage, reports)
    return [
        judge.unique("across.machineid", lambda report: report.facts.get("machine_id", "")),
        judge.unique("across.productuuid", lambda report: report.facts.get("product_uuid", "").lower()),
        judge.unique("across.hostname", lambda report: report.facts.get("hostname", "").lower()),
        judge.unique("across.machine", lambda report: (boots or {}).get(report.host, "")),
        judge.clocks(clocks or {}),
        judge.systems(),
    ]


class _Judge:
    """Makes results with the level of a stage."""

    def __init__(self, stage: Stage, reports: Sequence[HostReport]) -> None:
        self._stage = stage
        self._reports = reports

    def result(self, check: str, seen: str, expected: str) -> Result:
        """Return a red result, at the level of the stage."""
        status: Status = CATALOGUE[check].level(self._stage)
        return Result(check, "", status, seen, expected)

    def unique(self, check: str, value: Callable[[HostReport], str]) -> Result:
        """Return whether every host has a value of its own; hosts without one are not compared."""
        hosts: dict[str, list[str]] = {}
        for report in self._reports:
            if value(report):
                hosts.setdefault(value(report), []).append(report.host)
        if sum(len(names) for names in hosts.values()) < 2:
            return Result(check, "", "skip", "fewer than two hosts to compare")
        shared = {found: names for found, names in hosts.items() if len(names) > 1}
        if not shared:
            return Result(check, "", "pass", "all different")
        seen = "; ".join(f"{' and '.join(names)} share {found}" for found, names in sorted(shared.items()))
        return self.result(check, seen, "all different")

    def clocks(self, clocks: Mapping[str, float]) -> Result:
        """Return whether the clocks agree."""
        check = "across.clock"
        if len(clocks) < 2:
            return Result(check, "", "skip", "fewer than two hosts to compare")
        far = {host: ahead for host, ahead in clocks.items() if abs(ahead) > CLOCK_SECONDS}
        if not far:
            return Result(check, "", "pass", f"within {CLOCK_SECONDS:.0f} s of their median")
        words = (
            f"{host} is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}" for host, ahead in sorted(far.items())
        )
        return self.result(check, "; ".join(words), f"within {CLOCK_SECONDS:.0f} s of the median")

    def systems(self) -> Result:
        """Return whether all hosts run one operating system."""
        check = "across.system"
        found: dict[str, list[str]] = {}
        for report in self._reports:
            name = f"{report.facts.get('os_id', '')}-{report.facts.get('os_version', '')}"
            found.setdefault(name, []).append(report.host)
        if len(self._reports) < 2:
            return Result(check, "", "skip", "fewer than two hosts to compare")
        if len(found) == 1:
            return Result(check, "", "pass", next(iter(found)))
        seen = "; ".join(f"{name}: {', '.join(hosts)}" for name, hosts in sorted(found.items()))
        return self.result(check, seen, "one operating system")
