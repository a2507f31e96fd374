"""Records, tokens and projects as the API shows them, and the search over records.

A record looks different in a search answer and when it is read alone: the search has the project in `spec.projectMeta`
and only two fields in `spec.host`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from lab.services.palette.errors import bad_request
from lab.services.palette.state import JsonObject, PaletteState, Project, Record, Token

PAGE = 50


def _metadata(record: Record) -> JsonObject:
    return {
        "uid": record.uid,
        "name": record.name,
        "labels": record.labels,
        "annotations": record.annotations,
        "creationTimestamp": record.created,
        "lastModifiedTimestamp": record.modified or record.created,
    }


def _status(record: Record, health: JsonObject | None) -> JsonObject:
    status: JsonObject = {
        "state": record.state,
        "inUseClusters": record.clusters,
        "inUseClustersRef": [{**cluster, "hybridCluster": cluster} for cluster in record.clusters],
    }
    if health is not None:
        status["health"] = health
    return status


def host_alone(record: Record, project: Project | None, health: JsonObject | None) -> JsonObject:
    """Return a record as `GET /v1/edgehosts/{uid}` shows it."""
    named = {"uid": record.project_uid, "name": project.name if project else ""}
    host = {"hostUid": record.uid, "hostAddress": record.address, "macAddress": record.mac, "project": named}
    return {
        "aclmeta": {"projectUid": record.project_uid},
        "metadata": _metadata(record),
        "spec": {"type": "edge-native", "device": record.device, "host": host, "tunnelConfig": record.tunnel},
        "status": _status(record, health),
    }


def host_found(record: Record, project: Project | None, health: JsonObject | None) -> JsonObject:
    """Return a record as the search shows it."""
    return {
        "metadata": _metadata(record),
        "spec": {
            "type": "edge-native",
            "device": record.device,
            "host": {"hostAddress": record.address, "macAddress": record.mac},
            "projectMeta": {"uid": record.project_uid, "name": project.name if project else ""},
        },
        "status": _status(record, health),
    }


def token(state: PaletteState, entry: Token) -> JsonObject:
    """Return a registration token with its value, as every read of it shows it."""
    spec: JsonObject = {"token": entry.value, "expiry": entry.expiry}
    project = state.projects.get(entry.project_uid)
    if project is not None:
        spec["defaultProject"] = {"uid": project.uid, "name": project.name}
    metadata = {
        "uid": entry.uid,
        "name": entry.name,
        "annotations": entry.annotations,
        "creationTimestamp": entry.created,
    }
    return {"metadata": metadata, "spec": spec, "status": {"isActive": entry.active}}


def page(items: list[JsonObject], query: dict[str, str]) -> JsonObject:
    """Return one page of a list with its `listmeta`. Raises ApiError for a limit over 50 or a broken `continue`."""
    try:
        limit = int(query.get("limit") or PAGE)
        offset = int(query.get("offset") or 0)
        if query.get("continue"):
            offset = int(base64.urlsafe_b64decode(query["continue"]))
    except ValueError as error:
        raise bad_request("InvalidQueryParameter", "limit, offset or continue is not valid") from error
    if not 0 < limit <= PAGE:
        raise bad_request("InvalidLimit", f"limit must be from 1 to {PAGE}")
    end = offset + limit
    more = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(items) else ""
    meta = {"continue": more, "count": len(items), "limit": limit, "offset": offset}
    return {"items": items[offset:end], "listmeta": meta}


_PROPERTIES: dict[str, Callable[[JsonObject], list[str]]] = {
    "name": lambda item: [item["metadata"]["name"]],
    "tags": lambda item: [f"{key}:{value}" for key, value in item["metadata"]["labels"].items()],
    "state": lambda item: [item["status"]["state"]],
    "healthState": lambda item: [item["status"].get("health", {}).get("state", "")],
    "architecture": lambda item: [item["spec"]["device"].get("archType", "")],
}
_SORTS: dict[str, Callable[[JsonObject], str]] = {
    "healthState": lambda item: str(item["status"].get("health", {}).get("state", "")),
    "creationTimestamp": lambda item: str(item["metadata"]["creationTimestamp"]),
    "lastModifiedTimestamp": lambda item: str(item["metadata"]["lastModifiedTimestamp"]),
    "clusterName": lambda item: "".join(cluster["name"] for cluster in item["status"]["inUseClusters"]),
    "environment": lambda item: str(item["spec"]["type"]),
}


def search(items: list[JsonObject], body: JsonObject) -> list[JsonObject]:
    """Return the items that fit the filter of a search body, sorted as it says. Raises ApiError."""
    chosen = [item for item in items if _fits(item, body.get("filter") or {})]
    for rule in reversed(body.get("sort") or []):
        key = _SORTS.get(str(rule.get("field")))
        if key is None:
            raise bad_request("InvalidSortField", f"cannot sort by {rule.get('field')!r}")
        chosen.sort(key=key, reverse=rule.get("order") == "desc")
    return chosen


def _fits(item: JsonObject, spec: JsonObject) -> bool:
    results = []
    for group in spec.get("filterGroups") or []:
        single = [_matches(item, entry) for entry in group.get("filters") or []]
        if single:
            results.append(any(single) if group.get("conjunction") == "or" else all(single))
    if not results:
        return True
    return any(results) if spec.get("conjunction") == "or" else all(results)


def _matches(item: JsonObject, entry: JsonObject) -> bool:
    name = str(entry.get("property"))
    if name not in _PROPERTIES or entry.get("type", "string") != "string":
        raise bad_request("InvalidFilterProperty", f"cannot search by {name!r}")
    condition = (entry.get("condition") or {}).get("string") or {}
    have = _PROPERTIES[name](item)
    match = condition.get("match") or {}
    wanted = [str(value) for value in match.get("values") or []]
    if condition.get("ignoreCase"):
        have, wanted = [text.lower() for text in have], [text.lower() for text in wanted]
    test = {
        "eq": lambda value: value in have,
        "contains": lambda value: any(value in text for text in have),
        "beginsWith": lambda value: any(text.startswith(value) for text in have),
    }.get(str(condition.get("operator")))
    if test is None:
        raise bad_request("InvalidFilterOperator", f"unknown operator {condition.get('operator')!r}")
    hits = [test(value) for value in wanted]
    return (all(hits) if match.get("conjunction") == "and" else any(hits)) != bool(condition.get("negation"))
