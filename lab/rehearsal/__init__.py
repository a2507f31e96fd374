"""The program run without the engine: mocks that act, on the wire form of resources only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from lab.site import Site


def run(site: Site, stack_file: Path | None = None) -> int:
    """Run the lab's program once against its machines and return an exit code: 0 when every host is healthy.

    `stack_file` is a changed copy of the lab's stack file; the lab's own by default.
    """
    from lab.paths import CHECKOUT
    from lab.rehearsal.lab_run import run_lab

    paths = site.paths
    healthy = run_lab(
        root=CHECKOUT,
        stack="lab",
        stack_file=stack_file or paths.stack_file,
        secrets_file=paths.secrets,
        facts_file=paths.facts,
        paths=paths,
    )
    return 0 if healthy else 1
