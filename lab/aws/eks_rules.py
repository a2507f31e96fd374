"""What EKS refuses: networks, subnets, endpoint access and authentication mode of a cluster. Pure functions.

Sources: EKS API reference (CreateCluster, UpdateClusterConfig, RemoteNetworkConfigRequest, KubernetesNetworkConfigRequest)
and EKS User Guide, hybrid nodes networking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

from lab.aws.refusal import invalid

_RFC1918 = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_PRIVATE = (*_RFC1918, IPv4Network("100.64.0.0/10"))
_SERVICE_DEFAULTS = ("172.20.0.0/16", "10.100.0.0/16")
_MOST_CIDRS = 15
_KINDS = (("remoteNodeNetworks", "node"), ("remotePodNetworks", "pod"))
# Each cluster moves this way only.
_MODES = ("CONFIG_MAP", "API_AND_CONFIG_MAP", "API")

Remote = dict[str, list[str]]
"""The CIDR blocks of a cluster by `remoteNodeNetworks` and `remotePodNetworks`."""


def remote_cidrs(config: Mapping[str, Any] | None) -> Remote:
    """Return the blocks of a request by kind; a kind that it does not name is missing. Raises RefusedError."""
    found: Remote = {}
    for key, kind in _KINDS:
        networks = (config or {}).get(key)
        if networks is None:
            continue
        if len(networks) > 1:
            raise invalid(f"Invalid remote {kind} network: at most 1 element is allowed, got {len(networks)}")
        found[key] = [cidr for one in networks for cidr in one.get("cidrs") or []]
        if len(found[key]) > _MOST_CIDRS:
            raise invalid(f"Invalid remote {kind} network: at most {_MOST_CIDRS} CIDRs are allowed")
    return found


def check_remote(remote: Remote, *, mode: str, family: str, vpc: Sequence[str], services: str) -> None:
    """Return when a cluster may have these remote networks. Raises RefusedError."""
    if not any(remote.values()):
        return
    if mode == "CONFIG_MAP":
        raise invalid("AccessConfig AuthMode must be API_AND_CONFIG_MAP or API when remoteNetworkConfig is specified")
    if family != "ipv4":
        raise invalid("RemoteNetworkConfig is not supported for clusters with ipFamily ipv6")
    known: list[tuple[str, IPv4Network]] = [("VPC", _network(cidr, "VPC")) for cidr in vpc]
    known.append(("service", _network(services, "service")))
    for key, kind in _KINDS:
        for cidr in remote.get(key, []):
            block = _remote_block(cidr, kind)
            for other, taken in known:
                if block.overlaps(taken):
                    raise invalid(f"Invalid remote {kind} network: CIDR {block} overlaps with {other} CIDR {taken}")
            known.append((f"remote {kind} network", block))


def _remote_block(cidr: str, kind: str) -> IPv4Network:
    block = _network(cidr, f"remote {kind}")
    if not any(block.subnet_of(one) for one in _PRIVATE) or block.prefixlen < 8:
        raise invalid(
            f"Invalid remote {kind} network: CIDR {block} must be within 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or "
            "100.64.0.0/10"
        )
    return block


def _network(cidr: str, kind: str) -> IPv4Network:
    try:
        return IPv4Network(cidr)
    except ValueError:
        raise invalid(f"Invalid {kind} network: {cidr} is not a valid IPv4 CIDR") from None


def service_cidr(wanted: str | None, vpc: Sequence[str], remote: Remote) -> str:
    """Return the service CIDR of a new cluster; one that was not asked for keeps away from VPC and remote networks."""
    taken = [IPv4Network(cidr) for cidr in vpc]
    if not wanted:
        others = [*taken, *(_network(cidr, "remote") for cidrs in remote.values() for cidr in cidrs)]
        return next(one for one in (*_SERVICE_DEFAULTS, "10.96.0.0/16") if not _overlaps(IPv4Network(one), others))
    block = _network(wanted, "service")
    if not any(block.subnet_of(one) for one in _RFC1918) or not 12 <= block.prefixlen <= 24:
        raise invalid(f"Service IPv4 CIDR {wanted} must be private, and between /24 and /12")
    if _overlaps(block, taken):
        raise invalid(f"Service IPv4 CIDR {wanted} overlaps with the CIDR of the VPC")
    return wanted


def _overlaps(block: IPv4Network, others: Sequence[IPv4Network]) -> bool:
    return any(block.overlaps(one) for one in others)


def check_endpoints(public: bool, private: bool) -> None:
    """Return when a cluster may be reached like this. Raises RefusedError."""
    if not public and not private:
        raise invalid("Private and public endpoint access cannot be false")


def check_mode_change(old: str, new: str) -> None:
    """Return when the authentication mode may change like this. Raises RefusedError."""
    if new not in _MODES:
        raise invalid(f"Unsupported authentication mode {new}")
    if old == new:
        raise invalid(f"Unsupported authentication mode update from {old} to {new}")
    if _MODES.index(new) < _MODES.index(old):
        raise invalid(f"Unsupported authentication mode update from {old} to {new}")


def check_subnets(subnets: Sequence[Any]) -> str:
    """Return the VPC of the subnets of a cluster, as moto keeps them. Raises RefusedError."""
    vpcs = {subnet.vpc_id for subnet in subnets}
    if len(vpcs) != 1:
        raise invalid("Subnets specified must be in the same VPC")
    if len({subnet.availability_zone for subnet in subnets}) < 2:
        raise invalid("Subnets specified must be in at least two different AZs")
    for subnet in subnets:
        if subnet.available_ip_address_count < 6:
            raise invalid(f"Subnet {subnet.id} does not have enough free IP addresses: at least 6 are needed")
    return str(vpcs.pop())
