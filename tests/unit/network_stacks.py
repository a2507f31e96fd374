"""A small network stack and the small site that takes its network from there, in one project."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from edge.errors import SettingsError
from edge.findings import Finding
from edge.network import NetworkFacts
from edge.network_outputs import network_outputs
from edge.settings import NetworkSettings, load_any
from tests.unit.network_samples import CLEAN
from tests.unit.settings_helpers import SITE, project

SITES: dict[str, Any] = {
    "plant": {"remoteNodeCidrs": ["10.200.0.0/16"], "remotePodCidrs": ["192.168.0.0/17"]},
    "harbour": {"remoteNodeCidrs": ["10.201.0.0/16"], "remotePodCidrs": ["192.168.128.0/17"]},
}
MANAGED: dict[str, Any] = {
    "source": "managed",
    "vpc": {
        "cidr": "10.100.0.0/16",
        "subnets": [
            {"cidr": "10.100.0.0/24", "zone": "eu-central-1a"},
            {"cidr": "10.100.1.0/24", "zone": "eu-central-1b"},
        ],
    },
    "gateway": {"kind": "virtualGateway"},
    "cluster": {"name": "plants-prod", "kubernetesVersion": "1.31", "serviceCidr": "172.20.0.0/16"},
}
GIVEN = {
    **SITE["network"],
    "remoteNodeCidrs": ["10.200.0.0/16", "10.201.0.0/16"],
    "remotePodCidrs": ["192.168.0.0/16"],
}
NETWORK: dict[str, Any] = {
    "kind": "network",
    "name": "plants",
    "stage": "dev",
    "network": {"source": "lookup", "cluster": "plants-prod"},
    "sites": SITES,
}
# What is true of the cluster of both sites.
FACTS = NetworkFacts.from_dict(
    CLEAN.to_dict() | {"remote_node_cidrs": ["10.200.0.0/16", "10.201.0.0/16"], "remote_pod_cidrs": ["192.168.0.0/16"]}
)


def network(*changes: Callable[[dict[str, Any]], None], **top: Any) -> dict[str, Any]:
    """Return the network stack as raw data, with keys replaced and with changes made to it."""
    raw = {**copy.deepcopy(NETWORK), **copy.deepcopy(top)}
    for change in changes:
        change(raw)
    return raw


def network_file(folder: Path, raw: dict[str, Any], stack: str = "plants-dev", **config: Any) -> Path:
    """Write the stack file of a network stack into a project, and return it."""
    project(folder, SITE)
    path = folder / f"Pulumi.{stack}.yaml"
    values = {"aws:region": "eu-central-1", "edge-hosts:site": raw}
    values |= {key.replace("__", ":"): value for key, value in config.items()}
    values = {key: value for key, value in values.items() if value is not None}
    path.write_text(yaml.safe_dump({"config": values}, sort_keys=False))
    return path


def load_network(folder: Path, raw: dict[str, Any], **config: Any) -> NetworkSettings:
    """Return the settings of a network stack."""
    network_file(folder, raw, **config)
    found = load_any("plants-dev", folder)
    assert isinstance(found, NetworkSettings)
    return found


def network_refused(folder: Path, raw: dict[str, Any], **config: Any) -> dict[str, Finding]:
    """Return what keeps a network stack from being used, by place. Fails when nothing does."""
    try:
        load_network(folder, raw, **config)
    except SettingsError as error:
        return {finding.where: finding for finding in error.findings}
    raise AssertionError("the settings were accepted")


def exports_file(folder: Path, settings: NetworkSettings, facts: NetworkFacts = FACTS, **changes: Any) -> Path:
    """Write what the network stack exported, and return the file."""
    path = folder / "network.json"
    path.write_text(json.dumps(network_outputs(facts, settings.site.sites) | changes))
    return path
