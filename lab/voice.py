"""How the lab talks to a person: one line for each thing, a moving line for what takes a while, nothing twice."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

from rich.console import Console
from rich.markup import escape

Level = Literal["done", "same", "info", "warning", "error"]
_MARKS: dict[str, str] = {
    "done": "[green]✓[/]",
    "same": "[dim]=[/]",
    "info": "[cyan]·[/]",
    "warning": "[yellow]![/]",
    "error": "[red]✗[/]",
}


class Voice(Protocol):
    """Whoever tells a person what happens."""

    def line(self, text: str, level: Level = "done") -> None:
        """Say that something is done, or worth knowing."""

    def working(self, text: str) -> contextlib.AbstractContextManager[Callable[[str], None]]:
        """Show that something takes a while; the value is called with what it is doing just now."""


class ConsoleVoice:
    """Speaks on a terminal; where there is none, a long step is announced once and its details are left out."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, text: str, level: Level = "done") -> None:
        """Print one line with the mark of its level."""
        self._console.print(f"{_MARKS[level]} {escape(text)}", highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def working(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show a moving line until the block ends."""
        if not self._console.is_terminal:
            announced = False

            def announce(_detail: str) -> None:
                nonlocal announced
                if not announced:
                    self.line(text, "info")
                    announced = True

            yield announce
            return
        with self._console.status(escape(text)) as status:
            yield lambda detail: status.update(f"{escape(text)} [dim]{escape(detail[:60])}[/]")
