"""What is read of an account as a whole: every page, side by side, and what happens when a read is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from edge.aws.errors import DeniedError, MissingError
from edge.aws.permissions import READS
from edge.aws.read import WantedRole, read_cluster, read_view
from edge.aws.reader import Reader
from edge.aws.view import AwsView, EntryView, RouteView, RuleView, TunnelView
from edge.errors import AwsError
from tests.unit.aws_world import (
    ACCOUNT,
    ACTIVATION,
    NAME,
    OWNER,
    REGION,
    ROLE,
    ROLE_ARN,
    Account,
    account,
    activation,
    built,
    view_of,
)

__all__ = ["built"]  # a fixture
OPTIONAL = [read.action for read in READS if not read.required and read.action != "eks:ListClusters"]
REQUIRED = [read.action for read in READS if read.required]


@pytest.fixture(scope="module")
def seen(built: Account) -> tuple[Account, AwsView]:
    """Return an account and what is read of it; nobody changes it."""
    made = account(built)
    return made, view_of(made)


def test_the_cluster(seen: tuple[Account, AwsView]) -> None:
    made, view = seen
    cluster = view.cluster
    assert (view.account, view.region, view.denied) == (ACCOUNT, REGION, ())
    assert (cluster.name, cluster.status, cluster.version) == (NAME, "ACTIVE", "1.31")
    assert (cluster.public, cluster.private, cluster.auth_mode) == (False, True, "API_AND_CONFIG_MAP")
    assert not cluster.endpoint.endswith("/")
    assert cluster.endpoint.startswith("https://")
    assert cluster.ca == "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    assert (cluster.service_cidr, cluster.ip_family) == ("172.20.0.0/16", "ipv4")
    assert (cluster.remote_node_cidrs, cluster.remote_pod_cidrs) == (("10.200.0.0/16",), ("192.168.0.0/16",))
    assert cluster.security_groups == tuple(sorted((made.groups["cluster"], made.groups["extra"])))
    assert cluster.cluster_group == made.groups["cluster"]
    assert cluster.logs == ("api", "audit")


def test_the_vpc_and_the_subnets_of_the_control_plane(seen: tuple[Account, AwsView]) -> None:
    made, view = seen
    assert view.vpc.cidrs == ("10.100.0.0/16", "10.101.0.0/16")
    assert (view.vpc.dns_support, view.vpc.dns_hostnames) == (True, True)
    assert {one.id for one in view.subnets} == set(made.subnets[:2])  # the third one is nobody's of the cluster
    own = view.subnet(made.subnets[0])
    main_ = view.subnet(made.subnets[1])
    assert own is not None
    assert main_ is not None
    assert own.route_table == made.ids["table"]
    assert main_.route_table not in ("", made.ids["table"])
    assert {one.id for one in view.route_tables} == {own.route_table, main_.route_table}
    assert 200 < own.free < 251
    table = view.route_table(made.ids["table"])
    assert table is not None
    assert RouteView("10.200.0.0/16", made.ids["vgw"], active=True) in table.routes


def test_groups_interfaces_endpoints_resolvers(seen: tuple[Account, AwsView]) -> None:
    made, view = seen
    named = {made.groups[name] for name in ("cluster", "extra", "endpoint", "resolver")}
    assert {rule.group for rule in view.rules} == named
    assert RuleView(made.groups["cluster"], "in", "tcp", 443, 443, "10.200.0.0/16") in view.rules
    assert RuleView(made.groups["cluster"], "out", "-1", -1, -1, "0.0.0.0/0") in view.rules
    of_list = {rule.peer for rule in view.rules if rule.group == made.groups["extra"] and rule.direction == "in"}
    assert of_list == {"10.200.0.0/16", "10.201.0.0/16"}
    assert {one.address for one in view.interfaces} == {"10.100.0.12", "10.100.1.12"}  # not those of plants-prod-old
    assert {one.groups for one in view.interfaces} == {(made.groups["cluster"],)}
    assert sorted(one.service for one in view.endpoints) == [
        f"com.amazonaws.{REGION}.ecr.api",
        f"com.amazonaws.{REGION}.ssm",
    ]
    assert {(one.kind, one.state, one.private_dns) for one in view.endpoints} == {("Interface", "available", True)}
    (resolver,) = view.resolvers
    assert resolver.addresses == ("10.100.0.53", "10.100.1.53")
    assert resolver.groups == (made.groups["resolver"],)
    assert resolver.subnet_ids == tuple(sorted(made.subnets[:2]))


def test_identity_and_tunnels(seen: tuple[Account, AwsView]) -> None:
    made, view = seen
    assert view.entries == (EntryView(ROLE_ARN, "HYBRID_LINUX", ("system:nodes",)),)
    assert view.role is not None
    assert (view.role.name, view.role.arn, view.role.max_session) == (ROLE, ROLE_ARN, 7200)
    assert view.role.trust["Statement"][0]["Principal"] == {"Service": "ssm.amazonaws.com"}
    assert view.role.managed == (made.ids["policy"],)
    assert {name: text["Statement"][0]["Action"] for name, text in view.role.policies.items()} == {
        "eks": "eks:DescribeCluster",
        made.ids["policy"]: "ecr:GetAuthorizationToken",
    }
    (mine,) = view.activations  # not the one of another owner
    assert (mine.id, mine.role, mine.limit, mine.count, mine.expired) == (ACTIVATION, ROLE, 6, 2, False)
    assert mine.expires == datetime(2026, 12, 20, tzinfo=UTC)
    assert view.tunnels == (  # not those of another VPC
        TunnelView(made.ids["vpn"], "198.51.100.1", up=False, message="IPSEC IS DOWN"),
        TunnelView(made.ids["vpn"], "198.51.100.2", up=True),
    )


@pytest.mark.row("C2")
def test_what_is_asked_is_the_table(built: Account, seen: tuple[Account, AwsView]) -> None:
    made, _ = seen
    other = account(built)
    with pytest.raises(MissingError):
        read_cluster(Reader(other), "plants")
    asked = {*made.actions, *other.actions}
    assert asked == {read.action for read in READS}


def test_nothing_is_asked_twice_and_nobodys_activations_are_not_asked_for(built: Account) -> None:
    made = account(built)
    view_of(made, owner="")
    twice = {action for action in made.actions if made.actions.count(action) > 1}
    assert "ssm:DescribeActivations" not in made.actions
    assert twice == {"ec2:DescribeVpcAttribute"}  # one call for each of two attributes


@pytest.mark.row("C2")
@pytest.mark.parametrize("action", OPTIONAL)
def test_an_optional_read_that_is_refused_is_noted_and_the_rest_is_there(
    built: Account, action: str, seen: tuple[Account, AwsView]
) -> None:
    made = account(built, denied={action})
    view = view_of(made)
    assert view.denied == (action,)
    assert not view.could_read(action)
    whole = seen[1]
    empty = {
        field.name for field in fields(AwsView) if bool(getattr(whole, field.name)) != bool(getattr(view, field.name))
    }
    lost = {
        "ec2:DescribeSecurityGroupRules": {"rules"},
        "ec2:DescribeRouteTables": {"route_tables"},
        "ec2:DescribeVpnConnections": {"tunnels"},
        "ec2:DescribeVpnGateways": {"tunnels"},  # the transit gateway's connections would still be there
        "route53resolver:ListResolverEndpoints": {"resolvers"},
        "route53resolver:ListResolverEndpointIpAddresses": {"resolvers"},
        "eks:ListAccessEntries": {"entries", "role"},
        "eks:DescribeAccessEntry": {"entries", "role"},
        "iam:GetRole": {"role"},
        "ssm:DescribeActivations": {"activations"},
    }
    assert empty == {"denied", *lost.get(action, set())}
    if action.startswith("iam:") and view.role is not None:
        assert len(view.role.policies) < 2
    if action == "ec2:GetManagedPrefixListEntries":
        assert made.ids["list"] in {rule.peer for rule in view.rules}


@pytest.mark.row("C2")
@pytest.mark.parametrize("action", REQUIRED)
def test_a_required_read_that_is_refused_names_its_action(built: Account, action: str) -> None:
    with pytest.raises(DeniedError) as caught:
        view_of(account(built, denied={action}))
    assert str(caught.value) == (
        f"AWS {action} in eu-central-1: arn:aws:iam::123456789012:user/ci may not do {action} on *. Remedy: Allow {action}"
        " on *; `python -m edge.aws.permissions` prints a policy with everything that is read."
    )


def test_all_required_reads_that_are_refused_are_told_at_once(built: Account) -> None:
    denied = {action for action in REQUIRED if action.startswith("ec2:")} | {"iam:GetRole"}
    with pytest.raises(DeniedError) as caught:
        view_of(account(built, denied=denied))
    assert caught.value.message == (
        "4 reads are not allowed: ec2:DescribeNetworkInterfaces, ec2:DescribeSubnets, ec2:DescribeVpcEndpoints,"
        " ec2:DescribeVpcs."
    )


def test_another_error_of_an_optional_read_is_no_denial(built: Account) -> None:
    made = account(built, errors={"ssm:DescribeActivations": (500, "InternalServerError", "broken")})
    with pytest.raises(AwsError, match="AWS ssm:DescribeActivations in eu-central-1: answered InternalServerError"):
        view_of(made)


# Pages: each line answers one action with two pages, of which only the second has what is looked for.
PAGED: dict[str, tuple[str, Callable[[Account], list[list[Any]]], Callable[[AwsView, Account], object]]] = {
    "eks:ListAccessEntries": (
        "accessEntries",
        lambda made: [["arn:aws:iam::123456789012:user/a"], [ROLE_ARN]],
        lambda view, made: view.role,
    ),
    "ssm:DescribeActivations": (
        "ActivationList",
        lambda made: [[], [activation(ACTIVATION, Tags=[{"Key": "edge-hosts-owner", "Value": OWNER}])]],
        lambda view, made: view.activations,
    ),
    "iam:ListRolePolicies": ("PolicyNames", lambda made: [[], ["eks"]], lambda view, made: view.role.policies["eks"]),  # type: ignore[union-attr]
    "iam:ListAttachedRolePolicies": (
        "AttachedPolicies",
        lambda made: [[], [{"PolicyName": "pull", "PolicyArn": made.ids["policy"]}]],
        lambda view, made: view.role.managed,  # type: ignore[union-attr]
    ),
    "ec2:DescribeSubnets": (
        "Subnets",
        lambda made: [
            [],
            [{"SubnetId": made.subnets[0], "CidrBlock": "10.100.0.0/24", "AvailableIpAddressCount": 3}],
        ],
        lambda view, made: view.subnets,
    ),
    "ec2:DescribeRouteTables": (
        "RouteTables",
        lambda made: [[], [{"RouteTableId": "rtb-2", "Associations": [{"Main": True}]}]],
        lambda view, made: view.route_table("rtb-2"),
    ),
    "ec2:DescribeSecurityGroupRules": (
        "SecurityGroupRules",
        lambda made: [[], [{"GroupId": "sg-2", "IpProtocol": "udp", "CidrIpv4": "10.0.0.0/8"}]],
        lambda view, made: view.rules,
    ),
    "ec2:GetManagedPrefixListEntries": (
        "Entries",
        lambda made: [[{"Cidr": "2001:db8::/32"}], [{"Cidr": "10.209.0.0/16"}]],
        lambda view, made: {rule.peer for rule in view.rules} & {"10.209.0.0/16"},
    ),
    "ec2:DescribeNetworkInterfaces": (
        "NetworkInterfaces",
        lambda made: [
            [],
            [{"NetworkInterfaceId": "eni-2", "PrivateIpAddress": "10.100.0.9", "SubnetId": made.subnets[0]}],
        ],
        lambda view, made: view.interfaces,
    ),
    "ec2:DescribeVpcEndpoints": (
        "VpcEndpoints",
        lambda made: [[], [{"VpcEndpointId": "vpce-2"}]],
        lambda view, made: view.endpoints,
    ),
    "ec2:DescribeTransitGatewayVpcAttachments": (
        "TransitGatewayVpcAttachments",
        lambda made: [[], [{"TransitGatewayId": "tgw-2"}]],
        lambda view, made: {one.connection for one in view.tunnels} & {"vpn-of-transit"},
    ),
    "route53resolver:ListResolverEndpoints": (
        "ResolverEndpoints",
        lambda made: [[], [{"Id": "rslvr-in-2", "Status": "OPERATIONAL"}]],
        lambda view, made: view.resolvers,
    ),
    "route53resolver:ListResolverEndpointIpAddresses": (
        "IpAddresses",
        lambda made: [[], [{"Ip": "10.100.0.77", "SubnetId": made.subnets[0], "Status": "ATTACHED"}]],
        lambda view, made: view.resolvers[0].addresses,
    ),
}


def _transit_connection(parsed: dict[str, Any]) -> None:
    tunnel = {"OutsideIpAddress": "198.51.100.9", "Status": "UP"}
    parsed["VpnConnections"].append(
        {
            "VpnConnectionId": "vpn-of-transit",
            "TransitGatewayId": "tgw-2",
            "State": "available",
            "VgwTelemetry": [tunnel],
        }
    )


@pytest.mark.parametrize("action", list(PAGED))
def test_every_page_is_read(built: Account, action: str) -> None:
    key, pages_of, found = PAGED[action]
    token = {"eks": "nextToken", "iam": "Marker"}.get(action.partition(":")[0], "NextToken")
    made = account(built)
    made.changes["ec2:DescribeVpnConnections"] = _transit_connection
    if action == "route53resolver:ListResolverEndpoints":
        made.answers["route53resolver:ListResolverEndpointIpAddresses"] = lambda _: {"IpAddresses": []}
    made.paged(action, key, pages_of(made), token)
    assert found(view_of(made), made)
    calls = [values for asked, values in made.asked if asked == action]
    assert [values.get(token) for values in calls] == [None, "1"]


def test_every_read_that_has_pages_is_tested_for_them() -> None:
    session = botocore.session.Session()
    session.set_credentials("AKIDEXAMPLE", "example")
    paged = set()
    for read in READS:
        service, _, operation = read.action.partition(":")
        client = session.create_client(service, region_name=REGION)
        assert operation in client.meta.service_model.operation_names, "an action that is no operation of the API"
        if client.can_paginate(xform_name(operation)):
            paged.add(read.action)
    # The clusters have a test of their own; one VPC is asked for by its id.
    assert paged - {"eks:ListClusters", "ec2:DescribeVpcs"} == set(PAGED)


def test_independent_reads_run_side_by_side(built: Account) -> None:
    together = {
        *("ec2:DescribeVpcs", "ec2:DescribeSubnets", "ec2:DescribeRouteTables", "ec2:DescribeNetworkInterfaces"),
        *("ec2:DescribeVpcEndpoints", "route53resolver:ListResolverEndpoints", "eks:ListAccessEntries"),
        *("ssm:DescribeActivations", "ec2:DescribeVpnGateways", "ec2:DescribeTransitGatewayVpcAttachments"),
    }
    gate = threading.Barrier(len(together))
    made = account(built)
    cluster = read_cluster(Reader(made), NAME)

    # Each of these waits for all the others: one after the other, the first would wait in vain.
    made.before = lambda action: gate.wait(20) and None if action in together else None
    view = read_view(Reader(made), cluster, WantedRole(), OWNER)
    assert view.role is not None
    assert not gate.broken
