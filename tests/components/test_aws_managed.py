"""What a managed network registers: every gateway kind, the private path, VPCs and clusters that exist, sites that come and go."""

from __future__ import annotations

import base64
import json
from itertools import permutations
from typing import Any

import pulumi
import pytest

from components.aws.security_rules import SecurityRules
from components.aws.vpn import preshared_key
from components.secrets import Secrets
from components.testing import Recording, Registration, record
from edge.aws import plan_objects as types
from edge.aws.plan import network_plan, planned_facts
from edge.aws.plan_objects import rules_of
from edge.aws.security import outbound_only
from edge.errors import SettingsError
from edge.network import NetworkFacts
from tests.components.managed_rules import problems
from tests.components.managed_samples import (
    CLUSTER,
    KEYS,
    OLD_VPC,
    OUTPUTS,
    PREFIX,
    ROLE_ARN,
    SITES,
    TGW,
    TRANSIT,
    made,
    network,
    objects_of,
    question,
    recorded,
)

pytestmark = pytest.mark.row("C2")

BGP = {name: {**site, "vpn": {**site["vpn"], "static": False}} for name, site in SITES.items()}
NO_VPN = {name: {key: value for key, value in site.items() if key != "vpn"} for name, site in SITES.items()}
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "virtual gateway, static": (network(), None),
    "virtual gateway, BGP": (network(gateway={"kind": "virtualGateway", "asn": 64999}), BGP),
    "transit gateway, static": (network(gateway=TRANSIT), None),
    "transit gateway, BGP": (network(gateway=TRANSIT), BGP),
    "transit gateway, other attachment": (network(gateway=TRANSIT), NO_VPN),
    "existing virtual gateway": (network(gateway={"kind": "existing", "id": "vgw-0123456789abcdef0"}), None),
    "existing transit gateway": (network(gateway={"kind": "existing", "id": TGW}), BGP),
    "no gateway": (network(gateway=None), NO_VPN),
    "existing VPC": (network(vpc=OLD_VPC), None),
    "existing VPC, transit gateway": (network(vpc=OLD_VPC, gateway=TRANSIT), None),
    "no cluster": (network(cluster=None), None),
    "no private path": (network(privatePath=False), None),
    "public API server": (
        network(cluster={**CLUSTER, "endpointMode": "public", "publicAccessCidrs": ["52.1.2.3/32"]}),
        None,
    ),
    "not protected": (network(protect=False), None),
}


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_every_kind_of_network_keeps_every_rule(variant: str) -> None:
    raw, sites = VARIANTS[variant]
    assert problems(recorded(raw, sites), question(raw, sites)) == []


@pytest.mark.parametrize(
    "variant", ["virtual gateway, static", "transit gateway, static", "existing VPC, transit gateway", "no cluster"]
)
def test_a_preview_of_what_is_not_there_yet_plans_the_same_objects(variant: str) -> None:
    raw, sites = VARIANTS[variant]
    preview = recorded(raw, sites, preview=True)
    assert objects_of(preview) == objects_of(recorded(raw, sites))
    assert isinstance(preview.exports["facts"], pulumi.output.Unknown)


def _without_prefix(recording: Recording) -> dict[str, Registration]:
    return {f"{one.type} {one.name}": one for one in recording.resources if one.custom}


def _changed(before: Recording, after: Recording) -> tuple[set[str], set[str]]:
    """Return what only one of two runs registers, and what both do with different inputs or options."""
    one, other = _without_prefix(before), _without_prefix(after)
    return set(one) ^ set(other), {key for key in set(one) & set(other) if one[key] != other[key]}


@pytest.mark.parametrize("gateway", [{"kind": "virtualGateway"}, TRANSIT], ids=["virtual", "transit"])
@pytest.mark.parametrize("order", list(permutations(SITES)), ids="-".join)
def test_sites_of_one_cluster_come_and_go_in_either_order(order: tuple[str, ...], gateway: dict[str, Any]) -> None:
    first, second = order
    raw = network(gateway=gateway)
    alone, both = recorded(raw, {first: SITES[first]}), recorded(raw, {name: SITES[name] for name in order})
    only, changed = _changed(alone, both)
    mine = {*SITES[second]["remoteNodeCidrs"], *SITES[second]["remotePodCidrs"]}
    assert all(second in key or any(cidr in key for cidr in mine) for key in only), only
    assert changed == {f"{types.CLUSTER} {PREFIX}-cluster"}
    cluster, grown = (_without_prefix(one)[f"{types.CLUSTER} {PREFIX}-cluster"] for one in (alone, both))
    differing = {key for key in cluster.inputs if cluster.inputs[key] != grown.inputs[key]}
    assert differing == {"remoteNetworkConfig"} and cluster.dependencies == grown.dependencies
    # The other one goes: what is left is what it would be had it always been alone.
    left = recorded(raw, {second: SITES[second]})
    gone, changed = _changed(both, left)
    other = {*SITES[first]["remoteNodeCidrs"], *SITES[first]["remotePodCidrs"]}
    assert all(first in key or any(cidr in key for cidr in other) for key in gone), gone
    assert changed == {f"{types.CLUSTER} {PREFIX}-cluster"}


def test_the_order_of_sites_and_networks_in_the_file_means_nothing() -> None:
    backwards = {name: SITES[name] for name in reversed(SITES)}
    assert _changed(recorded(network(), SITES), recorded(network(), backwards)) == (set(), set())


def test_a_site_that_makes_its_own_aws_side_is_the_only_one() -> None:
    site = SITES["plant-a"]
    raw = network(**{key: site[key] for key in ("remoteNodeCidrs", "remotePodCidrs", "vpn")})
    asked = question(raw, site="plant-a")
    recording = made(asked)
    assert problems(recording, asked) == []
    assert f"{PREFIX}-site-plant-a-vpn" in {one.name for one in recording.resources if one.type == types.VPN}


def test_pre_shared_keys_reach_the_provider_as_secrets_and_nobody_else() -> None:
    vpn = recorded().get(f"{PREFIX}-site-plant-a-vpn", types.VPN)
    assert [vpn.plain(f"tunnel{number}PresharedKey") for number in (1, 2)] == list(KEYS.values())
    assert vpn.is_secret("tunnel1PresharedKey") and vpn.is_secret("tunnel2PresharedKey")
    hidden = {"customerGatewayConfiguration", "tunnel1PresharedKey", "tunnel2PresharedKey"}
    assert hidden <= set(vpn.additional_secret_outputs)
    other = recorded().get(f"{PREFIX}-site-plant-b-vpn", types.VPN)
    assert "tunnel1PresharedKey" not in other.inputs


@pytest.mark.parametrize("key", ["short", "0begins.with.zero", "with space in it", "a" * 65])
def test_a_bad_pre_shared_key_is_refused_without_being_shown(key: str) -> None:
    where = "site.sites.plant-a.vpn.tunnels[1].presharedKey"

    def program() -> None:
        pulumi.export("key", preshared_key(Secrets(pulumi.Config("edge-hosts")), "keyA2", where))

    config = {"edge-hosts:keyA2": key}
    with pytest.raises(SettingsError) as raised:
        record(program, project="edge-hosts", stack="plants-prod", config=config, secret_keys=list(config))
    said = str(raised.value)
    assert where in said and "8 to 64" in said and key not in said


def test_tunnels_and_devices_say_what_the_settings_say() -> None:
    recording = recorded()
    vpn = recording.get(f"{PREFIX}-site-plant-a-vpn", types.VPN)
    assert (vpn.plain("tunnel1InsideCidr"), vpn.plain("tunnel2InsideCidr")) == ("169.254.10.0/30", None)
    assert vpn.plain("tunnel1IkeVersions") == vpn.plain("tunnel2IkeVersions") == ["ikev2"]
    large = recording.get(f"{PREFIX}-site-plant-b-customer-gateway")
    assert (large.plain("bgpAsn"), large.plain("bgpAsnExtended")) == (None, "4200000001")
    given = {"plant-a": {**SITES["plant-a"], "vpn": {"customerGateway": "cgw-0123456789abcdef0"}}}
    recording = made(question(network(), given))
    assert recording.get(f"{PREFIX}-site-plant-a-vpn", types.VPN).plain("customerGatewayId") == "cgw-0123456789abcdef0"
    assert types.CUSTOMER_GATEWAY not in objects_of(recording).values()


def test_static_routes_of_a_transit_gateway_lead_to_the_vpn_or_to_the_given_attachment() -> None:
    sites = {"plant-a": SITES["plant-a"], "plant-b": NO_VPN["plant-b"]}
    recording = made(question(network(gateway=TRANSIT), sites))
    to = {
        one.plain("destinationCidrBlock"): one.plain("transitGatewayAttachmentId")
        for one in recording.resources
        if one.type == types.TRANSIT_ROUTE
    }
    assert to == {
        "10.200.0.0/24": "tgw-attach-of-the-recording",
        "192.168.0.0/17": "tgw-attach-of-the-recording",
        "10.201.0.0/24": TRANSIT["siteAttachment"],
        "192.168.128.0/17": TRANSIT["siteAttachment"],
    }
    assert types.VPN_ROUTE not in objects_of(recording).values()  # a transit gateway has its own tables
    assert types.TRANSIT_ROUTE not in objects_of(recorded(network(gateway=TRANSIT), BGP)).values()


def test_an_existing_vpc_gets_what_is_missing_only() -> None:
    recording = recorded(network(vpc=OLD_VPC))
    kinds = set(objects_of(recording).values())
    assert not kinds & {types.VPC, types.VPC_BLOCK, types.SUBNET, types.ROUTE_TABLE, types.ASSOCIATION}
    routes = {
        (one.plain("routeTableId"), one.plain("destinationCidrBlock"))
        for one in recording.resources
        if one.type == types.ROUTE
    }
    cidrs = ("10.200.0.0/24", "10.201.0.0/24", "192.168.0.0/17", "192.168.128.0/17")
    assert routes == {(table, cidr) for table in OLD_VPC["routeTableIds"] for cidr in cidrs}
    cluster = recording.get(f"{PREFIX}-cluster", types.CLUSTER)
    assert cluster.plain("vpcConfig")["subnetIds"] == list(OLD_VPC["subnetIds"])
    gateway = recording.get(f"{PREFIX}-endpoint-s3-gateway")
    assert gateway.plain("routeTableIds") == OLD_VPC["routeTableIds"]


def test_endpoints_take_one_subnet_of_each_zone_and_the_resolver_two_addresses() -> None:
    """EC2 refuses two subnets of one zone for an interface endpoint."""
    one_zone = {"aws:ec2/getSubnet:getSubnet": lambda _: {"availabilityZone": "eu-central-1a"}}
    recording = made(question(network(vpc=OLD_VPC)), lookups=one_zone)
    first, second = OLD_VPC["subnetIds"]
    assert recording.get(f"{PREFIX}-endpoint-eks").plain("subnetIds") == [first]
    addresses = recording.get(f"{PREFIX}-resolver").plain("ipAddresses")
    assert [one["subnetId"] for one in addresses] == [first, second]
    third = {"cidr": "10.100.2.0/24", "zone": "eu-central-1a"}
    raw = network()
    raw["vpc"] = {**raw["vpc"], "subnets": [*raw["vpc"]["subnets"], third]}
    chosen = made(question(raw)).get(f"{PREFIX}-endpoint-eks").plain("subnetIds")
    assert chosen == [f"{PREFIX}-subnet-10.100.0.0/24-id", f"{PREFIX}-subnet-10.101.1.0/24-id"]


def test_a_resolver_that_exists_is_not_made_twice() -> None:
    recording = made(question(network(inboundResolvers=["10.100.0.5", "10.100.1.5"])))
    assert types.RESOLVER not in objects_of(recording).values()
    assert recording.exports["facts"]["inbound_resolvers"] == ["10.100.0.5", "10.100.1.5"]
    without = made(question(network(endpoints={"services": ["ecr.api", "s3"], "resolver": False, "s3Gateway": False})))
    private = {key for key, kind in objects_of(without).items() if kind in (types.ENDPOINT, types.RESOLVER)}
    assert private == {"endpoint-ecr.api", "endpoint-s3"}
    assert without.get(f"{PREFIX}-endpoint-s3").plain("dnsOptions") is None


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_the_control_planes_role_is_of_the_right_partition(region: str, partition: str) -> None:
    raw = network(privatePath=False, vpc={**OLD_VPC})
    recording = made(question(raw, region=region))
    policy = recording.get(f"{PREFIX}-control-plane-policy").plain("policyArn")
    assert policy == f"arn:{partition}:iam::aws:policy/AmazonEKSClusterPolicy"
    trust = json.loads(recording.get(f"{PREFIX}-control-plane-role").plain("assumeRolePolicy"))
    assert trust["Statement"] == [
        {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]
    assert recording.exports["facts"]["partition"] == partition


def test_a_given_role_key_and_groups_are_used_as_they_are() -> None:
    key = "arn:aws:kms:eu-central-1:066635153087:key/1"
    cluster = {**CLUSTER, "role": ROLE_ARN, "kmsKey": key, "securityGroups": ["sg-00000000000000001"]}
    recording = made(question(network(cluster=cluster)))
    one = recording.get(f"{PREFIX}-cluster", types.CLUSTER)
    assert one.plain("roleArn") == ROLE_ARN and types.ROLE not in objects_of(recording).values()
    assert one.plain("encryptionConfig") == {"provider": {"keyArn": key}, "resources": ["secrets"]}
    assert one.plain("vpcConfig")["securityGroupIds"] == [f"{PREFIX}-cluster-group-id", "sg-00000000000000001"]
    assert "sg-00000000000000001" in recording.exports["facts"]["security_groups"]


def test_the_ca_of_the_cluster_is_pem_text_in_the_facts() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    outputs = {types.CLUSTER: {"certificateAuthority": {"data": base64.b64encode(pem.encode()).decode()}}}
    recording = made(question(), outputs={types.CLUSTER: {**_cluster_outputs(), **outputs[types.CLUSTER]}})
    assert recording.exports["facts"]["cluster_ca"] == pem


def _cluster_outputs() -> dict[str, Any]:
    return dict(OUTPUTS[types.CLUSTER])


def test_the_identity_gets_what_it_needs_of_the_cluster() -> None:
    recording = made(question(network(identity={"role": {"name": "EdgeNodes"}})))
    identity, cluster = f"{PREFIX}-identity", f"{PREFIX}-cluster"
    assert recording.get(identity).parent == PREFIX and recording.get(identity).plain("provider") == "ssm"
    role = recording.get(f"{identity}-role", types.ROLE)
    assert (role.plain("name"), role.protect) == ("EdgeNodes", True)
    assert role.plain("tags") == {"team": "plants", "edge-hosts-owner": "edge-hosts.plants-prod"}
    (trust,) = json.loads(role.plain("assumeRolePolicy"))["Statement"]
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": "066635153087"}
    entry = recording.get(f"{identity}-access-entry")
    assert (entry.plain("region"), entry.plain("clusterName")) == ("eu-central-1", "plants")
    assert cluster in entry.property_dependencies["clusterName"]
    policy = recording.get(f"{identity}-policy")
    read = json.loads(policy.plain("policy"))["Statement"][0]
    assert read["Resource"] == "arn:aws:eks:eu-central-1:066635153087:cluster/of-the-recording"
    assert cluster in policy.property_dependencies["policy"]
    assert recording.exports["facts"]["hybrid_role_arn"].endswith(":role/plants-eks-0123456789")
    assert identity in recording.exports["resources"]


EXISTING = NetworkFacts(
    region="eu-central-1", partition="aws", cluster_name="old", cluster_endpoint="https://old.example",
    vpc_cidrs=("10.100.0.0/16",), vpc_id=OLD_VPC["id"], account_id="066635153087", service_cidr="172.20.0.0/16",
    remote_node_cidrs=("10.0.0.0/8",), security_groups=("sg-00000000000000001",), private_path=True,
    endpoint_services=("com.amazonaws.eu-central-1.ec2",),
)  # fmt: skip


def test_a_cluster_that_exists_is_read_and_left_alone() -> None:
    raw = network(vpc=OLD_VPC, cluster={"existing": "old"}, identity={})
    recording = made(question(raw), read=EXISTING)
    kinds = objects_of(recording)
    assert types.CLUSTER not in kinds.values() and "cluster-group" not in kinds
    assert [name for name, kind in kinds.items() if kind == types.ROLE] == ["identity-role"], "the hosts' one only"
    facts = recording.exports["facts"]
    for name in ("cluster_endpoint", "service_cidr", "remote_node_cidrs", "security_groups"):
        assert facts[name] == EXISTING.to_dict()[name]
    assert {"com.amazonaws.eu-central-1.ec2", "com.amazonaws.eu-central-1.ssm"} <= set(facts["endpoint_services"])
    assert facts["inbound_resolvers"] == ["10.100.0.53", "10.100.1.53"]
    assert facts["tunnel_addresses"] == ["3.64.0.1", "3.64.0.2"]
    assert recording.get(f"{PREFIX}-identity-access-entry").plain("clusterName") == "old"
    assert "arn:aws:eks:eu-central-1:066635153087:cluster/old" in recording.get(f"{PREFIX}-identity-policy").plain(
        "policy"
    )
    unread = made(question(raw), read=None)
    assert isinstance(unread.exports["facts"], pulumi.output.Unknown) and objects_of(unread) == kinds


def test_a_cluster_in_another_vpc_is_refused_before_anything_is_made() -> None:
    elsewhere = NetworkFacts.from_dict({**EXISTING.to_dict(), "vpc_id": "vpc-00000000000000009"})
    with pytest.raises(SettingsError, match=r"site.network.cluster.existing: is in the VPC vpc-00000000000000009"):
        made(question(network(vpc=OLD_VPC, cluster={"existing": "old"})), read=elsewhere)


def test_a_plan_that_aws_would_refuse_is_refused_before_anything_is_registered() -> None:
    raw = network(cluster={"existing": "old"}, vpc={**network()["vpc"], "subnets": network()["vpc"]["subnets"][:1]})
    with pytest.raises(SettingsError) as raised:
        made(question(raw))
    said = str(raised.value)
    assert "site.network.vpc.subnets: lie in one zone" in said and "site.network.cluster.existing" in said


def test_the_facts_are_the_planned_ones_and_what_aws_made() -> None:
    asked = question()
    facts, planned = recorded().exports["facts"], planned_facts(asked).to_dict()
    made_by_aws = {
        "account_id", "vpc_id", "cluster_endpoint", "security_groups", "eni_addresses", "inbound_resolvers",
        "tunnel_addresses",
    }  # fmt: skip
    assert {key for key in facts if facts[key] != planned[key]} == made_by_aws
    assert NetworkFacts.from_dict(facts).cluster_arn == "arn:aws:eks:eu-central-1:066635153087:cluster/plants"


def test_rules_are_made_in_a_group_of_somebody_else_without_touching_its_own() -> None:
    rules = [rule for rule in rules_of(network_plan(question())) if rule.role == "cluster"]

    def program() -> None:
        SecurityRules("plants-network-rules", group_id="sg-00000000000000001", rules=outbound_only(rules))

    recording = record(program, project="edge-hosts", stack="plants-prod", config={}, secret_keys=[])
    made_here = [one for one in recording.resources if one.custom]
    assert {one.type for one in made_here} == {types.RULE_OUT}
    assert {(one.plain("toPort"), one.plain("cidrIpv4")) for one in made_here} == {
        (10250, "10.200.0.0/24"),
        (10250, "10.201.0.0/24"),
        (9443, "192.168.0.0/17"),
        (9443, "192.168.128.0/17"),
    }
    assert {one.plain("securityGroupId") for one in made_here} == {"sg-00000000000000001"}
