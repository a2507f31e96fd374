"""How an error of ours ends a program: as one message, without the trail of calls that led to it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pulumi

from edge.errors import EdgeError


@contextmanager
def said_plainly() -> Iterator[None]:
    """Turn an EdgeError into the error that the engine prints as its message only; the cause stays attached."""
    try:
        yield
    except EdgeError as error:
        raise pulumi.RunError(str(error)) from error
