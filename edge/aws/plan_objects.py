"""Every object of a plan by its logical name: what a run makes, before it makes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge.aws.plan_parts import NetworkPlan, PrivatePathPlan, VpnPlan
from edge.aws.security import GroupRole, SecurityRule, security_rules
from edge.network import NetworkFacts

VPC = "aws:ec2/vpc:Vpc"
VPC_BLOCK = "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation"
SUBNET = "aws:ec2/subnet:Subnet"
ROUTE_TABLE = "aws:ec2/routeTable:RouteTable"
ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
ROUTE = "aws:ec2/route:Route"
VPN_GATEWAY = "aws:ec2/vpnGateway:VpnGateway"
VPN_GATEWAY_ATTACHMENT = "aws:ec2/vpnGatewayAttachment:VpnGatewayAttachment"
TRANSIT_ATTACHMENT = "aws:ec2transitgateway/vpcAttachment:VpcAttachment"
TRANSIT_ROUTE = "aws:ec2transitgateway/route:Route"
CUSTOMER_GATEWAY = "aws:ec2/customerGateway:CustomerGateway"
VPN = "aws:ec2/vpnConnection:VpnConnection"
VPN_ROUTE = "aws:ec2/vpnConnectionRoute:VpnConnectionRoute"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
RULE_IN = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
RULE_OUT = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
RESOLVER = "aws:route53/resolverEndpoint:ResolverEndpoint"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
CLUSTER = "aws:eks/cluster:Cluster"


@dataclass(frozen=True)
class PlannedObject:
    """One object: its logical name without the prefix of the stack, and its type token."""

    key: str
    type: str


def objects(plan: NetworkPlan) -> tuple[PlannedObject, ...]:
    """Return everything that a plan makes, sorted; the identity of the hosts is not part of it."""
    found = (*_vpc(plan), *_gateway(plan), *_vpns(plan), *_groups(plan), *_private(plan.private_path), *_cluster(plan))
    return tuple(sorted((PlannedObject(key, type_) for key, type_ in found), key=lambda one: (one.key, one.type)))


def group_roles(plan: NetworkPlan) -> tuple[GroupRole, ...]:
    """Return the security groups that a plan makes. The group of a cluster that exists belongs to its own tool."""
    private = plan.private_path
    wanted: dict[GroupRole, bool] = {
        "cluster": plan.cluster is not None,
        "endpoints": private is not None and bool(private.services),
        "resolver": private is not None and private.resolver,
    }
    return tuple(role for role, made in wanted.items() if made)


def rules_of(plan: NetworkPlan) -> tuple[SecurityRule, ...]:
    """Return the rules of all groups of a plan, for the networks of all its sites."""
    facts = NetworkFacts(
        region=plan.region,
        partition=plan.partition,
        cluster_name=plan.cluster_name,
        cluster_endpoint="",
        vpc_cidrs=plan.vpc.cidrs,
        remote_node_cidrs=plan.nodes,
        remote_pod_cidrs=plan.pods,
    )
    return security_rules(facts, webhook_ports=plan.webhook_ports, roles=group_roles(plan))


_Found = Iterator[tuple[str, str]]


def _vpc(plan: NetworkPlan) -> _Found:
    if plan.vpc.made:
        yield "vpc", VPC
        yield from ((f"block-{cidr}", VPC_BLOCK) for cidr in plan.vpc.secondary)
        for subnet in plan.vpc.subnets:
            yield subnet.key, SUBNET
            yield f"association-{subnet.cidr}", ASSOCIATION
        yield "routes", ROUTE_TABLE
    yield from ((route.key, ROUTE) for route in plan.routes)


def _gateway(plan: NetworkPlan) -> _Found:
    kind = plan.gateway.kind if plan.gateway else ""
    if kind == "virtualGateway":
        yield "gateway", VPN_GATEWAY
        yield "gateway-attachment", VPN_GATEWAY_ATTACHMENT
    if kind == "transitGateway":
        yield "attachment", TRANSIT_ATTACHMENT
    yield from ((route.key, TRANSIT_ROUTE) for route in plan.transit_routes)


def _vpns(plan: NetworkPlan) -> _Found:
    for vpn in plan.vpns:
        yield from _vpn(vpn)


def _vpn(vpn: VpnPlan) -> _Found:
    if vpn.address:
        yield vpn.key("customer-gateway"), CUSTOMER_GATEWAY
    yield vpn.key("vpn"), VPN
    yield from ((vpn.key(f"vpn-route-{cidr}"), VPN_ROUTE) for cidr in vpn.routes)


def _groups(plan: NetworkPlan) -> _Found:
    yield from ((f"{role}-group", GROUP) for role in group_roles(plan))
    for rule in rules_of(plan):
        yield f"{rule.role}-{rule.key}", RULE_IN if rule.direction == "in" else RULE_OUT


def _private(private: PrivatePathPlan | None) -> _Found:
    if private is None:
        return
    yield from ((f"endpoint-{service}", ENDPOINT) for service in private.services)
    if private.s3_gateway:
        yield "endpoint-s3-gateway", ENDPOINT
    if private.resolver:
        yield "resolver", RESOLVER


def _cluster(plan: NetworkPlan) -> _Found:
    if plan.cluster is None:
        return
    if not plan.cluster.role:
        yield "control-plane-role", ROLE
        yield "control-plane-policy", ROLE_POLICY
    yield "cluster", CLUSTER
