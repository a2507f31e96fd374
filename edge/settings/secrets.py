"""Secrets in a stack file: named inside the site, stored beside it, encrypted, and never in clear text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edge.findings import Finding
from edge.settings.identity import CODE_SECRET
from edge.settings.palette import API_KEY_SECRET, TOKEN_SECRET
from edge.settings.vsphere import PASSWORD_SECRET, SEED_SECRET
from edge.settings.yamltext import Path_, dotted

NAMESPACE = "edge-hosts"


def _objects(value: object, path: Path_ = ()) -> Iterator[tuple[Path_, Mapping[str, object]]]:
    """Yield every mapping inside a value with its path."""
    if isinstance(value, Mapping):
        yield path, value
        for key, inner in value.items():
            yield from _objects(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _objects(inner, (*path, index))


def inside_site(site: object) -> list[Finding]:
    """Return a finding for every encrypted value inside the site (`pulumi config set --path --secret`)."""
    return [
        Finding(
            dotted(path, "site"),
            None,
            "is an encrypted value inside the site: the engine would hand the whole site over decrypted",
            "Set it as a key of its own (`pulumi config set --secret NAME`) and write {secret: NAME} here.",
        )
        for path, value in _objects(site)
        if set(value) == {"secure"}
    ]


def named(site: object) -> set[str]:
    """Return the names of all secrets that raw settings name, also where the settings are not valid otherwise."""
    names = {value["secret"] for _, value in _objects(site) if set(value) == {"secret"}}
    return {name for name in names if isinstance(name, str)} | {
        TOKEN_SECRET,
        API_KEY_SECRET,
        "sshPrivateKey",
        SEED_SECRET,
        PASSWORD_SECRET,
        CODE_SECRET,
    }


def plain_secrets(site: object, config: Mapping[str, object]) -> list[Finding]:
    """Return a finding for every secret that stands in the stack file in clear text; its value is not repeated."""
    return [
        Finding(
            f"{NAMESPACE}:{name}",
            None,
            "is a secret, but stands in the file in clear text",
            f"Run `pulumi config set --secret {name}`, and change the secret where it is used: it has been in a file.",
        )
        for name in sorted(named(site))
        if (value := config.get(f"{NAMESPACE}:{name}")) is not None
        and not (isinstance(value, Mapping) and set(value) == {"secure"})
    ]


def stored(config: Mapping[str, object]) -> frozenset[str]:
    """Return the names of the secrets that a stack file holds."""
    prefix = f"{NAMESPACE}:"
    return frozenset(
        key.removeprefix(prefix)
        for key, value in config.items()
        if key.startswith(prefix) and isinstance(value, Mapping) and set(value) == {"secure"}
    )
