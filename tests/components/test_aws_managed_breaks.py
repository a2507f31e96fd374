"""Deliberate breaks of what a managed network makes, one line each: every one must be found by its rules."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.components.forked import Judge
from tests.components.harness import ROOT

CLUSTER, GATEWAY, PRIVATE = "components/aws/cluster.py", "components/aws/gateway.py", "components/aws/private_path.py"
VPC, VPN, MANAGED = "components/aws/vpc.py", "components/aws/vpn.py", "components/aws/managed.py"
# What is broken: the file, the line as it is, and the line as a hurried person would leave it.
BREAKS = {
    "a key beside the connection": (
        VPN,
        '{"site": vpn.site}',
        '{"site": vpn.site, "key": Output.unsecret(secrets.get("keyA1"))}',
    ),
    "the second key": (VPN, '[f"tunnel{number}_preshared_key"]', '["tunnel1_preshared_key"]'),
    "static routes of a VPN": (VPN, "static_routes_only=vpn.static", "static_routes_only=None"),
    "the kind of gateway": (VPN, '{"transit_gateway_id": gateway_id} if transit', '{"transit_gateway_id": gateway_id} if not transit'),
    "a large ASN": (VPN, "bgp_asn=str(vpn.asn) if small else None", "bgp_asn=str(vpn.asn)"),
    "a route before its gateway": (GATEWAY, ", depends_on=list(self.ready))", ")"),
    "the target of a route": (GATEWAY, 'else {"gateway_id": self.gateway_id}', "else {}"),
    "protection of the gateway": (GATEWAY, "protect=self._making.plan.protect", "protect=False"),
    "names in the VPC": (VPC, "enable_dns_hostnames=True", "enable_dns_hostnames=False"),
    "a subnet before its block": (VPC, ", depends_on=inside)", ")"),
    "protection of the VPC": (VPC, ", protect=making.plan.protect)", ")"),
    "tags of subnets": (VPC, "            tags=making.tags(plan.key),\n", ""),
    "private names": (PRIVATE, "private_dns_enabled=True", "private_dns_enabled=False"),
    "S3 before its gateway": (PRIVATE, "after = [s3_gateway]", "after = []"),
    "who S3 answers": (PRIVATE, "resolver_endpoint=True", "resolver_endpoint=False"),
    "the group of endpoints": (PRIVATE, "security_group_ids=[group],\n            region=making.plan.region,\n            tags=making.tags(key)", "region=making.plan.region,\n            tags=making.tags(key)"),
    "the direction of the resolver": (PRIVATE, 'direction="INBOUND"', 'direction="INWARDS"'),
    "one address of the resolver": (PRIVATE, "in chosen[:_MOST]]", "in chosen[:1]]"),
    "the role's policy": (CLUSTER, "depends_on=list(self.made)", "depends_on=[]"),
    "protection of the cluster": (CLUSTER, "protect=making.plan.protect,\n                ignore", "ignore"),
    "what is ignored": (CLUSTER, "ignore_changes=_ONLY_AT_FIRST", 'ignore_changes=["remoteNetworkConfig"]'),
    "a network of pods": (CLUSTER, "remote_pod_networks=of_pods", "remote_pod_networks=None"),
    "the endpoint mode": (CLUSTER, 'endpoint_public_access=plan.endpoint_mode == "public"', "endpoint_public_access=True"),
    "the authentication mode": (CLUSTER, "authentication_mode=plan.auth_mode", 'authentication_mode="CONFIG_MAP"'),
    "the cluster's own group": (CLUSTER, "[group, *plan.security_groups]", "[*plan.security_groups]"),
    "the service network": (CLUSTER, ', service_ipv4_cidr=plan.service_cidr', ""),
    "the interfaces": (CLUSTER, "for one in sorted(ids)", "for one in sorted(ids)[:1]"),
    "whose interfaces": (CLUSTER, 'f"Amazon EKS {self._plan.name}"', '"Amazon EKS*"'),
    "the type of logs": (CLUSTER, "list(plan.log_types)", '["all"]'),
    "rules inside of a group": (MANAGED, "description=_PURPOSE[role],", "description=_PURPOSE[role], ingress=[],"),
    "what is waited for": (MANAGED, "self.resources += vpns[one.site].made", "pass"),
    "the outbound direction": ("components/aws/security_rules.py", 'if rule.direction == "in"', 'if rule.direction != "in"'),
    "the port of a rule": ("components/aws/security_rules.py", "to_port=rule.port", "to_port=65536 * 65536"),
    "a region": ("components/aws/security_rules.py", "region=region,", "region=None,"),
    "names by an index": ("edge/aws/plan_parts.py", 'else f"route-{self.cidr}"', 'else "route-1"'),
    "a component that waits": (MANAGED, "_vpc, self._child)\n        self.resources += gateway.made", "_vpc, ResourceOptions(parent=self, depends_on=self.resources[:1]))\n        self.resources += gateway.made"),
    "an endpoint of a VPN in the facts": (MANAGED, "for pair in all_ for end in pair", "for pair in all_ for end in pair[:1]"),
}  # fmt: skip

# The SDK's modules load when their classes are named.
LIBRARIES = """import pulumi_aws as aws
aws.ec2.Vpc, aws.ec2transitgateway.Route, aws.eks.Cluster, aws.iam.Role, aws.route53.ResolverEndpoint, aws.vpc.SecurityGroupEgressRule
"""
JUDGE = """
def judge():
    from tests.components.managed_rules import problems
    from tests.components.managed_samples import TRANSIT, made, network, question
    found = []
    for raw in (network(), network(gateway=TRANSIT, privatePath=False)):
        asked = question(raw)
        found += problems(made(asked), asked)
    return found
"""


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    folder = tmp_path_factory.mktemp("broken")
    for name in ("components", "edge", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "golden", "lab", "engine")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    with Judge(folder, LIBRARIES, JUDGE) as one:
        yield one


def test_the_unbroken_copy_keeps_every_rule(judge: Judge) -> None:
    assert judge.problems() == []


@pytest.mark.row("C2", "C4")
@pytest.mark.parametrize("what", sorted(BREAKS))
def test_a_deliberate_break_is_found(judge: Judge, what: str) -> None:
    file, old, new = BREAKS[what]
    path = judge.folder / file
    source = path.read_text("utf-8")
    assert source.count(old) == 1, f"{file} has {source.count(old)} places of {old!r}: write the break again"
    path.write_text(source.replace(old, new), "utf-8")
    try:
        assert judge.problems(), f"nothing noticed that {what} was broken"
    finally:
        path.write_text(source, "utf-8")
