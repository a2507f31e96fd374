"""`edgectl render STACK` of a build stack: what the vendor's builder would be given. It names no secret and holds none."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from edge.canvos import arg
from edge.canvos.dockerfile import BEGIN, END
from edge.images.request import build_request
from edge.settings import BuildSettings


def texts(settings: BuildSettings) -> dict[str, str]:
    """Return the files that the builder would find, by name, each with a final line break.

    The arguments are those of the first ISO; where there are several, only the ISO's name differs.
    """
    request = build_request(settings.site.build, settings.site.builder, settings.release)
    found = {arg.FILE: arg.render(request.arg)}
    if request.dockerfile:
        found["Dockerfile, below its marker"] = "".join(f"{line}\n" for line in (BEGIN, *request.dockerfile, END))
    for power, text in request.user_data.items():
        found[f"user-data of {request.iso_of(power)}.iso"] = text
    return found


def show(console: Console, settings: BuildSettings) -> None:
    """Print the files of a build one after the other."""
    canvos = settings.release.canvos
    console.print(f"[bold]CanvOS[/bold]  {canvos.tag if canvos else ''} of {settings.site.build.repository}")
    for name, text in texts(settings).items():
        console.print()
        console.print(f"[bold]{name}[/bold]")
        console.print(Text(text.rstrip("\n")), soft_wrap=True)
