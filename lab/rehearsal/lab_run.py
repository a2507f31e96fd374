"""One rehearsal as a person runs it: live progress, a closing table, what failed and why, and what to do next."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from rich.console import Console

from edge.appliance.first_login import advice
from edge.program_config import program_config
from edge.settings import StackSettings, load_stack
from edge.waiting import Advice
from edgectl.check import wide_console
from lab.client import LabClient
from lab.paths import LabPaths, shown
from lab.rehearsal.runner import Rehearsal, rehearse, write_record
from lab.rehearsal.view import Progress, closing_table
from lab.rehearsal.words import explain

API_KEY = "paletteApiKey"


def run_lab(
    *,
    root: Path,
    stack: str,
    stack_file: Path,
    secrets_file: Path,
    facts_file: Path,
    console: Console | None = None,
    paths: LabPaths | None = None,
) -> bool:
    """Run the program of `stack` once under acting mocks and say how it went. Return whether every host is healthy."""
    screen = console or wide_console()
    settings = load_stack(stack, root, stack_file=stack_file)
    secrets: Mapping[str, str] = json.loads(secrets_file.read_text("utf-8"))
    wanted = settings.secret_names() | {API_KEY}
    config, secret_keys = program_config(stack_file, {name: secrets[name] for name in wanted if name in secrets})
    with Progress(screen) as progress, _without_agent():
        result = rehearse(
            root,
            project=settings.project,
            stack=stack,
            config=config,
            secret_keys=secret_keys,
            hosts=len(settings.site.hosts),
            lab=lambda: LabClient(paths),
            on_event=progress.on_event,
            on_line=progress.on_line,
        )
    write_record(result, facts_file)
    report(screen, settings, result, progress, stack_file)
    return result.succeeded


class _without_agent:  # noqa: N801 - reads as a phrase where it is used
    """Hide an SSH agent of the person who runs the lab: its keys have no business on lab machines."""

    def __enter__(self) -> None:
        self._socket = os.environ.pop("SSH_AUTH_SOCK", None)

    def __exit__(self, *_exc: object) -> None:
        if self._socket is not None:
            os.environ["SSH_AUTH_SOCK"] = self._socket


def _advice(settings: StackSettings) -> dict[str, Advice]:
    """Return what to do about a failed login, by host, where that is another thing than usual: at appliance VMs."""
    hosts = [settings.host_view(name) for name in settings.site.hosts]
    return {
        host.name: partial(advice, host.name, host.generation)
        for host in hosts
        if host.mode == "appliance" and host.vm is not None
    }


def report(screen: Console, settings: StackSettings, result: Rehearsal, progress: Progress, stack_file: Path) -> None:
    """Print the closing table, what failed and why, the warnings of the settings, and what to do next."""
    # `edgectl` knows nothing of a lab: it is told where the stack file lies.
    stack = f"{result.stack} --stack-file {shown(stack_file)}"
    addresses = {name: str(settings.host_view(name).address) for name in settings.site.hosts}
    by_host = _advice(settings)
    screen.print(closing_table(result, progress, addresses))
    for event in progress.failures():
        role = Progress.role(event.name, event.parent)
        words = explain(event.parent, role, event.error, progress.said(event.name), stack, by_host)
        screen.print(words, style="red", markup=False, highlight=False, soft_wrap=True)
    for warning in settings.warnings:
        screen.print(f"warning: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    if result.succeeded:
        screen.print(
            f"Next: look again, changing nothing   python -m edgectl verify {stack}\n"
            f"      what the firewall team opens     python -m edgectl firewall {stack}\n"
            "      into a machine                   python -m lab shell bare\n"
            "      and remove everything            make lab-down",
            highlight=False,
            soft_wrap=True,
        )
    else:
        screen.print("Fix the cause and run `make lab` again: what is done stays done.")
