"""Runs the lab's stack under the real Pulumi engine, where the CLI is on PATH: file backend, own passphrase, own folder.

`make lab` uses it instead of the rehearsal then, and the engine tests use it for every scenario.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets as random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from edge.errors import LabError, SecretsError
from edge.passphrase import Decrypter
from lab import cgroups

Event = dict[str, Any]
# What an operator of one site wants from the engine: one red host does not stop the others, a waiting host holds a slot.
SPARE_SLOTS = 8
MOST_SLOTS = 64
# Of the providers whose resources the lab's stack has.
PLUGINS = ("command", "vsphere")

_NAMESPACE = "edge-hosts"
# The commands that take the stack's settings from another file than the one beside Pulumi.yaml.
_WITH_CONFIG = ("up", "preview", "refresh", "destroy", "config")


def found() -> str | None:
    """Return the path of the Pulumi CLI, or None when it is not on PATH."""
    return shutil.which("pulumi")


def missing() -> str | None:
    """Return in one line why the engine cannot be used here, or None when it can."""
    if found() is None:
        return "the Pulumi CLI is not on PATH (`make engine` installs it where the network allows)"
    done = subprocess.run(["pulumi", "plugin", "ls", "--json"], capture_output=True, text=True, check=False)
    plugins = {one["name"] for one in json.loads(done.stdout or "[]")} if done.returncode == 0 else set()
    lacking = [name for name in PLUGINS if name not in plugins]
    return f"the provider plugin `{lacking[0]}` is not installed (`make engine`)" if lacking else None


def slots(hosts: int) -> int:
    """Return how many operations the engine may have at work: a host that waits holds one of them all the time."""
    return min(MOST_SLOTS, hosts + SPARE_SLOTS)


@dataclass(frozen=True)
class Run:
    """One command of the engine: its exit code, its events, and what it printed."""

    code: int
    events: tuple[Event, ...]
    stdout: str
    stderr: str
    seconds: float

    def steps(self) -> list[tuple[str, str, str]]:
        """Return (operation, type, name) of every step that ended well, in the order of their ends; `same` included."""
        return [_step(event["resOutputsEvent"]["metadata"]) for event in self.events if "resOutputsEvent" in event]

    def changed(self) -> dict[str, str]:
        """Return the operation by resource name, for everything that is not `same` and no component or stack."""
        return {name: op for op, type_, name in self.steps() if op not in ("same", "read") and is_custom(type_)}

    def failed(self) -> dict[str, str]:
        """Return the operation by resource name of every step that failed."""
        steps = [_step(event["resOpFailedEvent"]["metadata"]) for event in self.events if "resOpFailedEvent" in event]
        return {name: op for op, _type, name in steps}

    def counts(self) -> Counter[str]:
        """Return how many custom resources each operation touched."""
        return Counter(op for op, type_, _name in self.steps() if is_custom(type_))

    def messages(self) -> str:
        """Return what the run said to a person: diagnostics of warning and error."""
        texts = [event["diagnosticEvent"] for event in self.events if "diagnosticEvent" in event]
        return "\n".join(one["message"] for one in texts if one.get("severity") in ("warning", "error", "info#err"))


def _step(metadata: Mapping[str, Any]) -> tuple[str, str, str]:
    parts = str(metadata["urn"]).split("::")
    return str(metadata["op"]), parts[2].split("$")[-1], parts[3]


def is_custom(type_: str) -> bool:
    """Return whether a type is a resource of a provider, not a component, a stack or a provider itself."""
    return not type_.startswith(("edge-hosts:index:", "pulumi:pulumi:", "pulumi:providers:"))


@dataclass
class Engine:
    """The engine on one stack. `folder` holds backend, passphrase and the stack's own copy of its settings."""

    program: Path
    folder: Path
    stack: str = "lab"
    environment: dict[str, str] = field(default_factory=dict)
    # A cgroup that the engine and all of its plugins are members of, so that nothing of them outlives the lab.
    cgroup: Path | None = None

    def __post_init__(self) -> None:
        self._errors: dict[int, Any] = {}

    @property
    def settings(self) -> Path:
        """Return the stack file that the engine reads and writes."""
        return self.folder / f"Pulumi.{self.stack}.yaml"

    def env(self) -> dict[str, str]:
        """Return the environment of every command: no SSH agent, no question, no look outside."""
        passphrase = self.folder / "passphrase"
        return {
            **{key: value for key, value in os.environ.items() if key not in ("SSH_AUTH_SOCK", "SPECTROCLOUD_APIKEY")},
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_CONTINUE_ON_ERROR": "true",
            "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true",
            "PULUMI_PYTHON_CMD": sys.executable,
            **self.environment,
        }

    def exists(self) -> bool:
        """Return whether the stack was made here before."""
        return bool(_salt(self.settings))

    def prepare(self, stack_file: Path, values: Mapping[str, str]) -> None:
        """Make backend and stack if they are not there, and write settings and secrets anew where they differ."""
        (self.folder / "state").mkdir(parents=True, exist_ok=True)
        passphrase = self.folder / "passphrase"
        if not passphrase.exists():
            passphrase.touch(mode=0o600)
            passphrase.write_text(random.token_hex(16), "utf-8")
        kept = self._kept(values)
        salt = _salt(self.settings) or self._new_stack()
        text = stack_file.read_text("utf-8").rstrip("\n") + "\n" + salt
        self.settings.write_text(_with_secrets(text, kept), "utf-8")
        self.set_secrets({name: value for name, value in values.items() if name not in kept})

    def _kept(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the encrypted texts of those `values` that the stack file holds already: each `config set` is a process."""
        if not self.exists():
            return {}
        document = YAML(typ="safe").load(self.settings.read_text("utf-8"))
        try:
            passphrase = (self.folder / "passphrase").read_text("utf-8").strip()
            decrypter = Decrypter(document["encryptionsalt"], passphrase)
            stored = {name: document["config"].get(f"{_NAMESPACE}:{name}") for name in values}
            return {
                name: one["secure"]
                for name, one in stored.items()
                if isinstance(one, dict) and "secure" in one and decrypter.decrypt(one["secure"]) == values[name]
            }
        except SecretsError:
            return {}

    def _new_stack(self) -> str:
        """Make the stack and return the line with its salt.

        `stack init` writes that line beside Pulumi.yaml; a folder of its own keeps the committed stack file as it is.
        """
        aside = self.folder / "init"
        aside.mkdir(exist_ok=True)
        shutil.copy(self.program / "Pulumi.yaml", aside)
        words = ["pulumi", "-C", str(aside), "--non-interactive", "stack", "init", self.stack]
        self._finished([*words, "--secrets-provider", "passphrase"])
        return _salt(aside / f"Pulumi.{self.stack}.yaml")

    def set_secrets(self, values: Mapping[str, str]) -> None:
        """Store secrets in the stack file, encrypted. They travel on standard input."""
        for name, value in values.items():
            self._checked("config", "set", "--secret", f"{_NAMESPACE}:{name}", given=value)

    def _command(self, *words: str) -> list[str]:
        return ["pulumi", "-C", str(self.program), "--non-interactive", *words]

    def _options(self, words: Sequence[str]) -> list[str]:
        config = ["--config-file", str(self.settings)]
        return ["-s", self.stack, *(config if words[0] in _WITH_CONFIG else [])]

    def _checked(self, *words: str, given: str | None = None) -> str:
        return self._finished([*self._command(*words), *self._options(words)], given)

    def _finished(self, words: Sequence[str], given: str | None = None) -> str:
        done = subprocess.run(words, input=given, env=self.env(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"`{' '.join(words)}` ended with {done.returncode}: {done.stderr.strip()[-400:]}")
        return done.stdout

    def run(self, *words: str, on_event: Callable[[Event], None] | None = None) -> Run:
        """Run `up`, `preview`, `refresh` or `destroy` to its end and return what it did."""
        return self.finish(self.start(*words), on_event)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command without waiting, in a process group of its own, so that a test can kill it."""
        parallel = [] if "--parallel" in words else ["--parallel", str(slots(self._hosts()))]
        yes = ["--yes", "--skip-preview"] if words[0] in ("up", "refresh", "destroy") else []
        if "--preview-only" in words:
            yes = []
        # A file, because nobody reads a second pipe while the events come, and a full one would stop the engine.
        errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed with the process's end
        command = self._command(*words, *self._options(words), *parallel, *yes, "--json")
        process = subprocess.Popen(
            command if self.cgroup is None else cgroups.entering(self.cgroup, *command),
            env=self.env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        self._errors[process.pid] = errors
        return process

    def _hosts(self) -> int:
        """Return how many hosts the stack has now."""
        document = YAML(typ="safe").load(self.settings.read_text("utf-8"))
        return len(document["config"][f"{_NAMESPACE}:site"].get("hosts") or {})

    def finish(self, process: subprocess.Popen[str], on_event: Callable[[Event], None] | None = None) -> Run:
        """Follow a started command to its end."""
        began = time.monotonic()
        events: list[Event] = []
        lines: list[str] = []
        with process:
            for line in process.stdout or ():
                lines.append(line)
                if line.startswith('{"sequence"'):
                    event = json.loads(line)
                    events.append(event)
                    if on_event is not None:
                        on_event(event)
        with self._errors.pop(process.pid) as errors:
            errors.seek(0)
            stderr = errors.read()
        return Run(process.returncode, tuple(events), "".join(lines), stderr, time.monotonic() - began)

    def kill(self, process: subprocess.Popen[str]) -> None:
        """Kill a started command with everything that it started, as a power cut would."""
        with process:
            # Plugins have process groups of their own; the session holds them all.
            for pid in _session(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._errors.pop(process.pid).close()

    def cancel(self) -> None:
        """Take away the lock that a killed run left."""
        self._finished([*self._command("cancel", "--yes"), "-s", self.stack])

    def outputs(self) -> dict[str, Any]:
        """Return the stack's exports as JSON data."""
        found_outputs: dict[str, Any] = json.loads(self._checked("stack", "output", "--json"))
        return found_outputs

    def export(self, *, show_secrets: bool = False) -> str:
        """Return the state as text, its secrets still encrypted unless they are asked for."""
        return self._checked("stack", "export", *(["--show-secrets"] if show_secrets else []))

    def load(self, state: str) -> None:
        """Replace the state by a text that `export` gave; plain secrets in it are encrypted on the way."""
        self._checked("stack", "import", given=state)


def _session(leader: int) -> list[int]:
    """Return the processes of a session, its leader first, so that it cannot start more of them."""
    found = [leader]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # pid (name) state ppid pgrp session ...: a name may hold blanks and brackets.
            if stat.read_text("utf-8", "replace").rpartition(")")[2].split()[3] == str(leader):
                found.append(int(stat.parent.name))
    return found


def _salt(path: Path) -> str:
    """Return the line with the salt of a stack file that was written before, "" when there is none."""
    if not path.exists():
        return ""
    return "".join(line + "\n" for line in path.read_text("utf-8").splitlines() if line.startswith("encryptionsalt:"))


def _with_secrets(text: str, kept: Mapping[str, str]) -> str:
    """Return a stack file with encrypted texts put behind its `config:` line."""
    lines = "".join(f"  {_NAMESPACE}:{name}:\n    secure: {sealed}\n" for name, sealed in sorted(kept.items()))
    return text.replace("config:\n", f"config:\n{lines}", 1)
