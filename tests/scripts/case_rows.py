"""Which rows of the requirements a case of a host check proves: those of its check, and on an appliance more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.checks.catalogue import CATALOGUE

# What a check proves on an appliance, besides that it is asked there.
_ON_APPLIANCE: Mapping[str, tuple[str, ...]] = {
    "host.cpu.minimum": ("B2", "B15"),
    "host.memory.recommended": ("B2", "B15"),
    "host.disk.recommended": ("B2", "B15"),
    "host.network.static": ("B2", "B15"),
    "host.network.offload": ("B15", "B16"),
}


def rows_of(case: Mapping[str, Any], file: str) -> tuple[str, ...]:
    """Return the rows of one case; `file` is the name of its file without an ending."""
    check = CATALOGUE.get(case["check"])
    rows = check.rows if check is not None else ()
    return (*rows, *_ON_APPLIANCE.get(case["check"], ("B15",))) if file == "appliance" else rows
