"""`edgectl firewall STACK`: what the network teams of the site and of the AWS account must open, as a ticket."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from edge.endpoints.firewall import of_phases, site_rules
from edge.endpoints.render import render
from edge.network import NetworkFacts
from edge.settings import load_stack


class Form(StrEnum):
    """The formats of the request."""

    MD = "md"
    CSV = "csv"
    JSON = "json"


class PhaseName(StrEnum):
    """The phases of a host's life that a rule can belong to."""

    INSTALL = "install"
    JOIN = "join"
    ONGOING = "ongoing"


def command(
    stack: Annotated[str, typer.Argument(help="The stack, as in Pulumi.STACK.yaml.")],
    form: Annotated[
        Form, typer.Option("--format", help="Markdown for a ticket, CSV for a spreadsheet, JSON.")
    ] = Form.MD,
    phase: Annotated[list[PhaseName] | None, typer.Option(help="Only what this phase needs; may be repeated.")] = None,
    stack_file: Annotated[Path | None, typer.Option(help="Another place of the stack file.")] = None,
    root: Annotated[Path, typer.Option(help="The project folder.")] = Path(),
) -> None:
    """Print the firewall request of a site, sorted, so that two of them can be compared line by line."""
    settings = load_stack(stack, root, stack_file=stack_file)
    rules = of_phases(site_rules(settings, NetworkFacts.given(settings)), [one.value for one in phase or ()])
    title = f"{settings.site.name} ({stack})"
    if phase:
        title += f", {' and '.join(sorted(one.value for one in set(phase)))} only"
    typer.echo(render(rules, form.value, title=title), nl=False)
