"""`source: lookup`: the facts of a cluster that exists, the same at every look-up, and what a cluster is refused for."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from edge.aws.access import AwsAccess
from edge.aws.lookup import Looked, addresses, blocks, endpoint_mode, endpoint_services, facts_of, look_up
from edge.aws.view import AwsView, ClusterView, EndpointView, VpcView
from edge.errors import AwsError, SettingsError
from edge.network import NetworkFacts
from edge.network_question import NetworkQuestion
from edge.settings.network import GivenNetwork, LookupNetwork, ManagedNetwork, Network
from tests.unit.aws_world import (
    ACCOUNT,
    DENIED,
    NAME,
    OWNER,
    REGION,
    ROLE,
    ROLE_ARN,
    Account,
    account,
    built,
    entry,
)
from tests.unit.network_samples import CA

__all__ = ["built"]  # a fixture
OTHER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/old/Hosts"


def looked_up(**over: Any) -> LookupNetwork:
    """Return the settings of a look-up."""
    return LookupNetwork.model_validate({"source": "lookup", "cluster": NAME, **over})


def managed(**over: Any) -> ManagedNetwork:
    """Return the settings of a stack that makes the AWS side around a cluster of another tool."""
    vpc = {"id": "vpc-0123456789abcdef0", "cidrs": ["10.100.0.0/16"], "routeTableIds": ["rtb-0123456789abcdef0"]}
    vpc["subnetIds"] = {"subnet-0123456789abcdef0": "10.100.0.0/24"}  # type: ignore[assignment]
    return ManagedNetwork.model_validate({"source": "managed", "vpc": vpc, "cluster": {"existing": NAME}, **over})


def question(network: Network | None = None) -> NetworkQuestion:
    """Return the question of a site's stack."""
    return NetworkQuestion(network or looked_up(), REGION, "prod", OWNER, AwsAccess(REGION), site="plant-12")


def look(made: Account, network: Network | None = None) -> Looked:
    """Return what a look-up finds."""
    return look_up(question(network), made)


def changed(made: Account, change: Callable[[dict[str, Any]], None]) -> Account:
    """Change what EKS says of the cluster, behind everything else."""
    plain = made.changes["eks:DescribeCluster"]

    def both(parsed: dict[str, Any]) -> None:
        plain(parsed)
        change(parsed["cluster"])

    made.changes["eks:DescribeCluster"] = both
    return made


def refusal(made: Account, network: Network | None = None) -> str:
    """Return why a look-up ends."""
    with pytest.raises(AwsError) as caught:
        look(made, network)
    return str(caught.value)


@pytest.mark.row("C2", "A6")
def test_the_facts_of_a_cluster(built: Account) -> None:
    made = account(built)
    looked = look(made)
    assert looked.facts == NetworkFacts(
        region="eu-central-1",
        partition="aws",
        cluster_name="plants-prod",
        cluster_endpoint=looked.view.cluster.endpoint,
        cluster_ca=CA,
        endpoint_mode="private",
        auth_mode="API_AND_CONFIG_MAP",
        vpc_cidrs=("10.100.0.0/16", "10.101.0.0/16"),
        eni_subnets=("10.100.0.0/24", "10.100.1.0/24"),
        eni_addresses=("10.100.0.12", "10.100.1.12"),
        security_groups=tuple(sorted((made.groups["cluster"], made.groups["extra"]))),
        service_cidr="172.20.0.0/16",
        remote_node_cidrs=("10.200.0.0/16",),
        remote_pod_cidrs=("192.168.0.0/16",),
        credential_provider="ssm",
        private_path=False,
        inbound_resolvers=("10.100.0.53", "10.100.1.53"),
        kubernetes_version="1.31",
        account_id="123456789012",
        vpc_id=made.vpc,
        hybrid_role_arn=ROLE_ARN,
        endpoint_services=("com.amazonaws.eu-central-1.ecr.api", "com.amazonaws.eu-central-1.ssm"),
        tunnel_addresses=("198.51.100.1", "198.51.100.2"),
    )
    assert looked.facts.cluster_arn == looked.view.cluster.arn
    assert not looked.facts.cluster_endpoint.endswith("/")
    assert NetworkFacts.from_dict(looked.facts.to_dict()) == looked.facts


@pytest.mark.row("C2")
def test_two_look_ups_are_equal_in_whatever_order_aws_answers(built: Account) -> None:
    made = account(built, entries=[entry(ROLE_ARN), entry(f"arn:aws:iam::{ACCOUNT}:role/admin", "STANDARD")])
    changed(made, lambda cluster: cluster["remoteNetworkConfig"]["remoteNodeNetworks"][0].update(cidrs=CIDRS.copy()))
    first = look(made)
    assert first.facts.remote_node_cidrs == ("9.0.0.0/8", "10.30.0.0/16", "10.200.0.0/16")
    mix = random.Random(12)
    for change in list(made.changes):
        made.changes[change] = _then_shuffled(made.changes[change], mix)
    for action in {*made.actions} - {*made.changes}:
        made.changes[action] = _then_shuffled(lambda parsed: None, mix)
    for _ in range(3):
        assert look(made) == first


CIDRS = ["10.200.0.0/16", "9.0.0.0/8", "10.30.0.0/16"]


def _then_shuffled(change: Callable[[dict[str, Any]], None], mix: random.Random) -> Callable[[dict[str, Any]], None]:
    def shuffle(value: Any) -> None:
        if isinstance(value, dict):
            for one in value.values():
                shuffle(one)
        if isinstance(value, list):
            mix.shuffle(value)
            for one in value:
                shuffle(one)

    def both(parsed: dict[str, Any]) -> None:
        change(parsed)
        # The order of the statements of a policy is its author's, and stays.
        shuffle({key: value for key, value in parsed.items() if key not in ("PolicyDocument", "PolicyVersion", "Role")})

    return both


@pytest.mark.row("C2")
def test_what_the_settings_write_of_the_site_wins(built: Account) -> None:
    made = account(built)
    anchor = f"arn:aws:rolesanywhere:{REGION}:{ACCOUNT}:trust-anchor/a"
    profile = f"arn:aws:rolesanywhere:{REGION}:{ACCOUNT}:profile/p"
    written = looked_up(
        inboundResolvers=["10.9.0.2"],
        privatePath=True,
        credentialProvider="iamRolesAnywhere",
        trustAnchorArn=anchor,
        profileArn=profile,
    )
    facts = look(made, written).facts
    assert facts.inbound_resolvers == ("10.9.0.2",)
    assert (facts.private_path, facts.credential_provider) == (True, "iamRolesAnywhere")
    assert (facts.trust_anchor_arn, facts.profile_arn) == (anchor, profile)
    assert look(made, looked_up(inboundResolvers=[])).facts.inbound_resolvers == ()


def test_the_region_of_the_question_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[AwsAccess] = []

    def no_clients(access: AwsAccess) -> None:
        asked.append(access)
        raise AwsError("enough")

    monkeypatch.setattr("edge.aws.lookup.BotocoreClients", no_clients)
    with pytest.raises(AwsError, match="enough"):
        look_up(replace(question(), aws=AwsAccess("us-east-1", profile="plants")))
    assert asked == [AwsAccess(REGION, profile="plants")]


@pytest.mark.row("C2")
def test_a_cluster_in_the_middle_of_a_managed_network(built: Account) -> None:
    looked = look(account(built), managed(privatePath=True))
    assert looked.facts.cluster_name == NAME
    assert looked.facts.private_path
    assert looked.facts.hybrid_role_arn == ROLE_ARN


def test_another_source_has_nothing_to_look_up(built: Account) -> None:
    given = GivenNetwork.model_construct(source="given")
    with pytest.raises(SettingsError, match=r"site.network: names no cluster that could be read \(got 'given'\)"):
        look(account(built), given)
    with pytest.raises(SettingsError, match="names no cluster"):
        look(account(built), managed(cluster=None))


ADD = (
    "dd them with `aws eks update-cluster-config --name plants-prod --region eu-central-1 --remote-network-config ...`, in"
    " the stack that owns the cluster, or name another one as"
)
AT = "EKS cluster plants-prod in eu-central-1: "
UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "no remote networks": (
        {"remoteNetworkConfig": {}},
        f"{AT}has no remote node networks. Remedy: A{ADD} `site.network.cluster`.",
    ),
    "only remote pods": (
        {"remoteNetworkConfig": {"remotePodNetworks": [{"cidrs": ["192.168.0.0/16"]}]}},
        f"{AT}has no remote node networks. Remedy: A{ADD} `site.network.cluster`.",
    ),
    "failed": (
        {"status": "FAILED"},
        f"{AT}is FAILED, not ACTIVE. Remedy: Look at the cluster in the EKS console, and repair it or name another one.",
    ),
    "IPv6": (
        {"kubernetesNetworkConfig": {"ipFamily": "ipv6"}, "remoteNetworkConfig": {}},
        f"{AT}has addresses of family ipv6, hybrid nodes need ipv4. Remedy: Make a cluster of family ipv4 and name it as"
        " `site.network.cluster`; the family of a cluster cannot be changed.",
    ),
    "two things at once": (
        {"status": "CREATING", "remoteNetworkConfig": {}},
        f"{AT}is CREATING, not ACTIVE; has no remote node networks. Remedy: Wait for it (`aws eks wait cluster-active --name"
        f" plants-prod`) and run the same command again; a{ADD} `site.network.cluster`.",
    ),
}


@pytest.mark.row("C2")
@pytest.mark.parametrize(("over", "want"), UNFIT.values(), ids=list(UNFIT))
def test_a_cluster_that_can_have_no_hybrid_nodes(built: Account, over: dict[str, Any], want: str) -> None:
    made = changed(account(built), lambda cluster: cluster.update(over))
    assert refusal(made) == want
    assert set(made.actions) == {"eks:DescribeCluster"}, "nothing else is read of such a cluster"
    assert look(account(built)).facts.cluster_name == NAME


def test_a_cluster_that_is_being_updated_works_meanwhile(built: Account) -> None:
    made = changed(account(built), lambda cluster: cluster.update(status="UPDATING"))
    assert look(made).view.cluster.status == "UPDATING"


@pytest.mark.row("A6", "C2")
def test_a_resolver_that_nobody_declared_makes_no_name_private(built: Account) -> None:
    """With both endpoints on, the name is private only where the site's DNS forwards it, which AWS cannot know."""
    both = {"endpointPublicAccess": True, "endpointPrivateAccess": True}
    made = changed(account(built), lambda cluster: cluster["resourcesVpcConfig"].update(both))
    found = look(made)
    assert found.view.resolvers
    assert (found.facts.endpoint_mode, found.facts.inbound_resolvers) == ("publicAndPrivate", ())
    declared = look(made, looked_up(inboundResolvers=["10.100.0.53", "10.100.1.53"]))
    assert declared.facts.inbound_resolvers == ("10.100.0.53", "10.100.1.53")


def test_the_setting_of_a_managed_network_is_named(built: Account) -> None:
    made = changed(account(built), lambda cluster: cluster.update(remoteNetworkConfig={}))
    assert refusal(made, managed()).endswith("as `site.network.cluster.existing`.")


@pytest.mark.row("C2")
def test_several_hybrid_roles_and_none_named(built: Account) -> None:
    made = account(built, entries=[entry(ROLE_ARN), entry(OTHER_ROLE)])
    assert refusal(made) == (
        f"{AT}has HYBRID_LINUX access entries of 2 roles: AmazonEKSHybridNodesRole, Hosts. Remedy: Write which of them this"
        " stack's hosts have as `site.network.hybridRole`."
    )
    assert refusal(made, managed()).endswith("as `site.network.identity.role.arn`.")
    looked = look(made, looked_up(hybridRole=ROLE))
    assert (looked.facts.hybrid_role_arn, [one.principal for one in looked.view.entries]) == (ROLE_ARN, [ROLE_ARN])
    assert look(made, managed(identity={"role": {"arn": ROLE_ARN}})).facts.hybrid_role_arn == ROLE_ARN


def test_a_role_that_the_stack_makes_need_not_be_there(built: Account) -> None:
    made = account(built, entries=[])
    new = look(made, looked_up(identity={"role": {"name": "plants/hosts"}}))
    assert (new.view.role, new.facts.hybrid_role_arn) == (None, "")
    assert look(made, managed(identity={})).facts.hybrid_role_arn == ROLE_ARN  # of the name that it would have
    assert "there is no role hosts" in refusal(made, looked_up(hybridRole="hosts"))


def test_no_hybrid_role_at_all_is_not_the_end(built: Account) -> None:
    looked = look(account(built, entries=[entry(f"arn:aws:iam::{ACCOUNT}:role/admin", "STANDARD")]))
    assert (looked.view.role, looked.facts.hybrid_role_arn) == (None, "")


def test_a_role_that_may_not_be_read_is_known_by_its_entry(built: Account) -> None:
    looked = look(account(built, denied={"iam:GetRole"}))
    assert (looked.view.role, looked.view.denied, looked.facts.hybrid_role_arn) == (None, ("iam:GetRole",), ROLE_ARN)
    blind = look(account(built, denied={"iam:GetRole", "eks:ListAccessEntries"}), looked_up(hybridRole=ROLE))
    assert blind.facts.hybrid_role_arn == ""  # a name may lack its path: no ARN is made up


@pytest.mark.row("C2")
def test_missing_rights_end_a_look_up_before_anything_else(built: Account) -> None:
    made = account(built, denied={"eks:DescribeCluster"})
    assert DENIED.format("eks:DescribeCluster").startswith("User: arn:aws:iam::123456789012:user/ci ")
    assert refusal(made) == (
        "AWS eks:DescribeCluster in eu-central-1: arn:aws:iam::123456789012:user/ci may not do eks:DescribeCluster on *."
        " Remedy: Allow eks:DescribeCluster on *; `python -m edge.aws.permissions` prints a policy with everything that is"
        " read."
    )
    assert made.actions == ["eks:DescribeCluster"]
    made.denied = set()
    assert look(made).view.denied == ()


CLUSTER = ClusterView(
    name=NAME,
    arn=f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{NAME}",
    status="ACTIVE",
    version="1.31",
    endpoint="https://example",
    ca="",
    public=False,
    private=True,
    public_cidrs=(),
    auth_mode="API",
    ip_family="ipv4",
    service_cidr="172.20.0.0/16",
    remote_node_cidrs=("10.200.0.0/16",),
    remote_pod_cidrs=(),
    vpc_id="vpc-1",
    subnet_ids=(),
    security_groups=(),
    cluster_group="",
)


@pytest.mark.parametrize(
    ("public", "private", "mode"),
    [(True, False, "public"), (False, True, "private"), (True, True, "publicAndPrivate")],
)
def test_endpoint_modes(public: bool, private: bool, mode: str) -> None:
    assert endpoint_mode(replace(CLUSTER, public=public, private=private)) == mode


def endpoint(service: str, kind: str = "Interface", state: str = "available", private_dns: bool = True) -> EndpointView:
    """Return a VPC endpoint."""
    return EndpointView(f"vpce-{service}", service, kind, state, private_dns, (), ())


def view(region: str, *endpoints: EndpointView) -> AwsView:
    """Return a view with these endpoints."""
    vpc = VpcView("vpc-1", ("10.0.0.0/16",), dns_support=True, dns_hostnames=True)
    return AwsView(ACCOUNT, region, CLUSTER, vpc, endpoints=endpoints)


def test_services_that_answer_in_the_vpc() -> None:
    here = view(
        REGION,
        endpoint(f"com.amazonaws.{REGION}.ssm"),
        endpoint(f"com.amazonaws.{REGION}.s3", "Gateway"),
        endpoint(f"com.amazonaws.{REGION}.eks", state="pending"),
        endpoint(f"com.amazonaws.{REGION}.sts", private_dns=False),
        endpoint(f"com.amazonaws.vpce.{REGION}.vpce-svc-1"),
    )
    assert endpoint_services(here) == (f"com.amazonaws.{REGION}.ssm",)
    china = view("cn-north-1", endpoint("cn.com.amazonaws.cn-north-1.ecr.api"), endpoint("com.amazonaws.cn-north-1.s3"))
    assert endpoint_services(china) == ("com.amazonaws.cn-north-1.ecr.api", "com.amazonaws.cn-north-1.s3")
    assert facts_of(china, looked_up()).partition == "aws-cn"


def test_order_is_that_of_the_numbers() -> None:
    assert addresses(["10.0.0.10", "10.0.0.9", "10.0.0.10"]) == ("10.0.0.9", "10.0.0.10")
    assert blocks(["10.10.0.0/16", "10.9.0.0/16", "9.0.0.0/8", "10.9.0.0/24"]) == (
        "9.0.0.0/8",
        "10.9.0.0/16",
        "10.9.0.0/24",
        "10.10.0.0/16",
    )
