"""`palette.userDataExtra`: any key of the installer reference, merged over what the program writes, fixed parts kept.

What is fixed has a setting of its own, or decides whether the host can register at all. A table says which, and what to
use instead; the merge itself only ever adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from edge.findings import Finding
from edge.settings.palette import RESERVED_TAGS
from edge.settings.translate import nearest
from edge.settings.yamltext import Path_, dotted

WHERE = "site.palette.userDataExtra"
ROOTS = ("stylus", "install", "stages")

# Path below the user-data -> what to do instead.
FIXED: Mapping[tuple[str, ...], str] = {
    ("stylus", "site", "edgeHostToken"): "Set the secret `registrationToken` of the stack",
    ("stylus", "site", "paletteEndpoint"): "Use `palette.endpoint`",
    ("stylus", "site", "projectName"): "Use `palette.project`",
    ("stylus", "site", "projectUid"): "Use `palette.projectUid`",
    ("stylus", "site", "name"): "Remove it: the name is the host's key under `hosts`",
    ("stylus", "site", "hostName"): "Remove it: the name is the host's key under `hosts`",
    ("stylus", "site", "deviceUIDPaths"): "Remove it: the id of a host is its name",
    ("stylus", "site", "prefix"): "Remove it: the id of a host is its name",
    ("stylus", "site", "disableAutoRegister"): "Remove it: the host would wait for a person in Palette",
    ("stylus", "site", "caCerts"): "Use `caCerts`",
    ("stylus", "site", "network", "httpProxy"): "Use `proxy`",
    ("stylus", "site", "network", "httpsProxy"): "Use `proxy`",
    ("stylus", "site", "network", "noProxy"): "Use `proxy.noProxy`",
    ("stylus", "site", "network", "interfaces"): "Use `palette.staticNetwork`",
    ("stylus", "managementMode"): "Remove it: hybrid nodes need central management, which is the default",
    ("stylus", "installationMode"): "Remove it: hybrid nodes need a connected installation",
    ("stylus", "vip", "skip"): "Use `palette.vipSkip`",
    ("stylus", "registryCredentials"): "Use `palette.registryCredentials`",
    ("install", "reboot"): "Remove it: the agent's installation ends with a reboot",
    ("install", "poweroff"): "Remove it: the agent's installation ends with a reboot",
}


_NO_MAPPING, _LINES = "must be a mapping", "Write `key: value` lines below it, or remove it"
_TAGS = ("stylus", "site", "tags")
# What lies above parts of the program: another value than a mapping there would take their place.
_ABOVE = sorted({path[:size] for path in (*FIXED, (*_TAGS, "")) for size in range(1, len(path))})
_MISSING = object()


def extra_findings(extra: Mapping[str, Any]) -> list[Finding]:
    """Return what is wrong with the extra user-data: fixed parts, what would replace parts of the program, unknown roots,
    stages of a wrong shape, passwords.
    """
    return [*_roots(extra), *_above(extra), *_fixed(extra), *_tags(extra), *_stages(extra), *passwords(extra)]


def twice_findings(extra: Mapping[str, Any], *, tags: Iterable[str], static: bool, skips: bool) -> list[Finding]:
    """Return what the extra user-data says once more although the settings say it already, and only one can count.

    `tags` are those of the settings; `static`: a host has a static network; `skips`: TLS is not verified.
    """
    site = ("stylus", "site")
    both: dict[Path_, tuple[bool, str]] = {
        (*site, "network", "nameserver"): (
            static,
            "`palette.staticNetwork`, or `vsphere.nameservers` of an appliance VM",
        ),
        (*site, "insecureSkipVerify"): (skips, "`palette.insecureSkipVerify`"),
        **{(*_TAGS, tag): (True, "`tags` of the settings") for tag in tags},
    }
    return [
        _finding(path, f"stands beside {other}", "Keep one of the two")
        for path, (there, other) in both.items()
        if there and _at(extra, path) is not _MISSING
    ]


def _at(extra: Mapping[str, Any], path: Path_) -> Any:
    """Return the value at a path, `_MISSING` where there is none; a key without a value is there, too."""
    here: Any = extra
    for part in path:
        here = here.get(part, _MISSING) if isinstance(here, Mapping) else _MISSING
    return here


def _finding(path: Path_, problem: str, remedy: str, value: object = None) -> Finding:
    return Finding(dotted(path, WHERE), value, problem, f"{remedy}.")


def _roots(extra: Mapping[str, Any]) -> Iterator[Finding]:
    for root in extra:
        if root not in ROOTS:
            near = nearest(root, ROOTS)
            hint = f"Did you mean `{near}`? Possible" if near else "Possible"
            yield _finding((root,), "is no part of the user-data", f"{hint} are {', '.join(ROOTS)}")
        elif root == "stages" and not isinstance(extra[root], Mapping):
            yield _finding((root,), _NO_MAPPING, _LINES)


def _above(extra: Mapping[str, Any]) -> Iterator[Finding]:
    for path in _ABOVE:
        value = _at(extra, path)
        if value is not _MISSING and (not isinstance(value, Mapping) or _is_secret(value)):
            yield _finding(path, _NO_MAPPING, _LINES)


def _is_secret(value: Mapping[str, Any]) -> bool:
    """Return whether a mapping is {secret: NAME}, which becomes a text."""
    return set(value) == {"secret"}


def _fixed(extra: Mapping[str, Any]) -> Iterator[Finding]:
    for path, instead in FIXED.items():
        if _at(extra, path) is not _MISSING:
            yield _finding(path, "is a fixed part of the user-data", instead)


def _tags(extra: Mapping[str, Any]) -> Iterator[Finding]:
    tags = _at(extra, _TAGS)
    if isinstance(tags, Mapping):
        for key in tags:
            if str(key).startswith(RESERVED_TAGS):
                problem, remedy = "is a tag that the program sets itself", f"Choose a name without {RESERVED_TAGS}"
                yield _finding((*_TAGS, str(key)), problem, remedy)


def _stages(extra: Mapping[str, Any]) -> Iterator[Finding]:
    stages = extra.get("stages")
    if not isinstance(stages, Mapping):
        return
    for name, steps in stages.items():
        if not isinstance(steps, list | tuple) or not all(isinstance(step, Mapping) for step in steps):
            yield _finding(("stages", name), "must be a list of steps", "Write `- name: ...` lines below it")


def passwords(value: object, where: str = WHERE) -> Iterator[Finding]:
    """Yield a finding for each password in clear text below `where`; the password is not repeated."""
    for path in _passwords(value, ()):
        remedy = "Write {secret: NAME}; for a user the secret must be a hash made by `mkpasswd -m sha-512`."
        yield Finding(dotted(path, where), None, "is a password in clear text", remedy)


def _passwords(value: object, path: Path_) -> Iterator[Path_]:
    if isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _passwords(inner, (*path, index))
    if not isinstance(value, Mapping):
        return
    for key, inner in value.items():
        if key in ("passwd", "password") and isinstance(inner, str | int | float):
            yield (*path, key)
        else:
            yield from _passwords(inner, (*path, key))


def merge(base: Mapping[str, Any], extra: Mapping[str, Any], path: Path_ = ()) -> dict[str, Any]:
    """Return both together: mappings merged, steps of a stage appended, other values of `extra` over those of `base`."""
    merged = dict(base)
    for key, value in extra.items():
        mine = merged.get(key)
        if isinstance(mine, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(mine, value, (*path, key))
        elif isinstance(mine, list | tuple) and isinstance(value, list | tuple) and path[:1] == ("stages",):
            merged[key] = [*mine, *value]
        else:
            merged[key] = value
    return merged
