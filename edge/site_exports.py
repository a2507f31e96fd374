"""What a stack exports for the people and programs that come after it: profile values and the firewall table."""

from __future__ import annotations

from typing import Any

from edge.endpoints.firewall import site_rules
from edge.network import NetworkFacts
from edge.settings import StackSettings


def profile_values(settings: StackSettings) -> dict[str, Any]:
    """Return the values that the hybrid cluster profile asks for, for hosts in agent mode.

    The OS layer has no image of its own in agent mode; the Kubernetes layer must have the version of the release. The
    network layer names a CNI that is not used: Cilium is an add-on of the EKS cluster (Palette hybrid node pool docs).
    """
    return {
        "os": {"pack": "edge-native-byoi", "preset": "Agent Mode"},
        "kubernetes": {"pack": "nodeadm", "version": settings.release.kubernetes},
        "network": {
            "pack": "cni-custom",
            "values": {"manifests": {"byo-cni": {"contents": {"data": {"custom-cni": "dummy"}}}}},
        },
    }


def firewall_rows(settings: StackSettings, facts: NetworkFacts) -> list[dict[str, Any]]:
    """Return the rows of the firewall request, for the stack's exports."""
    return [rule.to_dict() for rule in site_rules(settings, facts)]
