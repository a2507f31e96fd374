"""Commands on a build machine, and jobs that go on there when the connection is gone.

A build takes a quarter of an hour: it runs as a job of its own, with its output in a file and its exit code in another, and
whoever comes back later finds it running or ended.
"""

from __future__ import annotations

import base64
import io
import re
import shlex
import subprocess
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, Protocol

from edge.errors import HostError

_SECONDS = 60.0
_TAIL = 40


@dataclass(frozen=True)
class Done:
    """What a command did: exit code, standard output, standard error."""

    code: int
    out: str
    err: str = ""


class Shell(Protocol):
    """A machine on which commands run, one after the other."""

    @property
    def name(self) -> str:
        """How messages call the machine."""
        ...

    def run(self, script: str, stdin: str = "") -> Done:
        """Run a bash script and return what it did. Raises HostError when the machine cannot be reached or it hangs."""
        ...


class LocalShell:
    """This machine."""

    name = "this machine"

    def run(self, script: str, stdin: str = "") -> Done:
        """Run a bash script here."""
        try:
            done = subprocess.run(
                ["bash", "-c", script],
                input=stdin,
                capture_output=True,
                encoding="utf-8",
                # The end of a log may begin in the middle of a sign.
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise HostError(
                f"a command did not end within {_SECONDS:.0f} s",
                remedy="look what hangs there (`ps -ef --forest`), then run again",
                where=self.name,
            ) from None
        return Done(done.returncode, done.stdout, done.stderr)


def checked(shell: Shell, script: str, what: str, remedy: str, stdin: str = "") -> str:
    """Return the output of a script that must succeed. Raises HostError with its last lines, never with its stdin."""
    done = shell.run(script, stdin)
    if done.code == 0:
        return done.out
    said = [line for line in (done.err or done.out).splitlines() if line.strip()][-3:]
    raise HostError(f"{what} failed: {' / '.join(said) or f'exit code {done.code}'}", remedy=remedy, where=shell.name)


def write_file(shell: Shell, path: str, text: str, mode: str = "0644") -> None:
    """Write a file in one step: it is there whole or not at all. The text travels on stdin."""
    target, part = shlex.quote(path), shlex.quote(f"{path}.part")
    folder = shlex.quote(str(PurePosixPath(path).parent))
    script = f"set -e; umask 077; mkdir -p {folder}; cat >{part}; chmod {mode} {part}; mv -f {part} {target}"
    checked(shell, script, f"writing {path}", "make room there, and check who owns the folder", text)


def write_files(shell: Shell, folder: str, files: Mapping[str, tuple[str, int]]) -> None:
    """Write several files below a folder in one command: path -> text and mode. They travel on stdin."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, (text, mode) in files.items():
            data = text.encode()
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(data), mode, int(time.time())
            archive.addfile(entry, io.BytesIO(data))
    place = shlex.quote(folder)
    script = f"set -e; umask 077; mkdir -p {place}; base64 -d | tar -xpf - --no-same-owner -C {place}"
    text = base64.b64encode(packed.getvalue()).decode()
    checked(shell, script, f"writing into {folder}", "make room there, and check who owns the folder", text)


def read_file(shell: Shell, path: str) -> str | None:
    """Return the text of a file, None when it is not there."""
    done = shell.run(f"cat -- {shlex.quote(path)}")
    return done.out if done.code == 0 else None


# A process is ours while this machine has not booted since, and the number still belongs to the process that had it.
_BOOT = "$(cat /proc/sys/kernel/random/boot_id)"
_MARK = f'echo "$(cut -d" " -f22 /proc/$$/stat) {_BOOT}" >mark; echo $$ >pid'
_ALIVE = (
    '{ read -r born boot <mark && read -r pid <pid && [ "$boot" = "' + _BOOT + '" ] && '
    '[ "$(cut -d" " -f22 /proc/$pid/stat 2>/dev/null)" = "$born" ]; } 2>/dev/null'
)
# Killed alone, the first process of a job leaves its children at work; they are those of its session.
_END_LEFTOVERS = (
    'if [ -s pid ] && [ -s mark ] && read -r born boot <mark && read -r old <pid && [ "$boot" = "'
    + _BOOT
    + '" ]; then '
    "left=$(ps -eo pid=,sid= | awk -v s=\"$old\" '$2 == s {print $1}'); "
    '[ -z "$left" ] || kill -9 $left 2>/dev/null || sudo -n kill -9 $left 2>/dev/null || true; fi;'
)

JobState = Literal["none", "running", "ended", "lost"]


@dataclass(frozen=True)
class JobStatus:
    """Where a job is. `code` counts only when it has `ended`; `lost`: its process is gone and left no exit code."""

    state: JobState
    key: str = ""
    code: int = -1
    seconds: int = 0
    tail: str = ""


class Job:
    """A script that runs on by itself, one at a time in its folder. `key` says what it was started for."""

    def __init__(self, shell: Shell, folder: str) -> None:
        self._shell, self._folder = shell, folder

    @property
    def log(self) -> str:
        """The path of its output."""
        return f"{self._folder}/log"

    def start(self, key: str, script: str, limit: int, *, stdin: str = "") -> None:
        """Start a script that is ended after `limit` seconds, its children with it.

        What an earlier one has left running in this folder is ended first. `stdin` is what it reads: a secret belongs
        there, and lies in a file of the folder only until the script has it open. Raises HostError when it cannot be
        started.
        """
        folder = shlex.quote(self._folder)
        write_file(self._shell, f"{self._folder}/script", script, "0700")
        if stdin:
            write_file(self._shell, f"{self._folder}/stdin", stdin, "0600")
        inner = f"timeout --kill-after=30 {limit} bash ./script"
        # The descriptor stays open when the name is gone.
        source = "exec 3<stdin; rm -f stdin" if stdin else "exec 3</dev/null"
        body = f"{source}; {inner} <&3 >log 2>&1; echo $? >code.part; mv code.part code"
        launch = (
            f"set -e; cd {folder}; {_END_LEFTOVERS} rm -f code code.part pid mark log; cat >key; date +%s >began; "
            f"setsid bash -c {shlex.quote(f'{_MARK}; {body}')} >/dev/null 2>&1 </dev/null & "
            "for _ in {1..50}; do [ -s pid ] && exit 0; sleep 0.02; done; exit 1"
        )
        checked(self._shell, launch, "starting a job", "check that setsid and timeout are there", key)

    def forget(self) -> None:
        """Let an ended job be started again by the next run; its log stays."""
        checked(
            self._shell, f"rm -f {shlex.quote(f'{self._folder}/key')}", "clearing a job", "look who owns the folder"
        )

    def file(self, name: str) -> str | None:
        """Return the text of a file that the job has left in its folder, None when there is none."""
        return read_file(self._shell, f"{self._folder}/{name}")

    def status(self) -> JobStatus:
        """Return where the job is."""
        script = (
            f"cd {shlex.quote(self._folder)} 2>/dev/null || exit 9; cat key 2>/dev/null; echo; "
            f"cat code 2>/dev/null || {{ {_ALIVE} && echo running || {{ cat code 2>/dev/null || echo lost; }}; }}; "
            f"echo $(( $(date +%s) - $(cat began) )); tail -n {_TAIL} log 2>/dev/null"
        )
        done = self._shell.run(script)
        lines = done.out.splitlines()
        if done.code == 9 or len(lines) < 3 or not lines[0]:
            return JobStatus("none")
        key, word, seconds, *tail = lines
        common = {"key": key, "seconds": int(seconds), "tail": "\n".join(tail)}
        if word in ("running", "lost"):
            return JobStatus("running" if word == "running" else "lost", **common)  # type: ignore[arg-type]
        return JobStatus("ended", code=int(word), **common)  # type: ignore[arg-type]


_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_LOGIN = re.compile(r"(?<=://)[^/\s@]+@")


def last_line(text: str, limit: int = 160) -> str:
    """Return the last line of a log that says something, without colours, and without the login of an address."""
    plain = (_ESCAPES.sub("", line).strip() for line in reversed(text.splitlines()))
    found = next((line for line in plain if line), "")
    return _LOGIN.sub("***@", found)[:limit]
