"""`source: managed`: the AWS objects that this stack makes, from the VPC to the cluster.

Everything is optional that a team may own elsewhere: an existing VPC, an existing gateway, a cluster made by another tool.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from edge.settings.access import NamedSecret
from edge.settings.aws_values import (
    AttachmentId,
    CustomerGatewayId,
    GatewayId,
    KmsKeyArn,
    KubernetesVersion,
    RoleArn,
    RouteTableId,
    SecurityGroup,
    SubnetId,
    TransitGatewayId,
    TransitTableId,
    VpcId,
    Zone,
)
from edge.settings.base import Model, one_of, refuse
from edge.settings.scalars import Address, Cidr, Switch, Text, Whole

LogType = Literal["api", "audit", "authenticator", "controllerManager", "scheduler"]
Asn = Annotated[Whole, Field(ge=1, le=4294967294)]


class NewSubnet(Model):
    """One subnet of the control plane's interfaces."""

    cidr: Cidr = Field(description="CIDR block, /27 or larger.")
    zone: Zone = Field(description="Availability zone.")


class Vpc(Model):
    """The VPC: made here (`cidr` and `subnets`), or one that exists (`id`, `cidrs`, `subnetIds`, `routeTableIds`)."""

    cidr: Cidr | None = Field(default=None, description="CIDR block of the VPC to make.")
    secondary_cidrs: tuple[Cidr, ...] = Field(default=(), description="Further blocks of the VPC to make.")
    subnets: tuple[NewSubnet, ...] = Field(
        default=(), description="Subnets for the cluster's interfaces, in two zones at least."
    )
    id: VpcId | None = Field(default=None, description="Id of a VPC that exists.")
    cidrs: tuple[Cidr, ...] = Field(default=(), description="All blocks of the VPC that exists.")
    subnet_ids: dict[SubnetId, Cidr] = Field(
        default={}, description="Subnets of the VPC that exists for the cluster's interfaces, with their blocks."
    )
    route_table_ids: tuple[RouteTableId, ...] = Field(
        default=(), description="Route tables of those subnets, which get the routes to the sites."
    )

    @model_validator(mode="after")
    def _one_of(self) -> Vpc:
        new = self.cidr is not None or bool(self.subnets) or bool(self.secondary_cidrs)
        old = self.id is not None or bool(self.cidrs or self.subnet_ids or self.route_table_ids)
        if new and old:
            raise refuse(
                "describes a new VPC and one that exists", "Write `cidr` and `subnets`, or `id` and what belongs to it"
            )
        if self.id is None and (self.cidr is None or not self.subnets):
            raise refuse(
                "does not say which VPC", "Write `cidr` and `subnets` for a new one, or `id` for one that exists"
            )
        if self.id is not None and not (self.cidrs and self.subnet_ids and self.route_table_ids):
            raise refuse(
                "does not say enough of the VPC that exists",
                "Write `cidrs`, `subnetIds` and `routeTableIds` beside `id`",
            )
        return self


class NewGateway(Model):
    """A virtual private gateway, made here and attached to the VPC."""

    kind: Literal["virtualGateway"] = Field(description="A virtual private gateway is made.")
    asn: Asn | None = Field(default=None, description="ASN of the AWS side; AWS takes 64512 without it.")


class TransitGateway(Model):
    """An existing transit gateway, to which the VPC is attached here."""

    kind: Literal["transitGateway"] = Field(description="The VPC is attached to a transit gateway that exists.")
    id: TransitGatewayId = Field(description="Id of the transit gateway.")
    route_table: TransitTableId | None = Field(
        default=None, description="Its route table that gets static routes to the sites; none are written without it."
    )
    site_attachment: AttachmentId | None = Field(
        default=None, description="Attachment (VPN, Direct Connect) that static routes to the sites lead to."
    )


class ExistingGateway(Model):
    """A gateway that exists and is attached already; only routes are made."""

    kind: Literal["existing"] = Field(description="The gateway exists and is attached; only routes are made.")
    id: GatewayId = Field(description="Id of the virtual or transit gateway.")


Gateway: TypeAlias = Annotated[
    Annotated[NewGateway, Tag("~virtualGateway")]
    | Annotated[TransitGateway, Tag("~transitGateway")]
    | Annotated[ExistingGateway, Tag("~existing")],
    one_of(
        "kind",
        ("virtualGateway", "transitGateway", "existing"),
        "Write `kind: virtualGateway`, or `kind: transitGateway` or `kind: existing` and `id`",
    ),
]


class Tunnel(Model):
    """One of the two tunnels of a connection."""

    preshared_key: NamedSecret | None = Field(
        default=None, description="Pre-shared key, a secret; AWS makes one without it."
    )
    inside_cidr: Cidr | None = Field(default=None, description="/30 inside 169.254.0.0/16; AWS chooses one without it.")


class Vpn(Model):
    """A site-to-site VPN connection of one site to the gateway."""

    address: Address | None = Field(default=None, description="Public address of the site's VPN device.")
    customer_gateway: CustomerGatewayId | None = Field(
        default=None, description="Id of a customer gateway that exists."
    )
    asn: Asn = Field(default=65000, description="ASN of the site's VPN device.")
    static: Switch = Field(default=True, description="Static routes; false: BGP.")
    ike: tuple[Literal["ikev1", "ikev2"], ...] = Field(
        default=("ikev2",), description="Versions of IKE that are allowed."
    )
    tunnels: Annotated[tuple[Tunnel, ...], Field(max_length=2)] = Field(
        default=(), description="Settings of the tunnels."
    )

    @model_validator(mode="after")
    def _one_of(self) -> Vpn:
        if (self.address is None) == (self.customer_gateway is None):
            raise refuse(
                "does not say which VPN device", "Write `address` for a new customer gateway, or `customerGateway`"
            )
        return self


class Endpoints(Model):
    """The private path: interface endpoints for the hosts, and the resolver that knows their names."""

    services: tuple[Text, ...] | None = Field(
        default=None, description="Services by their short names (`ecr.api`); all that the hosts need without it."
    )
    resolver: Switch = Field(default=True, description="Make a Route 53 inbound endpoint for the site's DNS servers.")
    s3_gateway: Switch = Field(
        default=True, description="Also make the gateway endpoint for S3 that private DNS for S3 requires."
    )


class NewCluster(Model):
    """An EKS cluster, made here."""

    name: Text = Field(description="Name of the cluster.")
    kubernetes_version: KubernetesVersion = Field(description="Kubernetes version, in quotes.")
    endpoint_mode: Literal["private", "public"] = Field(default="private", description="Access to the API server.")
    public_access_cidrs: tuple[Cidr, ...] = Field(
        default=(), description="Who may reach a public API server: the sites' public addresses."
    )
    auth_mode: Literal["API", "API_AND_CONFIG_MAP"] = Field(
        default="API_AND_CONFIG_MAP", description="Authentication mode; Palette maps roles by the ConfigMap."
    )
    service_cidr: Cidr = Field(description="Service CIDR, /24 to /12; it cannot be changed later.")
    log_types: tuple[LogType, ...] = Field(default=("api", "audit", "authenticator"), description="Control plane logs.")
    role: RoleArn | None = Field(default=None, description="Role of the control plane; one is made without it.")
    kms_key: KmsKeyArn | None = Field(default=None, description="Key that encrypts Kubernetes secrets.")
    security_groups: tuple[SecurityGroup, ...] = Field(
        default=(), description="Further security groups of the interfaces."
    )
    creator_is_admin: Switch = Field(default=True, description="Who makes the cluster becomes its administrator.")


class NamedCluster(Model):
    """A cluster that another tool made in this VPC; it is read, not changed."""

    existing: Text = Field(description="Name of a cluster that exists in this VPC.")


def _which(value: Any) -> str:
    named = "existing" in value if isinstance(value, dict) else isinstance(value, NamedCluster)
    return "~existing" if named else "~new"


Cluster: TypeAlias = Annotated[
    Annotated[NewCluster, Tag("~new")] | Annotated[NamedCluster, Tag("~existing")], Discriminator(_which)
]
