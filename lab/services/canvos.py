"""The CanvOS repository over HTTP, where the vendor has it: as files, which is what git calls the dumb protocol."""

from __future__ import annotations

import re
from pathlib import Path

from aiohttp import web

from lab.builder.canvos import advertised, make_repository
from lab.services.faults import Faults
from lab.services.http import Answer

PREFIX = "/spectrocloud/CanvOS"
_PATH = re.compile(rf"{PREFIX}(?:\.git)?/([A-Za-z0-9_./-]+)")


class CanvosRepository:
    """Answers git clients that fetch `https://github.com/spectrocloud/CanvOS`. `folder` is made anew at each start."""

    def __init__(self, folder: Path, faults: Faults) -> None:
        self._folder = folder
        self._faults = faults

    def start(self) -> None:
        """Make the repository. Raises LabError when git is missing or fails."""
        make_repository(self._folder)

    async def handle(self, request: web.BaseRequest) -> Answer:
        """Answer one request: the list of references, or a file."""
        found = _PATH.fullmatch(request.path)
        if found is None or request.method not in ("GET", "HEAD"):
            return web.Response(status=404, text="Not Found\n"), "missing"
        if found[1] == "info/refs":
            body = advertised(self._folder, moved=self._faults.active("tag-moved"))
            return web.Response(body=body, content_type="text/plain", headers={"Cache-Control": "no-cache"}), "git"
        path = (self._folder / found[1]).resolve()
        if not path.is_relative_to(self._folder.resolve()) or not path.is_file():
            return web.Response(status=404, text="Not Found\n"), "missing"
        return web.FileResponse(path), "git"
