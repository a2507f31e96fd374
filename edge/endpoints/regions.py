"""Which registry account serves the EKS images of a Region, and which Regions there are.

Source: EKS User Guide, "View Amazon container image registries for Amazon EKS add-ons"; GuardDuty's table of EKS
repositories for ap-east-2 and ap-southeast-5, where the guide slips; nodeadm's own table for the isolated partitions.
Accounts are text: some begin with a zero, which a number would lose.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from edge.endpoints.partitions import partition_of

_OLD_REGIONS = (
    "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
    "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1",
    "us-east-2", "us-west-1", "us-west-2",
)  # fmt: skip

# Regions that came before accounts of their own share one.
ECR_ACCOUNTS: dict[str, str] = dict.fromkeys(_OLD_REGIONS, "602401143452") | {
    "af-south-1": "877085696533",
    "ap-east-1": "800184023465",
    "ap-east-2": "533267051163",
    "ap-south-2": "900889452093",
    "ap-southeast-3": "296578399912",
    "ap-southeast-4": "491585149902",
    "ap-southeast-5": "151610086707",
    "ap-southeast-6": "333609536671",
    "ap-southeast-7": "121268973566",
    "ca-west-1": "761377655185",
    "eu-central-2": "900612956339",
    "eu-south-1": "590381155156",
    "eu-south-2": "455263428931",
    "il-central-1": "066635153087",
    "me-central-1": "759879836304",
    "me-south-1": "558608220178",
    "mx-central-1": "730335286997",
    "cn-north-1": "918309763551",
    "cn-northwest-1": "961992271922",
    "eusc-de-east-1": "877088126301",
    "us-gov-east-1": "151742754352",
    "us-gov-west-1": "013241004608",
    "eu-isoe-west-1": "249663109785",
    "us-iso-east-1": "725322719131",
    "us-iso-west-1": "608367168043",
    "us-isob-east-1": "187977181151",
    "us-isof-south-1": "676585237158",
}


@dataclass(frozen=True)
class Registry:
    """The ECR registry with the images of EKS (pause, kube-proxy, add-ons) as seen from one Region."""

    account: str
    region: str
    dns_suffix: str
    known: bool

    @property
    def host(self) -> str:
        """The host name of the registry."""
        return f"{self.account}.dkr.ecr.{self.region}.{self.dns_suffix}"

    @property
    def fips_host(self) -> str:
        """The host name that nodeadm uses, and must be able to resolve, when the host's kernel runs in FIPS mode."""
        return f"{self.account}.dkr.ecr-fips.{self.region}.{self.dns_suffix}"

    @property
    def layers_host(self) -> str:
        """The S3 bucket that serves the layers of the images; a registry alone answers with a redirect to it."""
        return f"prod-{self.region}-starport-layer-bucket.s3.{self.region}.{self.dns_suffix}"


def registry_of(region: str) -> Registry:
    """Return the registry of a Region.

    For a Region outside the table it is the one nodeadm falls back on, with only a warning in its log: in the
    commercial partition that of **us-west-2**, far away and often not opened in a firewall.
    """
    partition = partition_of(region)
    account = ECR_ACCOUNTS.get(region)
    if account is not None:
        return Registry(account, region, partition.dns_suffix, known=True)
    suffix = partition_of(partition.registry_region).dns_suffix
    return Registry(partition.registry_account, partition.registry_region, suffix, known=False)


def is_region(region: str) -> bool:
    """Return whether AWS has this Region: it is in the table above or in botocore's list."""
    if region in ECR_ACCOUNTS:
        return True
    from edge.endpoints.names import botocore_regions  # botocore costs 0.1 s: only when the table does not know

    return region in botocore_regions()


def similar_regions(region: str) -> list[str]:
    """Return up to three known Regions whose names are close, for a message."""
    return get_close_matches(region, sorted(ECR_ACCOUNTS), n=3, cutoff=0.6)
