"""The account of the lab, judged by real botocore clients: what it holds when it is new, and what it refuses."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from aws_stand import FACTS, NODES, PODS, SUBNETS, UPLINK, Aws, refused
from cryptography import x509

from edge.errors import LabError
from lab.block import Block
from lab.services.ca import ensure_ca
from lab.standins import aws_facts


@pytest.mark.row("C2")
def test_the_cluster_is_the_one_of_the_committed_stack_file(aws: Aws) -> None:
    cluster = aws.cluster()
    vpc = cluster["resourcesVpcConfig"]
    assert (cluster["status"], cluster["version"]) == ("ACTIVE", "1.31")
    assert cluster["arn"] == f"arn:aws:eks:eu-central-1:{FACTS.account}:cluster/lab"
    assert cluster["endpoint"] == "https://ab0123456789abcdef0123456789abcd.gr7.eu-central-1.eks.amazonaws.com"
    assert (vpc["endpointPublicAccess"], vpc["endpointPrivateAccess"]) == (False, True)
    assert cluster["accessConfig"]["authenticationMode"] == "API_AND_CONFIG_MAP"
    assert cluster["kubernetesNetworkConfig"] == {"serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": "ipv4"}
    assert cluster["remoteNetworkConfig"] == {
        "remoteNodeNetworks": [{"cidrs": ["10.231.76.0/23", "10.231.79.0/24"]}],
        "remotePodNetworks": [{"cidrs": ["10.232.0.0/16"]}],
    }
    authority = x509.load_pem_x509_certificate(base64.b64decode(cluster["certificateAuthority"]["data"]))
    assert authority == ensure_ca(aws.services.config.ca_dir).cluster.certificate


@pytest.mark.row("C2", "A6")
def test_vpc_subnets_and_interfaces_are_where_the_api_server_listens(aws: Aws) -> None:
    ec2, vpc_id = aws.client("ec2"), aws.cluster()["resourcesVpcConfig"]["vpcId"]
    vpc = ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]
    assert [one["CidrBlock"] for one in vpc["CidrBlockAssociationSet"]] == ["10.231.78.0/24"]
    for attribute, key in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
        assert ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=attribute)[key]["Value"] is True
    subnets = ec2.describe_subnets(SubnetIds=aws.cluster()["resourcesVpcConfig"]["subnetIds"])["Subnets"]
    assert {one["CidrBlock"]: one["AvailabilityZone"] for one in subnets} == {
        "10.231.78.0/27": "eu-central-1a",
        "10.231.78.32/27": "eu-central-1b",
    }
    found = ec2.describe_network_interfaces(
        Filters=[{"Name": "description", "Values": ["Amazon EKS lab"]}, {"Name": "vpc-id", "Values": [vpc_id]}]
    )["NetworkInterfaces"]
    assert {one["PrivateIpAddress"] for one in found} == {str(address) for address in Block().enis}
    assert {one["SubnetId"] for one in found} == {one["SubnetId"] for one in subnets}
    assert all(one["RequesterManaged"] for one in found)


@pytest.mark.parametrize("cidr", [NODES, UPLINK, PODS])
def test_every_subnet_has_a_route_to_the_site(aws: Aws, cidr: str) -> None:
    routes = aws.routes(cidr)
    assert [(route["State"], route["GatewayId"][:4]) for route in routes] == [("active", "vgw-")] * len(SUBNETS)


def test_the_groups_let_the_site_in_and_the_control_plane_out(aws: Aws) -> None:
    vpc = aws.cluster()["resourcesVpcConfig"]
    own = aws.rules(vpc["clusterSecurityGroupId"])
    let_in = {(False, "tcp", 443, cidr) for cidr in (NODES, UPLINK, PODS)}
    assert own == {*let_in, (True, "-1", -1, "0.0.0.0/0")}
    assert aws.rules(vpc["securityGroupIds"][0]) == {
        *let_in,
        (True, "tcp", 10250, NODES),
        (True, "tcp", 10250, UPLINK),
    }
    found = aws.client("ec2").describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [vpc["clusterSecurityGroupId"]]}]
    )
    itself = [one for one in found["SecurityGroupRules"] if "ReferencedGroupInfo" in one]
    assert [one["ReferencedGroupInfo"]["GroupId"] for one in itself] == [vpc["clusterSecurityGroupId"]]


@pytest.mark.row("C7")
def test_role_entry_and_activation_of_the_hosts(aws: Aws) -> None:
    iam, eks = aws.client("iam"), aws.client("eks")
    role = iam.get_role(RoleName="AmazonEKSHybridNodesRole")["Role"]
    assert role["Arn"] == FACTS.hybrid_role_arn
    trust = role["AssumeRolePolicyDocument"]["Statement"][0]
    assert trust["Principal"] == {"Service": "ssm.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": FACTS.account}
    attached = iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    assert {one["PolicyName"] for one in attached} == {
        "AmazonSSMManagedInstanceCore",
        "AmazonEC2ContainerRegistryPullOnly",
    }
    inline = iam.get_role_policy(RoleName=role["RoleName"], PolicyName="EKSCluster")["PolicyDocument"]
    assert inline["Statement"][0]["Action"] == ["eks:DescribeCluster", "eks:ListAccessEntries"]
    assert inline["Statement"][0]["Resource"] == aws.cluster()["arn"]
    entry = eks.describe_access_entry(clusterName="lab", principalArn=FACTS.hybrid_role_arn)["accessEntry"]
    assert (entry["type"], entry["username"]) == ("HYBRID_LINUX", "system:node:{{SessionName}}")
    found = aws.client("ssm").describe_activations()["ActivationList"]
    assert [(one["RegistrationLimit"], one["RegistrationsCount"], one["Expired"]) for one in found] == [(10, 0, False)]
    assert {"Key": "EKSClusterARN", "Value": aws.cluster()["arn"]} in found[0]["Tags"]


def test_the_vpn_has_two_tunnels_that_are_up(aws: Aws) -> None:
    (vpn,) = aws.client("ec2").describe_vpn_connections()["VpnConnections"]
    assert [(one["OutsideIpAddress"], one["Status"]) for one in vpn["VgwTelemetry"]] == [
        (address, "UP") for address in FACTS.tunnels
    ]
    assert vpn["Options"]["StaticRoutesOnly"] is True
    assert {one["DestinationCidrBlock"] for one in vpn["Routes"]} == {NODES, UPLINK, PODS}


def test_ids_are_the_same_after_every_start(aws: Aws) -> None:
    def ids() -> list[Any]:
        vpc = aws.cluster()["resourcesVpcConfig"]
        found = aws.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
        activations = aws.client("ssm").describe_activations()["ActivationList"]
        return [vpc, sorted(one["NetworkInterfaceId"] for one in found), activations[0]["ActivationId"]]

    before = ids()
    aws.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")
    aws.clear()
    assert ids() == before


def test_addresses_follow_the_block_of_the_lab() -> None:
    from ipaddress import IPv4Network

    moved = Block(IPv4Network("172.29.8.0/22"))
    facts = aws_facts(moved)
    assert (facts.vpc, facts.remote_nodes) == ("172.29.10.0/24", ("172.29.8.0/23", "172.29.11.0/24"))
    assert facts.addresses == (moved.moved("10.231.78.11"), moved.moved("10.231.78.43"))
    assert list(facts.subnets) == ["172.29.10.0/27", "172.29.10.32/27"]


def test_who_asks_is_known_and_strangers_are_not(aws: Aws) -> None:
    told = aws.client("sts").get_caller_identity()
    assert (told["Account"], told["Arn"]) == (FACTS.account, f"arn:aws:iam::{FACTS.account}:user/lab")
    wanted = {"RoleArn": f"arn:aws:iam::{FACTS.account}:role/Reader", "RoleSessionName": "me"}
    code, status, said = refused(lambda: aws.client("sts").assume_role(**wanted))
    assert (code, status) == ("AccessDenied", 403)
    assert "user/lab is not authorized to perform: sts:AssumeRole on resource" in said
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}]}
    aws.client("iam").create_role(RoleName="Reader", AssumeRolePolicyDocument=json.dumps(trust))
    session = aws.client("sts").assume_role(**wanted)
    given = session["Credentials"]
    taken = aws.client("sts", key=given["AccessKeyId"], token=given["SessionToken"]).get_caller_identity()
    assert taken["Arn"] == f"arn:aws:sts::{FACTS.account}:assumed-role/Reader/me"
    stranger = "AKIAI44QH8DHBEXAMPLE"
    assert refused(aws.client("eks", key=stranger).list_clusters)[:2] == ("UnrecognizedClientException", 403)
    assert refused(aws.client("ec2", key=stranger).describe_vpcs)[:2] == ("AuthFailure", 401)
    assert refused(aws.client("sts", key=stranger).get_caller_identity)[:2] == ("InvalidClientTokenId", 403)
    assert refused(aws.client("ssm", key=stranger).describe_activations)[:2] == ("UnrecognizedClientException", 400)


def test_another_region_has_another_account_side(aws: Aws) -> None:
    code, status, said = refused(lambda: aws.client("eks", region="eu-west-1").describe_cluster(name="lab"))
    assert (code, status) == ("ResourceNotFoundException", 404)
    assert "No cluster found for name: lab" in said


@pytest.mark.parametrize(
    ("service", "operation", "denied", "status"),
    [
        ("ec2", "describe_vpcs", "UnauthorizedOperation", 403),
        ("eks", "list_clusters", "AccessDeniedException", 403),
        ("iam", "list_roles", "AccessDenied", 403),
        ("ssm", "describe_activations", "AccessDeniedException", 400),
        ("route53resolver", "list_resolver_endpoints", "AccessDeniedException", 400),
    ],
)
def test_one_action_can_be_denied(aws: Aws, service: str, operation: str, denied: str, status: int) -> None:
    client = aws.client(service)
    action = f"{service}:{client.meta.method_to_api_mapping[operation]}"
    aws.fault("aws-denied", action)
    code, found, said = refused(getattr(client, operation))
    assert (code, found) == (denied, status)
    assert f"user/lab is not authorized to perform: {action}" in said
    assert aws.client("sts").get_caller_identity()["Account"] == FACTS.account
    aws.fault("aws-denied", action, on=False)
    getattr(client, operation)()


def test_a_denial_of_eks_names_the_cluster(aws: Aws) -> None:
    aws.fault("aws-denied", "eks:DescribeCluster")
    _code, _status, said = refused(lambda: aws.client("eks").describe_cluster(name="lab"))
    arn = f"arn:aws:eks:eu-central-1:{FACTS.account}:cluster/lab"
    assert f"is not authorized to perform: eks:DescribeCluster on resource: {arn}" in said


@pytest.mark.parametrize(
    ("service", "operation", "throttled", "expired"),
    [
        ("ec2", "describe_vpcs", ("RequestLimitExceeded", 503), ("RequestExpired", 400)),
        ("eks", "list_clusters", ("ThrottlingException", 429), ("ExpiredTokenException", 403)),
        ("iam", "list_roles", ("Throttling", 400), ("ExpiredToken", 403)),
        ("sts", "get_caller_identity", ("Throttling", 400), ("ExpiredToken", 403)),
        ("ssm", "describe_activations", ("ThrottlingException", 400), ("ExpiredTokenException", 400)),
    ],
)
def test_too_many_requests_and_a_session_that_is_over(
    aws: Aws, service: str, operation: str, throttled: tuple[str, int], expired: tuple[str, int]
) -> None:
    ask = getattr(aws.client(service), operation)
    aws.fault("aws-throttled", "1")
    assert refused(ask)[:2] == throttled
    ask()
    aws.fault("aws-expired")
    assert refused(ask)[:2] == expired
    aws.fault("aws-expired", on=False)
    ask()


def test_what_the_lab_does_not_play_is_said_once(aws: Aws) -> None:
    code, status, said = refused(lambda: aws.client("eks").list_addons(clusterName="lab"))
    assert (code, status) == ("NotImplemented", 501)
    assert "eks:ListAddons" in said
    assert refused(aws.client("ecr").describe_repositories)[:2] == ("NotImplemented", 501)


def test_the_log_tells_reads_from_writes_and_holds_no_key(aws: Aws) -> None:
    aws.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")
    aws.cluster()
    told = aws.services.requests("aws")
    assert ("ec2:CreateVpc", "write", 200) in [(one["path"], one["kind"], one["status"]) for one in told]
    assert (told[-1]["path"], told[-1]["kind"]) == ("eks:DescribeCluster", "read")
    assert FACTS.access_key not in aws.services.log.file("aws").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "target", "said"),
    [
        ("aws-vpc-block", "10.231.77.1/24", "CIDR block"),
        ("aws-vpc-block", None, "needs a CIDR block"),
        ("aws-endpoint", "open", "does not know the target"),
        ("aws-rule-missing", "443", "does not know the target"),
        ("aws-denied", "DescribeCluster", "does not know the target"),
        ("aws-entry-missing", "x", "takes no target"),
    ],
)
def test_a_target_that_means_nothing_is_refused(aws: Aws, name: str, target: str | None, said: str) -> None:
    with pytest.raises(LabError, match=said):
        aws.fault(name, target)
