"""Where the settings want each machine, found in the inventory; what does not exist is told with the names that do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge.settings import HostSettings
from edge.settings.vm import VmSettings
from edge.vcenter.model import Compute, Datacenter, Datastore, Esxi, Folder, Inventory, Network, Pod, Pool, Vm, listed
from edge.vcenter.rows import Rows


@dataclass(frozen=True)
class Place:
    """Where one machine goes; None or empty where the inventory holds no such thing."""

    host: HostSettings
    vm: VmSettings
    datacenter: Datacenter | None = None
    compute: Compute | None = None
    hosts: tuple[Esxi, ...] = ()
    pool: Pool | None = None
    datastores: tuple[Datastore, ...] = ()
    pod: Pod | None = None
    network: Network | None = None
    folder: Folder | None = None
    template: Vm | None = None
    present: Vm | None = None

    @property
    def name(self) -> str:
        """Return the host's name, which is the machine's."""
        return self.host.name


def place_of(inventory: Inventory, host: HostSettings, vm: VmSettings, rows: Rows) -> Place:
    """Return where a machine goes, noting in `rows` what was found and what was not."""
    center = _datacenter(inventory, vm, rows)
    if center is None:
        return Place(host, vm)
    compute, hosts = _compute(inventory, center, vm, rows)
    pod, datastores = _datastores(inventory, center, vm, rows)
    folder = _folder(inventory, center, vm, rows)
    machines = inventory.in_folder(folder)
    return Place(
        host,
        vm,
        center,
        compute,
        hosts,
        _pool(inventory, compute, vm, rows) if compute else None,
        datastores,
        pod,
        _network(inventory, center, vm, rows),
        folder,
        None if host.mode == "appliance" else _template(inventory, center, vm, rows),
        next((one for one in machines if one.name == host.name), None),
    )


def _datacenter(inventory: Inventory, vm: VmSettings, rows: Rows) -> Datacenter | None:
    found = [one for one in inventory.datacenters if one.name == vm.datacenter]
    if len(found) == 1:
        rows.good("vsphere.datacenter", vm.datacenter)
        return found[0]
    known = listed(one.name for one in inventory.datacenters)
    seen = f"no datacenter {vm.datacenter}" if not found else f"{len(found)} datacenters {vm.datacenter}"
    rows.bad("vsphere.datacenter", f"{seen}; {known}")
    return None


def _compute(
    inventory: Inventory, center: Datacenter, vm: VmSettings, rows: Rows
) -> tuple[Compute | None, tuple[Esxi, ...]]:
    """Return the cluster or host, and the ESXi hosts that may run the machine."""
    here = {one.id: one for one in inventory.computes if one.datacenter == center.id}
    if vm.esxi_host:
        hosts = [one for one in inventory.hosts if one.compute in here]
        chosen = [one for one in hosts if one.name == vm.esxi_host]
        what, wanted, names = "ESXi host", vm.esxi_host, [one.name for one in hosts]
        compute = here[chosen[0].compute] if chosen else None
    else:
        compute = next((one for one in here.values() if one.cluster and one.name == vm.cluster), None)
        chosen = [one for one in inventory.hosts if compute is not None and one.compute == compute.id]
        what, wanted, names = "cluster", vm.cluster or "", [one.name for one in here.values() if one.cluster]
    if compute is None:
        rows.bad("vsphere.cluster", f"no {what} {wanted} in {center.name}; {listed(names)}")
        return None, ()
    usable = tuple(one for one in chosen if one.usable)
    if not usable:
        rows.bad("vsphere.cluster", f"{what} {wanted} has no connected host out of maintenance")
    elif len(usable) < len(chosen):
        off = ", ".join(one.name for one in chosen if not one.usable)
        rows.warn("vsphere.cluster", f"{what} {wanted}: {off} not connected or in maintenance", "all hosts usable")
    else:
        rows.good("vsphere.cluster", f"{what} {wanted}, {len(usable)} hosts")
    return compute, usable


def pool_path(written: str, compute: str) -> str:
    """Return a pool's path below the root pool of its cluster or host, from the other ways that people write it."""
    text = written.strip("/")
    for mark in (f"{compute}/Resources/", "Resources/"):
        before, found, after = text.partition(mark)
        if found and (not before or before.endswith("/")):
            return after
    return text


def _pool(inventory: Inventory, compute: Compute, vm: VmSettings, rows: Rows) -> Pool | None:
    """Return the resource pool; the settings name it below the root pool of its cluster or host."""
    here = [one for one in inventory.pools if one.compute == compute.id]
    path = (vm.resource_pool or "").strip("/")
    found = next((one for one in here if one.path == path), None)
    if found is not None:
        return found
    meant = pool_path(path, compute.name)
    near = sorted(one.path for one in here if one.path and (one.path == meant or one.path.endswith(f"/{meant}")))
    fix = f"write `resourcePool: {near[0]}`, the path below the root pool" if near else ""
    known = listed(one.path or "Resources" for one in here)
    rows.bad("vsphere.pool", f"no resource pool {path or 'Resources'} in {compute.name}; {known}", remedy=fix)
    return None


def _datastores(
    inventory: Inventory, center: Datacenter, vm: VmSettings, rows: Rows
) -> tuple[Pod | None, tuple[Datastore, ...]]:
    """Return the datastore, or the datastore cluster and its datastores."""
    here = [one for one in inventory.datastores if one.datacenter == center.id]
    if not vm.datastore_cluster:
        found = tuple(one for one in here if one.name == vm.datastore)
        if not found:
            rows.bad("vsphere.datastore", f"no datastore {vm.datastore} in {center.name}; {_names(here)}")
        return None, found[:1]
    pods = [one for one in inventory.pods if one.datacenter == center.id]
    pod = next((one for one in pods if one.name == vm.datastore_cluster), None)
    if pod is None:
        known = listed(one.name for one in pods)
        rows.bad("vsphere.datastore", f"no datastore cluster {vm.datastore_cluster} in {center.name}; {known}")
        return None, ()
    inside = tuple(one for one in here if one.pod == pod.id)
    if not inside:
        rows.bad("vsphere.datastore", f"datastore cluster {pod.name} holds no datastore that this user may see")
    return pod, inside


def _names(things: Iterable[Datastore]) -> str:
    return listed(one.name for one in things)


def _network(inventory: Inventory, center: Datacenter, vm: VmSettings, rows: Rows) -> Network | None:
    here = [one for one in inventory.networks if one.datacenter == center.id and not one.uplink]
    named = [one for one in here if one.name == vm.network]
    found = [one for one in named if one.switch == vm.switch] if vm.switch else named
    if len(found) == 1:
        return found[0]
    if named and vm.switch:
        switches = listed(one.switch or "a standard switch" for one in named)
        rows.bad("vsphere.network", f"network {vm.network} is not on switch {vm.switch}; {switches} with one")
    elif named:
        switches = listed(one.switch or "a standard switch" for one in named)
        fix = "write `switch: NAME` beside `network`"
        rows.bad("vsphere.network", f"{len(named)} networks {vm.network}; {switches} with one", "one", remedy=fix)
    else:
        known = listed(one.name for one in here)
        uplink = any(one.name == vm.network and one.uplink for one in inventory.networks)
        seen = f"{vm.network} is the uplink of a switch" if uplink else f"no network {vm.network} in {center.name}"
        rows.bad("vsphere.network", f"{seen}; {known}")
    return None


def _folder(inventory: Inventory, center: Datacenter, vm: VmSettings, rows: Rows) -> Folder | None:
    """Return the folder of the machines; the stack makes the last part of its path, not those above."""
    found = inventory.folder(center.id, vm.folder)
    if found is not None:
        return found
    above = vm.folder.strip("/").rpartition("/")[0]
    if inventory.folder(center.id, above) is None:
        known = listed(one.path for one in inventory.folders if one.datacenter == center.id and one.path)
        rows.bad("vsphere.folder", f"no folder {above} in {center.name}; {known}", f"folder {above}")
    else:
        rows.good("vsphere.folder", f"{vm.folder} is not there yet")
    return None


def _template(inventory: Inventory, center: Datacenter, vm: VmSettings, rows: Rows) -> Vm | None:
    """Return the template. A name must be the only one in the datacenter, as the provider looks in every folder."""
    found = inventory.templates_named(center.id, vm.template)
    if len(found) == 1 and found[0].template:
        return found[0]
    known = listed(one.name for one in inventory.vms if one.template and one.datacenter == center.id)
    if len(found) > 1:
        paths = ", ".join(sorted(inventory.path_of(one) for one in found))
        fix = "write its path, FOLDER/NAME"
        rows.bad("vsphere.template", f"{len(found)} are called {vm.template}: {paths}", "one", remedy=fix)
    elif found:
        rows.bad(
            "vsphere.template", f"{vm.template} is a virtual machine, no template; templates: {known}", "a template"
        )
    else:
        rows.bad("vsphere.template", f"no template {vm.template} in {center.name}; {known}")
    return None
