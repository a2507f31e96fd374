"""The facts of a deployed stack: what its last run exported, if that run can be believed.

After a run with errors they cannot: the engine exports its marker for "unknown" over the old values of every host that
failed or was skipped, and after an error in a `diff` all exports are old (seen on the engine). So a stack whose last run
failed is refused, and so is a marker anywhere.

Facts come from the Pulumi CLI, the Automation API, a file that somebody exported, or the record of a rehearsal (the
program run without the engine). All of them give the same `StackFacts`.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from edge.errors import FactsError

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SUCCEEDED = "succeeded"
UNTOLD = "unknown"

Source = Literal["cli", "automation", "file", "rehearsal"]

_CLI_SECONDS = 120.0
_SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the engine's mark of a special value in a state
_LAB_VARIABLE = "EDGE_HOSTS_LAB"
_AGAIN = "run `pulumi up` for this stack until it ends without an error, then ask again."


@dataclass(frozen=True)
class StackFacts:
    """What a stack exported. `result` is `succeeded`, or `unknown` for a plain file of outputs that cannot tell."""

    stack: str
    result: str
    outputs: Mapping[str, Any]
    finished_at: datetime | None = None
    source: Source = "file"


def load_facts(stack: str, root: Path, source: Source | None = None, file: Path | None = None) -> StackFacts:
    """Return the facts of `stack`, of the project in `root`.

    Without `source`: `file` if one is given, else the newer of the rehearsal's record and what the CLI knows. Raises
    FactsError when there are none, when the last run failed, or when a host's facts are the engine's unknown marker.
    """
    short = stack.rpartition("/")[2]
    if source == "file" or (source is None and file is not None):
        return checked(_from_file(short, file))
    if source == "rehearsal":
        return checked(_from_rehearsal(short, root))
    if source == "cli":
        return checked(_from_cli(stack, root))
    if source == "automation":
        return checked(_from_automation(stack, root))
    return checked(_newest(stack, root))


def facts_of_file(file: Path) -> StackFacts:
    """Return the facts in a file that somebody exported, of whatever stack it is. Raises FactsError as `load_facts` does."""
    document = _json_file(file)
    named = document.get("stack") if isinstance(document, dict) and "outputs" in document else None
    return checked(_from_document(named if isinstance(named, str) else file.stem, document, "file", str(file)))


def has_unknown(value: object) -> bool:
    """Return whether the engine's marker of an unknown value stands anywhere in a value."""
    return next(_unknown(value), None) is not None


def checked(facts: StackFacts) -> StackFacts:
    """Return the facts if they can be believed; raise FactsError otherwise."""
    if facts.result not in {SUCCEEDED, UNTOLD}:
        raise FactsError(
            f"its last run ended {facts.result!r}, so its exports are not to be believed.",
            remedy=_AGAIN,
            where=f"stack {facts.stack}",
        )
    unknown = sorted(set(_unknown(facts.outputs)))
    if unknown:
        raise FactsError(
            f"the last run left these without a value: {', '.join(unknown[:20])}.",
            remedy=_AGAIN,
            where=f"stack {facts.stack}",
        )
    return facts


def rehearsal_folders(root: Path, environ: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """Return the folders in which a rehearsal may have left records and values: the lab's, then the project's own."""
    env = os.environ if environ is None else environ
    return (Path(env.get(_LAB_VARIABLE) or root / ".lab").expanduser(), root / ".edge")


def _unknown(value: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield what carries the unknown marker: the host's name for anything under `hosts`, else the export's path."""
    if value == UNKNOWN:
        yield f"host {path[1]}" if len(path) > 1 and path[0] == "hosts" else f"export {'.'.join(path)}"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _unknown(inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _unknown(inner, (*path, str(index)))


def _newest(stack: str, root: Path) -> StackFacts:
    """Return the newer of what rehearsal and CLI know; the record alone when the CLI knows no such stack."""
    short = stack.rpartition("/")[2]
    rehearsed = _from_rehearsal(short, root) if _record_path(short, root) else None
    if shutil.which("pulumi") is None:
        if rehearsed is not None:
            return rehearsed
        raise FactsError(
            "there are no facts of it: no record of a rehearsal, and no `pulumi` on PATH to ask.",
            remedy="run `make lab` for the lab, install the Pulumi CLI, or give an exported file.",
            where=f"stack {stack}",
        )
    try:
        deployed = _from_cli(stack, root)
    except FactsError:
        if rehearsed is None:
            raise
        return rehearsed
    if rehearsed is None:
        return deployed
    return max(deployed, rehearsed, key=lambda facts: facts.finished_at or datetime.min.replace(tzinfo=UTC))


def _record_path(stack: str, root: Path) -> Path | None:
    """Return the newest record that a rehearsal of the stack left, None if there is none."""
    found = [path for folder in rehearsal_folders(root) if (path := folder / "facts" / f"{stack}.json").is_file()]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def _from_rehearsal(stack: str, root: Path) -> StackFacts:
    path = _record_path(stack, root)
    if path is None:
        places = " or ".join(str(folder / "facts") for folder in rehearsal_folders(root))
        raise FactsError(
            f"no rehearsal left a record in {places}.", remedy="run `make lab` first.", where=f"stack {stack}"
        )
    return _from_document(stack, _json_file(path), "rehearsal", str(path))


def _from_file(stack: str, file: Path | None) -> StackFacts:
    if file is None:
        raise FactsError("no file with its facts was given.", remedy="name the exported file.", where=f"stack {stack}")
    return _from_document(stack, _json_file(file), "file", str(file))


def _json_file(path: Path) -> object:
    try:
        document: object = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no JSON"
    else:
        return document
    raise FactsError(f"the file cannot be read: {reason}.", remedy="export it again.", where=str(path))


def _from_document(stack: str, document: object, source: Source, where: str) -> StackFacts:
    """Return the facts in a record, in a `pulumi stack export`, or in the JSON of `pulumi stack output`."""
    if not isinstance(document, dict):
        raise FactsError("it holds no JSON object.", remedy="export the stack's outputs again.", where=where)
    if "outputs" in document and "result" in document:
        named = document.get("stack", stack)
        if named != stack:
            raise FactsError(f"it is of stack {named!r}, not {stack!r}.", remedy="name the right file.", where=where)
        outputs = document["outputs"]
        if not isinstance(outputs, dict):
            raise FactsError("its outputs are no JSON object.", remedy="export them again.", where=where)
        finished = _moment(document.get("finishedAt"))
        return StackFacts(stack, str(document["result"]), outputs, finished, source)
    deployment = document.get("deployment")
    if isinstance(deployment, dict):
        return StackFacts(stack, _export_result(deployment), _exported_outputs(deployment), None, source)
    return StackFacts(stack, UNTOLD, document, None, source)


def _export_result(deployment: Mapping[str, Any]) -> str:
    """Return whether an exported state shows a run that was cut off; it does not say how the last run ended."""
    return "interrupted" if deployment.get("pending_operations") else UNTOLD


def _exported_outputs(deployment: Mapping[str, Any]) -> dict[str, Any]:
    for resource in deployment.get("resources") or ():
        if isinstance(resource, dict) and resource.get("type") == "pulumi:pulumi:Stack":
            plain = _without_secrets(resource.get("outputs") or {})
            return plain if isinstance(plain, dict) else {}
    return {}


def _without_secrets(value: object) -> object:
    """Return a value of a state with every encrypted part shown as the CLI shows it."""
    if isinstance(value, dict):
        if _SECRET_SIGNATURE in value:
            return "[secret]"
        return {key: _without_secrets(inner) for key, inner in value.items()}
    return [_without_secrets(inner) for inner in value] if isinstance(value, list) else value


def _from_cli(stack: str, root: Path) -> StackFacts:
    """Return what `pulumi stack output` and the newest entry of `pulumi stack history` say. Changes nothing."""
    outputs = _cli(stack, root, "stack", "output", "--json")
    history = _cli(stack, root, "stack", "history", "--json", "--page-size", "10")
    if not isinstance(outputs, dict) or not isinstance(history, list):
        raise FactsError("the Pulumi CLI answered with another form.", remedy="update it.", where=f"stack {stack}")
    runs = [(str(run.get("kind")), str(run.get("result")), _moment(run.get("endTime"))) for run in history]
    return _deployed(stack, outputs, runs, "cli")


def _deployed(
    stack: str, outputs: dict[str, Any], runs: list[tuple[str, str, datetime | None]], source: Source
) -> StackFacts:
    """Return the facts of a stack from its outputs and its runs (kind, result, end), the newest first."""
    for kind, result, finished in runs:
        if kind == "preview":
            continue
        if kind == "destroy" and result == SUCCEEDED:
            break
        return StackFacts(stack, result, outputs, finished, source)
    raise FactsError("it is not deployed.", remedy="run `pulumi up` for it first.", where=f"stack {stack}")


def _cli(stack: str, root: Path, *args: str) -> object:
    """Return the JSON that a read-only command of the Pulumi CLI prints."""
    command = ["pulumi", *args, "--stack", stack, "--non-interactive"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=_CLI_SECONDS, check=False)
    except FileNotFoundError:
        problem, remedy = "there is no `pulumi` on PATH", "install the Pulumi CLI, or give an exported file."
    except subprocess.TimeoutExpired:
        problem, remedy = f"`pulumi {args[0]} {args[1]}` did not end in time", "look at the state backend."
    else:
        if done.returncode == 0:
            return _cli_json(stack, done.stdout)
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        problem = f"`pulumi {args[0]} {args[1]}` failed: {last[0].removeprefix('error: ')}"
        remedy = "log in to the state backend (`pulumi login`), and check the stack's name."
    raise FactsError(f"{problem}.", remedy=remedy, where=f"stack {stack}")


def _cli_json(stack: str, text: str) -> object:
    try:
        document: object = json.loads(text)
    except ValueError:
        pass
    else:
        return document
    raise FactsError("the Pulumi CLI printed no JSON.", remedy="update it.", where=f"stack {stack}")


def _from_automation(stack: str, root: Path) -> StackFacts:
    """Return what the Automation API says. Pulumi is imported here, by name: nothing else of `edge` needs it installed."""
    try:
        automation: Any = importlib.import_module("pulumi.automation")
    except ImportError:
        automation = None
    if automation is None:
        raise FactsError("Pulumi's Python package is not installed.", remedy="`make venv`.", where=f"stack {stack}")
    selected = _attempt(stack, lambda: automation.select_stack(stack_name=stack, work_dir=str(root)))
    outputs = _attempt(stack, selected.outputs)
    history = _attempt(stack, lambda: selected.history(page_size=10, show_secrets=False))
    plain = {name: "[secret]" if output.secret else output.value for name, output in outputs.items()}
    runs = [(str(run.kind), str(run.result), _moment(run.end_time)) for run in history]
    return _deployed(stack, plain, runs, "automation")


def _attempt(stack: str, call: Callable[[], Any]) -> Any:
    """Return what `call` returns; its errors quote whole outputs of the CLI, so only their kind is passed on."""
    try:
        return call()
    except Exception as error:
        kind = type(error).__name__
    raise FactsError(
        f"the Automation API failed ({kind}).", remedy="try `pulumi stack output`.", where=f"stack {stack}"
    )


def _moment(value: object) -> datetime | None:
    """Return an instant out of a record, a history entry or the Automation API; None for anything else."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
