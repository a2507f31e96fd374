"""What can be changed on the AWS side while the lab runs: each change is made, and can be taken back.

They are made as AWS itself or a person with every right would make them, past the rules that the API has for requests.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lab.aws.account import Account
from lab.aws.ec2 import Nowhere, local_routes

Undo = Callable[[], None]
Change = Callable[[Account, str], Undo]


class Changes:
    """The changes that are made in an account. They are undone in the opposite order, so that all is as it was."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._made: list[tuple[tuple[str, str], Undo]] = []

    def become(self, wanted: list[tuple[str, str]]) -> None:
        """Take everything back, and make exactly these changes: pairs of fault and target ("*" for none)."""
        if [key for key, _undo in self._made] == wanted:
            return
        while self._made:
            _key, undo = self._made.pop()
            undo()
        for name, target in wanted:
            self._made.append(((name, target), CHANGES[name](self._account, target)))


def _cluster(account: Account) -> Any:
    """Return the lab's cluster; one that was deleted meanwhile is an empty one, which nothing can happen to."""
    return account.clusters().all.get(account.facts.cluster)


def _vpc_block(account: Account, cidr: str) -> Undo:
    ec2: Any = account.ec2()
    if (cluster := _cluster(account)) is None:
        return _nothing
    vpc = ec2.get_vpc(cluster.vpc_config["vpcId"])
    made = vpc.associate_vpc_cidr_block(cidr)["association_id"]
    local_routes(ec2, vpc.id)

    def undo() -> None:
        vpc._cidr_block_association_set.pop(made, None)
        local_routes(ec2, vpc.id)

    return undo


def _shown(account: Account, place: Callable[[Any], dict[str, Any]], values: dict[str, Any]) -> Undo:
    """Set values in what the API shows of the cluster."""
    if (cluster := _cluster(account)) is None:
        return _nothing
    shown = place(cluster)
    before = {key: shown.get(key) for key in values}
    shown.update(values)
    return lambda: shown.update(before)


def _endpoint(account: Account, mode: str) -> Undo:
    public, private = mode in ("public", "publicandprivate"), mode in ("private", "publicandprivate")
    values = {
        "endpointPublicAccess": public,
        "endpointPrivateAccess": private,
        "publicAccessCidrs": ["0.0.0.0/0"] if public else [],
    }
    return _shown(account, lambda cluster: cluster.vpc_config, values)


def _auth_mode(account: Account, mode: str) -> Undo:
    return _shown(account, lambda cluster: cluster.shown["accessConfig"], {"authenticationMode": mode.upper()})


def _not_hybrid(account: Account, _target: str) -> Undo:
    return _shown(account, lambda cluster: cluster.shown, {"remoteNetworkConfig": None})


def _eni_missing(account: Account, address: str) -> Undo:
    enis: Any = account.ec2().enis
    before = list(enis.items())
    for key, interface in before:
        if interface.private_ip_address == address:
            del enis[key]

    def undo() -> None:
        later = [item for item in enis.items() if item not in before]
        gone = {key for key, interface in before if interface.private_ip_address != address and key not in enis}
        enis.clear()
        enis.update([item for item in (*before, *later) if item[0] not in gone])

    return undo


def _routes(account: Account, cidr: str) -> list[tuple[Any, str, Any]]:
    """Return (table, key, route) of every route to a block in the tables of the cluster's subnets."""
    cluster, ec2 = _cluster(account), account.ec2()
    subnets = set(cluster.vpc_config["subnetIds"]) if cluster else set()
    return [
        (table, key, route)
        for table in ec2.route_tables.values()
        if subnets & set(table._associations.values())
        for key, route in table._routes.items()
        if not route.local and cidr in ("*", route.destination_cidr_block)
    ]


def _route_missing(account: Account, cidr: str) -> Undo:
    found = _routes(account, cidr)
    before = {table.id: (table, list(table._routes.items())) for table, _key, _route in found}
    for table, key, _route in found:
        del table._routes[key]

    def undo() -> None:
        for table, routes in before.values():
            later = [item for item in table._routes.items() if item not in routes]
            table._routes = dict([*routes, *later])

    return undo


def _route_blackhole(account: Account, cidr: str) -> Undo:
    found = [(route, type(route)) for _table, _key, route in _routes(account, cidr)]
    for route, _kind in found:
        route.__class__, route.closed = Nowhere, True

    def undo() -> None:
        for route, kind in found:
            route.__class__, route.closed = kind, False

    return undo


def _rule_missing(account: Account, target: str) -> Undo:
    """Remove the rules for a direction and port from every group of the cluster, those for everything included."""
    direction, _, port = target.partition(":")
    cluster, ec2 = _cluster(account), account.ec2()
    groups = [cluster.vpc_config["clusterSecurityGroupId"], *cluster.vpc_config["securityGroupIds"]] if cluster else []
    kept: list[tuple[Any, list[Any]]] = []
    for group in filter(None, (ec2.get_security_group_from_id(one) for one in groups)):
        rules: Any = group.ingress_rules if direction == "in" else group.egress_rules
        kept.append((rules, list(rules)))
        rules[:] = [rule for rule in rules if not _lets_through(rule, int(port))]

    def undo() -> None:
        for rules, before in kept:
            rules[:] = before

    return undo


def _lets_through(rule: Any, port: int) -> bool:
    """Return whether a rule opens a TCP port to addresses; what the group allows itself is no way to the site."""
    if rule.source_group:
        return False
    if str(rule.ip_protocol) == "-1":
        return True
    return str(rule.ip_protocol) == "tcp" and int(rule.from_port) <= port <= int(rule.to_port)


def _entry_missing(account: Account, _target: str) -> Undo:
    entries = account.entries()
    kept = {key: entry for key, entry in entries.all.items() if entry.type == "HYBRID_LINUX"}
    for key in kept:
        del entries.all[key]
    return lambda: entries.all.update({key: entry for key, entry in kept.items() if key not in entries.all})


def _activation_expired(account: Account, _target: str) -> Undo:
    kept = [(one, one.expires) for one in account.activations().all.values()]
    for activation, _ends in kept:
        activation.expires = datetime.now(UTC)

    def undo() -> None:
        for activation, ends in kept:
            activation.expires = ends

    return undo


def _tunnel_down(account: Account, address: str) -> Undo:
    ec2: Any = account.ec2()
    found = [one for vpn in ec2.vpn_connections.values() for one in getattr(vpn, "vgw_telemetry", [])]
    kept = [(one, dict(one)) for one in found if address in ("*", one["OutsideIpAddress"])]
    for one, _before in kept:
        one.update({"Status": "DOWN", "StatusMessage": "IPSEC IS DOWN", "LastStatusChange": datetime.now(UTC)})

    def undo() -> None:
        for one, before in kept:
            one.update(before)

    return undo


def _role_policy(account: Account, action: str) -> Undo:
    """Take one action out of the inline policies of the hosts' role."""
    role: Any = next((one for one in account.iam().roles.values() if one.arn == account.facts.hybrid_role_arn), None)
    if role is None:
        return _nothing
    before = dict(role.policies)
    for name, document in before.items():
        role.policies[name] = _without(str(document), action)
    return lambda: role.policies.update(before)


def _without(document: str, action: str) -> str:
    found: Any = json.loads(document)
    for statement in found["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        statement["Action"] = [one for one in actions if one.lower() != action] or ["none:None"]
    return json.dumps(found)


def _nothing() -> None:
    """Take back what was never done."""


CHANGES: dict[str, Change] = {
    "aws-activation-expired": _activation_expired,
    "aws-auth-mode": _auth_mode,
    "aws-endpoint": _endpoint,
    "aws-eni-missing": _eni_missing,
    "aws-entry-missing": _entry_missing,
    "aws-not-hybrid": _not_hybrid,
    "aws-role-lacks": _role_policy,
    "aws-route-blackhole": _route_blackhole,
    "aws-route-missing": _route_missing,
    "aws-rule-missing": _rule_missing,
    "aws-tunnel-down": _tunnel_down,
    "aws-vpc-block": _vpc_block,
}
"""What each fault changes in the account; the others act on requests."""
