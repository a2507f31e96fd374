"""The IAM actions that `source: managed` needs for each type of object, by deed, and the table in the docs.

`python -m edge.aws.permissions_managed` prints the table, `--policy` an IAM policy with all actions. Actions are named as in
the Service Authorization Reference (EC2, EKS, IAM, Route 53 Resolver, STS); which calls are made is that of the AWS
provider (hashicorp/terraform-provider-aws, internal/service). `update` is empty where every change makes a new object.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from edge.aws import plan_objects as types
from edge.aws.permissions import Actions, table

_TAG, _UNTAG = "ec2:CreateTags", "ec2:DeleteTags"
_TAGS = (_TAG, _UNTAG)


def _ec2(
    what: str,
    create: Sequence[str],
    read: Sequence[str],
    delete: Sequence[str],
    update: Sequence[str] = (),
    *,
    tagged: bool = True,
    note: str = "",
) -> Actions:
    """Return the actions of an EC2 object, given without their prefix."""

    def named(actions: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"ec2:{action}" for action in actions)

    tags: tuple[tuple[str, ...], tuple[str, ...]] = ((_TAG,), _TAGS) if tagged else ((), ())
    return Actions(what, named(create) + tags[0], named(read), named(update) + tags[1], named(delete), note)


MANAGED_ACTIONS: Mapping[str, Actions] = {
    types.VPC: _ec2(
        "VPC, with DNS names on",
        ("CreateVpc", "ModifyVpcAttribute"),
        (
            "DescribeVpcs",
            "DescribeVpcAttribute",
            "DescribeNetworkAcls",
            "DescribeRouteTables",
            "DescribeSecurityGroups",
        ),
        ("DeleteVpc",),
        ("ModifyVpcAttribute",),
    ),
    types.VPC_BLOCK: _ec2(
        "secondary block of the VPC",
        ("AssociateVpcCidrBlock",),
        ("DescribeVpcs",),
        ("DisassociateVpcCidrBlock",),
        tagged=False,
    ),
    types.SUBNET: _ec2(
        "subnet of the control plane's interfaces",
        ("CreateSubnet", "ModifySubnetAttribute"),
        ("DescribeSubnets",),
        ("DeleteSubnet", "DescribeNetworkInterfaces"),
        ("ModifySubnetAttribute",),
    ),
    types.ROUTE_TABLE: _ec2(
        "route table of the subnets", ("CreateRouteTable",), ("DescribeRouteTables",), ("DeleteRouteTable",)
    ),
    types.ASSOCIATION: _ec2(
        "subnet to its route table",
        ("AssociateRouteTable",),
        ("DescribeRouteTables",),
        ("DisassociateRouteTable",),
        ("ReplaceRouteTableAssociation",),
        tagged=False,
    ),
    types.ROUTE: _ec2(
        "route to a network of a site",
        ("CreateRoute",),
        ("DescribeRouteTables",),
        ("DeleteRoute",),
        ("ReplaceRoute",),
        tagged=False,
    ),
    types.VPN_GATEWAY: _ec2(
        "virtual private gateway", ("CreateVpnGateway",), ("DescribeVpnGateways",), ("DeleteVpnGateway",)
    ),
    types.VPN_GATEWAY_ATTACHMENT: _ec2(
        "virtual private gateway to the VPC",
        ("AttachVpnGateway",),
        ("DescribeVpnGateways",),
        ("DetachVpnGateway",),
        tagged=False,
    ),
    types.TRANSIT_ATTACHMENT: _ec2(
        "VPC to the transit gateway",
        ("CreateTransitGatewayVpcAttachment",),
        (
            "DescribeTransitGatewayVpcAttachments",
            "DescribeTransitGateways",
            "GetTransitGatewayRouteTableAssociations",
            "GetTransitGatewayRouteTablePropagations",
        ),
        ("DeleteTransitGatewayVpcAttachment",),
        ("ModifyTransitGatewayVpcAttachment",),
        note="A transit gateway of another account must be shared, and that account accepts the attachment.",
    ),
    types.TRANSIT_ROUTE: _ec2(
        "static route of the transit gateway",
        ("CreateTransitGatewayRoute",),
        ("SearchTransitGatewayRoutes",),
        ("DeleteTransitGatewayRoute",),
        tagged=False,
    ),
    types.CUSTOMER_GATEWAY: _ec2(
        "VPN device of a site", ("CreateCustomerGateway",), ("DescribeCustomerGateways",), ("DeleteCustomerGateway",)
    ),
    types.VPN: _ec2(
        "site-to-site VPN of a site",
        ("CreateVpnConnection",),
        ("DescribeVpnConnections", "DescribeTransitGatewayAttachments"),
        ("DeleteVpnConnection",),
        ("ModifyVpnConnection", "ModifyVpnConnectionOptions", "ModifyVpnTunnelOptions"),
    ),
    types.VPN_ROUTE: _ec2(
        "static route of the VPN",
        ("CreateVpnConnectionRoute",),
        ("DescribeVpnConnections",),
        ("DeleteVpnConnectionRoute",),
        tagged=False,
    ),
    types.GROUP: _ec2(
        "security group",
        ("CreateSecurityGroup", "RevokeSecurityGroupEgress"),
        ("DescribeSecurityGroups", "DescribeSecurityGroupRules"),
        ("DeleteSecurityGroup", "DescribeNetworkInterfaces"),
        note="RevokeSecurityGroupEgress takes away the rule that lets everything out, which EC2 gives to every new group.",
    ),
    types.RULE_IN: _ec2(
        "inbound rule of a group",
        ("AuthorizeSecurityGroupIngress",),
        ("DescribeSecurityGroupRules",),
        ("RevokeSecurityGroupIngress",),
        ("ModifySecurityGroupRules",),
    ),
    types.RULE_OUT: _ec2(
        "outbound rule of a group",
        ("AuthorizeSecurityGroupEgress",),
        ("DescribeSecurityGroupRules",),
        ("RevokeSecurityGroupEgress",),
        ("ModifySecurityGroupRules",),
    ),
    types.ENDPOINT: _ec2(
        "endpoint of an AWS service in the VPC",
        ("CreateVpcEndpoint",),
        ("DescribeVpcEndpoints", "DescribePrefixLists"),
        ("DeleteVpcEndpoints",),
        ("ModifyVpcEndpoint",),
        note="With private DNS also route53:AssociateVPCWithHostedZone (EC2 asks for it in the caller's name).",
    ),
    types.RESOLVER: Actions(
        "inbound resolver of the VPC",
        (
            "route53resolver:CreateResolverEndpoint",
            "route53resolver:TagResource",
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
            "ec2:DescribeSecurityGroups",
        ),
        (
            "route53resolver:GetResolverEndpoint",
            "route53resolver:ListResolverEndpointIpAddresses",
            "route53resolver:ListTagsForResource",
        ),
        (
            "route53resolver:UpdateResolverEndpoint",
            "route53resolver:AssociateResolverEndpointIpAddress",
            "route53resolver:DisassociateResolverEndpointIpAddress",
            "route53resolver:TagResource",
            "route53resolver:UntagResource",
        ),
        ("route53resolver:DeleteResolverEndpoint", "ec2:DeleteNetworkInterface"),
    ),
    types.ROLE: Actions(
        "role of the control plane",
        ("iam:CreateRole", "iam:TagRole"),
        ("iam:GetRole", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies"),
        ("iam:UpdateAssumeRolePolicy", "iam:UpdateRoleDescription", "iam:TagRole", "iam:UntagRole"),
        ("iam:DeleteRole", "iam:ListInstanceProfilesForRole"),
    ),
    types.ROLE_POLICY: Actions(
        "AmazonEKSClusterPolicy to that role",
        ("iam:AttachRolePolicy",),
        ("iam:ListAttachedRolePolicies",),
        (),
        ("iam:DetachRolePolicy",),
    ),
    types.CLUSTER: Actions(
        "EKS cluster",
        ("eks:CreateCluster", "eks:TagResource", "iam:PassRole", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups"),
        ("eks:DescribeCluster",),
        (
            "eks:UpdateClusterConfig",
            "eks:UpdateClusterVersion",
            "eks:DescribeUpdate",
            "eks:AssociateEncryptionConfig",
            "eks:TagResource",
            "eks:UntagResource",
        ),
        ("eks:DeleteCluster",),
        note="PassRole on the role of the control plane, for eks.amazonaws.com; the first cluster of an account also needs"
        " iam:CreateServiceLinkedRole for it. With `kmsKey`: kms:DescribeKey and kms:CreateGrant on the key.",
    ),
}
# What is asked beside the objects: whose account it is, the interfaces that EKS has made, the zone of subnets that exist.
LOOKED_UP: tuple[str, ...] = ("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "sts:GetCallerIdentity")


def every() -> tuple[str, ...]:
    """Return all actions, sorted."""
    return tuple(sorted({*LOOKED_UP, *(action for one in MANAGED_ACTIONS.values() for action in one.all())}))


def as_table() -> str:
    """Return the table as Markdown: what is made, and the actions of each deed."""
    asked = ", ".join(f"`{action}`" for action in LOOKED_UP)
    return f"{table(MANAGED_ACTIONS)}\n\nAsked beside the objects: {asked}."


def as_policy() -> str:
    """Return all actions as an IAM policy; narrow `Resource` down where the account's rules ask for it."""
    statement = {"Sid": "EdgeHostsManaged", "Effect": "Allow", "Action": list(every()), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)


if __name__ == "__main__":
    print(as_policy() if "--policy" in sys.argv[1:] else as_table())
