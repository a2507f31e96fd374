"""One operation of the Palette API, and one call of it as its handler sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from lab.services.palette.errors import denied
from lab.services.palette.state import JsonObject

Scope = Literal["tenant", "project", "any", "agent"]
Kind = Literal["read", "write", "agent"]


@dataclass(frozen=True)
class Call:
    """One request, as the handlers see it. `project` is the project of the header, "" without one."""

    uid: str
    project: str
    query: dict[str, str]
    body: JsonObject
    token: str
    auth: str

    def must_have_project(self) -> str:
        """Return the project. Raises ApiError without one."""
        if not self.project:
            raise denied("the operation needs the header ProjectUid")
        return self.project


Handler = Callable[[Call], web.Response]


@dataclass(frozen=True)
class Route:
    """One operation of the API. `{uid}` in the path is handed to the handler."""

    method: str
    path: str
    scope: Scope
    kind: Kind
    handler: Handler
