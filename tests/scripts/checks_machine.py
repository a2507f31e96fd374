"""Scripted machines: a file tree and a folder of stand-in commands, on which the real bash runs the real scripts.

So a Debian can show what a RHEL 9, an Amazon Linux 2023 or a joined node would say. Machines and cases are data:
machines/*.yaml and cases/*.yaml.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from edge.checks.policy import policy_tsv
from edge.steps import bundle

HERE = Path(__file__).resolve().parent
# The coreutils and bash itself are the real ones: they are what every supported system has.
REAL = (
    "bash",
    "cat",
    "dd",
    "od",
    "timeout",
    "base64",
    "gzip",
    "stat",
    "sleep",
    "date",
    "sha256sum",
    "mkdir",
    "chmod",
    "mv",
    "readlink",
    "rm",
    "sh",
    "sed",
)
BASE = "ubuntu-24.04"
_SYSTEMCTL = """\
#!/bin/bash
declare -A units=({units})
case "$*" in
  show*)
    verb=$1; shift
    only=
    for word; do
      case $word in
        --property=LoadState) only+=L ;;
        --property=ActiveState) only+=A ;;
        --*) ;;
        *)
          state=${{units[$word]-}}
          if [ -n "$state" ] && [ "$state" != absent ]; then load=loaded; else load=not-found state=inactive; fi
          if [ "$only" = L ]; then echo "$load"; else printf 'LoadState=%s\\nActiveState=%s\\n\\n' "$load" "$state"; fi ;;
      esac
    done ;;
  is-active*) state=${{units[$2]-inactive}}; echo "$state"; [ "$state" = active ] ;;
  list-units*) for unit in "${{!units[@]}}"; do [ "${{units[$unit]}}" != failed ] || echo "$unit loaded failed failed x"; done ;;
  *) exit 1 ;;
esac
"""


@dataclass(frozen=True)
class Run:
    """What a step did: exit code and both outputs, and its report when there is one."""

    code: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        """Return the report of the last line."""
        data = json.loads(self.stdout.splitlines()[-1])
        assert isinstance(data, dict)
        return data

    def row(self, check: str) -> dict[str, str]:
        """Return the row of one check."""
        rows = [row for row in self.report["results"] if row["id"] == check]
        assert len(rows) == 1, f"{check} has {len(rows)} rows; stderr: {self.stderr}"
        return dict(rows[0])


@cache
def described(name: str) -> dict[str, Any]:
    """Return the description of a machine with that of its parent under it."""
    mine = yaml.safe_load((HERE / "machines" / f"{name}.yaml").read_text("utf-8"))
    parent = mine.pop("extends", None)
    return laid_over(described(parent), mine) if parent else mine


def laid_over(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return a description with another one over it: mappings add up, what `remove` and `without` name goes first."""
    gone = tuple(over.get("remove", ()))
    made: dict[str, Any] = {key: dict(value) if isinstance(value, dict) else value for key, value in base.items()}
    for kind in ("files", "links", "modes"):
        made[kind] = {path: one for path, one in made.get(kind, {}).items() if not path.startswith(gone or ("\0",))}
    made["folders"] = [path for path in made.get("folders", []) if not path.startswith(gone or ("\0",))]
    made["folders"] += over.get("folders", [])
    made["commands"] = {name: one for name, one in made["commands"].items() if name not in over.get("without", ())}
    for kind in ("files", "links", "modes", "units", "values", "commands"):
        made[kind] = {**made.get(kind, {}), **over.get(kind, {})}
    return made


class Machine:
    """One scripted machine below a temporary folder."""

    def __init__(self, folder: Path, what: Mapping[str, Any], places: Mapping[str, str] | None = None) -> None:
        self.root = folder / "root"
        self.bin = folder / "bin"
        self._places = {"now": str(int(time.time())), **(places or {})}
        self.values = {name: self._filled(value) for name, value in what["values"].items()}
        self.bin.mkdir(parents=True)
        self.root.mkdir()
        self._tree(what)
        for name in REAL:
            (self.bin / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        units = " ".join(f"[{shlex.quote(unit)}]={shlex.quote(state)}" for unit, state in what["units"].items())
        for name, answers in what["commands"].items():
            self._script(name, _SYSTEMCTL.format(units=units) if answers == "units" else self._stub(answers))

    def _filled(self, text: str) -> str:
        for name, value in self._places.items():
            text = text.replace(f"@{name}@", value)
        return text

    def _tree(self, what: Mapping[str, Any]) -> None:
        for path in what["folders"]:
            (self.root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for path, text in what["files"].items():
            file = self.root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self._filled(text if not text or text.endswith("\n") else f"{text}\n"), "utf-8")
        for path, target in what["links"].items():
            link = self.root / path.lstrip("/")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
        for path, mode in what["modes"].items():
            (self.root / path.lstrip("/")).chmod(int(mode, 8))

    def _stub(self, answers: str | Mapping[str, Any]) -> str:
        """Return a script that answers by its arguments: the first pattern that fits, as in a shell's `case`."""
        table = {"*": answers} if isinstance(answers, str) else answers
        lines = ["#!/bin/bash", 'case "$*" in']
        for pattern, answer in table.items():
            said = answer if isinstance(answer, dict) else {"stdout": answer}
            if "run" in said:
                lines.append(f"  {_glob(pattern)}) {self._filled(said['run'])} ;;")
                continue
            text = self._filled(str(said.get("stdout", "")))
            say = f"printf '%s\\n' {shlex.quote(text)}; " if text else ""
            lines.append(f"  {_glob(pattern)}) {say}exit {said.get('exit', 0)} ;;")
        return "\n".join((*lines, "esac", "exit 1", ""))

    def _script(self, name: str, text: str) -> None:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o755)

    def run(self, *, phases: str = "0", stage: str = "prod", only: str | None = None, **values: str) -> Run:
        """Run the checks step: all checks of `phases`, or `only` one. `values` are further EH_ values."""
        mode = self.values.get("EH_MODE", "agent")
        policy = policy_tsv(stage, mode=mode)  # type: ignore[arg-type]
        if only is not None:
            policy = "".join(line for line in policy.splitlines(True) if line.startswith(f"{only}\t"))
        given = {"EH_ROOT": str(self.root), "EH_POLICY": policy, "EH_PHASES": phases, **self.values, **values}
        return self.shell(bundle("checks", given))

    def shell(self, text: str) -> Run:
        """Run a bash text on this machine, as a step runs: on stdin, with this machine's commands only."""
        done = subprocess.run(
            [self.bin / "bash", "-s", "--", "run"],
            input=text,
            env={"PATH": str(self.bin)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)


def _glob(pattern: str) -> str:
    """Return a `case` pattern in which only `*` is special."""
    return "*".join(shlex.quote(part) if part else "" for part in pattern.split("*"))
