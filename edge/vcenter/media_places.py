"""Finds datacenter and datastore by their names, once per login."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, overload
from urllib.parse import unquote

from pyVmomi import vim

from edge.vcenter import properties
from edge.vcenter.errors import VcenterError
from edge.vcenter.session import Session


@dataclass(frozen=True)
class Center:
    """A datacenter; `path` is its inventory path without a leading slash, as `/folder` wants it."""

    ref: Any
    name: str
    path: str


@dataclass(frozen=True)
class Store:
    """A datastore of a datacenter; `hosts` are the ESXi hosts that may write to it, `kind` is as vSphere calls it."""

    ref: Any
    name: str
    kind: str
    browser: Any
    hosts: tuple[Any, ...]


class Places:
    """The places of one login."""

    def __init__(self, live: Session) -> None:
        self._live = live
        self._centers: dict[str, Center] = {}
        self._stores: dict[tuple[str, str], Store] = {}

    @overload
    def datacenter(self, name: str) -> Center: ...
    @overload
    def datacenter(self, name: str, *, missing_ok: bool) -> Center | None: ...
    def datacenter(self, name: str, *, missing_ok: bool = False) -> Center | None:
        """Return a datacenter by its name or inventory path. Raises VcenterError that lists those that are there."""
        wanted = name.strip("/")
        if wanted not in self._centers:
            found = self._live.ask(_centers)
            fitting = [one for one in found if wanted in (one.name, one.path)]
            if not fitting and missing_ok:
                return None
            if len(fitting) != 1:
                raise self._missing("datacenter", wanted, [one.path for one in found], several=len(fitting) > 1)
            self._centers[wanted] = fitting[0]
        return self._centers[wanted]

    @overload
    def datastore(self, center: Center, name: str) -> Store: ...
    @overload
    def datastore(self, center: Center, name: str, *, missing_ok: bool) -> Store | None: ...
    def datastore(self, center: Center, name: str, *, missing_ok: bool = False) -> Store | None:
        """Return a datastore of a datacenter. Raises VcenterError that lists those that are there."""
        key = (center.path, name)
        if key not in self._stores:
            found = self._live.ask(lambda content: _stores(content, center))
            if name not in found and missing_ok:
                return None
            if name not in found:
                raise self._missing("datastore", name, sorted(found), several=False)
            self._stores |= {(center.path, one): store for one, store in found.items()}
        return self._stores[key]

    def _missing(self, kind: str, name: str, there: list[str], *, several: bool) -> VcenterError:
        problem = f"has several {kind}s called {name}" if several else f"has no {kind} {name} that its user may see"
        return VcenterError(
            f"{problem}; there are {', '.join(sorted(there)) or 'none'}.",
            remedy=f"correct the {kind} in the settings, or let the user read it",
            where=self._live.where,
        )


def _centers(content: Any) -> list[Center]:
    kinds: Mapping[type[Any], tuple[str, ...]] = {vim.Datacenter: ("name", "parent"), vim.Folder: ("name", "parent")}
    found = properties.below(content, content.rootFolder, kinds)
    names = {one._moId: got for one, got in (*found.get(vim.Folder, ()), *found.get(vim.Datacenter, ()))}
    centers = []
    for one, got in found.get(vim.Datacenter, ()):
        path, above = [_plain(got)], got.get("parent")
        while above is not None and above._moId in names:
            path.insert(0, _plain(names[above._moId]))
            above = names[above._moId].get("parent")
        centers.append(Center(one, _plain(got), "/".join(path)))
    return centers


def _plain(got: Mapping[str, Any]) -> str:
    return unquote(str(got.get("name")))


def _stores(content: Any, center: Center) -> dict[str, Store]:
    listed = properties.of(content, [center.ref], vim.Datacenter, ("datastore",))
    stores = list(listed[0][1].get("datastore") or ()) if listed else []
    found = properties.of(content, stores, vim.Datastore, ("name", "browser", "summary.type", "host"))
    return {_plain(got): _store(one, got) for one, got in found}


def _store(one: Any, got: Mapping[str, Any]) -> Store:
    hosts = tuple(mount.key for mount in got.get("host") or () if _writes(mount.mountInfo))
    return Store(one, _plain(got), str(got.get("summary.type") or ""), got.get("browser"), hosts)


def _writes(mount: Any) -> bool:
    mode: Literal["readWrite"] = "readWrite"
    # Absent stands for a server of old that does not say.
    return mount.accessMode == mode and mount.mounted is not False and mount.accessible is not False
