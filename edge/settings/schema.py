"""The JSON Schema of `edge-hosts:site`, for editors: made from the models, so that it cannot say anything else.

`python -m edge.settings.reference` writes it to schema/site.schema.json; a test keeps the file in step.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from edge.settings.site import AnyStack

DRAFT = "https://json-schema.org/draft/2020-12/schema"
FILE = "schema/site.schema.json"


def site_schema() -> dict[str, Any]:
    """Return the JSON Schema of a site (and of the other kinds of stacks), with a description for every key."""
    schema = TypeAdapter(AnyStack).json_schema(by_alias=True, mode="validation")
    body = _without_titles(schema)
    return {
        "$schema": DRAFT,
        "title": "edge-hosts:site",
        "description": "What stands under `edge-hosts:site` in Pulumi.STACK.yaml.",
        **body,
    }


def _without_titles(value: Any, *, names: bool = False) -> Any:
    """Return a schema without the titles that repeat the names; `names` says that the keys are names of properties.

    A host that does not say what machine it is fits both kinds: one of them is enough.
    """
    if isinstance(value, dict):
        return {
            "anyOf" if key == "oneOf" and not names else key: _without_titles(
                inner, names=key in ("properties", "$defs") and not names
            )
            for key, inner in value.items()
            if names or key != "title"
        }
    if isinstance(value, list):
        return [_without_titles(inner) for inner in value]
    return value


def schema_text() -> str:
    """Return the schema as it stands in the file."""
    return json.dumps(site_schema(), indent=2, ensure_ascii=False) + "\n"
