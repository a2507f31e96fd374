"""`edgectl firewall STACK`: what the network teams of the site and of the AWS account must open, as a ticket."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from edge.endpoints.firewall import build_rules, network_stack_rules, of_phases, site_rules
from edge.endpoints.model import Phase
from edge.endpoints.render import render
from edge.network import NetworkFacts
from edge.settings import AwsSettings, BuildSettings, NetworkSettings, load_any
from edgectl.network import FactsFile, asked


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
    network_facts: FactsFile = None,
    stack_file: Annotated[Path | None, typer.Option(help="Another place of the stack file.")] = None,
    root: Annotated[Path, typer.Option(help="The project folder.")] = Path(),
) -> None:
    """Print the firewall request of a site, sorted, so that two of them can be compared line by line.

    Of a network stack: the AWS side with the lines of every site, then a part for each site. Of a build stack: what the
    build machine must reach.
    """
    settings = load_any(stack, root, stack_file=stack_file)
    phases: list[Phase] = [one.value for one in phase or ()]
    if isinstance(settings, BuildSettings):
        title = f"{settings.site.name} ({settings.stack})"
        typer.echo(render(of_phases(build_rules(settings), phases), form.value, title=title), nl=False)
        return
    facts = asked(settings, root, network_facts).facts
    typer.echo(request(settings, facts, form, phases), nl=False)


def request(settings: AwsSettings, facts: NetworkFacts, form: Form, phases: list[Phase]) -> str:
    """Return the request of a stack as text, of some phases only when any are named."""
    title = f"{settings.site.name} ({settings.stack})"
    if phases:
        title += f", {' and '.join(sorted(set(phases)))} only"
    if isinstance(settings, NetworkSettings):
        ports = getattr(settings.site.network, "webhook_ports", ())
        rules = network_stack_rules(facts, settings.site.sites, webhook_ports=ports)
    else:
        rules = site_rules(settings, facts)
    return render(of_phases(rules, phases), form.value, title=title)
