"""The AWS side of a site: where the facts about cluster, VPC and networks come from.

`given` is complete: the values stand in the stack file. The other sources are modelled and validated, so that a stack
file can be written for them, but they are not built yet.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from edge.settings.base import Model, refuse
from edge.settings.certificates import Certificate
from edge.settings.scalars import Address, Cidr, HttpsUrl, Label, Switch, Text, one_line

CredentialProvider = Literal["ssm", "iamRolesAnywhere"]
EndpointMode = Literal["private", "public", "publicAndPrivate"]
AuthMode = Literal["API", "API_AND_CONFIG_MAP", "CONFIG_MAP"]
SOURCES = ("given", "lookup", "stack", "managed")


def region(value: object) -> str:
    """Return the name of an AWS region."""
    text = one_line(value)
    if not re.fullmatch(r"[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}", text):
        raise refuse("is no AWS region", "Write a region such as eu-central-1")
    return text


def kubernetes_version(value: object) -> str:
    """Return a Kubernetes version of two or three numbers."""
    text = one_line(value)
    if not re.fullmatch(r"1\.[0-9]{2}(\.[0-9]{1,2})?", text):
        raise refuse("is no Kubernetes version", 'Write it in quotes, for example "1.31"')
    return text


def _aws_id(prefix: str) -> BeforeValidator:
    def check(value: object) -> str:
        text = one_line(value)
        if not re.fullmatch(rf"{prefix}-[0-9a-f]{{8,17}}", text):
            raise refuse(
                f"is no id of the form {prefix}-...",
                f"Write the id as AWS shows it: {prefix}- and 8 to 17 hexadecimal digits",
            )
        return text

    return BeforeValidator(check)


def account_id(value: object) -> str:
    """Return an AWS account id; the leading zeros of some are lost when YAML reads them as numbers."""
    text = one_line(value)
    if not re.fullmatch(r"[0-9]{12}", text):
        raise refuse("is no AWS account id", 'Write its 12 digits in quotes, for example "066635153087"')
    return text


Region = Annotated[str, BeforeValidator(region), WithJsonSchema({"type": "string"})]
KubernetesVersion = Annotated[
    str, BeforeValidator(kubernetes_version), WithJsonSchema({"type": "string", "pattern": r"^1\.[0-9]{2}"})
]
SecurityGroup = Annotated[str, _aws_id("sg"), WithJsonSchema({"type": "string", "pattern": "^sg-[0-9a-f]+$"})]
AccountId = Annotated[str, BeforeValidator(account_id), WithJsonSchema({"type": "string", "pattern": "^[0-9]{12}$"})]


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


class LookupNetwork(NetworkBase):
    """The values are read from an existing cluster and its VPC."""

    source: Literal["lookup"] = Field(description="The values are read from AWS.")
    cluster: Text = Field(description="Name of the EKS cluster.")


class StackNetwork(NetworkBase):
    """The values come from the outputs of a network stack."""

    source: Literal["stack"] = Field(description="The values are outputs of another stack.")
    stack: Text = Field(description="Name of the network stack.")


class ManagedNetwork(NetworkBase):
    """The AWS objects are created by this stack."""

    source: Literal["managed"] = Field(description="The AWS objects are made by this stack.")
    cluster_name: Label = Field(description="Name of the cluster to make.")
    kubernetes_version: KubernetesVersion = Field(description="Kubernetes version of the cluster, in quotes.")
    vpc_cidr: Cidr = Field(description="CIDR block of the VPC to make.")
    service_cidr: Cidr = Field(description="Service CIDR of the cluster.")
    remote_node_cidrs: tuple[Cidr, ...] = Field(min_length=1, description="Remote node networks.")
    remote_pod_cidrs: tuple[Cidr, ...] = Field(default=(), description="Remote pod networks.")


def _source(value: Any) -> str | None:
    source = value.get("source") if isinstance(value, dict) else getattr(value, "source", None)
    return f"~{source}" if source in SOURCES else None


Network = Annotated[
    Annotated[GivenNetwork, Tag("~given")]
    | Annotated[LookupNetwork, Tag("~lookup")]
    | Annotated[StackNetwork, Tag("~stack")]
    | Annotated[ManagedNetwork, Tag("~managed")],
    Discriminator(
        _source,
        custom_error_type="edge_refused",
        custom_error_message="has no known `source`",
        custom_error_context={
            "problem": "has no known `source`",
            "remedy": "Write `source: given` and the values of the cluster",
        },
    ),
]
