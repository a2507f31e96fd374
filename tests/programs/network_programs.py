"""Runs the program for a small site or a network stack whose AWS side comes from any of the four sources."""

from __future__ import annotations

import copy
import json
import sys
import types
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pulumi
import pytest
from pulumi import Output, ResourceOptions
from pulumi.output import Unknown

from components.testing import Recording, Registration, record_program
from edge.network import NetworkFacts
from edge.network_outputs import KEYS
from edge.network_source import Answer, instead_of_aws
from tests.components.harness import PROJECT, ROOT, canary
from tests.unit.settings_helpers import SITE

RELEASE = "2026.11-1"
REFERENCE = "pulumi:pulumi:StackReference"
SECRETS = ("sshPrivateKey", "registrationToken")

# What the `given` network of the small site says, as every other source must say it.
FACTS = NetworkFacts(
    region="eu-central-1",
    partition="aws",
    cluster_name="plants",
    cluster_endpoint="https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com",
    vpc_cidrs=("10.100.0.0/16",),
    eni_subnets=("10.100.0.0/24", "10.100.1.0/24"),
    eni_addresses=("10.100.0.10", "10.100.1.10"),
    service_cidr="172.20.0.0/16",
    remote_node_cidrs=("10.200.0.0/16",),
    remote_pod_cidrs=("192.168.0.0/16",),
    kubernetes_version="1.31",
)
NETWORKS: dict[str, dict[str, Any]] = {
    "given": SITE["network"],
    "lookup": {"source": "lookup", "cluster": "plants"},
    "stack": {"source": "stack", "stack": "plants-dev"},
    "managed": {
        "source": "managed",
        "vpc": {
            "cidr": "10.100.0.0/16",
            "subnets": [
                {"cidr": "10.100.0.0/24", "zone": "eu-central-1a"},
                {"cidr": "10.100.1.0/24", "zone": "eu-central-1b"},
            ],
        },
        "cluster": {"name": "plants", "kubernetesVersion": "1.31", "serviceCidr": "172.20.0.0/16"},
        "remoteNodeCidrs": ["10.200.0.0/16"],
        "remotePodCidrs": ["192.168.0.0/16"],
    },
}
SITES = {"plant": {"remoteNodeCidrs": ["10.200.0.0/16"], "remotePodCidrs": ["192.168.0.0/16"]}}


def site_of(source: str, **changes: Any) -> dict[str, Any]:
    """Return the small site with another source of its network; the release's Kubernetes is the cluster's."""
    return {**copy.deepcopy(SITE), "network": copy.deepcopy(NETWORKS[source]), **changes}


def network_of(source: str, sites: Mapping[str, Any] = SITES, **changes: Any) -> dict[str, Any]:
    """Return a network stack over `sites`."""
    network = copy.deepcopy(NETWORKS[source])
    if source == "managed":
        del network["remoteNodeCidrs"], network["remotePodCidrs"]
    return {"kind": "network", "name": "plants", "stage": "dev", "network": network, "sites": dict(sites), **changes}


def run(
    site: Mapping[str, Any],
    *,
    facts: NetworkFacts | None = FACTS,
    exports: Mapping[str, Any] | None = None,
    answers: Mapping[str, Mapping[str, Any]] | None = None,
    **options: Any,
) -> Recording:
    """Run the program.

    `facts` is what AWS answers (None: not known), `exports` what the network stack exports, `answers` the outputs of other
    resources by their type.
    """
    stack = f"{site['name']}-{site['stage']}"
    config = {"aws:region": "eu-central-1", f"{PROJECT}:site": json.dumps(site)}
    if site.get("kind") != "network":
        config[f"{PROJECT}:release"] = RELEASE
        config |= {f"{PROJECT}:{name}": canary(name) for name in SECRETS}
    secret_keys = [f"{PROJECT}:{name}" for name in SECRETS if f"{PROJECT}:{name}" in config]
    outputs = dict(answers or {})
    if exports is not None:
        outputs[REFERENCE] = {"outputs": dict(exports), "secretOutputNames": []}
    with instead_of_aws(lambda _question: Answer(facts) if facts else None):
        return record_program(
            ROOT, project=PROJECT, stack=stack, config=config, secret_keys=secret_keys, outputs=outputs, **options
        )


def exports_of(recording: Recording) -> dict[str, Any]:
    """Return what the sites of a network stack read of its exports."""
    return {key: recording.exports[key] for key in KEYS}


class MadeNetwork(pulumi.ComponentResource):
    """Stands for the AWS objects: one resource, on which the facts depend, as they do where objects are really made."""

    told: NetworkFacts = FACTS

    def __init__(
        self, name: str, question: Any, secrets: Any, opts: ResourceOptions | None = None, *, look_up: Any
    ) -> None:
        super().__init__("tests:index:MadeNetwork", name, {}, opts)
        one = pulumi.CustomResource("tests:index:Cluster", f"{name}-cluster", {"endpoint": None}, ResourceOptions(self))
        told = type(self).told.to_dict()
        self.facts: Output[dict[str, Any]] = one.id.apply(lambda _: told)
        self.ready = [one]
        self.register_outputs({})


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> type[MadeNetwork]:
    """Put a small network in the place of the AWS objects."""
    module: Any = types.ModuleType("components.aws.managed")
    module.ManagedNetwork = MadeNetwork
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(MadeNetwork, "told", FACTS)
    return MadeNetwork


def of_hosts(recording: Recording) -> dict[str, Registration]:
    """Return everything that belongs to hosts, by name, without what it waits for outside of the hosts."""
    hosts = {one.name for one in recording.resources if one.type == "edge-hosts:index:EdgeHost"}
    mine = {one.name for one in recording.resources if one.name in hosts or one.parent in hosts}
    found = {}
    for one in recording.resources:
        if one.name in mine:
            inner = {key: tuple(n for n in names if n in mine) for key, names in one.property_dependencies.items()}
            inner = {key: names for key, names in inner.items() if names}
            waits = tuple(name for name in one.dependencies if name in mine)
            inputs = _comparable(one.inputs)
            found[one.name] = replace(one, inputs=inputs, dependencies=waits, property_dependencies=inner)
    return found


def _comparable(value: Any) -> Any:
    """Return wire inputs in which two unknown values are equal."""
    if isinstance(value, dict):
        return {key: _comparable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_comparable(inner) for inner in value]
    return "(unknown)" if isinstance(value, Unknown) else value
