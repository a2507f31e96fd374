"""What went wrong with a host, as a person wants to read it: what was seen, what to do, where to look further.

A remote step says its findings on standard error (`RED id title: seen ..., expected ...; fix: ...`, or `step: FAILED
(code): text. Fix: ...`); Palette's errors carry their remedy; the words of the command provider for a login are explained
here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from edge.ssh_errors import OTHER_KEY, REACH
from edge.waiting import Advice

_ROW = re.compile(r"^RED +(?P<id>\S+) (?P<title>.*?): seen (?P<seen>.*), expected (?P<expected>.*?); fix: (?P<fix>.*)$")
_FAILED = re.compile(r"^(?:\w+: )?FAILED \((?P<code>\d+)\): (?P<seen>.*?)(?:\.? Fix: (?P<fix>.*))?$")
_REFUSED = re.compile(r"^edge-hosts: (?P<seen>[^;]*); (?P<fix>.*)$")
_CLASS = re.compile(r"^\w+Error: ")
_COMMAND = re.compile(r': running "[^\n]*":')
_REMEDY = re.compile(r"^(?P<seen>.*?)\.? Remedy: (?P<fix>.*)$", re.DOTALL)

_AGAIN = "run again: what is done stays done; if it is lost again, look into the network and at the machine's console"
# What the command provider says of a login, what it means, and what to do.
_LOGINS = (
    (
        "host key mismatch",
        "shows another host key than the pinned one",
        OTHER_KEY,
    ),
    (
        "unable to authenticate",
        "does not accept the login of this user with this key",
        "check `ssh.user` and `ssh.privateKey`, and that the public key stands in that user's authorized_keys",
    ),
    (
        "stays silent",
        "takes connections on its SSH port but stays silent",
        "something else may listen there, or sshd hangs: restart it from the machine's console",
    ),
    ("connection refused", "refuses connections: no SSH server listens there", f"start sshd, and {REACH}"),
    ("i/o timeout", "does not answer", REACH),
    ("no route to host", "does not answer", REACH),
    ("network is unreachable", "cannot be reached from here", REACH),
    ("without exit status", "lost the connection while the step ran", _AGAIN),
    ("failed attempts", "closes the connection during the login", f"if it is booting, wait a minute; {REACH}"),
)

# The checks that are a cause of their own, and how an endpoint shows that it is red because of them.
_CAUSES = {"host.dns.": " DNS: ", "host.proxy.": " proxy: "}


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong. `name` is the id and title of a check, empty for everything else."""

    seen: str
    fix: str = ""
    name: str = ""
    expected: str = ""

    def lines(self) -> list[str]:
        """Return the lines for a person, without indentation of the whole."""
        if not self.name:
            return [self.seen, *([f"fix: {self.fix}"] if self.fix else [])]
        return [self.name, f"  seen: {self.seen}", f"  expected: {self.expected}", f"  fix: {self.fix}"]


def plain(error: str) -> str:
    """Return an error of a provider without its class, the text of the command, and the report after it."""
    return _COMMAND.sub("", _CLASS.sub("", error), count=1).strip()


def first_words(error: str) -> str:
    """Return the first line of an error, short enough for one line of a log."""
    text = plain(error).splitlines()
    return text[0][:160] if text else ""


def troubles(error: str, said: list[str], advice: Advice | None = None) -> list[Trouble]:
    """Return what is wrong: what the step said itself, else what its error means. Never empty.

    `advice` knows better what to do about a login to this host, or says "".
    """
    own = [trouble for line in said if (trouble := _of_line(line)) is not None]
    return own or [_of_error(error, advice)]


def causes(found: list[Trouble]) -> tuple[list[Trouble], list[Trouble]]:
    """Return what is wrong by itself, and what can only be red as long as names or the proxy are.

    Without DNS, or with a proxy that refuses, every endpoint is red: ten findings would hide the one to put right.
    """
    marks = [mark for check, mark in _CAUSES.items() if any(trouble.name.startswith(check) for trouble in found)]
    after = [trouble for trouble in found if _only(trouble, marks)]
    return [trouble for trouble in found if trouble not in after], after


def _only(trouble: Trouble, marks: list[str]) -> bool:
    parts = [part for part in trouble.seen.split("; ") if not part.startswith("and ")]
    return trouble.name.startswith("host.endpoints.") and all(any(mark in part for mark in marks) for part in parts)


def explain(
    host: str, role: str, error: str, said: list[str], stack: str, advice: Mapping[str, Advice] | None = None
) -> str:
    """Return the whole message about a failed step of a host: findings, remedies, and the command to look further.

    `advice` is by host, as for `troubles`.
    """
    first, after = causes(troubles(error, said, (advice or {}).get(host)))
    found = [line for trouble in first for line in trouble.lines()]
    if after:
        found.append(f"red with it: {', '.join(trouble.name.split()[0] for trouble in after)}")
    return "\n".join(
        [f"{host}: {role} failed", *(f"  {line}" for line in found), f"  look further: {look(host, role, stack)}"]
    )


def look(host: str, role: str, stack: str) -> str:
    """Return the command that shows more of a failed step."""
    if role in ("claim", "registration"):
        return f"python -m edgectl preflight {stack} --host {host}"
    if role in ("agent", "started"):
        return f"python -m lab shell {host} tail -n 30 /var/lib/edge-hosts/log /var/lib/edge-hosts/install.log"
    if role == "healthy":
        return f"python -m lab shell {host} journalctl -u spectro-stylus-agent -n 30"
    return f"python -m edgectl verify {stack} --host {host}"


def _of_line(line: str) -> Trouble | None:
    if row := _ROW.match(line):
        return Trouble(row["seen"], row["fix"], f"{row['id']}  {row['title']}", row["expected"])
    if failed := _FAILED.match(line):
        return Trouble(failed["seen"], failed["fix"] or "")
    refused = _REFUSED.match(line)
    return Trouble(refused["seen"], refused["fix"]) if refused else None


def _of_error(error: str, advice: Advice | None) -> Trouble:
    text = plain(error)
    if remedy := _REMEDY.match(text):
        return Trouble(remedy["seen"].removeprefix("pending: "), remedy["fix"].rstrip("."))
    for words, meaning, fix in _LOGINS:
        if words in text:
            way = " (or its jump host)" if text.startswith("proxy: ") else ""
            better = advice(text) if advice is not None else ""
            return Trouble(f"the host{way} {meaning} ({first_words(error)})", better or fix)
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("{")]
    return Trouble(" ".join(lines[:6]) or "no words at all", "look further with the command below, then run again")
