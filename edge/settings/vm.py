"""One virtual machine with everything merged: the host's own line over its `vsphere` over that of the site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address
from typing import Any

from edge.settings.hosts import VsphereHost
from edge.settings.site import Site
from edge.settings.vsphere import (
    DEFAULT_CPUS,
    DEFAULT_DISK_GIB,
    DEFAULT_MEMORY_MIB,
    Firmware,
    Placement,
    RestartPriority,
    Vcenter,
    Vsphere,
)
from edge.vm.mac import mac_of

# A host that writes one of the first keys does not take over what the site says under the others.
_REPLACED: tuple[tuple[frozenset[str], tuple[str, ...]], ...] = (
    (frozenset({"cluster"}), ("host",)),
    (frozenset({"host"}), ("cluster",)),
    (frozenset({"vcenter", "datacenter", "cluster", "host"}), ("resource_pool",)),
    (frozenset({"datastore"}), ("datastore_cluster",)),
    (frozenset({"datastore_cluster"}), ("datastore",)),
    (frozenset({"network"}), ("switch",)),
)
_ADDED = ("tags", "attributes")
OWN_SIZES = ("cpus", "memory", "disk")


@dataclass(frozen=True, kw_only=True)
class VmSettings:
    """Where one virtual machine is made, from what, and how large it is."""

    vcenter: str
    datacenter: str
    cluster: str | None
    esxi_host: str | None
    resource_pool: str | None
    datastore: str | None
    datastore_cluster: str | None
    folder: str
    network: str
    switch: str | None
    template: str
    gateway: IPv4Address
    nameservers: tuple[IPv4Address, ...]
    search_domains: tuple[str, ...]
    cpus: int
    cores_per_socket: int
    memory_mib: int
    disk_gib: int
    hot_add: bool
    thin: bool
    tags: Mapping[str, str]
    attributes: Mapping[str, str]
    mac: str
    adopt: str | None
    firmware: Firmware
    start_delay: timedelta
    restart_priority: RestartPriority | None


def merged(site: Site, host: VsphereHost) -> Vsphere:
    """Return the site's `vsphere` with everything that the host writes put over it.

    Tags and attributes add up. A host that names a cluster, datastore or network of its own leaves what belonged to the
    site's: a cluster takes the place of an ESXi host, a datastore that of a datastore cluster, and back.
    """
    base = site.vsphere or Vsphere()
    own = host.vsphere
    given = written(own) if own else {}
    given |= {name: size for name in OWN_SIZES if (size := getattr(host, name)) is not None}
    for names, replaced in _REPLACED:
        if names & set(given):
            given |= {name: None for name in replaced if name not in given}
    for name in _ADDED:
        given[name] = {**getattr(base, name), **given.get(name, {})}
    return base.model_copy(update=given)


def written(own: Placement) -> dict[str, Any]:
    """Return what a host writes under `vsphere`, by the names of the fields; nothing (null) counts as not written."""
    return {name: value for name in own.model_fields_set if (value := getattr(own, name)) is not None}


def vcenter_name(site: Site, placed: Vsphere) -> str:
    """Return the name of the vCenter that a machine is made in, "" when several are there and none is chosen."""
    if placed.vcenter:
        return placed.vcenter
    return next(iter(site.vcenters)) if len(site.vcenters) == 1 else ""


def vm_settings(site: Site, name: str, release_template: str | None = None) -> VmSettings | None:
    """Return the machine of a host, or None for a host that is there already.

    None also while the settings lack something that a machine needs, which the rules say.
    """
    host = site.hosts[name]
    if not isinstance(host, VsphereHost):
        return None
    placed = merged(site, host)
    if placed.datacenter is None or placed.network is None or placed.gateway is None or placed.nameservers is None:
        return None
    return VmSettings(
        vcenter=vcenter_name(site, placed),
        datacenter=placed.datacenter,
        cluster=placed.cluster,
        esxi_host=placed.host,
        resource_pool=placed.resource_pool,
        datastore=placed.datastore,
        datastore_cluster=placed.datastore_cluster,
        folder=placed.folder or f"{site.name}-{site.stage}",
        network=placed.network,
        switch=placed.switch,
        template=placed.template or release_template or "",
        gateway=placed.gateway,
        nameservers=placed.nameservers,
        search_domains=placed.search_domains or (),
        cpus=placed.cpus or DEFAULT_CPUS,
        cores_per_socket=placed.cores_per_socket or 1,
        memory_mib=placed.memory or DEFAULT_MEMORY_MIB,
        disk_gib=placed.disk or DEFAULT_DISK_GIB,
        hot_add=placed.hot_add is not False,
        thin=placed.thin is not False,
        tags=placed.tags,
        attributes=placed.attributes,
        mac=mac_of_host(site, name, host),
        adopt=host.adopt,
        firmware=placed.firmware or "bios",
        start_delay=placed.start_delay or timedelta(0),
        restart_priority=placed.ha.restart_priority if placed.ha else None,
    )


def mac_of_host(site: Site, name: str, host: VsphereHost) -> str:
    """Return the MAC address of a machine: what was written, else the one derived from site and host."""
    return host.mac or mac_of(site.name, name)


def vcenters_in_use(site: Site) -> dict[str, Vcenter]:
    """Return the vCenters in which machines of the site are made, by name, in the order of the file."""
    wanted = {vcenter_name(site, merged(site, host)) for host in site.hosts.values() if isinstance(host, VsphereHost)}
    return {name: vcenter for name, vcenter in site.vcenters.items() if name in wanted}
