"""What a source of network facts is asked: the same question for a site and for a network stack, whatever the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from edge.aws.access import AwsAccess
from edge.settings.identity import Activation
from edge.settings.network import Network
from edge.settings.network_stack import AwsSettings, NetworkSettings
from edge.settings.site import SiteNetworks
from edge.settings.stack import StackSettings
from edge.settings.surroundings import addresses_around, networks_around
from edge.stages import Stage


@dataclass(frozen=True)
class NetworkQuestion:
    """What a source needs to know of the stack that asks.

    `site` is the site's name, "" in a network stack; `sites` the networks of the sites of a network stack, empty in a site.
    `hosts` are the addresses of the site's hosts, `kubernetes` the version that its release installs ("" = not judged),
    `generations` the sum of their generations: how often machines of the site have registered, or will have. `os_names`,
    `others` and `own` are what `edge.network.network_rules` wants to know of a site.
    """

    network: Network
    region: str
    stage: Stage
    owner: str
    aws: AwsAccess
    site: str = ""
    sites: Mapping[str, SiteNetworks] = field(default_factory=dict)
    hosts: Mapping[str, IPv4Address] = field(default_factory=dict)
    kubernetes: str = ""
    activation: Activation | None = None
    generations: int = 0
    os_names: tuple[str, ...] = ()
    others: Mapping[str, IPv4Address] = field(default_factory=dict)
    own: Mapping[str, IPv4Network] = field(default_factory=dict)

    @property
    def owns_cluster(self) -> bool:
        """Whether objects of the whole cluster may be made here: in a network stack, or where the site makes all of it."""
        return not self.site or self.network.source == "managed"


def question_of(settings: AwsSettings) -> NetworkQuestion:
    """Return the question of a stack."""
    if isinstance(settings, NetworkSettings):
        return NetworkQuestion(
            network=settings.site.network,
            region=settings.site.network.region or settings.region,
            stage=settings.stage,
            owner=settings.owner,
            aws=settings.aws,
            sites=settings.site.sites,
        )
    site = settings.site
    return NetworkQuestion(
        network=site.network,
        region=site.network.region or settings.region,
        stage=settings.stage,
        owner=settings.owner,
        aws=settings.aws,
        site=site.name,
        hosts={name: host.ip for name, host in site.hosts.items()},
        kubernetes=settings.release.kubernetes,
        activation=site.activation,
        generations=sum(host.generation for host in site.hosts.values()),
        os_names=tuple(sorted({name for host in settings.host_views() for name in host.accept_os})),
        **_surroundings(settings),
    )


def _surroundings(settings: StackSettings) -> dict[str, Any]:
    """Return what else a site has written down that a cluster's networks must not swallow."""
    others = addresses_around(settings.site, settings.host_views(), settings.release)
    return {"others": others, "own": networks_around(settings.site)}
