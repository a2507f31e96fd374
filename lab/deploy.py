"""The main job of `lab up`: the project's own program takes the machines of the lab to Healthy."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from edge.errors import LabError
from lab import engine
from lab.site import Site
from lab.voice import Voice


class Runner(StrEnum):
    """What runs the program: the real Pulumi engine, or the rehearsal with acting mocks."""

    ENGINE = "engine"
    REHEARSAL = "rehearsal"


def deploy(site: Site, voice: Voice, stack_file: Path | None = None, runner: Runner | None = None) -> int:
    """Run the program for the lab's site and return its exit code; `stack_file` stands in for the lab's own.

    Without `runner`, the engine does it where the Pulumi CLI, its plugins and Go are, else the rehearsal. Raises LabError when
    the engine is asked for and not there. Both are imported late, so that machines and stand-ins can be brought up, and
    taken down, without the program and its SDK.
    """
    lacking = _lacking() if runner is not Runner.REHEARSAL else None
    if runner is Runner.ENGINE and lacking is not None:
        raise LabError(lacking, remedy="leave `--runner engine` out: the rehearsal runs the program without it.")
    if runner is Runner.REHEARSAL or lacking is not None:
        from lab import rehearsal

        if runner is None and engine.found() is not None:
            voice.line(f"rehearsing, because {lacking}", "info")
        return rehearsal.run(site, stack_file)
    from lab import engine_run

    return engine_run.run(site, stack_file)


def _lacking() -> str | None:
    """Return in one line why the engine cannot run the lab's stack here, None when it can: its VMs need a vCenter."""
    lacking = engine.missing()
    if lacking is not None:
        return lacking
    from lab.vcenter.build import missing

    return missing()
