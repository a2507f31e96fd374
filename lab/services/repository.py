"""The HTTP side of the package repository: `http://packages.lab.internal/debian`, with its faults."""

from __future__ import annotations

import asyncio

from aiohttp import web

from lab.services.faults import Faults
from lab.services.http import Answer, DroppedError
from lab.services.packages import PackageIndex

PREFIX = "/debian/"


class Repository:
    """Answers requests for the files of a `PackageIndex`, which it rebuilds when package files came or went."""

    def __init__(self, index: PackageIndex, faults: Faults) -> None:
        self._index = index
        self._faults = faults
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Build the index. Raises LabError for a broken package file."""
        await self._refresh()

    async def handle(self, request: web.BaseRequest) -> Answer:
        """Answer one request: an index file or a package."""
        if self._faults.active("repo-down"):
            raise DroppedError
        await asyncio.sleep(self._faults.number("repo-slow", 3))
        if request.method not in ("GET", "HEAD") or not request.path.startswith(PREFIX):
            return web.Response(status=404, text="404 Not Found\n"), "missing"
        relative = request.path.removeprefix(PREFIX)
        if relative.startswith("pool/"):
            package = self._index.pool.get(relative)
            if package is not None and package.exists():
                return web.FileResponse(package), "package"
            return web.Response(status=404, text="404 Not Found\n"), "missing"
        return await self._index_file(relative.removeprefix("dists/"))

    async def _index_file(self, relative: str) -> Answer:
        if self._faults.active("repo-half-down") and relative.startswith(f"{self._index.suite}-updates/"):
            return web.Response(status=503, text="503 Service Unavailable\n"), "index"
        if relative.endswith("Release"):
            await self._refresh()
        path = self._index.dists(relative)
        if path is None:
            return web.Response(status=404, text="404 Not Found\n"), "missing"
        return web.FileResponse(path), "index"

    async def _refresh(self) -> None:
        async with self._lock:
            if self._index.stale():
                await asyncio.to_thread(self._index.build)
