"""What was read from an AWS account about one cluster and its VPC, as plain data. The rules judge it without a network.

Names follow the AWS API. Sequences are sorted by id, so that two reads of the same account are equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Direction = Literal["in", "out"]


@dataclass(frozen=True)
class ClusterView:
    """An EKS cluster. `ca` is PEM text; `subnet_ids` are the control plane's; `security_groups` hold `cluster_group` too.

    `ip_family` is `ipv4` or `ipv6`; `logs` the control plane's log types that are on.
    """

    name: str
    arn: str
    status: str
    version: str
    endpoint: str
    ca: str
    public: bool
    private: bool
    public_cidrs: tuple[str, ...]
    auth_mode: str
    ip_family: str
    service_cidr: str
    remote_node_cidrs: tuple[str, ...]
    remote_pod_cidrs: tuple[str, ...]
    vpc_id: str
    subnet_ids: tuple[str, ...]
    security_groups: tuple[str, ...]
    cluster_group: str
    logs: tuple[str, ...] = ()


@dataclass(frozen=True)
class VpcView:
    """A VPC with every associated IPv4 block, secondary ones too."""

    id: str
    cidrs: tuple[str, ...]
    dns_support: bool
    dns_hostnames: bool


@dataclass(frozen=True)
class SubnetView:
    """A subnet; `free` are its free addresses, `route_table` the table it uses (the VPC's main one where none is its own)."""

    id: str
    cidr: str
    zone: str
    free: int
    vpc_id: str
    route_table: str


@dataclass(frozen=True)
class RouteView:
    """One route. `destination` is a CIDR block or a prefix list, `target` an id (`tgw-`, `vgw-`, `nat-`, `local`, ...)."""

    destination: str
    target: str
    active: bool
    propagated: bool = False


@dataclass(frozen=True)
class RouteTableView:
    """A route table; `propagating` are the virtual gateways whose routes it takes over."""

    id: str
    routes: tuple[RouteView, ...]
    propagating: tuple[str, ...] = ()


@dataclass(frozen=True)
class RuleView:
    """One rule of a security group. `protocol` is `tcp`, `udp`, `icmp` or `-1` (all); ports are -1 where they do not count.

    `peer` is a CIDR block, a security group or a prefix list.
    """

    group: str
    direction: Direction
    protocol: str
    from_port: int
    to_port: int
    peer: str

    def covers(self, protocol: str, port: int) -> bool:
        """Return whether the rule lets this protocol and port through, whoever the peer is."""
        if self.protocol == "-1":
            return True
        return self.protocol == protocol and (self.from_port == -1 or self.from_port <= port <= self.to_port)


@dataclass(frozen=True)
class InterfaceView:
    """A network interface of the control plane."""

    id: str
    address: str
    subnet_id: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class EndpointView:
    """A VPC endpoint. `kind` is `Interface`, `Gateway` or what else AWS calls it; `resolver_only`: private DNS only there."""

    id: str
    service: str
    kind: str
    state: str
    private_dns: bool
    subnet_ids: tuple[str, ...]
    groups: tuple[str, ...]
    resolver_only: bool = False


@dataclass(frozen=True)
class ResolverView:
    """A Route 53 inbound endpoint in the VPC: its addresses, their subnets, its security groups."""

    id: str
    addresses: tuple[str, ...]
    subnet_ids: tuple[str, ...]
    groups: tuple[str, ...]


@dataclass(frozen=True)
class EntryView:
    """An access entry of the cluster. `kind` is `STANDARD`, `HYBRID_LINUX`, ..."""

    principal: str
    kind: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class RoleView:
    """The hybrid nodes role. `trust` and `policies` are policy documents; `managed` the ARNs of attached managed policies."""

    name: str
    arn: str
    max_session: int
    trust: Mapping[str, Any]
    policies: Mapping[str, Mapping[str, Any]]
    managed: tuple[str, ...]


@dataclass(frozen=True)
class ActivationView:
    """An SSM hybrid activation. `count` of `limit` registrations are used up; `role` is a name without path."""

    id: str
    role: str
    limit: int
    count: int
    expires: datetime | None
    expired: bool
    tags: Mapping[str, str]


@dataclass(frozen=True)
class TunnelView:
    """One tunnel of a site-to-site VPN connection: the AWS end's outside address, and whether it is up."""

    connection: str
    address: str
    up: bool
    message: str = ""


@dataclass(frozen=True)
class AwsView:
    """Everything that was read. What the reader had no right to read stands in `denied`, as IAM actions; its field is empty.

    `route_tables` hold those of the cluster's subnets, `rules` those of all groups named in the view. `role` is the hybrid
    role where one could be told; `activations` those of this stack's owner.
    """

    account: str
    region: str
    cluster: ClusterView
    vpc: VpcView
    subnets: tuple[SubnetView, ...] = ()
    route_tables: tuple[RouteTableView, ...] = ()
    rules: tuple[RuleView, ...] = ()
    interfaces: tuple[InterfaceView, ...] = ()
    endpoints: tuple[EndpointView, ...] = ()
    resolvers: tuple[ResolverView, ...] = ()
    entries: tuple[EntryView, ...] = ()
    role: RoleView | None = None
    activations: tuple[ActivationView, ...] = ()
    tunnels: tuple[TunnelView, ...] = ()
    denied: tuple[str, ...] = ()

    def subnet(self, id_: str) -> SubnetView | None:
        """Return a subnet by its id, None when it was not read."""
        return next((one for one in self.subnets if one.id == id_), None)

    def route_table(self, id_: str) -> RouteTableView | None:
        """Return a route table by its id, None when it was not read."""
        return next((one for one in self.route_tables if one.id == id_), None)

    def could_read(self, action: str) -> bool:
        """Return whether an IAM action was allowed to the reader."""
        return action not in self.denied
