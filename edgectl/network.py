"""Where a command gets the facts of a stack's network from, and saying so to who types."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge.network_source import Answer, network_facts
from edge.settings import AwsSettings

FactsFile = Annotated[
    Path | None,
    typer.Option(
        "--network-facts",
        help="Exported outputs, as JSON, of the stack that knows the network (its network stack, or the stack itself):"
        " nothing is asked then.",
    ),
]


def asked(settings: AwsSettings, root: Path, file: Path | None) -> Answer:
    """Return the facts of the network, and print on stderr what should be known about them."""
    answer = network_facts(settings, root, file=file)
    if answer.note:
        say(answer.note)
    return answer


def say(note: str) -> None:
    """Print a note for a person on stderr, so that what goes to stdout stays as it is."""
    Console(stderr=True).print(f"note: {note}", style="yellow", markup=False, highlight=False, soft_wrap=True)
