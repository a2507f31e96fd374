"""The commands of the lab: up, status, down, fault, shell, power, appliance, vcenter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from edge.errors import EdgeError
from lab.client import LabClient
from lab.deploy import Runner
from lab.paths import LabPaths
from lab.vcenter.commands import app as vcenter_app
from lab.voice import ConsoleVoice

app = typer.Typer(
    name="lab",
    add_completion=False,
    no_args_is_help=True,
    help="The embedded site: machines and stand-ins on this host.",
)
app.add_typer(vcenter_app)
console = Console()
_INTERRUPTED = 130
Host = Annotated[str | None, typer.Option("--host", help="The machine, or the target of a stand-in's fault.")]


@app.command()
def up(
    deploy: Annotated[bool, typer.Option(help="Run the program on the machines once they are up.")] = True,
    stack_file: Annotated[
        Path | None, typer.Option(help="A changed copy of the lab's stack file to run the program with.")
    ] = None,
    runner: Annotated[
        Runner | None, typer.Option(help="What runs the program; by default the engine, where the Pulumi CLI is.")
    ] = None,
) -> None:
    """Bring up machines and stand-ins, then take the machines to Healthy. Again: only what is missing."""
    from lab.up import bring_up

    voice = ConsoleVoice(console)
    site = bring_up(LabPaths.find(), voice)
    if deploy:
        from lab.deploy import deploy as run_program

        raise typer.Exit(run_program(site, voice, stack_file, runner))


@app.command()
def down(purge: Annotated[bool, typer.Option(help="Remove the cached root file system, too.")] = False) -> None:
    """Remove everything that the lab made, also after a crash. The cache stays."""
    from lab.down import bring_down

    bring_down(LabPaths.find(), ConsoleVoice(console), purge=purge)


@app.command()
def status() -> None:
    """Show the machines, the stand-ins and the faults that are on."""
    answer = LabClient().status()
    console.print(f"lab {answer['prefix']}, {answer['network']}: {answer['phase']}", highlight=False)
    console.print(_machines(answer["machines"]))
    if answer["services"]:
        console.print(_services(answer["services"]))


@app.command()
def fault(
    name: Annotated[str | None, typer.Argument(help="The fault; without one, all of them are listed.")] = None,
    host: Host = None,
    off: Annotated[bool, typer.Option("--off", help="Switch it off.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Switch every fault off.")] = False,
) -> None:
    """Make something go wrong, or right again."""
    voice = ConsoleVoice(console)
    if clear:
        LabClient().clear_faults()
        voice.line("every fault is off")
    elif name is None:
        console.print(_faults())
    else:
        LabClient().fault(name, host, on=not off)
        voice.line(f"{name} is {'off' if off else 'on'}{f' on {host}' if host else ''}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def shell(context: typer.Context, machine: str) -> None:
    """Open a root shell inside a machine, not over SSH; or run the command that follows the machine's name."""
    words = LabClient().inside(machine)
    raise typer.Exit(subprocess.run([*words, *(context.args or ["bash", "-l"])], check=False).returncode)


@app.command()
def power(action: str, machine: str) -> None:
    """Do something to a machine: on, off, shutdown, restart, reboot or reset (as new)."""
    state = LabClient().power(action, machine)
    ConsoleVoice(console).line(f"{machine:<11} {action}: {state['state']}")


@app.command()
def appliance(
    name: str,
    iso: Annotated[Path | None, typer.Option(help="The installer ISO, a file.")] = None,
    site_iso: Annotated[Path | None, typer.Option(help="The machine's own ISO, a file.")] = None,
    eject: Annotated[bool, typer.Option("--eject", help="Take both media out; nothing else.")] = False,
) -> None:
    """Put media into a bare-metal machine with a blank disk, and switch it on; or take them out."""
    from lab.appliance.bare import put_media

    lab = LabClient()
    machine = put_media(lab, name, None if eject else iso, None if eject else site_iso)
    if not eject and machine["state"] != "poweredOn":
        lab.power_vm(str(machine["id"]), "on")
    ConsoleVoice(console).line(f"{name:<11} {'media taken out' if eject else 'boots'}")


def _machines(machines: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("machine", "address", "state", "boots", "to ssh", "faults"):
        table.add_column(column)
    for name, machine in machines.items():
        via = f" by {machine['via']}" if machine["via"] else ""
        seconds = "" if machine["secondsToSsh"] is None else f"{machine['secondsToSsh']} s"
        faults = " ".join(machine["faults"])
        state = " ".join(filter(None, (machine["state"], _on_screen(machine["appliance"]))))
        table.add_row(name, machine["address"] + via, state, str(machine["boots"]), seconds, faults)
    return table


def _on_screen(appliance: dict[str, Any] | None) -> str:
    """Return what an appliance has come to, in a few words."""
    if appliance is None:
        return ""
    said = f": {appliance['console']}" if appliance["console"] else ""
    return f"({appliance['installations']} installed, {appliance['diskBoots']} from disk{said})"


def _services(services: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stand-in")
    table.add_column("state")
    for name, state in services.items():
        table.add_row(name, _plain(state))
    return table


def _plain(value: Any) -> str:
    """Return plain data as a person would write it in a cell."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_plain(inner)}" for key, inner in value.items() if inner not in (None, {}, []))
    if isinstance(value, list):
        return "; ".join(_plain(inner) for inner in value)
    return str(value)


def _faults() -> Table:
    from lab import faults
    from lab.services import faults as service_faults

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("fault", "of", "what is seen"):
        table.add_column(column)
    for machine_fault in faults.CATALOGUE.values():
        table.add_row(machine_fault.name, "a machine", machine_fault.effect)
    for service_fault in service_faults.CATALOGUE.values():
        table.add_row(service_fault.name, "the stand-ins", service_fault.effect)
    return table


def main() -> int:
    """Run a command and return its exit code; an error of ours is one message, not a traceback."""
    os.umask(0o022)
    try:
        result = app(standalone_mode=False)
    except EdgeError as error:
        ConsoleVoice(Console(stderr=True)).line(error.render(), "error")
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        result = _INTERRUPTED
    except Exception as error:
        return _usage(error)
    if result == _INTERRUPTED:  # the command line's library makes this exit code of a Ctrl-C by itself
        print("interrupted; `python -m lab up` goes on from here, `python -m lab down` removes it all", file=sys.stderr)
    return result if isinstance(result, int) else 0


def _usage(error: Exception) -> int:
    """Show an error of the command line itself, such as an unknown option; raise every other one."""
    show = getattr(error, "show", None)
    if show is None:
        raise error
    show()
    return int(getattr(error, "exit_code", 2))
