"""The VPC of a cluster and what lies in it (EC2 and Route 53 Resolver API references)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, TypeVar

from edge.aws.reader import Reader
from edge.aws.view import (
    EndpointView,
    InterfaceView,
    ResolverView,
    RouteTableView,
    RouteView,
    RuleView,
    SubnetView,
    TunnelView,
    VpcView,
)
from edge.errors import AwsError

T = TypeVar("T")
# Values of one filter that EC2 takes in a call.
_FILTER_VALUES = 200
# Where a route may lead; a route has one of them.
_TARGETS = (
    *("GatewayId", "TransitGatewayId", "NatGatewayId", "NetworkInterfaceId", "VpcPeeringConnectionId", "InstanceId"),
    *("LocalGatewayId", "CarrierGatewayId", "CoreNetworkArn", "EgressOnlyInternetGatewayId", "OdbNetworkArn"),
)


def _in_vpc(vpc_id: str) -> dict[str, Any]:
    return {"Name": "vpc-id", "Values": [vpc_id]}


def read_vpc(reader: Reader, vpc_id: str) -> VpcView:
    """Return the VPC with all its IPv4 blocks. Attributes that may not be read count as on."""
    with reader.together() as together:
        vpcs = together.start(reader.ask, "ec2:DescribeVpcs", VpcIds=[vpc_id])
        support = together.start(reader.optional, True, _attribute, reader, vpc_id, "enableDnsSupport")
        names = together.start(reader.optional, True, _attribute, reader, vpc_id, "enableDnsHostnames")
    found = vpcs.result()["Vpcs"][0]
    blocks = {
        one["CidrBlock"]
        for one in found.get("CidrBlockAssociationSet") or ()
        if (one.get("CidrBlockState") or {}).get("State") in ("associated", "associating")
    }
    cidrs = tuple(sorted(blocks | {found["CidrBlock"]}))
    return VpcView(vpc_id, cidrs, dns_support=support.result(), dns_hostnames=names.result())


def _attribute(reader: Reader, vpc_id: str, name: str) -> bool:
    answer = reader.ask("ec2:DescribeVpcAttribute", VpcId=vpc_id, Attribute=name)
    return bool((answer.get(name[0].upper() + name[1:]) or {}).get("Value"))


def read_subnets(reader: Reader, vpc_id: str) -> list[dict[str, Any]]:
    """Return all subnets of the VPC, as EC2 describes them."""
    return reader.pages("ec2:DescribeSubnets", "Subnets", Filters=[_in_vpc(vpc_id)])


def read_route_tables(reader: Reader, vpc_id: str) -> list[dict[str, Any]]:
    """Return all route tables of the VPC, as EC2 describes them."""
    return reader.pages("ec2:DescribeRouteTables", "RouteTables", Filters=[_in_vpc(vpc_id)])


def subnets_of(
    found: Iterable[Mapping[str, Any]], tables: Iterable[Mapping[str, Any]], wanted: Iterable[str]
) -> tuple[SubnetView, ...]:
    """Return the wanted subnets with the route table of each: its own, else the VPC's main one ("" when none is known)."""
    own: dict[str, str] = {}
    main = ""
    for table in tables:
        for link in table.get("Associations") or ():
            if link.get("SubnetId"):
                own[link["SubnetId"]] = table["RouteTableId"]
            elif link.get("Main"):
                main = table["RouteTableId"]
    ids = set(wanted)
    views = (
        SubnetView(
            id=one["SubnetId"],
            cidr=one["CidrBlock"],
            zone=one.get("AvailabilityZone", ""),
            free=int(one.get("AvailableIpAddressCount", 0)),
            vpc_id=one.get("VpcId", ""),
            route_table=own.get(one["SubnetId"], main),
        )
        for one in found
        if one["SubnetId"] in ids and one.get("CidrBlock")
    )
    return _sorted(views)


def tables_of(
    found: Iterable[Mapping[str, Any]], wanted: Iterable[str], lists: Mapping[str, Sequence[str]]
) -> tuple[RouteTableView, ...]:
    """Return the wanted route tables. A prefix list of `lists` becomes one route per network."""
    ids = set(wanted)
    views = (
        RouteTableView(
            id=table["RouteTableId"],
            routes=tuple(
                sorted(
                    (
                        RouteView(
                            destination, _target(route), route.get("State", "active") == "active", _learned(route)
                        )
                        for route in table.get("Routes") or ()
                        for destination in _destinations(route, lists)
                    ),
                    key=lambda route: (route.destination, route.target),
                )
            ),
            propagating=tuple(sorted(one["GatewayId"] for one in table.get("PropagatingVgws") or ())),
        )
        for table in found
        if table["RouteTableId"] in ids
    )
    return _sorted(views)


def _destinations(route: Mapping[str, Any], lists: Mapping[str, Sequence[str]]) -> Sequence[str]:
    if route.get("DestinationCidrBlock"):
        return (route["DestinationCidrBlock"],)
    listed = route.get("DestinationPrefixListId")
    return lists.get(listed, (listed,)) if listed else ()  # an IPv6 route has neither


def _target(route: Mapping[str, Any]) -> str:
    return next((str(route[key]) for key in _TARGETS if route.get(key)), "")


def _learned(route: Mapping[str, Any]) -> bool:
    return route.get("Origin") == "EnableVgwRoutePropagation"


def lists_in_routes(tables: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the prefix lists of the routes, without those of gateway endpoints, which lead to an AWS service only."""
    routes = [route for table in tables for route in table.get("Routes") or ()]
    lists = {str(route.get("DestinationPrefixListId") or "") for route in routes if not _to_endpoint(route)}
    return lists - {""}


def _to_endpoint(route: Mapping[str, Any]) -> bool:
    return _target(route).startswith("vpce-")


def read_rules(reader: Reader, groups: Iterable[str]) -> tuple[RuleView, ...]:
    """Return the IPv4 rules of all these security groups. A prefix list's id is the peer of its rule."""
    ids = sorted(set(groups))
    found = [
        rule
        for start in range(0, len(ids), _FILTER_VALUES)
        for rule in reader.pages(
            "ec2:DescribeSecurityGroupRules",
            "SecurityGroupRules",
            Filters=[{"Name": "group-id", "Values": ids[start : start + _FILTER_VALUES]}],
        )
    ]
    rules = (
        RuleView(
            group=one["GroupId"],
            direction="out" if one.get("IsEgress") else "in",
            protocol=str(one.get("IpProtocol", "-1")),
            from_port=int(one.get("FromPort", -1)),
            to_port=int(one.get("ToPort", -1)),
            peer=peer,
        )
        for one in found
        if (peer := _peer(one))
    )
    return _rules_sorted(rules)


def _peer(rule: Mapping[str, Any]) -> str:
    """Return whom a rule speaks of, "" for an IPv6 block."""
    group = (rule.get("ReferencedGroupInfo") or {}).get("GroupId")
    return str(rule.get("CidrIpv4") or rule.get("PrefixListId") or group or "")


def lists_in_rules(rules: Iterable[RuleView]) -> set[str]:
    """Return the prefix lists that rules name as peers."""
    return {rule.peer for rule in rules if rule.peer.startswith("pl-")}


def with_networks(rules: Iterable[RuleView], lists: Mapping[str, Sequence[str]]) -> tuple[RuleView, ...]:
    """Return the rules with one rule per network for every prefix list of `lists`; others keep their id as peer."""
    return _rules_sorted(
        RuleView(rule.group, rule.direction, rule.protocol, rule.from_port, rule.to_port, peer)
        for rule in rules
        for peer in lists.get(rule.peer, (rule.peer,))
    )


def read_lists(reader: Reader, ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the IPv4 networks of prefix lists, by id."""
    wanted = sorted(ids)

    def entries(id_: str) -> tuple[str, ...]:
        found = reader.pages("ec2:GetManagedPrefixListEntries", "Entries", PrefixListId=id_)
        return tuple(sorted(one["Cidr"] for one in found if ":" not in one["Cidr"]))

    return dict(zip(wanted, reader.each(entries, wanted), strict=True))


def _rules_sorted(rules: Iterable[RuleView]) -> tuple[RuleView, ...]:
    unique = set(rules)
    return tuple(
        sorted(unique, key=lambda one: (one.group, one.direction, one.protocol, one.from_port, one.to_port, one.peer))
    )


def read_interfaces(reader: Reader, vpc_id: str, cluster: str) -> tuple[InterfaceView, ...]:
    """Return the control plane's network interfaces; EKS describes them as `Amazon EKS NAME`."""
    name = {"Name": "description", "Values": [f"Amazon EKS {cluster}"]}
    found = reader.pages("ec2:DescribeNetworkInterfaces", "NetworkInterfaces", Filters=[_in_vpc(vpc_id), name])
    views = (
        InterfaceView(
            id=one["NetworkInterfaceId"],
            address=one["PrivateIpAddress"],
            subnet_id=one.get("SubnetId", ""),
            groups=_groups(one),
        )
        for one in found
        if one.get("PrivateIpAddress")
    )
    return _sorted(views)


def read_endpoints(reader: Reader, vpc_id: str) -> tuple[EndpointView, ...]:
    """Return the VPC endpoints."""
    found = reader.pages("ec2:DescribeVpcEndpoints", "VpcEndpoints", Filters=[_in_vpc(vpc_id)])
    views = (
        EndpointView(
            id=one["VpcEndpointId"],
            service=one.get("ServiceName", ""),
            kind=one.get("VpcEndpointType", ""),
            state=str(one.get("State", "")).lower(),  # EC2 writes both `available` and `Available`
            private_dns=bool(one.get("PrivateDnsEnabled")),
            subnet_ids=tuple(sorted(one.get("SubnetIds") or ())),
            groups=_groups(one),
            resolver_only=bool((one.get("DnsOptions") or {}).get("PrivateDnsOnlyForInboundResolverEndpoint")),
        )
        for one in found
    )
    return _sorted(views)


def read_resolvers(reader: Reader, vpc_id: str) -> tuple[ResolverView, ...]:
    """Return the Route 53 inbound endpoints of the VPC, with the addresses that they have now."""
    here = [{"Name": "Direction", "Values": ["INBOUND"]}, {"Name": "HostVPCId", "Values": [vpc_id]}]
    found = reader.pages("route53resolver:ListResolverEndpoints", "ResolverEndpoints", Filters=here)

    def view(one: Mapping[str, Any]) -> ResolverView:
        action = "route53resolver:ListResolverEndpointIpAddresses"
        listed = reader.pages(action, "IpAddresses", ResolverEndpointId=one["Id"])
        leaving = ("DELETING", "DETACHING", "REMAP_DETACHING", "FAILED_RESOURCE_GONE")
        used = [address for address in listed if address.get("Ip") and address.get("Status") not in leaving]
        return ResolverView(
            id=one["Id"],
            addresses=tuple(sorted((address["Ip"] for address in used), key=ip_address)),
            subnet_ids=tuple(sorted({address["SubnetId"] for address in used if address.get("SubnetId")})),
            groups=tuple(sorted(one.get("SecurityGroupIds") or ())),
        )

    living = [one for one in found if one.get("Status") not in ("CREATING", "DELETING")]
    return _sorted(reader.each(view, living))


def read_tunnels(reader: Reader, vpc_id: str) -> tuple[TunnelView, ...]:
    """Return the tunnels of the VPN connections that end at a virtual or transit gateway of the VPC."""
    attached = {"Name": "attachment.vpc-id", "Values": [vpc_id]}
    with reader.together() as together:
        virtual = together.start(reader.optional, {}, reader.ask, "ec2:DescribeVpnGateways", Filters=[attached])
        transit = together.start(
            reader.optional,
            [],
            reader.pages,
            "ec2:DescribeTransitGatewayVpcAttachments",
            "TransitGatewayVpcAttachments",
            Filters=[_in_vpc(vpc_id)],
        )
    gateways = {one["VpnGatewayId"] for one in virtual.result().get("VpnGateways", ()) if one.get("State") != "deleted"}
    gateways |= {one["TransitGatewayId"] for one in transit.result()}
    if not gateways:
        return ()
    # Not filtered by gateway: a filter for each kind would be two calls, and an account has few connections.
    found = reader.ask("ec2:DescribeVpnConnections")["VpnConnections"]
    tunnels = (
        TunnelView(
            connection=one["VpnConnectionId"],
            address=end.get("OutsideIpAddress", ""),
            up=end.get("Status") == "UP",
            message=str(end.get("StatusMessage") or ""),
        )
        for one in found
        if one.get("State") not in ("deleting", "deleted")
        and {one.get("VpnGatewayId"), one.get("TransitGatewayId")} & gateways
        for end in one.get("VgwTelemetry") or ()
    )
    return tuple(sorted(tunnels, key=lambda one: (one.connection, one.address)))


def no_vpc(vpc_id: str, region: str) -> AwsError:
    """Return the error of a VPC of which no subnet of the control plane was found."""
    return AwsError(
        f"none of the cluster's subnets is there, or may be seen, in {vpc_id}.",
        remedy="Look with the account that owns the VPC: a shared VPC shows only what is shared.",
        where=f"AWS ec2:DescribeSubnets in {region}",
    )


def _groups(found: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(sorted(one["GroupId"] for one in found.get("Groups") or ()))


def _sorted(views: Iterable[T]) -> tuple[T, ...]:
    return tuple(sorted(views, key=lambda one: str(getattr(one, "id"))))  # noqa: B009  (views share no base class)
