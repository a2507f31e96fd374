"""What AWS's own service models say about the network that we send: wire inputs as API parameters, judged by `aws_model`.

An input without a mapping is an error: it would be sent without having been judged.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from components.testing import Registration
from edge.aws import plan_objects as types
from tests.components.aws_model import judged

Inputs = Mapping[str, Any]
# EC2 API reference, IpRange: typed by hand, the service model does not have it.
DESCRIPTION = r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}"


def problems(one: Registration) -> list[str]:
    """Return everything that the API's model has against a registration. Raises KeyError for a type without a mapping."""
    service, operation, mapped = CALLS[one.type]
    inputs = {key: one.plain(key) for key in one.inputs if one.plain(key) is not None}
    read = _Read(inputs)
    parameters = mapped(read)
    unread = sorted(set(inputs) - read.seen - {"region"})
    return [
        *(f"{one.name}: {problem}" for problem in judged(service, operation, parameters)),
        *(f"{one.name}: {key} is sent, and nothing judges it" for key in unread),
    ]


class _Read(dict[str, Any]):
    """Inputs that know which of them were looked at."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs)
        self.seen: set[str] = set()

    def take(self, **names: str) -> dict[str, Any]:
        """Return the given inputs under the names of the API: `API name = our name`."""
        self.seen |= set(names.values())
        return {there: _whole(self[here]) for there, here in names.items() if here in self}


def _whole(value: Any) -> Any:
    """Numbers come over the wire as floats."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _ec2_tags(read: _Read, kind: str) -> dict[str, Any]:
    tags = read.take(tags="tags")["tags"]
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": _pairs(tags)}]}


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def _vpc(read: _Read) -> dict[str, Any]:
    attributes = read.take(support="enableDnsSupport", names="enableDnsHostnames")
    assert attributes == {"support": True, "names": True}  # two calls of ModifyVpcAttribute
    return read.take(CidrBlock="cidrBlock") | _ec2_tags(read, "vpc")


def _subnet(read: _Read) -> dict[str, Any]:
    assert read.take(public="mapPublicIpOnLaunch") == {"public": False}
    names = {"VpcId": "vpcId", "CidrBlock": "cidrBlock", "AvailabilityZone": "availabilityZone"}
    return read.take(**names) | _ec2_tags(read, "subnet")


def _plain(kind: str = "", more: Inputs | None = None, **names: str) -> Callable[[_Read], dict[str, Any]]:
    def mapped(read: _Read) -> dict[str, Any]:
        return read.take(**names) | dict(more or {}) | (_ec2_tags(read, kind) if kind else {})

    return mapped


def _customer_gateway(read: _Read) -> dict[str, Any]:
    numbers = read.take(BgpAsn="bgpAsn", BgpAsnExtended="bgpAsnExtended")
    asn = {name: int(value) for name, value in numbers.items()}
    # The API reference gives the range of BgpAsn in words only.
    assert 1 <= asn.get("BgpAsn", 1) <= 2147483647 < asn.get("BgpAsnExtended", 2147483648) <= 4294967294
    assert len(asn) == 1
    return read.take(Type="type", IpAddress="ipAddress") | asn | _ec2_tags(read, "customer-gateway")


def _vpn_gateway(read: _Read) -> dict[str, Any]:
    asn = {name: int(value) for name, value in read.take(AmazonSideAsn="amazonSideAsn").items()}
    return {"Type": "ipsec.1"} | asn | _ec2_tags(read, "vpn-gateway")


def _transit_attachment(read: _Read) -> dict[str, Any]:
    names = {"TransitGatewayId": "transitGatewayId", "VpcId": "vpcId", "SubnetIds": "subnetIds"}
    return (
        read.take(**names)
        | {"Options": read.take(DnsSupport="dnsSupport")}
        | _ec2_tags(read, "transit-gateway-attachment")
    )


def _vpn(read: _Read) -> dict[str, Any]:
    tunnels = []
    for number in (1, 2):
        tunnel = read.take(PreSharedKey=f"tunnel{number}PresharedKey", TunnelInsideCidr=f"tunnel{number}InsideCidr")
        versions = read.take(versions=f"tunnel{number}IkeVersions").get("versions")
        if versions:
            tunnel["IKEVersions"] = [{"Value": version} for version in versions]
        tunnels.append(tunnel)
    names = {
        "CustomerGatewayId": "customerGatewayId",
        "Type": "type",
        "VpnGatewayId": "vpnGatewayId",
        "TransitGatewayId": "transitGatewayId",
    }
    options = read.take(StaticRoutesOnly="staticRoutesOnly") | {"TunnelOptions": tunnels}
    sent = read.take(**names) | {"Options": options} | _ec2_tags(read, "vpn-connection")
    assert ("VpnGatewayId" in sent) != ("TransitGatewayId" in sent)
    return sent


def _rule(read: _Read) -> dict[str, Any]:
    block = read.take(CidrIp="cidrIpv4", Description="description")
    assert re.fullmatch(DESCRIPTION, block["Description"]), block["Description"]
    permission = read.take(IpProtocol="ipProtocol", FromPort="fromPort", ToPort="toPort") | {"IpRanges": [block]}
    return read.take(GroupId="securityGroupId") | {"IpPermissions": [permission]}


def _group(read: _Read) -> dict[str, Any]:
    named = read.take(Description="description", VpcId="vpcId")
    assert re.fullmatch(DESCRIPTION, named["Description"])
    return named | {"GroupName": "made-by-the-provider"} | _ec2_tags(read, "security-group")


def _endpoint(read: _Read) -> dict[str, Any]:
    names = {
        "VpcEndpointType": "vpcEndpointType",
        "VpcId": "vpcId",
        "ServiceName": "serviceName",
        "RouteTableIds": "routeTableIds",
        "SubnetIds": "subnetIds",
        "SecurityGroupIds": "securityGroupIds",
        "PrivateDnsEnabled": "privateDnsEnabled",
    }
    options = read.take(options="dnsOptions").get("options") or {}
    dns = {f"{key[0].upper()}{key[1:]}": value for key, value in options.items()}
    return read.take(**names) | ({"DnsOptions": dns} if dns else {}) | _ec2_tags(read, "vpc-endpoint")


def _resolver(read: _Read) -> dict[str, Any]:
    addresses = [{"SubnetId": _short(one["subnetId"])} for one in read.take(addresses="ipAddresses")["addresses"]]
    return {
        **read.take(Direction="direction"),
        "CreatorRequestId": "made-by-the-provider",
        "SecurityGroupIds": [_short(one) for one in read.take(groups="securityGroupIds")["groups"]],
        "IpAddresses": addresses,
        "Tags": _pairs(read.take(tags="tags")["tags"]),
    }


def _short(id_: str) -> str:
    """Ids of a recording are long names; Route 53 has a limit for real ones."""
    return hashlib.sha256(id_.encode()).hexdigest()[:24]


def _role(read: _Read) -> dict[str, Any]:
    prefix = read.take(prefix="namePrefix")["prefix"]
    assert len(prefix) <= 38  # the provider adds 26 of the 64 characters
    sent = {"RoleName": prefix + "0" * 26, "Tags": _pairs(read.take(tags="tags")["tags"])}
    return read.take(Description="description", AssumeRolePolicyDocument="assumeRolePolicy") | sent


def _cluster(read: _Read) -> dict[str, Any]:
    given = read.take(
        vpc="vpcConfig", network="kubernetesNetworkConfig", remote="remoteNetworkConfig", logs="enabledClusterLogTypes",
        encryption="encryptionConfig",
    )  # fmt: skip
    # The API has lists with one element where the provider has one object.
    remote = {key: [value] for key, value in given["remote"].items()}
    names = {"serviceIpv4Cidr": "serviceIpv4Cidr", "ipFamily": "ipFamily"}
    sent = read.take(name="name", version="version", roleArn="roleArn", accessConfig="accessConfig", tags="tags") | {
        "resourcesVpcConfig": given["vpc"],
        "kubernetesNetworkConfig": {names[key]: value for key, value in given["network"].items()},
        "remoteNetworkConfig": remote,
        "logging": {"clusterLogging": [{"types": given["logs"], "enabled": True}]},
    }
    if "encryption" in given:
        sent["encryptionConfig"] = [given["encryption"]]
    return sent


_PAIR = {"RouteTableId": "routeTableId", "SubnetId": "subnetId"}
CALLS: Mapping[str, tuple[str, str, Callable[[_Read], dict[str, Any]]]] = {
    types.VPC: ("ec2", "CreateVpc", _vpc),
    types.VPC_BLOCK: ("ec2", "AssociateVpcCidrBlock", _plain(VpcId="vpcId", CidrBlock="cidrBlock")),
    types.SUBNET: ("ec2", "CreateSubnet", _subnet),
    types.ROUTE_TABLE: ("ec2", "CreateRouteTable", _plain("route-table", VpcId="vpcId")),
    types.ASSOCIATION: ("ec2", "AssociateRouteTable", _plain(**_PAIR)),
    types.ROUTE: (
        "ec2",
        "CreateRoute",
        _plain(
            RouteTableId="routeTableId",
            DestinationCidrBlock="destinationCidrBlock",
            GatewayId="gatewayId",
            TransitGatewayId="transitGatewayId",
        ),
    ),
    types.VPN_GATEWAY: ("ec2", "CreateVpnGateway", _vpn_gateway),
    types.VPN_GATEWAY_ATTACHMENT: ("ec2", "AttachVpnGateway", _plain(VpcId="vpcId", VpnGatewayId="vpnGatewayId")),
    types.TRANSIT_ATTACHMENT: ("ec2", "CreateTransitGatewayVpcAttachment", _transit_attachment),
    types.TRANSIT_ROUTE: (
        "ec2",
        "CreateTransitGatewayRoute",
        _plain(
            DestinationCidrBlock="destinationCidrBlock",
            TransitGatewayRouteTableId="transitGatewayRouteTableId",
            TransitGatewayAttachmentId="transitGatewayAttachmentId",
        ),
    ),
    types.CUSTOMER_GATEWAY: ("ec2", "CreateCustomerGateway", _customer_gateway),
    types.VPN: ("ec2", "CreateVpnConnection", _vpn),
    types.VPN_ROUTE: (
        "ec2",
        "CreateVpnConnectionRoute",
        _plain(VpnConnectionId="vpnConnectionId", DestinationCidrBlock="destinationCidrBlock"),
    ),
    types.GROUP: ("ec2", "CreateSecurityGroup", _group),
    types.RULE_IN: ("ec2", "AuthorizeSecurityGroupIngress", _rule),
    types.RULE_OUT: ("ec2", "AuthorizeSecurityGroupEgress", _rule),
    types.ENDPOINT: ("ec2", "CreateVpcEndpoint", _endpoint),
    types.RESOLVER: ("route53resolver", "CreateResolverEndpoint", _resolver),
    types.ROLE: ("iam", "CreateRole", _role),
    types.ROLE_POLICY: ("iam", "AttachRolePolicy", _plain(RoleName="role", PolicyArn="policyArn")),
    types.CLUSTER: ("eks", "CreateCluster", _cluster),
}
