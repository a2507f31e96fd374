"""The endpoint table of a site: made once, used by the checks on the hosts, the firewall request and the exports."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from edge.canvos.images import registry_of
from edge.endpoints.aws import aws_rows
from edge.endpoints.model import Endpoint, EndpointQuery, merge
from edge.endpoints.os_repos import addon_rows, os_rows
from edge.endpoints.palette import palette_rows
from edge.endpoints.site import site_rows
from edge.images.reference import image_reference

if TYPE_CHECKING:
    from edge.network import NetworkFacts
    from edge.settings import Cilium, HostSettings, StackSettings

# How Cilium's features are called in the settings, and in a query.
_CILIUM = {
    "wireguard": "wireguard",
    "geneve": "geneve",
    "mutual_auth": "mutualAuth",
    "hubble_relay": "hubbleRelay",
    "bgp": "bgp",
}


@lru_cache(maxsize=256)  # the hosts of a site mostly share one table
def endpoint_table(query: EndpointQuery) -> tuple[Endpoint, ...]:
    """Return every endpoint of a site, sorted and unique; equal queries give equal tables."""
    return merge((*palette_rows(query), *aws_rows(query), *os_rows(query), *addon_rows(query), *site_rows(query)))


def cilium_features(cilium: Cilium) -> tuple[str, ...]:
    """Return the features that are on, by the words that queries and host checks use."""
    return tuple(feature for name, feature in _CILIUM.items() if getattr(cilium, name))


def query_for(settings: StackSettings, facts: NetworkFacts, host: HostSettings | None = None) -> EndpointQuery:
    """Return the query of a whole site, or of one host of it, whose proxy may be another one.

    Of operating systems the settings know little: FIPS means RHEL, and a virtual machine that is made on vSphere is
    amd64, as every appliance is. `acceptOs` widens the list of systems and does not say which one a host has; so all of AWS's list is asked of
    the firewall, and each host's package manager is judged on the host.
    """
    site, agent = settings.site, settings.release.agent
    credentials = site.palette.registry_credentials
    views = [host] if host is not None else [settings.host_view(name) for name in site.hosts]
    virtual = all(view.vm is not None or view.mode == "appliance" for view in views)
    modes = frozenset(view.mode for view in views)
    registries = (credentials.domain,) if credentials is not None else ()
    image = image_reference(settings) if "appliance" in modes else ""
    return EndpointQuery(
        facts=facts,
        palette_endpoint=site.palette.endpoint,
        dedicated=site.palette.dedicated,
        installer_url=agent.base_url,
        agent_image=agent.image or "",
        os_families=("rhel",) if site.fips else (),
        architectures=("amd64",) if virtual else ("amd64", "arm64"),
        fips=site.fips,
        proxy=any(view.proxy is not None for view in views),
        registries=tuple(dict.fromkeys((*registries, registry_of(image)))) if image else registries,
        cilium=frozenset(cilium_features(site.cilium)),
        modes=modes,
    )


def to_tsv(endpoints: Iterable[Endpoint], proxy: bool) -> str:
    """Return the table that travels to a host: one line for each endpoint that is probed from there.

    Fields: host, port, probe, `required` or `optional` (a warning), `proxy` or `direct`, reason. `proxy` says that the
    host has one; whatever must not go by a proxy (interfaces of the control plane, private endpoints) says `direct` all
    the same. Every phase is probed: what a join needs next month is asked of the firewall today.
    """
    lines = []
    for row in endpoints:
        if row.direction == "out" and row.probe != "none":
            via = "proxy" if proxy and row.via_proxy else "direct"
            need = "required" if row.required == "required" else "optional"
            reason = f"{row.reason} (when {row.condition})" if row.condition else row.reason
            fields = (row.host, str(row.port), row.probe, need, via, reason)
            lines.append("\t".join(" ".join(field.split()) for field in fields) + "\n")
    return "".join(lines)
