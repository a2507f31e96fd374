"""The plan of `source: managed`: from the settings of a stack to everything that is made in AWS. Pure; AWS is not asked.

Equal settings give equal plans, whatever the order in which sites and networks are written. A network stack plans for all
its sites; a site that makes its own AWS side is the only site of its plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Network

from edge.aws.plan_parts import (
    ClusterPlan,
    GatewayPlan,
    NetworkPlan,
    PrivatePathPlan,
    RoutePlan,
    SitePlan,
    SubnetPlan,
    TransitRoutePlan,
    TunnelPlan,
    VpcPlan,
    VpnPlan,
)
from edge.endpoints import EndpointQuery, endpoint_table
from edge.endpoints.partitions import partition_of
from edge.network import NetworkFacts
from edge.network_question import NetworkQuestion
from edge.owner import OWNER_TAG
from edge.settings.managed import (
    ExistingGateway,
    Gateway,
    NamedCluster,
    NewCluster,
    NewGateway,
    TransitGateway,
    Vpc,
    Vpn,
)
from edge.settings.network import ManagedNetwork

# Beside what the endpoint table calls required: the second channel of the SSM agent, and the logs of add-ons.
_ALSO: Mapping[str, tuple[str, ...]] = {"ssm": ("logs", "ssmmessages"), "iamRolesAnywhere": ("logs",)}


def network_plan(question: NetworkQuestion) -> NetworkPlan:
    """Return what a stack makes. Raises TypeError for another source; `plan_rules` says what is wrong with a plan."""
    network = _managed(question)
    sites = _sites(question, network)
    cidrs = _blocks(cidr for site in sites for cidr in site.cidrs)
    vpc, gateway, vpns = _vpc(network.vpc), _gateway(network.gateway), _vpns(question, network)
    cluster = network.cluster
    plan = NetworkPlan(
        region=question.region,
        partition=partition_of(question.region).id,
        owner=question.owner,
        credential_provider=network.credential_provider,
        protect=question.stage == "prod" if network.protect is None else network.protect,
        sites=sites,
        nodes=_blocks(cidr for site in sites for cidr in site.nodes),
        pods=_blocks(cidr for site in sites for cidr in site.pods),
        vpc=vpc,
        gateway=gateway,
        routes=tuple(RoutePlan(cidr, table) for table in vpc.tables or ("",) for cidr in cidrs) if gateway else (),
        transit_routes=tuple(_transit_routes(network.gateway, sites, vpns)),
        vpns=tuple(_vpn(site, vpns[site.name], gateway, question) for site in sites if site.name in vpns),
        private_path=None,
        cluster=_cluster(cluster) if isinstance(cluster, NewCluster) else None,
        existing_cluster=cluster.existing if isinstance(cluster, NamedCluster) else "",
        identity=network.identity,
        webhook_ports=tuple(sorted(set(network.webhook_ports))),
        tags={**dict(sorted(network.tags.items())), OWNER_TAG: question.owner},
    )
    return replace(plan, private_path=_private_path(network, plan))


def planned_facts(question: NetworkQuestion) -> NetworkFacts:
    """Return the facts as far as the settings alone say them; what AWS makes (endpoint, ids, addresses) is empty."""
    network, plan = _managed(question), network_plan(question)
    given = tuple(map(str, network.inbound_resolvers))
    services = plan.private_path.names(plan.region) if plan.private_path else ()
    return replace(_bare_facts(network, plan), inbound_resolvers=given, endpoint_services=services)


def _managed(question: NetworkQuestion) -> ManagedNetwork:
    if not isinstance(question.network, ManagedNetwork):
        raise TypeError(f"a network of source {question.network.source} is not planned")
    return question.network


def _bare_facts(network: ManagedNetwork, plan: NetworkPlan) -> NetworkFacts:
    """The facts without the private path, which is itself chosen by what they need."""
    cluster, identity = plan.cluster, plan.identity
    anywhere = identity.roles_anywhere if identity else None
    return NetworkFacts(
        region=plan.region,
        partition=plan.partition,
        cluster_name=plan.cluster_name,
        cluster_endpoint="",
        endpoint_mode=cluster.endpoint_mode if cluster else "private",
        auth_mode=cluster.auth_mode if cluster else "API_AND_CONFIG_MAP",
        vpc_cidrs=plan.vpc.cidrs,
        eni_subnets=tuple(one.cidr for one in plan.vpc.subnets),
        security_groups=cluster.security_groups if cluster else (),
        service_cidr=cluster.service_cidr if cluster else "",
        remote_node_cidrs=plan.nodes,
        remote_pod_cidrs=plan.pods,
        credential_provider=plan.credential_provider,
        private_path=network.private_path,
        kubernetes_version=cluster.version if cluster else "",
        vpc_id=plan.vpc.id,
        hybrid_role_arn=(identity.role.arn or "") if identity else "",
        trust_anchor_arn=(anywhere.trust_anchor.arn or "") if anywhere else "",
        profile_arn=(anywhere.profile or "") if anywhere else "",
    )


def _blocks(cidrs: Iterable[object]) -> tuple[str, ...]:
    """Return CIDR blocks once each, in the order of their addresses."""
    return tuple(str(one) for one in sorted({IPv4Network(str(cidr)) for cidr in cidrs}))


def _sites(question: NetworkQuestion, network: ManagedNetwork) -> tuple[SitePlan, ...]:
    if question.site:
        nodes, pods = _blocks(network.remote_node_cidrs), _blocks(network.remote_pod_cidrs)
        return (SitePlan(question.site, nodes, pods),)
    return tuple(
        SitePlan(name, _blocks(site.remote_node_cidrs), _blocks(site.remote_pod_cidrs))
        for name, site in sorted(question.sites.items())
    )


def _vpns(question: NetworkQuestion, network: ManagedNetwork) -> dict[str, Vpn]:
    if question.site:
        return {question.site: network.vpn} if network.vpn else {}
    return {name: site.vpn for name, site in question.sites.items() if site.vpn}


def _vpc(vpc: Vpc) -> VpcPlan:
    if vpc.id is not None:
        subnets = sorted(vpc.subnet_ids.items(), key=lambda one: one[1])
        return VpcPlan(
            _blocks(vpc.cidrs),
            tuple(SubnetPlan(str(cidr), "", id_) for id_, cidr in subnets),
            vpc.id,
            tuple(sorted(set(vpc.route_table_ids))),
        )
    # The first block is what the VPC is made with; another one there would be another VPC.
    cidrs = (str(vpc.cidr), *(one for one in _blocks(vpc.secondary_cidrs) if one != str(vpc.cidr)))
    new = sorted(vpc.subnets, key=lambda one: one.cidr)
    return VpcPlan(cidrs, tuple(SubnetPlan(str(one.cidr), one.zone) for one in new))


def _gateway(gateway: Gateway | None) -> GatewayPlan | None:
    if isinstance(gateway, NewGateway):
        return GatewayPlan(gateway.kind, asn=gateway.asn)
    if isinstance(gateway, TransitGateway):
        return GatewayPlan(gateway.kind, gateway.id, table=gateway.route_table or "")
    if isinstance(gateway, ExistingGateway):
        return GatewayPlan(gateway.kind, gateway.id)
    return None


def _transit_routes(
    gateway: Gateway | None, sites: Iterable[SitePlan], vpns: Mapping[str, Vpn]
) -> Iterator[TransitRoutePlan]:
    """Yield the static routes of the transit gateway; a site whose VPN speaks BGP tells its routes itself.

    A static route wins over a learned one, so writing both would hide what BGP says.
    """
    if not isinstance(gateway, TransitGateway) or gateway.route_table is None:
        return
    for site in sites:
        vpn = vpns.get(site.name)
        attachment = "" if vpn else gateway.site_attachment or ""
        if (vpn and not vpn.static) or not (vpn or attachment):
            continue
        for cidr in site.cidrs:
            yield TransitRoutePlan(cidr, gateway.route_table, site.name, attachment)


def _vpn(site: SitePlan, vpn: Vpn, gateway: GatewayPlan | None, question: NetworkQuestion) -> VpnPlan:
    where = "site.network.vpn" if question.site else f"site.sites.{site.name}.vpn"
    tunnels = tuple(
        TunnelPlan(
            secret=tunnel.preshared_key.secret if tunnel.preshared_key else "",
            where=f"{where}.tunnels[{at}].presharedKey",
            inside_cidr=str(tunnel.inside_cidr or ""),
        )
        for at, tunnel in enumerate(vpn.tunnels)
    )
    # A transit gateway has its routes in its own tables; a connection to one takes none.
    by_itself = vpn.static and gateway is not None and not gateway.transit
    return VpnPlan(
        site=site.name,
        where=where,
        address=str(vpn.address or ""),
        customer_gateway=vpn.customer_gateway or "",
        asn=vpn.asn,
        static=vpn.static,
        ike=tuple(sorted(set(vpn.ike))),
        tunnels=tunnels,
        routes=site.cidrs if by_itself else (),
    )


def _cluster(cluster: NewCluster) -> ClusterPlan:
    return ClusterPlan(
        name=cluster.name,
        version=".".join(cluster.kubernetes_version.split(".")[:2]),
        endpoint_mode=cluster.endpoint_mode,
        public_access_cidrs=_blocks(cluster.public_access_cidrs),
        auth_mode=cluster.auth_mode,
        service_cidr=str(cluster.service_cidr),
        log_types=tuple(sorted(set(cluster.log_types))),
        role=cluster.role or "",
        kms_key=cluster.kms_key or "",
        security_groups=tuple(sorted(set(cluster.security_groups))),
        creator_is_admin=cluster.creator_is_admin,
    )


def _private_path(network: ManagedNetwork, plan: NetworkPlan) -> PrivatePathPlan | None:
    wanted = network.endpoints
    if wanted is None and not network.private_path:
        return None
    named = wanted.services if wanted else None
    services = tuple(sorted(set(named))) if named is not None else needed_services(network, plan)
    return PrivatePathPlan(
        services=services,
        s3_gateway="s3" in services and (wanted is None or wanted.s3_gateway),
        # One that exists is named by its addresses, and a second one would not be asked by anybody.
        resolver=(wanted is None or wanted.resolver) and not network.inbound_resolvers,
    )


def needed_services(network: ManagedNetwork, plan: NetworkPlan) -> tuple[str, ...]:
    """Return the services that hosts need an interface endpoint for, by their short names, from the endpoint table."""
    prefix = f"com.amazonaws.{plan.region}."
    rows = endpoint_table(EndpointQuery(replace(_bare_facts(network, plan), private_path=True)))
    required = {
        row.private_service.removeprefix(prefix)
        for row in rows
        if row.required == "required" and (row.private_service or "").startswith(prefix) and row.private_service
    }
    pods = ("eks-auth",) if plan.identity and plan.identity.role.pod_identity else ()
    return tuple(sorted({*required, *_ALSO[plan.credential_provider], *pods}))
