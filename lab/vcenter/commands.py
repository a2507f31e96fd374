"""The commands of the lab's vCenter: up, down, status, fault."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from edge.errors import LabError
from lab.client import LabClient
from lab.paths import LabPaths
from lab.site import Site, load_site
from lab.voice import ConsoleVoice

app = typer.Typer(name="vcenter", no_args_is_help=True, help="The lab's vCenter, a simulator with real machines.")
console = Console()


def _site() -> Site:
    paths = LabPaths.find()
    site = load_site(paths)
    if site is None or not LabClient(paths).alive():
        raise LabError(f"the lab in {paths.root} is not running", remedy="start it: make lab (python -m lab up).")
    return site


@app.command()
def up(
    clone_seconds: Annotated[float, typer.Option(help="How long a clone takes.")] = 0.5,
) -> None:
    """Build the vCenter, if its sources have changed, and start it. Again: nothing."""
    from lab.vcenter.server import USER, bring_up

    vcenter = bring_up(_site(), clone_seconds=clone_seconds)
    ConsoleVoice(console).line(f"vcenter     https://{vcenter.address}, user {USER}")


@app.command()
def down() -> None:
    """End the vCenter; the next one finds its VMs."""
    from lab.vcenter.server import take_down

    ran = take_down(LabPaths.find())
    ConsoleVoice(console).line("vcenter     ended" if ran else "vcenter     was not running", "done" if ran else "same")


@app.command()
def status() -> None:
    """Show the virtual machines and the faults that are on."""
    from lab.vcenter.server import described

    answer = described(_site()).control.status()
    console.print(f"vcenter https://{answer['address']}", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("virtual machine", "uuid", "power", "tools"):
        table.add_column(column)
    for machine in answer["machines"]:
        tools = machine["tools"].removeprefix("guestTools")
        table.add_row(machine["name"], machine["uuid"], machine["power"].removeprefix("powered"), tools)
    console.print(table)
    for one in answer["faults"]:
        said = ", ".join(f"{key} {value}" for key, value in one.items() if value and key != "name")
        console.print(f"fault {one['name']}: {said or 'on'}", highlight=False)


@app.command()
def fault(
    name: Annotated[str | None, typer.Argument(help="The fault; without one, all of them are listed.")] = None,
    method: Annotated[str, typer.Option(help="Of which method, such as CloneVM_Task.")] = "",
    target: Annotated[str, typer.Option("--object", help="Of which object, by name.")] = "",
    user: Annotated[str, typer.Option(help="Of which user.")] = "",
    privilege: Annotated[str, typer.Option(help="Which privilege is missing.")] = "",
    seconds: Annotated[float, typer.Option(help="How long.")] = 0.0,
    message: Annotated[str, typer.Option(help="With which words a task fails.")] = "",
    times: Annotated[int, typer.Option(help="How often; 0 is always.")] = 0,
    off: Annotated[bool, typer.Option("--off", help="Switch it off.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Switch every fault off.")] = False,
) -> None:
    """Make something go wrong in the vCenter, or right again."""
    from lab.vcenter.server import described

    control, voice = described(_site()).control, ConsoleVoice(console)
    if clear:
        control.clear()
        voice.line("every fault is off")
    elif name is None:
        for known, effect in sorted(control.status()["catalogue"].items()):
            console.print(f"{known:<16} {effect}", highlight=False)
    elif off:
        control.clear(name)
        voice.line(f"{name} is off")
    else:
        control.fault(
            name, method=method, object=target, user=user, privilege=privilege, seconds=seconds, message=message,
            times=times,
        )  # fmt: skip
        voice.line(f"{name} is on")
