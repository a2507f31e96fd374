"""Rules about the network of virtual machines: the program sets their addresses, so it must know them whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address

from edge.findings import Finding
from edge.settings.hosts import VsphereHost
from edge.settings.site import Site
from edge.settings.vm import mac_of_host, written
from edge.settings.vsphere import Vsphere

_Machine = tuple[str, VsphereHost, Vsphere]


def address_findings(site: Site, machines: Sequence[_Machine]) -> list[Finding]:
    """Return what is wrong with addresses, gateways, name servers and MAC addresses; `machines` as name, host, merged."""
    found: list[Finding] = []
    for name, host, placed in machines:
        if host.prefix is None:
            found.append(_no_prefix(name, host, placed.gateway))
        elif placed.gateway is not None:
            found += _gateway(site, name, host, placed.gateway, _all_outside(machines, placed.gateway))
        found += _own_address(name, host, placed)
    return [*found, *_macs(site, machines)]


def _no_prefix(name: str, host: VsphereHost, gateway: IPv4Address | None) -> Finding:
    example = f"{host.ip}/24"
    known = f" with the length of the network that {gateway} is in" if gateway else ""
    return Finding(
        f"site.hosts.{name}.address",
        str(host.ip),
        "has no prefix length, which a machine needs that the program makes",
        f"Write the address{known}, for example {example}.",
    )


def _all_outside(machines: Sequence[_Machine], gateway: IPv4Address) -> bool:
    """Return whether a gateway lies outside the network of each of several machines, so that it is the wrong one."""
    theirs = [host for _, host, placed in machines if placed.gateway == gateway and host.prefix is not None]
    return len(theirs) > 1 and all(gateway not in host.address.network for host in theirs)


def _gateway(site: Site, name: str, host: VsphereHost, gateway: IPv4Address, wrong_for_all: bool) -> Iterator[Finding]:
    """Judge a gateway against the network of one machine; where both could be wrong, the one that stands alone is."""
    network, address = host.address.network, f"site.hosts.{name}.address"
    own = host.vsphere is not None and "gateway" in written(host.vsphere)
    theirs = f"site.hosts.{name}.vsphere.gateway" if own or site.vsphere is None else "site.vsphere.gateway"
    if gateway == host.ip:
        problem = "is also the address of the gateway"
        yield Finding(address, str(host.ip), problem, "Give the machine an address of its own, or correct `gateway`.")
    elif gateway not in network:
        if own or wrong_for_all:
            problem = f"is outside the network of {name} ({network})"
            remedy = "Write the router's address in that network, or correct the hosts' addresses and prefix lengths."
            yield Finding(theirs, str(gateway), problem, remedy)
        else:
            problem = f"is in the network {network}, but the gateway {gateway} is not"
            remedy = f"Correct the address or its prefix length, or write `vsphere: {{gateway: ADDRESS}}` at {name}."
            yield Finding(address, str(host.address), problem, remedy)
    elif gateway in (network.network_address, network.broadcast_address):
        problem = f"is the network or broadcast address of {network}, the network of {name}"
        yield Finding(theirs, str(gateway), problem, "Write the address of the router itself.")


def _own_address(name: str, host: VsphereHost, placed: Vsphere) -> Iterator[Finding]:
    if host.ip in (placed.nameservers or ()):
        problem = "is also the address of a name server"
        remedy = "Give the machine an address of its own, or correct `nameservers`."
        yield Finding(f"site.hosts.{name}.address", str(host.ip), problem, remedy)


def _macs(site: Site, machines: Sequence[_Machine]) -> Iterator[Finding]:
    """Yield each machine whose MAC address an earlier one has; one of two derived ones is to be given by hand."""
    first: dict[str, str] = {}
    for name, host, _ in machines:
        mac = mac_of_host(site, name, host)
        if mac in first:
            problem = f"is also the MAC address of {first[mac]}" + ("" if host.mac else ", both derived from the names")
            remedy = 'Write another one in quotes, from "00:50:56:00:00:00" to "00:50:56:3f:ff:ff".'
            yield Finding(f"site.hosts.{name}.mac", mac, problem, remedy)
        first.setdefault(mac, name)
