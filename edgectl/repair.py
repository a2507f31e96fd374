"""`edgectl repair STACK`: one sentence per machine of the site, and, if one agrees, what mends it.

It powers machines on that are ours, and destroys clones that the last run left unfinished in the stack's own folder. It
touches nothing else, and never destroys a running machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge.errors import ChecksRedError
from edge.secrets import StackSecrets, open_secrets
from edge.settings import StackSettings, load_stack
from edge.vcenter.deeds import destroy, power_on
from edge.vcenter.inventory import read
from edge.vcenter.model import Inventory, Vm
from edge.vcenter.reads import Asked, machines_of, needed_closely
from edge.vcenter.repair import Case, after_a_killed_run, judge_repair
from edge.vcenter.session import LIMITS, Session, session
from edge.vcenter.stack_state import StackState, load_state
from edgectl.check import wide_console

_STYLES = {True: "green", False: "yellow"}


def command(
    stack: Annotated[str, typer.Argument(help="The stack, as in Pulumi.STACK.yaml.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is the matter.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Mend without asking.")] = False,
    state: Annotated[Path | None, typer.Option(help="Exported state, instead of asking the Pulumi CLI.")] = None,
    snapshot_days: Annotated[int, typer.Option(min=1, help="Age of a snapshot that is worth a word.")] = 7,
    secrets_file: Annotated[Path | None, typer.Option(help="JSON or YAML file with the stack's secrets.")] = None,
    stack_file: Annotated[Path | None, typer.Option(help="Another place of the stack file.")] = None,
    root: Annotated[Path, typer.Option(help="The project folder.")] = Path(),
) -> None:
    """Say what became of each VM, and mend what can be mended. Exit code 3: something is left to do."""
    settings = load_stack(stack, root, stack_file=stack_file)
    secrets = open_secrets(stack, root, file=secrets_file, stack_file=stack_file)
    console = wide_console()
    asked = machines_of(one for one in settings.host_views() if one.state != "lost")
    if not asked:
        console.print("no host of this stack is a virtual machine", style="dim")
        return
    known = load_state(stack, root, state)
    left = 0
    for name in dict.fromkeys(one.vm.vcenter for one in asked):
        mine = [one for one in asked if one.vm.vcenter == name]
        left += _vcenter(console, settings, secrets, mine, known, _Wish(dry_run, yes, timedelta(days=snapshot_days)))
    commands = after_a_killed_run(known, settings.stack)
    if commands and known is not None:
        console.print(f"the last run was cut off ({', '.join(known.pending[:5])}); afterwards:", highlight=False)
        _commands(console, commands)
    if known is None:
        console.print("the engine's state is not at hand: no `pulumi` on PATH, and no --state FILE", style="dim")
    raise typer.Exit(ChecksRedError.exit_code if left else 0)


class _Wish:
    """What the person who types wants."""

    def __init__(self, dry_run: bool, yes: bool, old: timedelta) -> None:
        self.dry_run, self.yes, self.old = dry_run, yes, old


def _vcenter(
    console: Console,
    settings: StackSettings,
    secrets: StackSecrets,
    asked: Sequence[Asked],
    known: StackState | None,
    wish: _Wish,
) -> int:
    """Handle the machines of one vCenter and return how many cases are left."""
    vcenter = settings.vcenter(asked[0].vm.vcenter)
    # A machine may be waited for as long as one task may take, so the whole is not limited more tightly than that.
    limits = replace(LIMITS, whole=LIMITS.whole + len(asked) * vcenter.api_timeout.total_seconds())
    with session(vcenter, secrets.get(vcenter.password.secret), limits) as live:
        inventory = live.ask(lambda content: read(content, lambda light: _closely(light, asked, known)))
        cases = judge_repair(settings, inventory, asked, known, datetime.now(UTC), wish.old)
        return sum(not _handled(console, settings, live, case, wish) for case in cases)


def _closely(light: Inventory, asked: Sequence[Asked], known: StackState | None) -> tuple[set[str], set[str]]:
    """Return the machines to look at closely: those of the reads, and those that the state knows by uuid."""
    uuids = {one.uuid for one in known.machines.values() if one.uuid} if known else set()
    machines, _ = needed_closely(light, asked)
    return machines | {one.id for one in light.vms if one.uuid and one.uuid in uuids}, set()


def _handled(console: Console, settings: StackSettings, live: Session, case: Case, wish: _Wish) -> bool:
    """Print one case, mend it if that is wanted, and return whether nothing is left to do about it."""
    console.print(case.sentence, style=_STYLES[case.fine], markup=False, highlight=False, soft_wrap=True)
    _commands(console, case.commands)
    if case.deed is None or case.vm is None or wish.dry_run:
        return case.fine
    if not wish.yes and not typer.confirm(f"{case.deed} {live.vcenter.server}:{case.vm.name}?", default=False):
        return False
    _do(live, settings.owner, case.deed, case.vm)
    console.print(f"{case.host}: done ({case.deed})", style="green", highlight=False)
    return True


def _do(live: Session, owner: str, deed: str, vm: Vm) -> None:
    if deed == "destroy":
        destroy(live, vm, owner)
    else:
        power_on(live, vm, owner)


def _commands(console: Console, commands: Sequence[str]) -> None:
    for line in commands:
        console.print(f"    {line}", markup=False, highlight=False, soft_wrap=True)
