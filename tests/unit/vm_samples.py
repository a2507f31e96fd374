"""A small site of virtual machines, and its settings; more keys of `vsphere` or of the host are given by the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from settings_helpers import load, put, site

from edge.settings import HostSettings, StackSettings

SEED = "0123456789abcdefghijklmnopqrstuvwxyz-ABC"
LOGIN_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE6fH5O+Vb5/7mkLdPT0r1y/0L8DPj2vGEQ2r3JUJ6z2"
TEMPLATE = {
    "id": "420a1b2c-0000-4000-8000-00000000000a",
    "guestId": "ubuntu64Guest",
    "firmware": "efi",
    "secureBoot": True,
    "scsiType": "pvscsi",
}

VSPHERE: dict[str, Any] = {
    "datacenter": "DC1",
    "cluster": "edge",
    "datastore": "ssd-1",
    "network": "vlan-200",
    "template": "ubuntu-22.04",
    "gateway": "10.200.0.1",
    "nameservers": ["10.200.0.2"],
    "cpus": 4,
    "memory": "16GiB",
    "disk": "150GiB",
}


def vm_site(*changes: Callable[[dict[str, Any]], None], vsphere: dict[str, Any] | None = None, **host: Any) -> Any:
    """Return a site with one virtual machine, `plant-a`; `host` is put over its line."""
    return site(
        put("vcenters", {"main": {"server": "vcenter.example.com", "user": "svc@vsphere.local"}}),
        put("vsphere", {**VSPHERE, **(vsphere or {})}),
        put("hosts", {"plant-a": {"address": "10.200.0.11/24", **host}}),
        *changes,
    )


def vm_host(folder: Path, *changes: Any, vsphere: dict[str, Any] | None = None, **host: Any) -> HostSettings:
    """Return the settings of that host."""
    return vm_stack(folder, *changes, vsphere=vsphere, **host).host_view("plant-a")


def vm_stack(folder: Path, *changes: Any, vsphere: dict[str, Any] | None = None, **host: Any) -> StackSettings:
    """Return the settings of that site."""
    return load(folder, vm_site(*changes, vsphere=vsphere, **host))
