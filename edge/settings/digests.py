"""Fingerprints of files, as the settings and the releases write them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from edge.settings.base import refuse
from edge.settings.scalars import one_line


def sha256(value: object) -> str:
    """Return a sha256 in hexadecimal."""
    text = one_line(value)
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise refuse("is no sha256", "Write 64 lower-case hexadecimal digits in quotes, as `sha256sum` prints them")
    return text


Sha256 = Annotated[str, BeforeValidator(sha256), WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{64}$"})]
