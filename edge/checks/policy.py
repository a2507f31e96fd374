"""What a red check means in a stage, as the text that travels to a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from edge.checks.catalogue import CATALOGUE, checks_at
from edge.checks.model import Check
from edge.checks.on_appliance import WAYS
from edge.stages import Stage

PolicyLevel = Literal["fail", "warn", "off"]
Mode = Literal["agent", "appliance"]


def host_checks(mode: Mode = "agent") -> tuple[Check, ...]:
    """Return the checks that a host of this mode answers, in the catalogue's order; on an appliance also the skipped ones."""
    return checks_at("host") + (checks_at("appliance") if mode == "appliance" else ())


def level_of(
    check: Check, stage: Stage, overrides: Mapping[str, PolicyLevel] | None = None, mode: Mode = "agent"
) -> PolicyLevel:
    """Return the level of a check: that of its stage, on an appliance that of its way, unless an override says otherwise."""
    severity = WAYS[check.id].severity if mode == "appliance" else None
    return (overrides or {}).get(check.id, (severity or check.severity)[stage])


def remedy_on(check: Check, mode: Mode) -> str:
    """Return how to fix what a check found on a host of this mode."""
    return (WAYS[check.id].remedy if mode == "appliance" else "") or check.remedy


def policy_tsv(stage: Stage, overrides: Mapping[str, PolicyLevel] | None = None, mode: Mode = "agent") -> str:
    """Return the policy for a host: one line `id, level, title, remedy` per check, separated by tabs.

    A check that is not asked of an appliance has the level `skip`, and the reason in the place of its remedy. Raises
    ValueError for an override of an id that is not in the catalogue: a typing error would switch nothing off.
    """
    unknown = sorted(set(overrides or {}) - set(CATALOGUE))
    if unknown:
        raise ValueError(f"no such check: {', '.join(unknown)}")
    lines = []
    for check in host_checks(mode):
        if mode == "appliance" and WAYS[check.id].do == "skipped":
            lines.append((check.id, "skip", check.title, WAYS[check.id].why))
        else:
            lines.append((check.id, level_of(check, stage, overrides, mode), check.title, remedy_on(check, mode)))
    return "".join("\t".join(line) + "\n" for line in lines)
