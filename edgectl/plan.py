"""`edgectl plan STACK`: the resource tree without credentials, which hosts would reboot or be replaced, what VMs change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from edge.errors import SettingsError
from edge.facts import load_facts
from edge.network import NetworkFacts
from edge.network_source import Answer, instead_of_aws
from edge.plan import HostPlan, host_plans
from edge.settings import AnySettings, BuildSettings, StackImage, StackSettings, load_any


def _recording(settings: AnySettings, root: Path, stack_file: Path | None, answer: Answer | None) -> Any:
    """Return the registrations of the program under recording mocks, with a stand-in for every secret.

    AWS is not asked: `answer` stands in for it. Where the network is not known the run is a preview, in which what
    follows from it is unknown; it registers the same resources.
    """
    from components.errors import ProgramError
    from components.testing import record_program
    from edge.program_config import program_config

    config, secret_keys = program_config(stack_file or root / f"Pulumi.{settings.stack}.yaml", settings.stand_ins())
    given: dict[str, Any] = {"config": config, "secret_keys": secret_keys, "preview": _unknown(settings, answer)}
    try:
        with instead_of_aws(lambda _question: answer):
            return record_program(root, project=settings.project, stack=settings.stack, **given)
    except ProgramError as refused:
        raise refused.error from None


def _unknown(settings: AnySettings, answer: Answer | None) -> bool:
    """Return whether something that the program asks others for is not at hand: the network, or another stack's image."""
    if isinstance(settings, StackSettings) and isinstance(settings.site.image, StackImage):
        return True
    return _network_unknown(settings, answer)


def _network_unknown(settings: AnySettings, answer: Answer | None) -> bool:
    return not isinstance(settings, BuildSettings) and settings.site.network.source != "given" and answer is None


def _answer(settings: AnySettings, outputs: Mapping[str, Any]) -> Answer | None:
    """Return what AWS said at the last run, for a network that is looked up."""
    network = outputs.get("network")
    if (
        isinstance(settings, BuildSettings)
        or settings.site.network.source != "lookup"
        or not isinstance(network, Mapping)
    ):
        return None
    return Answer(NetworkFacts.from_dict(network))


_NOT_ASKED = {
    "lookup": "AWS is not asked here, so what follows from its answers is not judged; `edgectl preflight` asks.",
    "stack": "The network stack is not asked here, so what follows from its exports is not judged.",
    "managed": "What AWS will make is not known yet; the rules have judged what is planned.",
}


def resource_tree(recording: Any, stack: str) -> Tree:
    """Return the tree of a recording, by parent."""
    root = Tree(f"[bold]{stack}[/bold]")
    nodes: dict[str, Tree] = {}
    for one in recording.resources:
        parent = nodes.get(one.parent, root)
        words = [one.type.rsplit(":", 1)[-1], f"[bold]{one.name}[/bold]"]
        if one.protect:
            words.append("[yellow]protected[/yellow]")
        node = parent.add(" ".join(words))
        if not one.custom:
            nodes[one.name] = node
    return root


def plan_table(plans: list[HostPlan]) -> Table:
    """Return one row per host: what would happen, and whether it reboots."""
    table = Table(box=None, pad_edge=False)
    for heading in ("host", "would", "reboots", "why"):
        table.add_column(heading)
    for plan in plans:
        style = "red" if plan.replaces or plan.refused else ""
        table.add_row(plan.name, plan.action, "yes" if plan.reboots else "no", escape(plan.why), style=style)
    return table


def change_table(plans: list[HostPlan]) -> Table | None:
    """Return one row per difference of a virtual machine and what is done about it, None when there is none."""
    table = Table(box=None, pad_edge=False, title="virtual machines", title_justify="left")
    for heading in ("host", "setting", "is", "would be", "how", "because"):
        table.add_column(heading, overflow="fold")
    for plan in plans:
        for one in plan.changes:
            how = "new machine" if plan.action == "replace" else str(one.kind)
            because = (
                " ".join(part for part in (f"{one.note}.", one.remedy) if part) if plan.action != "replace" else ""
            )
            style = "red" if one.kind == "refused" and plan.action != "replace" else ""
            cells = (plan.name, one.key, one.was, one.wanted, how, because)
            table.add_row(*(escape(cell) for cell in cells), style=style)
    return table if table.row_count else None


def loud(plans: list[HostPlan]) -> list[str]:
    """Return what nobody must overlook, as lines of markup: several hosts at once, a wrong order, what is refused."""
    lines = []
    replaced = [plan.name for plan in plans if plan.replaces]
    if len(replaced) > 1:
        lines.append(
            f"[bold red]{len(replaced)} hosts would be made anew in one run: {', '.join(replaced)}.[/bold red]\n"
            "Raise one generation at a time, and go on when that host is healthy."
        )
    cycled = [plan.name for plan in plans if plan.reboots and plan.action == "resize"]
    if len(cycled) > 1:
        lines.append(
            f"[bold yellow]{len(cycled)} hosts would be power-cycled in one run: {', '.join(cycled)}.[/bold yellow]\n"
            "Change one host at a time where the cluster cannot miss several."
        )
    lines += [f"[bold red]warning:[/bold red] {escape(plan.warning)}" for plan in plans if plan.warning]
    refused = [plan.name for plan in plans if plan.refused]
    if refused:
        lines.append(f"[bold red]The run would stop at {', '.join(refused)}.[/bold red]")
    return lines


def command(
    stack: Annotated[str, typer.Argument(help="The stack, as in Pulumi.STACK.yaml.")],
    facts: Annotated[Path | None, typer.Option(help="Exported outputs of the deployed stack, as JSON.")] = None,
    stack_file: Annotated[Path | None, typer.Option(help="Another place of the stack file.")] = None,
    root: Annotated[Path, typer.Option(help="The project folder.")] = Path(),
) -> None:
    """Print the resource tree without credentials, and say which hosts would reboot, be replaced, or be refused."""
    console = Console()
    settings = load_any(stack, root, stack_file=stack_file)
    outputs = dict(load_facts(stack, root, file=facts).outputs) if facts is not None else {}
    answer = _answer(settings, outputs)
    console.print(resource_tree(_recording(settings, root.resolve(), stack_file, answer), stack))
    if not isinstance(settings, BuildSettings) and _network_unknown(settings, answer):
        console.print(f"[dim]{_NOT_ASKED[settings.site.network.source]}[/dim]", highlight=False)
    if isinstance(settings, StackSettings):
        known = None if facts is None else dict(outputs.get("hosts", {}))
        _print_hosts(console, settings, known)


def _print_hosts(console: Console, settings: StackSettings, known: dict[str, Any] | None) -> None:
    """Print what would become of each host; exit 2 when one is refused."""
    plans = host_plans(settings, known)
    console.print(plan_table(plans))
    table = change_table(plans)
    if table is not None:
        console.print()
        console.print(table)
    for line in loud(plans):
        console.print(line)
    if known is None:
        console.print("[dim]Without --facts every host counts as not joined yet.[/dim]")
    if any(plan.refused for plan in plans):
        raise typer.Exit(SettingsError.exit_code)
