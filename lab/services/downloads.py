"""The download server: release files as on GitHub, behind its redirect, and the image registry of the payload.

`github.com` answers 302 to a host of release assets, `latest` once more to the newest version; a missing file is an
HTML page with 404, which a careless client saves and runs.
"""

from __future__ import annotations

import asyncio
import re

from aiohttp import web

from lab.services import vendor
from lab.services.canvos import PREFIX, CanvosRepository
from lab.services.config import DEFAULT_VERSION
from lab.services.faults import Faults
from lab.services.http import Answer, client_of
from lab.services.log import RequestLog
from lab.services.names import ASSETS_HOSTS

_BASE = "/spectrocloud/agent-mode/releases"
_RELEASE = re.compile(rf"{_BASE}/download/v([0-9.]+)/([A-Za-z0-9.-]+)")
_LATEST = re.compile(rf"{_BASE}/latest/download/([A-Za-z0-9.-]+)")
_ASSET = re.compile(r"/github-production-release-asset/v([0-9.]+)/([A-Za-z0-9.-]+)")
_MANIFEST = re.compile(r"/v2/palette-images(?:-fips)?/edge/stylus-agent-mode-linux-(amd64|arm64)/manifests/v([0-9.]+)")
_BLOB = re.compile(
    r"/v2/palette-images(?:-fips)?/edge/stylus-agent-mode-linux-(?:amd64|arm64)/blobs/(sha256:[0-9a-f]{64})"
)
_PAGE = "<!DOCTYPE html>\n<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>\n"


class Downloads:
    """Answers for `github.com`, its hosts of release assets, and the image registry. `canvos` is a repository there."""

    def __init__(self, faults: Faults, log: RequestLog, canvos: CanvosRepository) -> None:
        self._canvos = canvos
        self._faults = faults
        self._log = log

    async def github(self, request: web.BaseRequest) -> Answer:
        """Redirect to the asset, or answer 404 when the release or file does not exist."""
        if request.path.startswith(PREFIX):
            return await self._canvos.handle(request)
        latest = _LATEST.fullmatch(request.path)
        if latest:
            place = f"https://github.com{_BASE}/download/v{DEFAULT_VERSION}/{latest.group(1)}"
            return web.Response(status=302, headers={"Location": place}), "redirect"
        found = _RELEASE.fullmatch(request.path)
        if found is None or vendor.asset(*found.groups()) is None or self._hidden(found.group(2)):
            return _page(404, "Page not found · GitHub"), "missing"
        place = f"https://{ASSETS_HOSTS[0]}/github-production-release-asset/v{found.group(1)}/{found.group(2)}?sp=r"
        return web.Response(status=302, headers={"Location": place}), "redirect"

    async def assets(self, request: web.BaseRequest) -> Answer:
        """Answer with the content of a release file."""
        found = _ASSET.fullmatch(request.path)
        content = vendor.asset(*found.groups()) if found else None
        if found is None or content is None:
            return _page(404, "Not Found"), "missing"
        # Who asks for the head or a part of a file looks whether it is there; it does not download it.
        looks = request.method == "HEAD" or "Range" in request.headers
        if not looks:
            await asyncio.sleep(self._faults.number("download-slow", 10))
        what = "script" if found.group(2).endswith(".sh") else "binary"
        kind = "probe" if looks else what
        if what == "script" and self._faults.active("installer-html"):
            return _page(200, "Sign in to continue"), kind
        name = "installer-corrupt" if what == "script" else "binary-corrupt"
        if self._faults.active(name):
            content = vendor.corrupted(content)
        return _part(request, content), kind

    async def images(self, request: web.BaseRequest) -> Answer:
        """Answer as a registry that hands out the payload image to everybody."""
        if request.path.rstrip("/") == "/v2":
            return web.json_response({}), "probe"
        found = _MANIFEST.fullmatch(request.path)
        if found and found.group(2) in vendor.VERSIONS:
            body = vendor.manifest(found.group(2), found.group(1), self._behaviour(request))
            return web.Response(body=body, content_type=vendor.MANIFEST_TYPE), "manifest"
        blob = _BLOB.fullmatch(request.path)
        content = vendor.blobs().get(blob.group(1)) if blob else None
        if content is not None:
            return web.Response(body=content, content_type="application/octet-stream"), "image"
        return web.json_response({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, status=404), "missing"

    def _hidden(self, name: str) -> bool:
        return self._faults.active("installer-404" if name.endswith(".sh") else "binary-404")

    def _behaviour(self, request: web.BaseRequest) -> vendor.Behaviour:
        client = client_of(request, self._log)
        if self._faults.active("agent-crash", client):
            return "crash"
        if self._faults.active("agent-fails", client):
            return "fails"
        return "no-reboot" if self._faults.active("agent-no-reboot", client) else "good"


def _part(request: web.BaseRequest, content: bytes) -> web.Response:
    """Return a file, or the part of it that the request's Range names."""
    part = request.http_range
    if (part.start, part.stop) == (None, None) or request.method == "HEAD":
        return web.Response(body=content, content_type="application/octet-stream")
    start, stop, _ = part.indices(len(content))
    place = {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}
    return web.Response(status=206, body=content[start:stop], content_type="application/octet-stream", headers=place)


def _page(status: int, title: str) -> web.Response:
    return web.Response(status=status, text=_PAGE.format(title), content_type="text/html")
