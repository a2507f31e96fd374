"""A datastore in memory: the port to a vCenter's media, and an HTTPS service that takes tickets once, with real faults."""

from __future__ import annotations

import http.server
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edge.vcenter.errors import VcenterError
from edge.vcenter.media import Ticket, VmView
from tests.unit.threaded import threaded
from tests.unit.vcenter_server import Signed, signed

TICKET = "Cookie"


@dataclass
class Datastore:
    """Files by datacenter and path. `answer` is the status of an upload, with words; `spoil` changes a byte that is read."""

    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    folders: list[tuple[str, str]] = field(default_factory=list)
    tickets: dict[str, tuple[str, tuple[str, str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    answer: tuple[int, str] = (201, "")
    spoil: bool = False
    cut: bool = False
    url: str = ""
    ca: str = ""

    def vm(self, uuid: str) -> VmView | None:
        raise NotImplementedError

    def set_drives(self, uuid: str, isos: Sequence[str], boot_order: Sequence[str] = ()) -> None:
        raise NotImplementedError

    def power_on(self, uuid: str) -> None:
        raise NotImplementedError

    def put_file(self, datacenter: str, path: str, data: bytes) -> None:
        raise NotImplementedError

    def listed(self, datacenter: str, folder: str) -> Mapping[str, int]:
        raise NotImplementedError

    def file_size(self, datacenter: str, path: str) -> int | None:
        found = self.files.get((datacenter, path))
        return None if found is None else len(found)

    def delete_file(self, datacenter: str, path: str) -> None:
        self.files.pop((datacenter, path), None)

    def make_folder(self, datacenter: str, path: str) -> None:
        self.folders.append((datacenter, path))

    def ticket(self, datacenter: str, path: str, method: Literal["GET", "PUT"]) -> Ticket:
        if "denied" in path:
            raise VcenterError("the user may not do that.", where=path)
        name = f'canary-ticket-{len(self.tickets)}-"quoted\\'
        self.tickets[name] = (method, (datacenter, path))
        return Ticket(f"{self.url}/folder/{len(self.tickets)}", {TICKET: name}, self.ca)


def _handler(store: Datastore) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            return

        def _end(self, code: int, body: bytes = b"") -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _known(self, method: str) -> tuple[str, str] | None:
            store.asked.append(method)
            wanted, place = store.tickets.pop(self.headers.get(TICKET, ""), ("", ("", "")))
            return place if wanted == method else None

        def do_PUT(self) -> None:
            place = self._known("PUT")
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if place is None:
                return self._end(403)
            code, words = store.answer
            whole = code < 300 and not store.cut
            store.files[place] = data if whole else data[: len(data) // 2]
            return self._end(code, words.encode())

        def do_GET(self) -> None:
            place = self._known("GET")
            if place is None:
                return self._end(403)
            data = bytearray(store.files[place])
            if store.spoil:
                data[100] ^= 1
            return self._end(200, bytes(data))

    return Handler


@contextmanager
def datastore(folder: Path) -> Iterator[Datastore]:
    """Yield a datastore whose HTTPS service runs with a certificate of an authority of its own."""
    root = signed(ca=True)
    mine: Signed = signed("127.0.0.1", by=root)
    store = Datastore(ca=root.certificate)
    with threaded(_handler(store), folder, mine) as store.url:
        yield store
