"""`+validate-user-data`: whether the keys of a user-data file have values of the right type.

Only types are judged, as documented: a missing token, a project or an interface that is not there, are no problem here
(Palette docs, validate user-data; installer reference).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

_TEXT, _FLAG, _LIST, _MAP, _NUMBER = "string", "boolean", "array", "object", "integer"
_NAMES = {str: _TEXT, bool: _FLAG, list: _LIST, dict: _MAP, int: _NUMBER, float: "number", type(None): "null"}
# A key -> the type of its value, or what may be below it; `*` is any key, `[]` each element of a list.
_SCHEMA: Mapping[str, Any] = {
    "install": {
        "reboot": _FLAG,
        "poweroff": _FLAG,
        "device": _TEXT,
        "bind_mounts": {"[]": _TEXT},
        "extra-dirs-rootfs": {"[]": _TEXT},
        "grub_options": {"*": _TEXT},
        "partitions": {"persistent": {"size": _NUMBER, "fs": _TEXT}},
        "extra-partitions": {"[]": {"name": _TEXT, "size": _NUMBER, "fs": _TEXT, "label": _TEXT}},
    },
    "stylus": {
        "debug": _FLAG,
        "trace": _FLAG,
        "disablePasswordUpdate": _FLAG,
        "managementMode": _TEXT,
        "path": _TEXT,
        "vip": {"skip": _FLAG},
        "localUI": {"port": _NUMBER},
        "registryCredentials": {
            "domain": _TEXT, "username": _TEXT, "password": _TEXT, "encodedPassword": _FLAG, "insecure": _FLAG,
        },
        "externalRegistries": {
            "registries": {"[]": {"domain": _TEXT, "username": _TEXT, "password": _TEXT}},
            "registryMappingRules": {"*": _TEXT},
        },
        "site": {
            **dict.fromkeys(
                ("edgeHostToken", "paletteEndpoint", "projectName", "projectUid", "name", "hostName", "prefix"), _TEXT
            ),
            "insecureSkipVerify": _FLAG,
            "tags": {"*": _TEXT},
            "caCerts": {"[]": _TEXT},
            "users": {"*": {"passwd": _TEXT, "lock_passwd": _FLAG, "ssh_authorized_keys": {"[]": _TEXT}}},
            "network": {
                "httpProxy": _TEXT, "httpsProxy": _TEXT, "noProxy": _TEXT, "nameserver": _TEXT,
                "interfaces": {"*": {"type": _TEXT, "ipAddress": _TEXT, "gateway": _TEXT, "nameserver": _TEXT}},
            },
        },
    },
    "stages": {"*": {"[]": {"name": _TEXT, "if": _TEXT, "commands": {"[]": _TEXT}, "files": {"[]": {"path": _TEXT}}}}},
}  # fmt: skip


def problems(text: str) -> list[str]:
    """Return what is wrong with a user-data file, as `KEY: Invalid type. Expected: A, given: B`; at best nothing."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return [f"(root): {' '.join(str(error).split())}"]
    return list(_judged("(root)", data if data is not None else {}, _SCHEMA))


def _judged(place: str, value: Any, wanted: Any) -> Iterator[str]:
    """Yield what does not fit at a place and below it."""
    kind = wanted if isinstance(wanted, str) else _LIST if "[]" in wanted else _MAP
    given = _NAMES.get(type(value), _TEXT)
    if given != kind:
        yield f"{place}: Invalid type. Expected: {kind}, given: {given}"
        return
    if isinstance(wanted, str):
        return
    inner = enumerate(value) if kind == _LIST else value.items()
    for key, one in inner:
        below = wanted["[]"] if kind == _LIST else wanted.get(str(key), wanted.get("*"))
        if below is not None:
            yield from _judged(f"{place}.{key}".removeprefix("(root)."), one, below)
