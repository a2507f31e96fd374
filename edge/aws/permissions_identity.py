"""The IAM actions that making the identity of hosts needs, by resource type and deed, for the table in the docs.

Sources: AWS Service Authorization Reference (IAM, EKS, Systems Manager, IAM Roles Anywhere); the calls of the AWS
provider (hashicorp/terraform-provider-aws, internal/service/{iam,eks,ssm,rolesanywhere}). `update` is empty where every
change makes a new object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Actions:
    """The IAM actions of one resource type; `note` says what a policy has to know beside them."""

    create: tuple[str, ...]
    read: tuple[str, ...]
    update: tuple[str, ...]
    delete: tuple[str, ...]
    note: str = ""

    def all(self) -> tuple[str, ...]:
        """Return every action once, sorted."""
        return tuple(sorted({*self.create, *self.read, *self.update, *self.delete}))


_ROLE_TO_SERVICE = "iam:PassRole"
_TAGS = ("rolesanywhere:TagResource", "rolesanywhere:UntagResource")

IDENTITY_ACTIONS: Mapping[str, Actions] = {
    "aws:iam/role:Role": Actions(
        create=("iam:CreateRole", "iam:TagRole"),
        read=(
            "iam:GetRole",
            "iam:ListRolePolicies",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRoleTags",
        ),
        update=(
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
            "iam:UpdateRoleDescription",
            "iam:PutRolePermissionsBoundary",
            "iam:DeleteRolePermissionsBoundary",
            "iam:TagRole",
            "iam:UntagRole",
        ),
        delete=("iam:DeleteRole", "iam:ListInstanceProfilesForRole"),
        note="PutRolePermissionsBoundary and DeleteRolePermissionsBoundary only with `permissionsBoundary`.",
    ),
    "aws:iam/rolePolicy:RolePolicy": Actions(
        create=("iam:PutRolePolicy",),
        read=("iam:GetRolePolicy",),
        update=("iam:PutRolePolicy",),
        delete=("iam:DeleteRolePolicy",),
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Actions(
        create=("iam:AttachRolePolicy",),
        read=("iam:ListAttachedRolePolicies",),
        update=(),
        delete=("iam:DetachRolePolicy",),
    ),
    "aws:eks/accessEntry:AccessEntry": Actions(
        create=("eks:CreateAccessEntry", "eks:TagResource"),
        read=("eks:DescribeAccessEntry",),
        update=("eks:UpdateAccessEntry", "eks:TagResource", "eks:UntagResource"),
        delete=("eks:DeleteAccessEntry",),
    ),
    "aws:rolesanywhere/trustAnchor:TrustAnchor": Actions(
        create=("rolesanywhere:CreateTrustAnchor", _TAGS[0]),
        read=("rolesanywhere:GetTrustAnchor", "rolesanywhere:ListTagsForResource"),
        update=(
            "rolesanywhere:UpdateTrustAnchor",
            "rolesanywhere:EnableTrustAnchor",
            "rolesanywhere:DisableTrustAnchor",
            *_TAGS,
        ),
        delete=("rolesanywhere:DeleteTrustAnchor",),
        note="The first one of an account also needs iam:CreateServiceLinkedRole for rolesanywhere.amazonaws.com.",
    ),
    "aws:rolesanywhere/profile:Profile": Actions(
        create=("rolesanywhere:CreateProfile", _TAGS[0], _ROLE_TO_SERVICE),
        read=("rolesanywhere:GetProfile", "rolesanywhere:ListTagsForResource"),
        update=(
            "rolesanywhere:UpdateProfile",
            "rolesanywhere:EnableProfile",
            "rolesanywhere:DisableProfile",
            _ROLE_TO_SERVICE,
            *_TAGS,
        ),
        delete=("rolesanywhere:DeleteProfile",),
        note="PassRole on the hybrid nodes role, for rolesanywhere.amazonaws.com.",
    ),
    "aws:ssm/activation:Activation": Actions(
        create=("ssm:CreateActivation", "ssm:AddTagsToResource", _ROLE_TO_SERVICE),
        read=("ssm:DescribeActivations",),
        update=(),
        delete=("ssm:DeleteActivation",),
        note="PassRole on the hybrid nodes role, for ssm.amazonaws.com.",
    ),
}
