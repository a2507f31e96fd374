"""Writes the lab's stack file: the committed `Pulumi.lab.yaml` with what this lab really has.

The committed file is valid by itself and shows the site as it is meant; only addresses, host keys, certificates and the
name of the operating system differ from lab to lab. Comments and order stay.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, MutableMapping, MutableSequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString, ScalarString

from edge.errors import LabError
from lab.block import Block
from lab.machines import BUILDER, plans
from lab.paths import CHECKOUT
from lab.site import Site

COMMITTED = CHECKOUT / "Pulumi.lab.yaml"
NAMESPACE = "edge-hosts"
_AUTHORITIES = {"paletteCa": "public", "corporateCa": "corporate"}
# Systems that AWS lists need no visible override.
_LISTED = ("ubuntu-22.04", "ubuntu-24.04")


def render(site: Site, committed: Path = COMMITTED) -> str:
    """Return the text of the stack file of a site. Raises LabError when the committed file lacks a machine."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    document: Any = yaml.load(committed.read_text("utf-8"))
    config = document["config"]
    for path, container, key in _texts(config):
        moved = site.block.moved(container[key])
        if moved != container[key]:
            container[key] = type(container[key])(moved) if path else moved
    for name, authority in _AUTHORITIES.items():
        pem = (site.paths.root / "ca" / f"{authority}.pem").read_text("utf-8")
        if f"{NAMESPACE}:{name}" in config:
            config[f"{NAMESPACE}:{name}"] = LiteralScalarString(pem)
    _hosts(config[f"{NAMESPACE}:site"], site, committed)
    _operating_system(config[f"{NAMESPACE}:site"], site)
    text = io.StringIO()
    yaml.dump(document, text)
    return text.getvalue()


def write(site: Site, committed: Path = COMMITTED) -> Path:
    """Write the stack file of a site into the lab's folder and return it; an equal file is left alone."""
    path, text = site.paths.stack_file, render(site, committed)
    if not path.exists() or path.read_text("utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return path


def _texts(value: Any) -> Iterator[tuple[bool, Any, Any]]:
    """Yield every text inside plain data: whether it keeps a style of its own, its container, and its key in it."""
    pairs: Iterator[tuple[Any, Any]] | list[tuple[Any, Any]] = []
    if isinstance(value, MutableMapping):
        pairs = list(value.items())
    elif isinstance(value, MutableSequence):
        pairs = list(enumerate(value))
    for key, inner in pairs:
        if isinstance(inner, str):
            yield isinstance(inner, ScalarString), value, key
        else:
            yield from _texts(inner)


def _hosts(settings: Any, site: Site, committed: Path) -> None:
    """Set the host key of every host, jump host and build machine that is a machine of the lab, found by its address."""
    by_address = {str(plan.address): plan.name for plan in site.plans}
    image = settings.get("image") or {}
    builder = image.get("builder") or {}
    targets = [builder] if builder.get("machine") == "ssh" else []
    for host in settings["hosts"].values():
        targets += [host, (host.get("ssh") or {}).get("jumpHost") or {}]
    found = set()
    for target in targets:
        name = by_address.get(str(target.get("address", "")).split("/")[0])
        if name:
            target["hostKey"] = site.ssh(name).host_key
            found.add(name)
    # A site that builds nothing needs no build machine.
    needed = {name for name in by_address.values() if name != BUILDER or image.get("source") == "build"}
    if missing := sorted(needed - found):
        place = "`image.builder`" if missing[0] == BUILDER else "a host or jump host"
        raise LabError(
            f"no host has the address of the lab's machine {missing[0]}",
            where=str(committed),
            remedy=f"give {place} there the address {_default_address(missing[0])}.",
        )


def _default_address(name: str) -> str:
    """Return the address that a machine has in the committed file."""
    return next(str(plan.address) for plan in plans(Block()) if plan.name == name)


def _operating_system(settings: Any, site: Site) -> None:
    """Accept the system that the lab's machines really run, where AWS does not list it."""
    if site.os_id in _LISTED:
        settings.pop("acceptOs", None)
    elif "acceptOs" in settings:
        settings["acceptOs"][:] = [site.os_id]
