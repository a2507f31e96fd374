"""The rules of a managed network, each as a sentence when it is broken. A deliberate break must be found here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from components.testing import SECRET_KEY, Recording, Registration
from edge.aws import plan_objects as types
from edge.aws.plan import network_plan
from edge.aws.plan_objects import objects, rules_of
from edge.aws.plan_parts import NetworkPlan
from edge.network_question import NetworkQuestion
from tests.components import aws_network_api
from tests.components.managed_samples import KEYS, OWNER, PREFIX, REGION, objects_of

PROTECTED = {types.VPC, types.VPN_GATEWAY, types.TRANSIT_ATTACHMENT, types.ROLE, types.CLUSTER}
TAGGED = {
    types.VPC, types.SUBNET, types.ROUTE_TABLE, types.VPN_GATEWAY, types.TRANSIT_ATTACHMENT, types.CUSTOMER_GATEWAY,
    types.VPN, types.GROUP, types.ENDPOINT, types.RESOLVER, types.ROLE, types.CLUSTER,
}  # fmt: skip
GLOBAL = {types.ROLE, types.ROLE_POLICY}
PARENTS: Mapping[str, str] = {
    types.VPC: "ManagedVpc", types.VPC_BLOCK: "ManagedVpc", types.SUBNET: "ManagedVpc", types.ROUTE_TABLE: "ManagedVpc",
    types.ASSOCIATION: "ManagedVpc", types.ROUTE: "ManagedGateway", types.VPN_GATEWAY: "ManagedGateway",
    types.VPN_GATEWAY_ATTACHMENT: "ManagedGateway", types.TRANSIT_ATTACHMENT: "ManagedGateway",
    types.TRANSIT_ROUTE: "ManagedNetwork", types.CUSTOMER_GATEWAY: "SiteVpn", types.VPN: "SiteVpn",
    types.VPN_ROUTE: "SiteVpn", types.GROUP: "ManagedNetwork", types.RULE_IN: "SecurityRules",
    types.RULE_OUT: "SecurityRules", types.ENDPOINT: "PrivatePath", types.RESOLVER: "PrivatePath",
    types.ROLE: "ManagedCluster", types.ROLE_POLICY: "ManagedCluster", types.CLUSTER: "ManagedCluster",
}  # fmt: skip


def problems(recording: Recording, asked: NetworkQuestion) -> list[str]:
    """Return every broken rule of what a managed network has registered."""
    plan = network_plan(asked)
    made = [one for one in recording.resources if one.custom]
    planned = {one.key: one.type for one in objects(plan)}
    found = [f"{key}: differs from the plan" for key in set(planned.items()) ^ set(objects_of(recording).items())]
    if set(recording.exports["resources"]) != {one.name for one in made}:
        found.append("resources: not everything is waited for")
    for one in made:
        found += [f"{one.name}: {problem}" for problem in _object(recording, one, plan)]
        found += aws_network_api.problems(one)
    found += [
        f"{one.name}: is a component and waits" for one in recording.resources if not one.custom and one.dependencies
    ]
    return [
        *found,
        *_ways(recording, plan),
        *_vpns(made, plan),
        *_rules(made, plan),
        *_secrets(recording),
        *_facts(recording, plan),
    ]


def _named(key: str) -> str:
    return f"{PREFIX}-{key}"


def _object(recording: Recording, one: Registration, plan: NetworkPlan) -> Iterator[str]:
    kind = f"edge-hosts:index:{PARENTS[one.type]}"
    if not any(other.name == one.parent and other.type == kind for other in recording.resources):
        yield f"has the parent {one.parent}"
    if one.protect != (plan.protect and one.type in PROTECTED):
        yield f"has protect={one.protect}"
    creation = ("accessConfig.bootstrapClusterCreatorAdminPermissions",) if one.type == types.CLUSTER else ()
    if one.ignore_changes != creation or one.delete_before_replace or one.retain_on_delete or one.replace_on_changes:
        yield "has options without a reason"
    tags = {"Name": one.name, "edge-hosts-owner": OWNER, "team": "plants"} if one.type in TAGGED else None
    if one.plain("tags") != tags:
        yield f"has the tags {one.plain('tags')}"
    if one.plain("region") != (None if one.type in GLOBAL else REGION):
        yield f"is made in {one.plain('region')}"
    if one.type == types.GROUP and {"ingress", "egress"} & set(one.inputs):
        yield "has rules inside, which take those of others away"


def _ways(recording: Recording, plan: NetworkPlan) -> Iterator[str]:
    """Yield what is wrong with the order of things: what AWS would refuse when it comes too early."""
    attached = {"virtualGateway": "gateway-attachment", "transitGateway": "attachment"}
    first = attached.get(plan.gateway.kind) if plan.gateway else None
    by_name = {one.name: one for one in recording.resources if one.custom}
    for route in plan.routes:
        one = by_name[_named(route.key)]
        if first and _named(first) not in one.dependencies:
            yield f"{one.name}: does not wait until the gateway is attached"
        if one.plain("destinationCidrBlock") != route.cidr:
            yield f"{one.name}: leads to {one.plain('destinationCidrBlock')}"
        target = "transitGatewayId" if plan.gateway and plan.gateway.transit else "gatewayId"
        if not one.plain(target):
            yield f"{one.name}: leads nowhere"
    s3 = by_name.get(_named("endpoint-s3"))
    if s3 and plan.private_path and plan.private_path.s3_gateway:
        if _named("endpoint-s3-gateway") not in s3.dependencies:
            yield "endpoint-s3: does not wait for the gateway endpoint"
        if s3.plain("dnsOptions") != {"privateDnsOnlyForInboundResolverEndpoint": True}:
            yield "endpoint-s3: takes the VPC's own traffic from the gateway endpoint"
    for one in by_name.values():
        if one.type == types.ENDPOINT and one.plain("vpcEndpointType") == "Interface":
            if one.plain("privateDnsEnabled") is not True:
                yield f"{one.name}: does not answer under the public name"
            if one.plain("securityGroupIds") != [f"{_named('endpoints-group')}-id"]:
                yield f"{one.name}: has the groups {one.plain('securityGroupIds')}"
    if plan.vpc.secondary and _named("block-10.101.0.0/16") not in by_name[_named("subnet-10.101.1.0/24")].dependencies:
        yield "subnet: does not wait for its block"
    yield from _cluster(by_name, plan)


def _vpns(made: list[Registration], plan: NetworkPlan) -> Iterator[str]:
    """Yield what is wrong with the connections of the sites."""
    by_name = {one.name: one for one in made}
    for vpn in plan.vpns:
        one = by_name[_named(vpn.key("vpn"))]
        target = "transitGatewayId" if plan.gateway and plan.gateway.transit else "vpnGatewayId"
        ends = {key for key in ("transitGatewayId", "vpnGatewayId") if one.plain(key)}
        if ends != {target} or one.plain("staticRoutesOnly") is not vpn.static:
            yield f"{one.name}: leads to {ends}, static={one.plain('staticRoutesOnly')}"
        keys = [one.plain(f"tunnel{number}PresharedKey") for number, _ in enumerate(vpn.tunnels, start=1)]
        if keys != [KEYS.get(tunnel.secret) for tunnel in vpn.tunnels]:
            yield f"{one.name}: has other keys"


def _rules(made: list[Registration], plan: NetworkPlan) -> Iterator[str]:
    """Yield the rules of groups that say something else than the firewall request."""
    said = {
        (
            one.type,
            one.plain("securityGroupId"),
            one.plain("ipProtocol"),
            one.plain("fromPort"),
            one.plain("toPort"),
            one.plain("cidrIpv4"),
            one.plain("description"),
        )
        for one in made
        if one.type in (types.RULE_IN, types.RULE_OUT)
    }
    wanted = {
        (
            types.RULE_IN if rule.direction == "in" else types.RULE_OUT,
            f"{_named(rule.role)}-group-id",
            rule.protocol,
            float(rule.port),
            float(rule.port),
            rule.cidr,
            rule.reason,
        )
        for rule in rules_of(plan)
    }
    yield from (f"security group: {one} is not what was asked for" for one in said ^ wanted)


def _cluster(by_name: Mapping[str, Registration], plan: NetworkPlan) -> Iterator[str]:
    if plan.cluster is None:
        return
    cluster = by_name[_named("cluster")]
    if not plan.cluster.role and _named("control-plane-policy") not in cluster.dependencies:
        yield "cluster: does not wait for the policy of its role"
    vpc = cluster.plain("vpcConfig")
    private = plan.cluster.endpoint_mode == "private"
    if (vpc["endpointPrivateAccess"], vpc["endpointPublicAccess"]) != (private, not private):
        yield "cluster: has another endpoint mode"
    if vpc["securityGroupIds"][0] != f"{_named('cluster-group')}-id" or len(vpc["subnetIds"]) != len(plan.vpc.subnets):
        yield "cluster: has other groups or subnets"
    remote = cluster.plain("remoteNetworkConfig")
    lists = (remote["remoteNodeNetworks"]["cidrs"], remote.get("remotePodNetworks", {}).get("cidrs", []))
    if lists != ([*plan.nodes], [*plan.pods]):
        yield f"cluster: has the remote networks {lists}"
    if cluster.plain("accessConfig") != {
        "authenticationMode": "API_AND_CONFIG_MAP",
        "bootstrapClusterCreatorAdminPermissions": True,
    }:
        yield "cluster: has another authentication mode"
    if (
        cluster.plain("version") != "1.31"
        or cluster.plain("kubernetesNetworkConfig")["serviceIpv4Cidr"] != "172.20.0.0/16"
    ):
        yield "cluster: has another version or service network"


def _secrets(recording: Recording) -> Iterator[str]:
    for one in recording.resources:
        for number in (1, 2):
            key = f"tunnel{number}PresharedKey"
            if key in one.inputs and not one.is_secret(key):
                yield f"{one.name}: has its pre-shared key in clear"
        yield from (f"{one.name}: holds a secret in clear" for text in _clear(one.inputs) if text in KEYS.values())
    shown = json.dumps(recording.exports["facts"], default=str)
    if SECRET_KEY in shown or any(value in shown for value in KEYS.values()):
        yield "facts: hold a secret"


def _clear(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if SECRET_KEY not in value:
            for item in value.values():
                yield from _clear(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _clear(item)
    elif isinstance(value, str):
        yield value


def _facts(recording: Recording, plan: NetworkPlan) -> Iterator[str]:
    facts = recording.exports["facts"]
    wanted: dict[str, Any] = {
        "account_id": "066635153087",
        "vpc_id": plan.vpc.id or f"{_named('vpc')}-id",
        "eni_subnets": [one.cidr for one in plan.vpc.subnets],
        "vpc_cidrs": [*plan.vpc.cidrs],
        "remote_node_cidrs": [*plan.nodes],
        "remote_pod_cidrs": [*plan.pods],
        "tunnel_addresses": ["3.64.0.1", "3.64.0.2"] if plan.vpns else [],
    }
    if plan.cluster:
        wanted |= {
            "security_groups": sorted([f"{_named('cluster-group')}-id", "sg-0123456789abcdef0"]),
            "eni_addresses": ["10.100.0.10", "10.101.1.10"],
            "service_cidr": "172.20.0.0/16",
            "cluster_name": "plants",
            "cluster_endpoint": "https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com",
        }
    if plan.private_path:
        wanted |= {
            "inbound_resolvers": ["10.100.0.53", "10.100.1.53"],
            "endpoint_services": [f"com.amazonaws.{REGION}.{one}" for one in plan.private_path.services],
        }
    for name, value in wanted.items():
        if facts[name] != value:
            yield f"facts: {name} is {facts[name]}, not {value}"
