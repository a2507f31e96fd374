"""A mixed site on the stack of the lab: its agent hosts, an appliance VM, and a bare-metal appliance, from a given image."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from components.testing import Recording
from tests.components.harness import config_of, record_stack

SHA, OTHER_SHA = "a1" * 32, "b2" * 32
IMAGE = "registry.lab.internal/edge/ubuntu:nodeadm-1.31.0-v4.5.15-lab"
VM, BARE = "appliance", "metal"
STATIC = {"interface": "eno1", "gateway": "10.231.76.1", "nameserver": "10.231.78.1"}
GIVEN: dict[str, Any] = {
    "source": "given",
    "image": IMAGE,
    "imageDigest": f"sha256:{'c3' * 32}",
    "osVersion": "22.04",
    "isos": {
        "poweroff": {"sha256": SHA, "size": 1048576, "datastore": "ssd-1", "path": "isos/edge-poweroff.iso"},
        "reboot": {"sha256": "d4" * 32, "size": 1048577, "datastore": "ssd-1", "path": "isos/edge-reboot.iso"},
    },
}
HOSTS: dict[str, Any] = {
    VM: {"mode": "appliance", "address": "10.231.76.22/24"},
    BARE: {"machine": "existing", "mode": "appliance", "address": "10.231.76.23/24", "staticNetwork": STATIC},
}
# What a claim answers while nothing is frozen yet is "{}"; these are resources by their wire type.
CHECK = "pulumi-python:dynamic/edge:InstallerIsoCheck"
BOOT = "pulumi-python:dynamic/edge:ApplianceBoot"
MEDIA = "pulumi-python:dynamic/edge:ApplianceMedia"
FILE = "pulumi-python:dynamic/edge:SiteIsoFile"
CLAIM = "pulumi-python:dynamic/edge:EdgeHostClaim"
MACHINE = "vsphere:index/virtualMachine:VirtualMachine"
ISO_FILE = ".edge/isos/lab/metal.iso"


def site(
    image: Mapping[str, Any] = GIVEN, hosts: Mapping[str, Mapping[str, Any]] | None = None, **top: Any
) -> dict[str, Any]:
    """Return the raw site of the lab with both appliances; `hosts` are changes of single hosts, `top` of the site."""
    raw: dict[str, Any] = json.loads(config_of("lab")[0]["edge-hosts:site"])
    raw["hosts"] |= copy.deepcopy(HOSTS)
    for name, changes in (hosts or {}).items():
        raw["hosts"][name] = {**raw["hosts"].get(name, {}), **changes}
    return {**raw, "image": copy.deepcopy(dict(image)), **top}


def record(raw: Mapping[str, Any] | None = None, **options: Any) -> Recording:
    """Return what the program registers for the mixed site."""
    return record_stack("lab", site=raw or site(), **options)


def other_image() -> dict[str, Any]:
    """Return a later image: another digest, another tag, another ISO in another place."""
    image = copy.deepcopy(GIVEN)
    image["image"] = IMAGE.replace("v4.5.15-lab", "v4.5.16-later")
    image["imageDigest"] = f"sha256:{'e5' * 32}"
    for kind, one in image["isos"].items():
        one |= {"sha256": OTHER_SHA, "path": f"isos/later-{kind}.iso", "size": 2097152}
    return image
