"""What else a site has written down: the addresses that its hosts must go on reaching, and the networks they stand in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from urllib.parse import urlsplit

from edge.settings.access import Proxy, Ssh
from edge.settings.hosts import VsphereHost
from edge.settings.palette import StaticNetwork
from edge.settings.release import Release
from edge.settings.site import Site
from edge.settings.stack import HostSettings
from edge.settings.vm import vcenters_in_use


def addresses_around(
    site: Site, views: Sequence[HostSettings], release: Release | None = None
) -> dict[str, IPv4Address]:
    """Return YAML path -> address of what a cluster's networks must not swallow, where it is written as an address.

    They are proxies, jump hosts, name servers, gateways, inbound resolvers, vCenters, Palette, the agent's mirror and the
    image registry; a host's own value stands under its own path. Addresses that several paths share are kept once.
    """
    found: dict[str, IPv4Address] = {}
    for where, text in _written(site, views, release):
        with suppress(ValueError):
            address = IPv4Address(text)
            if address not in found.values():
                found[where] = address
    return found


def networks_around(site: Site) -> dict[str, IPv4Network]:
    """Return YAML path -> network of every host whose address has a prefix length; equal networks are kept once."""
    found: dict[str, IPv4Network] = {}
    for name, host in site.hosts.items():
        network = host.address.network
        if host.prefix is not None and network not in found.values():
            found[f"site.hosts.{name}.address"] = network
    return found


def _written(site: Site, views: Sequence[HostSettings], release: Release | None) -> Iterator[tuple[str, str]]:
    yield from _proxy("site.proxy", site.proxy)
    yield from _jump("site.ssh", site.ssh)
    yield from _static("site.palette.staticNetwork", site.palette.static_network)
    for view in views:
        mine = f"site.hosts.{view.name}"
        yield from _proxy(f"{mine}.proxy", view.proxy)
        yield from _jump(f"{mine}.ssh", view.ssh)
        yield from _static(f"{mine}.staticNetwork", view.static_network)
        if view.vm is not None:
            raw = site.hosts[view.name]
            placed = raw.vsphere if isinstance(raw, VsphereHost) else None
            own = placed.model_fields_set if placed is not None else frozenset()
            yield _place(mine, "gateway", own), str(view.vm.gateway)
            for index, server in enumerate(view.vm.nameservers):
                yield f"{_place(mine, 'nameservers', own)}[{index}]", str(server)
    for name, vcenter in vcenters_in_use(site).items():
        yield f"site.vcenters.{name}.server", vcenter.server.partition(":")[0]
    for index, resolver in enumerate(site.network.inbound_resolvers):
        yield f"site.network.inboundResolvers[{index}]", str(resolver)
    yield "site.palette.endpoint", site.palette.endpoint.partition(":")[0]
    credentials = site.palette.registry_credentials
    if credentials is not None:
        yield "site.palette.registryCredentials.domain", _host(f"//{credentials.domain}")
    if release is not None:
        yield f"releases/{release.id}.yaml: agent.baseUrl", _host(release.agent.base_url)


def _place(mine: str, key: str, own: AbstractSet[str]) -> str:
    return f"{mine}.vsphere.{key}" if key in own else f"site.vsphere.{key}"


def _proxy(where: str, proxy: Proxy | None) -> Iterator[tuple[str, str]]:
    if proxy is not None:
        yield f"{where}.https", _host(proxy.https)
        yield f"{where}.http", _host(proxy.http_url)


def _jump(where: str, ssh: Ssh) -> Iterator[tuple[str, str]]:
    if ssh.jump_host is not None:
        yield f"{where}.jumpHost.address", ssh.jump_host.address


def _static(where: str, static: StaticNetwork | None) -> Iterator[tuple[str, str]]:
    if static is not None:
        yield f"{where}.gateway", str(static.gateway)
        yield f"{where}.nameserver", str(static.nameserver)


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""
