"""The configuration of a stack file in the form in which the engine hands it to a program: text, objects as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.settings.yamltext import read

NAMESPACE = "edge-hosts"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, default=str)


def program_config(stack_file: Path, secrets: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the program's configuration and the names of its secret keys.

    Encrypted values of the file are left out; `secrets` gives the values of the secrets by their plain names.
    """
    raw: Mapping[str, Any] = read(stack_file).data["config"]
    plain = {
        key: _text(value) for key, value in raw.items() if not (isinstance(value, dict) and set(value) == {"secure"})
    }
    hidden = {f"{NAMESPACE}:{name}": value for name, value in secrets.items()}
    return {**plain, **hidden}, sorted(hidden)
