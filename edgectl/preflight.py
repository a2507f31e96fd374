"""`edgectl preflight STACK`: ask everything that can be asked before the first `up`. Creates and changes nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge.checks.model import Result
from edge.errors import EdgeError, HostError
from edge.images.known import has_appliances
from edge.images.look import image_results, iso_results
from edge.inspection import hosts_to_look_at, look
from edge.network_question import question_of
from edge.network_source import Answer, ask_aws
from edge.preflight import (
    aws_results,
    network_results,
    network_stack_results,
    not_looked_at,
    palette_results,
    secret_results,
    settings_results,
    unknown_network,
    vsphere_look,
)
from edge.preflight_hosts import Records, not_installed, registered_results
from edge.secrets import open_secrets
from edge.settings import AwsSettings, NetworkSettings, load_with_network
from edgectl.check import wide_console
from edgectl.network import FactsFile, asked
from edgectl.reporting import REPORTS, Files, publish, report_of


def command(
    stack: Annotated[str, typer.Argument(help="The stack, as in Pulumi.STACK.yaml.")],
    host: Annotated[list[str] | None, typer.Option(help="Only this host; may be repeated.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Also write the report as JSON to this file.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Also write the report as JUnit XML to this file.")] = None,
    skipped: Annotated[bool, typer.Option(help="Show also what could not be judged.")] = False,
    palette: Annotated[bool, typer.Option(help="Ask Palette too; needs its API key.")] = True,
    vsphere: Annotated[bool, typer.Option(help="Ask the vCenters too; needs their password.")] = True,
    report_dir: Annotated[Path | None, typer.Option(help="Folder of the last reports; .edge/reports.")] = None,
    secrets_file: Annotated[Path | None, typer.Option(help="JSON or YAML file with the stack's secrets.")] = None,
    network_facts: FactsFile = None,
    image_facts: Annotated[
        Path | None, typer.Option(help="Exported outputs, as JSON, of the stack that builds the image.")
    ] = None,
    stack_file: Annotated[Path | None, typer.Option(help="Another place of the stack file.")] = None,
    root: Annotated[Path, typer.Option(help="The project folder.")] = Path(),
) -> None:
    """Ask settings, secrets, AWS, Palette, vCenter and every host, and compare the hosts. Exit code 3: red; 5: a host was not reached."""
    settings = load_with_network(stack, root, stack_file=stack_file)
    secrets = open_secrets(stack, root, file=secrets_file, stack_file=stack_file)
    files = Files(report_dir or root / REPORTS, as_json, junit)
    name = f"{settings.stack}.preflight"
    if isinstance(settings, NetworkSettings) and host:
        unknown = "has no hosts: it is a network stack"
        raise HostError(unknown, remedy="leave out --host, or name a stack of one of its sites", where=stack)
    answer, about_network = _network(settings, root, network_facts)
    network = answer.facts if answer else None
    if isinstance(settings, NetworkSettings):
        rows = [*settings_results(settings), *secret_results(settings, secrets), *about_network]
        if answer:
            rows += network_stack_results(settings, answer.facts, judged=answer.view is not None)
        report = report_of(settings.stack, settings.stage, (), rows)
        raise typer.Exit(publish(wide_console(), settings, report, (), files, name=name, skipped=skipped))
    hosts = hosts_to_look_at(settings, host or ())
    console = wide_console()
    with Console(stderr=True).status("asking for secrets and Palette") as status:
        image, about_image = image_results(settings, root, image_facts)
        others = [*settings_results(settings), *secret_results(settings, secrets), *about_image, *about_network]
        records: Records | None = None
        if palette:
            others += palette_results(settings, secrets, [one.name for one in hosts])
            about_hosts, records = registered_results(settings, secrets, hosts, joined=False)
            others += about_hosts
        status.update("asking vCenter")
        machines = vsphere_look(settings, secrets, hosts) if vsphere else None
        if vsphere and has_appliances(settings):
            others += iso_results(settings, secrets, image, hosts)
        away = {**(machines.away if machines else {}), **not_installed(hosts, records)}
        if network is None:
            away = {one.name: away.get(one.name, "not looked at: its network is not known") for one in hosts}
        others += [*(machines.results if machines else ()), *not_looked_at(away)]
        there = [one for one in hosts if one.name not in away]
        status.update(f"looking at {len(there)} hosts")
        looked = asyncio.run(look(settings, network, secrets, there)) if network else []
    if network:
        others += network_results(settings, network, [one.report for one in looked if one.report is not None])
    report = report_of(settings.stack, settings.stage, looked, others)
    raise typer.Exit(publish(console, settings, report, looked, files, name=name, skipped=skipped))


def _network(settings: AwsSettings, root: Path, file: Path | None) -> tuple[Answer | None, list[Result]]:
    """Return the facts of the network, None when they cannot be had, and the rows of who was asked for them."""
    answer: Answer | None = None
    error: EdgeError | None = None
    try:
        answer = asked(settings, root, file)
    except EdgeError as raised:
        error = raised

    def looked() -> Answer | None:
        if error is not None:
            raise error
        return answer if answer is not None and answer.view is not None else ask_aws(question_of(settings))

    rows = aws_results(settings, looked) if file is None else []
    if error is not None and not any(row.status == "fail" for row in rows):
        rows = [*rows, unknown_network(settings, error)]
    return answer, rows
