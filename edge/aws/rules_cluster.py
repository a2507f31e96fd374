"""The rules for the cluster itself: state, version, modes, and its networks."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import combinations

from edge.aws.rules_model import Case, Hint, Judge, Red, Said, Seen, Skip, blocks, shown
from edge.cidr import MAX_CIDRS, uncovered
from edge.cluster_rules import version_findings
from edge.settings.network import ManagedNetwork

_WORLD = "0.0.0.0/0"


def access(case: Case) -> Iterator[Said]:
    """Judge what the reader may read."""
    yield Seen(f"account {case.view.account}, {case.view.region}, {case.cluster}")
    for action in case.view.denied:
        problem = "is not allowed to these credentials, so what depends on it is not judged"
        yield Hint(action, problem, f"Allow {action} to whoever runs this program")


def cluster(case: Case) -> Iterator[Said]:
    """Judge the state of the cluster."""
    status = case.view.cluster.status
    if status == "ACTIVE":
        yield Seen(f"{case.cluster}, version {case.view.cluster.version}")
    elif status in ("UPDATING", "CREATING", "PENDING"):
        wait = case.command(f"eks wait cluster-active --name {case.view.cluster.name}")
        found = Hint if status == "UPDATING" else Red
        yield found(case.cluster, "is not active yet, and its interfaces may still change", f"Wait: {wait}", status)
    else:
        look = case.command(f"eks describe-cluster --name {case.view.cluster.name}")
        yield Red(case.cluster, "is not active", f"See what EKS says about its health: {look}", status)


def family(case: Case) -> Iterator[Said]:
    """Judge the address family."""
    found = case.view.cluster.ip_family
    if found == "ipv4":
        yield Seen(found)
        return
    problem = "has services of another address family than IPv4, which hybrid nodes do not support"
    yield Red(case.cluster, problem, "Use a cluster made with `ipFamily: ipv4`; it cannot be changed later", found)


def kubernetes(case: Case) -> Iterator[Said]:
    """Judge the version against what is known to work, and against the kubelet of the release."""
    version = case.view.cluster.version
    yield Seen(f"cluster {version}, kubelet {case.question.kubernetes or 'of the sites'}")
    for found in version_findings(case.facts, case.question.kubernetes):
        kind = Red if found.level == "error" else Hint
        yield kind(case.cluster, found.problem, found.remedy, found.value)


def authmode(case: Case) -> Iterator[Said]:
    """Judge the authentication mode."""
    mode = case.view.cluster.auth_mode
    if mode == "API_AND_CONFIG_MAP":
        yield Seen(mode)
        return
    change = case.update("--access-config authenticationMode=API_AND_CONFIG_MAP")
    if mode == "API":
        problem = "has no aws-auth ConfigMap, through which Palette maps the hybrid role"
        yield Hint(case.cluster, problem, "Make sure that the role has a HYBRID_LINUX access entry", mode)
        return
    problem = "has an authentication mode that EKS refuses for a cluster with remote networks"
    yield Red(case.cluster, problem, f"Change it, which cannot be taken back: {change}", mode)


def endpointmode(case: Case) -> Iterator[Said]:
    """Judge which endpoints of the API server are on."""
    found = case.view.cluster
    if found.public and found.private:
        yield _both(case)
    elif not found.public and not found.private:
        on = case.update("--resources-vpc-config endpointPrivateAccess=true")
        yield Red(case.cluster, "has no endpoint of its API server turned on", f"Turn one on: {on}")
    elif found.public and case.facts.private_path:
        problem = "has a public API server only, but the site says `privatePath: true`"
        yield Hint(case.cluster, problem, "Use the private endpoint, or make sure that a proxy reaches the public one")
    else:
        yield Seen("public" if found.public else "private")


def _both(case: Case) -> Red:
    off = case.update("--resources-vpc-config endpointPublicAccess=false,endpointPrivateAccess=true")
    if case.view.resolvers or case.facts.inbound_resolvers:
        problem = "has both endpoints on: the name is public unless the site forwards it to the inbound resolver"
        remedy = f"Make sure that the site's DNS servers forward it, or turn the public endpoint off: {off}"
        return Hint(case.cluster, problem, remedy, "publicAndPrivate")
    problem = (
        "has both endpoints on, which gives hosts public addresses of the API server: a join hangs behind a firewall"
    )
    remedy = f"Turn the public one off: {off}; or make an inbound resolver and forward the name to it"
    return Red(case.cluster, problem, remedy, "publicAndPrivate")


def publiccidrs(case: Case) -> Iterator[Said]:
    """Judge who may reach a public API server. The site's public addresses are not known here."""
    found = case.view.cluster
    if not found.public:
        yield Skip("the API server is not public")
        return
    if _WORLD in found.public_cidrs or not found.public_cidrs:
        only = case.update("--resources-vpc-config publicAccessCidrs=ADDRESS/32")
        problem = "has an API server that answers the whole world"
        yield Red(case.cluster, problem, f"Allow the public addresses of the sites only: {only}", _WORLD)
        return
    yield Seen(f"from {shown(found.public_cidrs)}; the sites' public addresses must be among them")


def remotenetworks(case: Case) -> Iterator[Said]:
    """Judge the remote networks: there, not too many, holding the sites'."""
    found = case.view.cluster
    change = _change(case)
    if not found.remote_node_cidrs:
        problem = "has no remote node network, so it accepts no hybrid node"
        yield Red(case.cluster, problem, f"Write the networks of all its sites: {change}")
        return
    if not found.remote_pod_cidrs:
        problem = "has no remote pod network, so webhooks, metrics and cloud pods do not reach pods on the hosts"
        yield Hint(case.cluster, problem, f"Write Cilium's pool of all its sites: {change}")
    for what, cidrs in (("node", found.remote_node_cidrs), ("pod", found.remote_pod_cidrs)):
        if len(cidrs) > MAX_CIDRS:
            problem = f"would have {len(cidrs)} remote {what} networks, but EKS takes at most {MAX_CIDRS}"
            yield Red(case.cluster, problem, "Join neighbouring blocks into larger ones", len(cidrs))
    for where, what, network in _wanted(case):
        missing = uncovered(network, case.nodes if what == "node" else case.pods)
        if missing:
            problem = f"does not have {shown(missing)} of {where} among its remote {what} networks"
            there = found.remote_node_cidrs if what == "node" else found.remote_pod_cidrs
            yield Red(case.cluster, problem, f"Add it; the lists are replaced whole: {change}", shown(there))
    yield Seen(f"nodes {shown(found.remote_node_cidrs)}; pods {shown(found.remote_pod_cidrs)}")


def _change(case: Case) -> str:
    """Return the command that writes the remote networks: EKS replaces the lists whole, so it names every block."""
    cluster = case.view.cluster
    there = {"node": case.nodes, "pod": case.pods}
    wanted = [(kind, one) for _, kind, one in _wanted(case) if uncovered(one, there[kind])]
    nodes = [*cluster.remote_node_cidrs, *(str(one) for kind, one in wanted if kind == "node")]
    pods = [*cluster.remote_pod_cidrs, *(str(one) for kind, one in wanted if kind == "pod")]
    lists = (
        f"{name}=[{{cidrs=[{','.join(dict.fromkeys(blocks_)) or placeholder}]}}]"
        for name, blocks_, placeholder in (("remoteNodeNetworks", nodes, "NODES"), ("remotePodNetworks", pods, "PODS"))
    )
    return case.update(f"--remote-network-config {','.join(lists)}")


def _wanted(case: Case) -> Iterator[tuple[str, str, IPv4Network]]:
    """Yield place, kind and block of every remote network that the settings want the cluster to have."""
    network = case.question.network
    owners = [(f"site {name}", one) for name, one in case.question.sites.items()]
    if isinstance(network, ManagedNetwork):
        yield from (("site.network", "node", one) for one in network.remote_node_cidrs)
        yield from (("site.network", "pod", one) for one in network.remote_pod_cidrs)
    for where, one in owners:
        yield from ((where, "node", block) for block in one.remote_node_cidrs)
        yield from ((where, "pod", block) for block in one.remote_pod_cidrs)


def overlap(case: Case) -> Iterator[Said]:
    """Judge every pair of networks that must be apart: remote ones, blocks of the VPC, services."""
    vpc = [(f"block of {case.view.vpc.id}", one) for one in blocks(case.view.vpc.cidrs)]
    service = [("service network", one) for one in blocks((case.view.cluster.service_cidr,))]
    nodes = [("remote node network", one) for one in case.nodes]
    pods = [("remote pod network", one) for one in case.pods]
    remedy = (
        "Choose remote networks that share no address with the others; neither EKS nor a router can tell them apart"
    )
    for kinds in combinations((nodes, pods, service, vpc), 2):
        for what, one in kinds[0]:
            for other_what, other in kinds[1]:
                if one.overlaps(other):
                    yield Red(case.cluster, f"has the {what} {one}, which overlaps the {other_what} {other}", remedy)
    yield Seen(f"{len(nodes) + len(pods)} remote networks, {len(vpc)} blocks of {case.view.vpc.id}, services")


JUDGES: dict[str, Judge] = {
    "aws.access": access,
    "aws.cluster": cluster,
    "aws.family": family,
    "aws.kubernetes": kubernetes,
    "aws.authmode": authmode,
    "aws.endpointmode": endpointmode,
    "aws.publiccidrs": publiccidrs,
    "aws.remotenetworks": remotenetworks,
    "aws.overlap": overlap,
}
