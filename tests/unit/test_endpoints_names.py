"""Every name of every Region against a table that was written down from AWS's documents, never printed by our code."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from edge.endpoints.names import botocore_regions
from edge.endpoints.partitions import BY_ID, partition_of
from edge.endpoints.regions import ECR_ACCOUNTS, registry_of
from tests.unit.network_samples import hosts, row, table

# Sources: EKS User Guide (container image registries; networking; private connectivity), nodeadm's table of the isolated
# partitions, AWS's list of service endpoints. It is corrected by hand only.
FILE = Path(__file__).resolve().parents[1] / "golden" / "aws_names.tsv"
NAMES = {line["region"]: line for line in csv.DictReader(FILE.read_text("utf-8").splitlines(), delimiter="\t")}

ALL = {"install", "join", "ongoing"}
ALWAYS_NEEDED = {"eks": ALL, "ecr": ALL, "registry": ALL, "layers": ALL, "sts": {"join", "ongoing"}}
OF_PODS = ("eks-auth", "oidc", "oidc-dual")


@pytest.mark.row("A6", "C2")
class TestEveryRegion:
    def test_the_table_has_every_region(self) -> None:
        assert len(NAMES) == 44
        assert set(NAMES) == set(ECR_ACCOUNTS)
        assert set(NAMES) <= botocore_regions()
        assert {partition_of(region).id for region in NAMES} == set(BY_ID), "every partition has a Region in it"

    @pytest.mark.parametrize("region", sorted(NAMES))
    def test_names_of_the_region_with_systems_manager(self, region: str) -> None:
        names, rows = NAMES[region], table(region)
        for column, phases in ALWAYS_NEEDED.items():
            one = row(rows, names[column])
            assert (one.required, one.phase, one.peer) == ("required", phases, "aws"), names[column]
        assert (row(rows, names["ssm"]).required, row(rows, names["ssm"]).phase) == ("required", ALL)
        bucket = row(rows, names["ssm-bucket"])
        assert bucket.required == "required"
        assert bucket.phase >= {"install", "join"}
        for column in OF_PODS:
            assert (row(rows, names[column]).required, row(rows, names[column]).phase) == ("conditional", {"ongoing"})
        assert names["rolesanywhere"] not in hosts(rows)

    @pytest.mark.parametrize("region", sorted(NAMES))
    def test_names_of_the_region_with_roles_anywhere(self, region: str) -> None:
        names, rows = NAMES[region], table(region, credential_provider="iamRolesAnywhere")
        for column, phases in {**ALWAYS_NEEDED, "rolesanywhere": {"join", "ongoing"}}.items():
            assert (row(rows, names[column]).required, row(rows, names[column]).phase) == ("required", phases)
        assert row(rows, "rolesanywhere.amazonaws.com").phase == {"install"}
        assert not {names["ssm"], names["ssm-bucket"]} & hosts(rows)

    @pytest.mark.parametrize("region", sorted(NAMES))
    def test_no_other_region_is_asked_without_a_reason(self, region: str) -> None:
        """A slip of one letter in a name would be a firewall opened for nobody."""
        rows = table(region)
        foreign = {
            one.host for one in rows if one.peer == "aws" and one.required != "optional" and region not in one.host
        }
        known = {"hybrid-assets.eks.amazonaws.com", "amazon-ssm-us-west-2.s3.us-west-2.amazonaws.com"}
        if region.startswith("cn-"):
            known.add("eks-hybrid-assets.awsstatic.cn")
        assert foreign == known - {host for host in known if region in host}

    @pytest.mark.parametrize(
        ("region", "account"),
        [
            ("il-central-1", "066635153087"),
            ("us-gov-west-1", "013241004608"),
            ("ap-east-2", "533267051163"),
            ("ap-southeast-5", "151610086707"),
            ("us-west-2", "602401143452"),
            ("eusc-de-east-1", "877088126301"),
            ("us-isof-south-1", "676585237158"),
        ],
    )
    def test_accounts_that_are_easily_wrong(self, region: str, account: str) -> None:
        """A leading zero is lost in a number; two Regions are wrong or missing in the guide."""
        assert registry_of(region).account == account
        assert NAMES[region]["registry"].startswith(f"{account}.dkr.ecr.{region}.")


@pytest.mark.row("A6")
class TestFipsOfEveryRegion:
    @pytest.mark.parametrize("region", sorted(NAMES))
    def test_the_fips_registry_is_required_and_has_no_interface_endpoint(self, region: str) -> None:
        name = NAMES[region]["registry"].replace(".dkr.ecr.", ".dkr.ecr-fips.")
        for private in (False, True):
            one = row(table(region, private_path=private, query={"fips": True}), name)
            assert (one.required, one.phase, one.private_service) == ("required", ALL, None)
        assert name not in hosts(table(region))
