"""The CIDR rules against a slow, obvious oracle: networks small enough to write every address down."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.cidr import Block, overlapping, parse_block, parse_blocks, pod_capacity, range_of
from edge.network import network_rules
from tests.unit.network_samples import facts_of

# Blocks of /26 to /32 inside one /24: up to 64 addresses each, and they often meet.
small = st.builds(
    lambda number, prefix: IPv4Network((0x0A000000 + number, prefix), strict=False),
    st.integers(0, 255),
    st.integers(26, 32),
)
# Any block at all; half of them near the borders of the private ranges.
borders = st.sampled_from(
    [
        IPv4Address(text)
        for text in ("10.0.0.0", "172.16.0.0", "172.31.255.255", "192.168.0.0", "100.64.0.0", "11.0.0.0")
    ]
)
anywhere = st.builds(
    lambda address, shift, prefix: IPv4Network(((int(address) + shift) % 2**32, prefix), strict=False),
    st.one_of(borders, st.integers(0, 2**32 - 1).map(IPv4Address)),
    st.integers(-70000, 70000),
    st.integers(0, 32),
)


def addresses_of(network: IPv4Network) -> set[int]:
    """Return every address of a block, the slow way."""
    return set(range(int(network.network_address), int(network.broadcast_address) + 1))


@pytest.mark.row("A6", "C2")
@settings(deadline=None)  # the machine of a test run is shared
@given(st.lists(small, max_size=4), st.lists(small, max_size=4))
def test_two_blocks_overlap_when_they_share_an_address(ones: list[IPv4Network], others: list[IPv4Network]) -> None:
    left = [Block(f"a[{index}]", network) for index, network in enumerate(ones)]
    right = [Block(f"b[{index}]", network) for index, network in enumerate(others)]
    slow = [(one, other) for one in left for other in right if addresses_of(one.network) & addresses_of(other.network)]
    assert overlapping(left, right) == slow


@pytest.mark.row("A6", "C2")
@settings(deadline=None)  # the machine of a test run is shared
@given(small, small, small, small)
def test_the_rules_find_exactly_the_overlaps(
    node: IPv4Network, pod: IPv4Network, vpc: IPv4Network, service: IPv4Network
) -> None:
    """Whatever else is wrong with such blocks (size, subnets), a pair that shares an address is named, no other."""
    facts = facts_of(
        remote_node_cidrs=(str(node),),
        remote_pod_cidrs=(str(pod),),
        vpc_cidrs=(str(vpc),),
        service_cidr=str(service),
    )
    found = {
        (finding.where, finding.problem.rsplit("(", 1)[1].rstrip(")"))
        for finding in network_rules(facts, {}, "prod")
        if finding.problem.startswith("overlaps ")
    }
    paths = {
        "site.network.remoteNodeCidrs[0]": node,
        "site.network.remotePodCidrs[0]": pod,
        "site.network.vpcCidrs[0]": vpc,
        "site.network.serviceCidr": service,
    }
    apart = {(one, other) for one in paths for other in paths if one != other}
    slow = {pair for pair in apart if addresses_of(paths[pair[0]]) & addresses_of(paths[pair[1]])}
    assert {frozenset(pair) for pair in found} == {frozenset(pair) for pair in slow}
    assert len(found) == len({frozenset(pair) for pair in found}), "no pair is named twice"


@settings(deadline=None)  # the machine of a test run is shared
@given(anywhere)
def test_a_range_is_that_of_the_first_and_of_the_last_address(network: IPv4Network) -> None:
    def slow(address: IPv4Address) -> str:
        first, second = (int(part) for part in str(address).split(".")[:2])
        if first == 10 or (first == 172 and 16 <= second <= 31) or (first == 192 and second == 168):
            return f"private {first}"
        return "shared" if first == 100 and 64 <= second <= 127 else "public"

    ends = {slow(network.network_address), slow(network.broadcast_address)}
    kind = ends.pop().split()[0] if len(ends) == 1 else "public"
    # Between equal ends may lie other ranges only when the block is wider than all of them: nothing below /8 is.
    assert range_of(network) == (kind if network.prefixlen >= 8 else "public")


@settings(deadline=None)  # the machine of a test run is shared
@given(st.lists(st.integers(16, 27), min_size=1, max_size=4))
def test_a_pool_holds_as_many_nodes_as_whole_slices_fit(prefixes: list[int]) -> None:
    networks = [IPv4Network((0x0A000000 + index * 2**16, prefix)) for index, prefix in enumerate(prefixes)]
    slow = sum(sum(1 for _ in network.subnets(new_prefix=25)) if network.prefixlen <= 25 else 0 for network in networks)
    assert pod_capacity(networks) == slow


@settings(deadline=None)  # the machine of a test run is shared
@given(st.text(max_size=24))
def test_no_text_breaks_the_reader(text: str) -> None:
    parsed = parse_block("site.network.vpcCidrs[0]", text)
    if isinstance(parsed, Block):
        assert str(parsed.network) == text
    else:
        assert parsed.where == "site.network.vpcCidrs[0]"
        assert parsed.remedy


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("10.200.0.0/33", "is no CIDR block", "10.200.0.0/16"),
        ("ten", "is no CIDR block", "10.200.0.0/16"),
        ("10.200.0.5/16", "is an address inside a block, not a block", "10.200.0.0/16"),
        ("10.200.0.5", "is an address inside a block, not a block", "10.200.0.5/32"),
        ("fd00::/64", "is IPv6, which EKS Hybrid Nodes do not support", "IPv4"),
    ],
)
def test_a_wrong_block_says_what_to_write(text: str, problem: str, remedy: str) -> None:
    blocks, findings = parse_blocks("remoteNodeCidrs", ("10.200.0.0/16", text))
    assert [block.where for block in blocks] == ["site.network.remoteNodeCidrs[0]"]
    assert [(one.where, one.value, one.problem) for one in findings] == [
        ("site.network.remoteNodeCidrs[1]", text, problem)
    ]
    assert remedy in findings[0].remedy
