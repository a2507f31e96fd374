"""How an error of ours ends a program: as one message, without the trail of calls that led to it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pulumi

from edge.errors import EdgeError


class ProgramError(pulumi.RunError):
    """What the engine prints as its message only. `error` is the error of ours behind it."""

    def __init__(self, error: EdgeError) -> None:
        super().__init__(str(error))
        self.error = error  # `__cause__` would not do: the SDK raises what an Output raised from something else


@contextmanager
def said_plainly() -> Iterator[None]:
    """Turn an EdgeError into a ProgramError."""
    try:
        yield
    except EdgeError as error:
        raise ProgramError(error) from error
