"""Changes on the AWS side: each is seen by a real client, and all is as it was when it is switched off."""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any

import pytest
from aws_stand import FACTS, NODES, PODS, SUBNETS, Aws, refused


def everything(aws: Aws) -> list[Any]:
    """Return all that a look-up of the cluster would read."""
    ec2, eks, iam = aws.client("ec2"), aws.client("eks"), aws.client("iam")
    entries = eks.list_access_entries(clusterName="lab") if _has_entries(aws) else {}
    role = "AmazonEKSHybridNodesRole"
    answers = [
        eks.describe_cluster(name="lab"),
        entries,
        ec2.describe_vpcs(),
        ec2.describe_route_tables(),
        ec2.describe_network_interfaces(),
        ec2.describe_security_group_rules(),
        ec2.describe_vpn_connections(),
        aws.client("ssm").describe_activations(),
        *(iam.get_role_policy(RoleName=role, PolicyName=name) for name in ("EKSCluster", "SSM")),
    ]
    for answer in answers:
        answer.pop("ResponseMetadata", None)
    return answers


def _has_entries(aws: Aws) -> bool:
    return str(aws.cluster()["accessConfig"]["authenticationMode"]) != "CONFIG_MAP"


ALL = [
    ("aws-vpc-block", "10.231.77.0/24"),
    ("aws-endpoint", "public"),
    ("aws-endpoint", "publicAndPrivate"),
    ("aws-auth-mode", "CONFIG_MAP"),
    ("aws-not-hybrid", None),
    ("aws-route-missing", NODES),
    ("aws-route-missing", None),
    ("aws-route-blackhole", PODS),
    ("aws-rule-missing", "in:443"),
    ("aws-rule-missing", "out:10250"),
    ("aws-entry-missing", None),
    ("aws-eni-missing", FACTS.addresses[0]),
    ("aws-role-lacks", "eks:ListAccessEntries"),
    ("aws-activation-expired", None),
    ("aws-tunnel-down", None),
    ("aws-tunnel-down", FACTS.tunnels[0]),
]


@pytest.mark.parametrize(("name", "target"), ALL)
def test_a_change_is_seen_and_taken_back(aws: Aws, name: str, target: str | None) -> None:
    before = everything(aws)
    aws.fault(name, target)
    assert everything(aws) != before
    aws.fault(name, target, on=False)
    assert everything(aws) == before


def test_several_changes_come_and_go_in_any_order(aws: Aws) -> None:
    before = everything(aws)
    for name, target in ALL:
        aws.fault(name, target)
    for name, target in ALL[::2]:
        aws.fault(name, target, on=False)
    assert everything(aws) != before
    aws.fault("aws-route-missing", NODES)
    aws.loop.call_soon_threadsafe(aws.services.faults.clear)
    assert everything(aws) == before


@pytest.mark.row("C2")
def test_a_block_of_the_vpc_that_overlaps_the_site(aws: Aws) -> None:
    aws.fault("aws-vpc-block", "10.231.77.0/24")
    vpc = aws.client("ec2").describe_vpcs(VpcIds=[aws.cluster()["resourcesVpcConfig"]["vpcId"]])["Vpcs"][0]
    blocks = {one["CidrBlock"]: one["CidrBlockState"]["State"] for one in vpc["CidrBlockAssociationSet"]}
    assert blocks == {"10.231.78.0/24": "associated", "10.231.77.0/24": "associated"}
    assert vpc["CidrBlock"] == "10.231.78.0/24"
    assert len(aws.routes("10.231.77.0/24")) == len(SUBNETS)


@pytest.mark.parametrize(
    ("mode", "public", "private"),
    [("public", True, False), ("private", False, True), ("publicAndPrivate", True, True)],
)
def test_the_endpoint_mode(aws: Aws, mode: str, public: bool, private: bool) -> None:
    aws.fault("aws-endpoint", mode)
    vpc = aws.cluster()["resourcesVpcConfig"]
    assert (vpc["endpointPublicAccess"], vpc["endpointPrivateAccess"]) == (public, private)
    assert vpc["publicAccessCidrs"] == (["0.0.0.0/0"] if public else [])


def test_routes_that_are_gone_or_lead_nowhere(aws: Aws) -> None:
    aws.fault("aws-route-missing", NODES)
    aws.fault("aws-route-blackhole", PODS)
    assert aws.routes(NODES) == []
    assert [one["State"] for one in aws.routes(PODS)] == ["blackhole"] * len(SUBNETS)


def test_rules_that_are_gone(aws: Aws) -> None:
    vpc = aws.cluster()["resourcesVpcConfig"]
    groups = (vpc["clusterSecurityGroupId"], *vpc["securityGroupIds"])
    aws.fault("aws-rule-missing", "out:10250")
    rules = set().union(*(aws.rules(group) for group in groups))
    assert {rule for rule in rules if rule[0]} == set()
    assert (False, "tcp", 443, NODES) in rules
    aws.fault("aws-rule-missing", "in:443")
    assert set().union(*(aws.rules(group) for group in groups)) == set()


def test_identity_that_is_gone(aws: Aws) -> None:
    aws.fault("aws-entry-missing")
    aws.fault("aws-role-lacks", "eks:ListAccessEntries")
    aws.fault("aws-activation-expired")
    eks, role = aws.client("eks"), FACTS.hybrid_role_arn
    assert role not in eks.list_access_entries(clusterName="lab")["accessEntries"]
    gone = refused(lambda: eks.describe_access_entry(clusterName="lab", principalArn=role))
    assert gone[0] == "ResourceNotFoundException"
    inline = aws.client("iam").get_role_policy(RoleName="AmazonEKSHybridNodesRole", PolicyName="EKSCluster")
    assert inline["PolicyDocument"]["Statement"][0]["Action"] == ["eks:DescribeCluster"]
    assert [one["Expired"] for one in aws.client("ssm").describe_activations()["ActivationList"]] == [True]


def test_one_tunnel_of_two_is_down(aws: Aws) -> None:
    aws.fault("aws-tunnel-down", FACTS.tunnels[1])
    (vpn,) = aws.client("ec2").describe_vpn_connections()["VpnConnections"]
    assert [one["Status"] for one in vpn["VgwTelemetry"]] == ["UP", "DOWN"]


def test_a_reset_under_a_fault_keeps_the_fault(aws: Aws) -> None:
    import asyncio

    aws.fault("aws-endpoint", "public")
    asyncio.run_coroutine_threadsafe(aws.standin.reset(), aws.loop).result(30)
    assert aws.cluster()["resourcesVpcConfig"]["endpointPublicAccess"] is True
    aws.fault("aws-endpoint", "public", on=False)
    assert aws.cluster()["resourcesVpcConfig"]["endpointPublicAccess"] is False


def _answers(aws: Aws, address: str) -> str:
    """Return what the API server does on one of its interfaces: `open`, `silent`, or `changing` at that moment."""
    config = aws.services.config
    trust = ssl.create_default_context(cafile=str(config.ca_dir / "cluster.pem"))
    try:
        with (
            socket.create_connection((address, config.ports.https), 0.5) as plain,
            trust.wrap_socket(plain, server_hostname=address) as tls,
        ):
            tls.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return "open" if tls.recv(64).startswith(b"HTTP/1.1 401") else "changing"
    except TimeoutError:
        return "silent"
    except OSError:
        return "changing"


def _becomes(aws: Aws, *wanted: str) -> None:
    """Return when the interfaces do what is wanted: a change is felt a moment after it was made."""
    deadline = time.monotonic() + 10
    while (seen := [_answers(aws, address) for address in aws.services.config.eni_ips]) != list(wanted):
        assert time.monotonic() < deadline, seen
        time.sleep(0.2)


@pytest.mark.row("A6")
@pytest.mark.parametrize(
    ("name", "target", "answers"),
    [
        ("aws-route-missing", NODES, ("silent", "silent")),
        ("aws-route-blackhole", None, ("silent", "silent")),
        ("aws-route-missing", PODS, ("open", "open")),
        ("aws-rule-missing", "in:443", ("silent", "silent")),
        ("aws-rule-missing", "out:10250", ("open", "open")),
        ("aws-eni-missing", FACTS.addresses[1], ("open", "silent")),
    ],
)
def test_what_aws_lets_nobody_reach_does_not_answer(aws: Aws, name: str, target: str | None, answers: Any) -> None:
    _becomes(aws, "open", "open")
    aws.fault(name, target)
    _becomes(aws, *answers)
    aws.clear()
    _becomes(aws, "open", "open")


def test_a_route_that_somebody_deletes_is_felt_too(aws: Aws) -> None:
    ec2 = aws.client("ec2")
    subnet = aws.subnets()[SUBNETS[0]]
    wanted = [{"Name": "association.subnet-id", "Values": [subnet]}]
    table = ec2.describe_route_tables(Filters=wanted)["RouteTables"][0]["RouteTableId"]
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock=NODES)
    _becomes(aws, "silent", "open")
