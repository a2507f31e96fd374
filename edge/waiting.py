"""When a failed operation is worth repeating, and after how many seconds: one decision for the engine and the rehearsal.

The engine repeats a failed create or update when an error hook answers yes, a hundred times at most and without a delay
of its own. So the pause must be at least a hundredth of the time limit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from edge.errors import PendingError

# From an error to what to do about it, "" where nothing better is known than what the error says.
Advice = Callable[[str], str]

MAX_TRIES = 99
SHORTEST_PAUSE = 2.0

# What the command provider says when it could not log in at all. Nothing has run on the host then, so repeating is safe;
# a connection that is lost in the middle of a script has other words and is never repeated here.
_NOT_CONNECTED = re.compile(r"after \d+ failed attempts: (?!.*host key mismatch)")
_LOST = ("remote command exited without exit status", "Process exited with status")


def pause(limit_seconds: float) -> float:
    """Return the pause between two looks, in seconds, for a wait of at most `limit_seconds`."""
    return max(SHORTEST_PAUSE, limit_seconds / MAX_TRIES)


def growing_pause(limit_seconds: float, tries: int) -> float:
    """Return the pause after `tries` tries, for a wait that may end after seconds or after an hour: short first, then longer.

    All pauses together fill the limit, as those of one length do.
    """
    return max(SHORTEST_PAUSE, limit_seconds * tries / (MAX_TRIES * (MAX_TRIES + 1) / 2))


def is_pending(error: str) -> bool:
    """Return whether an error says that the thing is only not ready yet."""
    return PendingError.PREFIX in error


def is_not_connected(error: str) -> bool:
    """Return whether an error says that no login happened, so that nothing ran on the host."""
    return bool(_NOT_CONNECTED.search(error)) and not any(word in error for word in _LOST)


def decide(
    errors: Sequence[str], limit_seconds: float, *, logins: bool = False, elapsed: float = 0.0, growing: bool = False
) -> float | None:
    """Return the seconds to sleep before the operation is repeated, or None to let it fail.

    `errors` holds the errors seen so far, newest first, as the engine hands them to an error hook. `logins` says that
    refused logins are repeated too: only behind a jump host, because elsewhere the provider has repeated them itself.
    `elapsed` are the seconds since the first error: one try can take minutes, when the jump host itself does not answer.
    `growing` begins with short pauses.
    """
    if not errors or not (is_pending(errors[0]) or (logins and is_not_connected(errors[0]))):
        return None
    if growing:
        tries = len(errors)
        wait = growing_pause(limit_seconds, tries)
        waited = sum(growing_pause(limit_seconds, at) for at in range(1, tries))
        return wait if tries <= MAX_TRIES and max(waited, elapsed) + wait <= limit_seconds else None
    wait = pause(limit_seconds)
    return wait if max(len(errors) * wait, elapsed + wait) < limit_seconds else None
