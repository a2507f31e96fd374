"""The IAM actions that making the identity of hosts needs, by resource type and deed, for the table in the docs.

Sources: AWS Service Authorization Reference (IAM, EKS, Systems Manager, IAM Roles Anywhere); the calls of the AWS
provider (hashicorp/terraform-provider-aws, internal/service/{iam,eks,ssm,rolesanywhere}). `update` is empty where every
change makes a new object.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.aws.permissions import Actions

_ROLE_TO_SERVICE = "iam:PassRole"
_TAGS = ("rolesanywhere:TagResource", "rolesanywhere:UntagResource")

IDENTITY_ACTIONS: Mapping[str, Actions] = {
    "aws:iam/role:Role": Actions(
        what="hybrid nodes role",
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
        what="its own policy",
        create=("iam:PutRolePolicy",),
        read=("iam:GetRolePolicy",),
        update=("iam:PutRolePolicy",),
        delete=("iam:DeleteRolePolicy",),
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Actions(
        what="AWS's policies for it",
        create=("iam:AttachRolePolicy",),
        read=("iam:ListAttachedRolePolicies",),
        update=(),
        delete=("iam:DetachRolePolicy",),
    ),
    "aws:eks/accessEntry:AccessEntry": Actions(
        what="HYBRID_LINUX access entry",
        create=("eks:CreateAccessEntry", "eks:TagResource"),
        read=("eks:DescribeAccessEntry",),
        update=("eks:UpdateAccessEntry", "eks:TagResource", "eks:UntagResource"),
        delete=("eks:DeleteAccessEntry",),
    ),
    "aws:rolesanywhere/trustAnchor:TrustAnchor": Actions(
        what="trust anchor",
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
        what="profile of Roles Anywhere",
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
        what="SSM hybrid activation of a site",
        create=("ssm:CreateActivation", "ssm:AddTagsToResource", _ROLE_TO_SERVICE),
        read=("ssm:DescribeActivations",),
        update=(),
        delete=("ssm:DeleteActivation",),
        note="PassRole on the hybrid nodes role, for ssm.amazonaws.com.",
    ),
}
