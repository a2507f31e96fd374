"""The clusters of the account: what EKS keeps of one, and makes for it in the VPC.

Sources: EKS API reference; EKS User Guide, network requirements, security group requirements, hybrid nodes networking.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from moto.ec2.models import EC2Backend
from moto.moto_api._internal import mock_random

from lab.aws import eks_rules as rules
from lab.aws.eks_cluster import ANYWHERE, PLATFORM, Cluster, Data, logging_of
from lab.aws.facts import AwsFacts
from lab.aws.refusal import RefusedError, invalid, not_found


class Clusters:
    """The clusters of one Region. `ec2` is that Region's part of moto, `roles` gives an IAM role's trust by its ARN."""

    def __init__(self, facts: AwsFacts, region: str, ca_pem: str, ec2: EC2Backend, roles: Mapping[str, str]) -> None:
        self._facts = facts
        self._region = region
        self._ca = base64.b64encode(ca_pem.encode()).decode()
        self._ec2: Any = ec2
        self._roles = roles
        self.all: dict[str, Cluster] = {}

    def get(self, name: str) -> Cluster:
        """Return a cluster. Raises RefusedError."""
        if name not in self.all:
            raise not_found(f"No cluster found for name: {name}.")
        return self.all[name]

    def create(self, asked: Mapping[str, Any], endpoint: str = "") -> Cluster:
        """Make a cluster with its security group and interfaces. Raises RefusedError."""
        name = str(asked["name"])
        if not re.fullmatch(r"[0-9A-Za-z][A-Za-z0-9\-_]{0,99}", name):
            raise invalid(f"The cluster name {name} is not valid")
        if name in self.all:
            raise RefusedError("ResourceInUseException", f"Cluster already exists with name: {name}", 409)
        self._check_role(str(asked["roleArn"]))
        self.check_version(str(asked.get("version") or self._facts.kubernetes))
        vpc_asked = asked["resourcesVpcConfig"]
        vpc_id = rules.check_subnets(self.subnets(vpc_asked.get("subnetIds") or []))
        self.check_groups(vpc_asked.get("securityGroupIds") or [])
        network, access = asked.get("kubernetesNetworkConfig") or {}, asked.get("accessConfig") or {}
        family, mode = network.get("ipFamily") or "ipv4", access.get("authenticationMode") or "CONFIG_MAP"
        remote, blocks = rules.remote_cidrs(asked.get("remoteNetworkConfig")), self.vpc_cidrs(vpc_id)
        services = rules.service_cidr(network.get("serviceIpv4Cidr"), blocks, remote)
        rules.check_remote(remote, mode=mode, family=family, vpc=blocks, services=services)
        shown = {
            **self._identity(name, endpoint),
            **_as_asked(asked),
            "version": asked.get("version") or self._facts.kubernetes,
            "resourcesVpcConfig": {**_vpc_config(vpc_asked), "vpcId": vpc_id},
            "kubernetesNetworkConfig": {"serviceIpv4Cidr": services, "ipFamily": family},
            "accessConfig": {
                "authenticationMode": mode,
                "bootstrapClusterCreatorAdminPermissions": access.get("bootstrapClusterCreatorAdminPermissions", True),
            },
        }
        shown["resourcesVpcConfig"]["clusterSecurityGroupId"] = self._new_group(name, vpc_id)
        cluster = Cluster(shown, remote)
        self.all[name] = cluster
        self.make_interfaces(cluster)
        self.set_remote(cluster, remote)
        return cluster

    def delete(self, name: str) -> Cluster:
        """Remove a cluster with what was made for it. Raises RefusedError."""
        cluster = self.get(name)
        if cluster.shown["deletionProtection"]:
            raise RefusedError("InvalidRequestException", f"Cluster {name} has deletion protection enabled")
        del self.all[name]
        for interface in cluster.interfaces:
            self._ec2.enis.pop(interface, None)
        self._ec2.groups[cluster.vpc_config["vpcId"]].pop(cluster.vpc_config["clusterSecurityGroupId"], None)
        cluster.shown["status"] = "DELETING"
        return cluster

    def make_interfaces(self, cluster: Cluster) -> None:
        """Make the control plane's interfaces anew: one in each of two subnets, in different zones where there are two."""
        for interface in cluster.interfaces:
            self._ec2.enis.pop(interface, None)
        cluster.interfaces = []
        groups = [cluster.vpc_config["clusterSecurityGroupId"], *cluster.vpc_config["securityGroupIds"]]
        chosen: dict[str, Any] = {}
        for subnet in self.subnets(cluster.vpc_config["subnetIds"]):
            chosen.setdefault(subnet.availability_zone, subnet)
        for subnet in list(chosen.values())[:2]:
            made = self._ec2.create_network_interface(
                subnet, self._address_in(subnet), group_ids=groups, description=f"Amazon EKS {cluster.name}"
            )
            made.requester_managed, made.status = True, "in-use"
            cluster.interfaces.append(made.id)

    def _address_in(self, subnet: Any) -> str:
        """Return an address of the subnet: one on which the lab's API server listens, where there is one that is free."""
        block = IPv4Network(subnet.cidr_block)
        used = {interface.private_ip_address for interface in self._ec2.enis.values()}
        served = [one for one in self._facts.addresses if IPv4Address(one) in block and one not in used]
        # The first four addresses of a subnet are AWS's own.
        others = (str(block[index]) for index in range(4, block.num_addresses - 1))
        return served[0] if served else next(one for one in others if one not in used)

    def set_remote(self, cluster: Cluster, remote: rules.Remote) -> None:
        """Keep the remote networks, and let them in on 443; the rules of earlier ones stay, as EKS leaves them."""
        cluster.remote = remote
        cluster.shown["remoteNetworkConfig"] = {
            key: [{"cidrs": list(cidrs)}] for key, cidrs in remote.items() if cidrs
        } or None
        group = self._ec2.get_security_group_from_id(cluster.vpc_config["clusterSecurityGroupId"])
        present = {rule.ip_range.get("CidrIp") for rule in group.ingress_rules if rule.ip_range}
        for cidr in [cidr for cidrs in remote.values() for cidr in cidrs if cidr not in present]:
            said = "Allow unmanaged communication from remote network to control plane"
            self._ec2.authorize_security_group_ingress(
                group.id, "tcp", 443, 443, [{"CidrIp": cidr, "Description": said}], vpc_id=group.vpc_id
            )

    def _new_group(self, name: str, vpc_id: str) -> str:
        """Make the cluster's security group: everything from itself, everything out."""
        said = "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes"
        tags = {"kubernetes.io/cluster/" + name: "owned", "aws:eks:cluster-name": name}
        group = self._ec2.create_security_group(
            f"eks-cluster-sg-{name}-{mock_random.getrandbits(30)}", said, vpc_id=vpc_id, tags=tags
        )
        self._ec2.authorize_security_group_ingress(
            group.id, "-1", None, None, [], source_groups=[{"GroupId": group.id}], vpc_id=vpc_id
        )
        return str(group.id)

    def _identity(self, name: str, endpoint: str) -> Data:
        """Return what identifies a new cluster."""
        host = f"{mock_random.getrandbits(128):032x}"
        suffix = f"{self._region}.eks.amazonaws.com"
        return {
            "name": name,
            "arn": f"arn:aws:eks:{self._region}:{self._facts.account}:cluster/{name}",
            "createdAt": datetime.now(UTC),
            "status": "CREATING",
            "endpoint": endpoint or f"https://{host}.gr7.{suffix}",
            "certificateAuthority": {"data": self._ca},
            "identity": {"oidc": {"issuer": f"https://oidc.eks.{self._region}.amazonaws.com/id/{host.upper()}"}},
            "platformVersion": PLATFORM,
            "health": {"issues": []},
        }

    def _check_role(self, arn: str) -> None:
        if "eks.amazonaws.com" not in self._roles.get(arn, ""):
            raise invalid(
                f"Role with arn: {arn}, could not be assumed because it does not exist or the trusted entity is not correct"
            )

    @staticmethod
    def check_version(version: str) -> None:
        if not re.fullmatch(r"1\.[23][0-9]", version):
            raise invalid(f"unsupported Kubernetes version {version}")

    def subnets(self, ids: Sequence[str]) -> list[Any]:
        for one in ids:
            if not any(one in zone for zone in self._ec2.subnets.values()):
                raise invalid(f"The subnet ID '{one}' does not exist")
        return [self._ec2.get_subnet(one) for one in ids]

    def check_groups(self, ids: Sequence[str]) -> None:
        for one in ids:
            if self._ec2.get_security_group_from_id(one) is None:
                raise invalid(f"The security group '{one}' does not exist")

    def vpc_cidrs(self, vpc_id: str) -> list[str]:
        found = self._ec2.get_vpc(vpc_id).get_cidr_block_association_set()
        return [one["cidr_block"] for one in found if one["cidr_block_state"]["state"] == "associated"]


def _as_asked(asked: Mapping[str, Any]) -> Data:
    """Return the parts of a cluster that are what the request says, or their defaults."""
    return {
        "roleArn": asked["roleArn"],
        "logging": logging_of(asked.get("logging")),
        "tags": dict(asked.get("tags") or {}),
        "encryptionConfig": list(asked.get("encryptionConfig") or []),
        "upgradePolicy": asked.get("upgradePolicy") or {"supportType": "EXTENDED"},
        "deletionProtection": bool(asked.get("deletionProtection")),
    }


def _vpc_config(asked: Mapping[str, Any]) -> Data:
    """Return the VPC part of a cluster with its defaults: public alone. Raises RefusedError."""
    public, private = asked.get("endpointPublicAccess", True), asked.get("endpointPrivateAccess", False)
    rules.check_endpoints(public, private)
    return {
        "subnetIds": list(asked["subnetIds"]),
        "securityGroupIds": list(asked.get("securityGroupIds") or []),
        "endpointPublicAccess": public,
        "endpointPrivateAccess": private,
        "publicAccessCidrs": list(asked.get("publicAccessCidrs") or [ANYWHERE]) if public else [],
    }
