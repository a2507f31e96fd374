"""The rules for subnets, interfaces, routes and tunnels; routes also against a slow oracle that asks address by address."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.aws.routing import legs
from edge.aws.view import RouteView
from edge.cidr import uncovered
from tests.unit.aws_judged import clean, judged, only, verdict, with_routes
from tests.unit.aws_samples import NODES, PODS, SUBNETS, TABLES, clean_view, cluster_with, route

pytestmark = pytest.mark.row("A6", "C2")

# Blocks of /26 to /32 inside one /24, as in the tests of the CIDR rules.
small = st.builds(
    lambda number, prefix: IPv4Network((0x0A000000 + number, prefix), strict=False),
    st.integers(0, 255),
    st.integers(24, 32),
)
some_route = st.builds(
    lambda network, target, active, propagated: RouteView(str(network), target, active, propagated),
    small,
    st.sampled_from(("vgw-1", "tgw-1", "nat-1")),
    st.booleans(),
    st.booleans(),
)


def addresses_of(network: IPv4Network) -> range:
    """Return every address of a block, the slow way."""
    return range(int(network.network_address), int(network.broadcast_address) + 1)


def slow_route(routes: list[RouteView], address: int) -> RouteView | None:
    """Look at every route for one address, and keep the best."""
    best: RouteView | None = None
    for one in routes:
        if address not in addresses_of(IPv4Network(one.destination)):
            continue
        if best is None:
            best = one
            continue
        length, before = IPv4Network(one.destination).prefixlen, IPv4Network(best.destination).prefixlen
        if length != before:
            best = one if length > before else best
        elif one.propagated != best.propagated:
            best = best if one.propagated else one
        elif one.active and not best.active:
            best = one
    return best


class TestLongestPrefix:
    @settings(deadline=None)  # the machine of a test run is shared
    @given(st.lists(some_route, max_size=6), small)
    def test_every_address_takes_the_route_of_the_oracle(self, routes: list[RouteView], wanted: IPv4Network) -> None:
        found = {
            address: leg.route
            for leg in legs(routes, wanted)
            for part in leg.networks
            for address in addresses_of(part)
        }
        slow = {address: slow_route(routes, address) for address in addresses_of(wanted)}
        assert {key: _key(one) for key, one in found.items()} == {key: _key(one) for key, one in slow.items()}
        assert sum(part.num_addresses for leg in legs(routes, wanted) for part in leg.networks) == wanted.num_addresses

    def test_a_route_to_a_prefix_list_or_ipv6_is_no_way_for_addresses(self) -> None:
        routes = [route("pl-6ea54007", "tgw-1"), route("::/0", "igw-1")]
        assert [leg.route for leg in legs(routes, IPv4Network(NODES))] == [None]


def _key(one: RouteView | None) -> tuple[object, ...]:
    """What tells two routes of equal rank apart is not their order in the table."""
    return () if one is None else (one.destination, one.active, one.propagated)


class TestCoverage:
    @settings(deadline=None)  # the machine of a test run is shared
    @given(small, st.lists(small, max_size=5))
    def test_what_is_left_is_what_no_cover_holds(self, wanted: IPv4Network, covers: list[IPv4Network]) -> None:
        held = {address for cover in covers for address in addresses_of(cover)}
        left = uncovered(wanted, covers)
        assert [address for part in left for address in addresses_of(part)] == [
            address for address in addresses_of(wanted) if address not in held
        ]


class TestSubnets:
    def test_one_zone_is_not_enough(self) -> None:
        view = clean_view(subnets=tuple(replace(one, zone="eu-central-1a") for one in clean().subnets))
        found = [one for one in judged(view) if one.check == "aws.subnets"]
        only(found, "aws.subnets", "fail", "cluster plants-prod", "one zone", "eu-central-1a", "SUBNET")

    @pytest.mark.parametrize(("free", "level"), [(5, "fail"), (6, "warn"), (15, "warn"), (16, "")])
    def test_free_addresses(self, free: int, level: str) -> None:
        first, second = clean().subnets
        found = judged(clean_view(subnets=(replace(first, free=free), second)))
        if level:
            only(found, "aws.subnets", level, SUBNETS[0], f"has {free} free addresses")
        else:
            assert found == []

    def test_a_public_subnet_is_a_warning(self) -> None:
        view = with_routes(clean(), drop="0.0.0.0/0", add=(route("0.0.0.0/0", "igw-0000000a"),))
        only(judged(view), "aws.subnets", "warn", SUBNETS[0], "public subnet", "igw-0000000a")


class TestInterfaces:
    def test_one_interface_is_too_few(self) -> None:
        found = judged(clean_view(interfaces=clean().interfaces[:1]))
        only(found, "aws.enis", "fail", "cluster plants-prod", "shows 1 interfaces", "Amazon EKS plants-prod")

    def test_an_interface_without_an_address(self) -> None:
        first, second = clean().interfaces
        only(
            judged(clean_view(interfaces=(replace(first, address=""), second))), "aws.enis", "fail", first.id, "address"
        )

    def test_an_interface_in_another_subnet_will_move(self) -> None:
        first, second = clean().interfaces
        view = clean_view(interfaces=(first, replace(second, subnet_id="subnet-0000000f")))
        only(judged(view), "aws.enis", "warn", second.id, "no subnet of the cluster", "subnet-0000000f")


class TestRoutes:
    def test_a_missing_route_is_named_with_table_and_command(self) -> None:
        view = with_routes(with_routes(clean(), drop="0.0.0.0/0"), drop=NODES)
        [found] = judged(view)
        assert str(found.finding) == (
            f"{TABLES[0]} ({SUBNETS[0]}): has no route to {NODES}; {TABLES[1]} has one, so it works for some interfaces"
            " and times out for others. Add it: `aws ec2 create-route --route-table-id rtb-0000000a"
            " --destination-cidr-block 10.200.0.0/16 --gateway-id vgw-0000000a --region eu-central-1`."
        )

    @pytest.mark.parametrize("table", TABLES)
    @pytest.mark.parametrize("network", [NODES, PODS])
    def test_every_table_needs_every_network(self, table: str, network: str) -> None:
        view = with_routes(with_routes(clean(), table, drop="0.0.0.0/0"), table, drop=network)
        subnet = SUBNETS[TABLES.index(table)]
        only(judged(view), "aws.routes", "fail", f"{table} ({subnet})", f"has no route to {network}")

    def test_the_default_route_leads_to_the_internet(self) -> None:
        only(
            judged(with_routes(clean(), drop=PODS)), "aws.routes", "fail", f"{TABLES[0]} ({SUBNETS[0]})",
            "sends 192.168.0.0/16 to the internet", "0.0.0.0/0", "nat-0000000a",
        )  # fmt: skip

    @pytest.mark.parametrize("target", ["igw-0000000a", "nat-0000000a", "eigw-0000000a"])
    def test_a_route_of_its_own_to_the_internet(self, target: str) -> None:
        view = with_routes(clean(), drop=NODES, add=(route(NODES, target),))
        only(judged(view), "aws.routes", "fail", f"{TABLES[0]} ({SUBNETS[0]})", "to the internet", target)

    def test_a_black_hole(self) -> None:
        view = with_routes(clean(), drop=NODES, add=(route(NODES, "tgw-0000000a", active=False),))
        only(
            judged(view),
            "aws.routes",
            "fail",
            f"{TABLES[0]} ({SUBNETS[0]})",
            "black hole",
            "tgw-0000000a, which is gone",
        )

    def test_a_static_black_hole_wins_over_a_propagated_route(self) -> None:
        view = with_routes(clean(), add=(route(PODS, "tgw-0000000a", active=False),))
        only(judged(view), "aws.routes", "fail", f"{TABLES[0]} ({SUBNETS[0]})", "black hole")

    def test_a_more_specific_route_elsewhere_is_named_with_its_part(self) -> None:
        view = with_routes(clean(), add=(route("10.200.64.0/18", "nat-0000000b"),))
        only(
            judged(view), "aws.routes", "fail", f"{TABLES[0]} ({SUBNETS[0]})",
            "sends 10.200.64.0/18 of 10.200.0.0/16 to the internet",
        )  # fmt: skip

    def test_a_network_that_is_covered_in_parts(self) -> None:
        bare = with_routes(clean(), drop="0.0.0.0/0")
        halves = (route("10.200.0.0/17", "vgw-0000000a"), route("10.200.128.0/18", "tgw-0000000a"))
        view = with_routes(bare, drop=NODES, add=halves)
        only(
            judged(view), "aws.routes", "fail", f"{TABLES[0]} ({SUBNETS[0]})",
            "has no route to 10.200.192.0/18 of 10.200.0.0/16", "--destination-cidr-block 10.200.192.0/18",
        )  # fmt: skip
        whole = with_routes(view, add=(route("10.200.192.0/18", "tgw-0000000a", propagated=True),))
        assert judged(whole) == []

    @pytest.mark.parametrize(
        "target", ["eni-0000000a", "pcx-0000000a", "arn:aws:networkmanager::1:core-network/c", "i-1"]
    )
    def test_what_may_pass_it_on_is_a_warning(self, target: str) -> None:
        view = with_routes(clean(), drop=NODES, add=(route(NODES, target),))
        only(judged(view), "aws.routes", "warn", f"{TABLES[0]} ({SUBNETS[0]})", target, "passes them on")

    def test_a_wider_route_to_the_gateway_is_a_route(self) -> None:
        assert judged(with_routes(clean(), drop=NODES, add=(route("10.0.0.0/8", "tgw-0000000a"),))) == []

    def test_a_prefix_list_of_unknown_content(self) -> None:
        bare = with_routes(clean(), drop="0.0.0.0/0")
        view = with_routes(bare, drop=NODES, add=(route("pl-0000000a", "tgw-0000000a"),))
        only(judged(view), "aws.routes", "warn", f"{TABLES[0]} ({SUBNETS[0]})", "unless a prefix list", "pl-0000000a")

    def test_a_subnet_that_only_an_interface_stands_in_counts(self) -> None:
        view = cluster_with(subnet_ids=SUBNETS[:1])
        bare = with_routes(with_routes(view, TABLES[1], drop=PODS), TABLES[1], drop="0.0.0.0/0")
        found = [one for one in judged(bare) if one.check == "aws.routes"]
        only(found, "aws.routes", "fail", f"{TABLES[1]} ({SUBNETS[1]})", "has no route to 192.168.0.0/16")

    def test_a_table_that_two_subnets_use_is_said_once(self) -> None:
        shared = clean_view(subnets=tuple(replace(one, route_table=TABLES[0]) for one in clean().subnets))
        view = with_routes(shared, drop=NODES)
        only(judged(view), "aws.routes", "fail", f"{TABLES[0]} ({', '.join(SUBNETS)})")

    def test_a_table_that_was_not_read_is_a_warning(self) -> None:
        view = clean_view(route_tables=clean().route_tables[:1])
        only(judged(view), "aws.routes", "warn", TABLES[1], "was not read")

    def test_routes_inside_the_vpc_are_the_overlap_rule_s(self) -> None:
        view = clean()
        wide = replace(view, vpc=replace(view.vpc, cidrs=("10.100.0.0/16", "10.200.64.0/20")))
        local = with_routes(
            with_routes(wide, add=(route("10.200.64.0/20", "local"),)),
            TABLES[1],
            add=(route("10.200.64.0/20", "local"),),
        )
        assert {one.check for one in judged(local)} == {"aws.overlap"}


class TestTunnels:
    def test_one_tunnel_down_is_a_warning(self) -> None:
        first, second = clean().tunnels
        view = clean_view(tunnels=(first, replace(second, up=False, message="IPSEC IS DOWN")))
        only(judged(view), "aws.tunnels", "warn", "vpn-0000000a", "nothing stands by", "52.44.108.102 (IPSEC IS DOWN)")

    def test_both_tunnels_down_are_an_outage(self) -> None:
        view = clean_view(tunnels=tuple(replace(one, up=False) for one in clean().tunnels))
        only(judged(view), "aws.tunnels", "fail", "vpn-0000000a", "UDP 4500", "--vpn-connection-ids vpn-0000000a")

    def test_each_connection_by_itself(self) -> None:
        other = tuple(replace(one, connection="vpn-0000000b", up=False) for one in clean().tunnels)
        only(judged(clean_view(tunnels=(*clean().tunnels, *other))), "aws.tunnels", "fail", "vpn-0000000b")

    def test_without_a_vpn_nothing_is_judged(self) -> None:
        assert "Direct Connect" in verdict("aws.tunnels", clean_view(tunnels=())).skipped


def test_interfaces_are_shown_with_their_subnets() -> None:
    assert "10.100.0.12 (subnet-0000000a)" in verdict("aws.enis", clean()).seen
