"""The plain values of the settings: text that stays text, addresses, names, times, keys.

YAML guesses types, and the two readers of a stack file guess differently: so everything that is not a count or a switch
must arrive as text, and each of these types says in one sentence what it wants.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, ip_address, ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, PlainSerializer, StrictBool, WithJsonSchema

from edge.settings.base import not_text, refuse

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DNS_NAME = re.compile(
    r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_TAG = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def require_text(value: object) -> str:
    """Return the value when it is text; refuse everything that YAML has turned into another type."""
    if not isinstance(value, str):
        raise not_text(value)
    if "\0" in value:
        raise refuse("holds a NUL character", "Remove it")
    return value


def one_line(value: object) -> str:
    """Return text without line breaks and outer blanks, not empty."""
    text = require_text(value)
    if not text.strip():
        raise refuse("is empty", "Write a value or remove the key")
    if text != text.strip() or any(ord(char) < 32 for char in text):
        raise refuse(
            "has blanks around it, a line break or a control character",
            "Write it on one line, without blanks around it",
        )
    return text


def label(value: object) -> str:
    """Return a lower-case DNS label of at most 63 characters with at least one letter."""
    text = one_line(value)
    if not _LABEL.fullmatch(text) or text.isdigit():
        raise refuse(
            "is no valid name: it becomes the host name and the Palette id, where only a lower-case DNS label works",
            "Use 1 to 63 characters a-z, 0-9 and inner '-', with at least one letter, and no dots",
        )
    return text


def tag_text(value: object) -> str:
    """Return a key or value of a Palette tag: label-safe, at most 63 characters."""
    text = one_line(value)
    if not _TAG.fullmatch(text):
        raise refuse("is no valid tag", "Use 1 to 63 characters A-Z, a-z, 0-9 and inner '.', '_', '-'")
    return text


def dns_name(value: object) -> str:
    """Return a host name without scheme, port or path."""
    text = one_line(value)
    if "://" in text or "/" in text:
        host = urlsplit(text if "://" in text else f"//{text}").hostname or "HOST"
        raise refuse("must be a host name only", f"Write it without scheme and path: {host}")
    if not _DNS_NAME.fullmatch(text):
        raise refuse("is no host name", "Write a DNS name such as api.spectrocloud.com, without a port")
    return text.lower()


def address(value: object) -> IPv4Address:
    """Return an IPv4 address."""
    if isinstance(value, IPv4Address):
        return value
    text = one_line(value)
    try:
        parsed = ip_address(text)
    except ValueError:
        raise refuse(
            "is no IPv4 address", "Write four numbers from 0 to 255 with dots, for example 10.200.0.11"
        ) from None
    if not isinstance(parsed, IPv4Address):
        raise refuse("is an IPv6 address, which EKS Hybrid Nodes do not support", "Write an IPv4 address")
    return parsed


def host_address(value: object) -> IPv4Interface:
    """Return the address of a host, with its prefix length when it was written."""
    if isinstance(value, IPv4Interface):
        return value
    text = one_line(value)
    bare, _, prefix = text.partition("/")
    ip = address(bare)
    if ip.is_loopback or ip.is_multicast or ip.is_unspecified or ip.is_link_local:
        raise refuse("cannot be the address of an edge host", "Write the host's own static unicast address")
    if prefix and not (prefix.isdigit() and 1 <= int(prefix) <= 30):
        raise refuse("has no usable prefix length", f"Write a length from 1 to 30, for example {ip}/24, or only {ip}")
    interface = IPv4Interface(text)
    if prefix and ip in (interface.network.network_address, interface.network.broadcast_address):
        raise refuse(
            f"is the network or broadcast address of {interface.network}", "Write the address of the host itself"
        )
    return interface


def network(value: object) -> IPv4Network:
    """Return a CIDR block without host bits."""
    if isinstance(value, IPv4Network):
        return value
    text = one_line(value)
    try:
        parsed = ip_network(text, strict=False)
    except ValueError:
        raise refuse("is no CIDR block", "Write an address and a prefix length, for example 10.200.0.0/16") from None
    if not isinstance(parsed, IPv4Network):
        raise refuse("is an IPv6 block, which EKS Hybrid Nodes do not support", "Write an IPv4 block")
    if "/" not in text:
        raise refuse(
            "has no prefix length",
            f"Write {text}/32 if one address is meant, else the block, for example 10.200.0.0/16",
        )
    if str(parsed) != text:
        raise refuse("is an address inside a block, not a block", f"Write {parsed}")
    return parsed


def duration(value: object) -> timedelta:
    """Return a length of time such as `90s`, `20m`, `24h`, `7d`."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str) and (found := re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", value)):
        return timedelta(seconds=int(found[1]) * _UNIT_SECONDS[found[2]])
    raise refuse("is no length of time", "Write a whole number and a unit s, m, h or d, for example 20m or 24h")


def shown_duration(value: timedelta) -> str:
    """Return a time as a person writes it, in the largest unit that fits."""
    total = int(value.total_seconds())
    unit = next(unit for unit in ("d", "h", "m", "s") if total % _UNIT_SECONDS[unit] == 0)
    return f"{total // _UNIT_SECONDS[unit]}{unit}"


def whole(value: object) -> object:
    """Return an integer; the engine hands whole numbers over as floats at times."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise refuse("must be a whole number", "Write a number without quotes")
    return value


def gibibytes(value: object) -> int:
    """Return the GiB of a size such as `16GiB`."""
    if isinstance(value, str) and (found := re.fullmatch(r"([1-9][0-9]{0,5})\s?GiB", value)):
        return int(found[1])
    raise refuse("is no size", "Write a whole number and GiB, for example 16GiB")


def url(value: object, schemes: tuple[str, ...]) -> str:
    """Return an address with one of `schemes`, a host, and neither user, query nor blanks."""
    text = one_line(value)
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  (raises ValueError when the port is no number)
    except ValueError:
        raise refuse("is no valid URL", f"Write {schemes[0]}://HOST") from None
    if parts.scheme not in schemes or not parts.hostname or " " in text:
        raise refuse("is no valid URL", f"Write {' or '.join(f'{scheme}://HOST' for scheme in schemes)}")
    if parts.username or parts.password:
        raise refuse(
            "holds a user name or password", "Write the URL without them; secrets are only named, as {secret: NAME}"
        )
    if parts.query or parts.fragment:
        raise refuse("has a query or a fragment", "Write only scheme, host and path")
    return text.rstrip("/")


def _key_type_inside(text: str) -> str | None:
    """Return the key type that stands inside a base64 key, or None when it is no whole key.

    A key is a row of fields, each with its length before it; a line that lost its end does not come out even.
    """
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    fields: list[bytes] = []
    while blob:
        size = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + size:
            return None
        fields.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return fields[0].decode("ascii", "replace") if len(fields) > 1 else None


HOST_KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


def host_key(value: object) -> str:
    """Return `TYPE BASE64` of one SSH host key; a comment at the end is dropped, so that it never reads as a change."""
    words = one_line(value).split()
    if words[0] == "ssh-dss" or "ssh-dss" in words[:2]:
        raise refuse("is a DSA key, which is too weak", "Pin the ed25519 key of the host instead")
    if words[0] not in HOST_KEY_TYPES:
        if len(words) > 2 and words[1] in HOST_KEY_TYPES:
            raise refuse("is a known_hosts line", f"Remove the leading host name: {' '.join(words[1:3])[:40]}...")
        raise refuse(
            "is no SSH host key of a known type",
            f"Write one line `TYPE BASE64`; TYPE is one of {', '.join(HOST_KEY_TYPES)}",
        )
    if len(words) < 2 or _key_type_inside(words[1]) != words[0]:
        raise refuse(
            "is damaged: the part after the type does not hold such a key",
            "Copy the whole line again from `ssh-keyscan`",
        )
    if words[0] == "ssh-rsa" and len(base64.b64decode(words[1])) < 256:
        raise refuse(
            "is an RSA key of less than 2048 bits, which is too weak", "Pin the ed25519 key of the host instead"
        )
    return f"{words[0]} {words[1]}"


def authorized_key(value: object) -> str:
    """Return one line of an authorized_keys file (a public key), without options."""
    text = one_line(value)
    words = text.split()
    if "PRIVATE KEY" in text:
        raise refuse("is a private key", "Write the public key, the content of the .pub file")
    sk_types = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
    if len(words) < 2 or words[0] not in (*HOST_KEY_TYPES, *sk_types) or _key_type_inside(words[1]) != words[0]:
        raise refuse("is no SSH public key", "Write one line as in the .pub file: TYPE BASE64 COMMENT")
    return text


def _schema(**schema: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **schema})


Text = Annotated[str, BeforeValidator(one_line), _schema(minLength=1)]
Label = Annotated[str, BeforeValidator(label), _schema(pattern="^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
TagText = Annotated[str, BeforeValidator(tag_text), _schema(pattern="^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")]
DnsName = Annotated[str, BeforeValidator(dns_name), _schema(format="hostname")]
Address = Annotated[IPv4Address, BeforeValidator(address), _schema(format="ipv4")]
HostAddress = Annotated[IPv4Interface, BeforeValidator(host_address), _schema(pattern=r"^[0-9.]+(/[0-9]+)?$")]
Cidr = Annotated[IPv4Network, BeforeValidator(network), _schema(pattern=r"^[0-9.]+/[0-9]+$")]
Duration = Annotated[
    timedelta, BeforeValidator(duration), PlainSerializer(shown_duration), _schema(pattern="^[1-9][0-9]*[smhd]$")
]
Gibibytes = Annotated[
    int, BeforeValidator(gibibytes), PlainSerializer(lambda value: f"{value}GiB"), _schema(pattern="^[1-9][0-9]* ?GiB$")
]
HttpsUrl = Annotated[str, BeforeValidator(lambda value: url(value, ("https",))), _schema(format="uri")]
WebUrl = Annotated[str, BeforeValidator(lambda value: url(value, ("https", "http"))), _schema(format="uri")]
HostKey = Annotated[str, BeforeValidator(host_key), _schema(pattern="^(ssh-|ecdsa-)")]
PublicKey = Annotated[str, BeforeValidator(authorized_key), _schema()]
Whole = Annotated[int, BeforeValidator(whole)]
Switch = StrictBool
