"""The vSphere tags that exist, from the REST interface: the SOAP one has none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import httpx

from edge.vcenter.session import Session

_BASE = "/rest/com/vmware/cis/tagging"


def tags_of(session: Session, categories: Iterable[str]) -> dict[str, frozenset[str] | None]:
    """Return the categories that exist by name, with the tags of those asked for (None for the others)."""
    wanted = set(categories)
    with session.rest() as client:
        found: dict[str, frozenset[str] | None] = {}
        for identity in _value(client, "GET", f"{_BASE}/category"):
            name = str(_value(client, "GET", f"{_BASE}/category/id:{identity}")["name"])
            found[name] = _names(client, identity) if name in wanted else None
        return found


def _names(client: httpx.Client, category: str) -> frozenset[str]:
    identities = _value(client, "POST", f"{_BASE}/tag/id:{category}?~action=list-tags-for-category")
    return frozenset(str(_value(client, "GET", f"{_BASE}/tag/id:{one}")["name"]) for one in identities)


def _value(client: httpx.Client, method: str, path: str) -> Mapping[str, object]:
    answer = client.request(method, path)
    answer.raise_for_status()
    found: Mapping[str, object] = answer.json()["value"]
    return found
