"""Forms of requests and answers, and what cannot be right before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from edge.errors import PaletteError
from edge.palette.masked import Masked


def tag_filter(tags: Mapping[str, str]) -> dict[str, object]:
    """Return the search filter for records with one of `tags`; Palette joins the values `key:value` with or."""
    if not tags:
        return {}
    match = {"conjunction": "or", "values": [f"{key}:{value}" for key, value in sorted(tags.items())]}
    condition = {"string": {"operator": "eq", "negation": False, "ignoreCase": False, "match": match}}
    item = {"property": "tags", "type": "string", "condition": condition}
    return {"conjunction": "and", "filterGroups": [{"conjunction": "and", "filters": [item]}]}


def version_text(body: object) -> str:
    """Return the YAML text inside an answer to `GET /v1/services/stylus/version`, empty if there is none."""
    part = body
    for key in ("spec", "latestVersion", "content"):
        part = part.get(key) if isinstance(part, Mapping) else None
    return part if isinstance(part, str) else ""


def checked_url(base_url: str) -> str:
    """Return the address without a final slash; refuse one that would send the key in clear text."""
    parts = urlsplit(base_url)
    local = parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and local)) and "@" not in parts.netloc:
        return base_url.rstrip("/")
    raise PaletteError(
        f"palette.apiUrl {parts.scheme or '(no scheme)'}://{parts.hostname or '(no host)'} is no https address.",
        remedy="write https://HOST, as https://api.spectrocloud.com: the API key must not travel in clear text.",
    )


def check_key(key: Masked, key_source: str, server: str) -> None:
    """Refuse a key that no HTTP header can hold, without showing it."""
    plain = key.reveal()
    if plain and plain.isascii() and plain.isprintable() and " " not in plain:
        return
    problem = "is empty" if not plain else "holds a blank, a line break or a character outside ASCII"
    raise PaletteError(
        f"the API key from the {key_source} {problem}.",
        remedy="copy the key again, whole and without quotes or a line end.",
        where=f"Palette {server}",
    )
