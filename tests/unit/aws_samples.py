"""A whole AWS account with a cluster for hybrid nodes that has nothing wrong, for the tests that break one thing each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from edge.aws.access import AwsAccess
from edge.aws.view import (
    ActivationView,
    AwsView,
    ClusterView,
    EndpointView,
    EntryView,
    InterfaceView,
    ResolverView,
    RoleView,
    RouteTableView,
    RouteView,
    RuleView,
    SubnetView,
    TunnelView,
    VpcView,
)
from edge.network import NetworkFacts
from edge.network_question import NetworkQuestion
from edge.settings.identity import GivenActivation, MadeActivation
from edge.settings.network import GivenNetwork, LookupNetwork, ManagedNetwork
from edge.settings.site import SiteNetworks
from tests.unit.network_samples import ADDRESSES, CA

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
ACCOUNT = "066635153087"
REGION = "eu-central-1"
CLUSTER_ARN = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/plants-prod"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/AmazonEKSHybridNodesRole"
ANCHOR_ARN = f"arn:aws:rolesanywhere:{REGION}:{ACCOUNT}:trust-anchor/0b1c2d3e-0000-4000-8000-000000000001"
ACTIVATION = "12345678-1234-1234-1234-123456789012"

GROUP, CLUSTER_GROUP, ENDPOINT_GROUP, RESOLVER_GROUP = "sg-0000000a", "sg-0000000b", "sg-0000000c", "sg-0000000d"
NODES, PODS = "10.200.0.0/16", "192.168.0.0/16"
TABLES = ("rtb-0000000a", "rtb-0000000b")
SUBNETS = ("subnet-0000000a", "subnet-0000000b")
SERVICES = ("ecr.api", "ecr.dkr", "eks", "s3", "ssm", "sts")


def route(destination: str, target: str, *, active: bool = True, propagated: bool = False) -> RouteView:
    """Return one route."""
    return RouteView(destination, target, active, propagated)


def rule(group: str, direction: str, protocol: str, port: int, peer: str) -> RuleView:
    """Return one rule of a security group, of one port; -1 for all."""
    return RuleView(group, direction, protocol, port, port, peer)  # type: ignore[arg-type]


def _cluster() -> ClusterView:
    return ClusterView(
        name="plants-prod",
        arn=CLUSTER_ARN,
        status="ACTIVE",
        version="1.31",
        endpoint=f"https://D87D2A0C.gr7.{REGION}.eks.amazonaws.com",
        ca=CA,
        public=False,
        private=True,
        public_cidrs=("0.0.0.0/0",),
        auth_mode="API_AND_CONFIG_MAP",
        ip_family="ipv4",
        service_cidr="172.20.0.0/16",
        remote_node_cidrs=(NODES,),
        remote_pod_cidrs=(PODS,),
        vpc_id="vpc-0000000a",
        subnet_ids=SUBNETS,
        security_groups=(GROUP, CLUSTER_GROUP),
        cluster_group=CLUSTER_GROUP,
        logs=("api", "audit"),
    )


def _table(name: str) -> RouteTableView:
    """One table with a static route to the nodes and one that the gateway announced to the pods."""
    routes = (
        route("10.100.0.0/16", "local"),
        route(NODES, "vgw-0000000a"),
        route(PODS, "vgw-0000000a", propagated=True),
        route("0.0.0.0/0", "nat-0000000a"),
        route("pl-6ea54007", "vpce-0000000f"),
    )
    return RouteTableView(name, routes, ("vgw-0000000a",))


def _rules() -> tuple[RuleView, ...]:
    return (
        rule(GROUP, "in", "tcp", 443, NODES),
        rule(GROUP, "in", "tcp", 443, PODS),
        rule(CLUSTER_GROUP, "in", "-1", -1, CLUSTER_GROUP),
        rule(CLUSTER_GROUP, "out", "-1", -1, "0.0.0.0/0"),
        rule(ENDPOINT_GROUP, "in", "tcp", 443, NODES),
        rule(ENDPOINT_GROUP, "in", "tcp", 443, PODS),
        rule(RESOLVER_GROUP, "in", "tcp", 53, NODES),
        rule(RESOLVER_GROUP, "in", "udp", 53, NODES),
    )


def trust_ssm(account: str = ACCOUNT, region: str = REGION) -> dict[str, Any]:
    """Return the trust policy of a role for hosts that register with SSM."""
    condition = {
        "StringEquals": {"aws:SourceAccount": account},
        "ArnEquals": {"aws:SourceArn": f"arn:aws:ssm:{region}:{account}:*"},
    }
    statement = {"Effect": "Allow", "Principal": {"Service": "ssm.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [{**statement, "Condition": condition}]}


def trust_anywhere(anchor: str = ANCHOR_ARN) -> dict[str, Any]:
    """Return the trust policy of a role for hosts with certificates."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "rolesanywhere.amazonaws.com"},
                "Action": action,
                "Condition": {"ArnEquals": {"aws:SourceArn": anchor}},
            }
            for action in ("sts:AssumeRole", ["sts:TagSession", "sts:SetSourceIdentity"])
        ],
    }


def inline(*actions: str, effect: str = "Allow", resource: str = CLUSTER_ARN) -> dict[str, Any]:
    """Return a policy document of one statement."""
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


def managed_policy(name: str) -> str:
    """Return the ARN of a policy of AWS."""
    return f"arn:aws:iam::aws:policy/{name}"


ROLE = RoleView(
    name="AmazonEKSHybridNodesRole",
    arn=ROLE_ARN,
    max_session=3600,
    trust=trust_ssm(),
    policies={"eks": inline("eks:DescribeCluster", "eks:ListAccessEntries")},
    managed=(managed_policy("AmazonEC2ContainerRegistryPullOnly"), managed_policy("AmazonSSMManagedInstanceCore")),
)
ANYWHERE_ROLE = replace(
    ROLE, max_session=7200, trust=trust_anywhere(), managed=(managed_policy("AmazonEC2ContainerRegistryPullOnly"),)
)


def activation(
    id_: str = ACTIVATION, *, limit: int = 4, count: int = 0, days: float = 20, expired: bool = False
) -> ActivationView:
    """Return an activation that ends in so many days."""
    expires = NOW + timedelta(days=days)
    return ActivationView(id_, "AmazonEKSHybridNodesRole", limit, count, expires, expired, {})


def _endpoints() -> tuple[EndpointView, ...]:
    interfaces = (
        EndpointView(
            id=f"vpce-0000000{index}",
            service=f"com.amazonaws.{REGION}.{name}",
            kind="Interface",
            state="available",
            private_dns=True,
            subnet_ids=SUBNETS,
            groups=(ENDPOINT_GROUP,),
            resolver_only=name == "s3",
        )
        for index, name in enumerate(SERVICES)
    )
    gateway = EndpointView("vpce-0000000f", f"com.amazonaws.{REGION}.s3", "Gateway", "available", False, (), ())
    return (*interfaces, gateway)


def clean_view(**changes: Any) -> AwsView:
    """Return the account as it should be, with a private path and a VPN, and with changes to its fields."""
    zones = ("eu-central-1a", "eu-central-1b")
    view = AwsView(
        account=ACCOUNT,
        region=REGION,
        cluster=_cluster(),
        vpc=VpcView("vpc-0000000a", ("10.100.0.0/16",), dns_support=True, dns_hostnames=True),
        subnets=tuple(
            SubnetView(id_, f"10.100.{at}.0/24", zones[at], 240, "vpc-0000000a", TABLES[at])
            for at, id_ in enumerate(SUBNETS)
        ),
        route_tables=tuple(_table(name) for name in TABLES),
        rules=_rules(),
        interfaces=tuple(
            InterfaceView(f"eni-0000000{at}", f"10.100.{at}.12", id_, (GROUP, CLUSTER_GROUP))
            for at, id_ in enumerate(SUBNETS)
        ),
        endpoints=_endpoints(),
        resolvers=(ResolverView("rslvr-in-0000000a", ("10.100.0.53", "10.100.1.53"), SUBNETS, (RESOLVER_GROUP,)),),
        entries=(EntryView(ROLE_ARN, "HYBRID_LINUX", ("system:nodes",)),),
        role=ROLE,
        activations=(activation(),),
        tunnels=tuple(TunnelView("vpn-0000000a", f"52.44.108.{at}", up=True) for at in (101, 102)),
    )
    return replace(view, **changes)


def cluster_with(**changes: Any) -> AwsView:
    """Return the account with changes to the cluster."""
    return clean_view(cluster=replace(_cluster(), **changes))


def facts_of_view(view: AwsView, **changes: Any) -> NetworkFacts:
    """Return the facts that follow from a view, with a private path."""
    cluster = view.cluster
    modes = {(True, True): "publicAndPrivate", (True, False): "public"}
    facts = NetworkFacts(
        region=view.region,
        partition="aws",
        cluster_name=cluster.name,
        cluster_endpoint=cluster.endpoint,
        cluster_ca=cluster.ca,
        endpoint_mode=modes.get((cluster.public, cluster.private), "private"),
        auth_mode=cluster.auth_mode,
        vpc_cidrs=view.vpc.cidrs,
        eni_subnets=tuple(one.cidr for one in view.subnets),
        eni_addresses=tuple(one.address for one in view.interfaces),
        security_groups=cluster.security_groups,
        service_cidr=cluster.service_cidr,
        remote_node_cidrs=cluster.remote_node_cidrs,
        remote_pod_cidrs=cluster.remote_pod_cidrs,
        credential_provider="ssm",
        private_path=True,
        inbound_resolvers=tuple(address for one in view.resolvers for address in one.addresses),
        kubernetes_version=cluster.version,
        account_id=view.account,
        vpc_id=view.vpc.id,
        hybrid_role_arn=ROLE_ARN,
        endpoint_services=tuple(sorted({one.service for one in view.endpoints if one.kind == "Interface"})),
        tunnel_addresses=tuple(one.address for one in view.tunnels),
    )
    return replace(facts, **changes)


LOOKUP = LookupNetwork.model_validate({"source": "lookup", "cluster": "plants-prod", "privatePath": True})
GIVEN_ACTIVATION = GivenActivation.model_validate({"source": "given", "id": ACTIVATION})


def made_activation(moment: str) -> MadeActivation:
    """Return an activation that the stack makes, which ends at a moment."""
    return MadeActivation.model_validate({"source": "create", "expires": moment})


def question(stage: str = "prod", **changes: Any) -> NetworkQuestion:
    """Return the question of a site with two hosts and a given activation, with changes."""
    asked = NetworkQuestion(
        network=LOOKUP,
        region=REGION,
        stage=stage,  # type: ignore[arg-type]
        owner="edge-hosts.plants-prod",
        aws=AwsAccess(region=REGION),
        site="plants",
        hosts=ADDRESSES,
        kubernetes="1.31.0",
        activation=GIVEN_ACTIVATION,
        generations=2,
    )
    return replace(asked, **changes)


def network_of(raw: dict[str, Any]) -> GivenNetwork | LookupNetwork | ManagedNetwork:
    """Return the settings of a network from its YAML form."""
    models = {"given": GivenNetwork, "lookup": LookupNetwork, "managed": ManagedNetwork}
    return models[raw["source"]].model_validate(raw)  # type: ignore[return-value]


def sites_of(**sites: tuple[list[str], list[str]]) -> dict[str, SiteNetworks]:
    """Return the sites of a network stack: name -> node blocks, pod blocks."""
    return {
        name: SiteNetworks.model_validate({"remoteNodeCidrs": nodes, "remotePodCidrs": pods})
        for name, (nodes, pods) in sites.items()
    }
