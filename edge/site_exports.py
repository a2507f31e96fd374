"""What a stack exports for the people and programs that come after it: profile values and the firewall table."""

from __future__ import annotations

from typing import Any

from edge.canvos.images import pack_values, parse
from edge.endpoints.firewall import site_rules
from edge.images.facts import ImageFacts
from edge.network import NetworkFacts
from edge.settings import StackSettings

_OS_PACK = "edge-native-byoi"


def profile_values(settings: StackSettings, image: ImageFacts | None = None) -> dict[str, Any]:
    """Return the values that the hybrid cluster profile asks for.

    `os` is for hosts in agent mode, whose OS layer has no image of its own; `osAppliance` for appliances, with the values
    of the image that is really there. A mixed site has both, because a profile has one OS layer: each kind of host gets a
    profile of its own. The Kubernetes layer must have the version of the release. The network layer names a CNI that is
    not used: Cilium is an add-on of the EKS cluster (Palette hybrid node pool docs).
    """
    return {
        **_os_layers(settings, image),
        "kubernetes": {"pack": "nodeadm", "version": settings.release.kubernetes},
        "network": {
            "pack": "cni-custom",
            "values": {"manifests": {"byo-cni": {"contents": {"data": {"custom-cni": "dummy"}}}}},
        },
    }


def _os_layers(settings: StackSettings, image: ImageFacts | None) -> dict[str, Any]:
    modes = {host.mode for host in settings.site.hosts.values()}
    layers: dict[str, Any] = {}
    if "agent" in modes:
        layers["os"] = {"pack": _OS_PACK, "preset": "Agent Mode"}
    name = parse(image.image) if image is not None else None
    if "appliance" in modes and image is not None and name is not None:
        values = pack_values(name, os_distribution=image.os, os_version=image.os_version)
        layers["osAppliance"] = {"pack": _OS_PACK, "values": values}
    return layers


def firewall_rows(settings: StackSettings, facts: NetworkFacts) -> list[dict[str, Any]]:
    """Return the rows of the firewall request, for the stack's exports."""
    return [rule.to_dict() for rule in site_rules(settings, facts)]
