"""Compares agent versions: `v4.9.23-rc.2` is older than `4.9.23`; a leading v and missing zeros make no difference."""

from __future__ import annotations

import re
from itertools import zip_longest

_VERSION = re.compile(r"v?(\d+(?:\.\d+)*)(.*)", re.IGNORECASE | re.DOTALL)


def is_older(seen: str, wanted: str) -> bool:
    """Return whether `seen` is older than `wanted`. A text that is no version is neither older nor newer."""
    return _compare(seen, wanted) < 0


def is_newer(seen: str, wanted: str) -> bool:
    """Return whether `seen` is newer than `wanted`."""
    return _compare(seen, wanted) > 0


def _compare(one: str, other: str) -> int:
    left, right = _VERSION.fullmatch(one.strip()), _VERSION.fullmatch(other.strip())
    if left is None or right is None:
        return 0
    numbers = zip_longest(_numbers(left[1]), _numbers(right[1]), fillvalue=0)
    for ours, theirs in numbers:
        if ours != theirs:
            return 1 if ours > theirs else -1
    return _sign(_candidate(left[2]), _candidate(right[2]))


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(".")]


def _candidate(rest: str) -> tuple[int, ...]:
    """Return the rank of what follows the numbers: a release ranks above all its release candidates."""
    if not rest.startswith("-"):
        return (1,)
    return (0, *(int(number) for number in re.findall(r"\d+", rest)))


def _sign(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return (one > other) - (one < other)
