"""Reads what the rules judge: one cluster, its VPC, and what its hosts are known by.

After the cluster is known, reads that do not need each other run side by side: the slowest chain of them decides how long
it takes, not their number. What is asked, and which reads can be done without, stands in `edge/aws/permissions.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge.aws import read_identity as identity
from edge.aws import read_vpc as vpcs
from edge.aws.read_cluster import read_cluster
from edge.aws.read_identity import WantedRole
from edge.aws.reader import Reader
from edge.aws.view import (
    AwsView,
    ClusterView,
    EndpointView,
    EntryView,
    InterfaceView,
    ResolverView,
    RoleView,
    RouteTableView,
    RuleView,
    SubnetView,
)

__all__ = ["WantedRole", "read_cluster", "read_view"]


@dataclass(frozen=True)
class _Network:
    """What is read in the VPC by one chain: subnets and groups are known only after what they belong to."""

    subnets: tuple[SubnetView, ...]
    route_tables: tuple[RouteTableView, ...]
    rules: tuple[RuleView, ...]
    interfaces: tuple[InterfaceView, ...]
    endpoints: tuple[EndpointView, ...]
    resolvers: tuple[ResolverView, ...]


def read_view(reader: Reader, cluster: ClusterView, role: WantedRole, owner: str = "", activation: str = "") -> AwsView:
    """Return everything about a cluster that was read. Raises AwsError.

    `owner`: whose activations are read (project and stack), "" for none; `activation`: the id of one more.
    """
    id_ = cluster.vpc_id
    with reader.together() as together:
        vpc = together.start(vpcs.read_vpc, reader, id_)
        network = together.start(_network, reader, cluster)
        hosts = together.start(_identity, reader, cluster, role)
        tunnels = together.start(reader.optional, (), vpcs.read_tunnels, reader, id_)
        activations = (
            together.start(reader.optional, (), identity.read_activations, reader, owner, activation) if owner else None
        )
    entries, found_role = hosts.result()
    found = network.result()
    return AwsView(
        account=cluster.arn.split(":")[4],
        region=reader.clients.region,
        cluster=cluster,
        vpc=vpc.result(),
        subnets=found.subnets,
        route_tables=found.route_tables,
        rules=found.rules,
        interfaces=found.interfaces,
        endpoints=found.endpoints,
        resolvers=found.resolvers,
        entries=entries,
        role=found_role,
        activations=activations.result() if activations else (),
        tunnels=tunnels.result(),
        denied=reader.denied,
    )


def _network(reader: Reader, cluster: ClusterView) -> _Network:
    id_ = cluster.vpc_id
    with reader.together() as together:
        subnets = together.start(vpcs.read_subnets, reader, id_)
        tables = together.start(reader.optional, None, vpcs.read_route_tables, reader, id_)
        interfaces = together.start(vpcs.read_interfaces, reader, id_, cluster.name)
        endpoints = together.start(vpcs.read_endpoints, reader, id_)
        resolvers = together.start(reader.optional, (), vpcs.read_resolvers, reader, id_)
    groups = {*cluster.security_groups}
    for owners in (interfaces.result(), endpoints.result(), resolvers.result()):
        groups |= {group for one in owners for group in one.groups}
    rules = reader.optional((), vpcs.read_rules, reader, groups)
    known = tables.result() or []
    lists = reader.optional({}, vpcs.read_lists, reader, vpcs.lists_in_rules(rules) | vpcs.lists_in_routes(known))
    views = _subnets(reader, cluster, subnets.result(), known, interfaces.result())
    return _Network(
        subnets=views,
        route_tables=vpcs.tables_of(known, {one.route_table for one in views}, lists),
        rules=vpcs.with_networks(rules, lists),
        interfaces=interfaces.result(),
        endpoints=endpoints.result(),
        resolvers=resolvers.result(),
    )


def _subnets(
    reader: Reader,
    cluster: ClusterView,
    found: list[dict[str, Any]],
    tables: list[dict[str, Any]],
    interfaces: tuple[InterfaceView, ...],
) -> tuple[SubnetView, ...]:
    """Return the control plane's subnets: those of the cluster, and those where its interfaces lie now."""
    wanted = {*cluster.subnet_ids, *(one.subnet_id for one in interfaces)}
    views = vpcs.subnets_of(found, tables, wanted)
    if not views:
        raise vpcs.no_vpc(cluster.vpc_id, reader.clients.region)
    return views


def _identity(
    reader: Reader, cluster: ClusterView, wanted: WantedRole
) -> tuple[tuple[EntryView, ...], RoleView | None]:
    """Return access entries and role. A role that is named needs no entry, so both are read side by side."""
    with reader.together() as together:
        entries = together.start(reader.optional, (), identity.read_entries, reader, cluster, wanted)
        named = together.start(_role, reader, wanted.plain, wanted) if wanted.name else None
    name = identity.hybrid_role(entries.result(), wanted, cluster.name, reader.clients.region)
    return entries.result(), named.result() if named else _role(reader, name, wanted)


def _role(reader: Reader, name: str, wanted: WantedRole) -> RoleView | None:
    return reader.optional(None, identity.read_role, reader, name, wanted) if name else None
