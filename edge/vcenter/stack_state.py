"""What the engine's state says about a stack's machines: those it knows, and those it was creating when it was cut off.

The same port as the facts of a stack: a file that somebody exported, or the Pulumi CLI. Only names, uuids and folders are
taken from it; no input that may be secret.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.errors import FactsError

MACHINE = "vsphere:index/virtualMachine:VirtualMachine"
_CREATING = "creating"
_SECONDS = 120.0


@dataclass(frozen=True)
class Known:
    """A machine in the state; `folder` as it was written."""

    name: str
    uuid: str
    folder: str


@dataclass(frozen=True)
class StackState:
    """The machines by name: made ones, and names and folders of those whose creation was cut off."""

    machines: Mapping[str, Known] = field(default_factory=dict)
    creating: Mapping[str, str] = field(default_factory=dict)
    pending: tuple[str, ...] = ()


def load_state(stack: str, root: Path, file: Path | None = None) -> StackState | None:
    """Return the state in `file`, else what `pulumi stack export` prints; None when there is neither a file nor the CLI.

    Raises FactsError when the file or the CLI's answer is no state, or the CLI fails.
    """
    if file is not None:
        return of_export(_read(file), str(file))
    if shutil.which("pulumi") is None:
        return None
    return of_export(_export(stack, root), f"stack {stack}")


def of_export(document: object, where: str) -> StackState:
    """Return the machines in the JSON of `pulumi stack export`."""
    deployment = document.get("deployment") if isinstance(document, dict) else None
    if not isinstance(deployment, dict):
        remedy = "give what `pulumi stack export --stack STACK` prints."
        raise FactsError("it is no exported state.", remedy=remedy, where=where)
    machines = {}
    for one in _of_type(deployment.get("resources"), MACHINE):
        values = {**_mapping(one.get("inputs")), **_mapping(one.get("outputs"))}
        name = str(values.get("name", ""))
        if not one.get("delete"):
            machines[name] = Known(
                name, str(one.get("id") or values.get("uuid") or ""), str(values.get("folder") or "")
            )
    operations = [one for one in deployment.get("pending_operations") or () if isinstance(one, dict)]
    started = [_mapping(one.get("resource")) for one in operations if one.get("type") == _CREATING]
    creating = {
        str(values.get("name", "")): str(values.get("folder") or "")
        for values in (_mapping(one.get("inputs")) for one in _of_type(started, MACHINE))
    }
    pending = tuple(f"{one.get('type')} {_last(_mapping(one.get('resource')).get('urn'))}" for one in operations)
    return StackState(machines, creating, pending)


def _last(urn: object) -> str:
    return str(urn).rpartition("::")[2]


def _of_type(resources: object, kind: str) -> Iterable[Mapping[str, Any]]:
    found = resources if isinstance(resources, list) else []
    return [one for one in found if isinstance(one, dict) and one.get("type") == kind]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _read(path: Path) -> object:
    try:
        document: object = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no JSON"
    else:
        return document
    raise FactsError(f"the state cannot be read: {reason}.", remedy="export it again.", where=str(path))


def _export(stack: str, root: Path) -> object:
    """Return what the CLI exports; it changes nothing. Its output is not quoted in an error: it is the whole state."""
    command = ["pulumi", "stack", "export", "--stack", stack, "--non-interactive"]
    remedy = "log in to the state backend (`pulumi login`), or give an exported file with --state."
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=_SECONDS, check=False)
        document: object = json.loads(done.stdout) if done.returncode == 0 else None
    except subprocess.TimeoutExpired:
        problem = "`pulumi stack export` did not end in time"
    except ValueError:
        problem = "`pulumi stack export` printed no JSON"
    else:
        if document is not None:
            return document
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        problem = f"`pulumi stack export` failed: {last[0].removeprefix('error: ')}"
    raise FactsError(f"{problem}.", remedy=remedy, where=f"stack {stack}")
