"""The lock that `up` and `down` of one lab hold while they work. It ends with the process that holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from edge.errors import LabError
from lab.paths import LabPaths


@contextlib.contextmanager
def locked(paths: LabPaths, what: str) -> Iterator[None]:
    """Hold the lab's lock. Raises LabError, naming the other, when another command is at work on the same lab."""
    descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
            raise LabError(
                f"{other or 'another command'} is at work on this lab", remedy="wait for its end, or end it."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"`lab {what}` (process {os.getpid()})".encode(), 0)
        yield
    finally:
        os.close(descriptor)
