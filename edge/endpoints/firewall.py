"""The firewall request: what a network team must open on its side, and in AWS, sorted for a ticket.

It follows from the endpoint table and the network facts alone, so two requests of the same site are equal line by line,
and the difference of two is what changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.endpoints.aws import aws_rows
from edge.endpoints.firewall_aws import aws_side
from edge.endpoints.firewall_build import build_rules, builder_rules
from edge.endpoints.firewall_site import from_endpoints, of_pods, site_only, to_proxies
from edge.endpoints.model import Endpoint, EndpointQuery, Phase, merge
from edge.endpoints.rows import ALWAYS
from edge.endpoints.rule import SECTIONS, WEBHOOK_PORTS, Direction, FirewallRule, Side, Via, nodes_of, order, rule_of
from edge.endpoints.site import site_rows
from edge.endpoints.table import endpoint_table, query_for
from edge.settings.image_places import vcenters_of

if TYPE_CHECKING:
    from edge.network import NetworkFacts
    from edge.settings import StackSettings
    from edge.settings.site import SiteNetworks

__all__ = [
    "SECTIONS", "WEBHOOK_PORTS", "Direction", "FirewallRule", "Side", "Via", "build_rules", "firewall_rules", "network_stack_rules",
    "of_phases", "site_rules",
]  # fmt: skip


def site_rules(settings: StackSettings, facts: NetworkFacts) -> tuple[FirewallRule, ...]:
    """Return the firewall request of a stack, every phase."""
    views = [settings.host_view(name) for name in settings.site.hosts]
    proxies = {view.proxy.https for view in views if view.proxy} | {view.proxy.http_url for view in views if view.proxy}
    rules = firewall_rules(
        facts,
        endpoint_table(query_for(settings, facts)),
        sorted(proxies),
        some_direct=any(view.proxy is None for view in views),
        webhook_ports=getattr(settings.site.network, "webhook_ports", ()),
    )
    return tuple(sorted({*rules, *_logins(settings, facts), *_own_build(settings)}, key=order))


def firewall_rules(
    facts: NetworkFacts,
    endpoints: Iterable[Endpoint],
    proxies: Collection[str] = (),
    *,
    some_direct: bool = True,
    webhook_ports: Collection[int] = (),
) -> tuple[FirewallRule, ...]:
    """Return the request, sorted and unique.

    `proxies`: URLs of the site's proxies. `some_direct`: at least one host has none. `webhook_ports`: those of the
    add-ons on the hosts, where they are known.
    """
    via: Via = "direct" if not proxies else "proxy or direct" if some_direct else "proxy"
    webhooks = tuple(webhook_ports)
    rules = {
        *from_endpoints(facts, endpoints, via),
        *to_proxies(facts, proxies),
        *of_pods(facts, webhooks),
        *site_only(facts),
        *aws_side(facts, webhooks),
    }
    return tuple(sorted(rules, key=order))


def network_stack_rules(
    facts: NetworkFacts, sites: Mapping[str, SiteNetworks], *, webhook_ports: Collection[int] = ()
) -> tuple[FirewallRule, ...]:
    """Return the request of a network of many sites, sorted and unique: the AWS side first, then site by site.

    A rule of the AWS side is that of one site, so that a new site adds lines and changes none. Of a site it holds what
    follows from the AWS side alone; Palette, packages, proxies and logins stand in the request of the site's own stack.
    """
    rules: set[FirewallRule] = set()
    for name in sites:
        local = _facts_of_site(facts, sites, name)
        query = EndpointQuery(local)
        rows = merge((*aws_rows(query), *site_rows(query)))
        for rule in firewall_rules(local, rows, webhook_ports=webhook_ports):
            rules.add(replace(rule, site=name) if rule.side == "site" else rule)
    return tuple(sorted(rules, key=order))


def of_phases(rules: Iterable[FirewallRule], phases: Collection[Phase]) -> tuple[FirewallRule, ...]:
    """Return the rules that one of `phases` needs; all of them when `phases` is empty."""
    return tuple(rule for rule in rules if not phases or rule.phase & frozenset(phases))


def _facts_of_site(facts: NetworkFacts, sites: Mapping[str, SiteNetworks], name: str) -> NetworkFacts:
    """Return the facts as one site sees them. Whose the ends of the tunnels are is only sure when there is one site."""
    others = [(other, networks) for other, networks in sites.items() if other != name]
    return replace(
        facts,
        remote_node_cidrs=tuple(str(cidr) for cidr in sites[name].remote_node_cidrs),
        remote_pod_cidrs=tuple(str(cidr) for cidr in sites[name].remote_pod_cidrs),
        other_sites=tuple(f"{other} {cidr}" for other, networks in others for cidr in networks.remote_node_cidrs),
        tunnel_addresses=() if others else facts.tunnel_addresses,
    )


def _own_build(settings: StackSettings) -> set[FirewallRule]:
    """Return what the build machine of a site needs that builds its image itself."""
    image = settings.site.image
    if image is None or image.source != "build":
        return set()
    login = image.builder.login(settings.site.ssh) if image.builder.machine == "ssh" else None
    vcenters = vcenters_of(image.datastores, settings.site.vcenters)
    return builder_rules(image.build, image.builder, login, vcenters)


def _logins(settings: StackSettings, facts: NetworkFacts) -> Iterator[FirewallRule]:
    """Yield the logins of this program: from where it runs, or from the jump host before the hosts."""
    source = "docs/network.md"
    for name in settings.site.hosts:
        ssh = settings.host_view(name).ssh
        start = "the machine that runs this program"
        if ssh.jump_host is not None:
            ends, reason = (start, ssh.jump_host.address), "SSH to the jump host"
            yield rule_of("login", "in", "tcp", str(ssh.jump_host.port), ends, reason, source, phase=ALWAYS)
            start = ssh.jump_host.address
        ends, reason = (start, nodes_of(facts)), "SSH while `up`, `preflight`, `verify` and `roll` run"
        yield rule_of("login", "in", "tcp", str(ssh.port), ends, reason, source, phase=ALWAYS)
