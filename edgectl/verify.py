"""`edgectl verify STACK`: look at all hosts again, side by side, changing nothing. Needs the SSH key, no engine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge.inspection import hosts_to_look_at, look
from edge.secrets import open_secrets
from edge.settings import load_stack
from edgectl.check import wide_console
from edgectl.network import FactsFile, asked
from edgectl.reporting import REPORTS, Files, publish, report_of


def command(
    stack: Annotated[str, typer.Argument(help="The stack, as in Pulumi.STACK.yaml.")],
    host: Annotated[list[str] | None, typer.Option(help="Only this host; may be repeated.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Also write the report as JSON to this file.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Also write the report as JUnit XML to this file.")] = None,
    skipped: Annotated[bool, typer.Option(help="Show also what could not be judged.")] = False,
    report_dir: Annotated[Path | None, typer.Option(help="Folder of the last reports; .edge/reports.")] = None,
    secrets_file: Annotated[Path | None, typer.Option(help="JSON or YAML file with the stack's secrets.")] = None,
    network_facts: FactsFile = None,
    stack_file: Annotated[Path | None, typer.Option(help="Another place of the stack file.")] = None,
    root: Annotated[Path, typer.Option(help="The project folder.")] = Path(),
) -> None:
    """Check all hosts again, changing nothing. Exit code 3: a check is red; 5: a host could not be looked at."""
    settings = load_stack(stack, root, stack_file=stack_file)
    secrets = open_secrets(stack, root, file=secrets_file, stack_file=stack_file)
    hosts = hosts_to_look_at(settings, host or ())
    network = asked(settings, root, network_facts).facts
    console = wide_console()
    with Console(stderr=True).status(f"looking at {len(hosts)} hosts"):
        looked = asyncio.run(look(settings, network, secrets, hosts))
    report = report_of(settings.stack, settings.stage, looked)
    # A look at some of the hosts is no report of the stack: the gate of a promotion must not take it for one.
    name = f"{settings.stack}.part" if host else settings.stack
    files = Files(report_dir or root / REPORTS, as_json, junit)
    raise typer.Exit(publish(console, settings, report, looked, files, name=name, skipped=skipped))
