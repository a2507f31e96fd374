"""The rules for security groups: who gets in to the API server, and how the control plane gets out to kubelets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network

from edge.aws.rules_model import Case, Hint, Judge, Red, Said, Seen, Skip, blocks, shown
from edge.aws.view import Direction, RuleView
from edge.cidr import uncovered
from edge.endpoints.site import KUBELET
from edge.settings.network import ManagedNetwork

API = 443
COMMON_WEBHOOKS = (443, 8443, 9443)


def lacking(
    rules: Sequence[RuleView], protocol: str, port: int, wanted: Sequence[IPv4Network]
) -> tuple[list[IPv4Network], str]:
    """Return the parts of `wanted` that no rule lets through, and a prefix list of unknown content that may hold them."""
    fitting = [rule for rule in rules if rule.covers(protocol, port)]
    covers = blocks(tuple(rule.peer for rule in fitting))
    missing = [part for network in wanted for part in uncovered(network, covers)]
    unknown = next((rule.peer for rule in fitting if rule.peer.startswith("pl-")), "")
    return missing, unknown


def add_rule(case: Case, group: str, direction: Direction, protocol: str, port: int, network: object) -> str:
    """Return the command that adds a rule to a security group."""
    verb = "ingress" if direction == "in" else "egress"
    permission = f"IpProtocol={protocol},FromPort={port},ToPort={port},IpRanges=[{{CidrIp={network}}}]"
    return case.command(f'ec2 authorize-security-group-{verb} --group-id {group} --ip-permissions "{permission}"')


def main_group(case: Case) -> str:
    """Return the security group that a remedy names: the first one that EKS did not make, else the cluster's own."""
    cluster = case.view.cluster
    others = [one for one in cluster.security_groups if one != cluster.cluster_group]
    return (others or [cluster.cluster_group])[0]


def missing_rule(
    case: Case,
    groups: Sequence[str],
    to: str,
    direction: Direction,
    protocol: str,
    port: int,
    wanted: Sequence[IPv4Network],
    who: str,
    kind: type[Red] = Red,
) -> Iterator[Red]:
    """Yield a finding when the groups together do not let all of `wanted` through; `to` is the group to correct."""
    missing, unknown = lacking(case.rules(tuple(groups), direction), protocol, port, wanted)
    if not missing:
        return
    shape = f"{protocol} {port}"
    way = f"let {shape} in from" if direction == "in" else f"let {shape} out to"
    if unknown:
        look = case.command(f"ec2 get-managed-prefix-list-entries --prefix-list-id {unknown}")
        problem = f"{_do(groups)} not {way} {who} {shown(missing)}, unless {unknown} holds it"
        yield Hint(shown(groups), problem, f"Look what is in it: {look}", unknown)
        return
    more = "" if len(missing) == 1 else f", and so for {shown(missing[1:])}"
    remedy = f"Add the rule: {add_rule(case, to, direction, protocol, port, missing[0])}{more}"
    yield kind(shown(groups), f"{_do(groups)} not {way} {who} {shown(missing)}", remedy)


def _do(groups: Sequence[str]) -> str:
    return "does" if len(groups) == 1 else "do"


def inbound(case: Case) -> Iterator[Said]:
    """Judge whether hosts and pods get in to the API server."""
    groups = case.view.cluster.security_groups
    if not case.remote:
        yield Skip("the cluster has no remote networks")
        return
    to = main_group(case)
    yield from missing_rule(case, groups, to, "in", "tcp", API, case.nodes, "the hosts in")
    yield from missing_rule(case, groups, to, "in", "tcp", API, case.pods, "the pods in", Hint)
    yield Seen(f"{shown(groups)}: tcp {API} in from {shown(case.remote)}")


def outbound(case: Case) -> Iterator[Said]:
    """Judge whether the control plane gets out to kubelets, and to webhooks on the hosts."""
    groups = case.view.cluster.security_groups
    if not case.nodes:
        yield Skip("the cluster has no remote node network")
        return
    missing, unknown = lacking(case.rules(groups, "out"), "tcp", KUBELET, case.nodes)
    wrong_way = _filed_as_inbound(case)
    if missing and wrong_way is not None and not unknown:
        add = add_rule(case, wrong_way.group, "out", "tcp", KUBELET, missing[0])
        problem = (
            f"lets tcp {KUBELET} in from {wrong_way.peer}, but not out: the control plane opens this connection to the"
            " kubelets, so the rule was filed in the wrong direction, and logs and exec time out"
        )
        yield Red(wrong_way.group, problem, f"Add it as an outbound rule: {add}", shown(missing))
    else:
        yield from missing_rule(case, groups, main_group(case), "out", "tcp", KUBELET, case.nodes, "the kubelets in")
    yield from _webhooks(case)
    yield Seen(f"{shown(groups)}: tcp {KUBELET} out to {shown(case.nodes)}")


def _filed_as_inbound(case: Case) -> RuleView | None:
    """Return an inbound rule that was made for kubelets, which are never reached that way."""
    rules = case.rules(case.view.cluster.security_groups, "in")
    return next((one for one in rules if one.protocol == "tcp" and one.from_port == one.to_port == KUBELET), None)


def _webhooks(case: Case) -> Iterator[Red]:
    """Webhooks on hosts are the site's choice: ports that the settings name, else the common ones; a warning only."""
    network = case.question.network
    named = network.webhook_ports if isinstance(network, ManagedNetwork) else ()
    groups = case.view.cluster.security_groups
    rules = case.rules(groups, "out")
    ports = [port for port in named or COMMON_WEBHOOKS if lacking(rules, "tcp", port, case.pods)[0]]
    if ports:
        problem = (
            f"{_do(groups)} not let tcp {shown(ports)} out to the pods in {shown(case.pods)}, where webhooks may run"
        )
        add = add_rule(case, main_group(case), "out", "tcp", ports[0], case.pods[0])
        yield Hint(shown(groups), problem, f"Nothing, without webhooks on the hosts; else add the rules: {add}")


JUDGES: dict[str, Judge] = {
    "aws.securitygroups.in": inbound,
    "aws.securitygroups.out": outbound,
}
