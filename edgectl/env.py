"""`eval "$(edgectl env STACK)"`: what the `pulumi` command of a stack needs in its environment. Prints nothing secret.

The vSphere provider trusts what its process trusts, so an own authority or a pinned certificate of a vCenter must be in
the file that SSL_CERT_FILE names. Only lines for the shell go to stdout; what a person should read goes to stderr.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from edge.settings import AnySettings, BuildSettings, NetworkSettings, StackSettings, load_any
from edge.vcenter.trust import FOLDER, VARIABLE, bundle_for

_SLOTS, _MOST_SLOTS = 8, 64


def parallel(settings: AnySettings) -> int:
    """Return how many resources the engine should work on at once: a host that waits holds one slot all the time."""
    if isinstance(settings, BuildSettings):
        waiting = 1 + len(settings.site.build.kinds) * len(settings.site.datastores)
    else:
        waiting = len(settings.site.sites if isinstance(settings, NetworkSettings) else settings.site.hosts)
    return min(_MOST_SLOTS, waiting + _SLOTS)


def lines(settings: AnySettings, bundle: Path | None, named: str = "") -> list[str]:
    """Return the lines for a POSIX shell. `named` is what SSL_CERT_FILE says now: another stack's bundle is taken out."""
    found = []
    if bundle is not None:
        found.append(f"export {VARIABLE}={shlex.quote(str(bundle.absolute()))}")
    elif named and Path(named).parent.parts[-2:] == FOLDER.parts:
        found.append(f"unset {VARIABLE}")
    # One red host must not stop the others; `roll` takes this out again for its own runs.
    found.append("export PULUMI_CONTINUE_ON_ERROR=true")
    found.append(f"export PULUMI_PARALLEL={parallel(settings)}")
    return found


def command(
    stack: Annotated[str, typer.Argument(help="The stack, as in Pulumi.STACK.yaml.")],
    stack_file: Annotated[Path | None, typer.Option(help="Another place of the stack file.")] = None,
    root: Annotated[Path, typer.Option(help="The project folder.")] = Path(),
) -> None:
    """Print `export` lines to be evaluated by the shell that runs `pulumi`; fetch and check a pinned certificate first."""
    settings = load_any(stack, root, stack_file=stack_file)
    bundle = bundle_for(settings) if isinstance(settings, StackSettings) else None
    if bundle is not None and sys.platform == "darwin":
        note = f"note: on macOS programs in Go ask the keychain, not {VARIABLE}: add {bundle} there."
        print(note, file=sys.stderr)
    for line in lines(settings, bundle, os.environ.get(VARIABLE, "")):
        print(line)
