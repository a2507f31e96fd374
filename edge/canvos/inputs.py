"""What a build is made of, as one digest. A build is repeated when the digest changes, and then only.

The commit counts, not the tag: a tag can be moved. So do the bundle's digest and every text that is written into the
repository, each by itself, so that a person can be told which one has changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class BuildInputs:
    """Everything that decides what a build makes. `commit` is a git commit, `bundle` a sha256 or ""."""

    commit: str
    arg: str
    dockerfile: tuple[str, ...]
    user_data: Mapping[str, str]
    certificates: Mapping[str, str]
    bundle: str = ""

    def parts(self) -> dict[str, str]:
        """Return a short digest per part, by its name."""
        return {name: _digest(value)[:16] for name, value in asdict(self).items()}

    @property
    def digest(self) -> str:
        """The sha256 over all parts, in hexadecimal."""
        return _digest(self.parts())


def changed(before: Mapping[str, str], now: BuildInputs) -> list[str]:
    """Return the names of the parts that differ from those of an earlier build, sorted."""
    mine = now.parts()
    return sorted(name for name in {*before, *mine} if before.get(name) != mine.get(name))


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
