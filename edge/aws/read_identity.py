"""What the hosts are known by: access entries, the hybrid nodes role, the activations of a stack.

EKS API reference (ListAccessEntries, DescribeAccessEntry), IAM API reference, Systems Manager API reference
(DescribeActivations).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from edge.aws.errors import MissingError
from edge.aws.reader import Reader
from edge.aws.view import ActivationView, ClusterView, EntryView, RoleView
from edge.errors import AwsError
from edge.owner import OWNER_TAG

HYBRID = "HYBRID_LINUX"


@dataclass(frozen=True)
class WantedRole:
    """Which role the hosts have: by name (with or without its path), or "" for the one with a HYBRID_LINUX entry.

    `made_here`: the stack makes the role itself, so that it may not be there yet. `setting` is where a person names it.
    """

    name: str = ""
    made_here: bool = False
    setting: str = "site.network.hybridRole"

    @property
    def plain(self) -> str:
        """Return the name without its path."""
        return self.name.rpartition("/")[2]


def role_in(arn: str) -> str:
    """Return the name of the role of an ARN, without its path; "" for the ARN of something else."""
    _, found, name = arn.partition(":role/")
    return name.rpartition("/")[2] if found else ""


def read_entries(reader: Reader, cluster: ClusterView, wanted: WantedRole) -> tuple[EntryView, ...]:
    """Return the access entries that the hosts may have: those of the wanted role, else of every role.

    Only roles can be hosts, and roles of AWS services never are. A cluster without access entries has none to list.
    """
    if cluster.auth_mode == "CONFIG_MAP":
        return ()
    listed = reader.pages("eks:ListAccessEntries", "accessEntries", clusterName=cluster.name)
    roles = sorted(arn for arn in listed if role_in(arn) and ":role/aws-service-role/" not in arn)
    if wanted.name:
        roles = [arn for arn in roles if role_in(arn) == wanted.plain]

    def entry(principal: str) -> EntryView | None:
        try:
            answer = reader.ask("eks:DescribeAccessEntry", clusterName=cluster.name, principalArn=principal)
        except MissingError:  # it was deleted between the two calls
            return None
        found = answer["accessEntry"]
        groups = tuple(sorted(found.get("kubernetesGroups") or ()))
        return EntryView(principal=principal, kind=str(found.get("type") or "STANDARD"), groups=groups)

    return tuple(one for one in reader.each(entry, roles) if one is not None)


def hybrid_role(entries: tuple[EntryView, ...], wanted: WantedRole, cluster: str, region: str) -> str:
    """Return the name of the hosts' role, "" when no entry tells it. Raises AwsError when there are several."""
    if wanted.name:
        return wanted.plain
    roles = sorted({role_in(entry.principal) for entry in entries if entry.kind == HYBRID})
    if len(roles) > 1:
        raise AwsError(
            f"has {HYBRID} access entries of {len(roles)} roles: {', '.join(roles)}.",
            remedy=f"Write which of them this stack's hosts have as `{wanted.setting}`.",
            where=f"EKS cluster {cluster} in {region}",
        )
    return roles[0] if roles else ""


def read_role(reader: Reader, name: str, wanted: WantedRole) -> RoleView | None:
    """Return the role with all its policy documents; None for one that this stack makes and that is not there yet.

    `policies` are by the name of an inline policy and by the ARN of an attached one. Raises AwsError.
    """
    try:
        role: dict[str, Any] = reader.ask("iam:GetRole", RoleName=name)["Role"]
    except MissingError as missing:
        if wanted.made_here:
            return None
        raise MissingError(
            f"there is no role {name}.",
            remedy=f"Correct `{wanted.setting}`; it is the name of an IAM role of the cluster's account."
            if wanted.name
            else "Delete the access entry of that role, or make the role again: the cluster names one that is gone.",
            where=missing.where,
        ) from None
    with reader.together() as together:
        inline = together.start(reader.optional, {}, _inline, reader, name)
        attached = together.start(reader.optional, [], _attached, reader, name)
    managed = attached.result()
    documents = reader.optional({}, _documents, reader, managed)
    return RoleView(
        name=name,
        arn=str(role["Arn"]),
        max_session=int(role.get("MaxSessionDuration", 3600)),
        trust=document(role.get("AssumeRolePolicyDocument")),
        policies=dict(sorted({**inline.result(), **documents}.items())),
        managed=tuple(managed),
    )


def _inline(reader: Reader, name: str) -> dict[str, Mapping[str, Any]]:
    names = reader.pages("iam:ListRolePolicies", "PolicyNames", RoleName=name)

    def text(policy: str) -> Mapping[str, Any]:
        answer = reader.ask("iam:GetRolePolicy", RoleName=name, PolicyName=policy)
        return document(answer["PolicyDocument"])

    return dict(zip(names, reader.each(text, names), strict=True))


def _attached(reader: Reader, name: str) -> list[str]:
    found = reader.pages("iam:ListAttachedRolePolicies", "AttachedPolicies", RoleName=name)
    return sorted(one["PolicyArn"] for one in found)


def _documents(reader: Reader, arns: list[str]) -> dict[str, Mapping[str, Any]]:
    def text(arn: str) -> Mapping[str, Any]:
        version = reader.ask("iam:GetPolicy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
        answer = reader.ask("iam:GetPolicyVersion", PolicyArn=arn, VersionId=version)
        return document(answer["PolicyVersion"]["Document"])

    return dict(zip(arns, reader.each(text, arns), strict=True))


def document(value: object) -> Mapping[str, Any]:
    """Return a policy document: IAM sends it as encoded JSON text, which botocore mostly has read already."""
    if isinstance(value, str):
        try:
            value = json.loads(unquote(value))
        except ValueError:
            value = {}
    return value if isinstance(value, Mapping) else {}


def read_activations(reader: Reader, owner: str, given: str = "") -> tuple[ActivationView, ...]:
    """Return the SSM activations that carry the tag of this owner, and the one with the id `given`, whoever made it."""
    found = reader.pages("ssm:DescribeActivations", "ActivationList")
    views = (
        ActivationView(
            id=str(one["ActivationId"]),
            role=str(one.get("IamRole") or "").rpartition("/")[2],
            limit=int(one.get("RegistrationLimit", 1)),
            count=int(one.get("RegistrationsCount", 0)),
            expires=one.get("ExpirationDate"),
            expired=bool(one.get("Expired")),
            tags=tags,
        )
        for one in found
        if (tags := {tag["Key"]: tag["Value"] for tag in one.get("Tags") or ()}).get(OWNER_TAG) == owner
        or one["ActivationId"] == given
    )
    return tuple(sorted(views, key=lambda one: one.id))
