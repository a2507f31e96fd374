"""HTTP listeners, and the front that hands a request to the site its Host header names.

The front is the one place that logs a request, plays the faults that every site shares, and drops connections.
"""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from email.utils import format_datetime

from aiohttp import web

from edge.errors import LabError
from lab.services.faults import Faults
from lab.services.log import RequestLog
from lab.services.names import Names, Site, normal

Answer = tuple[web.StreamResponse, str]
"""A response, and the word under which the request log counts it."""
Responder = Callable[[web.BaseRequest], Awaitable[Answer]]

# Twenty machines that check all of their endpoints at once knock more often than asyncio's own hundred.
BACKLOG = 1024
_SERVICE_OF: Mapping[Site, str] = {
    "palette": "palette",
    "github": "downloads",
    "assets": "downloads",
    "images": "images",
    "packages": "packages",
    "registry": "registry",
    "apiserver": "apiserver",
    "generic": "endpoints",
}
CLIENT_HEADER = "X-Lab-Client"
"""How the proxy tells for whom it asks, when it asks on a connection of its own."""
_SKEW = datetime.timedelta(minutes=15)


class DroppedError(Exception):
    """The site drops the connection without an answer."""


class Front:
    """Answers the requests of one listener by the responders of the sites.

    `own` names the site for requests by IP address; with `only` every request goes there.
    """

    def __init__(
        self, sites: Mapping[Site, Responder], names: Names, faults: Faults, log: RequestLog, *,
        own: Site = "palette", only: bool = False, secure: bool = True,
    ) -> None:  # fmt: skip
        self._sites = sites
        self._names = names
        self._faults = faults
        self._log = log
        self._own = own
        self._only = only
        self._secure = secure

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; the entry point for `HttpListener`."""
        host = normal((request.host or "").rsplit(":", 1)[0])
        site = self._site(host)
        client, kind = client_of(request, self._log), ""
        response: web.StreamResponse | None = None
        try:
            if self._faults.active("endpoint-closed", host):
                raise DroppedError
            if not self._secure and site != "packages":
                response = web.Response(status=301, headers={"Location": f"https://{host}{request.raw_path}"})
            else:
                response, kind = await self._sites[site](request)
        except DroppedError:
            if request.transport is not None:
                request.transport.abort()
        status = response.status if response is not None else 0
        self._log.write(
            _SERVICE_OF[site],
            method=request.method,
            path=request.path,
            host=host,
            status=status,
            client=client,
            kind=kind,
        )
        if response is None:
            return web.Response(status=500)  # never sent: the connection is gone
        if self._faults.active("wrong-date", host):
            ahead = datetime.datetime.now(datetime.UTC) + _SKEW
            response.headers["Date"] = format_datetime(ahead, usegmt=True)
        return response

    def _site(self, host: str) -> Site:
        if self._only or host == "" or host.replace(".", "").isdigit() or host == "localhost":
            return self._own
        return self._names.site(host)


def client_of(request: web.BaseRequest, log: RequestLog) -> str:
    """Return the address of the machine that sent the request, also when it came through the lab's proxy."""
    if CLIENT_HEADER in request.headers:
        return request.headers[CLIENT_HEADER]
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return log.client((str(peer[0]), int(peer[1]))) if peer else (request.remote or "")


class HttpListener:
    """One listening socket. It can be closed and opened again while the lab runs."""

    def __init__(
        self,
        address: str,
        port: int,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.address = address
        self.port = port
        self._web = web.Server(handler, access_log=None)
        self._context = context
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None

    @property
    def listening(self) -> bool:
        """Return whether connections are accepted."""
        return self._socket is not None

    def open(self) -> socket.socket:
        """Accept connections from now on, and return the socket; they are answered after `start`.

        Raises LabError when the address is missing or the port is taken.
        """
        if self._socket is None:
            self._socket = bound_socket(self.address, self.port)
            self._socket.listen(BACKLOG)
        return self._socket

    async def start(self) -> None:
        """Listen and answer. Raises LabError when the address is missing or the port is taken."""
        sock = self.open()
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._web, sock=sock, ssl=self._context, backlog=BACKLOG)

    def close(self) -> None:
        """Stop listening at once; new connections are refused."""
        if self._server is not None:
            self._server.close()
        if self._socket is not None:
            self._socket.close()
        self._server = self._socket = None

    async def stop(self) -> None:
        """Stop listening and end the open connections."""
        self.close()
        await self._web.shutdown(1.0)


def bound_socket(address: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """Return a non-blocking socket bound to an address. Raises LabError that says what to do."""
    sock = socket.socket(socket.AF_INET, kind)
    try:
        sock.setblocking(False)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        raise LabError(
            f"cannot listen on {address} port {port}: {error.strerror or error}",
            remedy="see which process holds the port (ss -lntup), or whether the lab's network is up.",
        ) from error
    return sock
