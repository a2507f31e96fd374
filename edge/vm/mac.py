"""The MAC address of a virtual machine, derived from site and host.

The guest's network configuration finds its interface by it, so it must be known before there is a machine; and a machine
that is made anew keeps it, so that reservations and port security which know the address go on working.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

# vSphere takes an address given by hand only from this range: VMware's own OUI, and 22 bits for people.
_PREFIX = (0x00, 0x50, 0x56)
_BITS = 22
STATIC_MAC = re.compile(r"00:50:56:[0-3][0-9a-f]:[0-9a-f]{2}:[0-9a-f]{2}")


def mac_of(site: str, host: str) -> str:
    """Return the MAC address of a host of a site, six pairs in lower case; every generation has the same."""
    digest = hashlib.sha256(f"edge-hosts mac\0{site}\0{host}".encode()).digest()
    number = int.from_bytes(digest[:4], "big") >> (32 - _BITS)
    octets = (*_PREFIX, number >> 16, number >> 8 & 0xFF, number & 0xFF)
    return ":".join(f"{octet:02x}" for octet in octets)


def shared_macs(macs: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the addresses that more than one host has, each with its hosts; `macs` holds one address per host.

    Two derived addresses of one site are the same by chance about once in 60,000 sites of twelve hosts; one of the two
    then needs a `mac:` of its own.
    """
    hosts: dict[str, list[str]] = {}
    for host, mac in macs.items():
        hosts.setdefault(mac.lower(), []).append(host)
    return {mac: tuple(names) for mac, names in sorted(hosts.items()) if len(names) > 1}
