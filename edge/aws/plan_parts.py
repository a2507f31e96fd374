"""The parts of a plan for `source: managed`: what is made in AWS, as frozen data.

Every part knows its `key`: the logical name of its object without the prefix of the stack. A key is made of what the
object is for (a site, a CIDR block, a service), never of a position in a list, so that one more site or one less touches
its own objects only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.settings.identity import Identity
from edge.settings.network import CredentialProvider


@dataclass(frozen=True)
class SubnetPlan:
    """A subnet of the control plane's interfaces. `id` is that of one that exists, whose `zone` is not known ("")."""

    cidr: str
    zone: str
    id: str = ""

    @property
    def key(self) -> str:
        """The logical name of the subnet."""
        return f"subnet-{self.cidr}"


@dataclass(frozen=True)
class VpcPlan:
    """The VPC. `id` is that of one that exists, and `tables` are its route tables; both are empty for a new one."""

    cidrs: tuple[str, ...]
    subnets: tuple[SubnetPlan, ...]
    id: str = ""
    tables: tuple[str, ...] = ()

    @property
    def made(self) -> bool:
        """Whether the VPC is made here."""
        return not self.id

    @property
    def secondary(self) -> tuple[str, ...]:
        """The blocks that a new VPC gets beside its first one."""
        return self.cidrs[1:] if self.made else ()


@dataclass(frozen=True)
class GatewayPlan:
    """The way out of the VPC. `kind` as in the settings; `id` is empty for a virtual private gateway that is made.

    `table` is the route table of a transit gateway that gets static routes to the sites, "" for none.
    """

    kind: str
    id: str = ""
    asn: int | None = None
    table: str = ""

    @property
    def transit(self) -> bool:
        """Whether it is a transit gateway, which has route tables of its own."""
        return self.id.startswith("tgw-")


@dataclass(frozen=True)
class RoutePlan:
    """A route to a network of a site, in a route table of the VPC; `table` is empty for the table that is made."""

    cidr: str
    table: str = ""

    @property
    def key(self) -> str:
        """The logical name of the route."""
        return f"route-{self.table}-{self.cidr}" if self.table else f"route-{self.cidr}"


@dataclass(frozen=True)
class TransitRoutePlan:
    """A static route in a transit gateway's table: to `attachment`, or to the VPN of `site` where that is empty."""

    cidr: str
    table: str
    site: str
    attachment: str = ""

    @property
    def key(self) -> str:
        """The logical name of the route."""
        return f"transit-route-{self.cidr}"


@dataclass(frozen=True)
class TunnelPlan:
    """One tunnel. `secret` names its pre-shared key, `where` the place of that name; "" leaves the value to AWS."""

    secret: str = ""
    where: str = ""
    inside_cidr: str = ""


@dataclass(frozen=True)
class VpnPlan:
    """The VPN of one site, written at `where`. `routes` are its networks, where the connection holds the routes to them."""

    site: str
    where: str
    address: str
    customer_gateway: str
    asn: int
    static: bool
    ike: tuple[str, ...]
    tunnels: tuple[TunnelPlan, ...]
    routes: tuple[str, ...]

    def key(self, role: str) -> str:
        """The logical name of one of its objects: `customer-gateway`, `vpn`, `vpn-route-CIDR`."""
        return f"site-{self.site}-{role}"


@dataclass(frozen=True)
class PrivatePathPlan:
    """Interface endpoints by the short names of their services, and what makes them reachable from the site."""

    services: tuple[str, ...]
    s3_gateway: bool
    resolver: bool

    def names(self, region: str) -> tuple[str, ...]:
        """The services as facts name them: `com.amazonaws.REGION.SERVICE`."""
        return tuple(f"com.amazonaws.{region}.{service}" for service in self.services)


@dataclass(frozen=True)
class ClusterPlan:
    """A cluster that is made. `version` has two numbers, as EKS takes it; `role` is "" where one is made."""

    name: str
    version: str
    endpoint_mode: str
    public_access_cidrs: tuple[str, ...]
    auth_mode: str
    service_cidr: str
    log_types: tuple[str, ...]
    role: str
    kms_key: str
    security_groups: tuple[str, ...]
    creator_is_admin: bool


@dataclass(frozen=True)
class SitePlan:
    """The networks of one site, sorted."""

    name: str
    nodes: tuple[str, ...]
    pods: tuple[str, ...]

    @property
    def cidrs(self) -> tuple[str, ...]:
        """All networks of the site."""
        return (*self.nodes, *self.pods)


@dataclass(frozen=True)
class NetworkPlan:
    """Everything that a stack with `source: managed` makes. `nodes` and `pods` are those of all its sites, sorted."""

    region: str
    partition: str
    owner: str
    credential_provider: CredentialProvider
    protect: bool
    sites: tuple[SitePlan, ...]
    nodes: tuple[str, ...]
    pods: tuple[str, ...]
    vpc: VpcPlan
    gateway: GatewayPlan | None
    routes: tuple[RoutePlan, ...]
    transit_routes: tuple[TransitRoutePlan, ...]
    vpns: tuple[VpnPlan, ...]
    private_path: PrivatePathPlan | None
    cluster: ClusterPlan | None
    existing_cluster: str
    identity: Identity | None
    webhook_ports: tuple[int, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def cluster_name(self) -> str:
        """The name of the cluster that is made or exists, "" without one."""
        return self.cluster.name if self.cluster else self.existing_cluster
