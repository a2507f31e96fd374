"""The rules for networks of several sites of one cluster, and for a host's own other networks. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from typing import TYPE_CHECKING

from edge.cidr import MAX_CIDRS, NETWORK, Block, overlapping, parse_block, parse_blocks, remote_block_findings
from edge.findings import Finding

if TYPE_CHECKING:
    from edge.network import NetworkFacts
    from edge.settings.site import SiteNetworks

_APART = "Choose blocks that share no address; neither EKS nor a router can tell them apart"


def other_site_findings(facts: NetworkFacts, addresses: Mapping[str, IPv4Address]) -> list[Finding]:
    """Return where this site meets another one of the same cluster: networks that overlap, hosts that stand there.

    `facts.other_sites` holds `NAME CIDR`; the remote networks in `facts` are this site's own. `addresses`: host name ->
    its address.
    """
    others, found = _other_blocks(facts.other_sites)
    nodes, _ = parse_blocks("remoteNodeCidrs", facts.remote_node_cidrs)
    pods, _ = parse_blocks("remotePodCidrs", facts.remote_pod_cidrs)
    for mine, theirs in overlapping([*nodes, *pods], others):
        if mine in pods and mine.network == theirs.network:
            found += _shared_pods(mine, theirs)
            continue
        problem = f"overlaps {theirs.network} of {theirs.where}, which is on the same cluster"
        found.append(Finding(mine.where, str(mine.network), problem, _APART))
    for name, address in addresses.items():
        for theirs in others:
            if address in theirs.network and not any(address in block.network for block in nodes):
                problem = f"lies in {theirs.network} of {theirs.where}"
                remedy = "Give the host an address of its own site, or move it to the stack of the other one"
                found.append(Finding(f"site.hosts.{name}.address", str(address), problem, remedy))
    return found


def _other_blocks(entries: Sequence[str]) -> tuple[list[Block], list[Finding]]:
    """Return the blocks of `NAME CIDR` entries, each under `site NAME`, and a finding for every other entry."""
    blocks: list[Block] = []
    found: list[Finding] = []
    for index, entry in enumerate(entries):
        name, _, text = entry.partition(" ")
        parsed = parse_block(f"site {name}", text)
        if isinstance(parsed, Block):
            blocks.append(parsed)
        else:
            remedy = "Run `pulumi up` for the network stack, which writes each as NAME CIDR"
            found.append(Finding(f"{NETWORK}.otherSites[{index}]", entry, "names no network of another site", remedy))
    return blocks, found


def sites_findings(sites: Mapping[str, SiteNetworks]) -> list[Finding]:
    """Return what is wrong with the networks of the sites of a network stack: each alone, together, and in number.

    Pod networks may be the same in several sites (Cilium gives nodes their slices from one pool), which is a warning;
    everything else must be apart. Source: EKS User Guide, hybrid nodes networking; EKS API, RemoteNetworkConfigRequest.
    """
    nodes = _blocks_of(sites, "remoteNodeCidrs")
    pods = _blocks_of(sites, "remotePodCidrs")
    found = [finding for block in (*nodes, *pods) for finding in remote_block_findings(block)]
    for one, other in combinations(nodes, 2):
        found += _meeting(one, other)
    for one in nodes:
        for other in pods:
            found += _meeting(one, other)
    for one, other in combinations(pods, 2):
        found += _shared_pods(one, other) if one.network == other.network else _meeting(one, other)
    for what, blocks in (("node", nodes), ("pod", pods)):
        found += _too_many(what, blocks, len(sites))
    return [_ended(one) for one in found]


def _blocks_of(sites: Mapping[str, SiteNetworks], name: str) -> list[Block]:
    return [
        Block(f"site.sites.{site}.{name}[{index}]", network)
        for site, networks in sites.items()
        for index, network in enumerate(
            networks.remote_node_cidrs if name == "remoteNodeCidrs" else networks.remote_pod_cidrs
        )
    ]


def _meeting(one: Block, other: Block) -> Iterator[Finding]:
    if one.network.overlaps(other.network):
        yield Finding(one.where, str(one.network), f"overlaps {other.network} ({other.where})", _APART)


def _shared_pods(one: Block, other: Block) -> Iterator[Finding]:
    problem = f"is also a network of {other.where}: routes of the VPC lead all of it to one site"
    remedy = "Give each site a pod network of its own where AWS must reach its pods; nothing, where it need not"
    yield Finding(one.where, str(one.network), problem, remedy, "warning")


def _too_many(what: str, blocks: Sequence[Block], sites: int) -> Iterator[Finding]:
    """Yield one finding when the cluster would get more different blocks than EKS takes."""
    number = len({block.network for block in blocks})
    if number > MAX_CIDRS:
        problem = f"have {number} remote {what} networks together, but EKS takes at most {MAX_CIDRS} in a cluster"
        remedy = "Join neighbouring blocks into larger ones, or put some of the sites on another cluster"
        yield Finding("site.sites", sites, problem, remedy)


def own_network_findings(facts: NetworkFacts, networks: Mapping[str, IPv4Network]) -> list[Finding]:
    """Return a finding for every network of a host's own (YAML path -> network) that the cluster's networks swallow.

    A host reaches its neighbours by its interface, but the cluster's routes to pods, services and the VPC win over it.
    """
    pods, _ = parse_blocks("remotePodCidrs", facts.remote_pod_cidrs)
    vpc, _ = parse_blocks("vpcCidrs", facts.vpc_cidrs)
    service = parse_block(f"{NETWORK}.serviceCidr", facts.service_cidr) if facts.service_cidr else None
    theirs = [*pods, *([service] if isinstance(service, Block) else []), *vpc]
    remedy = "Correct the address or its prefix length, or choose another block for the cluster"
    return [
        Finding(where, str(network), f"stands in a network that overlaps {block.network} ({block.where})", remedy)
        for where, network in networks.items()
        for block in theirs
        if network.overlaps(block.network)
    ]


def _ended(finding: Finding) -> Finding:
    return Finding(finding.where, finding.value, finding.problem, f"{finding.remedy}.", finding.level)
