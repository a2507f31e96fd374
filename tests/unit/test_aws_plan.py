"""The plan of a managed network: every network routed, no name twice, the order of the file without meaning."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.aws.access import AwsAccess
from edge.aws.plan import network_plan, planned_facts
from edge.aws.plan_objects import objects, rules_of
from edge.aws.plan_parts import NetworkPlan
from edge.aws.plan_rules import key_finding, plan_findings
from edge.endpoints import EndpointQuery, endpoint_table
from edge.network import NetworkFacts, network_rules
from edge.network_question import NetworkQuestion
from edge.settings.network import GivenNetwork, ManagedNetwork
from edge.settings.site import SiteNetworks

pytestmark = pytest.mark.row("C2")

VPC: dict[str, Any] = {
    "cidr": "10.100.0.0/16",
    "subnets": [{"cidr": "10.100.0.0/24", "zone": "eu-central-1a"}, {"cidr": "10.100.1.0/24", "zone": "eu-central-1b"}],
}
CLUSTER = {"name": "plants", "kubernetesVersion": "1.31", "serviceCidr": "172.20.0.0/16"}
TGW = {"kind": "transitGateway", "id": "tgw-0123456789abcdef0", "routeTable": "tgw-rtb-0123456789abcdef0"}
GATEWAYS: tuple[dict[str, Any], ...] = (
    {"kind": "virtualGateway"},
    TGW,
    {"kind": "existing", "id": "vgw-0123456789abcdef0"},
    {"kind": "existing", "id": "tgw-0123456789abcdef0"},
)


def asked(sites: dict[str, Any] | None = None, site: str = "", stage: Any = "prod", **changes: Any) -> NetworkQuestion:
    """Return the question of a network stack, or of one `site`; `changes` are keys of the network."""
    region = changes.pop("region", "eu-central-1")
    raw = {"source": "managed", "vpc": VPC, "gateway": {"kind": "virtualGateway"}, "cluster": CLUSTER, **changes}
    known = {"plant-a": {"remoteNodeCidrs": ["10.200.0.0/24"]}} if sites is None and not site else sites or {}
    return NetworkQuestion(
        network=ManagedNetwork.model_validate({key: value for key, value in raw.items() if value is not None}),
        region=region,
        stage=stage,
        owner="edge-hosts.plants-prod",
        aws=AwsAccess(region=region),
        site=site,
        sites={name: SiteNetworks.model_validate(one) for name, one in known.items()},
    )


def said(question: NetworkQuestion) -> list[str]:
    return [f"{one.level} {one}" for one in plan_findings(network_plan(question))]


@st.composite
def many_sites(draw: st.DrawFn) -> dict[str, Any]:
    """Sites with networks of their own: /24 blocks out of 10.128.0.0/9, dealt to sites, as nodes or pods."""
    names = draw(
        st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True), min_size=1, max_size=5, unique=True)
    )
    numbers = draw(st.lists(st.integers(0, 2**15 - 1), min_size=len(names), max_size=24, unique=True))
    blocks = [str(IPv4Network((0x0A800000 + (number << 8), 24))) for number in numbers]
    sites: dict[str, Any] = {name: {"remoteNodeCidrs": [blocks.pop()], "remotePodCidrs": []} for name in names}
    for block in blocks:
        kind = draw(st.sampled_from(("remoteNodeCidrs", "remotePodCidrs")))
        sites[draw(st.sampled_from(names))][kind].append(block)
    for number, name in enumerate(names):
        if draw(st.booleans()):
            sites[name]["vpn"] = {"address": f"52.1.2.{number + 1}", "static": draw(st.booleans())}
    return sites


def _shuffled(draw: Any, sites: dict[str, Any]) -> dict[str, Any]:
    names = draw.draw(st.permutations(list(sites)))
    kinds = ("remoteNodeCidrs", "remotePodCidrs")
    return {
        name: {**sites[name], **{kind: draw.draw(st.permutations(sites[name][kind])) for kind in kinds}}
        for name in names
    }


@settings(max_examples=60, deadline=None)
@given(sites=many_sites(), gateway=st.sampled_from(GATEWAYS), private=st.booleans(), draw=st.data())
def test_plans_of_random_sites(sites: dict[str, Any], gateway: dict[str, Any], private: bool, draw: Any) -> None:
    plan = network_plan(asked(sites, gateway=gateway, privatePath=private))
    every = {cidr for site in sites.values() for kind in ("remoteNodeCidrs", "remotePodCidrs") for cidr in site[kind]}
    keys = [one.key for one in objects(plan)]
    assert len(keys) == len(set(keys))
    assert {route.cidr for route in plan.routes} == every and len(plan.routes) == len(every)
    assert {*plan.nodes, *plan.pods} == every
    assert network_plan(asked(_shuffled(draw, sites), gateway=gateway, privatePath=private)) == plan


@settings(max_examples=40, deadline=None)
@given(sites=many_sites(), gateway=st.sampled_from(GATEWAYS), draw=st.data())
def test_a_site_that_leaves_takes_its_own_objects_only(
    sites: dict[str, Any], gateway: dict[str, Any], draw: Any
) -> None:
    gone = draw.draw(st.sampled_from(sorted(sites)))
    before = network_plan(asked(sites, gateway=gateway, privatePath=True))
    left = {name: site for name, site in sites.items() if name != gone}
    after = network_plan(asked(left, gateway=gateway, privatePath=True))
    mine = {*sites[gone]["remoteNodeCidrs"], *sites[gone]["remotePodCidrs"]}
    went = set(objects(before)) - set(objects(after))
    assert not set(objects(after)) - set(objects(before))
    assert all(f"site-{gone}-" in one.key or any(one.key.endswith(cidr) for cidr in mine) for one in went)
    assert {vpn for vpn in before.vpns if vpn.site != gone} == set(after.vpns)
    assert {rule for rule in rules_of(before) if rule.cidr not in mine} == set(rules_of(after))


def test_every_site_has_its_way_in_the_tables_of_a_transit_gateway() -> None:
    sites = {
        "spoken": {"remoteNodeCidrs": ["10.1.0.0/24"], "vpn": {"address": "52.1.2.3", "static": False}},
        "static": {"remoteNodeCidrs": ["10.2.0.0/24"], "vpn": {"address": "52.1.2.4"}},
        "direct": {"remoteNodeCidrs": ["10.3.0.0/24"]},
    }
    attachment = "tgw-attach-0123456789abcdef0"
    plan = network_plan(asked(sites, gateway={**TGW, "siteAttachment": attachment}))
    assert [(one.cidr, one.site, one.attachment) for one in plan.transit_routes] == [
        ("10.3.0.0/24", "direct", attachment),
        ("10.2.0.0/24", "static", ""),
    ]
    assert plan_findings(plan) == []
    missing = said(asked(sites, gateway=TGW))
    assert len(missing) == 1 and missing[0].startswith(
        "warning site.network.gateway.routeTable: gets no route to the site direct"
    )


def test_the_private_path_has_what_the_table_calls_required() -> None:
    for provider, own in (("ssm", {"ssm", "ssmmessages"}), ("iamRolesAnywhere", {"rolesanywhere"})):
        plan = network_plan(asked(privatePath=True, credentialProvider=provider))
        assert plan.private_path is not None
        assert set(plan.private_path.services) == {"eks", "ecr.api", "ecr.dkr", "s3", "sts", "logs", *own}
        facts = planned_facts(asked(privatePath=True, credentialProvider=provider))
        required = {
            row.private_service
            for row in endpoint_table(EndpointQuery(facts))
            if row.required == "required" and row.private_service and f".{facts.region}." in row.private_service
        }
        assert required <= set(facts.endpoint_services)
    pods = network_plan(asked(privatePath=True, identity={"role": {"podIdentity": True}}))
    assert pods.private_path is not None and "eks-auth" in pods.private_path.services
    named = network_plan(asked(endpoints={"services": ["oidc-eks", "ecr.api"]}))
    assert named.private_path is not None and named.private_path.services == ("ecr.api", "oidc-eks")
    assert not named.private_path.s3_gateway and network_plan(asked()).private_path is None


def test_protect_is_on_in_production_and_where_it_is_asked_for() -> None:
    assert network_plan(asked(stage="prod")).protect and not network_plan(asked(stage="dev")).protect
    assert network_plan(asked(stage="dev", protect=True)).protect and not network_plan(asked(protect=False)).protect


def test_planned_facts_are_judged_like_any_others() -> None:
    assert not [one for one in network_rules(planned_facts(asked()), {}, "prod") if one.value is not None]
    overlap = planned_facts(asked({"plant-a": {"remoteNodeCidrs": ["10.100.4.0/24"]}}))
    found = [str(one) for one in network_rules(overlap, {}, "prod")]
    assert any("remoteNodeCidrs[0]" in one and "10.100.0.0/16" in one for one in found)


def test_planned_facts_of_a_site_of_its_own() -> None:
    site = asked(site="plant-a", remoteNodeCidrs=["10.200.0.0/24"], remotePodCidrs=["192.168.0.0/16"])
    facts = planned_facts(site)
    assert (facts.remote_node_cidrs, facts.remote_pod_cidrs) == (("10.200.0.0/24",), ("192.168.0.0/16",))
    assert (facts.cluster_name, facts.cluster_endpoint, facts.kubernetes_version) == ("plants", "", "1.31")
    assert NetworkFacts.from_dict(facts.to_dict()) == facts


def test_another_source_is_not_planned() -> None:
    question = asked()
    other = GivenNetwork.model_construct(source="given")
    with pytest.raises(TypeError, match="source given"):
        network_plan(NetworkQuestion(other, question.region, "dev", "o", question.aws))


ONE_ZONE = {**VPC, "subnets": VPC["subnets"][:1]}
FOREIGN = {**VPC, "subnets": [VPC["subnets"][0], {"cidr": "10.100.1.0/24", "zone": "eu-west-1b"}]}
TWICE = {**VPC, "subnets": [VPC["subnets"][0], {"cidr": "10.100.0.128/25", "zone": "eu-central-1b"}]}
SITE: dict[str, Any] = {"remoteNodeCidrs": ["10.200.0.0/24"], "vpn": {"address": "52.1.2.3"}}
OTHER: dict[str, Any] = {"remoteNodeCidrs": ["10.201.0.0/24"], "vpn": {"address": "52.1.2.4"}}


def _vpn(**changes: Any) -> dict[str, Any]:
    return {"plant-a": {**SITE, "vpn": {**SITE["vpn"], **changes}}, "plant-b": OTHER}


# What is wrong, and how the finding begins; each names its place and what to write instead.
WRONG: dict[str, tuple[NetworkQuestion, str]] = {
    "one zone": (asked(vpc=ONE_ZONE), "error site.network.vpc.subnets: lie in one zone"),
    "another region": (asked(vpc=FOREIGN), "error site.network.vpc.subnets: is no zone of the network's region"),
    "overlapping subnets": (asked(vpc=TWICE), "error site.network.vpc.subnets: overlaps the subnet 10.100.0.0/24"),
    "no gateway for a VPN": (asked(_vpn(), gateway=None), "error site.network.gateway: is missing, but there are VPNs"),
    "no gateway": (asked(gateway=None), "warning site.network.gateway: is missing, so no route"),
    "a public ASN": (
        asked(gateway={"kind": "virtualGateway", "asn": 100}),
        "error site.network.gateway.asn: is no private ASN",
    ),
    "the same ASN": (asked(_vpn(asn=64512)), "error site.sites.plant-a.vpn.asn: is also the ASN of the AWS side"),
    "a private device": (asked(_vpn(address="10.0.0.1")), "error site.sites.plant-a.vpn.address: is no public address"),
    "one device twice": (
        asked(_vpn(address="52.1.2.4")),
        "error site.sites.plant-b.vpn.address: is also the VPN device of plant-a",
    ),
    "a wide inside network": (
        asked(_vpn(tunnels=[{"insideCidr": "169.254.8.0/29"}])),
        "error site.sites.plant-a.vpn.tunnels[0].insideCidr: is no inside network",
    ),
    "a reserved inside network": (
        asked(_vpn(tunnels=[{}, {"insideCidr": "169.254.5.0/30"}])),
        "error site.sites.plant-a.vpn.tunnels[1].insideCidr: is no inside network",
    ),
    "an inside network twice": (
        asked(_vpn(tunnels=[{"insideCidr": "169.254.9.0/30"}, {"insideCidr": "169.254.9.0/30"}])),
        "error site.sites.plant-a.vpn.tunnels[1].insideCidr: is also the inside network of",
    ),
    "a static VPN without a table": (
        asked(_vpn(), gateway={"kind": "existing", "id": "tgw-0123456789abcdef0"}),
        "warning site.network.gateway: has no route to the site plant-a",
    ),
    "an existing cluster in a new VPC": (
        asked(cluster={"existing": "old"}),
        "error site.network.cluster.existing: cannot be in a VPC that is still to be made",
    ),
    "an identity of no cluster": (
        asked(cluster=None, identity={}),
        "error site.network.identity: belongs to a cluster",
    ),
    "no remote networks": (asked(site="plant-a"), "error site.network.remoteNodeCidrs: is empty"),
    "an open API server": (
        asked(cluster={**CLUSTER, "endpointMode": "public"}),
        "warning site.network.cluster.publicAccessCidrs: is empty",
    ),
    "access to a private API server": (
        asked(cluster={**CLUSTER, "publicAccessCidrs": ["52.1.2.3/32"]}),
        "warning site.network.cluster.publicAccessCidrs: has no meaning",
    ),
    "many groups": (
        asked(cluster={**CLUSTER, "securityGroups": [f"sg-0000000{number}" for number in range(4)]}),
        "warning site.network.cluster.securityGroups: are more than three",
    ),
}


@pytest.mark.parametrize("what", sorted(WRONG))
def test_what_is_wrong_with_a_plan_is_said_with_place_and_remedy(what: str) -> None:
    question, begins = WRONG[what]
    found = said(question)
    assert any(one.startswith(begins) for one in found), found
    assert all(finding.remedy.endswith(".") for finding in plan_findings(network_plan(question)))


def test_a_good_plan_has_no_finding() -> None:
    assert said(asked(_vpn())) == [] and said(asked(_vpn(static=False), gateway=TGW)) == []


def test_all_findings_come_at_once() -> None:
    found = said(asked(_vpn(address="10.0.0.1", asn=64512), vpc=ONE_ZONE, cluster={"existing": "old"}))
    assert len(found) == 4


@pytest.mark.parametrize(
    ("key", "good"), [("abc.DEF_12", True), ("a" * 64, True), ("0bcdefgh", False), ("a" * 7, False)]
)
def test_pre_shared_keys_are_what_aws_takes(key: str, good: bool) -> None:
    finding = key_finding("site.network.vpn.tunnels[0].presharedKey", key)
    assert (finding is None) == good
    if finding is not None:
        assert key not in str(finding)


def test_plans_are_values() -> None:
    plan = network_plan(asked())
    assert isinstance(plan, NetworkPlan) and plan == network_plan(asked())
