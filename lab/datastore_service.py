"""Files of the lab's datastores over HTTPS: `/folder/PATH?dcPath=DATACENTER&dsName=DATASTORE`, as a vCenter serves them.

A request carries a ticket in the cookie `vmware_cgi_ticket`, good for one request, one method and one file. A PUT writes
as it reads: one that is cut off, or for which there is no space, leaves half a file, as with the real service.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

from aiohttp import web

from edge.errors import LabError
from lab.datastores import METHODS, Datastores
from lab.services.ca import Authority, write_private

PORT = 8990
COOKIE = "vmware_cgi_ticket"
_CHUNK = 1024 * 1024


class DatastoreService:
    """The service of one lab, on one address; `certificate` is where it keeps its certificate."""

    def __init__(self, datastores: Datastores, address: str, certificate: Path, port: int = PORT) -> None:
        self._datastores, self._address, self._certificate = datastores, address, certificate
        self.port = port
        self._runner: web.ServerRunner | None = None

    async def start(self, authority: Authority) -> None:
        """Start it, with a certificate of the authority. Raises LabError when the port is taken."""
        self._certificate.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(self._certificate, authority.issue((), (self._address,)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None))
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._address, self.port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            raise LabError(f"the port {self.port} of {self._address} is taken: {error}") from None
        if self.port == 0:
            self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop it, with the requests that run."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def url(self, datacenter: str, path: str) -> str:
        """Return the address of a file, given as `[datastore] path`."""
        from urllib.parse import quote, urlencode

        name, _, rest = path.removeprefix("[").partition("]")
        query = urlencode({"dcPath": datacenter, "dsName": name})
        return f"https://{self._address}:{self.port}/folder/{quote(rest.strip())}?{query}"

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if not request.path.startswith("/folder/") or request.method not in METHODS:
            return web.Response(status=404 if request.method in METHODS else 405)
        try:
            place = self._datastores.named(
                request.query.get("dcPath", ""), request.query.get("dsName", ""), request.path.removeprefix("/folder/")
            )
        except LabError as error:
            return web.Response(status=404, text=error.message)
        ticket = request.cookies.get(COOKIE, "").strip('"')
        if not self._datastores.redeem(ticket, request.method, place):
            await _drain(request)
            return web.Response(status=401, text="no valid ticket for this request")
        if request.method == "PUT":
            return await self._put(request, place)
        if request.method == "DELETE":
            try:
                return web.Response(status=204 if self._datastores.delete(place) else 404)
            except LabError as error:
                return web.Response(status=409, text=error.message)
        return await _get(request, place)

    async def _put(self, request: web.BaseRequest, place: Path) -> web.Response:
        if not place.parent.is_dir():
            await _drain(request)
            return web.Response(status=404, text=f"the folder of {self._datastores.shown(place)} is not there")
        new = not place.exists()
        full = self._datastores.is_full(self._datastores.datastore_of(place))
        with place.open("wb") as out:
            async for chunk in request.content.iter_chunked(_CHUNK):
                if full:
                    out.write(chunk[: len(chunk) // 2])
                    out.flush()
                    await _drain(request)
                    return web.Response(status=507, text="Insufficient disk space on datastore")
                await asyncio.to_thread(out.write, chunk)
        return web.Response(status=201 if new else 200)


async def _get(request: web.BaseRequest, place: Path) -> web.StreamResponse:
    if not place.is_file():
        return web.Response(status=404)
    if request.method == "HEAD":
        return web.Response(headers={"Content-Length": str(place.stat().st_size)})
    answer = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    answer.content_length = place.stat().st_size
    await answer.prepare(request)
    with place.open("rb") as content:
        while chunk := await asyncio.to_thread(content.read, _CHUNK):
            await answer.write(chunk)
    await answer.write_eof()
    return answer


async def _drain(request: web.BaseRequest) -> None:
    """Read what is still sent: a client that cannot send it all would never read the answer."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        async for _ in request.content.iter_chunked(_CHUNK):
            pass
