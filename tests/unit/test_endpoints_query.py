"""What the settings and the AWS outputs tell the table: systems, machines, and which services answer in the VPC."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.endpoints import EndpointQuery, endpoint_table, private_names, query_for
from edge.endpoints.private import service_of
from edge.network import NetworkFacts
from tests.unit.network_samples import facts_of, hosts, lines, row, table
from tests.unit.settings_helpers import RELEASE, load, put, site, vm_site

SERVICES = tuple(f"com.amazonaws.eu-central-1.{name}" for name in ("eks", "ecr.api", "ecr.dkr", "s3", "ssm", "logs"))


@pytest.mark.row("A6", "A8")
class TestSettings:
    def test_a_site_of_fips_hosts_is_rhel(self, tmp_path: Path) -> None:
        release = {**RELEASE, "agent": {**RELEASE["agent"], "fips": True}}
        settings = load(tmp_path, site(fips=True), release=release)
        query = query_for(settings, NetworkFacts.given(settings))
        assert (query.os_families, query.fips) == (("rhel",), True)
        rows = endpoint_table(query)
        assert row(rows, "cdn.redhat.com").probe == "tls"
        assert not {"archive.ubuntu.com", "ports.ubuntu.com", "cdn.amazonlinux.com"} & hosts(rows)

    def test_without_it_any_system_of_the_list(self, tmp_path: Path) -> None:
        """A further system that is accepted does not say what the other hosts have."""
        settings = load(tmp_path, site(put("acceptOs", ["ubuntu-20.04"])))
        query = query_for(settings, NetworkFacts.given(settings))
        assert (query.os_families, query.architectures) == ((), ("amd64", "arm64"))
        assert {"archive.ubuntu.com", "ports.ubuntu.com", "cdn.redhat.com"} <= hosts(endpoint_table(query))

    def test_machines_made_on_vsphere_are_amd64(self, tmp_path: Path) -> None:
        settings = load(tmp_path, vm_site())
        facts = NetworkFacts.given(settings)
        assert query_for(settings, facts).architectures == ("amd64", "arm64"), "one of the three exists already"
        query = query_for(settings, facts, settings.host_view("plant-a"))
        assert query.architectures == ("amd64",)
        assert "ports.ubuntu.com" not in hosts(endpoint_table(query))


@pytest.mark.row("A6", "C2")
class TestPrivateServices:
    def test_the_service_of_a_name_whatever_stands_before_the_region(self) -> None:
        assert service_of("com.amazonaws.eu-central-1.ecr.api", "eu-central-1") == "ecr.api"
        assert service_of("cn.com.amazonaws.cn-north-1.ecr.dkr", "cn-north-1") == "ecr.dkr"
        assert service_of("ssm", "eu-central-1") == "ssm"

    def test_a_service_that_is_made_is_reached_in_the_vpc_another_one_is_not(self) -> None:
        rows = table(private_path=True, endpoint_services=SERVICES, query={"proxy": True})
        assert not row(rows, "ssm.eu-central-1.amazonaws.com").via_proxy
        missing = row(rows, "sts.eu-central-1.amazonaws.com")
        assert missing.via_proxy
        assert missing.required == "required"
        assert missing.reason.endswith("the VPC has no interface endpoint for it")

    def test_a_missing_service_stays_required_without_a_proxy(self) -> None:
        """Nothing can stand in for it; as a condition its failed probe would be a warning only."""
        one = row(table(private_path=True, endpoint_services=SERVICES), "sts.eu-central-1.amazonaws.com")
        assert (one.required, one.condition) == ("required", "")
        assert "no interface endpoint" not in row(table(), "sts.eu-central-1.amazonaws.com").reason

    def test_every_name_of_a_listed_service_must_lead_into_the_vpc(self) -> None:
        facts = facts_of(private_path=True, endpoint_services=SERVICES)
        assert private_names(facts, endpoint_table(EndpointQuery(facts))) == (
            "602401143452.dkr.ecr.eu-central-1.amazonaws.com",
            "amazon-ssm-eu-central-1.s3.eu-central-1.amazonaws.com",
            "api.ecr.eu-central-1.amazonaws.com",
            "eks.eu-central-1.amazonaws.com",
            "logs.eu-central-1.amazonaws.com",
            "prod-eu-central-1-starport-layer-bucket.s3.eu-central-1.amazonaws.com",
            "s3.eu-central-1.amazonaws.com",
            "ssm.eu-central-1.amazonaws.com",
        )

    def test_without_a_list_what_no_host_can_do_without(self) -> None:
        facts = facts_of(private_path=True, credential_provider="iamRolesAnywhere")
        assert private_names(facts, endpoint_table(EndpointQuery(facts))) == (
            "602401143452.dkr.ecr.eu-central-1.amazonaws.com",
            "api.ecr.eu-central-1.amazonaws.com",
            "eks.eu-central-1.amazonaws.com",
            "prod-eu-central-1-starport-layer-bucket.s3.eu-central-1.amazonaws.com",
            "rolesanywhere.eu-central-1.amazonaws.com",
            "sts.eu-central-1.amazonaws.com",
        )

    def test_without_a_private_path_none(self) -> None:
        facts = facts_of(endpoint_services=SERVICES)
        assert private_names(facts, endpoint_table(EndpointQuery(facts))) == ()

    def test_a_far_bucket_is_never_in_the_vpc(self) -> None:
        facts = facts_of(private_path=True, endpoint_services=SERVICES)
        assert "amazon-ssm-us-west-2.s3.us-west-2.amazonaws.com" not in private_names(
            facts, endpoint_table(EndpointQuery(facts))
        )
        home = facts_of("us-west-2", private_path=True)
        assert "amazon-ssm-us-west-2.s3.us-west-2.amazonaws.com" in private_names(
            home, endpoint_table(EndpointQuery(home))
        )

    def test_the_global_name_of_s3_is_not_in_the_vpc(self) -> None:
        rows = table(private_path=True)
        assert row(rows, "s3.eu-central-1.amazonaws.com").private_service == "com.amazonaws.eu-central-1.s3"
        assert row(rows, "s3.amazonaws.com").private_service is None

    def test_names_that_lead_into_the_vpc_are_reached_past_the_proxy(self) -> None:
        facts = facts_of(private_path=True, endpoint_services=SERVICES)
        rows = endpoint_table(EndpointQuery(facts, proxy=True))
        fields = lines(rows, proxy=True)
        probed = [name for name in private_names(facts, rows) if name in fields]
        assert len(probed) >= 6
        assert {fields[name][4] for name in probed} == {"direct"}

    def test_add_ons_need_a_mirror_on_a_private_path(self) -> None:
        for host in ("public.ecr.aws", "quay.io", "production.cloudflare.docker.com"):
            assert "mirror" in row(table(private_path=True), host).condition
            assert "mirror" not in row(table(), host).condition
            assert row(table(), host).phase == {"install", "join", "ongoing"}
