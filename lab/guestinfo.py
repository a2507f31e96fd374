"""The guest variables of a VM as its guest sees them: what cloud-init reads, and what it leaves.

In a container cloud-init's VMware datasource takes them from the environment, and cannot write them back: so the lab does
what `cleanup-guestinfo` (or `redact`) of the metadata asks for. An emptied variable is "---", its encoding one blank:
a guest variable cannot be empty.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from typing import Any

import yaml

from edge.errors import LabError

EMPTIED = "---"
NO_ENCODING = " "
_PARTS = ("metadata", "userdata", "vendordata")
_BASE64 = ("base64", "b64")
_GZIP = ("gzip+base64", "gz+b64")
# The kernel's limit for one variable of the environment is 128 KiB, its name included.
_LONGEST = 130_000


def environment(guestinfo: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which cloud-init finds what `guestinfo` holds; none when it holds nothing of its own.

    Everything travels in base64: a configuration file of systemd could not carry line ends and quotes. Raises LabError for
    a text that is too long for an environment.
    """
    found: dict[str, str] = {}
    for part in _PARTS:
        text, encoding = _value(guestinfo, part), _value(guestinfo, f"{part}.encoding").strip().lower()
        if text.strip() in ("", EMPTIED):
            continue
        if encoding in (*_BASE64, *_GZIP):
            text = "".join(text.split())
        else:
            text, encoding = base64.b64encode(text.encode()).decode("ascii"), _BASE64[0]
        if len(text) > _LONGEST:
            raise LabError(
                f"guestinfo.{part} has {len(text)} characters in base64, and a machine of the lab takes {_LONGEST}",
                remedy="compress it: encoding gzip+base64.",
            )
        found[f"VMX_GUESTINFO_{part.upper()}"] = text
        found[f"VMX_GUESTINFO_{part.upper()}_ENCODING"] = encoding
    return {"VMX_GUESTINFO": "1", **found} if found else {}


def decoded(guestinfo: Mapping[str, str], part: str) -> str:
    """Return one part of the guest variables as plain text; empty when it is not there. Raises ValueError."""
    text, encoding = _value(guestinfo, part), _value(guestinfo, f"{part}.encoding").strip().lower()
    if text.strip() in ("", EMPTIED):
        return ""
    if encoding in _GZIP:
        return gzip.decompress(base64.b64decode(text)).decode()
    return base64.b64decode(text).decode() if encoding in _BASE64 else text


def cleaned(guestinfo: Mapping[str, str]) -> dict[str, str]:
    """Return the guest variables after a boot: those that the metadata names are emptied."""
    try:
        metadata: Any = yaml.safe_load(decoded(guestinfo, "metadata"))
    except (ValueError, OSError, EOFError, yaml.YAMLError):
        metadata = None
    if not isinstance(metadata, dict):
        return dict(guestinfo)
    named = metadata.get("redact", metadata.get("cleanup-guestinfo")) or ()
    left = dict(guestinfo)
    for part in [named] if isinstance(named, str) else named:
        key = _key(guestinfo, str(part))
        left |= {key: EMPTIED, f"{key}.encoding": NO_ENCODING}
    return left


def _key(guestinfo: Mapping[str, str], part: str) -> str:
    """Return the name of a variable as it is written here: with or without the prefix that it has in a VM's settings."""
    bare = any(name.removesuffix(".encoding") in _PARTS for name in guestinfo)
    return part if bare else f"guestinfo.{part}"


def _value(guestinfo: Mapping[str, str], name: str) -> str:
    return guestinfo.get(f"guestinfo.{name}", guestinfo.get(name, ""))
