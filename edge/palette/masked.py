"""A secret text that cannot be printed by accident: not by repr, a log line, a traceback with locals, or pickle."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import NoReturn

SHOWN = "***"


class Masked:
    """Holds one secret; only `reveal()` gives it out."""

    __slots__ = ("_tell",)

    def __init__(self, value: str | Masked) -> None:
        plain = value.reveal() if isinstance(value, Masked) else value
        # A closure, not an attribute: dumps of an object's attributes find a function instead of the text.
        self._tell: Callable[[], str] = lambda: plain

    def reveal(self) -> str:
        """Return the secret itself. To be called where it is used, and nowhere else."""
        return self._tell()

    def __repr__(self) -> str:
        return SHOWN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(SHOWN, spec)

    def __bool__(self) -> bool:
        return bool(self.reveal())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Masked):
            return NotImplemented
        return hmac.compare_digest(self.reveal().encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __reduce__(self) -> NoReturn:
        raise TypeError("a masked secret cannot be pickled")

    def redact(self, text: str) -> str:
        """Return `text` without the secret in it."""
        plain = self.reveal()
        return text.replace(plain, SHOWN) if plain else text
