"""What a red check means in a stage, as the text that travels to a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from edge.checks.catalogue import CATALOGUE, checks_at
from edge.checks.model import Check
from edge.stages import Stage

PolicyLevel = Literal["fail", "warn", "off"]


def level_of(check: Check, stage: Stage, overrides: Mapping[str, PolicyLevel] | None = None) -> PolicyLevel:
    """Return the level of a check: that of its stage, unless an override says otherwise."""
    return (overrides or {}).get(check.id, check.level(stage))


def policy_tsv(stage: Stage, overrides: Mapping[str, PolicyLevel] | None = None) -> str:
    """Return the policy for the hosts: one line `id, level, title, remedy` per host check, separated by tabs.

    Raises ValueError for an override of an id that is not in the catalogue: a typing error would switch nothing off.
    """
    unknown = sorted(set(overrides or {}) - set(CATALOGUE))
    if unknown:
        raise ValueError(f"no such check: {', '.join(unknown)}")
    lines = (
        "\t".join((check.id, level_of(check, stage, overrides), check.title, check.remedy))
        for check in checks_at("host")
    )
    return "".join(f"{line}\n" for line in lines)
