"""Which interfaces of the control plane the hosts of the site really reach: what routes and security groups let through.

The lab's API server answers on those only, so that a change on the AWS side is felt by the machines, too.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from lab.aws.account import Account
from lab.aws.ec2 import settle_routes

_PORT = 443


def cut_off(account: Account) -> frozenset[str]:
    """Return the addresses of the lab's API server that no host of the site reaches.

    Without an interface there, without a route back to the remote node networks, or without a rule that lets them in.
    A lab whose cluster was deleted leaves its API server alone.
    """
    cluster, ec2 = account.clusters().all.get(account.facts.cluster), account.ec2()
    if cluster is None:
        return frozenset()
    settle_routes(ec2)
    present: dict[str, Any] = {str(one.private_ip_address): one for one in ec2.enis.values()}
    reached = {address for address, interface in present.items() if _reached(account, ec2, interface)}
    return frozenset(account.facts.addresses) - reached


def _reached(account: Account, ec2: Any, interface: Any) -> bool:
    blocks = [IPv4Network(cidr) for cidr in account.facts.remote_nodes]
    tables = [one for one in ec2.route_tables.values() if interface.subnet.id in one._associations.values()]
    tables = tables or [
        one for one in ec2.route_tables.values() if one.vpc_id == interface.subnet.vpc_id and one.main_association_id
    ]
    rules = [rule for group in interface.group_set for rule in group.ingress_rules]
    return all(_routed(tables[0], block) and any(_let_in(rule, block) for rule in rules) for block in blocks)


def _routed(table: Any, block: IPv4Network) -> bool:
    """Return whether the longest route to a block leads out of the VPC."""
    found = [
        (IPv4Network(route.destination_cidr_block).prefixlen, route)
        for route in table.routes
        if route.destination_cidr_block and block.subnet_of(IPv4Network(route.destination_cidr_block))
    ]
    longest = max(found, key=lambda one: one[0], default=None)
    return longest is not None and longest[1].state == "active" and not longest[1].local


def _let_in(rule: Any, block: IPv4Network) -> bool:
    """Return whether a rule opens the API server's port to a whole block."""
    cidr = (rule.ip_range or {}).get("CidrIp")
    if not cidr or not block.subnet_of(IPv4Network(cidr)):
        return False
    if str(rule.ip_protocol) == "-1":
        return True
    return str(rule.ip_protocol) == "tcp" and int(rule.from_port) <= _PORT <= int(rule.to_port)
