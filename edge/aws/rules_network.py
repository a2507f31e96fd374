"""The rules for the way between the control plane's interfaces and the site: subnets, interfaces, routes, tunnels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network

from edge.aws.routing import Leg, destination_of, legs
from edge.aws.rules_model import Case, Hint, Judge, Red, Said, Seen, Skip, shown
from edge.aws.view import RouteTableView, RouteView, SubnetView

MIN_FREE, GOOD_FREE = 6, 16  # free addresses per subnet: EKS needs, EKS recommends

# Where a route may lead: to a site for sure, into something that may pass it on, or out to the internet.
_TO_SITE = ("tgw-", "vgw-")
_INTERNET = ("igw-", "nat-", "eigw-")
_LOCAL = "local"


def subnets(case: Case) -> Iterator[Said]:
    """Judge zones, free addresses, and whether the subnets are private."""
    ids = case.view.cluster.subnet_ids
    known = [one for id_ in ids if (one := case.view.subnet(id_)) is not None]
    if not known:
        yield Skip("the subnets of the cluster were not read")
        return
    zones = sorted({one.zone for one in known})
    if len(zones) < 2:
        problem = "has its subnets in one zone, but the control plane's interfaces need two"
        add = case.update(f"--resources-vpc-config subnetIds={','.join((*ids, 'SUBNET'))}")
        yield Red(case.cluster, problem, f"Add a subnet of another zone: {add}", shown(zones))
    for one in known:
        yield from _room(case, one)
        gateway = _internet_gateway(case, one)
        if gateway:
            problem = "is a public subnet: its default route leads to the internet"
            yield Hint(one.id, problem, "Prefer private subnets for the control plane's interfaces", gateway)
    yield Seen(f"{shown(one.id for one in known)} in {shown(zones)}")


def _room(case: Case, one: SubnetView) -> Iterator[Said]:
    look = case.command(f"ec2 describe-network-interfaces --filters Name=subnet-id,Values={one.id}")
    remedy = f"See who holds addresses in {one.cidr}: {look}"
    if one.free < MIN_FREE:
        problem = f"has {one.free} free addresses, but EKS needs {MIN_FREE} to move its interfaces at an upgrade"
        yield Red(one.id, problem, remedy, one.free)
    elif one.free < GOOD_FREE:
        yield Hint(one.id, f"has {one.free} free addresses; EKS recommends {GOOD_FREE}", remedy, one.free)


def _internet_gateway(case: Case, one: SubnetView) -> str:
    table = case.view.route_table(one.route_table)
    routes = table.routes if table else ()
    return next((r.target for r in routes if r.destination == "0.0.0.0/0" and r.target.startswith("igw-")), "")


def enis(case: Case) -> Iterator[Said]:
    """Judge the control plane's interfaces: two at least, in the cluster's subnets, with addresses."""
    found = case.view.interfaces
    look = case.command(
        f'ec2 describe-network-interfaces --filters "Name=description,Values=Amazon EKS {case.view.cluster.name}"'
    )
    if len(found) < 2:
        problem = f"shows {len(found)} interfaces of its control plane, but it has two at least"
        yield Red(
            case.cluster,
            problem,
            f"Wait for the end of an update, then look again: {look}",
            shown(one.id for one in found),
        )
    for one in found:
        try:
            IPv4Address(one.address)
        except ValueError:
            yield Red(
                one.id, "has no IPv4 address", f"Wait for the end of an update, then look again: {look}", one.address
            )
        if one.subnet_id not in case.view.cluster.subnet_ids:
            problem = "stands in no subnet of the cluster, so it is about to be replaced"
            yield Hint(one.id, problem, f"Wait for the end of the update, then look again: {look}", one.subnet_id)
    yield Seen(shown(f"{one.address} ({one.subnet_id})" for one in found))


def routes(case: Case) -> Iterator[Said]:
    """Judge, for the table of every subnet with interfaces, the way to every remote network."""
    if not case.remote:
        yield Skip("the cluster has no remote networks")
        return
    tables = _tables(case)
    if not tables:
        yield Skip("the route tables of the cluster's subnets were not read")
        return
    missing = [id_ for id_ in tables if case.view.route_table(id_) is None]
    for id_ in missing:
        yield Hint(id_, "was not read, so its routes are not judged", "Run the command again", shown(tables[id_]))
    known = {id_: table for id_ in tables if (table := case.view.route_table(id_)) is not None}
    for network in case.remote:
        found = {id_: legs(table.routes, network) for id_, table in known.items()}
        good = [id_ for id_, parts in found.items() if all(_leads(leg.route) for leg in parts)]
        for id_, parts in found.items():
            yield from _judge(case, known[id_], tables[id_], network, parts, good)
    yield Seen(f"{shown(known)}: routes to {shown(case.remote)}")


def _tables(case: Case) -> dict[str, list[str]]:
    """Return route table -> the subnets that use it, of those where interfaces are or may come to be."""
    ids = dict.fromkeys((*case.view.cluster.subnet_ids, *(one.subnet_id for one in case.view.interfaces)))
    found: dict[str, list[str]] = {}
    for subnet in (one for id_ in ids if (one := case.view.subnet(id_)) is not None):
        if subnet.route_table:
            found.setdefault(subnet.route_table, []).append(subnet.id)
    return found


def _leads(route: RouteView | None) -> bool:
    return route is not None and route.active and route.target.startswith(_TO_SITE)


def _judge(
    case: Case,
    table: RouteTableView,
    users: Sequence[str],
    network: IPv4Network,
    parts: Sequence[Leg],
    good: Sequence[str],
) -> Iterator[Said]:
    where = f"{table.id} ({shown(users)})"
    for leg in parts:
        route = leg.route
        what = str(network) if leg.networks == (network,) else f"{leg} of {network}"
        if route is None:
            yield _uncovered(case, table, where, what, leg, good)
        elif _leads(route) or route.target == _LOCAL:  # what is local overlaps the VPC, and is said there
            continue
        elif not route.active:
            look = case.command(f"ec2 describe-route-tables --route-table-ids {table.id}")
            problem = (
                f"sends {what} into a black hole: the route {route.destination} leads to {route.target}, which is gone"
            )
            yield Red(
                where, problem, f"Let the route lead to the gateway of the site, or remove it: {look}", route.target
            )
        elif route.target.startswith(_INTERNET):
            problem = f"sends {what} to the internet: the route {route.destination} leads to {route.target}"
            yield Red(where, problem, _add(case, table, leg, good), route.target)
        else:
            problem = f"sends {what} to {route.target}, by the route {route.destination}"
            yield Hint(
                where, problem, "Make sure that it passes them on to the site, and the answers back", route.target
            )


def _uncovered(case: Case, table: RouteTableView, where: str, what: str, leg: Leg, good: Sequence[str]) -> Red:
    lists = [r for r in table.routes if destination_of(r) is None and r.destination.startswith("pl-") and _leads(r)]
    if lists:
        problem = f"has no route to {what}, unless a prefix list holds it"
        remedy = f"Look what is in it: {case.command(f'ec2 get-managed-prefix-list-entries --prefix-list-id {lists[0].destination}')}"
        return Hint(where, problem, remedy, lists[0].destination)
    others = f"; {shown(good)} has one, so it works for some interfaces and times out for others" if good else ""
    return Red(where, f"has no route to {what}{others}", _add(case, table, leg, good))


def _add(case: Case, table: RouteTableView, leg: Leg, good: Sequence[str]) -> str:
    """Return the command that adds the missing route, to the gateway that the other tables or networks use."""
    gateway = _gateway(case, table, good)
    option = "--gateway-id" if gateway.startswith("vgw-") else "--transit-gateway-id"
    block = leg.networks[0]
    words = f"ec2 create-route --route-table-id {table.id} --destination-cidr-block {block} {option} {gateway or 'TGW'}"
    also = "" if len(leg.networks) == 1 else f", and so for {shown(leg.networks[1:])}"
    return f"Add it: {case.command(words)}{also}"


def _gateway(case: Case, table: RouteTableView, good: Sequence[str]) -> str:
    """Return the gateway to the sites as far as any route of the tables shows it, this table first."""
    tables = [table, *(one for one in case.view.route_tables if one.id in good), *case.view.route_tables]
    return next((route.target for one in tables for route in one.routes if _leads(route)), "")


def tunnels(case: Case) -> Iterator[Said]:
    """Judge the tunnels of every VPN connection: one that is down is a warning, both are an outage."""
    if not case.view.tunnels:
        yield Skip("no VPN connection: Direct Connect, or a VPN behind a transit gateway of another account")
        return
    for connection in dict.fromkeys(one.connection for one in case.view.tunnels):
        mine = [one for one in case.view.tunnels if one.connection == connection]
        down = [one for one in mine if not one.up]
        words = shown(f"{one.address}{f' ({one.message})' if one.message else ''}" for one in down)
        look = case.command(f"ec2 describe-vpn-connections --vpn-connection-ids {connection}")
        remedy = f"Compare the VPN device with its configuration, and let UDP 500, UDP 4500 and ESP pass: {look}"
        if down and len(down) == len(mine):
            yield Red(
                connection, f"has no tunnel that is up, so the control plane does not reach the site: {words}", remedy
            )
        elif down:
            yield Hint(connection, f"has a tunnel that is down, so nothing stands by: {words}", remedy)
    yield Seen(f"{shown(one.address for one in case.view.tunnels)} up")


JUDGES: dict[str, Judge] = {
    "aws.subnets": subnets,
    "aws.enis": enis,
    "aws.routes": routes,
    "aws.tunnels": tunnels,
}
