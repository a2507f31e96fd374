"""Network facts of a site that has nothing wrong, for the tests that break one thing each."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from edge.endpoints import Endpoint, EndpointQuery, endpoint_table, to_tsv
from edge.endpoints.partitions import partition_of
from edge.network import NetworkFacts

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

CLEAN = NetworkFacts(
    region="eu-central-1",
    partition="aws",
    cluster_name="plants-prod",
    cluster_endpoint="https://D87D2A0C.gr7.eu-central-1.eks.amazonaws.com",
    cluster_ca=CA,
    endpoint_mode="private",
    auth_mode="API_AND_CONFIG_MAP",
    vpc_cidrs=("10.100.0.0/16",),
    eni_subnets=("10.100.0.0/24", "10.100.1.0/24"),
    eni_addresses=("10.100.0.12", "10.100.1.12"),
    security_groups=("sg-0123456789abcdef0",),
    service_cidr="172.20.0.0/16",
    remote_node_cidrs=("10.200.0.0/16",),
    remote_pod_cidrs=("192.168.0.0/16",),
    credential_provider="ssm",
    private_path=False,
    inbound_resolvers=(),
    kubernetes_version="1.31",
)
ADDRESSES = {"plant-12-a": IPv4Address("10.200.0.11"), "plant-12-b": IPv4Address("10.200.0.12")}


def facts_of(region: str = "eu-central-1", **changes: Any) -> NetworkFacts:
    """Return the clean facts in another Region, with changes."""
    partition = partition_of(region)
    endpoint = f"https://D87D2A0C.gr7.{region}.eks.{partition.dns_suffix}"
    facts = replace(CLEAN, region=region, partition=partition.id, cluster_endpoint=endpoint)
    return replace(facts, **changes)


def table(region: str = "eu-central-1", *, query: dict[str, Any] | None = None, **changes: Any) -> tuple[Endpoint, ...]:
    """Return the endpoint table of the clean facts with changes; `query` holds fields of the query."""
    return endpoint_table(EndpointQuery(facts_of(region, **changes), **(query or {})))


def row(
    rows: tuple[Endpoint, ...], host: str, port: int = 443, protocol: str = "tcp", direction: str = "out"
) -> Endpoint:
    """Return the one row of that host; fails when there is none."""
    found = [one for one in rows if one.key == (direction, host, port, protocol)]
    assert found, f"no row for {host}:{port}/{protocol} {direction}"
    assert len(found) == 1
    return found[0]


def hosts(rows: tuple[Endpoint, ...], need: str = "") -> set[str]:
    """Return the far ends of the outbound rows, of one need when it is given."""
    return {one.host for one in rows if one.direction == "out" and need in ("", one.required)}


def lines(rows: tuple[Endpoint, ...], *, proxy: bool) -> dict[str, list[str]]:
    """Return the fields of the host's table by host."""
    return {line.split("\t")[0]: line.split("\t") for line in to_tsv(rows, proxy).splitlines()}
