"""Few calls for many properties: the property collector, asked for exactly what is needed.

Whole objects are never read: they cost hundreds of calls, and a value that this client does not know would end the read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyVmomi import vim, vmodl

_COLLECT: Any = vmodl.query.PropertyCollector
Read = tuple[Any, Mapping[str, Any]]


def below(content: Any, root: Any, wanted: Mapping[type[Any], Sequence[str]]) -> dict[type[Any], list[Read]]:
    """Return, for every kind, the objects below `root` with the properties asked for; one view, one read."""
    view = content.viewManager.CreateContainerView(root, list(wanted), True)
    try:
        way = _COLLECT.TraversalSpec(name="view", path="view", skip=False, type=vim.view.ContainerView)
        found: dict[type[Any], list[Read]] = {}
        for kind, properties in wanted.items():
            start = _COLLECT.ObjectSpec(obj=view, skip=True, selectSet=[way])
            found[kind] = [one for one in _read(content, [start], kind, properties) if type(one[0]) is kind]
        return found
    finally:
        view.DestroyView()


def of(content: Any, objects: Iterable[Any], kind: type[Any], properties: Sequence[str]) -> list[Read]:
    """Return the properties of the objects given; one read. An object that is gone meanwhile is passed over."""
    starts = [_COLLECT.ObjectSpec(obj=one, skip=False) for one in objects]
    if not starts:
        return []
    try:
        return list(_read(content, starts, kind, properties))
    except vmodl.fault.ManagedObjectNotFound:
        if len(starts) == 1:
            return []
        return [one for start in starts for one in of(content, [start.obj], kind, properties)]


def _read(content: Any, starts: Sequence[Any], kind: type[Any], properties: Sequence[str]) -> Iterable[Read]:
    asked = _COLLECT.PropertySpec(type=kind, pathSet=list(properties), all=False)
    spec = _COLLECT.FilterSpec(objectSet=list(starts), propSet=[asked])
    collector = content.propertyCollector
    part = collector.RetrievePropertiesEx([spec], _COLLECT.RetrieveOptions())
    while part is not None:
        for one in part.objects:
            yield one.obj, {entry.name: entry.val for entry in one.propSet}
        part = collector.ContinueRetrievePropertiesEx(part.token) if part.token else None
