"""The EKS cluster of a managed network, its role, and the group that its interfaces get beside EKS's own."""

import base64
import json
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Any, Optional

import pulumi
import pulumi_aws as aws
from pulumi import Input, InvokeOutputOptions, Output, Resource, ResourceOptions

from components import names
from components.aws.making import Making
from components.aws.vpc import ManagedVpc
from edge.aws.plan_parts import ClusterPlan
from edge.endpoints.partitions import BY_ID

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
# Read by EKS once, when a cluster is made: for the provider another value later is another cluster.
_ONLY_AT_FIRST = ["accessConfig.bootstrapClusterCreatorAdminPermissions"]
# The provider adds 26 characters to the beginning of a role's name, and a role has 64.
_LONGEST_PREFIX = 38


class ManagedCluster(pulumi.ComponentResource):
    """Creates the cluster with the remote networks of all sites, and its role unless one is given.

    The remote networks are two lists that EKS replaces whole, in place. Outputs: `cluster` (the resource), `endpoint`,
    `ca` (PEM text), `arn`, `groups` (security groups of the interfaces), `interface_addresses` (of the interfaces that
    EKS has put into the VPC; asked of EC2 once the cluster is active, unknown before), `made`.
    """

    arn: Output[str]
    endpoint: Output[str]
    ca: Output[str]
    groups: Output[Sequence[str]]
    interface_addresses: Output[Sequence[str]]

    def __init__(
        self,
        making: Making,
        plan: ClusterPlan,
        vpc: ManagedVpc,
        group: Input[str],
        opts: Optional[ResourceOptions] = None,
    ) -> None:
        super().__init__(names.token("ManagedCluster"), making.name("cluster"), {"cluster": plan.name}, opts)
        self._making, self._plan = making, plan
        self.made: list[Resource] = []
        role: Input[str] = plan.role or self._role()
        self.cluster = self._cluster(role, vpc, group)
        cluster = self.cluster
        self.arn, self.endpoint = cluster.arn, cluster.endpoint
        self.ca = cluster.certificate_authority.apply(lambda one: _pem(one.data))
        own = cluster.vpc_config.apply(lambda one: one.cluster_security_group_id)
        self.groups = Output.all(own, group).apply(lambda both: sorted({*both, *plan.security_groups} - {None, ""}))
        self.interface_addresses = self._interfaces(cluster)
        self.register_outputs({"endpoint": self.endpoint})

    def _role(self) -> Output[str]:
        making = self._making
        role = aws.iam.Role(
            making.name("control-plane-role"),
            name_prefix=f"{self._plan.name}-eks-"[-_LONGEST_PREFIX:].lstrip("-"),
            description=f"Control plane of the EKS cluster {self._plan.name}",
            assume_role_policy=json.dumps(_TRUST, sort_keys=True),
            tags=making.tags("control-plane-role"),
            opts=ResourceOptions(parent=self, protect=making.plan.protect),
        )
        attachment = aws.iam.RolePolicyAttachment(
            making.name("control-plane-policy"),
            role=role.name,
            policy_arn=BY_ID[making.plan.partition].arn("iam", "", "aws", "policy/AmazonEKSClusterPolicy"),
            opts=ResourceOptions(parent=self),
        )
        self.made += [role, attachment]
        arn: Output[str] = role.arn
        return arn

    def _cluster(self, role: Input[str], vpc: ManagedVpc, group: Input[str]) -> aws.eks.Cluster:
        making, plan = self._making, self._plan
        cluster = aws.eks.Cluster(
            making.name("cluster"),
            name=plan.name,
            version=plan.version,
            role_arn=role,
            vpc_config=aws.eks.ClusterVpcConfigArgs(
                subnet_ids=list(vpc.subnet_ids),
                security_group_ids=[group, *plan.security_groups],
                endpoint_private_access=plan.endpoint_mode == "private",
                endpoint_public_access=plan.endpoint_mode == "public",
                public_access_cidrs=list(plan.public_access_cidrs) or None,
            ),
            access_config=aws.eks.ClusterAccessConfigArgs(
                authentication_mode=plan.auth_mode,
                bootstrap_cluster_creator_admin_permissions=plan.creator_is_admin,
            ),
            # Written down even where EKS would choose: what it chooses may be a network of a site.
            kubernetes_network_config=aws.eks.ClusterKubernetesNetworkConfigArgs(
                ip_family="ipv4", service_ipv4_cidr=plan.service_cidr
            ),
            remote_network_config=self._remote_networks(),
            enabled_cluster_log_types=list(plan.log_types),
            encryption_config=self._encryption(),
            region=making.plan.region,
            tags=making.tags("cluster"),
            opts=ResourceOptions(
                parent=self,
                protect=making.plan.protect,
                ignore_changes=_ONLY_AT_FIRST,
                # The control plane needs the role's policy from its first moment to its last.
                depends_on=list(self.made),
            ),
        )
        self.made.append(cluster)
        return cluster

    def _remote_networks(self) -> Any:
        nodes, pods = self._making.plan.nodes, self._making.plan.pods
        of_pods = aws.eks.ClusterRemoteNetworkConfigRemotePodNetworksArgs(cidrs=list(pods)) if pods else None
        return aws.eks.ClusterRemoteNetworkConfigArgs(
            remote_node_networks=aws.eks.ClusterRemoteNetworkConfigRemoteNodeNetworksArgs(cidrs=list(nodes)),
            remote_pod_networks=of_pods,
        )

    def _encryption(self) -> Any:
        if not self._plan.kms_key:
            return None
        provider = aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=self._plan.kms_key)
        return aws.eks.ClusterEncryptionConfigArgs(provider=provider, resources=["secrets"])

    def _interfaces(self, cluster: aws.eks.Cluster) -> Output[Sequence[str]]:
        """Return the addresses of the control plane's interfaces, which EKS makes, and makes anew with every upgrade."""
        region = self._making.plan.region
        # Before the cluster is active there is nothing to find.
        ask = InvokeOutputOptions(parent=self, depends_on=[cluster])
        found = aws.ec2.get_network_interfaces_output(
            filters=[
                {"name": "description", "values": [f"Amazon EKS {self._plan.name}"]},
                {"name": "vpc-id", "values": [cluster.vpc_config.apply(lambda one: one.vpc_id)]},
            ],
            region=region,
            opts=ask,
        )

        def addresses(ids: Sequence[str]) -> Output[Sequence[str]]:
            each = [
                aws.ec2.get_network_interface_output(id=one, region=region, opts=ask).private_ip for one in sorted(ids)
            ]
            return Output.all(*each).apply(_sorted)

        known: Output[Sequence[str]] = found.ids.apply(addresses)
        return known


def _sorted(addresses: Sequence[str]) -> list[str]:

    return [str(one) for one in sorted(map(IPv4Address, addresses))]


def _pem(data: Optional[str]) -> str:
    """Return the CA as PEM text; EKS shows it base64-encoded."""
    return base64.b64decode(data).decode() if data else ""
