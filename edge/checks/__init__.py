"""One catalogue of checks, the policy of a stage, and what comes back from the hosts."""

from __future__ import annotations

from edge.checks.catalogue import CATALOGUE, checks_at
from edge.checks.model import STATUSES, Check, Result, Status
from edge.checks.policy import level_of, policy_tsv
from edge.checks.report import HostReport, Report, parse
from edge.checks.values import checks_values

__all__ = [
    "CATALOGUE",
    "STATUSES",
    "Check",
    "HostReport",
    "Report",
    "Result",
    "Status",
    "checks_at",
    "checks_values",
    "level_of",
    "parse",
    "policy_tsv",
]
