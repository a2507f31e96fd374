"""The table of packages: every family has every dependency, and `manages` decides on what Palette needs."""

from __future__ import annotations

import re

import pytest

from edge import packages

ENTRY = re.compile(r"[a-z0-9][a-z0-9+.-]*(\|(cmd|unit):[A-Za-z0-9@._-]+)*")


@pytest.mark.row("A10")
@pytest.mark.parametrize("family", packages.FAMILIES)
def test_every_family_has_every_dependency_and_entries_a_script_can_read(family: packages.Family) -> None:
    entries = packages.packages(family, packages.MANAGES)
    assert len(entries) == len(packages.BASE) + 3
    assert all(ENTRY.fullmatch(entry) for entry in entries)
    assert len(set(entries)) == len(entries)


@pytest.mark.row("A10")
def test_apt_has_the_vendors_own_list() -> None:
    assert {"bash", "jq", "zstd", "rsync", "conntrack", "iptables", "rsyslog"} <= set(packages.packages("apt"))
    assert packages.TIME_DAEMON.apt == "systemd-timesyncd"


@pytest.mark.row("A10")
def test_what_the_steps_use_is_in_every_family() -> None:
    for family in packages.FAMILIES:
        names = {entry.split("|")[0] for entry in packages.packages(family)}
        assert {"curl", "ca-certificates", "ethtool"} <= names


@pytest.mark.row("A10")
@pytest.mark.parametrize(
    ("manages", "wanted"),
    [
        ((), ("rsyslog",)),
        (("ntp",), ("rsyslog", "systemd-timesyncd")),
        (("dns",), ("rsyslog", "systemd-resolved")),
        (("staticIp",), ("rsyslog", "systemd-networkd")),
        (("overlay",), ("rsyslog", "systemd-resolved", "systemd-networkd")),
        (("dns", "overlay", "ntp"), ("rsyslog", "systemd-timesyncd", "systemd-resolved", "systemd-networkd")),
    ],
)
def test_manages_decides_on_the_services(manages: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    assert packages.services(manages) == wanted


def test_the_order_of_manages_does_not_matter() -> None:
    """The list goes into a step's input: another order must not read as a change."""
    assert packages.packages("apt", ("ntp", "overlay")) == packages.packages("apt", ("overlay", "ntp"))


def test_each_dependency_says_why() -> None:
    for dependency in packages.dependencies(packages.MANAGES):
        assert dependency.reason
