"""How hosts get AWS credentials: the hybrid nodes role, its access entry, IAM Roles Anywhere, and a site's activation.

Role, access entry, trust anchor and profile belong to a cluster, so to one stack; an activation belongs to one site.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, Tag, model_validator

from edge.settings.access import NamedSecret
from edge.settings.aws_values import (
    AcmPcaArn,
    ActivationId,
    ProfileArn,
    RoleArn,
    RoleName,
    Timestamp,
    TrustAnchorArn,
)
from edge.settings.base import Model, one_of, refuse
from edge.settings.certificates import Certificate
from edge.settings.scalars import Duration, Switch, Text, Whole

ROLE_NAME = "AmazonEKSHybridNodesRole"
CODE_SECRET = "activationCode"  # noqa: S105  (the name of a secret, not a secret)


class HybridRole(Model):
    """The IAM role of the hosts: made here, or one that exists."""

    arn: RoleArn | None = Field(default=None, description="ARN of a role that exists; nothing of it is changed.")
    name: RoleName | None = Field(
        default=None, description=f"Name of the role to make, with its path if it has one; `{ROLE_NAME}`."
    )
    permissions_boundary: Text | None = Field(default=None, description="ARN of a permissions boundary of the role.")
    pod_identity: Switch = Field(default=False, description="Pods on the hosts use EKS Pod Identity.")
    deregister_by: Literal["sourceInstance", "tag"] = Field(
        default="sourceInstance",
        description="Which hosts may be deregistered: any, asked from a registered host (`sourceInstance`), or those with"
        " the cluster's tag (`tag`).",
    )

    @model_validator(mode="after")
    def _one_of(self) -> HybridRole:
        if self.arn is not None and (self.name is not None or self.permissions_boundary is not None):
            raise refuse("names a role that exists and says how to make one", "Write `arn` alone, or leave it out")
        return self


class TrustAnchor(Model):
    """Whose certificates IAM Roles Anywhere accepts. Only the CA's certificate is asked for, never its key."""

    arn: TrustAnchorArn | None = Field(default=None, description="ARN of a trust anchor that exists.")
    certificates: Certificate | None = Field(
        default=None, description="CA that signs the hosts' certificates: PEM text, {file: PATH} or {config: NAME}."
    )
    acm_pca: AcmPcaArn | None = Field(default=None, description="ARN of an AWS Private CA.")

    @model_validator(mode="after")
    def _one_of(self) -> TrustAnchor:
        if sum(one is not None for one in (self.arn, self.certificates, self.acm_pca)) != 1:
            raise refuse("does not say which authority is trusted", "Write one of `arn`, `certificates` and `acmPca`")
        return self


class RolesAnywhere(Model):
    """IAM Roles Anywhere: trust anchor and profile, made here or existing."""

    trust_anchor: TrustAnchor = Field(description="The authority that signs the hosts' certificates.")
    profile: ProfileArn | None = Field(
        default=None, description="ARN of a profile that exists; one is made without it."
    )
    session: Duration = Field(default=timedelta(hours=1), description="Life of a session: 15m to 12h.")

    @model_validator(mode="after")
    def _session(self) -> RolesAnywhere:
        if not timedelta(minutes=15) <= self.session <= timedelta(hours=12):
            raise refuse("has a `session` outside 15m to 12h", "Write a time that Roles Anywhere takes, for example 1h")
        return self


class Identity(Model):
    """What a cluster knows its hosts by. It belongs to the stack that owns the cluster's networks, to no other."""

    role: HybridRole = Field(default=HybridRole(), description="The hybrid nodes role.")
    access_entry: Switch = Field(default=True, description="Make the HYBRID_LINUX access entry of the role.")
    roles_anywhere: RolesAnywhere | None = Field(
        default=None, description="Needed with `credentialProvider: iamRolesAnywhere`."
    )


class MadeActivation(Model):
    """An SSM hybrid activation that this stack makes for its hosts. Its code is a secret output, shown once by AWS."""

    source: Literal["create"] = Field(description="The activation is made by this stack.")
    expires: Timestamp = Field(
        description='When it ends, in quotes ("2026-12-20T00:00:00Z"): at most 30 days after it is made. A new moment'
        " makes a new activation."
    )
    registrations: Annotated[Whole, Field(ge=1, le=1000)] | None = Field(
        default=None,
        description="How many registrations it allows; by the number of hosts, with room for reinstallations.",
    )
    role: RoleName | None = Field(
        default=None, description="Name of the hybrid nodes role; the network's own without it."
    )


class GivenActivation(Model):
    """An activation that exists."""

    source: Literal["given"] = Field(description="The activation exists; this stack exports it only.")
    id: ActivationId = Field(description="Id of the activation.")
    code: NamedSecret | None = Field(default=None, description="Its code, as a secret of the stack.")


Activation = Annotated[
    Annotated[MadeActivation, Tag("~create")] | Annotated[GivenActivation, Tag("~given")],
    one_of("source", ("create", "given"), "Write `source: create` and `expires`, or `source: given` and `id`"),
]
