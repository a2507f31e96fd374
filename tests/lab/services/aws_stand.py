"""The stand-in of AWS on a loopback address, and real botocore clients that ask it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from lab.aws.facts import ACCESS_KEY, AwsFacts
from lab.aws.standin import AwsStandIn
from lab.block import Block
from lab.services import Services
from lab.standins import aws_facts

T = TypeVar("T")
FACTS: AwsFacts = aws_facts(Block())
(NODES, UPLINK), (PODS,) = FACTS.remote_nodes, FACTS.remote_pods
SUBNETS = tuple(FACTS.subnets)
CLUSTER_ROLE_ARN = FACTS.arn("iam", "role/AmazonEKSClusterRole", regional=False)


@dataclass
class Aws:
    """A running account, and clients for it."""

    services: Services
    loop: asyncio.AbstractEventLoop
    url: str
    _clients: dict[tuple[str, ...], Any] = field(default_factory=dict)
    _touched: bool = False
    _since: float = field(default_factory=time.time)

    @property
    def standin(self) -> AwsStandIn:
        assert self.services.aws is not None
        return self.services.aws

    def client(self, service: str, *, region: str = FACTS.region, key: str = ACCESS_KEY, token: str = "") -> Any:
        """Return a botocore client that asks the stand-in, and does not ask twice."""
        wanted = (service, region, key, token)
        if wanted not in self._clients:
            self._clients[wanted] = botocore.session.Session().create_client(
                service,
                region_name=region,
                endpoint_url=self.url,
                aws_access_key_id=key,
                aws_secret_access_key="secret",
                aws_session_token=token or None,
                config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
            )
        return self._clients[wanted]

    def fault(self, name: str, target: str | None = None, on: bool = True) -> None:
        """Switch a fault on or off, as `python -m lab fault` does."""
        done: Future[None] = Future()
        self._touched = True

        def run() -> None:
            try:
                self.services.fault(name, target, on)
                done.set_result(None)
            except BaseException as error:
                done.set_exception(error)

        self.loop.call_soon_threadsafe(run)
        done.result(10)

    def as_new(self) -> None:
        """Switch every fault off, and make the account as new where something was written in it."""
        if self._touched or any(one["kind"] == "write" for one in self.services.requests("aws", self._since)):
            self.clear()
            self._touched, self._since = False, time.time()

    def clear(self) -> None:
        """Switch every fault off, and make the account as new."""
        self.loop.call_soon_threadsafe(self.services.faults.clear)
        asyncio.run_coroutine_threadsafe(self.standin.reset(), self.loop).result(30)

    def register(self, computer: str, address: str) -> str:
        """Register a machine by the seeded activation, and return its id."""
        self._touched = True
        return asyncio.run_coroutine_threadsafe(self.standin.register(computer, address), self.loop).result(10)

    def subnets(self) -> dict[str, str]:
        """Return the ids of the cluster's subnets by their block."""
        found = self.client("ec2").describe_subnets(Filters=[{"Name": "cidr-block", "Values": list(SUBNETS)}])
        return {one["CidrBlock"]: one["SubnetId"] for one in found["Subnets"]}

    def cluster(self, name: str = "lab") -> dict[str, Any]:
        """Return a cluster as DescribeCluster shows it."""
        found: dict[str, Any] = self.client("eks").describe_cluster(name=name)["cluster"]
        return found

    def new_cluster(self, name: str = "other", **changes: Any) -> dict[str, Any]:
        """Make a cluster that EKS accepts unless `changes` say otherwise; None leaves a value out."""
        asked: dict[str, Any] = {
            "name": name,
            "roleArn": CLUSTER_ROLE_ARN,
            "version": "1.31",
            "resourcesVpcConfig": {"subnetIds": list(self.subnets().values())},
            "kubernetesNetworkConfig": {"serviceIpv4Cidr": "172.20.0.0/16"},
            "accessConfig": {"authenticationMode": "API"},
            "remoteNetworkConfig": remote([NODES], [PODS]),
            **changes,
        }
        made: dict[str, Any] = self.client("eks").create_cluster(
            **{key: value for key, value in asked.items() if value is not None}
        )["cluster"]
        return made

    def routes(self, cidr: str) -> list[dict[str, Any]]:
        """Return the routes to a block from the cluster's subnets."""
        subnets = list(self.subnets().values())
        found = self.client("ec2").describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": subnets}])
        return [r for table in found["RouteTables"] for r in table["Routes"] if r.get("DestinationCidrBlock") == cidr]

    def rules(self, group: str) -> set[tuple[bool, str, int, str]]:
        """Return the rules of a group with address blocks: outgoing, protocol, port, block."""
        found = self.client("ec2").describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
        return {
            (one["IsEgress"], one["IpProtocol"], one.get("FromPort", -1), one["CidrIpv4"])
            for one in found["SecurityGroupRules"]
            if "CidrIpv4" in one
        }


def remote(nodes: list[str] | None, pods: list[str] | None = None) -> dict[str, Any]:
    """Return a remoteNetworkConfig; None leaves a kind out."""
    kinds = {"remoteNodeNetworks": nodes, "remotePodNetworks": pods}
    return {key: [{"cidrs": cidrs}] if cidrs else [] for key, cidrs in kinds.items() if cidrs is not None}


def refused(call: Callable[[], Any]) -> tuple[str, int, str]:
    """Return code, HTTP status and message of the error that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call()
    answer: Any = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]
