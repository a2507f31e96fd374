"""The request logs: one JSON line per request and service, so that "0 writes, 0 downloads" can be counted.

A line holds {time (seconds since 1970), service, method, path, host, status, client, kind}. Never a header, a query or
a body: these carry tokens and keys.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

SERVICES = ("dns", "endpoints", "apiserver", "proxy", "packages", "downloads", "images", "palette", "aws", "registry")
"""The services that keep a log."""


class RequestLog:
    """Appends requests to `requests-<service>.jsonl` and reads them back.

    Requests that come through the lab's proxy have the proxy's address; `peer_is` lets the proxy say who really asked.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._peers: dict[tuple[str, int], str] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def file(self, service: str) -> Path:
        """Return the log file of a service."""
        return self._folder / f"requests-{service}.jsonl"

    def peer_is(self, address: tuple[str, int], client: str) -> None:
        """Remember that connections from `address` are made for `client`."""
        self._peers[address] = client

    def peer_gone(self, address: tuple[str, int]) -> None:
        """Forget a connection of `peer_is`."""
        self._peers.pop(address, None)

    def client(self, peer: tuple[str, int]) -> str:
        """Return the address of the machine behind a connection."""
        return self._peers.get(peer, peer[0])

    def write(
        self, service: str, *, method: str, path: str, host: str, status: int | str, client: str, kind: str = ""
    ) -> None:
        """Append one request."""
        entry = {"time": round(time.time(), 3), "service": service, "method": method, "path": path}
        entry |= {"host": host, "status": status, "client": client, "kind": kind}
        with self.file(service).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")

    def read(self, service: str | None = None, since: float = 0.0) -> list[dict[str, object]]:
        """Return the requests of a service (of all with None) since a time in seconds since 1970, oldest first."""
        found: list[dict[str, object]] = []
        for name in SERVICES if service is None else (service,):
            if not self.file(name).exists():
                continue
            for line in self.file(name).read_text("utf-8").splitlines():
                entry = json.loads(line)
                if float(entry["time"]) >= since:
                    found.append(entry)
        return sorted(found, key=lambda entry: float(str(entry["time"])))
