"""Which route of a table a block of addresses takes: longest prefix first, as a VPC router chooses. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses

from edge.aws.view import RouteView


@dataclass(frozen=True)
class Leg:
    """Blocks of one destination that take the same route; `route` is None where no route takes them."""

    route: RouteView | None
    networks: tuple[IPv4Network, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.networks))


def destination_of(route: RouteView) -> IPv4Network | None:
    """Return the IPv4 block that a route leads to, None for a prefix list or an IPv6 block."""
    try:
        return IPv4Network(route.destination)
    except ValueError:
        return None


def legs(routes: Iterable[RouteView], wanted: IPv4Network) -> tuple[Leg, ...]:
    """Return the parts of a block with the route that each takes, by address; together they are the whole block.

    Of two routes to one destination the static one wins over the propagated one, whether it works or not.
    Source: Amazon VPC User Guide, route priority.
    """
    known = [(network, route) for route in routes if (network := destination_of(route)) is not None]
    near = [(network, route) for network, route in known if network.overlaps(wanted)]
    parts: dict[RouteView | None, list[IPv4Network]] = {}
    for network, route in _split(near, wanted):
        parts.setdefault(route, []).append(network)
    found = [Leg(route, tuple(collapse_addresses(networks))) for route, networks in parts.items()]
    return tuple(sorted(found, key=lambda leg: leg.networks[0]))


_Known = Sequence[tuple[IPv4Network, RouteView]]


def _split(near: _Known, wanted: IPv4Network) -> list[tuple[IPv4Network, RouteView | None]]:
    """Return pieces of a block so small that no route leads into one of them only in part."""
    if any(network != wanted and network.subnet_of(wanted) for network, _ in near):
        halves = list(wanted.subnets(prefixlen_diff=1))
        return [piece for half in halves for piece in _split([one for one in near if one[0].overlaps(half)], half)]
    best = max(near, key=lambda one: (one[0].prefixlen, not one[1].propagated, one[1].active), default=None)
    return [(wanted, best[1] if best else None)]
