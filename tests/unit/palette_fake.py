"""A small Palette behind an httpx transport, with the documented nasty parts.

It keeps what the API specification and users say of the real one: lists without `ProjectUid` are empty and deletes
forbidden; tokens and projects refuse that header; `GET /v1/edgehosts` answers 405; pages hold 50; health may be missing;
`defaultProjectUid` in a create request becomes `defaultProject` in an answer. Faults are queued and served first.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any

import httpx

from edge.palette import PaletteClient
from tests.unit.palette_time import Clock

URL = "https://palette.test"
KEY = "canary-api-key-4f1d"
TOKEN = "canary-token-9b27"
PLANTS = "a" * 24
OTHER = "b" * 24

Reply = httpx.Response | Exception
Json = dict[str, Any]


@dataclass
class FakePalette:
    """Records by uid, tokens by uid, projects by uid; `requests` is the log of what was asked."""

    projects: dict[str, str] = field(default_factory=lambda: {PLANTS: "Plants", OTHER: "Other"})
    hosts: dict[str, Json] = field(default_factory=dict)
    tokens: dict[str, Json] = field(default_factory=dict)
    faults: list[Callable[[httpx.Request], Reply]] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    key: str = KEY
    old_project_list: bool = False
    binds_tokens: bool = True
    clock: Clock = field(default_factory=Clock)
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def client(self, **more: Any) -> PaletteClient:
        """Return a client of this Palette for project Plants."""
        given: Json = {"project_name": "Plants", "patience": 1.8, "transport": httpx.MockTransport(self.answer)}
        return PaletteClient(URL, more.pop("key", KEY), **{**given, **more})

    def add(self, uid: str, *, project: str = PLANTS, labels: Json | None = None, **more: Any) -> Json:
        """Add a record; `state`, `health` (None: no health object), `version`, `clusters`, `created` as in a record."""
        health = {"state": more.get("health", "healthy"), "agentVersion": more.get("version", "4.6.21")}
        clusters = [{"name": name, "uid": name, "hybridCluster": {"name": name}} for name in more.get("clusters", ())]
        self.hosts[uid] = {
            "metadata": {
                "uid": uid,
                "name": uid,
                "labels": labels or {},
                "creationTimestamp": more.get("created", self.clock.stamp()),
            },
            "spec": {
                "host": {"hostUid": uid, "hostAddress": "10.1.2.3", "hostAuthToken": TOKEN, "hostPairingKey": TOKEN},
                "device": {"archType": "amd64", "hostType": "agent-mode"},
            },
            "status": {"state": more.get("state", "ready"), "serviceAuthToken": TOKEN, "inUseClustersRef": clusters},
            "project": project,
        }
        if more.get("health", "healthy") is not None:
            self.hosts[uid]["status"]["health"] = health
        return self.hosts[uid]

    def count(self, method: str, part: str) -> int:
        """Return how often a path that contains `part` was asked with `method`."""
        return sum(request.method == method and part in request.url.path for request in self.requests)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer one request, or raise what a broken connection raises."""
        self.requests.append(request)
        reply = self.faults.pop(0)(request) if self.faults else self._route(request)
        if isinstance(reply, Exception):
            raise reply
        reply.headers.setdefault("Date", format_datetime(self.clock.now(), usegmt=True))
        return reply

    def _route(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("ApiKey") != self.key:
            return error(401, "InvalidApiKey", "the key is not valid")
        path, project = request.url.path, request.headers.get("ProjectUid", "")
        if path.startswith("/v1/edgehosts/tokens"):
            return self._tokens(request, project)
        if path.startswith("/v1/dashboard/projects"):
            return self._projects(request, project)
        if project and project not in self.projects:
            return error(404, "ResourceNotFound", f"Project '{project}' not found")
        if path == "/v1/dashboard/edgehosts/search":
            return self._search(request, project)
        if path.startswith("/v1/edgehosts/"):
            uid, _, rest = path.removeprefix("/v1/edgehosts/").partition("/")
            return self._host(request, uid, project, rest)
        if path == "/v1/services/stylus/version":
            text = "agent:\n  image: stylus\nversion: 4.6.21\nother: 1\n"
            return httpx.Response(200, json={"spec": {"latestVersion": {"content": text}}})
        return error(405, "MethodNotAllowed", f"{request.method} {path}")

    def _projects(self, request: httpx.Request, project: str) -> httpx.Response:
        if project:
            return error(400, "ProjectUidIsNotEmpty", "must be asked without a project")
        found = [{"metadata": {"uid": uid, "name": name}} for uid, name in self.projects.items()]
        if request.method == "GET":
            return httpx.Response(200, json={"items": found})
        return error(405, "", "") if self.old_project_list else page(request, found)

    def _search(self, request: httpx.Request, project: str) -> httpx.Response:
        groups = json.loads(request.content)["filter"].get("filterGroups", [])
        wanted = [value for group in groups for one in group["filters"] for value in tag_values(one)]
        found = []
        for record in self.hosts.values():
            tags = {f"{key}:{value}" for key, value in record["metadata"]["labels"].items()}
            if record["project"] == project and (not groups or tags & set(wanted)):
                meta = {"uid": project, "name": self.projects[project]}
                host = {"hostAddress": record["spec"]["host"]["hostAddress"]}
                spec = {"host": host, "projectMeta": meta, "device": record["spec"]["device"]}
                found.append({"metadata": record["metadata"], "spec": spec, "status": record["status"]})
        return page(request, found)

    def _host(self, request: httpx.Request, uid: str, project: str, rest: str) -> httpx.Response:
        record = self.hosts.get(uid)
        if record is None or (project and record["project"] != project):
            return error(404, "ResourceNotFound", f"edge host {uid} not found")
        if request.method == "GET":
            named = {"uid": record["project"], "name": self.projects[record["project"]]}
            spec = {**record["spec"], "host": {**record["spec"]["host"], "project": named}}
            return httpx.Response(200, json={**record, "spec": spec})
        if not project:
            return error(403, "ResourceAccessDenied", "operation is forbidden")
        if rest == "cluster/associate":
            record["status"].update(state="ready", inUseClustersRef=[])
            return httpx.Response(204)
        if record["status"]["state"] == "in-use" or record["status"]["inUseClustersRef"]:
            return error(400, "EdgeHostDeviceInUse", f"edge host {uid} is in use by a cluster")
        del self.hosts[uid]
        self.removed.append(uid)
        return httpx.Response(204)

    def _tokens(self, request: httpx.Request, project: str) -> httpx.Response:
        uid = request.url.path.removeprefix("/v1/edgehosts/tokens").removeprefix("/")
        if project:
            return error(400, "ProjectUidIsNotEmpty", "must be asked without a project")
        if request.method == "POST":
            return self._new_token(json.loads(request.content))
        if not uid:
            return httpx.Response(200, json={"items": list(self.tokens.values())})
        if uid not in self.tokens:
            return error(404, "ResourceNotFound", "token not found")
        if request.method == "DELETE":
            del self.tokens[uid]
            return httpx.Response(204)
        return httpx.Response(200, json=self.tokens[uid])

    def _new_token(self, body: Json) -> httpx.Response:
        uid, project = f"token{next(self.ids)}", body["spec"].get("defaultProjectUid")
        spec: Json = {"token": TOKEN, "expiry": body["spec"]["expiry"]}
        if project and self.binds_tokens:
            spec["defaultProject"] = {"uid": project, "name": self.projects[project]}
        metadata = {**body["metadata"], "uid": uid, "creationTimestamp": f"2026-01-01T00:00:{next(self.ids):02d}Z"}
        self.tokens[uid] = {"metadata": metadata, "spec": spec, "status": {"isActive": True}}
        return httpx.Response(201, json={"uid": uid})


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """Return an error answer in Palette's form."""
    body = {"code": code, "message": message, "details": {"sent": TOKEN}, "ref": "r"}
    return httpx.Response(status, json=body, headers=headers)


def page(request: httpx.Request, found: list[Json]) -> httpx.Response:
    """Return one page of a list, 50 at most."""
    limit, start = int(request.url.params.get("limit", "50")), int(request.url.params.get("continue") or 0)
    if limit > 50:
        return error(400, "InvalidLimit", "limit must be at most 50")
    end = start + limit
    meta = {"continue": str(end) if end < len(found) else "", "count": len(found)}
    return httpx.Response(200, json={"items": found[start:end], "listmeta": meta})


def tag_values(item: Json) -> list[str]:
    """Return the values that a filter item looks for in the tags."""
    assert item["property"] == "tags" and item["condition"]["string"]["operator"] == "eq"
    values: list[str] = item["condition"]["string"]["match"]["values"]
    return values
