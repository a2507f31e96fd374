"""Managed networks as raw settings, and what they register under recording mocks."""

from __future__ import annotations

import copy
import functools
import json
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pulumi
from pulumi import Input, Output, ResourceOptions

from components import names
from components.aws.managed import ManagedNetwork
from components.secrets import Secrets
from components.testing import OUTPUTS as RECORDED
from components.testing import Recording, record
from edge.aws import plan_objects as types
from edge.aws.access import AwsAccess
from edge.network import NetworkFacts
from edge.network_question import NetworkQuestion
from edge.settings.network import ManagedNetwork as ManagedSettings
from edge.settings.site import SiteNetworks

PREFIX, REGION, OWNER = "plants-network-managed", "eu-central-1", "edge-hosts.plants-prod"
KEYS = {"keyA1": "canary.of.key.a1", "keyA2": "canary.of.key.a2"}
VPC: dict[str, Any] = {
    "cidr": "10.100.0.0/16",
    "secondaryCidrs": ["10.101.0.0/16"],
    "subnets": [{"cidr": "10.100.0.0/24", "zone": "eu-central-1a"}, {"cidr": "10.101.1.0/24", "zone": "eu-central-1b"}],
}
OLD_VPC: dict[str, Any] = {
    "id": "vpc-0123456789abcdef0",
    "cidrs": ["10.100.0.0/16"],
    "subnetIds": {"subnet-0aaaaaaaaaaaaaaaa": "10.100.0.0/24", "subnet-0bbbbbbbbbbbbbbbb": "10.100.1.0/24"},
    "routeTableIds": ["rtb-0aaaaaaaaaaaaaaaa", "rtb-0bbbbbbbbbbbbbbbb"],
}
CLUSTER: dict[str, Any] = {"name": "plants", "kubernetesVersion": "1.31.2", "serviceCidr": "172.20.0.0/16"}
NETWORK: dict[str, Any] = {
    "source": "managed",
    "vpc": VPC,
    "gateway": {"kind": "virtualGateway"},
    "cluster": CLUSTER,
    "privatePath": True,
    "webhookPorts": [9443],
    "tags": {"team": "plants"},
}
SITES: dict[str, Any] = {
    "plant-a": {
        "remoteNodeCidrs": ["10.200.0.0/24"],
        "remotePodCidrs": ["192.168.0.0/17"],
        "vpn": {
            "address": "52.1.2.3",
            "tunnels": [
                {"presharedKey": {"secret": "keyA1"}, "insideCidr": "169.254.10.0/30"},
                {"presharedKey": {"secret": "keyA2"}},
            ],
        },
    },
    "plant-b": {
        "remoteNodeCidrs": ["10.201.0.0/24"],
        "remotePodCidrs": ["192.168.128.0/17"],
        "vpn": {"address": "52.1.2.4", "asn": 4200000001},
    },
}
ROLE_ARN = "arn:aws:iam::066635153087:role/plants-eks-0123456789"
ENDPOINT = "https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com"
OUTPUTS: Mapping[str, Mapping[str, Any]] = {
    types.ROLE: {"arn": ROLE_ARN, "name": "plants-eks-0123456789"},
    types.CLUSTER: {**RECORDED[types.CLUSTER], "endpoint": ENDPOINT},
    types.VPN: {
        "tunnel1Address": "3.64.0.1",
        "tunnel2Address": "3.64.0.2",
        "transitGatewayAttachmentId": "tgw-attach-of-the-recording",
    },
    types.RESOLVER: {
        "ipAddresses": [{"subnetId": "b", "ip": "10.100.1.53"}, {"subnetId": "a", "ip": "10.100.0.53"}],
    },
}
INTERFACES = {"eni-0a": "10.100.0.10", "eni-0b": "10.101.1.10"}
LOOKUPS: Mapping[str, Any] = {
    "aws:ec2/getNetworkInterfaces:getNetworkInterfaces": lambda asked: {"ids": _interfaces(asked["filters"])},
    "aws:ec2/getNetworkInterface:getNetworkInterface": lambda asked: {"privateIp": INTERFACES[asked["id"]]},
}


def _interfaces(filters: list[dict[str, Any]]) -> list[str]:
    """Return the interfaces of the cluster, unsorted; only the right question finds them."""
    asked = {one["name"]: one["values"] for one in filters}
    right = {"description": ["Amazon EKS plants"], "vpc-id": ["vpc-of-the-recording"]}
    return sorted(INTERFACES, reverse=True) if asked == right else []


TGW = "tgw-0123456789abcdef0"
TRANSIT: dict[str, Any] = {
    "kind": "transitGateway",
    "id": TGW,
    "routeTable": "tgw-rtb-0123456789abcdef0",
    "siteAttachment": "tgw-attach-0123456789abcdef0",
}


def network(**changes: Any) -> dict[str, Any]:
    """Return the sample network with other values; None takes one away."""
    merged = {**copy.deepcopy(NETWORK), **changes}
    return {key: value for key, value in merged.items() if value is not None}


def question(
    raw: Mapping[str, Any] | None = None, sites: Mapping[str, Any] | None = None, site: str = "", **more: Any
) -> NetworkQuestion:
    """Return the question of a network stack with `sites`, or of the stack of one `site`."""
    region = more.pop("region", REGION)
    known = {} if site else SITES if sites is None else sites
    return NetworkQuestion(
        network=ManagedSettings.model_validate(raw or NETWORK),
        region=region,
        stage=more.pop("stage", "prod"),
        owner=OWNER,
        aws=AwsAccess(region=region),
        site=site,
        sites={name: SiteNetworks.model_validate(one) for name, one in known.items()},
        **more,
    )


class FakeIdentity(pulumi.ComponentResource):
    """Stands in for the identity of the hosts, with its arguments as properties."""

    def __init__(self, name: str, identity: Any, *, opts: ResourceOptions | None = None, **given: Input[Any]) -> None:
        super().__init__(names.token("HybridIdentity"), name, {"identity": identity.model_dump_json(), **given}, opts)
        self.role_arn = Output.from_input("arn:aws:iam::066635153087:role/AmazonEKSHybridNodesRole")
        self.role_name = Output.from_input("AmazonEKSHybridNodesRole")
        self.trust_anchor_arn = Output.from_input("")
        self.profile_arn = Output.from_input("")


@contextmanager
def _fake_identity() -> Any:
    module = ModuleType("components.aws.identity")
    module.HybridIdentity = FakeIdentity  # type: ignore[attr-defined]
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    try:
        yield
    finally:
        if before is None:
            del sys.modules[module.__name__]
        else:
            sys.modules[module.__name__] = before


def made(asked: NetworkQuestion, *, read: NetworkFacts | None = None, **options: Any) -> Recording:
    """Return what a managed network registers; its facts are exported. `read` is what a cluster that exists says."""

    def program() -> None:
        one = ManagedNetwork(PREFIX, asked, Secrets(pulumi.Config("edge-hosts")), look_up=lambda _: read)
        pulumi.export("facts", one.facts)
        waited = [resource.urn for resource in one.resources]
        pulumi.export("resources", Output.all(*waited).apply(lambda urns: [urn.rsplit("::", 1)[-1] for urn in urns]))

    config = {f"edge-hosts:{name}": value for name, value in KEYS.items()} | options.pop("config", {})
    options["outputs"] = {**OUTPUTS, **options.get("outputs", {})}
    options["lookups"] = {**LOOKUPS, **options.get("lookups", {})}
    with _fake_identity():
        return record(
            program, project="edge-hosts", stack="plants-prod", config=config, secret_keys=sorted(config), **options
        )


@functools.cache
def _recorded(raw: str, sites: str, preview: bool) -> Recording:
    return made(question(json.loads(raw), json.loads(sites)), preview=preview)


def recorded(
    raw: Mapping[str, Any] | None = None, sites: Mapping[str, Any] | None = None, *, preview: bool = False
) -> Recording:
    """Return what a network stack registers, made once per test process for equal settings in equal order."""
    return _recorded(json.dumps(raw or NETWORK), json.dumps(SITES if sites is None else sites), preview)


def objects_of(recording: Recording) -> dict[str, str]:
    """Return the type of every object that is made in AWS, by its name without the prefix."""
    return {one.name.removeprefix(f"{PREFIX}-"): one.type for one in recording.resources if one.custom}
