"""The one table of package names per family of operating systems, and of services per thing that Palette manages.

The vendor's page names the packages for apt only. The names for Red Hat Enterprise Linux and Amazon Linux stand beside
them here, so that a new family is one more column and no script has to know a package name.

An entry is what gets installed, followed by what counts as "already there" besides the package itself:

    curl|cmd:curl                             the command is there (Amazon Linux ships curl-minimal, which conflicts)
    systemd-resolved|unit:systemd-resolved.service   the unit is there (Ubuntu 22.04 has it inside systemd)
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Family = Literal["apt", "rhel", "amazon"]
Manages = Literal["ntp", "dns", "staticIp", "overlay"]

FAMILIES: tuple[Family, ...] = ("apt", "rhel", "amazon")
MANAGES: tuple[Manages, ...] = ("ntp", "dns", "staticIp", "overlay")


@dataclass(frozen=True)
class Dependency:
    """One thing a host needs: its package in each family, and why it is needed."""

    name: str
    reason: str
    apt: str
    rhel: str
    amazon: str

    def package(self, family: Family) -> str:
        """Return the entry of `family`: package name and, after `|`, what else counts as installed."""
        entry: str = getattr(self, family)
        return entry


def _same(name: str, reason: str) -> Dependency:
    return Dependency(name, reason, name, name, name)


# What the agent's installer tests, what it uses without a test, and what the vendor's page asks for besides.
BASE: tuple[Dependency, ...] = (
    _same("bash", "the installer is a bash script"),
    _same("jq", "the installer tests for it"),
    _same("zstd", "the installer unpacks images with it"),
    _same("rsync", "the installer copies the payload with it"),
    Dependency(
        "conntrack",
        "kube-proxy and Palette's own Kubernetes need it",
        "conntrack",
        "conntrack-tools",
        "conntrack-tools",
    ),
    Dependency(
        "iptables", "kube-proxy and Cilium need it", "iptables", "iptables|cmd:iptables", "iptables-nft|cmd:iptables"
    ),
    _same("rsyslog", "Palette's audit log goes through it"),
    Dependency(
        "curl", "the installer downloads with it and does not test for it", "curl", "curl|cmd:curl", "curl|cmd:curl"
    ),
    _same("ca-certificates", "without it no TLS connection can be verified"),
    _same("ethtool", "the VMXNET3 stage of the user-data switches the offload off with it"),
)

# Installed only where nothing keeps the clock yet, or where Palette shall manage NTP.
TIME_DAEMON = Dependency(
    "time daemon", "a clock that drifts breaks TLS and AWS signatures", "systemd-timesyncd", "chrony", "chrony"
)

_TIMESYNCD = Dependency(
    "systemd-timesyncd",
    "Palette manages NTP through it",
    "systemd-timesyncd|unit:systemd-timesyncd.service",
    "systemd-timesyncd|unit:systemd-timesyncd.service",
    "systemd-timesyncd|unit:systemd-timesyncd.service",
)
_RESOLVED = Dependency(
    "systemd-resolved",
    "Palette manages DNS through it, and overlay networks need it",
    "systemd-resolved|unit:systemd-resolved.service",
    "systemd-resolved|unit:systemd-resolved.service",
    "systemd-resolved|unit:systemd-resolved.service",
)
_NETWORKD = Dependency(
    "systemd-networkd",
    "Palette manages static addresses through it, and overlay networks need it",
    "systemd|unit:systemd-networkd.service",
    "systemd-networkd|unit:systemd-networkd.service",
    "systemd-networkd|unit:systemd-networkd.service",
)

# Which services Palette needs for what it shall manage, as the vendor's page lists them.
_MANAGED: dict[Manages, tuple[Dependency, ...]] = {
    "ntp": (_TIMESYNCD,),
    "dns": (_RESOLVED,),
    "staticIp": (_NETWORKD,),
    "overlay": (_RESOLVED, _NETWORKD),
}

_ALWAYS_ON = ("rsyslog",)


def dependencies(manages: Collection[str] = ()) -> tuple[Dependency, ...]:
    """Return what a host needs when Palette manages `manages`, each once, in the order of the table."""
    wanted = list(BASE)
    for thing in MANAGES:
        if thing in manages:
            wanted += [dependency for dependency in _MANAGED[thing] if dependency not in wanted]
    return tuple(wanted)


def packages(family: Family, manages: Collection[str] = ()) -> tuple[str, ...]:
    """Return the package entries (with their `|` alternatives) of one family."""
    return tuple(dependency.package(family) for dependency in dependencies(manages))


def services(manages: Collection[str] = ()) -> tuple[str, ...]:
    """Return the units, without suffix, that must be enabled and running when Palette manages `manages`."""
    managed = [dependency.name for dependency in dependencies(manages) if dependency not in BASE]
    return (*_ALWAYS_ON, *managed)
