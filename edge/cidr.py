"""The rules for the CIDR blocks of a site: family, range, size, count, overlaps, capacity. Pure functions.

AWS refuses some of these mistakes when a cluster is made, and others never: a pod network that swallows the hosts' own
LAN, or a service network equal to the VPC, shows only as joins that hang.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_network
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from edge.findings import Finding, Level

if TYPE_CHECKING:
    from edge.network import NetworkFacts

MAX_CIDRS = 15
NODE_MASK = 25
NETWORK = "site.network"

_IPV6 = "is IPv6, which EKS Hybrid Nodes do not support"

_PRIVATE = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_CGNAT = IPv4Network("100.64.0.0/10")

Range = Literal["private", "shared", "public"]


@dataclass(frozen=True)
class Block:
    """A valid CIDR block and the YAML path where it stands."""

    where: str
    network: IPv4Network


def range_of(network: IPv4Network) -> Range:
    """Return which range a block lies in, whole: `private` (RFC 1918), `shared` (RFC 6598), else `public`."""
    if any(network.subnet_of(private) for private in _PRIVATE):
        return "private"
    return "shared" if network.subnet_of(_CGNAT) else "public"


def pod_capacity(networks: Iterable[IPv4Network], mask: int = NODE_MASK) -> int:
    """Return how many nodes get a slice of `/mask` out of the pod networks (Cilium's cluster pool)."""
    return sum(2 ** (mask - network.prefixlen) for network in networks if network.prefixlen <= mask)


def overlapping(ones: Sequence[Block], others: Sequence[Block]) -> list[tuple[Block, Block]]:
    """Return every pair, one of each list, that shares an address."""
    return [(one, other) for one in ones for other in others if one.network.overlaps(other.network)]


def uncovered(wanted: IPv4Network, covers: Iterable[IPv4Network]) -> list[IPv4Network]:
    """Return the parts of a block that none of `covers` takes in, as the fewest blocks, sorted."""
    left = [wanted]
    for cover in covers:
        rest: list[IPv4Network] = []
        for part in left:
            if not part.overlaps(cover):
                rest.append(part)
            elif cover.subnet_of(part):
                rest += part.address_exclude(cover)
        left = rest
    return sorted(collapse_addresses(left))


def parse_blocks(name: str, texts: Sequence[str]) -> tuple[list[Block], list[Finding]]:
    """Return the valid IPv4 blocks of the list `site.network.<name>`, and a finding for every other entry."""
    blocks, findings = [], []
    for index, text in enumerate(texts):
        where = f"{NETWORK}.{name}[{index}]"
        parsed = parse_block(where, text)
        if isinstance(parsed, Block):
            blocks.append(parsed)
        else:
            findings.append(parsed)
    return blocks, findings


def parse_block(where: str, text: str) -> Block | Finding:
    """Return the block, or the finding that says why it is none."""
    try:
        parsed = ip_network(text, strict=False)
    except ValueError:
        return Finding(where, text, "is no CIDR block", "Write a block such as 10.200.0.0/16")
    if isinstance(parsed, IPv6Network):
        return Finding(where, text, _IPV6, "Write an IPv4 block")
    if str(parsed) != text:
        return Finding(where, text, "is an address inside a block, not a block", f"Write {parsed}")
    return Block(where, parsed)


def parse_addresses(name: str, texts: Sequence[str]) -> tuple[list[tuple[str, IPv4Address]], list[Finding]]:
    """Return path and address of every valid entry of `site.network.<name>`, and a finding for every other one."""
    addresses, findings = [], []
    for index, text in enumerate(texts):
        where = f"{NETWORK}.{name}[{index}]"
        try:
            parsed = ip_address(text)
        except ValueError:
            findings.append(Finding(where, text, "is no address", "Write an IPv4 address such as 10.100.0.12"))
            continue
        if isinstance(parsed, IPv4Address):
            addresses.append((where, parsed))
        else:
            findings.append(Finding(where, text, _IPV6, "Write an IPv4 address"))
    return addresses, findings


def cidr_findings(facts: NetworkFacts, stage: str, hosts: int, *, judged: bool = False) -> list[Finding]:
    """Return what is wrong with the blocks of a site that has `hosts` hosts.

    `judged`: what AWS itself answered (overlaps, subnets, interfaces, resolvers, what is missing) is judged by the rules
    over that, not here.
    """
    nodes, findings = parse_blocks("remoteNodeCidrs", facts.remote_node_cidrs)
    pods, wrong_pods = parse_blocks("remotePodCidrs", facts.remote_pod_cidrs)
    vpc, wrong_vpc = parse_blocks("vpcCidrs", facts.vpc_cidrs)
    service, wrong_service = _service_block(facts.service_cidr)
    findings += [*wrong_pods, *wrong_vpc, *wrong_service]
    for name, texts, blocks in (
        ("remoteNodeCidrs", facts.remote_node_cidrs, nodes),
        ("remotePodCidrs", facts.remote_pod_cidrs, pods),
    ):
        findings += _remote_list(name, [] if judged else texts, blocks)
    findings += _capacity(pods, hosts)
    if judged:
        return findings
    findings += _presence(facts)
    findings += _service_rules(service)
    findings += _overlaps(nodes, pods, vpc, service)
    findings += _subnet_rules(facts, vpc, stage)
    findings += _resolver_rules(facts, vpc)
    return findings


def _service_block(text: str) -> tuple[list[Block], list[Finding]]:
    if not text:
        return [], []
    parsed = parse_block(f"{NETWORK}.serviceCidr", text)
    return ([parsed], []) if isinstance(parsed, Block) else ([], [parsed])


def _remote_list(name: str, texts: Sequence[str], blocks: Sequence[Block]) -> list[Finding]:
    """Rules for one of the two lists of remote networks: count, range, size, and entries that repeat each other."""
    findings = []
    if len(texts) > MAX_CIDRS:
        findings.append(
            Finding(
                f"{NETWORK}.{name}", len(texts), f"has {len(texts)} blocks, but EKS takes at most {MAX_CIDRS}",
                "Join neighbouring blocks into larger ones",
            )
        )  # fmt: skip
    for block in blocks:
        findings += remote_block_findings(block)
    for one, other in combinations(blocks, 2):
        if one.network.overlaps(other.network):
            problem = f"repeats {other.network} of {other.where}, and counts twice against the limit of {MAX_CIDRS}"
            findings.append(Finding(one.where, str(one.network), problem, "Keep the larger one", "warning"))
    return findings


def remote_block_findings(block: Block) -> list[Finding]:
    """Return what is wrong with one block of a remote network by itself: its range and its size."""
    findings = _range_findings(block)
    if block.network.prefixlen < 8:
        problem = "is larger than /8, the largest that EKS takes"
        findings.append(Finding(block.where, str(block.network), problem, "Write a smaller block"))
    return findings


def _range_findings(block: Block) -> list[Finding]:
    kind = range_of(block.network)
    if kind == "private":
        return []
    if kind == "shared":
        problem = "lies in 100.64.0.0/10, which only newer EKS documentation allows beside RFC 1918"
        remedy = "Prefer a block of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"
        return [Finding(block.where, str(block.network), problem, remedy, "warning")]
    remedy = "Write a block that lies wholly inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"
    return [Finding(block.where, str(block.network), "is not a private block, and EKS takes no other", remedy)]


def _presence(facts: NetworkFacts) -> list[Finding]:
    """Lists that must not be empty."""
    findings = []
    if not facts.remote_node_cidrs:
        problem = "is empty: a cluster without remote node networks accepts no hybrid node"
        findings.append(Finding(f"{NETWORK}.remoteNodeCidrs", None, problem, "Write the networks of the hosts"))
    if not facts.remote_pod_cidrs:
        problem = "is empty, so webhooks, metrics and traffic from cloud pods do not reach pods on the hosts"
        remedy = "Write the pod networks of the cluster, the same as in Cilium's pool"
        findings.append(Finding(f"{NETWORK}.remotePodCidrs", None, problem, remedy, "warning"))
    if not facts.vpc_cidrs:
        problem = "is empty, so overlaps with the VPC cannot be seen"
        remedy = "Write every block of the VPC, secondary ones too"
        findings.append(Finding(f"{NETWORK}.vpcCidrs", None, problem, remedy, "warning"))
    if not facts.service_cidr:
        problem = "is not set: EKS picks a block by itself, and overlaps with it cannot be seen"
        remedy = "Write the service CIDR of the cluster, for example 172.20.0.0/16"
        findings.append(Finding(f"{NETWORK}.serviceCidr", None, problem, remedy, "warning"))
    return findings


def _service_rules(service: Sequence[Block]) -> list[Finding]:
    findings = []
    for block in service:
        if range_of(block.network) != "private":
            remedy = "The cluster's service CIDR must lie in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16: read it again"
            findings.append(Finding(block.where, str(block.network), "is not a private block", remedy))
        if not 12 <= block.network.prefixlen <= 24:
            problem = "must be between /12 and /24"
            remedy = "Read it again: `aws eks describe-cluster`, kubernetesNetworkConfig.serviceIpv4Cidr"
            findings.append(Finding(block.where, str(block.network), problem, remedy))
    return findings


def _overlaps(nodes: list[Block], pods: list[Block], vpc: list[Block], service: list[Block]) -> list[Finding]:
    """Every pair of networks that must be apart, and is not."""
    pairs = (
        (nodes, pods, "the remote pod network"),
        (nodes, vpc, "the VPC block"),
        (pods, vpc, "the VPC block"),
        (nodes, service, "the service network"),
        (pods, service, "the service network"),
        (service, vpc, "the VPC block"),
    )
    return [
        Finding(
            one.where, str(one.network), f"overlaps {what} {other.network} ({other.where})",
            "Choose blocks that share no address; neither EKS nor a router can tell them apart",
        )
        for ones, others, what in pairs
        for one, other in overlapping(ones, others)
    ]  # fmt: skip


def _capacity(pods: list[Block], hosts: int) -> list[Finding]:
    """Whether every host gets its slice of the pod networks."""
    capacity = pod_capacity(block.network for block in pods)
    if not pods or hosts <= capacity:
        return []
    shown = ", ".join(str(block.network) for block in pods)
    problem = f"holds /{NODE_MASK} slices for {capacity} nodes, but the site has {hosts} hosts"
    return [Finding(f"{NETWORK}.remotePodCidrs", shown, problem, "Use a larger pod network, or a further one")]


def _subnet_rules(facts: NetworkFacts, vpc: list[Block], stage: str) -> list[Finding]:
    """The subnets and addresses of the control plane's network interfaces."""
    subnets, findings = parse_blocks("eniSubnets", facts.eni_subnets)
    addresses, wrong = parse_addresses("eniAddresses", facts.eni_addresses)
    findings += wrong
    where = f"{NETWORK}.eniSubnets"
    if not facts.eni_subnets:
        problem = "is empty, so the firewall request opens the whole VPC instead of the cluster's subnets"
        findings.append(Finding(where, None, problem, "Write the CIDR blocks of the cluster's subnets", "warning"))
    elif len(facts.eni_subnets) < 2:
        level: Level = "warning" if stage == "dev" else "error"
        problem = "names one subnet, but an EKS cluster has its interfaces in two zones at least"
        findings.append(Finding(where, facts.eni_subnets[0], problem, "Write every subnet of the cluster", level))
    for block in subnets:
        if vpc and not any(block.network.subnet_of(other.network) for other in vpc):
            remedy = "Write a subnet of the cluster's VPC, or add the missing VPC block"
            findings.append(Finding(block.where, str(block.network), "lies in none of the VPC blocks", remedy))
        if block.network.prefixlen >= 28:
            size = "is too small" if block.network.prefixlen > 28 else "leaves 11 addresses, but EKS recommends 16"
            level = "error" if block.network.prefixlen > 28 else "warning"
            remedy = "Use subnets of /27 or larger: an upgrade makes new interfaces before it removes the old ones"
            problem = f"{size} for the cluster's interfaces"
            findings.append(Finding(block.where, str(block.network), problem, remedy, level))
    if not facts.eni_addresses:
        problem = "is empty, so the way from the hosts to the control plane's interfaces is not probed"
        remedy = f"Write the addresses of the interfaces with the description `Amazon EKS {facts.cluster_name}`"
        findings.append(Finding(f"{NETWORK}.eniAddresses", None, problem, remedy, "warning"))
    homes = subnets or vpc
    for path, address in addresses:
        if homes and not any(address in block.network for block in homes):
            home = "the cluster's subnets" if subnets else "the VPC"
            remedy = "Interfaces move when a cluster is upgraded: read their addresses again"
            findings.append(Finding(path, str(address), f"lies outside {home}", remedy))
    return findings


def _resolver_rules(facts: NetworkFacts, vpc: list[Block]) -> list[Finding]:
    """The addresses of the inbound resolver, and a private path without one."""
    addresses, findings = parse_addresses("inboundResolvers", facts.inbound_resolvers)
    where = f"{NETWORK}.inboundResolvers"
    if facts.private_path and not facts.inbound_resolvers:
        problem = "is empty, but on a private path the site must resolve AWS names inside the VPC"
        remedy = "Write the addresses of the Route 53 inbound endpoint, and forward amazonaws.com and api.aws to them"
        findings.append(Finding(where, None, problem, remedy, "warning"))
    if len(facts.inbound_resolvers) == 1:
        problem = "names one address, but an inbound endpoint has two at least"
        findings.append(Finding(where, facts.inbound_resolvers[0], problem, "Write all of them", "warning"))
    for path, address in addresses:
        if vpc and not any(address in block.network for block in vpc):
            remedy = "Write the addresses of the inbound endpoint in the cluster's VPC"
            findings.append(Finding(path, str(address), "lies in none of the VPC blocks", remedy))
    return findings


def swallowed_findings(facts: NetworkFacts, others: Mapping[str, IPv4Address]) -> list[Finding]:
    """Return a finding for every address of the site's own (YAML path -> address) that a cluster network swallows.

    Once a host has joined, its routes to pods and services win over the site's: a proxy or a DNS server inside the pod
    network is out of reach from then on.
    """
    pods, _ = parse_blocks("remotePodCidrs", facts.remote_pod_cidrs)
    service, _ = _service_block(facts.service_cidr)
    return [
        Finding(
            where,
            str(address),
            f"lies in {block.network} ({block.where}), so joined hosts cannot reach it",
            "Give it another address, or choose another block for the cluster",
        )
        for where, address in others.items()
        for block in (*pods, *service)
        if address in block.network
    ]


def address_findings(facts: NetworkFacts, addresses: Mapping[str, IPv4Address]) -> list[Finding]:
    """Return a finding for every host whose address lies in no remote node network."""
    nodes, _ = parse_blocks("remoteNodeCidrs", facts.remote_node_cidrs)
    if not nodes:
        return []
    shown = ", ".join(str(block.network) for block in nodes)
    return [
        Finding(
            f"site.hosts.{name}.address", str(address), f"lies in no remote node network of the cluster ({shown})",
            "Give the host an address in one of them, or add its network to the cluster and to remoteNodeCidrs",
        )
        for name, address in addresses.items()
        if not any(address in block.network for block in nodes)
    ]  # fmt: skip
