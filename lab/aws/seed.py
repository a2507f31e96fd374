"""Fills the account of a lab: the VPC with its ways to the site, the cluster `lab`, the role of the hosts, an activation.

Ids are the same after every start: the stack's facts would change with them otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy
from moto.moto_api._internal import mock_random

from lab.aws.account import Account
from lab.aws.ec2 import make_vpn
from lab.aws.facts import CLUSTER_ROLE, HYBRID_ROLE, USER

SEED = 20261101
ADDITIONAL_GROUP = "eks-hybrid-remote-rules"
_POLICIES = ("AmazonEKS", "AmazonSSM", "AmazonEC2ContainerRegistry")
_ACTIVATION_DAYS = 29
_REGISTRATIONS = 10


def fill(account: Account) -> None:
    """Empty the account and fill it anew."""
    account.clear()
    mock_random.seed(SEED)
    _identities(account)
    vpc = _vpc(account)
    subnets = _subnets(account, vpc)
    _way_to_the_site(account, vpc)
    _cluster(account, subnets, _additional_group(account, vpc))
    _activation(account)


def _tags(name: str) -> dict[str, str]:
    return {"Name": f"lab-{name}"}


def _tag_list(name: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in _tags(name).items()]


def _vpc(account: Account) -> Any:
    ec2: Any = account.ec2()
    for region_default in [one for one in ec2.vpcs.values() if one.is_default == "true"]:
        region_default.is_default = "false"
    vpc = ec2.create_vpc(account.facts.vpc, tags=_tag_list("vpc"))
    for attribute in ("enable_dns_support", "enable_dns_hostnames"):
        ec2.modify_vpc_attribute(vpc.id, attribute, "true")
    return vpc


def _subnets(account: Account, vpc: Any) -> list[Any]:
    """Make the control plane's subnets, each with a route table of its own."""
    ec2: Any = account.ec2()
    made = []
    for cidr, letter in account.facts.subnets.items():
        zone = f"{account.facts.region}{letter}"
        subnet = ec2.create_subnet(vpc.id, cidr, availability_zone=zone)
        subnet.add_tags(_tags(f"control-plane-{letter}"))
        table = ec2.create_route_table(vpc.id, _tag_list(f"control-plane-{letter}"))
        ec2.associate_route_table(table.id, None, subnet.id)
        made.append(subnet)
    return made


def _way_to_the_site(account: Account, vpc: Any) -> None:
    """Make gateway and VPN, and lead every remote network to the gateway, from each of the subnets' tables."""
    ec2: Any = account.ec2()
    facts = account.facts
    gateway = ec2.create_vpn_gateway(gateway_type="ipsec.1", amazon_side_asn="64512", tags=_tags("gateway"))
    ec2.attach_vpn_gateway(gateway.id, vpc.id)
    router = ec2.create_customer_gateway("ipsec.1", facts.site_router, "65000", tags=_tags("site"))
    vpn = ec2.create_vpn_connection("ipsec.1", router.id, vpn_gateway_id=gateway.id, tags=_tags("vpn"))
    make_vpn(vpn, {"StaticRoutesOnly": "true"}, facts.tunnels)
    for cidr in (*facts.remote_nodes, *facts.remote_pods):
        vpn.routes.append({"DestinationCidrBlock": cidr, "Source": "Static", "State": "available"})
        for table in [one for one in ec2.route_tables.values() if one.vpc_id == vpc.id and not one.main_association_id]:
            ec2.create_route(table.id, cidr, gateway_id=gateway.id)


def _additional_group(account: Account, vpc: Any) -> str:
    """Make the group that the network team would add: 443 in from the site, 10250 out to its hosts."""
    ec2: Any = account.ec2()
    facts = account.facts
    group = ec2.create_security_group(ADDITIONAL_GROUP, "Remote networks of EKS Hybrid Nodes", vpc_id=vpc.id)
    group.egress_rules.clear()
    for cidr in (*facts.remote_nodes, *facts.remote_pods):
        ec2.authorize_security_group_ingress(group.id, "tcp", 443, 443, [{"CidrIp": cidr}], vpc_id=vpc.id)
    for cidr in facts.remote_nodes:
        ec2.authorize_security_group_egress(group.id, "tcp", 10250, 10250, [{"CidrIp": cidr}], vpc_id=vpc.id)
    return str(group.id)


def _cluster(account: Account, subnets: list[Any], group: str) -> None:
    facts = account.facts
    asked = {
        "name": facts.cluster,
        "version": facts.kubernetes,
        "roleArn": facts.arn("iam", f"role/{CLUSTER_ROLE}", regional=False),
        "resourcesVpcConfig": {
            "subnetIds": [subnet.id for subnet in subnets],
            "securityGroupIds": [group],
            "endpointPublicAccess": False,
            "endpointPrivateAccess": True,
        },
        "kubernetesNetworkConfig": {"serviceIpv4Cidr": facts.service_cidr, "ipFamily": "ipv4"},
        "accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"},
        "remoteNetworkConfig": {
            "remoteNodeNetworks": [{"cidrs": list(facts.remote_nodes)}],
            "remotePodNetworks": [{"cidrs": list(facts.remote_pods)}],
        },
        "logging": {"clusterLogging": [{"types": ["api", "audit"], "enabled": True}]},
        "tags": _tags("cluster"),
    }
    cluster = account.clusters().create(asked, facts.endpoint)
    cluster.settle()
    entries = account.entries()
    entries.create(cluster, {"principalArn": facts.arn("iam", f"user/{USER}", regional=False)})
    entries.create(cluster, {"principalArn": facts.hybrid_role_arn, "type": "HYBRID_LINUX"})


def _identities(account: Account) -> None:
    """Make the user whose key the lab has, the cluster's role and the hosts' role."""
    iam: Any = account.iam()
    facts = account.facts
    for name, data in _managed_policies().items():
        policy = AWSManagedPolicy.from_data(name, facts.account, iam.region_name, data)
        iam.managed_policies[policy.arn] = policy
    iam.create_user(facts.region, USER)
    key = iam.create_access_key(USER)
    del iam.access_keys[key.access_key_id]
    key.access_key_id = facts.access_key
    iam.access_keys[key.access_key_id] = key
    _role(iam, CLUSTER_ROLE, {"Principal": {"Service": "eks.amazonaws.com"}}, ("AmazonEKSClusterPolicy",), {})
    trust = {
        "Principal": {"Service": "ssm.amazonaws.com"},
        "Condition": {
            "StringEquals": {"aws:SourceAccount": facts.account},
            "ArnEquals": {"aws:SourceArn": facts.arn("ssm", "*")},
        },
    }
    cluster = facts.arn("eks", f"cluster/{facts.cluster}")
    inline = {
        "EKSCluster": _document({"Action": ["eks:DescribeCluster", "eks:ListAccessEntries"], "Resource": cluster}),
        "SSM": _document(
            {"Action": "ssm:DescribeInstanceInformation", "Resource": "*"},
            {
                "Action": "ssm:DeregisterManagedInstance",
                "Resource": f"arn:aws:ssm:*:{facts.account}:managed-instance/*",
                "Condition": {"StringEquals": {"ssm:resourceTag/EKSClusterARN": cluster}},
            },
        ),
    }
    _role(iam, HYBRID_ROLE, trust, ("AmazonSSMManagedInstanceCore", "AmazonEC2ContainerRegistryPullOnly"), inline)


@cache
def _managed_policies() -> Mapping[str, Any]:
    """Return those policies of AWS's own that have to do with the lab, by name."""
    found: dict[str, Any] = json.loads(aws_managed_policies_data)
    return {name: data for name, data in found.items() if name.startswith(_POLICIES)}


def _document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in statements]})


def _role(iam: Any, name: str, trust: Mapping[str, Any], managed: tuple[str, ...], inline: Mapping[str, str]) -> None:
    role = iam.create_role(name, _document({"Action": "sts:AssumeRole", **trust}), "/", None, "", [], "3600")
    for one in managed:
        iam.attach_role_policy(next(arn for arn in iam.managed_policies if arn.endswith(f"/{one}")), role.name)
    for policy, document in inline.items():
        iam.put_role_policy(role.name, policy, document)


def _activation(account: Account) -> None:
    facts = account.facts
    ends = datetime.now(UTC) + timedelta(days=_ACTIVATION_DAYS)
    account.activations().create(
        {
            "IamRole": HYBRID_ROLE,
            "RegistrationLimit": _REGISTRATIONS,
            "ExpirationDate": ends.timestamp(),
            "DefaultInstanceName": "lab",
            "Description": "hosts of the lab",
            "Tags": [{"Key": "EKSClusterARN", "Value": facts.arn("eks", f"cluster/{facts.cluster}")}],
        },
        str(uuid5(NAMESPACE_DNS, "activation.lab.internal")),
    )
