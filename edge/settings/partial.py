"""Rules on the healthy part of a broken site, so that a person sees the problems of both at once."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from edge.findings import Finding
from edge.settings.certificates import Sources
from edge.settings.site import AnyStack
from edge.settings.translate import validate

_PARTS = re.compile(r"\.([^.\[]+)|\[([0-9]+)\]")


# What a section counts as when it is too broken to be read; rules about it are not shown.
_STAND_INS: Mapping[str, Any] = {
    "name": "site",
    "stage": "dev",
    "palette": {"project": "Default"},
    "ssh": {"user": "root"},
    "image": {"source": "stack", "stack": "image"},
    "builder": {"machine": "local"},
    "build": {"registry": "registry.example/edge", "repo": "ubuntu", "customTag": "edge"},
    "vcenters": {},
    "network": {
        "source": "given",
        "clusterName": "cluster",
        "clusterEndpoint": "https://cluster.example",
        "vpcCidrs": ["10.0.0.0/16"],
        "serviceCidr": "172.20.0.0/16",
        "remoteNodeCidrs": ["0.0.0.0/0"],
    },
}


def pruned(raw: object, findings: Sequence[Finding], sources: Sources) -> tuple[object | None, tuple[str, ...]]:
    """Return the stack without the places that are wrong, and those places; (None, ()) when nothing useful is left."""
    data = copy.deepcopy(raw)
    places = [finding.where for finding in findings if finding.where.startswith("site.")]
    for place in sorted(places, reverse=True):
        _drop(data, place)
    data = _without_holes(data)
    _complete_builds(data)
    whole, found = validate(AnyStack, data, sources=sources)  # type: ignore[arg-type]
    if found and isinstance(data, dict):
        for section in sorted({re.split(r"[.\[]", finding.where)[0] for finding in found} & set(_STAND_INS)):
            data[section] = _STAND_INS[section]
            places.append(f"site.{section}")
        whole, found = validate(AnyStack, data, sources=sources)  # type: ignore[arg-type]
    return (None, ()) if found else (whole, tuple(places))


def _complete_builds(data: Any) -> None:
    """Give every description of an image the keys that it lacks, so that the rules see the others."""
    image = data.get("image") if isinstance(data, dict) else None
    for holder in (data, image):
        if isinstance(holder, dict) and isinstance(holder.get("build"), dict):
            holder["build"] = {**_STAND_INS["build"], **holder["build"]}


def _drop(data: Any, place: str) -> None:
    """Remove one place from the data; a key that is missing altogether takes the host that lacks it with it."""
    parts: list[str | int] = [int(index) if index else key for key, index in _PARTS.findall(place.removeprefix("site"))]
    if not parts:
        return
    *above, last = parts
    here = data
    for part in above:
        if not _has(here, part):
            _drop_host(data, parts)
            return
        here = here[part]
    if not _has(here, last):
        _drop_host(data, parts)
    elif isinstance(here, dict):
        del here[last]
    else:
        here[last] = None  # kept in place, so that the other indexes stay right; lists are cleaned afterwards


def _has(here: Any, part: str | int) -> bool:
    if isinstance(here, dict):
        return part in here
    return isinstance(here, list) and isinstance(part, int) and part < len(here)


def _without_holes(data: Any) -> Any:
    """Return the data without the list items that were dropped."""
    if isinstance(data, dict):
        return {key: _without_holes(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_without_holes(value) for value in data if value is not None]
    return data


def _drop_host(data: Any, parts: list[str | int]) -> None:
    if len(parts) >= 2 and parts[0] == "hosts" and isinstance(data, dict) and isinstance(data.get("hosts"), dict):
        data["hosts"].pop(parts[1], None)
