"""The AWS side of a site: where the facts about cluster, VPC and networks come from.

`given`: the values stand in the stack file, AWS is asked nothing. `lookup`: they are read from AWS. `stack`: they are the
outputs of a network stack. `managed`: the objects are made by this stack.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag

from edge.settings.aws_values import (
    AccountId,
    KubernetesVersion,
    ProfileArn,
    Region,
    RoleArn,
    SecurityGroup,
    TrustAnchorArn,
    VpcId,
)
from edge.settings.base import Model, one_of
from edge.settings.certificates import Certificate
from edge.settings.identity import Identity
from edge.settings.managed import Cluster, Endpoints, Gateway, Vpc, Vpn
from edge.settings.scalars import Address, Cidr, HttpsUrl, Switch, TagText, Text

CredentialProvider = Literal["ssm", "iamRolesAnywhere"]
EndpointMode = Literal["private", "public", "publicAndPrivate"]
AuthMode = Literal["API", "API_AND_CONFIG_MAP", "CONFIG_MAP"]
SOURCES = ("given", "lookup", "stack", "managed")


class NetworkBase(Model):
    """What every source needs to know about the site itself."""

    region: Region | None = Field(
        default=None, description="AWS region of the cluster; `aws:region` when it is not given."
    )
    credential_provider: CredentialProvider = Field(
        default="ssm", description="How the hosts get AWS credentials: SSM hybrid activation or IAM Roles Anywhere."
    )
    private_path: Switch = Field(
        default=False, description="The hosts have no internet; AWS is reached by private endpoints only."
    )
    inbound_resolvers: tuple[Address, ...] = Field(
        default=(), description="Addresses of the Route 53 inbound endpoint that the site's DNS forwards to."
    )


class GivenNetwork(NetworkBase):
    """The values stand in the stack file."""

    source: Literal["given"] = Field(description="The values stand here, in the stack file.")
    cluster_name: Text = Field(description="Name of the EKS cluster.")
    cluster_endpoint: HttpsUrl = Field(
        description="API server endpoint of the cluster, as `aws eks describe-cluster` shows it."
    )
    cluster_ca: Certificate | None = Field(
        default=None, description="CA of the cluster; lets the hosts verify the API server."
    )
    account_id: AccountId | None = Field(default=None, description="AWS account of the cluster, 12 digits in quotes.")
    endpoint_mode: EndpointMode = Field(default="private", description="Access to the API server endpoint.")
    auth_mode: AuthMode = Field(default="API_AND_CONFIG_MAP", description="Authentication mode of the cluster.")
    vpc_cidrs: tuple[Cidr, ...] = Field(min_length=1, description="All CIDR blocks of the VPC, secondary ones too.")
    eni_subnets: tuple[Cidr, ...] = Field(
        default=(), description="Subnets of the cluster's network interfaces; firewalls open these."
    )
    eni_addresses: tuple[Address, ...] = Field(
        default=(), description="Present addresses of those interfaces; the hosts probe them."
    )
    security_groups: tuple[SecurityGroup, ...] = Field(default=(), description="Security groups of the cluster.")
    service_cidr: Cidr = Field(description="Service CIDR of the cluster.")
    remote_node_cidrs: tuple[Cidr, ...] = Field(
        min_length=1, description="Remote node networks: the hosts' addresses lie in them."
    )
    remote_pod_cidrs: tuple[Cidr, ...] = Field(default=(), description="Remote pod networks.")
    kubernetes_version: KubernetesVersion | None = Field(
        default=None, description="Kubernetes version of the cluster, in quotes."
    )
    vpc_id: VpcId | None = Field(default=None, description="Id of the VPC.")
    hybrid_role_arn: RoleArn | None = Field(default=None, description="ARN of the hybrid nodes role.")
    trust_anchor_arn: TrustAnchorArn | None = Field(default=None, description="ARN of the Roles Anywhere trust anchor.")
    profile_arn: ProfileArn | None = Field(default=None, description="ARN of the Roles Anywhere profile.")
    endpoint_services: tuple[Text, ...] = Field(
        default=(), description="Services with an interface endpoint in the VPC, as com.amazonaws.REGION.SERVICE."
    )
    tunnel_addresses: tuple[Address, ...] = Field(
        default=(), description="Outside addresses of the AWS ends of the VPN."
    )


class LookupNetwork(NetworkBase):
    """The values are read from an existing cluster and its VPC."""

    source: Literal["lookup"] = Field(description="The values are read from AWS, at every run.")
    cluster: Text = Field(description="Name of the EKS cluster.")
    hybrid_role: Text | None = Field(
        default=None,
        description="Name of the hybrid nodes role; the one with a HYBRID_LINUX access entry without it.",
    )
    trust_anchor_arn: TrustAnchorArn | None = Field(default=None, description="ARN of the Roles Anywhere trust anchor.")
    profile_arn: ProfileArn | None = Field(default=None, description="ARN of the Roles Anywhere profile.")
    identity: Identity | None = Field(
        default=None, description="Make role and access entry for the cluster; in a stack of kind network only."
    )
    security_group_rules: Switch = Field(
        default=False,
        description="Make the rules of the sites in the cluster's security group; in a stack of kind network only.",
    )


class StackNetwork(NetworkBase):
    """The values come from the outputs of a network stack."""

    source: Literal["stack"] = Field(description="The values are outputs of a network stack.")
    stack: Text = Field(description="Name of the network stack: NAME, PROJECT/NAME or ORGANIZATION/PROJECT/NAME.")


class ManagedNetwork(NetworkBase):
    """The AWS objects are created by this stack."""

    source: Literal["managed"] = Field(description="The AWS objects are made by this stack.")
    vpc: Vpc = Field(description="The VPC.")
    gateway: Gateway | None = Field(default=None, description="The way from the VPC to the sites.")
    vpn: Vpn | None = Field(default=None, description="VPN of the site to the gateway; in a stack of kind site.")
    cluster: Cluster | None = Field(
        default=None, description="The EKS cluster: made here, or one that exists in the VPC."
    )
    endpoints: Endpoints | None = Field(
        default=None, description="Interface endpoints for the hosts; made with `privatePath: true` also without it."
    )
    identity: Identity | None = Field(default=None, description="Role, access entry and Roles Anywhere of the hosts.")
    remote_node_cidrs: tuple[Cidr, ...] = Field(
        default=(), description="Remote node networks; a stack of kind network takes those of its sites."
    )
    remote_pod_cidrs: tuple[Cidr, ...] = Field(
        default=(), description="Remote pod networks; a stack of kind network takes those of its sites."
    )
    webhook_ports: tuple[int, ...] = Field(
        default=(), description="Ports of webhooks on the hosts that the control plane must reach."
    )
    tags: dict[TagText, Text] = Field(default={}, description="Tags of every AWS object that is made.")
    protect: Switch | None = Field(
        default=None, description="Protect VPC, gateway, cluster and role from deletion; true in production without it."
    )


Network = Annotated[
    Annotated[GivenNetwork, Tag("~given")]
    | Annotated[LookupNetwork, Tag("~lookup")]
    | Annotated[StackNetwork, Tag("~stack")]
    | Annotated[ManagedNetwork, Tag("~managed")],
    one_of("source", SOURCES, "Write `source: given`, `lookup`, `stack` or `managed`, and what belongs to it"),
]
