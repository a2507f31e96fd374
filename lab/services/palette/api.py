"""The Palette API over HTTP: who may ask what, in which project, and the answers.

Scope rules: tokens and projects belong to the tenant and refuse a `ProjectUid` header; edge hosts belong to a project,
and without the header lists are empty and changes are forbidden. A header that names no project is refused everywhere.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time

from aiohttp import web

from lab.services.config import ServicesConfig
from lab.services.faults import Faults
from lab.services.http import Answer, DroppedError, client_of
from lab.services.log import RequestLog
from lab.services.palette.calls import Call, Route, Scope
from lab.services.palette.errors import ApiError, bad_request, not_found
from lab.services.palette.routes import routes
from lab.services.palette.state import JsonObject, PaletteState


class PaletteApi:
    """Answers requests for the Palette hosts by its routes."""

    def __init__(self, config: ServicesConfig, state: PaletteState, faults: Faults, log: RequestLog) -> None:
        self._config = config
        self._state = state
        self._faults = faults
        self._log = log
        self._routes = [(_pattern(route.path), route) for route in routes(config, state, faults)]
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    @property
    def api_key(self) -> str:
        """Return the API key that is valid now."""
        return self._config.api_key + ("-rotated" if self._faults.active("key-rotate") else "")

    async def handle(self, request: web.BaseRequest) -> Answer:
        """Answer one request."""
        if self._faults.active("palette-down"):
            raise DroppedError
        await asyncio.sleep(self._faults.number("palette-slow", 3))
        kind = ""
        try:
            route, uid = self._find(request)
            kind = route.kind
            self._limit(client_of(request, self._log), request.path)
            if route.scope != "agent":
                self._play_faults()
                self._authenticate(request)
            call = Call(
                uid,
                self._project(request, route.scope),
                dict(request.query),
                await _json(request),
                request.headers.get("EdgeHostToken", ""),
                request.headers.get("HostAuthToken", ""),
            )
            return route.handler(call), kind
        except ApiError as error:
            return error.response(), kind

    def _find(self, request: web.BaseRequest) -> tuple[Route, str]:
        """Return the operation of a request and the uid in its path. Raises ApiError 404 or 405."""
        path_known = False
        for pattern, route in self._routes:
            found = pattern.fullmatch(request.path)
            if found and route.method == request.method:
                return route, found.groupdict().get("uid") or ""
            path_known = path_known or found is not None
        if path_known or request.path == "/v1/projects":
            raise ApiError(405, "MethodNotAllowed", f"method {request.method} is not allowed, but supported elsewhere")
        raise not_found(f"path {request.path}")

    def _play_faults(self) -> None:
        if self._faults.take("palette-429"):
            raise ApiError(429, "TooManyRequests", "too many requests", retry_after=1)
        if self._faults.take("palette-500"):
            raise ApiError(500, "InternalServerError", "the service is not available, try again later")

    def _limit(self, client: str, path: str) -> None:
        """Count a request against the documented limit: so many a second per source address and API prefix."""
        key = (client, path.split("/")[2] if path.count("/") > 1 else "")
        moment = time.monotonic()
        left, last = self._buckets.get(key, (float(self._config.palette_burst), moment))
        left = min(float(self._config.palette_burst), left + (moment - last) * self._config.palette_rate)
        if left < 1:
            raise ApiError(429, "TooManyRequests", "request limit of the API exceeded", retry_after=1)
        self._buckets[key] = (left - 1, moment)

    def _authenticate(self, request: web.BaseRequest) -> None:
        sent = request.headers.get("ApiKey", "")
        if not secrets.compare_digest(sent.encode(), self.api_key.encode()):
            raise ApiError(401, "InvalidApiKey", "the API key is missing, expired or not valid")

    def _project(self, request: web.BaseRequest, scope: Scope) -> str:
        """Return the project of the header. Raises ApiError when it does not fit."""
        sent = request.headers.get("ProjectUid", "")
        if not sent or scope == "agent":
            return ""
        if scope == "tenant":
            raise bad_request("ProjectUidIsNotEmpty", "the operation is of the tenant; leave the header ProjectUid out")
        if not re.fullmatch(r"[0-9a-f]{24}", sent):
            raise not_found(f"project {sent}")
        if sent not in self._state.projects:
            raise ApiError(404, "ProjectNotFoundInTenant", f"project {sent} is not in this tenant")
        return sent


async def _json(request: web.BaseRequest) -> JsonObject:
    """Return the body as an object, empty without one. Raises ApiError."""
    text = await request.text()
    if not text.strip():
        return {}
    try:
        body = json.loads(text)
    except ValueError as error:
        raise bad_request("InvalidBody", "the body is no JSON") from error
    if not isinstance(body, dict):
        raise bad_request("InvalidBody", "the body must be an object")
    return body


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(path.replace("{uid}", r"(?P<uid>[^/]+)"))
