"""Inputs as the engine hands them over, and labels as a host carries them, for the tests of the registration."""

from __future__ import annotations

from typing import Any

from edge.registration import tags_of
from tests.unit.palette_fake import URL

OWNER = "edge-hosts.plant-12-prod"
STRANGER = "edge-hosts.plant-13-prod"
EPOCH = "0123456789abcdef"


def inputs(host: str = "a", **more: Any) -> dict[str, Any]:
    """Return inputs of a host: numbers are floats, and outputs that are not known yet are null."""
    base = {"host": host, "owner": OWNER, "generation": 1.0, "machine": "", "force": False, "made_from_wanted": "m1"}
    where = {"api_url": URL, "project": "Plants", "project_uid": None, "ca_pem": "", "__provider": "pickled"}
    return {**base, **where, **more}


def labels(owner: str = OWNER, generation: int = 1, machine: str = "", epoch: str = EPOCH) -> dict[str, str]:
    """Return the labels of a record that a host of ours has made."""
    return tags_of(owner, generation, machine, epoch)
