"""Palette's API: a typed client that is bounded in time and never shows its key."""

from __future__ import annotations

from edge.palette.client import Look, PaletteClient
from edge.palette.errors import KEY_IN_CONFIG, KEY_IN_ENVIRONMENT, RefusedError, UnavailableError
from edge.palette.masked import Masked
from edge.palette.models import EdgeHostRecord, Project, TokenRecord, parse_time

__all__ = [
    "KEY_IN_CONFIG",
    "KEY_IN_ENVIRONMENT",
    "EdgeHostRecord",
    "Look",
    "Masked",
    "PaletteClient",
    "Project",
    "RefusedError",
    "TokenRecord",
    "UnavailableError",
    "parse_time",
]
