"""The cluster: what EKS says of it, and what is said when it is not there."""

from __future__ import annotations

from typing import Any

import pytest

from edge.aws.errors import MissingError
from edge.aws.read import read_cluster
from edge.aws.read_cluster import cluster_of
from edge.aws.reader import Reader
from edge.errors import AwsError
from tests.unit.aws_world import (
    NAME,
    REGION,
    Account,
    account,
    built,
)

__all__ = ["built"]  # a fixture


@pytest.mark.row("C2")
def test_a_cluster_that_is_not_there_is_answered_with_those_that_are(built: Account) -> None:
    at = "AWS eks:DescribeCluster in eu-central-1: there is no cluster plants-prd"
    fix = " Remedy: Correct the name of the cluster, the Region, or the account that `aws:profile` leads to."
    made = account(built)
    with pytest.raises(MissingError) as caught:
        read_cluster(Reader(made), "plants-prd")
    assert str(caught.value) == f"{at}; the clusters there are plants-prod.{fix} Perhaps plants-prod is meant."
    made.paged(
        "eks:ListClusters",
        "clusters",
        [[f"c{number:02}" for number in range(15)], [f"d{n}" for n in range(9)]],
        "nextToken",
    )
    with pytest.raises(MissingError, match=r"c14, d0, d1, d2, d3, d4 and more\."):
        read_cluster(Reader(made), "plants-prd")
    made.paged("eks:ListClusters", "clusters", [[]])
    with pytest.raises(MissingError, match="the account has no cluster there at all"):
        read_cluster(Reader(made), "plants-prd")
    made.denied = {"eks:ListClusters"}
    with pytest.raises(MissingError) as caught:
        read_cluster(Reader(made), "plants-prd")
    assert str(caught.value) == f"{at}.{fix}"


def described(**over: Any) -> dict[str, Any]:
    """Return a cluster as EKS describes it."""
    return {"name": NAME, "resourcesVpcConfig": {"vpcId": "vpc-1"}, **over}


def test_clusters_of_another_kind() -> None:
    assert cluster_of(described(), REGION).auth_mode == "CONFIG_MAP"  # older than access entries
    assert cluster_of(described(status="CREATING"), REGION).ca == ""
    with pytest.raises(AwsError, match="EKS cluster plants-prod in eu-central-1: has no VPC in this account"):
        cluster_of({"name": NAME, "connectorConfig": {"provider": "OTHER"}}, REGION)
    for data in ("no base64!", "bm8gY2VydGlmaWNhdGU="):
        with pytest.raises(AwsError, match="has a CA that is no certificate in PEM form"):
            cluster_of(described(certificateAuthority={"data": data}), REGION)
    split = [{"types": ["api"], "enabled": True}, {"types": ["audit"], "enabled": False}]
    assert cluster_of(described(logging={"clusterLogging": split}), REGION).logs == ("api",)
