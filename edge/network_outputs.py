"""What a network stack exports for its sites, and what one site makes of it. Pure, on plain data.

The exports are a format: `form` counts its changes, so that a site can say which of the two programs is older.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from edge.errors import FactsError, SettingsError
from edge.findings import Finding
from edge.network import NetworkFacts
from edge.settings.network import StackNetwork
from edge.settings.site import SiteNetworks
from edge.stack_exports import believed, without_value

FORM = 1
KEYS = ("kind", "form", "network", "sites")
_LISTS = ("remote_node_cidrs", "remote_pod_cidrs")


def site_networks(sites: Mapping[str, SiteNetworks]) -> dict[str, dict[str, list[str]]]:
    """Return the networks of all sites as they are exported."""
    return {name: {key: [str(one) for one in getattr(site, key)] for key in _LISTS} for name, site in sites.items()}


def network_outputs(facts: NetworkFacts, sites: Mapping[str, SiteNetworks]) -> dict[str, Any]:
    """Return the exports that a site reads: kind, form, the facts of the whole cluster, and the networks of every site."""
    return {"kind": "network", "form": FORM, "network": facts.to_dict(), "sites": site_networks(sites)}


def site_facts(
    outputs: Mapping[str, Any], *, site: str, region: str, stack: str, network: StackNetwork | None = None
) -> NetworkFacts:
    """Return the facts of one site out of the exports of a network stack.

    The remote networks are the site's own; those of the others stand in `other_sites`. What the site writes about itself
    in `network` (private path, resolvers) wins. Raises FactsError when the exports are none of a network stack, not of
    this form, or of a run that failed; SettingsError when they do not fit the site, with every finding.
    """
    where = f"network stack {stack}"
    _believable(outputs, where)
    facts, sites = _parsed(outputs, where)
    findings = list(_unfit(facts, sites, site, region, stack, network))
    if findings:
        raise SettingsError(findings, where=where)
    own = sites[site]
    others = (f"{name} {block}" for name, lists in sorted(sites.items()) if name != site for block in _blocks(lists))
    facts = replace(
        facts,
        remote_node_cidrs=tuple(own["remote_node_cidrs"]),
        remote_pod_cidrs=tuple(own["remote_pod_cidrs"]),
        other_sites=tuple(others),
    )
    written = network.model_fields_set if network else frozenset()
    if network and "private_path" in written:
        facts = replace(facts, private_path=network.private_path)
    if network and "inbound_resolvers" in written:
        facts = replace(facts, inbound_resolvers=tuple(map(str, network.inbound_resolvers)))
    return facts


def _believable(outputs: Mapping[str, Any], where: str) -> None:
    """Raise FactsError unless the exports are those of a network stack whose last run went well."""
    known = believed(outputs, KEYS, kind="network", setting="site.network.stack", where=where)
    form = known.get("form")
    if form != FORM:
        shown = f"{form:g}" if isinstance(form, int | float) else "none"
        older = not isinstance(form, int | float) or form < FORM
        remedy = (
            "run `pulumi up` for it with this version of the program."
            if older
            else "use the version of the program that deployed it."
        )
        raise FactsError(
            f"its exports have the form {shown}, but this program reads form {FORM}.", remedy=remedy, where=where
        )


def _parsed(outputs: Mapping[str, Any], where: str) -> tuple[NetworkFacts, Mapping[str, Mapping[str, list[str]]]]:
    network, sites = outputs.get("network"), outputs.get("sites")
    if not isinstance(network, Mapping) or not isinstance(sites, Mapping):
        raise without_value("network" if not isinstance(network, Mapping) else "sites", where)
    for name, lists in sites.items():
        if not isinstance(lists, Mapping) or any(not isinstance(lists.get(key), list) for key in _LISTS):
            remedy = "run `pulumi up` for it with this version."
            raise FactsError(f"its output 'sites' has no networks for {name}.", remedy=remedy, where=where)
    try:
        return NetworkFacts.from_dict(network), sites
    except FactsError as error:
        raise FactsError(f"{error.message}.", remedy=error.remedy, where=where) from None


def _unfit(
    facts: NetworkFacts,
    sites: Mapping[str, Any],
    site: str,
    region: str,
    stack: str,
    network: StackNetwork | None,
) -> Iterator[Finding]:
    """Yield what does not fit between a site and its network stack."""
    if facts.region != region:
        problem = f"is not the region of the network stack {stack}, which is {facts.region}"
        yield Finding("site.network.region", region, problem, f"Write {facts.region}, here or as `aws:region`.")
    if site not in sites:
        there = ", ".join(sorted(sites)) or "none"
        problem = f"is no site of the network stack {stack}, which has {there}"
        remedy = f"Add `{site}:` with its networks below `sites:` in Pulumi.{stack.rpartition('/')[2]}.yaml, and run"
        yield Finding("site.name", site, problem, f"{remedy} `pulumi up` for that stack first.")
    written = network is not None and "credential_provider" in network.model_fields_set
    if network is not None and written and network.credential_provider != facts.credential_provider:
        problem = f"is not that of the network stack {stack}, which is {facts.credential_provider}"
        yield Finding(
            "site.network.credentialProvider",
            network.credential_provider,
            problem,
            "Remove it: role and trust belong to the cluster, and all its hosts use them.",
        )


def _blocks(lists: Mapping[str, list[str]]) -> Iterator[str]:
    for key in _LISTS:
        yield from lists[key]
