"""What a check is: an id that never changes, a title, how bad it is in each stage, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from edge.stages import STAGES, Stage

Status = Literal["pass", "warn", "fail", "skip"]
CheckLevel = Literal["fail", "warn"]
Where = Literal["host", "appliance", "control", "across", "palette", "vsphere", "aws"]

STATUSES: tuple[Status, ...] = ("pass", "warn", "fail", "skip")
WHERES: tuple[Where, ...] = ("host", "appliance", "control", "across", "palette", "vsphere", "aws")


def _by_stage(dev: CheckLevel, staging: CheckLevel, prod: CheckLevel) -> Mapping[Stage, CheckLevel]:
    return dict(zip(STAGES, (dev, staging, prod), strict=True))


# How bad a red check is: without it nothing can work; only production insists; production and its rehearsal insist; advice.
ALWAYS = _by_stage("fail", "fail", "fail")
PRODUCTION = _by_stage("warn", "warn", "fail")
STRICT = _by_stage("warn", "fail", "fail")
ADVICE = _by_stage("warn", "warn", "warn")


@dataclass(frozen=True)
class Check:
    """One question about a site, with one answer.

    `rows` are the requirement rows it serves; `source` says where the fact comes from; `where` is who is asked: each
    `host`, each host in Appliance Mode (`appliance`), the machine that runs the program (`control`), the hosts compared with
    each other (`across`), `palette`, the vCenter (`vsphere`), or `aws`. `phase` 0 needs bash and coreutils on a host, 1 needs curl there.
    """

    id: str
    title: str
    rows: tuple[str, ...]
    severity: Mapping[Stage, CheckLevel]
    remedy: str
    source: str
    where: Where = "host"
    phase: int = 0

    def level(self, stage: Stage) -> CheckLevel:
        """Return what a red result of this check means in `stage`."""
        return self.severity[stage]


@dataclass(frozen=True)
class Result:
    """The answer of one check for one host (`host` is empty for questions about the whole site).

    `remedy` is what helps in this case; the catalogue's, when it is empty.
    """

    id: str
    host: str
    status: Status
    seen: str
    expected: str = ""
    remedy: str = ""


def table(*parts: Iterable[Check]) -> dict[str, Check]:
    """Return the checks by id, in their order. Raises ValueError when an id stands twice."""
    checks: dict[str, Check] = {}
    for check in (check for part in parts for check in part):
        if check.id in checks:
            raise ValueError(f"the check {check.id} stands twice in the catalogue")
        checks[check.id] = check
    return checks
