"""A stand-in for the Palette API: the documented paths and fields, a state that survives a restart, and faults."""

from lab.services.palette.api import PaletteApi
from lab.services.palette.state import PaletteState

__all__ = ["PaletteApi", "PaletteState"]
