"""Who is asked for what: the private path, Palette's two kinds, package repositories of the hosts."""

from __future__ import annotations

import pytest

from tests.unit.network_samples import CLEAN, hosts, lines, row, table


@pytest.mark.row("A6", "C2")
class TestPrivatePath:
    RESOLVERS = ("10.100.0.2", "10.100.1.2")

    def test_services_inside_the_vpc_are_reached_past_the_proxy(self) -> None:
        rows = table(private_path=True, inbound_resolvers=self.RESOLVERS, query={"proxy": True})
        fields = lines(rows, proxy=True)
        direct = {host for host, line in fields.items() if line[4] == "direct"}
        assert direct == {
            "602401143452.dkr.ecr.eu-central-1.amazonaws.com",
            "amazon-ssm-eu-central-1.s3.eu-central-1.amazonaws.com",
            "api.ecr.eu-central-1.amazonaws.com",
            "eks.eu-central-1.amazonaws.com",
            "prod-eu-central-1-starport-layer-bucket.s3.eu-central-1.amazonaws.com",
            "ssm.eu-central-1.amazonaws.com",
            "sts.eu-central-1.amazonaws.com",
            "eks-auth.eu-central-1.api.aws",
            "oidc-eks.eu-central-1.api.aws",
            "oidc.eks.eu-central-1.amazonaws.com",
            "d87d2a0c.gr7.eu-central-1.eks.amazonaws.com",
            *CLEAN.eni_addresses,
            *self.RESOLVERS,
        }

    def test_what_privatelink_does_not_reach_needs_a_mirror_or_a_proxy(self) -> None:
        rows = table(private_path=True)
        for host in ("hybrid-assets.eks.amazonaws.com", "amazon-ssm-us-west-2.s3.us-west-2.amazonaws.com"):
            assert row(rows, host).required == "conditional"
            assert "mirrored" in row(rows, host).condition
        with_proxy = table(private_path=True, query={"proxy": True})
        assert row(with_proxy, "hybrid-assets.eks.amazonaws.com").required == "required"

    def test_palette_and_the_installer_stay_required(self) -> None:
        rows = table(private_path=True)
        assert row(rows, "api.spectrocloud.com").required == "required"
        assert row(rows, "github.com").required == "required"

    def test_the_names_of_the_interface_endpoints(self) -> None:
        rows = table(credential_provider="iamRolesAnywhere", private_path=True)
        services = {one.private_service for one in rows if one.private_service and one.required != "optional"}
        assert services == {
            f"com.amazonaws.eu-central-1.{name}"
            for name in ("eks", "ecr.api", "ecr.dkr", "s3", "sts", "eks-auth", "oidc-eks", "rolesanywhere")
        }

    def test_without_a_private_path_everything_may_use_the_proxy(self) -> None:
        fields = lines(table(), proxy=True)
        assert fields["ssm.eu-central-1.amazonaws.com"][4] == "proxy"
        assert lines(table(), proxy=False)["ssm.eu-central-1.amazonaws.com"][4] == "direct"

    def test_the_inbound_resolver_is_a_warning_only(self) -> None:
        rows = table(inbound_resolvers=self.RESOLVERS)
        assert row(rows, "10.100.0.2", 53).required == "conditional"
        assert row(rows, "10.100.0.2", 53, "udp").probe == "none"
        assert lines(rows, proxy=True)["10.100.0.2"][1:5] == ["53", "tcp", "optional", "direct"]


@pytest.mark.row("A5")
class TestPalette:
    def test_saas_needs_all_its_groups(self) -> None:
        rows = table()
        assert hosts(rows, "required") >= {
            "api.spectrocloud.com",
            "message.spectrocloud.com",
            "msg.spectrocloud.com",
            "registry.spectrocloud.com",
            "saas-repo.console.spectrocloud.com",
            "us-docker.pkg.dev",
            "415789037893.dkr.ecr.us-east-1.amazonaws.com",
            "415789037893.dkr.ecr.us-west-2.amazonaws.com",
        }
        numbered = {
            f"{name}{number}.spectrocloud.com" for name in ("api", "message", "msg", "registry") for number in (1, 2, 3)
        }
        assert numbered <= hosts(rows, "conditional")
        assert row(rows, "api.spectrocloud.com").probe == "https"
        assert row(rows, "console.spectrocloud.com").probe == "none"

    def test_a_dedicated_instance_needs_its_own_endpoint_and_the_images(self) -> None:
        rows = table(query={"palette_endpoint": "palette.plant.example", "dedicated": True})
        palette = {one.host for one in rows if one.peer == "palette" and one.required == "required"}
        assert palette == {"palette.plant.example", "us-docker.pkg.dev"}
        assert not any(host.endswith(".spectrocloud.com") for host in hosts(rows) - {"software.spectrocloud.com"})

    def test_an_endpoint_elsewhere_is_no_saas_even_unsaid(self) -> None:
        rows = table(query={"palette_endpoint": "https://palette.plant.example:8443"})
        assert row(rows, "palette.plant.example", 8443).required == "required"
        assert "message.spectrocloud.com" not in hosts(rows)

    def test_nothing_comes_in_from_palette(self) -> None:
        assert not [one for one in table() if one.direction == "in" and one.peer == "palette"]

    @pytest.mark.row("A4", "A18")
    def test_the_installer_is_asked_of_its_own_host(self) -> None:
        rows = table()
        assert row(rows, "github.com").probe == "https"
        assert row(rows, "release-assets.githubusercontent.com").required == "conditional"
        mirror = table(query={"installer_url": "http://mirror.plant.example/v4.9.38/palette-agent-install.sh"})
        assert row(mirror, "mirror.plant.example", 80).probe == "tcp"
        assert not {"github.com", "release-assets.githubusercontent.com"} & hosts(mirror)

    def test_a_payload_image_of_its_own(self) -> None:
        image = "registry.plant.example:5000/edge/stylus-agent-mode-linux-amd64:v4.9.38"
        rows = table(query={"agent_image": image})
        assert row(rows, "registry.plant.example", 5000).required == "required"
        assert row(rows, "us-docker.pkg.dev").required == "conditional"

    def test_registries_of_the_site(self) -> None:
        rows = table(query={"registries": ("harbor.plant.example:8443/edge",)})
        assert row(rows, "harbor.plant.example", 8443).required == "required"


@pytest.mark.row("A6", "A8")
class TestRepositories:
    def test_unknown_systems_are_asked_of_the_firewall_but_not_probed(self) -> None:
        rows = table()
        for host in ("archive.ubuntu.com", "cdn.redhat.com", "cdn.amazonlinux.com"):
            assert row(rows, host).probe == "none"
            assert row(rows, host).required == "conditional"
        assert not any("debian" in host for host in hosts(rows)), "Debian is not on AWS's list"

    def test_one_known_system_is_probed(self) -> None:
        rows = table(query={"os_families": ("ubuntu",)})
        assert row(rows, "archive.ubuntu.com", 80).probe == "tcp"
        assert row(rows, "archive.ubuntu.com", 443).probe == "none"
        assert row(rows, "api.snapcraft.io").probe == "tls"
        assert row(rows, "*.snapcraftcontent.com").probe == "none"
        assert "cdn.redhat.com" not in hosts(rows)

    def test_architecture_and_provider_narrow_the_list_down(self) -> None:
        arm = hosts(table(query={"os_families": ("ubuntu",), "architectures": ("arm64",)}))
        assert "ports.ubuntu.com" in arm
        assert "archive.ubuntu.com" not in arm
        assert "api.snapcraft.io" not in hosts(table(credential_provider="iamRolesAnywhere"))

    def test_trap_rhel_gets_containerd_from_docker(self) -> None:
        assert "download.docker.com" in hosts(table(query={"os_families": ("rhel",)}))
        assert "download.docker.com" not in hosts(table(query={"os_families": ("amzn",)}))

    def test_own_mirrors_replace_the_vendors(self) -> None:
        rows = table(query={"os_repos": ("http://mirror.plant.example/ubuntu", "snap.plant.example")})
        assert row(rows, "mirror.plant.example", 80).required == "required"
        assert row(rows, "snap.plant.example").probe == "tls"
        assert "archive.ubuntu.com" not in hosts(rows)

    def test_registries_of_add_ons_are_for_the_firewall_only(self) -> None:
        rows = table()
        for host in ("public.ecr.aws", "*.cloudfront.net", "quay.io", "*.quay.io", "helm.cilium.io", "docker.io"):
            assert (row(rows, host).probe, row(rows, host).required) == ("none", "conditional")
