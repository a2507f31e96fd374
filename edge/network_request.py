"""The firewall request of a network stack: the AWS side, for all sites together and for each of them alone.

What a site must open itself depends on its Palette, proxy and operating systems: the request of the site's own stack
has it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from edge.endpoints.firewall import FirewallRule, firewall_rules
from edge.endpoints.render import Format, comma_separated, markdown
from edge.network import NetworkFacts
from edge.settings.site import SiteNetworks

ALL = "all sites"


def aws_side(facts: NetworkFacts) -> tuple[FirewallRule, ...]:
    """Return what the team of the AWS account must open, sorted and unique."""
    return tuple(rule for rule in firewall_rules(facts, ()) if rule.side == "aws")


def narrowed(facts: NetworkFacts, site: SiteNetworks) -> NetworkFacts:
    """Return the facts of a cluster with the networks of one site only."""
    nodes, pods = (tuple(map(str, blocks)) for blocks in (site.remote_node_cidrs, site.remote_pod_cidrs))
    return replace(facts, remote_node_cidrs=nodes, remote_pod_cidrs=pods)


def requests(facts: NetworkFacts, sites: Mapping[str, SiteNetworks]) -> dict[str, tuple[FirewallRule, ...]]:
    """Return the requests by site, in the order of their names; first that of all sites together."""
    return {ALL: aws_side(facts), **{name: aws_side(narrowed(facts, sites[name])) for name in sorted(sites)}}


def render_requests(found: Mapping[str, Sequence[FirewallRule]], form: Format, *, title: str) -> str:
    """Return the requests in one of the formats; equal rules give equal text, with a line break at the end."""
    if form == "json":
        sites = {name: [rule.to_dict() for rule in rules] for name, rules in found.items() if name != ALL}
        rules = [rule.to_dict() for rule in found[ALL]]
        document = {"schema": 1, "request": title, "rules": rules, "sites": sites}
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if form == "csv":
        return _csv(found)
    return "\n".join(markdown(rules, f"{title}, {name}") for name, rules in found.items())


def _csv(found: Mapping[str, Sequence[FirewallRule]]) -> str:
    """Return one table with the site in a column of its own before the others."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for at, (name, rules) in enumerate(found.items()):
        head, *rows = csv.reader(io.StringIO(comma_separated(rules, name)))
        if not at:
            writer.writerow(("site", *head))
        writer.writerows((name, *row) for row in rows)
    return buffer.getvalue()
