"""Runs `__main__.py` unchanged under acting mocks, in the program's own order, and keeps what it exported."""

from __future__ import annotations

import asyncio
import json
import logging
import runpy
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import mocks as sdk_mocks
from pulumi.runtime.resource import register_resource_outputs
from pulumi.runtime.settings import get_root_resource
from pulumi.runtime.stack import run_pulumi_func

from components.errors import ProgramError
from lab.client import LabClient
from lab.rehearsal import media
from lab.rehearsal.acting import ActingMocks
from lab.rehearsal.monitor import Event, RehearsalMonitor
from lab.rehearsal.wire import unwrap, whole_numbers

# A host that waits holds a thread, as it holds a slot of the engine's parallelism.
THREADS_PER_HOST = 1
SPARE_THREADS = 8


@dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal did: exports, and the errors by URN. `succeeded` is False when anything failed or was skipped."""

    stack: str
    outputs: Mapping[str, Any]
    failed: Mapping[str, str]
    skipped: frozenset[str] = field(default_factory=frozenset)

    @property
    def succeeded(self) -> bool:
        return not self.failed and not self.skipped

    def record(self) -> dict[str, Any]:
        """Return the record that `edgectl` reads as the facts of a deployed stack."""
        return {
            "stack": self.stack,
            "result": "succeeded" if self.succeeded else "failed",
            "finishedAt": datetime.now(UTC).isoformat(timespec="seconds"),
            "outputs": whole_numbers(unwrap(self.outputs)),
        }


def rehearse(
    program: Path,
    *,
    project: str,
    stack: str,
    config: Mapping[str, str],
    secret_keys: list[str],
    hosts: int = 4,
    lab: Callable[[], LabClient] = LabClient,
    on_event: Callable[[Event], None] = lambda _event: None,
    on_line: Callable[[str, str], None] = lambda _name, _line: None,
) -> Rehearsal:
    """Run the program in folder `program` once. Errors of resources are in the result; errors of the program are raised.

    `lab` returns the lab that virtual machines are made in.
    """
    acting = ActingMocks(config, project, on_line, lab)
    loop = asyncio.new_event_loop()
    monitor = RehearsalMonitor(acting, loop, on_event)
    asyncio.set_event_loop(loop)
    loop.set_default_executor(ThreadPoolExecutor(hosts * THREADS_PER_HOST + SPARE_THREADS))
    try:
        pulumi.runtime.set_all_config(dict(config), secret_keys)
        # What the program logs as warnings are the settings' own: whoever calls this has them, and shows them once.
        quiet = logging.getLogger(__name__)
        quiet.setLevel(logging.ERROR)
        sdk_mocks.set_mocks(acting, project=project, stack=stack, preview=False, logger=quiet, monitor=monitor)
        with media.in_place(lab):
            loop.run_until_complete(run_pulumi_func(lambda: _program(program)))
    except ProgramError as error:
        raise error.error from None  # as one message, as the engine shows it
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
    outcome = monitor.outcome
    return Rehearsal(stack, outcome.outputs, outcome.failed, frozenset(outcome.skipped))


def _program(folder: Path) -> None:
    """Run the program file as the language host does, then register the stack's exports."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    runpy.run_path(str(folder / "__main__.py"), run_name="__main__")
    root = get_root_resource()
    if root is not None:
        register_resource_outputs(root, getattr(root, "outputs", {}))


def write_record(rehearsal: Rehearsal, path: Path) -> None:
    """Write the facts record atomically, readable by the owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(rehearsal.record(), indent=2, sort_keys=True) + "\n", "utf-8")
    partial.replace(path)
