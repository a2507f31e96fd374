"""The operations of the Palette API that the lab has, one small function each."""

from __future__ import annotations

from aiohttp import web

from lab.services.config import ServicesConfig
from lab.services.faults import Faults
from lab.services.palette import view
from lab.services.palette.agent import AgentSide
from lab.services.palette.calls import Call, Route
from lab.services.palette.errors import bad_request, not_found
from lab.services.palette.state import JsonObject, PaletteState, Record, Token, now, parse_time, rfc3339

_NO_CONTENT = 204


def routes(config: ServicesConfig, state: PaletteState, faults: Faults) -> list[Route]:
    """Return every operation; more specific paths come first."""
    agent, hosts, tokens = _Agents(state, faults), _Hosts(config, state), _Tokens(state)
    tenant = _Tenant(config, state)
    return [
        Route("POST", "/v1/edgehosts/register", "agent", "agent", agent.register),
        Route("PATCH", "/v1/edgehosts/{uid}/health", "agent", "agent", agent.health),
        Route("GET", "/v1/edgehosts/tokens", "tenant", "read", tokens.listing),
        Route("POST", "/v1/edgehosts/tokens", "tenant", "write", tokens.create),
        Route("GET", "/v1/edgehosts/tokens/{uid}", "tenant", "read", tokens.read),
        Route("PUT", "/v1/edgehosts/tokens/{uid}", "tenant", "write", tokens.update),
        Route("DELETE", "/v1/edgehosts/tokens/{uid}", "tenant", "write", tokens.delete),
        Route("PUT", "/v1/edgehosts/tokens/{uid}/state", "tenant", "write", tokens.set_state),
        Route("GET", "/v1/edgehosts/metadata", "project", "read", hosts.short_list),
        Route("GET", "/v1/edgehosts/tags", "project", "read", hosts.tags),
        Route("POST", "/v1/dashboard/edgehosts/search", "project", "read", hosts.search),
        Route("POST", "/v1/edgehosts", "project", "write", hosts.create),
        Route("GET", "/v1/edgehosts/{uid}", "project", "read", hosts.read),
        Route("PUT", "/v1/edgehosts/{uid}/meta", "project", "write", hosts.set_meta),
        Route("PUT", "/v1/edgehosts/{uid}/reset", "project", "write", hosts.reset),
        Route("PATCH", "/v1/edgehosts/{uid}/tunnelConfig", "project", "write", hosts.set_tunnel),
        Route("DELETE", "/v1/edgehosts/{uid}/cluster/associate", "project", "write", hosts.leave_cluster),
        Route("DELETE", "/v1/edgehosts/{uid}", "project", "write", hosts.delete),
        Route("POST", "/v1/dashboard/projects", "tenant", "read", tenant.projects),
        Route("GET", "/v1/dashboard/projects/metadata", "tenant", "read", tenant.project_names),
        Route("GET", "/v1/services/stylus/version", "any", "read", tenant.agent_version),
    ]


def _no_content() -> web.Response:
    return web.Response(status=_NO_CONTENT)


class _Agents:
    def __init__(self, state: PaletteState, faults: Faults) -> None:
        self._state = state
        self._side = AgentSide(state, faults)

    def register(self, call: Call) -> web.Response:
        record = self._side.register(call.body, call.token, call.auth)
        shown = view.host_alone(record, self._state.projects.get(record.project_uid), None)
        shown["spec"]["host"]["hostAuthToken"] = record.auth_token
        return web.json_response(shown)

    def health(self, call: Call) -> web.Response:
        self._side.health(call.uid, call.body, call.auth)
        return _no_content()


class _Hosts:
    def __init__(self, config: ServicesConfig, state: PaletteState) -> None:
        self._limit = config.unhealthy_after
        self._state = state

    def _own(self, call: Call) -> Record:
        """Return the record of the path, if it is in the call's project."""
        record = self._state.hosts.get(call.uid)
        if record is None or (call.project and record.project_uid != call.project):
            raise not_found(f"edge host {call.uid}")
        return record

    def _found(self, call: Call) -> list[JsonObject]:
        records = [record for record in self._state.hosts.values() if record.project_uid == call.project]
        project = self._state.projects.get(call.project)
        return [view.host_found(record, project, self._state.health(record, self._limit)) for record in records]

    def search(self, call: Call) -> web.Response:
        return web.json_response(view.page(view.search(self._found(call), call.body), call.query))

    def short_list(self, call: Call) -> web.Response:
        unused = call.query.get("quickFilter") == "unusedEdgeHosts"
        items = [
            {
                "uid": item["metadata"]["uid"],
                "name": item["metadata"]["name"],
                "state": item["status"]["state"],
                "healthState": item["status"].get("health", {}).get("state", ""),
                "archType": item["spec"]["device"].get("archType", ""),
                "edgeHostType": item["spec"]["type"],
            }
            for item in self._found(call)
            if not (unused and item["status"]["state"] == "in-use")
        ]
        return web.json_response({"edgeHosts": items})

    def tags(self, call: Call) -> web.Response:
        pairs = {f"{k}:{v}" for item in self._found(call) for k, v in item["metadata"]["labels"].items()}
        return web.json_response({"tags": sorted(pairs)})

    def read(self, call: Call) -> web.Response:
        record = self._own(call)
        health = self._state.health(record, self._limit)
        return web.json_response(view.host_alone(record, self._state.projects.get(record.project_uid), health))

    def create(self, call: Call) -> web.Response:
        project = call.must_have_project()
        metadata, spec = call.body.get("metadata") or {}, call.body.get("spec") or {}
        uid = str(metadata.get("uid") or "")
        if not uid or uid in self._state.hosts:
            raise bad_request(
                "EdgeHostDeviceDuplicate" if uid else "InvalidEdgeHostUid", f"cannot create edge host {uid!r}"
            )
        record = Record(uid, str(metadata.get("name") or uid), project, rfc3339(now()), state="unpaired")
        record.labels = dict(metadata.get("labels") or {})
        record.device = {"archType": spec.get("archType", "amd64")}
        self._state.hosts[uid] = record
        self._state.save()
        return web.json_response({"uid": uid}, status=201)

    def set_meta(self, call: Call) -> web.Response:
        call.must_have_project()
        record, metadata = self._own(call), call.body.get("metadata") or {}
        record.name = str(metadata.get("name") or record.name)
        record.labels = dict(metadata.get("labels") or {})
        return self._changed(record)

    def set_tunnel(self, call: Call) -> web.Response:
        call.must_have_project()
        record = self._own(call)
        record.tunnel |= {key: str(call.body[key]) for key in record.tunnel if key in call.body}
        return self._changed(record)

    def reset(self, call: Call) -> web.Response:
        call.must_have_project()
        return self._changed(self._own(call))

    def leave_cluster(self, call: Call) -> web.Response:
        call.must_have_project()
        record = self._own(call)
        record.clusters, record.state = [], "ready"
        return self._changed(record)

    def delete(self, call: Call) -> web.Response:
        call.must_have_project()
        record = self._own(call)
        if record.state == "in-use" or record.clusters:
            raise bad_request(
                "EdgeHostDeviceInUse", f"edge host {record.uid} is in use by a cluster and cannot be deleted"
            )
        del self._state.hosts[record.uid]
        self._state.save()
        return _no_content()

    def _changed(self, record: Record) -> web.Response:
        record.modified = rfc3339(now())
        self._state.save()
        return _no_content()


class _Tokens:
    """Registration tokens. Only `defaultProjectUid` binds a new token to a project; `defaultProject`, as reads show it,
    is accepted and ignored."""

    def __init__(self, state: PaletteState) -> None:
        self._state = state

    def _own(self, call: Call) -> Token:
        found = self._state.tokens.get(call.uid)
        if found is None:
            raise not_found(f"registration token {call.uid}")
        return found

    def _spec(self, call: Call) -> tuple[str, str]:
        """Return default project and expiry of a body. Raises ApiError."""
        spec = call.body.get("spec") or {}
        project, expiry = str(spec.get("defaultProjectUid") or ""), str(spec.get("expiry") or "")
        if project and project not in self._state.projects:
            raise not_found(f"project {project}")
        try:
            parse_time(expiry)
        except ValueError as error:
            raise bad_request("InvalidTokenExpiry", f"expiry {expiry!r} is no RFC 3339 time") from error
        return project, expiry

    def listing(self, _: Call) -> web.Response:
        return web.json_response({"items": [view.token(self._state, entry) for entry in self._state.tokens.values()]})

    def create(self, call: Call) -> web.Response:
        project, expiry = self._spec(call)
        metadata = call.body.get("metadata") or {}
        if not metadata.get("name"):
            raise bad_request("InvalidTokenName", "a registration token needs a name")
        entry = self._state.add_token(
            str(metadata["name"]), project=project, expiry=expiry, annotations=dict(metadata.get("annotations") or {})
        )
        return web.json_response({"uid": entry.uid}, status=201)

    def read(self, call: Call) -> web.Response:
        return web.json_response(view.token(self._state, self._own(call)))

    def update(self, call: Call) -> web.Response:
        entry, (project, expiry) = self._own(call), self._spec(call)
        metadata = call.body.get("metadata") or {}
        entry.name = str(metadata.get("name") or entry.name)
        entry.annotations = dict(metadata.get("annotations") or entry.annotations)
        entry.project_uid, entry.expiry = project, expiry
        self._state.save()
        return _no_content()

    def set_state(self, call: Call) -> web.Response:
        entry = self._own(call)
        entry.active = call.body.get("isActive") is True
        self._state.save()
        return _no_content()

    def delete(self, call: Call) -> web.Response:
        del self._state.tokens[self._own(call).uid]
        self._state.save()
        return _no_content()


class _Tenant:
    def __init__(self, config: ServicesConfig, state: PaletteState) -> None:
        self._version = config.agent_version
        self._state = state

    def projects(self, call: Call) -> web.Response:
        rule = (call.body.get("filter") or {}).get("name") or {}
        wanted = str(rule.get("eq") or rule.get("contains") or rule.get("beginsWith") or "")
        items = [
            {"metadata": {"name": project.name, "uid": project.uid}, "specSummary": {}, "status": {}}
            for project in self._state.projects.values()
            if (project.name == wanted if rule.get("eq") else wanted in project.name)
        ]
        return web.json_response(view.page(items, call.query))

    def project_names(self, call: Call) -> web.Response:
        wanted = call.query.get("name", "")
        items = [
            {"metadata": {"name": project.name, "uid": project.uid}}
            for project in self._state.projects.values()
            if not wanted or project.name == wanted
        ]
        return web.json_response({"items": items})

    def agent_version(self, _: Call) -> web.Response:
        content = f"name: stylus\nversion: {self._version}\nreleased: true\n"
        latest = {"name": "stylus.yaml", "path": "stylus/stylus.yaml", "content": content}
        return web.json_response({"metadata": {"name": "stylus"}, "spec": {"name": "stylus", "latestVersion": latest}})
