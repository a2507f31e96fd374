"""`edgectl promote FROM TO`: move the release of one stack to the next, when the gate is open. Changes one line."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from edge.errors import PromotionError, SettingsError
from edge.files import replace_file
from edge.findings import Finding
from edge.images.known import has_appliances
from edge.promotion import MAX_AGE_HOURS, gate, moved, order
from edge.settings import StackSettings, load_stack
from edge.settings.load import stack_kind, stack_path
from edge.settings.locate import Locator
from edgectl.check import print_findings, wide_console


def command(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The stack that runs the release.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="The stack that gets it.")],
    report: Annotated[Path | None, typer.Option(help="JSON report of `edgectl verify FROM`.")] = None,
    max_age: Annotated[float, typer.Option(help="Hours that the report may be old.")] = MAX_AGE_HOURS,
    facts: Annotated[Path | None, typer.Option(help="Exported facts of FROM, instead of asking for them.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    root: Annotated[Path, typer.Option(help="The project folder.")] = Path(),
) -> None:
    """Move the release of FROM to TO, if FROM runs it, every host is healthy and no check is red."""
    console = wide_console()
    if source == target:
        raise PromotionError("FROM and TO are the same stack", remedy="Name two stacks.", where=source)
    _refuse_other_kinds(root, source, target)
    settings = load_stack(source, root)
    release = settings.release.id
    path = stack_path(target, root)
    text, before = _edited(path, release)
    findings = _gate(source, settings, root, facts, report, timedelta(hours=max_age))
    after = _judged(target, path, text, root)
    findings += order(settings.stage, after.stage)
    if findings:
        print_findings(console, findings, Locator(None))
        names = f"{release} stays out of {target}"
        raise PromotionError(f"the gate is closed: {names} ({len(findings)} to correct)", where=f"{source} -> {target}")
    if before == release:
        console.print(f"{target} names {release} already; nothing to change.")
    elif dry_run:
        console.print(f"The gate is open: {path.name} would go from {before} to {release}. Nothing was changed.")
    else:
        replace_file(path, text)
        _next_steps(console, target, path, before, release)


_NOT_PROMOTED = {
    "network": ("is a network stack, and network stacks have no release", "Promote the stacks of its sites."),
    "build": (
        "is a build stack, which makes what a release pins and has no host that could be healthy",
        "Promote the stacks of the sites that take its image.",
    ),
}


def _refuse_other_kinds(root: Path, *stacks: str) -> None:
    for stack in stacks:
        kind = stack_kind(stack, root) if stack_path(stack, root).is_file() else ""
        if kind in _NOT_PROMOTED:
            problem, remedy = _NOT_PROMOTED[kind]
            raise PromotionError(problem, remedy=remedy, where=stack)


def _gate(
    source: str, settings: StackSettings, root: Path, facts: Path | None, report: Path | None, max_age: timedelta
) -> list[Finding]:
    return gate(
        _facts(source, root, facts),
        _json(report) if report else None,
        release=settings.release.id,
        hosts=[name for name, host in settings.site.hosts.items() if host.state in ("active", "rolling")],
        now=datetime.now(UTC),
        max_age=max_age,
        pinned=settings.release if has_appliances(settings) else None,
    )


def _facts(stack: str, root: Path, file: Path | None) -> dict[str, Any]:
    from edge.facts import load_facts

    known = load_facts(stack, root, file=file)
    return {"stack": stack, "result": known.result, "outputs": known.outputs}


def _json(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise PromotionError(
            "does not exist", remedy="Give the JSON report of `edgectl verify`.", where=str(path)
        ) from None
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise PromotionError(
            "is no JSON report", remedy="Write it with `edgectl verify STACK --json`.", where=str(path)
        )
    return data


def _edited(path: Path, release: str) -> tuple[str, str]:
    """Return the target's file as it would be, and the release that it names now. Line ends are kept as they are."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        missing = Finding(path.name, None, "does not exist", "Create the stack file first, as a copy of an example.")
        raise SettingsError([missing]) from None
    try:
        return moved(text, release)
    except PromotionError as error:
        raise PromotionError(error.message, remedy=error.remedy, where=path.name) from None


def _judged(stack: str, path: Path, text: str, root: Path) -> StackSettings:
    """Return the target's settings with the new release; its stage may refuse what an earlier one took."""
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=".yaml", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
        return load_stack(stack, root, stack_file=draft)
    except SettingsError as error:
        raise SettingsError(error.findings, where=f"{path.name} with the new release") from None
    finally:
        draft.unlink(missing_ok=True)


def _next_steps(console: Console, stack: str, path: Path, before: str, release: str) -> None:
    lines: Sequence[str] = (
        f"[green]{path.name}: {before} -> {release}[/green]",
        f"Next: git commit {path.name}; python -m edgectl plan {stack}; pulumi up --stack {stack}",
    )
    for line in lines:
        console.print(line, highlight=False)
