"""Every Region against values typed by hand from AWS's documents, not made by our code."""

from __future__ import annotations

import time

import pytest

from edge.endpoints import EndpointQuery, endpoint_table
from edge.endpoints.names import botocore_regions, fips_host, service_host
from edge.endpoints.partitions import PARTITIONS, partition_of
from edge.endpoints.regions import ECR_ACCOUNTS, is_region, registry_of, similar_regions
from tests.unit.network_samples import facts_of, hosts, row, table

# EKS User Guide, container image registries for add-ons; nodeadm's table for the last five. Typed, not generated.
REGISTRIES = {
    "af-south-1": "877085696533.dkr.ecr.af-south-1.amazonaws.com",
    "ap-east-1": "800184023465.dkr.ecr.ap-east-1.amazonaws.com",
    "ap-east-2": "533267051163.dkr.ecr.ap-east-2.amazonaws.com",
    "ap-northeast-1": "602401143452.dkr.ecr.ap-northeast-1.amazonaws.com",
    "ap-northeast-2": "602401143452.dkr.ecr.ap-northeast-2.amazonaws.com",
    "ap-northeast-3": "602401143452.dkr.ecr.ap-northeast-3.amazonaws.com",
    "ap-south-1": "602401143452.dkr.ecr.ap-south-1.amazonaws.com",
    "ap-south-2": "900889452093.dkr.ecr.ap-south-2.amazonaws.com",
    "ap-southeast-1": "602401143452.dkr.ecr.ap-southeast-1.amazonaws.com",
    "ap-southeast-2": "602401143452.dkr.ecr.ap-southeast-2.amazonaws.com",
    "ap-southeast-3": "296578399912.dkr.ecr.ap-southeast-3.amazonaws.com",
    "ap-southeast-4": "491585149902.dkr.ecr.ap-southeast-4.amazonaws.com",
    "ap-southeast-5": "151610086707.dkr.ecr.ap-southeast-5.amazonaws.com",
    "ap-southeast-6": "333609536671.dkr.ecr.ap-southeast-6.amazonaws.com",
    "ap-southeast-7": "121268973566.dkr.ecr.ap-southeast-7.amazonaws.com",
    "ca-central-1": "602401143452.dkr.ecr.ca-central-1.amazonaws.com",
    "ca-west-1": "761377655185.dkr.ecr.ca-west-1.amazonaws.com",
    "eu-central-1": "602401143452.dkr.ecr.eu-central-1.amazonaws.com",
    "eu-central-2": "900612956339.dkr.ecr.eu-central-2.amazonaws.com",
    "eu-north-1": "602401143452.dkr.ecr.eu-north-1.amazonaws.com",
    "eu-south-1": "590381155156.dkr.ecr.eu-south-1.amazonaws.com",
    "eu-south-2": "455263428931.dkr.ecr.eu-south-2.amazonaws.com",
    "eu-west-1": "602401143452.dkr.ecr.eu-west-1.amazonaws.com",
    "eu-west-2": "602401143452.dkr.ecr.eu-west-2.amazonaws.com",
    "eu-west-3": "602401143452.dkr.ecr.eu-west-3.amazonaws.com",
    "il-central-1": "066635153087.dkr.ecr.il-central-1.amazonaws.com",
    "me-central-1": "759879836304.dkr.ecr.me-central-1.amazonaws.com",
    "me-south-1": "558608220178.dkr.ecr.me-south-1.amazonaws.com",
    "mx-central-1": "730335286997.dkr.ecr.mx-central-1.amazonaws.com",
    "sa-east-1": "602401143452.dkr.ecr.sa-east-1.amazonaws.com",
    "us-east-1": "602401143452.dkr.ecr.us-east-1.amazonaws.com",
    "us-east-2": "602401143452.dkr.ecr.us-east-2.amazonaws.com",
    "us-west-1": "602401143452.dkr.ecr.us-west-1.amazonaws.com",
    "us-west-2": "602401143452.dkr.ecr.us-west-2.amazonaws.com",
    "cn-north-1": "918309763551.dkr.ecr.cn-north-1.amazonaws.com.cn",
    "cn-northwest-1": "961992271922.dkr.ecr.cn-northwest-1.amazonaws.com.cn",
    "us-gov-east-1": "151742754352.dkr.ecr.us-gov-east-1.amazonaws.com",
    "us-gov-west-1": "013241004608.dkr.ecr.us-gov-west-1.amazonaws.com",
    "eusc-de-east-1": "877088126301.dkr.ecr.eusc-de-east-1.amazonaws.eu",
    "us-iso-east-1": "725322719131.dkr.ecr.us-iso-east-1.c2s.ic.gov",
    "us-iso-west-1": "608367168043.dkr.ecr.us-iso-west-1.c2s.ic.gov",
    "us-isob-east-1": "187977181151.dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
    "us-isof-south-1": "676585237158.dkr.ecr.us-isof-south-1.csp.hci.ic.gov",
    "eu-isoe-west-1": "249663109785.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk",
}

# Suffix of Regional names, and the host of EKS Pod Identity, by partition.
SUFFIXES = {
    "eu-central-1": ("amazonaws.com", "eks-auth.eu-central-1.api.aws"),
    "ap-east-2": ("amazonaws.com", "eks-auth.ap-east-2.api.aws"),
    "cn-north-1": ("amazonaws.com.cn", "eks-auth.cn-north-1.api.amazonwebservices.com.cn"),
    "us-gov-west-1": ("amazonaws.com", "eks-auth.us-gov-west-1.api.aws"),
    "eusc-de-east-1": ("amazonaws.eu", "eks-auth.eusc-de-east-1.amazonaws.eu"),
    "us-iso-east-1": ("c2s.ic.gov", "eks-auth.us-iso-east-1.api.aws.ic.gov"),
    "us-isob-east-1": ("sc2s.sgov.gov", "eks-auth.us-isob-east-1.api.aws.scloud"),
    "us-isof-south-1": ("csp.hci.ic.gov", "eks-auth.us-isof-south-1.api.aws.hci.ic.gov"),
    "eu-isoe-west-1": ("cloud.adc-e.uk", "eks-auth.eu-isoe-west-1.api.cloud-aws.adc-e.uk"),
}


@pytest.mark.row("A6", "C2")
class TestRegions:
    def test_the_hand_typed_list_is_whole(self) -> None:
        assert set(REGISTRIES) == set(ECR_ACCOUNTS)

    @pytest.mark.parametrize("region", sorted(REGISTRIES))
    def test_images_come_from_the_regions_own_registry(self, region: str) -> None:
        rows = table(region)
        registry = row(rows, REGISTRIES[region])
        assert registry.required == "required"
        assert registry.phase == {"install", "join", "ongoing"}
        others = {host for host in hosts(rows) if ".dkr.ecr." in host} - {REGISTRIES[region]}
        assert others == {
            "415789037893.dkr.ecr.us-east-1.amazonaws.com",
            "415789037893.dkr.ecr.us-west-2.amazonaws.com",
        }, "only Palette's own registries stand beside it"

    @pytest.mark.parametrize("region", sorted(REGISTRIES))
    def test_account_ids_are_text_of_twelve_digits(self, region: str) -> None:
        account = registry_of(region).account
        assert isinstance(account, str)
        assert len(account) == 12
        assert account.isdigit()

    @pytest.mark.parametrize("region", sorted(SUFFIXES))
    def test_names_of_the_partition(self, region: str) -> None:
        suffix, pod_identity = SUFFIXES[region]
        rows = table(region)
        for service in ("eks", "api.ecr", "ssm", "sts"):
            assert row(rows, f"{service}.{region}.{suffix}").required == "required"
        assert row(rows, f"prod-{region}-starport-layer-bucket.s3.{region}.{suffix}").required == "required"
        assert row(rows, f"amazon-ssm-{region}.s3.{region}.{suffix}").required == "required"
        assert row(rows, pod_identity).required == "conditional"
        rows = table(region, credential_provider="iamRolesAnywhere")
        assert row(rows, f"rolesanywhere.{region}.{suffix}").required == "required"

    def test_the_sovereign_cloud_has_both_names_of_pod_identity(self) -> None:
        names = {host for host in hosts(table("eusc-de-east-1")) if host.startswith("eks-auth.")}
        assert names == {
            "eks-auth.eusc-de-east-1.amazonaws.eu",
            "eks-auth.eusc-de-east-1.api.amazonwebservices.eu",
        }

    def test_china_reads_another_manifest(self) -> None:
        assert "eks-hybrid-assets.awsstatic.cn" in hosts(table("cn-north-1"), "required")
        assert "eks-hybrid-assets.awsstatic.cn" not in hosts(table("eu-central-1"))
        assert "download.docker.com" not in hosts(table("cn-north-1"))

    @pytest.mark.parametrize(
        ("region", "registry"),
        [
            ("sa-west-1", "602401143452.dkr.ecr.us-west-2.amazonaws.com"),
            ("eu-nowhere-9", "602401143452.dkr.ecr.us-west-2.amazonaws.com"),
            ("us-gov-north-1", "013241004608.dkr.ecr.us-gov-west-1.amazonaws.com"),
            ("cn-south-1", "961992271922.dkr.ecr.cn-northwest-1.amazonaws.com.cn"),
            ("us-isob-west-1", "187977181151.dkr.ecr.us-isob-east-1.sc2s.sgov.gov"),
            ("us-isof-east-1", "676585237158.dkr.ecr.us-isof-south-1.csp.hci.ic.gov"),
        ],
    )
    def test_an_unknown_region_pulls_from_far_away(self, region: str, registry: str) -> None:
        """The trap: nodeadm only warns, and the host waits for a registry that nobody opened."""
        rows = table(region)
        home = registry.partition(".dkr.ecr.")[2]
        assert row(rows, registry).required == "required"
        assert "falls back" in row(rows, registry).reason
        assert row(rows, f"api.ecr.{home}").required == "required"
        assert row(rows, f"prod-{home.partition('.')[0]}-starport-layer-bucket.s3.{home}").required == "required"

    def test_a_typing_error_is_no_region(self) -> None:
        assert is_region("eu-central-1")
        assert is_region("sa-west-1"), "known to botocore, not to the table of registries"
        assert not is_region("eu-centrall-1")
        assert "eu-central-1" in similar_regions("eu-centrall-1")


class TestBotocore:
    def test_partitions_are_those_of_botocore(self) -> None:
        from botocore.loaders import create_loader

        theirs = create_loader().load_data("partitions")["partitions"]
        assert {entry["id"] for entry in theirs} == {partition.id for partition in PARTITIONS}
        for entry in theirs:
            for region in entry["regions"]:
                if region.endswith("-global"):
                    continue
                ours = partition_of(region)
                outputs = entry["outputs"]
                assert (ours.id, ours.dns_suffix) == (entry["id"], outputs["dnsSuffix"]), region
                assert ours.api_suffix == outputs["dualStackDnsSuffix"]

    def test_every_region_of_the_table_is_known_to_botocore(self) -> None:
        assert set(ECR_ACCOUNTS) <= botocore_regions()

    def test_names_are_those_of_real_clients(self) -> None:
        """`client.meta.endpoint_url` is botocore's older list; where the newer rules differ from it is written down here."""
        from urllib.parse import urlsplit

        from botocore.session import Session

        session = Session()
        differ = set()
        for region in ("us-east-1", "il-central-1", "ap-east-2", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"):
            for service in ("eks", "eks-auth", "ecr", "ssm", "sts", "rolesanywhere", "logs", "iam"):
                client = session.create_client(
                    service, region_name=region, aws_access_key_id="x", aws_secret_access_key="x"
                )
                if urlsplit(client.meta.endpoint_url).hostname != service_host(service, region):
                    differ.add((service, region))
        assert differ == {("eks-auth", "ap-east-2"), ("eks-auth", "eusc-de-east-1")}

    @pytest.mark.parametrize(
        ("service", "region", "host"),
        [
            ("ssm", "us-east-1", "ssm-fips.us-east-1.amazonaws.com"),
            ("ssm", "ca-central-1", "ssm-fips.ca-central-1.amazonaws.com"),
            ("ssm", "us-gov-west-1", "ssm.us-gov-west-1.amazonaws.com"),
            ("eks", "us-gov-east-1", "eks.us-gov-east-1.amazonaws.com"),
            ("eks", "us-west-2", "fips.eks.us-west-2.amazonaws.com"),
            ("ecr", "us-west-2", "ecr-fips.us-west-2.amazonaws.com"),
            ("ssm", "eu-central-1", None),
            ("sts", "cn-north-1", None),
        ],
    )
    def test_fips_names_only_where_aws_lists_them(self, service: str, region: str, host: str | None) -> None:
        assert fips_host(service, region) == host

    def test_all_tables_of_all_partitions_are_made_in_a_blink(self) -> None:
        """Half a second is the figure, which bench/endpoints.py measures; here twice of it, as the machine is shared.

        Everything is cold but the import. Two tables per Region, in processor time; the best of three.
        """
        assert min(_seconds_of_all_tables() for _ in range(3)) < 1.0
        assert len(botocore_regions()) >= 40

    def test_botocore_is_not_loaded_before_a_table_is_made(self) -> None:
        import subprocess
        import sys

        code = "import sys, edge.network, edge.endpoints; sys.exit(any(name.startswith('botocore') for name in sys.modules))"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _seconds_of_all_tables() -> float:
    """Return the processor time of the tables of every Region, with no cache of a table before."""
    from edge.endpoints import names

    for cached in (names._loader, names._rules, names.service_host, names.fips_host, names.botocore_regions):
        cached.cache_clear()
    endpoint_table.cache_clear()
    began = time.process_time()
    for region in botocore_regions():
        for provider in ("ssm", "iamRolesAnywhere"):
            endpoint_table(EndpointQuery(facts_of(region, credential_provider=provider), fips=True))
    return time.process_time() - began
