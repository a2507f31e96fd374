"""The derived MAC address of a virtual machine."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from edge.userdata import dump
from edge.vm.mac import STATIC_MAC, mac_of, shared_macs

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True)


@given(site=NAMES, host=NAMES)
def test_every_address_is_one_that_vsphere_takes_from_people(site: str, host: str) -> None:
    mac = mac_of(site, host)
    assert STATIC_MAC.fullmatch(mac)
    assert "00:50:56:00:00:00" <= mac <= "00:50:56:3f:ff:ff"
    assert mac == mac_of(site, host)
    assert yaml.safe_load(dump({"mac": mac})) == {"mac": mac}


def test_the_addresses_of_the_first_version_stay() -> None:
    """Another address would cut every guest off: its network configuration finds the card by it."""
    assert mac_of("plant", "plant-a") == "00:50:56:02:83:a4"


@given(number=st.integers(0, 2**22 - 1))
def test_no_address_is_read_as_a_number(number: int) -> None:
    mac = ":".join(f"{octet:02x}" for octet in (0, 0x50, 0x56, number >> 16, number >> 8 & 0xFF, number & 0xFF))
    assert yaml.safe_load(dump({"mac": mac})) == {"mac": mac}


def test_names_spread_over_the_range() -> None:
    macs = {mac_of("plant", f"host-{number}") for number in range(2000)}
    assert len(macs) > 1995
    assert len({mac.split(":")[3] for mac in macs}) == 64


def test_two_hosts_with_one_address_are_found() -> None:
    macs = {"a": "00:50:56:00:00:01", "b": "00:50:56:00:00:02", "c": "00:50:56:00:00:01"}
    assert shared_macs(macs) == {"00:50:56:00:00:01": ("a", "c")}
    assert shared_macs({"a": "00:50:56:00:00:01"}) == {}


def test_a_site_and_its_hosts_do_not_run_into_each_other() -> None:
    assert mac_of("plant-1", "1a") != mac_of("plant-11", "a")
