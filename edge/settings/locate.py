"""The line of a stack file where a finding stands, so that a person need not search."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge.errors import SettingsError
from edge.settings.load import NAMESPACE, stack_path
from edge.settings.yamltext import Document, Path_, read

_PARTS = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")


@dataclass(frozen=True)
class Locator:
    """Finds lines in one stack file; knows none when the file cannot be read."""

    document: Document | None

    @classmethod
    def of(cls, stack: str, root: Path, stack_file: Path | None = None) -> Locator:
        """Return the locator of a stack's file."""
        try:
            return cls(read(stack_path(stack, root, stack_file)))
        except SettingsError:
            return cls(None)

    def line(self, where: str) -> int | None:
        """Return the line of a finding's place, or of the nearest place above it; None for other files."""
        if self.document is None or not re.fullmatch(r"(site|release)([.\[].*)?", where):
            return None
        parts: list[str | int] = [int(index) if index else name for name, index in _PARTS.findall(where)]
        path: Path_ = ("config", f"{NAMESPACE}:{parts[0]}", *parts[1:])
        return self.document.line(path)
