"""The only way out of a closed site: an HTTP proxy that wants Basic credentials.

CONNECT leads to the services with certificates of the corporate CA, so that a host behind it needs both, the proxy and
the CA. Plain `GET http://...` is forwarded too, because package managers ask a proxy that way.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Callable

import aiohttp
from yarl import URL

from lab.services.config import ServicesConfig
from lab.services.faults import Faults
from lab.services.http import BACKLOG, CLIENT_HEADER, bound_socket
from lab.services.log import RequestLog
from lab.services.names import Names, normal

_HEADER_LIMIT = 65536
_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
     "transfer-encoding", "upgrade", "content-length", CLIENT_HEADER.lower())
)  # fmt: skip
_REASONS = {403: "Forbidden", 407: "Proxy Authentication Required", 400: "Bad Request", 501: "Not Implemented",
            502: "Bad Gateway", 503: "Service Unavailable"}  # fmt: skip


class ConnectProxy:
    """The proxy on the gateway address. `target` maps (host, port) to where the lab answers for it."""

    def __init__(
        self, config: ServicesConfig, names: Names, faults: Faults, log: RequestLog,
        target: Callable[[str, int], tuple[str, int] | None],
    ) -> None:  # fmt: skip
        self.address = config.gateway_ip
        self.port = config.ports.proxy
        secret = f"{config.proxy_user}:{config.proxy_password}".encode()
        self._credentials = b"Basic " + base64.b64encode(secret)
        self._names = names
        self._faults = faults
        self._log = log
        self._target = target
        self._server: asyncio.Server | None = None
        self._session: aiohttp.ClientSession | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Raises LabError when the address is missing or the port is taken."""
        sock = bound_socket(self.address, self.port)
        self.port = int(sock.getsockname()[1])
        self._session = aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(total=600))
        self._server = await asyncio.start_server(self._serve, sock=sock, limit=_HEADER_LIMIT, backlog=BACKLOG)

    async def stop(self) -> None:
        """Stop listening and end the open tunnels."""
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        self._server = self._session = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        try:
            while not self._faults.active("proxy-down") and await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, TimeoutError, ValueError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; return whether the connection goes on."""
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 300)
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, url, _ = first.split(" ", 2)
        headers = [(key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in lines)]
        client = str(writer.get_extra_info("peername")[0])
        sent = next((value for key, value in headers if key.lower() == "proxy-authorization"), "")
        host, port = _address(method, url)
        body = await _request_body(reader, headers)
        refusal = self._refusal(sent, host, port, method)
        if refusal:
            self._record(method, url, host, refusal, client)
            await _refuse(writer, refusal)
            return _keeps_open(first, headers)
        place = self._target(host, port)
        assert place is not None
        if method == "CONNECT":
            self._record(method, url, host, 200, client)
            await self._tunnel(reader, writer, place, client)
            return False
        await self._forward(method, url, host, place, headers, body, writer)
        return _keeps_open(first, headers)

    def _refusal(self, sent: str, host: str, port: int, method: str) -> int:
        """Return the status of a refusal, or 0."""
        if self._faults.active("proxy-407") or not hmac.compare_digest(sent.encode(), self._credentials):
            return 407
        if self._faults.active("proxy-403", host) or (method == "CONNECT" and port != 443):
            return 403
        if self._faults.active("endpoint-closed", host):
            return 502
        return 0 if self._target(host, port) else 503

    async def _tunnel(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: tuple[str, int], client: str
    ) -> None:
        far_reader, far_writer = await asyncio.open_connection(*place)
        own = far_writer.get_extra_info("sockname")
        own = (str(own[0]), int(own[1]))
        self._log.peer_is(own, client)
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            far_writer.close()
            self._log.peer_gone(own)

    async def _forward(
        self, method: str, url: str, host: str, place: tuple[str, int], headers: list[tuple[str, str]], body: bytes,
        writer: asyncio.StreamWriter,
    ) -> None:  # fmt: skip
        """Ask the origin for a plain http URL and hand its answer on."""
        assert self._session is not None
        client = str(writer.get_extra_info("peername")[0])
        path = "/" + url.split("://", 1)[1].partition("/")[2]
        kept = [(key, value) for key, value in headers if key.lower() not in _HOP_BY_HOP]
        kept.append((CLIENT_HEADER, client))
        origin = URL(f"http://{place[0]}:{place[1]}{path}", encoded=True)
        try:
            async with self._session.request(
                method, origin, headers=kept, data=body or None, allow_redirects=False
            ) as answer:
                content = await answer.read()
                self._record(method, url, host, answer.status, client)
                lines = [f"HTTP/1.1 {answer.status} {answer.reason or 'OK'}"]
                lines += [f"{key}: {value}" for key, value in answer.headers.items() if key.lower() not in _HOP_BY_HOP]
                length = answer.headers.get("Content-Length", "0") if method == "HEAD" else str(len(content))
                lines += [f"Content-Length: {length}", "Connection: keep-alive", "", ""]
        except (aiohttp.ClientError, TimeoutError):
            self._record(method, url, host, 502, client)
            await _refuse(writer, 502)
            return
        writer.write("\r\n".join(lines).encode("latin-1") + (b"" if method == "HEAD" else content))
        await writer.drain()

    def _record(self, method: str, url: str, host: str, status: int, client: str) -> None:
        path = url.partition("?")[0]
        self._log.write("proxy", method=method, path=path, host=host, status=status, client=client)


def _address(method: str, url: str) -> tuple[str, int]:
    """Return host and port that a request line asks for. Raises ValueError."""
    if method == "CONNECT":
        host, _, port = url.rpartition(":")
        return normal(host), int(port)
    scheme, _, rest = url.partition("://")
    if scheme.lower() != "http" or not rest:
        raise ValueError(url)
    host, _, port = rest.partition("/")[0].rpartition("@")[2].partition(":")
    return normal(host), int(port or 80)


async def _request_body(reader: asyncio.StreamReader, headers: list[tuple[str, str]]) -> bytes:
    length = next((value for key, value in headers if key.lower() == "content-length"), "0")
    return await reader.readexactly(int(length)) if int(length) else b""


def _keeps_open(first_line: str, headers: list[tuple[str, str]]) -> bool:
    """Return whether the client wants to send another request, perhaps the same one with credentials."""
    said = [value.lower() for key, value in headers if key.lower() in ("connection", "proxy-connection")]
    return "close" not in said and (first_line.endswith("HTTP/1.1") or "keep-alive" in said)


async def _refuse(writer: asyncio.StreamWriter, status: int) -> None:
    """Send a refusal."""
    body = f"{status} {_REASONS[status]}\n".encode()
    extra = 'Proxy-Authenticate: Basic realm="edge-hosts lab"\r\n' if status == 407 else ""
    head = f"HTTP/1.1 {status} {_REASONS[status]}\r\n{extra}Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except ConnectionError:
        writer.close()
