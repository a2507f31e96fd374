"""The reviewed form of a program run: what an operator would want to see change, and nothing that changes by itself."""

from __future__ import annotations

import hashlib
import json
import shlex
from typing import Any

from components.testing import SECRET_KEY, Recording, Registration, unwrapped
from edge import steps

LONG = 100


def values_of(stdin: str) -> dict[str, str]:
    """Return the values that a step's text assigns, long ones by their digest only."""
    for step in steps._FILES:
        prefix = f"{steps.CUT_OFF}\n{steps.packed(step)}"
        if stdin.startswith(prefix):
            block = stdin[len(prefix) : stdin.rindex("main ")]
            pairs = (word.partition("=") for word in shlex.split(block))
            return {name: _short(value) for name, _, value in pairs}
    raise ValueError("this is no text of a step")


def _short(value: str) -> str:
    if len(value) <= LONG and "\n" not in value:
        return value
    return f"{len(value)} characters, sha256 {hashlib.sha256(value.encode()).hexdigest()[:12]}"


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        if SECRET_KEY in value:
            return {"secret": True}
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return _short(value) if isinstance(value, str) else value


def _one(link: Registration) -> dict[str, Any]:
    inputs = {key: value for key, value in link.inputs.items() if key != "__provider"}
    shown = {key: _masked(value) for key, value in inputs.items() if key not in ("stdin", "connection")}
    if "stdin" in inputs:
        secret = {"EH_USERDATA", "EH_USERDATA_CORE_SHA", "EH_PROXY_HTTP", "EH_PROXY_HTTPS"}
        found = values_of(unwrapped(inputs["stdin"]))
        shown["stdin"] = {
            "secret": link.is_secret("stdin"),
            "values": {name: "•••" if name in secret and value else value for name, value in found.items()},
        }
    if "connection" in inputs:
        plain = unwrapped(inputs["connection"])
        shown["connection"] = {key: _unkeyed(key, value) for key, value in plain.items()}
    options = {
        "protect": link.protect,
        "retainOnDelete": link.retain_on_delete,
        "onError": link.on_error,
        "additionalSecretOutputs": link.additional_secret_outputs,
        "replaceOnChanges": link.replace_on_changes,
        "dependsOn": link.dependencies,
    }
    return {
        "type": link.type,
        "name": link.name,
        "parent": link.parent,
        "inputs": shown,
        "options": {key: value for key, value in options.items() if value},
    }


def _unkeyed(key: str, value: Any) -> Any:
    if key == "proxy" and value:
        return {inner: _unkeyed(inner, item) for inner, item in value.items()}
    return "•••" if key.startswith(("privateKey", "password")) else value


def snapshot(recording: Recording) -> str:
    """Return the whole recording as sorted JSON text."""
    links = sorted((_one(link) for link in recording.resources), key=lambda one: (one["type"], one["name"]))
    exports = json.loads(json.dumps(_masked(recording.exports)))
    exports.pop("run", None)
    for facts in exports.get("hosts", {}).values():
        facts.pop("run", None)
    if "firewall" in exports:
        exports["firewall"] = f"{len(exports['firewall'])} rows"
    return json.dumps({"resources": links, "exports": exports}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
