"""Asking a vCenter which privileges its user lacks, and on what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyVmomi import vim, vmodl

from edge.settings import StackSettings
from edge.vcenter.model import Inventory
from edge.vcenter.placement import Place
from edge.vcenter.privileges import Target, needed

_KINDS: Mapping[Target, Any] = {
    "root": vim.Folder,
    "folder": vim.Folder,
    "template": vim.VirtualMachine,
    "datastore": vim.Datastore,
    "network": vim.Network,
    "pool": vim.ResourcePool,
    "cluster": vim.ClusterComputeResource,
}


class Wanted(dict[str, tuple[Target, str, tuple[str, ...]]]):
    """By id of an object: what it is, how a person calls it, and the privileges needed on it."""

    def need(self, target: Target, identity: str, name: str, privileges: Iterable[str]) -> None:
        """Add privileges that are needed on an object."""
        known = self.get(identity, (target, name, ()))[2]
        both = tuple(dict.fromkeys((*known, *privileges)))
        if both:
            self[identity] = (target, name, both)


def wanted_on(settings: StackSettings, inventory: Inventory, places: Sequence[Place]) -> Wanted:
    """Return the privileges that a site needs on each of the objects that it uses."""
    wanted = Wanted()
    wanted.need("root", inventory.root, "the vCenter itself (/)", needed("root"))
    for place in places:
        uses = _uses(settings, place)
        center = place.datacenter
        if center is None:
            continue
        folder = place.folder.id if place.folder else center.vm_folder
        path = f"/{center.name}/vm" + (f"/{place.folder.path}" if place.folder and place.folder.path else "")
        wanted.need("folder", folder, f"folder {path}", needed("folder", uses))
        if place.template:
            wanted.need("template", place.template.id, f"template {place.template.name}", needed("template", uses))
        for store in place.datastores:
            wanted.need("datastore", store.id, f"datastore {store.name}", needed("datastore", uses))
        if place.network:
            wanted.need("network", place.network.id, f"network {place.network.name}", needed("network", uses))
        if place.pool and place.compute:
            name = f"resource pool {place.compute.name}/{place.pool.path or 'Resources'}"
            wanted.need("pool", place.pool.id, name, needed("pool", uses))
        if place.compute and place.compute.cluster:
            wanted.need("cluster", place.compute.id, f"cluster {place.compute.name}", needed("cluster", uses))
    return wanted


def _uses(settings: StackSettings, place: Place) -> list[str]:
    site = settings.site.vsphere
    asked = {
        "antiAffinity": site is not None and site.anti_affinity,
        "ha": place.vm.restart_priority is not None,
        "datastoreCluster": place.vm.datastore_cluster is not None,
        "tags": bool(place.vm.tags),
        "attributes": bool(place.vm.attributes),
        "appliance": place.host.mode == "appliance",
    }
    return [name for name, used in asked.items() if used]


def missing(content: Any, wanted: Wanted) -> list[tuple[str, tuple[str, ...]]]:
    """Return, by the object's name, the privileges that the user of the session lacks; empty when it lacks none."""
    stub = content.rootFolder._stub
    objects = {identity: _KINDS[target](identity, stub) for identity, (target, _, _) in wanted.items()}
    has = _granted(content, objects, sorted({one for _, _, privileges in wanted.values() for one in privileges}))
    lacking = [
        (name, tuple(one for one in privileges if one not in has.get(identity, frozenset())))
        for identity, (_, name, privileges) in wanted.items()
    ]
    return [(name, privileges) for name, privileges in lacking if privileges]


def _granted(content: Any, objects: Mapping[str, Any], privileges: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the privileges granted by object: asked of the session itself, which knows the groups of its user."""
    manager, session = content.authorizationManager, content.sessionManager.currentSession
    entities = list(objects.values())
    try:
        answers = manager.HasPrivilegeOnEntities(entities, session.key, list(privileges))
    except (vmodl.fault.InvalidArgument, vim.fault.NotFound, vmodl.fault.NotSupported):
        # A server that does not know one of the privileges refuses the whole question; this one lists what it knows.
        found = manager.FetchUserPrivilegeOnEntities(entities, session.userName)
        return {one.entity._moId: frozenset(one.privileges) for one in found}
    return {
        one.entity._moId: frozenset(each.privId for each in one.privAvailability if each.isGranted) for one in answers
    }
