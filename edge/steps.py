"""The text that a remote step reads on its standard input: libraries, values, the step, one last line.

Everything travels on stdin, because a command line is visible in `ps`, in the state and in error messages. The script is
a function, called on the last line with its own stdin closed: a child that reads stdin would otherwise swallow the rest
of the script, and the step would end with 0 (seen with real package managers).
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from zopfli import gzip

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"

Step = Literal["checks", "prepare", "agent", "started"]

# Which files of functions a step carries: the checks where the host is looked at, `change` where something
# is changed. Every host keeps the text of its steps in the state, so none carries what it does not call.
_FILES: Mapping[str, tuple[str, ...]] = {
    "checks": ("lib/*.sh", "checks/*.sh"),
    "prepare": ("lib/*.sh", "change/*.sh", "checks/*.sh"),
    "agent": ("lib/*.sh", "change/*.sh"),
    "started": ("lib/*.sh", "change/*.sh"),
}

# A script that is cut off before its last line would end with 0; the steps replace this trap when they really begin.
CUT_OFF = "trap 'exit 91' EXIT"

STATE_DIR = "/var/lib/edge-hosts"


@cache
def _source(step: str) -> tuple[str, str]:
    """Return the functions and the main script of a step, without the lines that only a reader needs."""
    paths = [path for pattern in _FILES[step] for path in sorted(SCRIPTS.glob(pattern))]
    parts = [_without_comments(path.read_text("utf-8")) for path in paths]
    return "\n".join(parts), _without_comments((SCRIPTS / f"{step}.sh").read_text("utf-8"))


@cache
def packed(step: Step) -> str:
    """Return the functions of a step as compressed text, with the lines that unpack them on the host.

    The state keeps every step's text twice per host; packed it is a third. The packer is one that gives the same bytes on
    every machine and Python: other bytes would be a difference, and run every step again.
    """
    code = "\n".join(_source(step)).encode()
    text = base64.b64encode(gzip.compress(code, numiterations=1)).decode()
    return "\n".join(
        (
            f"EH_CODE=$(printf %s '{text}' | base64 -d | gzip -dc) || {{",
            '  echo "edge-hosts: a step cannot be unpacked here; install gzip and coreutils on this host" >&2',
            "  trap - EXIT; exit 90",
            "}",
            'eval "$EH_CODE"',
            "unset EH_CODE",
        )
    )


def _without_comments(text: str) -> str:
    """Return a script without blank lines and lines that are only a comment (a test shows that it means the same)."""
    return "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))


def assignments(values: Mapping[str, str]) -> str:
    """Return one quoted shell assignment per value, sorted by name.

    Raises ValueError for a name that is not `EH_` and upper case, or a value with a NUL character (a shell cannot hold it).
    """
    lines = []
    for name, value in sorted(values.items()):
        if not name.startswith("EH_") or not name.replace("_", "").isalnum() or name != name.upper():
            raise ValueError(f"{name!r} is no name for a value of a remote step: write EH_ and upper case")
        if "\0" in value:
            raise ValueError(f"the value of {name} holds a NUL character: remove it from the settings")
        lines.append(f"{name}={shlex.quote(value)}")
    return "\n".join(lines)


def bundle(step: Step, values: Mapping[str, str]) -> str:
    """Return the whole text for the stdin of `bash -s -- VERB` that runs `step` with `values`."""
    return "\n".join((CUT_OFF, packed(step), assignments(values), 'main "$@" </dev/null', ""))


def login_command(verb: str = "run") -> str:
    """Return the command that a login shell of any kind runs: become root without a question, then read the step.

    Only POSIX sh words are used, because the login shell may be dash, fish or csh (row A12). Exit 12 means that sudo
    would ask for a password.
    """
    refuse = (
        'echo "edge-hosts: user $(id -un) cannot become root without a password;'
        ' allow it in sudoers (NOPASSWD) or log in as root" >&2; exit 12'
    )
    inner = (
        f'if [ "$(id -u)" = 0 ]; then exec bash -s -- {verb}; '
        f"elif sudo -n true 2>/dev/null; then exec sudo -n bash -s -- {verb}; "
        f"else {refuse}; fi"
    )
    return f"sh -c {shlex.quote(inner)}"
