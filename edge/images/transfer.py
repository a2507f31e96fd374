"""Gigabytes between the build machine and a datastore: two jobs of curl, one that puts a file there, one that reads it back.

Address and headers of a request are a login of their own: they reach curl as its configuration on standard input.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Literal

from edge.canvos.shell import Job, JobStatus, Shell, checked, last_line, write_file
from edge.errors import HostError
from edge.vcenter.media import Ticket

_LIMIT = 7200
_RIGHTS = "Datastore.Browse, Datastore.FileManagement (low level file operations)"
# What curl says by its exit code, and what to do about it.
_CURL = {
    6: (
        "its name does not resolve on the build machine",
        "let the build machine resolve the names of vCenter and hosts",
    ),
    7: (
        "it refuses connections from the build machine",
        "open TCP 443 from the build machine to vCenter and its hosts",
    ),
    28: ("it does not answer the build machine, or too slowly", "open TCP 443 to vCenter and its hosts, or try again"),
    60: (
        "its certificate is not trusted on the build machine",
        "give the CA that signed it as `caCert` of the vCenter",
    ),
}
_STALLED = "speed-limit = 1024\nspeed-time = 120\nconnect-timeout = 20\n"


@dataclass(frozen=True)
class TransferState:
    """Where an upload is: `none`, `running`, `put` (all sent), `verified`, or `failed` with words and a remedy."""

    what: Literal["none", "running", "put", "verified", "failed"]
    words: str = ""
    seconds: int = 0
    remedy: str = ""


class Transfer:
    """One file on its way to one place. `key` says which: what ran for another one does not count."""

    def __init__(self, shell: Shell, folder: str, key: str, *, source: str, sha256: str) -> None:
        self._shell, self._folder, self._key = shell, folder, key
        self._source, self._sha256 = source, sha256
        self._put, self._get = Job(shell, f"{folder}/put"), Job(shell, f"{folder}/get")

    def state(self) -> TransferState:
        """Return where the upload is."""
        for job, words in ((self._get, "reading back"), (self._put, "uploading")):
            status = job.status()
            if status.key != self._key or status.state in ("none", "lost"):
                continue
            if status.state == "running":
                return TransferState("running", words, status.seconds)
            return self._read(status) if job is self._get else self._sent(status)
        return TransferState("none")

    def _sent(self, status: JobStatus) -> TransferState:
        code = (self._put.file("status") or "").strip()
        if status.code == 0 and code in ("200", "201", "204"):
            return TransferState("put")
        return self._failed("the upload", status, code, self._put.file("body") or "")

    def _read(self, status: JobStatus) -> TransferState:
        code, digest = (self._get.file("status") or "").strip(), (self._get.file("digest") or "").strip()
        if status.code != 0 or code != "200":
            return self._failed("reading back", status, code, "")
        if digest == self._sha256:
            return TransferState("verified")
        words = (
            f"the file was read back with the sha256 {digest}, but it was built with {self._sha256}, and is deleted."
        )
        return TransferState("failed", words, remedy="run again; if it stays so, test the datastore")

    @staticmethod
    def _failed(what: str, status: JobStatus, code: str, body: str) -> TransferState:
        said = f"{body} {status.tail}".lower()
        if code == "507" or (code.startswith("5") and "space" in said):
            words = f"{what} failed: the datastore is full (status {code}); the half file is deleted."
            return TransferState("failed", words, remedy="make room there, or name another datastore in `datastores`")
        if code in ("401", "403"):
            words = f"{what} was refused (status {code}); nothing is left of it."
            return TransferState("failed", words, remedy=f"give the user of the vCenter {_RIGHTS} on the datastore")
        if status.code in _CURL:
            problem, remedy = _CURL[status.code]
            return TransferState("failed", f"{what} failed: {problem}.", remedy=remedy)
        reason = (
            f"status {code}" if code not in ("", "000") else last_line(status.tail) or f"curl ended with {status.code}"
        )
        return TransferState("failed", f"{what} failed: {reason}; the half file is deleted.", remedy="run again")

    def check_source(self, size: int) -> None:
        """Raise HostError unless the ISO lies on the build machine as it was built."""
        done = self._shell.run(
            f"stat -c %s -- {shlex.quote(self._source)} 2>/dev/null; command -v curl >/dev/null || echo nocurl"
        )
        found, *more = done.out.split() or [""]
        if "nocurl" in (found, *more):
            raise HostError("curl is not installed, which uploads ISOs.", remedy="install it", where=self._shell.name)
        if found != str(size):
            raise HostError(
                f"{self._source} is not there any more as it was built.",
                remedy="build again: `pulumi up --replace URN` with the URN of the InstallerBuild",
                where=self._shell.name,
            )

    def put(self, ticket: Ticket) -> TransferState:
        """Begin to send the file."""
        more = f'upload-file = "{_escaped(self._source)}"\nrequest = "PUT"\noutput = "body"\n'
        script = "rm -f body status\ncurl -sS --config - --write-out '%{http_code}' >status || exit\n"
        self._start(self._put, ticket, more, script)
        return TransferState("running", "uploading")

    def read_back(self, ticket: Ticket) -> TransferState:
        """Begin to read the file and to make its digest; nothing of it is kept."""
        script = (
            "rm -f digest status\nset -o pipefail\n"
            "curl -sS --fail --config - --write-out '%{stderr}status %{http_code}\\n' 2>err | sha256sum | cut -d' ' -f1 >digest\n"
            "code=${PIPESTATUS[0]}\nsed -n 's/^status //p' err >status\ngrep -v '^status ' err\nexit $code\n"
        )
        self._start(self._get, ticket, "", script)
        return TransferState("running", "reading back")

    def _start(self, job: Job, ticket: Ticket, more: str, script: str) -> None:
        config = f'url = "{_escaped(ticket.url)}"\nnoproxy = "*"\n{_STALLED}{more}'
        for name, value in ticket.headers.items():
            config += f'header = "{_escaped(f"{name}: {value}")}"\n'
        if ticket.ca_pem:
            authority = f"{self._folder}/ca.pem"
            write_file(self._shell, authority, ticket.ca_pem)
            config += f'cacert = "{_escaped(authority)}"\n'
        job.start(self._key, script, _LIMIT, stdin=config)

    def forget(self) -> None:
        """Forget both jobs: the next upload begins anew."""
        checked(self._shell, f"rm -rf {shlex.quote(self._folder)}", "clearing an upload", "look who owns the folder")


def _escaped(text: str) -> str:
    """Return a value as it stands in quotes in a configuration of curl."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
