"""The EKS cluster, as DescribeCluster shows it (EKS API reference, Cluster)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from edge.aws.errors import MissingError
from edge.aws.reader import Reader
from edge.aws.view import ClusterView
from edge.errors import AwsError


def read_cluster(reader: Reader, name: str) -> ClusterView:
    """Return the cluster. Raises AwsError; for a name that is not there it lists the names that are."""
    try:
        found: dict[str, Any] = reader.ask("eks:DescribeCluster", name=name)["cluster"]
    except MissingError as missing:
        raise _not_there(reader, name, missing) from None
    return cluster_of(found, reader.clients.region)


def cluster_of(found: Mapping[str, Any], region: str) -> ClusterView:
    """Return the view of an answer. Raises AwsError for a cluster that has no VPC here, or a CA that is none."""
    name = str(found.get("name", ""))
    vpc = found.get("resourcesVpcConfig") or {}
    if not vpc.get("vpcId"):
        raise AwsError(
            "has no VPC in this account: it runs elsewhere and is only registered with EKS.",
            remedy="Name a cluster whose control plane EKS runs.",
            where=f"EKS cluster {name} in {region}",
        )
    networks = found.get("kubernetesNetworkConfig") or {}
    own = str(vpc.get("clusterSecurityGroupId") or "")
    return ClusterView(
        name=name,
        arn=str(found.get("arn", "")),
        status=str(found.get("status", "")),
        version=str(found.get("version", "")),
        endpoint=str(found.get("endpoint") or "").rstrip("/"),
        ca=_pem(found, name, region),
        public=bool(vpc.get("endpointPublicAccess")),
        private=bool(vpc.get("endpointPrivateAccess")),
        public_cidrs=tuple(sorted(vpc.get("publicAccessCidrs") or ())),
        # Clusters that are older than access entries have no such field, and the ConfigMap alone.
        auth_mode=str((found.get("accessConfig") or {}).get("authenticationMode") or "CONFIG_MAP"),
        ip_family=str(networks.get("ipFamily") or "ipv4"),
        service_cidr=str(networks.get("serviceIpv4Cidr") or ""),
        remote_node_cidrs=_remote(found, "remoteNodeNetworks"),
        remote_pod_cidrs=_remote(found, "remotePodNetworks"),
        vpc_id=str(vpc["vpcId"]),
        subnet_ids=tuple(sorted(vpc.get("subnetIds") or ())),
        security_groups=tuple(sorted({*(vpc.get("securityGroupIds") or ()), *([own] if own else [])})),
        cluster_group=own,
        logs=_logs(found),
    )


def _remote(found: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    networks = (found.get("remoteNetworkConfig") or {}).get(kind) or ()
    return tuple(sorted({cidr for network in networks for cidr in network.get("cidrs") or ()}))


def _logs(found: Mapping[str, Any]) -> tuple[str, ...]:
    setups = (found.get("logging") or {}).get("clusterLogging") or ()
    return tuple(sorted({kind for setup in setups if setup.get("enabled") for kind in setup.get("types") or ()}))


def _pem(found: Mapping[str, Any], name: str, region: str) -> str:
    """Return the cluster's CA as PEM text, "" while there is none (a cluster that is being made)."""
    data = (found.get("certificateAuthority") or {}).get("data")
    if not data:
        return ""
    try:
        text = base64.b64decode(data, validate=True).decode("ascii").strip()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith("-----BEGIN CERTIFICATE-----"):
        raise AwsError(
            "has a CA that is no certificate in PEM form.",
            remedy="Look at `aws eks describe-cluster`, cluster.certificateAuthority.data.",
            where=f"EKS cluster {name} in {region}",
        )
    return f"{text}\n"


def _not_there(reader: Reader, name: str, missing: MissingError) -> MissingError:
    """Return the error of a cluster that is not there, with those that are, as far as they may be listed."""
    region = reader.clients.region
    there = reader.optional(None, _names, reader)
    if there is None:
        known = ""
    elif there:
        known = f"; the clusters there are {', '.join(there[:20])}{' and more' if len(there) > 20 else ''}"
    else:
        known = "; the account has no cluster there at all"
    near = get_close_matches(name, there or (), n=1)
    meant = f" Perhaps {near[0]} is meant." if near else ""
    return MissingError(
        f"there is no cluster {name}{known}.",
        remedy=f"Correct the name of the cluster, the Region, or the account that `aws:profile` leads to.{meant}",
        where=missing.where or f"AWS in {region}",
    )


def _names(reader: Reader) -> list[str]:
    return sorted(reader.pages("eks:ListClusters", "clusters"))
