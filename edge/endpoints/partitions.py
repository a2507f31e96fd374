"""The AWS partitions: which DNS names and which download hosts belong to a Region.

A Region's name tells its partition. The table is written down here, because it is needed before anything is asked of
botocore; a test compares it with botocore's own partition data for every Region.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Partition:
    """One AWS partition.

    `dns_suffix` ends the name of a Regional service, `api_suffix` that of the newer, dual-stack ones (`eks-auth`).
    `registry_account` and `registry_region` are where nodeadm looks for images when it does not know a Region.
    """

    id: str
    prefixes: tuple[str, ...]
    dns_suffix: str
    api_suffix: str
    registry_account: str
    registry_region: str
    hybrid_nodes: bool = False

    def arn(self, service: str, region: str, account: str, resource: str) -> str:
        """Return an ARN of this partition; `region` and `account` may be empty, as IAM wants it."""
        return f"arn:{self.id}:{service}:{region}:{account}:{resource}"


# nodeadm falls back on the account of the oldest commercial Regions in us-west-2, except in the partitions whose
# registries it knows (nodeadm, internal/aws/ecr). Accounts are text: some of them begin with a zero.
_COMMERCIAL = ("602401143452", "us-west-2")

AWS = Partition("aws", (), "amazonaws.com", "api.aws", *_COMMERCIAL, hybrid_nodes=True)

# Longer prefixes stand before the shorter ones that they begin with.
PARTITIONS: tuple[Partition, ...] = (
    Partition("aws-cn", ("cn-",), "amazonaws.com.cn", "api.amazonwebservices.com.cn", "961992271922", "cn-northwest-1"),
    Partition("aws-us-gov", ("us-gov-",), "amazonaws.com", "api.aws", "013241004608", "us-gov-west-1"),
    Partition("aws-eusc", ("eusc-",), "amazonaws.eu", "api.amazonwebservices.eu", *_COMMERCIAL),
    Partition("aws-iso-b", ("us-isob-",), "sc2s.sgov.gov", "api.aws.scloud", "187977181151", "us-isob-east-1"),
    Partition("aws-iso-f", ("us-isof-",), "csp.hci.ic.gov", "api.aws.hci.ic.gov", "676585237158", "us-isof-south-1"),
    Partition("aws-iso-e", ("eu-isoe-",), "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", "249663109785", "eu-isoe-west-1"),
    Partition("aws-iso", ("us-iso-",), "c2s.ic.gov", "api.aws.ic.gov", "725322719131", "us-iso-east-1"),
    AWS,
)

BY_ID = {partition.id: partition for partition in PARTITIONS}


def partition_of(region: str) -> Partition:
    """Return the partition of a Region, by its name; a Region that no prefix fits is a commercial one."""
    for partition in PARTITIONS:
        if partition.prefixes and region.startswith(partition.prefixes):
            return partition
    return AWS
