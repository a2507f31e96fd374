"""Runs the Pulumi CLI for the commands of ours that change a stack: one small port, which a test can replace by a fake.

Reading what a stack exported is the task of `edge.facts`. Here are the commands that need an engine: `up`, `preview`,
`refresh`, `cancel`, and the raw outputs and state. What `up` and `refresh` say is handed on line by line as it comes;
the CLI masks secrets in it itself, and what is parsed here (previews, states) is never printed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from edge.errors import EdgeError

PROGRAM = "pulumi"
# A host that waits for its readiness holds one of the engine's slots all the time; the rest needs a few more.
SPARE_SLOTS = 8
MOST_SLOTS = 64

_TAIL_LINES = 60
_MESSAGE_CHARACTERS = 600
_QUESTION_SECONDS = 600.0
# A failing delete inside a replacement hangs the engine for ever when it is told to go on after errors.
_CONTINUE = "PULUMI_CONTINUE_ON_ERROR"
# With it, `preview --json` prints events instead of the one document that is read here.
_STREAMING = "PULUMI_ENABLE_STREAMING_JSON_PREVIEW"
_LOCKED = "currently locked by"


def slots(hosts: int) -> int:
    """Return how many operations the engine may have at work for a site of so many hosts."""
    return min(MOST_SLOTS, hosts + SPARE_SLOTS)


class EngineCliError(EdgeError):
    """The Pulumi CLI is not there, or a question to it failed."""


@dataclass(frozen=True)
class Ended:
    """How a command of the CLI ended: its exit code, and the last lines that it said."""

    code: int
    tail: tuple[str, ...] = ()

    @property
    def locked(self) -> bool:
        """Return whether the command was refused because another run holds the stack, or was killed while it did."""
        return self.code != 0 and any(_LOCKED in line for line in self.tail)


class Engine(Protocol):
    """What `edgectl` needs of the engine, for one stack."""

    def up(self, *, parallel: int) -> Ended:
        """Deploy the whole stack, without a question, and stop at the first error."""
        ...

    def preview(self, *, parallel: int, config_file: Path | None = None) -> Mapping[str, Any]:
        """Return what `up` would do, as the CLI's own document; `config_file` is read in place of the stack's file."""
        ...


@dataclass(frozen=True)
class EngineCli:
    """The Pulumi CLI on PATH, for one stack of the project in `root`. `say` gets what a long command says, by line."""

    stack: str
    root: Path
    stack_file: Path | None = None
    environ: Mapping[str, str] | None = None
    say: Callable[[str], None] = print
    colour: bool = False
    program: str = field(default=PROGRAM)

    def up(self, *, parallel: int) -> Ended:
        """Deploy the whole stack, without a question, and stop at the first error. Returns when the engine has ended."""
        words = ["up", "--yes", "--skip-preview", "--suppress-outputs", *self._wide(parallel), *self._config(None)]
        return self._streamed(words)

    def refresh(self, *, parallel: int, run_program: bool = False) -> Ended:
        """Compare the state with the real things, and take over what is different."""
        words = ["refresh", "--yes", "--skip-preview", *self._wide(parallel), *self._config(None)]
        return self._streamed([*words, *(["--run-program"] if run_program else [])])

    def preview(self, *, parallel: int, config_file: Path | None = None) -> Mapping[str, Any]:
        """Return what `up` would do, as the document of `preview --json`; `config_file` stands in for the stack's file.

        Raises EngineCliError with the program's own errors when the preview fails.
        """
        words = ["preview", "--json", *self._wide(parallel), *self._config(config_file)]
        done = self._asked(words)
        document = _json(done.stdout)
        if done.returncode == 0 and isinstance(document, dict):
            return document
        raise EngineCliError(
            f"`pulumi preview` failed: {_reason(document, done.stderr)}",
            remedy="correct that; nothing was changed.",
            where=f"stack {self.stack}",
        )

    def outputs(self) -> dict[str, Any]:
        """Return what the stack exports, secrets masked by the CLI. `edge.facts` says whether they can be believed."""
        return self._document(["stack", "output", "--json"])

    def export(self) -> dict[str, Any]:
        """Return the state, secrets still encrypted."""
        return self._document(["stack", "export"])

    def cancel(self) -> None:
        """Take away the lock of a run that was killed. Only right when no other run is alive."""
        self._good(["cancel", "--yes"])

    def _document(self, words: Sequence[str]) -> dict[str, Any]:
        document = _json(self._good(words))
        if isinstance(document, dict):
            return document
        raise EngineCliError(
            f"`pulumi {words[0]} {words[1]}` printed no JSON object.", remedy="update the CLI.", where=self._where()
        )

    def _good(self, words: Sequence[str]) -> str:
        done = self._asked(words)
        if done.returncode == 0:
            return done.stdout
        raise EngineCliError(
            f"`pulumi {' '.join(words[:2])}` failed: {_reason(None, done.stderr)}",
            remedy="log in to the state backend (`pulumi login`), and check the stack's name.",
            where=self._where(),
        )

    def _where(self) -> str:
        return f"stack {self.stack}"

    def _wide(self, parallel: int) -> list[str]:
        return ["--parallel", str(parallel)]

    def _config(self, other: Path | None) -> list[str]:
        file = other or self.stack_file
        return ["--config-file", str(file.absolute())] if file else []

    def _command(self, words: Sequence[str], colour: str = "never") -> list[str]:
        env = os.environ if self.environ is None else self.environ
        found = shutil.which(self.program, path=env.get("PATH"))
        if found is None:
            raise EngineCliError(
                f"there is no `{self.program}` on PATH.",
                remedy="install the Pulumi CLI (`make engine` does, where the network allows it).",
            )
        return [found, *words, "--stack", self.stack, "--non-interactive", "--color", colour]

    def _env(self) -> dict[str, str]:
        env = dict(os.environ if self.environ is None else self.environ)
        for name in (_CONTINUE, _STREAMING):
            env.pop(name, None)
        return {**env, "PULUMI_SKIP_UPDATE_CHECK": "true"}

    def _asked(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command that only answers, and return its answer."""
        try:
            return subprocess.run(
                self._command(words),
                cwd=self.root,
                env=self._env(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_QUESTION_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            problem = f"`pulumi {words[0]}` did not end within {_QUESTION_SECONDS / 60:.0f} minutes."
        raise EngineCliError(problem, remedy="look at the state backend and at the hosts.", where=self._where())

    def _streamed(self, words: Sequence[str]) -> Ended:
        """Run a command to its end and hand on each line as it comes.

        The CLI gets a process group of its own: so Ctrl-C reaches it exactly once, from here. At the first one it ends
        the steps that are at work, at the second one it stops; KeyboardInterrupt is raised when it has ended.
        """
        process = subprocess.Popen(
            self._command(words, "always" if self.colour else "never"),
            cwd=self.root,
            env=self._env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
        )
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        interrupts = 0
        while True:
            try:
                self._follow(process, tail)
                break
            except KeyboardInterrupt:
                interrupts += 1
                _send(process, signal.SIGINT if interrupts < 3 else signal.SIGKILL)
        if interrupts:
            raise KeyboardInterrupt
        return Ended(process.returncode, tuple(tail))

    def _follow(self, process: subprocess.Popen[str], tail: deque[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            tail.append(line.rstrip("\n"))
            self.say(line.rstrip("\n"))
        process.wait()
        process.stdout.close()


def _send(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal to the CLI; to all that it started when that is the last resort."""
    try:
        if number is signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    except ProcessLookupError:
        return


def _json(text: str) -> object:
    try:
        document: object = json.loads(text)
    except ValueError:
        return None
    return document


def _reason(document: object, stderr: str) -> str:
    """Return the errors that a failed preview names, else the last line that the CLI said."""
    diagnostics = document.get("diagnostics") if isinstance(document, dict) else None
    told = [
        _short(str(one.get("message", "")))
        for one in diagnostics or ()
        if isinstance(one, dict) and one.get("severity") == "error"
    ]
    lines = [_short(line) for line in stderr.splitlines() if line.strip()]
    named = [line for line in lines if _LOCKED in line] or lines[-1:]
    return "; ".join([line for line in told if line][:5] or named or ["it said nothing"])


def _short(message: str) -> str:
    """Return a message on one line; of the program's own exception the end, which says what was wrong."""
    line = " ".join(message.split()).removeprefix("error: ")
    return f"... {line[-_MESSAGE_CHARACTERS:]}" if "Traceback" in line else line[:_MESSAGE_CHARACTERS]
