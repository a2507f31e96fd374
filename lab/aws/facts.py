"""What the account of a lab holds when it is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ACCOUNT = "111122223333"  # of AWS's own examples
USER = "lab"
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"  # of AWS's own examples, like the account
HYBRID_ROLE = "AmazonEKSHybridNodesRole"
CLUSTER_ROLE = "AmazonEKSClusterRole"
PORT = 4566
SERVICES = ("ec2", "eks", "iam", "route53resolver", "ssm", "sts")
"""The services that are answered, as botocore and the AWS provider of Pulumi name them."""


@dataclass(frozen=True)
class AwsFacts:
    """One cluster in one VPC. `subnets` hold the control plane's interfaces, by their zone's letter.

    `addresses` are those on which the API server of the lab really listens: an interface in a subnet that has one of
    them takes it. `endpoint` is the URL of the API server. `tunnels` are the AWS ends of the VPN to the site, `site_router`
    is its other end. Only requests with `access_key`, or with a session that the account has given, are answered.
    """

    region: str
    cluster: str
    endpoint: str
    kubernetes: str
    vpc: str
    subnets: Mapping[str, str]
    addresses: tuple[str, ...]
    service_cidr: str
    remote_nodes: tuple[str, ...]
    remote_pods: tuple[str, ...]
    account: str = ACCOUNT
    access_key: str = ACCESS_KEY
    site_router: str = "203.0.113.10"
    tunnels: tuple[str, ...] = field(default=("198.51.100.11", "198.51.100.12"))

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        """Return the ARN of a resource of the account."""
        return f"arn:aws:{service}:{self.region if regional else ''}:{self.account}:{resource}"

    @property
    def hybrid_role_arn(self) -> str:
        """Return the ARN of the role of the hosts."""
        return self.arn("iam", f"role/{HYBRID_ROLE}", regional=False)
