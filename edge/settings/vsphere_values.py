"""The plain values of the vSphere side: names and paths of the inventory, sizes, MAC addresses, thumbprints.

vCenter keeps three characters of a name escaped (`%25`, `%2f`, `%5c`), so that a slash always parts two names. A name or
a path is written here as vCenter keeps it.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from edge.settings.base import refuse
from edge.settings.scalars import Address, Gibibytes, Whole, address, dns_name, one_line

NAME_LIMIT = 80  # of every object in vCenter's inventory
MINIMUM_CPUS, MAXIMUM_CPUS = 2, 256
MINIMUM_MEMORY_MIB, MAXIMUM_MEMORY_MIB = 4 * 1024, 24 * 1024 * 1024
MINIMUM_DISK_GIB, MAXIMUM_DISK_GIB = 32, 62 * 1024
VCENTER_PORT = 443

_STATIC_MAC = re.compile(r"00:50:56:[0-3][0-9a-f]:[0-9a-f]{2}:[0-9a-f]{2}")
_ANY_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}")
_THUMBPRINT_WORDS = re.compile(r"^(SHA-?256|SHA-?1)?\s*(Fingerprint)?\s*[=:]?\s*", re.IGNORECASE)


def _escapes(text: str) -> None:
    """Refuse a percent sign that stands for itself."""
    found = re.search(r"%(?!25|2[fF]|5[cC])", text)
    if found:
        raise refuse("has a `%`, which vCenter keeps as %25 in a name", f"Write {text.replace('%', '%25')}")


def inventory_name(value: object) -> str:
    """Return the name of one object in the inventory, escaped as vCenter keeps it, at most 80 characters."""
    text = one_line(value)
    _escapes(text)
    if "/" in text or "\\" in text:
        raise refuse(
            "has a slash, which parts two names in the inventory",
            "Write the name alone, without a path; a slash in the name itself is written"
            f" {'%2f' if '/' in text else '%5c'}",
        )
    if len(text) > NAME_LIMIT:
        raise refuse(f"is longer than the {NAME_LIMIT} characters of a name in vCenter", "Use a shorter name")
    return text


def inventory_path(value: object) -> str:
    """Return a name or a path of names in the inventory, each part as `inventory_name` wants it."""
    text = one_line(value)
    _escapes(text)
    if "\\" in text:
        raise refuse("has a backslash", "Part the names by `/`; a backslash in a name itself is written %5c")
    parts = text.removeprefix("/").split("/")
    if any(not part.strip() or part in (".", "..") for part in parts):
        raise refuse("is no path in the inventory", "Write the names from outside to inside, parted by one `/` each")
    if any(len(part) > NAME_LIMIT for part in parts):
        raise refuse(f"has a name longer than the {NAME_LIMIT} characters of vCenter", "Use shorter names")
    return text


def _folder(value: object) -> str:
    """Return the path of a folder below a datacenter's folder of machines."""
    text = inventory_path(value)
    if text.startswith("/"):
        raise refuse(
            "begins with a slash, but stands below the datacenter's folder of machines",
            f"Write it without the datacenter and `vm`, for example {text.rstrip('/').rpartition('/')[2]}",
        )
    return text


def _machine_path(value: object) -> str:
    """Return the whole path of a machine: /DATACENTER/vm/FOLDER/NAME."""
    text = inventory_path(value)
    before, middle, after = text.partition("/vm/")
    if not text.startswith("/") or not before.strip("/") or not middle or not after:
        raise refuse(
            "is no whole path of a virtual machine",
            "Write it as `govc find / -type m` prints it: /DATACENTER/vm/FOLDER/NAME",
        )
    return text


def mac_address(value: object) -> str:
    """Return a MAC address of the range that VMware leaves to people (00:50:56:00:00:00 to 00:50:56:3f:ff:ff)."""
    text = one_line(value)
    plain = text.lower().replace("-", ":")
    if not _ANY_MAC.fullmatch(text):
        raise refuse("is no MAC address", 'Write six pairs of hexadecimal digits, for example "00:50:56:01:02:03"')
    if not _STATIC_MAC.fullmatch(plain):
        raise refuse(
            "is outside the range that vSphere takes for an address given by hand",
            'Choose one from "00:50:56:00:00:00" to "00:50:56:3f:ff:ff", or remove it: the program derives one',
        )
    return plain


def thumbprint(value: object) -> str:
    """Return the SHA-256 of a certificate as 64 lower-case hexadecimal digits."""
    text = one_line(value)
    remedy = (
        "Write the 64 hexadecimal digits of `openssl s_client -connect SERVER:443 </dev/null | openssl x509 -noout"
        " -fingerprint -sha256`, after comparing them on the console"
    )
    digits = _THUMBPRINT_WORDS.sub("", text).replace(":", "").replace(" ", "").lower()
    if re.fullmatch(r"[0-9a-f]{40}", digits):
        raise refuse("is a SHA-1 thumbprint, which can be forged", remedy)
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise refuse("is no SHA-256 thumbprint of a certificate", remedy)
    return digits


def server(value: object) -> str:
    """Return a vCenter as HOST or HOST:PORT."""
    text = one_line(value)
    host, colon, port = text.partition(":")
    if "/" in text:
        raise refuse("must be a host name only", f"Write it without scheme and path: {dns_name_of(text)}")
    if colon and not (port.isdecimal() and 1 <= int(port) <= 65535):
        raise refuse("has no usable port", f"Write {host or 'HOST'}:443, or only {host or 'HOST'}")
    name = str(address(host)) if re.fullmatch(r"[0-9.]+", host) else dns_name(host)
    return f"{name}:{int(port)}" if colon else name


def dns_name_of(text: str) -> str:
    """Return the host of something that looks like a URL, for a remedy."""
    rest = text.partition("://")[2] or text
    return rest.partition("/")[0] or "vcenter.example.com"


def mebibytes(value: object) -> int:
    """Return the MiB of a memory size such as `16GiB` or `16384MiB`; vSphere wants a multiple of 4 MiB."""
    found = re.fullmatch(r"([1-9][0-9]{0,8})\s?(GiB|MiB)", value) if isinstance(value, str) else None
    if not found:
        raise refuse("is no size of a memory", "Write a whole number and GiB or MiB, for example 16GiB or 16384MiB")
    size = int(found[1]) * (1024 if found[2] == "GiB" else 1)
    if size < MINIMUM_MEMORY_MIB:
        raise refuse("is too little memory for an edge host", "Write 4GiB or more; 8GiB or more is best")
    if size % 4:
        raise refuse("is no multiple of 4 MiB", f"Write {size - size % 4}MiB or {size + 4 - size % 4}MiB")
    if size > MAXIMUM_MEMORY_MIB:
        raise refuse("is more memory than vSphere gives to one machine", f"Write {MAXIMUM_MEMORY_MIB >> 10}GiB or less")
    return size


def shown_memory(mib: int) -> str:
    """Return a memory size as a person writes it."""
    return f"{mib}MiB" if mib % 1024 else f"{mib // 1024}GiB"


def _disk(value: int) -> int:
    if value < MINIMUM_DISK_GIB:
        raise refuse(
            "is too small a disk for an edge host", f"Write {MINIMUM_DISK_GIB}GiB or more; 100GiB or more is best"
        )
    if value > MAXIMUM_DISK_GIB:
        raise refuse("is larger than a disk in vSphere can be", f"Write {MAXIMUM_DISK_GIB}GiB or less")
    return value


def _unicast(value: IPv4Address) -> IPv4Address:
    """Refuse an address that no gateway and no name server can have, as a machine sees it."""
    if value.is_loopback or value.is_multicast or value.is_unspecified or value.is_reserved:
        raise refuse("can be no other machine's address", "Write the unicast address of that machine")
    return value


def short_text(value: object) -> str:
    """Return a value of a tag or of a custom attribute: one line of at most 256 characters."""
    text = one_line(value)
    if len(text) > 256:
        raise refuse("is longer than 256 characters", "Use a shorter text")
    return text


_TEXT = WithJsonSchema({"type": "string", "minLength": 1})
InventoryName = Annotated[str, BeforeValidator(inventory_name), _TEXT]
InventoryPath = Annotated[str, BeforeValidator(inventory_path), _TEXT]
FolderPath = Annotated[str, BeforeValidator(_folder), _TEXT]
MachinePath = Annotated[str, BeforeValidator(_machine_path), WithJsonSchema({"type": "string", "pattern": "^/.+/vm/"})]
MacAddress = Annotated[
    str, BeforeValidator(mac_address), WithJsonSchema({"type": "string", "pattern": "^00[:-]50[:-]56[:-][0-3]"})
]
Thumbprint = Annotated[str, BeforeValidator(thumbprint), _TEXT]
Server = Annotated[str, BeforeValidator(server), _TEXT]
Memory = Annotated[
    int,
    BeforeValidator(mebibytes),
    PlainSerializer(shown_memory),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]* ?(GiB|MiB)$"}),
]
Disk = Annotated[Gibibytes, AfterValidator(_disk)]
Cpus = Annotated[Whole, Field(ge=MINIMUM_CPUS, le=MAXIMUM_CPUS)]
OtherAddress = Annotated[Address, AfterValidator(_unicast)]
ShortText = Annotated[str, BeforeValidator(short_text), _TEXT]
