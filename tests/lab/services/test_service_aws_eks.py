"""EKS of the lab's account: clusters, updates and access entries, with what EKS refuses. Asked by real botocore clients."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aws_stand import FACTS, NODES, PODS, SUBNETS, UPLINK, Aws, refused, remote


def _invalid(call: Any, said: str) -> None:
    code, status, message = refused(call)
    assert (code, status) == ("InvalidParameterException", 400), message
    assert re.search(said, message), message


def test_a_new_cluster_is_whole_and_has_its_group_and_interfaces(aws: Aws) -> None:
    made = aws.new_cluster()
    assert made["status"] == "CREATING"
    cluster, vpc = aws.cluster("other"), aws.cluster("other")["resourcesVpcConfig"]
    assert cluster["status"] == "ACTIVE"
    assert re.fullmatch(r"https://[0-9a-f]{32}\.gr7\.eu-central-1\.eks\.amazonaws\.com", cluster["endpoint"])
    assert (vpc["endpointPublicAccess"], vpc["endpointPrivateAccess"]) == (True, False)
    assert vpc["publicAccessCidrs"] == ["0.0.0.0/0"]
    assert vpc["vpcId"] == aws.cluster()["resourcesVpcConfig"]["vpcId"]
    assert (False, "tcp", 443, NODES) in aws.rules(vpc["clusterSecurityGroupId"])
    found = _interfaces(aws, "other")
    assert {one["SubnetId"] for one in found} == set(vpc["subnetIds"])
    assert [[group["GroupId"] for group in one["Groups"]] for one in found] == [[vpc["clusterSecurityGroupId"]]] * 2
    assert "nextToken" not in aws.client("eks").list_clusters()
    assert aws.client("eks").list_clusters()["clusters"] == ["lab", "other"]
    creator = f"arn:aws:iam::{FACTS.account}:user/lab"
    assert aws.client("eks").list_access_entries(clusterName="other")["accessEntries"] == [creator]


def _interfaces(aws: Aws, name: str) -> list[dict[str, Any]]:
    wanted = [{"Name": "description", "Values": [f"Amazon EKS {name}"]}]
    found: list[dict[str, Any]] = aws.client("ec2").describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]
    return found


def test_the_authentication_mode_that_nobody_names_refuses_remote_networks(aws: Aws) -> None:
    said = "AccessConfig AuthMode must be API_AND_CONFIG_MAP or API when remoteNetworkConfig is specified"
    _invalid(lambda: aws.new_cluster(accessConfig=None), said)
    _invalid(lambda: aws.new_cluster(accessConfig={"authenticationMode": "CONFIG_MAP"}), said)
    aws.new_cluster(accessConfig=None, remoteNetworkConfig=None)
    assert aws.cluster("other")["accessConfig"]["authenticationMode"] == "CONFIG_MAP"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (remote([f"10.40.{index}.0/24" for index in range(16)]), "at most 15 CIDRs"),
        ({"remoteNodeNetworks": [{"cidrs": [NODES]}, {"cidrs": ["10.40.0.0/24"]}]}, "at most 1 element"),
        (remote(["8.8.8.0/24"]), r"CIDR 8\.8\.8\.0/24 must be within"),
        (remote(["10.231.78.0/25"]), r"node network: CIDR 10\.231\.78\.0/25 overlaps with VPC CIDR 10\.231\.78\.0/24"),
        (remote([NODES], ["10.231.78.0/25"]), "Invalid remote pod network: .* overlaps with VPC CIDR"),
        (remote(["172.20.4.0/24"]), "overlaps with service CIDR"),
        (
            remote([NODES], ["10.231.76.0/24"]),
            r"pod network: .* overlaps with remote node network CIDR 10\.231\.76\.0/23",
        ),
        (remote([NODES, "10.231.77.0/24"]), "node network: .* overlaps with remote node network"),
        (remote(["10.231.76.1/23"]), "not a valid IPv4 CIDR"),
    ],
)
def test_remote_networks_that_eks_refuses(aws: Aws, config: dict[str, Any], said: str) -> None:
    _invalid(lambda: aws.new_cluster(remoteNetworkConfig=config), said)
    _invalid(lambda: aws.client("eks").update_cluster_config(name="lab", remoteNetworkConfig=config), said)


def test_a_secondary_block_of_the_vpc_counts_too(aws: Aws) -> None:
    vpc = aws.cluster()["resourcesVpcConfig"]["vpcId"]
    aws.client("ec2").associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.40.0.0/16")
    _invalid(
        lambda: aws.new_cluster(remoteNetworkConfig=remote(["10.40.1.0/24"])), "overlaps with VPC CIDR 10.40.0.0/16"
    )
    assert len(aws.routes("10.40.0.0/16")) == len(SUBNETS)


def test_addresses_for_carriers_are_accepted_and_fifteen_blocks_fit(aws: Aws) -> None:
    blocks = [f"100.64.{index}.0/24" for index in range(15)]
    aws.new_cluster(remoteNetworkConfig=remote(blocks))
    assert aws.cluster("other")["remoteNetworkConfig"] == {"remoteNodeNetworks": [{"cidrs": blocks}]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kubernetesNetworkConfig": {"serviceIpv4Cidr": "10.231.0.0/16"}}, "overlaps with the CIDR of the VPC"),
        ({"kubernetesNetworkConfig": {"serviceIpv4Cidr": "8.0.0.0/16"}}, "must be private"),
        ({"kubernetesNetworkConfig": {"serviceIpv4Cidr": "172.20.0.0/25"}}, "between /24 and /12"),
        ({"kubernetesNetworkConfig": {"ipFamily": "ipv6"}}, "not supported for clusters with ipFamily ipv6"),
        ({"version": "1.99"}, "unsupported Kubernetes version"),
        ({"roleArn": f"arn:aws:iam::{FACTS.account}:role/Nobody"}, "could not be assumed"),
        ({"roleArn": FACTS.hybrid_role_arn}, "could not be assumed"),
    ],
)
def test_clusters_that_eks_refuses(aws: Aws, changes: dict[str, Any], said: str) -> None:
    _invalid(lambda: aws.new_cluster(**changes), said)
    assert _interfaces(aws, "other") == []


def test_subnets_and_endpoints_that_eks_refuses(aws: Aws) -> None:
    ids = list(aws.subnets().values())
    _invalid(lambda: aws.new_cluster(resourcesVpcConfig={"subnetIds": ids[:1]}), "at least two different AZs")
    _invalid(lambda: aws.new_cluster(resourcesVpcConfig={"subnetIds": ["subnet-0123456789abcdef0"]}), "does not exist")
    both_off = {"subnetIds": ids, "endpointPublicAccess": False, "endpointPrivateAccess": False}
    _invalid(lambda: aws.new_cluster(resourcesVpcConfig=both_off), "Private and public endpoint access cannot be false")
    code, status, said = refused(lambda: aws.new_cluster("lab"))
    assert (code, status) == ("ResourceInUseException", 409)
    assert said == "Cluster already exists with name: lab"


def test_an_update_has_an_id_and_is_at_work_until_somebody_looks(aws: Aws) -> None:
    eks = aws.client("eks")
    started = eks.update_cluster_config(name="lab", resourcesVpcConfig={"endpointPublicAccess": True})["update"]
    assert (started["status"], started["type"]) == ("InProgress", "EndpointAccessUpdate")
    code, status, _said = refused(
        lambda: eks.update_cluster_config(name="lab", resourcesVpcConfig={"endpointPrivateAccess": False})
    )
    assert (code, status) == ("ResourceInUseException", 409)
    assert eks.describe_update(name="lab", updateId=started["id"])["update"]["status"] == "Successful"
    vpc = aws.cluster()["resourcesVpcConfig"]
    assert (vpc["endpointPublicAccess"], vpc["endpointPrivateAccess"]) == (True, True)
    # Nothing else of the VPC part is touched by it.
    assert set(vpc["subnetIds"]) == set(aws.subnets().values())
    assert len(vpc["securityGroupIds"]) == 1
    assert eks.list_updates(name="lab")["updateIds"] == [started["id"]]
    assert refused(lambda: eks.describe_update(name="lab", updateId="none"))[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "asked",
    [
        {"resourcesVpcConfig": {"endpointPublicAccess": False, "endpointPrivateAccess": True}},
        {"remoteNetworkConfig": remote([NODES, UPLINK], [PODS])},
        {"remoteNetworkConfig": remote([NODES, UPLINK])},
        {"accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"}},
        {"logging": {"clusterLogging": [{"types": ["api"], "enabled": True}]}},
    ],
)
def test_an_update_without_a_change_is_an_error(aws: Aws, asked: dict[str, Any]) -> None:
    code, status, _said = refused(lambda: aws.client("eks").update_cluster_config(name="lab", **asked))
    assert (code, status) == ("InvalidParameterException", 400)
    assert aws.client("eks").list_updates(name="lab")["updateIds"] == []


def test_remote_networks_are_replaced_whole_and_their_rules_stay(aws: Aws) -> None:
    group = aws.cluster()["resourcesVpcConfig"]["clusterSecurityGroupId"]
    update = aws.client("eks").update_cluster_config
    assert (
        update(name="lab", remoteNetworkConfig=remote(["10.40.0.0/16"]))["update"]["type"]
        == "RemoteNetworkConfigUpdate"
    )
    assert aws.cluster()["remoteNetworkConfig"] == {
        "remoteNodeNetworks": [{"cidrs": ["10.40.0.0/16"]}],
        "remotePodNetworks": [{"cidrs": [PODS]}],
    }
    assert {(False, "tcp", 443, "10.40.0.0/16"), (False, "tcp", 443, NODES)} <= aws.rules(group)
    update(name="lab", remoteNetworkConfig={"remoteNodeNetworks": [], "remotePodNetworks": []})
    assert "remoteNetworkConfig" not in aws.cluster()


def test_one_kind_of_update_at_a_time(aws: Aws) -> None:
    eks = aws.client("eks")
    logging = {"clusterLogging": [{"types": ["scheduler"], "enabled": True}]}
    both = {"logging": logging, "remoteNetworkConfig": remote(["10.40.0.0/16"])}
    _invalid(lambda: eks.update_cluster_config(name="lab", **both), "Only one type of update")
    mixed = {"subnetIds": list(aws.subnets().values()), "endpointPublicAccess": True}
    _invalid(lambda: eks.update_cluster_config(name="lab", resourcesVpcConfig=mixed), "Only one type of update")
    eks.update_cluster_config(name="lab", logging=logging)
    on = [one["types"] for one in aws.cluster()["logging"]["clusterLogging"] if one["enabled"]]
    assert on == [["api", "audit", "scheduler"]]


def test_the_authentication_mode_goes_one_way(aws: Aws) -> None:
    update = aws.client("eks").update_cluster_config
    _invalid(lambda: update(name="lab", accessConfig={"authenticationMode": "CONFIG_MAP"}), "Unsupported")
    update(name="lab", accessConfig={"authenticationMode": "API"})
    assert aws.cluster()["accessConfig"]["authenticationMode"] == "API"
    _invalid(lambda: update(name="lab", accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"}), "Unsupported")


def test_a_new_version_has_other_interfaces_on_addresses_that_are_served(aws: Aws) -> None:
    before = {one["NetworkInterfaceId"] for one in _interfaces(aws, "lab")}
    eks = aws.client("eks")
    _invalid(lambda: eks.update_cluster_version(name="lab", version="1.33"), "Unsupported Kubernetes minor version")
    assert eks.update_cluster_version(name="lab", version="1.32")["update"]["type"] == "VersionUpdate"
    after = _interfaces(aws, "lab")
    assert aws.cluster()["version"] == "1.32"
    assert before.isdisjoint(one["NetworkInterfaceId"] for one in after)
    assert {one["PrivateIpAddress"] for one in after} == set(FACTS.addresses)


def test_other_subnets_have_other_interfaces(aws: Aws) -> None:
    ec2, vpc = aws.client("ec2"), aws.cluster()["resourcesVpcConfig"]
    ids = [
        ec2.create_subnet(VpcId=vpc["vpcId"], CidrBlock=cidr, AvailabilityZone=f"eu-central-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for cidr, zone in (("10.231.78.64/27", "a"), ("10.231.78.96/27", "c"))
    ]
    aws.client("eks").update_cluster_config(name="lab", resourcesVpcConfig={"subnetIds": ids})
    assert {one["SubnetId"] for one in _interfaces(aws, "lab")} == set(ids)
    assert aws.cluster()["resourcesVpcConfig"]["securityGroupIds"] == vpc["securityGroupIds"]


def test_a_cluster_goes_with_all_that_was_made_for_it(aws: Aws) -> None:
    aws.new_cluster(deletionProtection=True)
    group = aws.cluster("other")["resourcesVpcConfig"]["clusterSecurityGroupId"]
    eks = aws.client("eks")
    assert refused(lambda: eks.delete_cluster(name="other"))[0] == "InvalidRequestException"
    eks.update_cluster_config(name="other", deletionProtection=False)
    assert eks.delete_cluster(name="other")["cluster"]["status"] == "DELETING"
    assert refused(lambda: eks.describe_cluster(name="other"))[0] == "ResourceNotFoundException"
    assert _interfaces(aws, "other") == []
    assert refused(lambda: aws.client("ec2").describe_security_groups(GroupIds=[group]))[0] == "InvalidGroup.NotFound"


def test_access_entries_of_hybrid_nodes(aws: Aws) -> None:
    eks, role = aws.client("eks"), FACTS.hybrid_role_arn
    aws.new_cluster()
    made = eks.create_access_entry(clusterName="other", principalArn=role, type="HYBRID_LINUX")["accessEntry"]
    assert (made["username"], made["type"]) == ("system:node:{{SessionName}}", "HYBRID_LINUX")
    assert made["accessEntryArn"].startswith(
        f"arn:aws:eks:eu-central-1:{FACTS.account}:access-entry/other/role/{FACTS.account}/AmazonEKSHybridNodesRole/"
    )
    again = refused(lambda: eks.create_access_entry(clusterName="other", principalArn=role, type="STANDARD"))
    assert again[:2] == ("ResourceInUseException", 409)
    _invalid(
        lambda: eks.update_access_entry(clusterName="other", principalArn=role, kubernetesGroups=["mine"]),
        "cannot be specified for access entries of type HYBRID_LINUX",
    )
    eks.delete_access_entry(clusterName="other", principalArn=role)
    gone = refused(lambda: eks.describe_access_entry(clusterName="other", principalArn=role))
    assert gone[:2] == ("ResourceNotFoundException", 404)
    assert eks.describe_access_entry(clusterName="lab", principalArn=role)["accessEntry"]["type"] == "HYBRID_LINUX"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"principalArn": f"arn:aws:iam::{FACTS.account}:role/Nobody"}, "invalid principal"),
        ({"principalArn": f"arn:aws:iam::{FACTS.account}:user/lab", "type": "HYBRID_LINUX"}, "must be an IAM role"),
        ({"principalArn": FACTS.hybrid_role_arn, "type": "HYBRID_LINUX", "username": "me"}, "cannot be specified"),
        ({"principalArn": FACTS.hybrid_role_arn, "type": "HYBRID_MAC"}, "type HYBRID_MAC is invalid"),
        ({"principalArn": FACTS.hybrid_role_arn, "kubernetesGroups": ["system:masters"]}, "reserved prefix"),
    ],
)
def test_access_entries_that_eks_refuses(aws: Aws, asked: dict[str, Any], said: str) -> None:
    aws.new_cluster(accessConfig={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False})
    _invalid(lambda: aws.client("eks").create_access_entry(clusterName="other", **asked), said)


def test_a_cluster_without_entries_says_so(aws: Aws) -> None:
    aws.new_cluster(accessConfig=None, remoteNetworkConfig=None)
    code, status, said = refused(lambda: aws.client("eks").list_access_entries(clusterName="other"))
    assert (code, status) == ("InvalidRequestException", 400)
    assert "must be set to one of [API, API_AND_CONFIG_MAP]" in said


def test_long_lists_come_in_pages_and_tags_can_be_changed(aws: Aws) -> None:
    eks = aws.client("eks")
    pages = list(eks.get_paginator("list_access_entries").paginate(clusterName="lab", PaginationConfig={"PageSize": 1}))
    assert [len(page["accessEntries"]) for page in pages] == [1, 1]
    arn = aws.cluster()["arn"]
    eks.tag_resource(resourceArn=arn, tags={"owner": "me"})
    eks.untag_resource(resourceArn=arn, tagKeys=["Name"])
    assert eks.list_tags_for_resource(resourceArn=arn)["tags"] == {"owner": "me"} == aws.cluster()["tags"]
