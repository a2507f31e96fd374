"""Routes, rules, interfaces, resolvers and tunnels of a VPC: what counts, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from edge.aws.read_vpc import read_interfaces, read_resolvers, read_rules, read_tunnels, subnets_of, tables_of
from edge.aws.reader import Reader
from edge.aws.view import RouteView, RuleView
from edge.errors import AwsError
from tests.unit.aws_world import (
    Account,
    account,
    built,
    stubbed,
    view_of,
)

__all__ = ["built"]  # a fixture


def test_routes_of_every_kind() -> None:
    routes = [
        {
            "DestinationCidrBlock": "10.2.0.0/16",
            "TransitGatewayId": "tgw-1",
            "State": "blackhole",
            "Origin": "CreateRoute",
        },
        {
            "DestinationCidrBlock": "10.1.0.0/16",
            "GatewayId": "vgw-1",
            "State": "active",
            "Origin": "EnableVgwRoutePropagation",
        },
        {"DestinationPrefixListId": "pl-1", "TransitGatewayId": "tgw-1", "State": "active"},
        {"DestinationPrefixListId": "pl-s3", "GatewayId": "vpce-1", "State": "active"},
        {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1", "State": "active"},
        {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"},
        {"DestinationCidrBlock": "10.9.0.0/16", "InstanceId": "i-1", "NetworkInterfaceId": "eni-1", "State": "active"},
    ]
    table = {"RouteTableId": "rtb-1", "Routes": routes, "PropagatingVgws": [{"GatewayId": "vgw-1"}]}
    (view,) = tables_of([table, {"RouteTableId": "rtb-2"}], ["rtb-1"], {"pl-1": ("10.3.0.0/16", "10.4.0.0/16")})
    assert view.propagating == ("vgw-1",)
    assert view.routes == (
        RouteView("0.0.0.0/0", "nat-1", active=True),
        RouteView("10.1.0.0/16", "vgw-1", active=True, propagated=True),
        RouteView("10.2.0.0/16", "tgw-1", active=False),
        RouteView("10.3.0.0/16", "tgw-1", active=True),
        RouteView("10.4.0.0/16", "tgw-1", active=True),
        RouteView("10.9.0.0/16", "eni-1", active=True),
        RouteView("pl-s3", "vpce-1", active=True),
    )


def test_a_prefix_list_of_a_route_is_read_but_not_that_of_a_gateway_endpoint(built: Account) -> None:
    made = account(built)
    routes = [
        {"DestinationPrefixListId": made.ids["list"], "TransitGatewayId": "tgw-1", "State": "active"},
        {"DestinationPrefixListId": "pl-s3", "GatewayId": "vpce-1", "State": "active"},
    ]
    table = {"RouteTableId": "rtb-1", "Associations": [{"Main": True}], "Routes": routes}
    made.answers["ec2:DescribeRouteTables"] = lambda _: {"RouteTables": [table]}
    made.answers["ec2:DescribeSecurityGroupRules"] = lambda _: {"SecurityGroupRules": []}
    (view,) = view_of(made).route_tables
    assert {one.destination for one in view.routes} == {"10.200.0.0/16", "10.201.0.0/16", "pl-s3"}
    lists = [values["PrefixListId"] for action, values in made.asked if action == "ec2:GetManagedPrefixListEntries"]
    assert lists == [made.ids["list"]]


def test_a_subnet_without_any_table_that_may_be_seen(built: Account) -> None:
    found = [{"SubnetId": "subnet-1", "CidrBlock": "10.0.0.0/24"}, {"SubnetId": "subnet-2", "CidrBlock": "10.0.1.0/24"}]
    assert [one.route_table for one in subnets_of(found, [], ["subnet-1"])] == [""]
    made = account(built)
    made.answers["ec2:DescribeSubnets"] = lambda _: {"Subnets": []}
    with pytest.raises(AwsError, match="none of the cluster's subnets is there, or may be seen"):
        view_of(made)


def test_rules_of_more_groups_than_one_filter_takes() -> None:
    groups = [f"sg-{number:04}" for number in range(203)]

    def answer(group: str, **over: Any) -> dict[str, Any]:
        return {"SecurityGroupRules": [{"GroupId": group, "IsEgress": False, "IpProtocol": "tcp", **over}]}

    reader = stubbed(
        "ec2",
        (
            "DescribeSecurityGroupRules",
            {"Filters": [{"Name": "group-id", "Values": groups[:200]}]},
            answer("sg-0000", FromPort=443, ToPort=443, ReferencedGroupInfo={"GroupId": "sg-0009"}),
        ),
        (
            "DescribeSecurityGroupRules",
            {"Filters": [{"Name": "group-id", "Values": groups[200:]}]},
            answer("sg-0201", CidrIpv6="::/0"),
        ),
    )
    assert read_rules(reader, groups) == (RuleView("sg-0000", "in", "tcp", 443, 443, "sg-0009"),)
    assert read_rules(reader, []) == ()


def test_interfaces_are_asked_for_by_vpc_and_exact_description() -> None:
    filters = [{"Name": "vpc-id", "Values": ["vpc-1"]}, {"Name": "description", "Values": ["Amazon EKS plants"]}]
    one = {"NetworkInterfaceId": "eni-1", "PrivateIpAddress": "10.0.0.4", "SubnetId": "subnet-1"}
    reader = stubbed("ec2", ("DescribeNetworkInterfaces", {"Filters": filters}, {"NetworkInterfaces": [one]}))
    assert [view.address for view in read_interfaces(reader, "vpc-1", "plants")] == ["10.0.0.4"]


def test_resolvers_that_come_or_go_do_not_count() -> None:
    filters = [{"Name": "Direction", "Values": ["INBOUND"]}, {"Name": "HostVPCId", "Values": ["vpc-1"]}]
    ends = [{"Id": f"rslvr-in-{status}", "Status": status} for status in ("DELETING", "OPERATIONAL", "CREATING")]
    addresses = [
        {"Ip": "10.0.1.10", "SubnetId": "subnet-1", "Status": "ATTACHED"},
        {"Ip": "10.0.0.9", "SubnetId": "subnet-1", "Status": "ATTACHED"},
        {"Ip": "10.0.0.3", "SubnetId": "subnet-1", "Status": "DETACHING"},
    ]
    reader = stubbed(
        "route53resolver",
        ("ListResolverEndpoints", {"Filters": filters}, {"ResolverEndpoints": ends}),
        ("ListResolverEndpointIpAddresses", {"ResolverEndpointId": "rslvr-in-OPERATIONAL"}, {"IpAddresses": addresses}),
    )
    (view,) = read_resolvers(reader, "vpc-1")
    assert view.addresses == ("10.0.0.9", "10.0.1.10")


def test_tunnels_of_a_vpc_without_a_gateway_are_not_asked_for(built: Account) -> None:
    made = account(built)
    assert read_tunnels(Reader(made), "vpc-of-nobody") == ()
    assert "ec2:DescribeVpnConnections" not in made.actions
    made.changes["ec2:DescribeVpnConnections"] = lambda parsed: [
        one.update(State="deleted", VgwTelemetry=[{"OutsideIpAddress": "198.51.100.1"}])
        for one in parsed["VpnConnections"]
    ]
    assert read_tunnels(Reader(made), made.vpc) == ()
