"""`edgectl images list|gc`: the installer ISOs on the datastores of the build stacks, who uses them, and removing the rest.

Only ISOs of a build stack's own folders are touched; provider images in the registry never are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edge.errors import SettingsError
from edge.findings import Finding
from edge.images.gather import Gathered, gather, look, remove
from edge.images.stock import Stocked
from edgectl.check import wide_console

group = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="The ISOs of the build stacks."
)

Ignored = Annotated[
    list[str] | None,
    typer.Option("--ignore", help="Count this stack as using nothing: it is gone. May be repeated."),
]
Root = Annotated[Path, typer.Option(help="The project folder.")]


@group.command("list")
def show(ignore: Ignored = None, root: Root = Path()) -> None:
    """List every ISO: digest, size, which build stack owns it, and what keeps it."""
    gathered, found = _found(tuple(ignore or ()), root)
    console = wide_console()
    console.print(table(found))
    _unsure(console, gathered)


@group.command("gc")
def collect(
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    ignore: Ignored = None,
    root: Root = Path(),
) -> None:
    """Remove every ISO that no stack uses and no release records, after asking."""
    gathered, found = _found(tuple(ignore or ()), root)
    console = wide_console()
    _unsure(console, gathered)
    gone = [one for one in found if not one.kept_by]
    for one in found:
        if one.kept_by:
            _line(
                console,
                f"keep    {_words(one)}: it {one.kept_by}" if one.digest else f"keep    {_words(one)}: {one.kept_by}",
            )
    if not gone:
        _line(console, "nothing to remove")
        return
    for one in gone:
        _line(console, f"remove  {_words(one)}")
    if dry_run:
        return
    if not yes and not typer.confirm(
        f"Remove {len(gone)} of {len(found)} files ({_size(sum(one.size for one in gone))})?"
    ):
        _line(console, "nothing was removed")
        return
    for one in gone:
        remove(gathered, one, root)
        _line(console, f"removed {_words(one)}")


def _found(ignored: tuple[str, ...], root: Path) -> tuple[Gathered, list[Stocked]]:
    gathered = gather(root, ignored=ignored)
    if not gathered.stores:
        remedy = "Write a stack of kind build with `datastores`, or name the project folder with --root."
        raise SettingsError([Finding(str(root), None, "has no stack that uploads ISOs", remedy)])
    return gathered, look(gathered, root)


def table(found: list[Stocked]) -> Table:
    """Return one row per ISO."""
    shown = Table(box=None, pad_edge=False)
    for heading in (
        "ISO",
        "vCenter",
        "datacenter",
        "digest",
        "size",
        "made by",
        "current of",
        "used by",
        "releases",
        "",
    ):
        shown.add_column(heading, overflow="fold", justify="right" if heading == "size" else "left")
    for one in found:
        cells = (one.file.place, one.file.vcenter, one.file.datacenter, one.digest or "none", _size(one.size))
        lists = (one.owners, one.makers, one.users, one.releases)
        note = "" if one.kept_by else "nothing needs it"
        style = "yellow" if note else ""
        shown.add_row(
            *(escape(cell) for cell in cells), *(escape(", ".join(names)) for names in lists), note, style=style
        )
    return shown


def _unsure(console: Console, gathered: Gathered) -> None:
    for claim in gathered.claims:
        if claim.used is None:
            _line(
                console,
                f"warning: {claim.stack} may use every ISO: {claim.why}. Deploy it, or give --ignore {claim.stack} if it is gone.",
            )


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _words(one: Stocked) -> str:
    return f"{one.file.vcenter} {one.file.datacenter} {one.file.place} ({_size(one.size)})"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 100_000_000 else f"{count / 1e6:.1f} MB"
