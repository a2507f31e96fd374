"""A server of HTTP in a thread of the tests, with TLS if it has a certificate."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.unit.vcenter_server import Signed


class Server(http.server.ThreadingHTTPServer):
    """A server that says nothing of a client that goes away, or does not like the certificate."""

    daemon_threads = True

    def handle_error(self, request: Any, address: Any) -> None:
        """Say nothing: the tests see it at the client."""


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Let a server work in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def threaded(
    handler: type[http.server.BaseHTTPRequestHandler], folder: Path | None = None, own: Signed | None = None
) -> Iterator[str]:
    """Yield the address of a running server; with a certificate, which is put into `folder`, it speaks TLS."""
    server = Server(("127.0.0.1", 0), handler)
    scheme = "http"
    if own is not None and folder is not None:
        scheme = "https"
        chain = folder / "server.pem"
        chain.write_text(own.certificate + own.key, "utf-8")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with running(server):
        yield f"{scheme}://127.0.0.1:{server.server_address[1]}"
