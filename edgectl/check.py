"""`edgectl check STACK`: the settings of a stack and its release, offline; exit 2 when something must be corrected."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.errors import SettingsError
from edge.findings import Finding, errors, shorten
from edge.settings import (
    API_KEY_SECRET,
    SEED_SECRET,
    AnySettings,
    BuildSettings,
    NetworkSettings,
    SshBuilder,
    StackSettings,
    load_any,
)
from edge.settings.load import config_of
from edge.settings.locate import Locator
from edge.settings.secrets import stored

API_KEY_VARIABLE = "SPECTROCLOUD_APIKEY"
_PIPE_WIDTH = 400


def command(
    stack: Annotated[str, typer.Argument(help="The stack, as in Pulumi.STACK.yaml.")],
    stack_file: Annotated[Path | None, typer.Option(help="Another place of the stack file.")] = None,
    root: Annotated[Path, typer.Option(help="The project folder.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Check the settings of a stack and its release, without a network or an account."""
    settings: AnySettings | None = None
    findings: Sequence[Finding]
    try:
        settings = load_any(stack, root, stack_file=stack_file)
        findings = settings.warnings
    except SettingsError as error:
        findings = error.findings
    if as_json:
        typer.echo(json.dumps(as_data(stack, settings, findings), indent=2, ensure_ascii=False, default=str))
    else:
        _print(stack, root, stack_file, settings, findings)
    if errors(findings):
        raise typer.Exit(SettingsError.exit_code)


def as_data(stack: str, settings: AnySettings | None, findings: Sequence[Finding]) -> dict[str, object]:
    """Return the result of a check as JSON data."""
    secrets = {name: list(paths) for name, paths in settings.secret_uses().items()} if settings else {}
    return {
        "stack": stack,
        "valid": settings is not None,
        "findings": [asdict(finding) for finding in findings],
        "secrets": secrets,
    }


def _print(
    stack: str, root: Path, stack_file: Path | None, settings: AnySettings | None, findings: Sequence[Finding]
) -> None:
    console = wide_console()
    if findings:
        print_findings(console, findings, Locator.of(stack, root, stack_file))
    if settings is None:
        count = len(errors(findings))
        console.print(f"[bold red]{stack}: {count} to correct[/bold red]", highlight=False)
        return
    if settings.secret_uses() or isinstance(settings, StackSettings):
        console.print(secret_table(settings, stored(config_of(stack, root, stack_file=stack_file))))
        console.print()
    warned = f", {len(findings)} warnings" if findings else ""
    console.print(f"[bold green]{stack}: valid[/bold green] ({_what(settings)}{warned})", highlight=False)


def _what(settings: AnySettings) -> str:
    """Return what a stack is, in a few words."""
    if isinstance(settings, BuildSettings):
        builder = settings.site.builder
        machine = builder.address if isinstance(builder, SshBuilder) else "this machine"
        return f"image {settings.site.name}, stage {settings.stage}, release {settings.release.id}, built on {machine}"
    if isinstance(settings, NetworkSettings):
        words, count, noun = f"network {settings.site.name}, stage {settings.stage}", len(settings.site.sites), "site"
    else:
        words = f"site {settings.site.name}, stage {settings.stage}, release {settings.release.id}"
        count, noun = len(settings.site.hosts), "host"
    return f"{words}, {count} {noun}{'' if count == 1 else 's'}"


def wide_console() -> Console:
    """Return a console that does not squeeze tables into 80 columns when nobody looks at a terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    return console


def print_findings(console: Console, findings: Sequence[Finding], locator: Locator) -> None:
    """Print a table for a person at a terminal, one whole line per finding for a log."""
    if console.is_terminal:
        console.print(finding_table(findings, locator))
        console.print()
        return
    for finding in ordered(findings):
        text = f"{finding.level}: {located(finding, locator)}: {sentence(finding)}. {finding.remedy}"
        console.print(Text(text), soft_wrap=True)


def ordered(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings, errors first."""
    return sorted(findings, key=lambda one: one.level != "error")


def located(finding: Finding, locator: Locator) -> str:
    """Return where a finding is, with its line in the file."""
    line = locator.line(finding.where)
    return f"{finding.where} (line {line})" if line else finding.where


def sentence(finding: Finding) -> str:
    """Return what is wrong, and what was seen."""
    seen = "" if finding.value is None else f" (got {shorten(finding.value, 60)})"
    return f"{finding.problem}{seen}"


def finding_table(findings: Sequence[Finding], locator: Locator) -> Table:
    """Return one row per finding: where (with its line in the file), what was seen, what to do; errors first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("", "where", "what", "do"):
        table.add_column(heading, overflow="fold")
    for finding in ordered(findings):
        mark = Text("error", "bold red") if finding.level == "error" else Text("warning", "yellow")
        table.add_row(mark, Text(located(finding, locator)), Text(sentence(finding)), Text(finding.remedy))
    return table


def secret_table(settings: AnySettings, there: frozenset[str]) -> Table:
    """Return one row per secret that the stack needs: whether its file has it, what names it, how to set it."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title="Secrets of this stack", title_justify="left")
    for heading in ("secret", "", "needed by", "set it with"):
        table.add_column(heading, overflow="fold")
    for name, paths in settings.secret_uses().items():
        state = Text("set", "green") if name in there else Text("not in the file", "yellow")
        made = "openssl rand -base64 32 | " if name == SEED_SECRET else ""
        table.add_row(name, state, ", ".join(paths), f"{made}pulumi config set --secret {name}")
    if isinstance(settings, StackSettings):
        key = Text("set", "green") if API_KEY_SECRET in there else Text("from the environment")
        table.add_row(API_KEY_SECRET, key, "Palette's API", f"export {API_KEY_VARIABLE}=... (best: in no state)")
    return table
