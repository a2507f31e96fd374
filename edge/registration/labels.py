"""The tags that tell whose an edge host is: written into its user-data, they come back as labels of its record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from edge.owner import OWNER_TAG
from edge.palette.models import EdgeHostRecord

OWNER = OWNER_TAG
GENERATION = "edge-hosts-generation"
MACHINE = "edge-hosts-machine"
EPOCH = "edge-hosts-epoch"

_EPOCH = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Identity:
    """What the labels of a record say; `generation` is 0 and texts are empty where a label is missing or nonsense."""

    owner: str
    generation: int
    machine: str
    epoch: str


def tags_of(owner: str, generation: int, machine: str, epoch: str) -> dict[str, str]:
    """Return the tags for the user-data (`stylus.site.tags`) of one registration.

    An existing machine has no uuid, and gets no tag for it: Palette need not keep an empty value.
    """
    tags = {OWNER: owner, GENERATION: str(generation), EPOCH: epoch}
    return {**tags, MACHINE: machine} if machine else tags


def identity_of(record: EdgeHostRecord) -> Identity:
    """Return what a record's labels say about it, tolerant of labels that somebody edited."""
    labels: Mapping[str, str] = record.labels
    number, epoch = labels.get(GENERATION, ""), labels.get(EPOCH, "")
    return Identity(
        owner=labels.get(OWNER, ""),
        generation=int(number) if number.isascii() and number.isdigit() else 0,
        machine=labels.get(MACHINE, ""),
        epoch=epoch if _EPOCH.fullmatch(epoch) else "",
    )
