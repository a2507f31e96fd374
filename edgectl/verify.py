"""`edgectl verify STACK`: look at all hosts again, side by side, changing nothing. Needs the SSH key, no engine.

With an API key Palette is asked, too, at the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge.checks.model import Result
from edge.inspection import hosts_to_look_at, look, not_asked
from edge.secrets import StackSecrets, has_api_key, open_secrets
from edge.settings import HostSettings, StackSettings, load_stack
from edgectl.check import wide_console
from edgectl.network import FactsFile, asked
from edgectl.reporting import REPORTS, Files, publish, report_of


def command(
    stack: Annotated[str, typer.Argument(help="The stack, as in Pulumi.STACK.yaml.")],
    host: Annotated[list[str] | None, typer.Option(help="Only this host; may be repeated.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Also write the report as JSON to this file.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Also write the report as JUnit XML to this file.")] = None,
    skipped: Annotated[bool, typer.Option(help="Show also what could not be judged.")] = False,
    palette: Annotated[
        bool, typer.Option(help="Ask Palette whether the hosts are healthy, if there is an API key.")
    ] = True,
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
    with Console(stderr=True).status(f"looking at {len(hosts)} hosts"), ThreadPoolExecutor(max_workers=1) as beside:
        asked_palette = beside.submit(_palette, settings, secrets, hosts) if palette else None
        looked = asyncio.run(look(settings, network, secrets, hosts))
        others = asked_palette.result() if asked_palette else []
    report = report_of(settings.stack, settings.stage, looked, others)
    # A look at some of the hosts is no report of the stack: the gate of a promotion must not take it for one.
    name = f"{settings.stack}.part" if host else settings.stack
    files = Files(report_dir or root / REPORTS, as_json, junit)
    raise typer.Exit(publish(console, settings, report, looked, files, name=name, skipped=skipped))


def _palette(settings: StackSettings, secrets: StackSecrets, hosts: Sequence[HostSettings]) -> list[Result]:
    """Return what Palette says of the hosts, all of which should have registered."""
    if not has_api_key(secrets):
        return not_asked()
    from edge.preflight_hosts import registered_results  # who has no API key does not wait for its imports

    return registered_results(settings, secrets, hosts, joined=True)[0]
