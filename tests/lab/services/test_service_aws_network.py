"""Ways to the site and machines that registered: VPN, propagation, routes, SSM. Asked by real botocore clients."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_stand import FACTS, SUBNETS, Aws, refused

HOUR = timedelta(hours=1)


def _table_with_gateway(aws: Aws) -> tuple[str, str, str]:
    """Make a VPC with a table and an attached gateway, and return table, gateway and VPC."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.50.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    return table, gateway, vpc


def _vpn(aws: Aws, gateway: str, **options: Any) -> str:
    ec2 = aws.client("ec2")
    router = ec2.create_customer_gateway(Type="ipsec.1", PublicIp="203.0.113.77", BgpAsn=65001)["CustomerGateway"]
    asked = {"StaticRoutesOnly": True, **options}
    made = ec2.create_vpn_connection(
        Type="ipsec.1", CustomerGatewayId=router["CustomerGatewayId"], VpnGatewayId=gateway, Options=asked
    )
    return str(made["VpnConnection"]["VpnConnectionId"])


def _table(aws: Aws, table: str) -> dict[str, Any]:
    found: dict[str, Any] = aws.client("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"][0]
    return found


def _routes(aws: Aws, table: str) -> set[tuple[str, str, str]]:
    return {(one["DestinationCidrBlock"], one["Origin"], one["State"]) for one in _table(aws, table)["Routes"]}


LOCAL = ("10.50.0.0/16", "CreateRouteTable", "active")


def test_a_table_takes_over_the_routes_of_an_attached_gateway(aws: Aws) -> None:
    ec2 = aws.client("ec2")
    table, gateway, vpc = _table_with_gateway(aws)
    asked = {"RouteTableId": table, "GatewayId": gateway}
    assert refused(lambda: ec2.enable_vgw_route_propagation(**asked))[0] == "Gateway.NotAttached"
    ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)
    ec2.enable_vgw_route_propagation(**asked)
    assert _table(aws, table)["PropagatingVgws"] == [{"GatewayId": gateway}]
    vpn = _vpn(aws, gateway)
    ec2.create_vpn_connection_route(VpnConnectionId=vpn, DestinationCidrBlock="10.60.0.0/16")
    assert _routes(aws, table) == {LOCAL, ("10.60.0.0/16", "EnableVgwRoutePropagation", "active")}
    ec2.delete_vpn_connection_route(VpnConnectionId=vpn, DestinationCidrBlock="10.60.0.0/16")
    assert _routes(aws, table) == {LOCAL}
    ec2.create_vpn_connection_route(VpnConnectionId=vpn, DestinationCidrBlock="10.61.0.0/16")
    ec2.disable_vgw_route_propagation(**asked)
    assert _table(aws, table)["PropagatingVgws"] == []
    assert _routes(aws, table) == {LOCAL}


def test_a_route_wants_a_gateway_that_is_there_and_leads_nowhere_without_it(aws: Aws) -> None:
    ec2 = aws.client("ec2")
    table, gateway, vpc = _table_with_gateway(aws)
    site = {"RouteTableId": table, "DestinationCidrBlock": "10.60.0.0/16"}
    assert refused(lambda: ec2.create_route(**site, GatewayId=gateway))[0] == "InvalidParameterValue"
    missing = refused(lambda: ec2.create_route(**site, TransitGatewayId="tgw-0123456789abcdef0"))
    assert missing[0] == "InvalidTransitGatewayID.NotFound"
    ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)
    ec2.create_route(**site, GatewayId=gateway)
    assert ("10.60.0.0/16", "CreateRoute", "active") in _routes(aws, table)
    ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)
    assert ("10.60.0.0/16", "CreateRoute", "blackhole") in _routes(aws, table)
    ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)
    assert ("10.60.0.0/16", "CreateRoute", "active") in _routes(aws, table)


def test_a_vpn_has_options_tunnels_and_the_document_of_its_router(aws: Aws) -> None:
    _table_id, gateway, _vpc = _table_with_gateway(aws)
    key = "a_secret.of1tunnel"
    vpn = _vpn(aws, gateway, TunnelOptions=[{"PreSharedKey": key, "TunnelInsideCidr": "169.254.77.0/30"}])
    found = aws.client("ec2").describe_vpn_connections(VpnConnectionIds=[vpn])["VpnConnections"][0]
    first, second = found["Options"]["TunnelOptions"]
    assert (first["PreSharedKey"], first["TunnelInsideCidr"]) == (key, "169.254.77.0/30")
    assert re.fullmatch(r"[A-Za-z0-9._]{8,64}", second["PreSharedKey"])
    assert {one["OutsideIpAddress"] for one in found["VgwTelemetry"]} == set(FACTS.tunnels)
    document = found["CustomerGatewayConfiguration"]
    assert document.count("<ipsec_tunnel>") == 2
    assert all(f"<ip_address>{address}</ip_address>" in document for address in FACTS.tunnels)
    dynamic = _vpn(aws, gateway, StaticRoutesOnly=False)
    asked = {"VpnConnectionId": dynamic, "DestinationCidrBlock": "10.60.0.0/16"}
    assert refused(lambda: aws.client("ec2").create_vpn_connection_route(**asked))[0] == "InvalidParameterValue"


def test_blocks_of_a_vpc_come_and_go_with_their_local_routes(aws: Aws) -> None:
    ec2, vpc = aws.client("ec2"), aws.cluster()["resourcesVpcConfig"]["vpcId"]
    made = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.40.0.0/16")["CidrBlockAssociation"]
    assert [one["GatewayId"] for one in aws.routes("10.40.0.0/16")] == ["local"] * len(SUBNETS)
    ec2.disassociate_vpc_cidr_block(AssociationId=made["AssociationId"])
    assert aws.routes("10.40.0.0/16") == []
    assert len(aws.routes("10.231.78.0/24")) == len(SUBNETS)


def _activate(aws: Aws, **asked: Any) -> dict[str, Any]:
    made: dict[str, Any] = aws.client("ssm").create_activation(**{"IamRole": "AmazonEKSHybridNodesRole", **asked})
    return made


def _activation(aws: Aws, id_: str) -> dict[str, Any]:
    wanted = [{"FilterKey": "ActivationIds", "FilterValues": [id_]}]
    (found,) = aws.client("ssm").describe_activations(Filters=wanted)["ActivationList"]
    return dict(found)


@pytest.mark.row("C7")
def test_an_activation_tells_its_code_once_and_has_the_defaults_of_ssm(aws: Aws) -> None:
    made = _activate(aws, Tags=[{"Key": "site", "Value": "lab"}], DefaultInstanceName="plant")
    assert re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", made["ActivationId"])
    assert 20 <= len(made["ActivationCode"]) <= 250
    shown = _activation(aws, made["ActivationId"])
    assert made["ActivationCode"] not in str(shown)
    assert (shown["RegistrationLimit"], shown["RegistrationsCount"], shown["Expired"]) == (1, 0, False)
    left = shown["ExpirationDate"] - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    assert (shown["Tags"], shown["DefaultInstanceName"]) == ([{"Key": "site", "Value": "lab"}], "plant")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"RegistrationLimit": 1001}, "Registration limit"),
        ({"ExpirationDate": datetime.now(UTC) + timedelta(days=31)}, "30 days"),
        ({"ExpirationDate": datetime.now(UTC) - HOUR}, "in the future"),
        ({"IamRole": "Nobody"}, "missing ssm service principal"),
        ({"IamRole": "AmazonEKSClusterRole"}, "missing ssm service principal"),
    ],
)
def test_activations_that_ssm_refuses(aws: Aws, asked: dict[str, Any], said: str) -> None:
    code, status, message = refused(lambda: _activate(aws, **asked))
    assert (code, status) == ("ValidationException", 400)
    assert said in message


def test_activations_are_found_by_filters_and_removed(aws: Aws) -> None:
    ssm, made = aws.client("ssm"), _activate(aws, DefaultInstanceName="plant")
    for key, value, count in (
        ("ActivationIds", made["ActivationId"], 1),
        ("DefaultInstanceName", "plant", 1),
        ("IamRole", "AmazonEKSHybridNodesRole", 2),
        ("IamRole", "Nobody", 0),
    ):
        found = ssm.describe_activations(Filters=[{"FilterKey": key, "FilterValues": [value]}])["ActivationList"]
        assert len(found) == count
    pages = list(ssm.get_paginator("describe_activations").paginate(PaginationConfig={"PageSize": 1}))
    assert [len(page["ActivationList"]) for page in pages] == [1, 1]
    ssm.delete_activation(ActivationId=made["ActivationId"])
    assert refused(lambda: ssm.delete_activation(ActivationId=made["ActivationId"]))[0] == "InvalidActivationId"


def test_machines_that_registered_outlive_their_activation(aws: Aws) -> None:
    ssm = aws.client("ssm")
    activation = ssm.describe_activations()["ActivationList"][0]["ActivationId"]
    node = aws.register("plant-a", "10.231.76.11")
    assert re.fullmatch(r"mi-[0-9a-f]{17}", node)
    assert _activation(aws, activation)["RegistrationsCount"] == 1
    wanted = [{"Key": "ActivationIds", "Values": [activation]}]
    (found,) = ssm.describe_instance_information(Filters=wanted)["InstanceInformationList"]
    assert (found["InstanceId"], found["ComputerName"], found["IPAddress"]) == (node, "plant-a", "10.231.76.11")
    assert (found["ActivationId"], found["ResourceType"]) == (activation, "ManagedInstance")
    with pytest.raises(Exception, match="registration limit"):
        for number in range(10):
            aws.register(f"plant-{number}", "10.231.76.12")
    ssm.delete_activation(ActivationId=activation)
    assert len(ssm.describe_instance_information()["InstanceInformationList"]) == 10
    ssm.deregister_managed_instance(InstanceId=node)
    assert len(ssm.describe_instance_information()["InstanceInformationList"]) == 9
    assert refused(lambda: ssm.deregister_managed_instance(InstanceId=node))[0] == "InvalidInstanceId"


def test_a_deregistered_machine_needs_another_activation(aws: Aws) -> None:
    node = aws.register("plant-a", "10.231.76.11")
    aws.client("ssm").deregister_managed_instance(InstanceId=node)
    with pytest.raises(Exception, match="needs another activation"):
        aws.register("plant-a", "10.231.76.11")


def test_what_moto_knows_of_ssm_still_answers(aws: Aws) -> None:
    ssm = aws.client("ssm")
    ssm.put_parameter(Name="/lab/code", Value="x", Type="SecureString")
    assert ssm.get_parameter(Name="/lab/code", WithDecryption=True)["Parameter"]["Value"] == "x"


def test_inbound_endpoints_take_addresses_of_their_subnets(aws: Aws) -> None:
    group = aws.cluster()["resourcesVpcConfig"]["clusterSecurityGroupId"]
    resolver, subnets = aws.client("route53resolver"), list(aws.subnets().values())
    made = resolver.create_resolver_endpoint(
        CreatorRequestId="one",
        Direction="INBOUND",
        Name="inbound",
        SecurityGroupIds=[group],
        IpAddresses=[{"SubnetId": one} for one in subnets],
    )["ResolverEndpoint"]
    found = resolver.list_resolver_endpoint_ip_addresses(ResolverEndpointId=made["Id"])["IpAddresses"]
    assert {one["SubnetId"] for one in found} == set(subnets)
