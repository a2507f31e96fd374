"""The command line: one table of commands, each in a module of its own that is imported only when it is run.

A command's module has one function `command`, whose parameters are its arguments and options, or a `group` of commands. Adding a command is one
line in the table. `verify` and `check` must start quickly and must not import Pulumi, so nothing is imported for `--help`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup

from edge.errors import EdgeError

# name -> (module, one line of help)
COMMANDS: Mapping[str, tuple[str, str]] = {
    "check": ("edgectl.check", "Check the settings of a stack, offline."),
    "preflight": ("edgectl.preflight", "Ask everything that can be asked before the first `up`."),
    "render": ("edgectl.render", "Show what a host would get, secrets masked."),
    "plan": ("edgectl.plan", "Show the resource tree, and which hosts would reboot."),
    "verify": ("edgectl.verify", "Check all hosts again, changing nothing."),
    "repair": ("edgectl.repair", "Say what became of each VM behind our back, and mend it."),
    "env": ("edgectl.env", "Print the environment that `pulumi` needs for a stack, for eval."),
    "firewall": ("edgectl.firewall", "Print what the network teams must open."),
    "images": ("edgectl.images", "List the ISOs of the build stacks, and remove those that nothing uses."),
    "promote": ("edgectl.promote", "Move a release from one stack to the next, through the gate."),
    "roll": ("edgectl.roll", "Take hosts to their next generation, one after the other."),
    "engine": ("edgectl.engine", "Install the pinned Pulumi CLI and plugins."),
}


class LazyGroup(TyperGroup):
    """A group that lists its commands from the table and imports the one that is run."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  (the framework's signature)
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  (the framework's signature)
        entry = COMMANDS.get(cmd_name)
        return TyperCommand(cmd_name, help=entry[1]) if entry else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, stub, rest = super().resolve_command(ctx, args)
        return name, load(name) if name and stub else stub, rest


def load(name: str) -> Any:
    """Return the command of that name, made from its module's `group` or its function `command`."""
    module = importlib.import_module(COMMANDS[name][0])
    if hasattr(module, "group"):
        return typer.main.get_command(module.group)
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name)(module.command)
    return typer.main.get_command(single)


app = typer.Typer(
    cls=LazyGroup,
    name="edgectl",
    help="Check, show and promote the sites of edge hosts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    """Check, show and promote the sites of edge hosts."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors of ours become one message on stderr."""
    try:
        result = app(args=list(sys.argv[1:] if arguments is None else arguments), standalone_mode=False)
    except EdgeError as error:
        Console(stderr=True).print(
            f"[bold red]error:[/bold red] {_escaped(str(error))}", soft_wrap=True, highlight=False
        )
        return error.exit_code
    except typer.Exit as stop:
        return int(stop.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        Console(stderr=True).print("stopped")
        return 130
    except Exception as error:
        return _usage(error)
    return result if isinstance(result, int) else 0


def _usage(error: Exception) -> int:
    """Show an error of the command line itself (an unknown option) as the framework does; raise every other one."""
    show = getattr(error, "show", None)
    if show is None:
        raise error
    show()
    return int(getattr(error, "exit_code", 2))


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
