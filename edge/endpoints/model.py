"""One row of the endpoint table, and the question that a table answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # edge.network asks this package for partitions
    from edge.network import NetworkFacts

Phase = Literal["install", "join", "ongoing"]
Need = Literal["required", "conditional", "optional"]
Probe = Literal["tcp", "tls", "https", "apiserver", "none"]
Peer = Literal["palette", "aws", "vpc", "internet", "site"]

PHASES: tuple[Phase, ...] = ("install", "join", "ongoing")
NEEDS: tuple[Need, ...] = ("required", "conditional", "optional")
PEERS: tuple[Peer, ...] = ("palette", "aws", "vpc", "internet", "site")

INSTALLER = "https://github.com/spectrocloud/agent-mode/releases/latest/download/palette-agent-install.sh"


@dataclass(frozen=True)
class Endpoint:
    """One thing that an edge host must reach, or (direction `in`) be reached by.

    `host` is the far end: a name, an address, a CIDR block, a name with a leading `*.`, or words for what only the site
    knows ("DNS servers of the site"). `peer` is the side it stands on. `required`: without it something breaks;
    `conditional`: only under `condition`, so a failed probe is a warning; `optional`: for the firewall request only.
    `via_proxy` says whether the connection may go through the site's proxy, not whether there is one.
    `private_service` is the PrivateLink service that can stand in for a public name.
    """

    host: str
    port: int
    protocol: Literal["tcp", "udp"]
    direction: Literal["out", "in"]
    peer: Peer
    phase: frozenset[Phase]
    required: Need
    condition: str
    private_service: str | None
    reason: str
    source: str
    probe: Probe
    via_proxy: bool

    def __post_init__(self) -> None:
        if self.probe != "none" and (self.direction == "in" or self.protocol == "udp" or not _is_one_host(self.host)):
            raise ValueError(f"{self.host}:{self.port} cannot be probed from a host: its probe must be 'none'")
        if self.required == "conditional" and not self.condition:
            raise ValueError(f"{self.host}:{self.port} is conditional: name the condition")

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What makes a row unique: direction, host, port, protocol."""
        return (self.direction, self.host, self.port, self.protocol)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, phases in the order of their time."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**data, "phase": [phase for phase in PHASES if phase in self.phase]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Endpoint:
        """Return the row of `to_dict`; the engine may have turned the port into a float."""
        return cls(**{**data, "phase": frozenset(data["phase"]), "port": int(data["port"])})


def _is_one_host(host: str) -> bool:
    return "*" not in host and "/" not in host and " " not in host


@dataclass(frozen=True)
class EndpointQuery:
    """What a table depends on, besides the facts of the network.

    `palette_endpoint`: host name, `NAME:PORT` or URL that hosts register with; `dedicated`: it is not Palette SaaS.
    `os_families`: `ubuntu`, `rhel`, `amzn`, as far as known; empty = any of those that AWS supports.
    `os_repos`: the site's own package mirrors (names or URLs), which replace the vendors' hosts. `agent_image`: payload
    image of the release. `registries`: further image registries of the site. `cilium`: features that are on (`geneve`,
    `wireguard`, `mutualAuth`, `bgp`). `modes` of the hosts (`agent`, `appliance`): an appliance downloads no installer and
    installs no packages; its image's registry is one of `registries`.
    """

    facts: NetworkFacts
    palette_endpoint: str = "api.spectrocloud.com"
    dedicated: bool = False
    installer_url: str = INSTALLER
    agent_image: str = ""
    os_families: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ("amd64", "arm64")
    fips: bool = False
    proxy: bool = False
    os_repos: tuple[str, ...] = ()
    registries: tuple[str, ...] = ()
    cilium: frozenset[str] = frozenset()
    modes: frozenset[str] = frozenset({"agent"})


def merge(rows: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """Return the rows sorted and unique.

    Two rows of one key become one: the stronger need wins, with its probe and way; phases add up; every reason and
    source is kept once, and conditions of equal strength are joined.
    """
    merged: dict[tuple[str, str, int, str], Endpoint] = {}
    for row in rows:
        merged[row.key] = _join(merged[row.key], row) if row.key in merged else row
    return tuple(sorted(merged.values(), key=_order))


def _join(one: Endpoint, other: Endpoint) -> Endpoint:
    strong, weak = sorted((one, other), key=lambda row: NEEDS.index(row.required))
    conditions = (strong.condition, weak.condition) if strong.required == weak.required else (strong.condition,)
    return replace(
        strong,
        condition=_joined(" or ", *conditions),
        phase=one.phase | other.phase,
        reason=_joined("; ", strong.reason, weak.reason),
        source=_joined("; ", strong.source, weak.source),
        private_service=strong.private_service or weak.private_service,
    )


def _joined(mark: str, *texts: str) -> str:
    return mark.join(dict.fromkeys(part for text in texts for part in text.split(mark) if part))


def _order(row: Endpoint) -> tuple[object, ...]:
    direction = ("out", "in").index(row.direction)
    return (direction, PEERS.index(row.peer), NEEDS.index(row.required), row.host, row.port, row.protocol)
