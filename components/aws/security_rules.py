"""The rules of one security group, each a resource of its own."""

from collections.abc import Iterable
from typing import Optional

import pulumi
import pulumi_aws as aws
from pulumi import Input, Resource, ResourceOptions

from components import names
from edge.aws.security import SecurityRule


class SecurityRules(pulumi.ComponentResource):
    """Creates one resource per rule in a group that may belong to somebody else: rules of others in it are left alone.

    Never rules inside of a group's own resource: that would take every rule away that EKS or another stack has made. For
    the group that EKS makes for a cluster, give only `outbound_only(rules)`. Names follow from what a rule says. Output:
    `made`, the resources.
    """

    def __init__(
        self,
        name: str,
        *,
        group_id: Input[str],
        rules: Iterable[SecurityRule],
        region: Optional[str] = None,
        opts: Optional[ResourceOptions] = None,
    ) -> None:
        super().__init__(names.token("SecurityRules"), names.child(name, "rules"), {}, opts)
        self.made: list[Resource] = []
        for rule in rules:
            kind = aws.vpc.SecurityGroupIngressRule if rule.direction == "in" else aws.vpc.SecurityGroupEgressRule
            made = kind(
                names.child(name, rule.key),
                security_group_id=group_id,
                ip_protocol=rule.protocol,
                from_port=rule.port,
                to_port=rule.port,
                cidr_ipv4=rule.cidr,
                description=rule.reason,
                region=region,
                opts=ResourceOptions(parent=self),
            )
            self.made.append(made)
        self.register_outputs({})
