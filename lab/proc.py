"""Runs the tools of the operating system, and knows processes by more than their number."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edge.errors import LabError

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TOOL_SECONDS = 60.0


def run(*argv: str, stdin: str | None = None, check: bool = True, timeout: float = _TOOL_SECONDS) -> str:
    """Run a tool and return its standard output.

    Raises LabError with the tool's last words when it ends with an error (unless `check` is False) or takes longer than
    `timeout` seconds.
    """
    try:
        done = subprocess.run(
            argv,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        raise LabError(f"{argv[0]} is not installed", remedy="install it and try again.") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"`{shown(argv)}` took longer than {timeout:.0f} s", remedy="see what it waits for.") from None
    if check and done.returncode:
        raise LabError(f"`{shown(argv)}` ended with {done.returncode}: {last_words(done.stderr or done.stdout)}")
    return done.stdout


def shown(argv: Sequence[str]) -> str:
    """Return a command for a message: its words, at most 160 characters."""
    text = " ".join(argv)
    return text if len(text) <= 160 else text[:159] + "…"


def last_words(text: str, lines: int = 3) -> str:
    """Return the last lines of a tool's output that say something, in one line."""
    said = [line.strip() for line in text.splitlines() if line.strip()]
    return "; ".join(said[-lines:]) or "it said nothing"


def boot_id() -> str:
    """Return the id of this machine's current boot."""
    return BOOT_ID.read_text("ascii").strip()


def start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks after boot, or None when there is no such (living) process.

    The number of a process is given again after its end; number and start time together are not.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def is_ours(pid: int, started: int, boot: str) -> bool:
    """Return whether the process `pid` is still the one that was recorded."""
    return boot == boot_id() and start_time(pid) == started


def signal_process(pid: int, started: int, boot: str, number: int) -> bool:
    """Send a signal to a recorded process; return whether it was still there."""
    if not is_ours(pid, started, boot):
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
