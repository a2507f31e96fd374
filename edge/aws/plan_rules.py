"""What is wrong with a plan for `source: managed`, before anything of it is made. All findings at once.

The rules for CIDR blocks and for the cluster are those of every network (`edge.network.network_rules`, over
`planned_facts`); here stands what concerns the making: gateways, VPN, private path, and what AWS would refuse half way.
Sources: EC2 API reference (CreateCustomerGateway, CreateVpnConnection, VpnTunnelOptionsSpecification, CreateVpcEndpoint);
AWS Site-to-Site VPN User Guide, tunnel options.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations

from edge.aws.plan_parts import NetworkPlan, VpnPlan
from edge.findings import Finding

NETWORK = "site.network"
DEFAULT_ASN = 64512
_AWS_ASNS = (range(64512, 65535), range(4200000000, 4294967295))
_INSIDE = IPv4Network("169.254.0.0/16")
_RESERVED = tuple(IPv4Network(f"169.254.{part}/30") for part in ("0.0", "1.0", "2.0", "3.0", "4.0", "5.0", "169.252"))
_KEY = re.compile(r"[A-Za-z1-9._][A-Za-z0-9._]{7,63}")


def plan_findings(plan: NetworkPlan) -> list[Finding]:
    """Return everything that is wrong with a plan; an empty list is a plan that can be made."""
    return [*_vpc(plan), *_gateway(plan), *_vpns(plan), *_transit(plan), *_private(plan), *_cluster(plan)]


def key_finding(where: str, key: str) -> Finding | None:
    """Return what is wrong with a pre-shared key, without showing it; None for one that AWS takes."""
    if _KEY.fullmatch(key):
        return None
    remedy = "Set one of 8 to 64 letters, digits, '.' and '_' that does not begin with 0."
    return Finding(where, None, "names a secret that is no pre-shared key of a VPN", remedy)


def _vpc(plan: NetworkPlan) -> Iterator[Finding]:
    vpc, where = plan.vpc, f"{NETWORK}.vpc.{'subnets' if plan.vpc.made else 'subnetIds'}"
    for one, other in combinations(vpc.subnets, 2):
        if IPv4Network(one.cidr).overlaps(IPv4Network(other.cidr)):
            yield Finding(where, other.cidr, f"overlaps the subnet {one.cidr}", "Give every subnet a block of its own.")
    if not vpc.made:
        return
    zones = {subnet.zone for subnet in vpc.subnets}
    if len(zones) < 2:
        problem = "lie in one zone, but EKS wants subnets in two at least"
        yield Finding(where, ", ".join(sorted(zones)), problem, "Add a subnet in another availability zone.")
    for zone in sorted(zones):
        if zone[:-1] != plan.region:
            remedy = f"Write a zone of {plan.region}, such as {plan.region}a."
            yield Finding(where, zone, f"is no zone of the network's region {plan.region}", remedy)


def _gateway(plan: NetworkPlan) -> Iterator[Finding]:
    gateway, where = plan.gateway, f"{NETWORK}.gateway"
    if gateway is None:
        if plan.vpns:
            yield Finding(
                where, None, "is missing, but there are VPNs", "Write `gateway: {kind: virtualGateway}`, or one that exists."
            )  # fmt: skip
            return
        problem = "is missing, so no route leads from the VPC to the sites"
        yield Finding(where, None, problem, "Add it, unless another tool writes those routes.", "warning")
        return
    if gateway.asn is not None and not any(gateway.asn in allowed for allowed in _AWS_ASNS):
        remedy = "Write 64512 to 65534, or 4200000000 to 4294967294."
        yield Finding(f"{where}.asn", gateway.asn, "is no private ASN that AWS takes for its side", remedy)


def _vpns(plan: NetworkPlan) -> Iterator[Finding]:
    own = plan.gateway.asn or DEFAULT_ASN if plan.gateway and plan.gateway.kind == "virtualGateway" else None
    devices: dict[str, str] = {}
    inside: dict[str, str] = {}
    for vpn in plan.vpns:
        where = vpn.where
        if own is not None and vpn.address and vpn.asn == own:
            remedy = "Write the ASN of the site's device, another one than that of the gateway."
            yield Finding(f"{where}.asn", vpn.asn, "is also the ASN of the AWS side", remedy)
        if vpn.address and not IPv4Address(vpn.address).is_global:
            problem = "is no public address, and the tunnels go through the internet"
            remedy = "Write the address that the site's VPN device has towards the internet."
            yield Finding(f"{where}.address", vpn.address, problem, remedy)
        if vpn.address and vpn.address in devices:
            # AWS hands out the one it has, and the first site to leave would take it away from the other.
            problem = f"is also the VPN device of {devices[vpn.address]}"
            remedy = "Make one customer gateway, and give its id to both as `customerGateway`."
            yield Finding(f"{where}.address", vpn.address, problem, remedy)
        devices.setdefault(vpn.address, vpn.site)
        yield from _tunnels(where, vpn, inside)


def _tunnels(where: str, vpn: VpnPlan, inside: dict[str, str]) -> Iterator[Finding]:
    """Yield what is wrong with the inside networks of tunnels; `inside` collects those of all connections."""
    for at, tunnel in enumerate(vpn.tunnels):
        if not tunnel.inside_cidr:
            continue
        place, block = f"{where}.tunnels[{at}].insideCidr", IPv4Network(tunnel.inside_cidr)
        if block.prefixlen != 30 or not block.subnet_of(_INSIDE) or block in _RESERVED:
            problem = "is no inside network that AWS takes for a tunnel"
            remedy = "Write a /30 inside 169.254.0.0/16, from 169.254.6.0/30 on and not 169.254.169.252/30."
            yield Finding(place, str(block), problem, remedy)
        elif str(block) in inside:
            problem = f"is also the inside network of {inside[str(block)]}"
            yield Finding(place, str(block), problem, "Give every tunnel of a gateway its own.")
        inside.setdefault(str(block), place)


def _transit(plan: NetworkPlan) -> Iterator[Finding]:
    """Yield the sites that a transit gateway has no way to. Without a table of its routes, another team may write them."""
    gateway = plan.gateway
    if gateway is None or not gateway.transit:
        return
    led = {route.site for route in plan.transit_routes}
    static: Mapping[str, bool] = {vpn.site: vpn.static for vpn in plan.vpns}
    for site in plan.sites:
        if site.name in led or static.get(site.name) is False:
            continue
        if site.name in static:
            problem = f"has no route to the site {site.name}, whose VPN tells none either because it is static"
            remedy = "Write `routeTable` beside `kind: transitGateway`, or `static: false` for BGP."
            yield Finding(f"{NETWORK}.gateway", gateway.id, problem, remedy, "warning")
        elif gateway.table:
            problem = f"gets no route to the site {site.name}, which has no VPN here"
            remedy = "Write `siteAttachment`, unless the site's own gateway tells its routes."
            yield Finding(f"{NETWORK}.gateway.routeTable", gateway.table, problem, remedy, "warning")


def _private(plan: NetworkPlan) -> Iterator[Finding]:
    private = plan.private_path
    if private is None:
        return
    if private.resolver and len(plan.vpc.subnets) < 2:
        where = f"{NETWORK}.endpoints.resolver"
        remedy = "Write two subnets of the VPC, in two zones."
        yield Finding(where, len(plan.vpc.subnets), "needs addresses in two subnets, and there is one", remedy)


def _cluster(plan: NetworkPlan) -> Iterator[Finding]:
    cluster = plan.cluster
    if plan.existing_cluster and plan.vpc.made:
        problem = "cannot be in a VPC that is still to be made"
        remedy = "Write `vpc` with the `id` of the cluster's VPC and what belongs to it, or describe a new cluster."
        yield Finding(f"{NETWORK}.cluster.existing", plan.existing_cluster, problem, remedy)
    if plan.identity is not None and not plan.cluster_name:
        problem = "belongs to a cluster, and there is none"
        yield Finding(f"{NETWORK}.identity", None, problem, "Write `cluster`, or remove `identity`.")
    if cluster is None:
        return
    if not plan.nodes:
        problem = "is empty: a cluster without remote node networks takes no hybrid nodes"
        yield Finding(f"{NETWORK}.remoteNodeCidrs", None, problem, "Write the networks of the hosts.")
    if cluster.endpoint_mode == "public" and not cluster.public_access_cidrs:
        where = f"{NETWORK}.cluster.publicAccessCidrs"
        problem = "is empty, so the whole internet reaches the API server"
        yield Finding(where, None, problem, "Write the public addresses of the sites.", "warning")
    if cluster.endpoint_mode == "private" and cluster.public_access_cidrs:
        where = f"{NETWORK}.cluster.publicAccessCidrs"
        shown = ", ".join(cluster.public_access_cidrs)
        yield Finding(where, shown, "has no meaning for a private API server", "Remove it, or use `public`.", "warning")
    if len(cluster.security_groups) > 3:
        where = f"{NETWORK}.cluster.securityGroups"
        problem = "are more than three, and an interface takes five: EKS adds one, and one is made here"
        remedy = "Use fewer, or have the quota of groups per interface raised."
        yield Finding(where, len(cluster.security_groups), problem, remedy, "warning")
