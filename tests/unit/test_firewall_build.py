"""The request of a build stack: the way out of its build machine, and nothing of a site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.endpoints.firewall import build_rules, site_rules
from edge.endpoints.rule import FirewallRule
from edge.network import NetworkFacts
from edgectl import app
from tests.unit.image_stacks import BUILT, PINNED, images, images_file, load_images, mixed
from tests.unit.settings_helpers import load, put


def rules(folder: Path, *changes: Any) -> dict[tuple[str, str], FirewallRule]:
    """Return the rules by source and destination."""
    return {(one.source, one.destination): one for one in build_rules(load_images(folder, images(*changes)))}


@pytest.mark.row("B1")
def test_a_builder_reaches_its_sources_its_registry_and_the_vcenter(tmp_path: Path) -> None:
    found = rules(tmp_path)
    builder = "10.200.0.30"
    for host in (
        "github.com",
        "us-docker.pkg.dev",
        "quay.io",
        "ghcr.io",
        "registry.example",
        "hybrid-assets.eks.amazonaws.com",
    ):
        assert found[builder, host].ports == "443"
    assert found[builder, "archive.ubuntu.com"].ports == "80, 443"
    assert found[builder, "vcenter.example.com"].reason == "upload of the ISOs"
    (login,) = [one for one in found.values() if one.section == "login-builder"]
    assert (login.destination, login.ports, login.direction) == (builder, "22", "in")
    assert {one.via for one in found.values()} == {"direct"}


def test_each_setting_moves_its_own_line(tmp_path: Path) -> None:
    base = set(rules(tmp_path))
    assert set(rules(tmp_path, put("build.repository", "https://git.example/CanvOS.git"))) - base == {
        ("10.200.0.30", "git.example")
    }
    assert base - set(rules(tmp_path, put("build.push", False))) == {("10.200.0.30", "registry.example")}
    assert ("10.200.0.30", "base.example") in rules(tmp_path, put("build.baseImage", "base.example:5000/rhel:9"))
    rhel = rules(
        tmp_path,
        put("build.os", "rhel"),
        put("build.baseImage", "base.example/rhel:9"),
        lambda raw: raw["build"].pop("osVersion"),
    )
    assert ("10.200.0.30", "cdn.redhat.com") in rhel
    assert ("10.200.0.30", "archive.ubuntu.com") not in rhel


def test_a_proxy_of_the_build_is_the_way_out(tmp_path: Path) -> None:
    found = rules(tmp_path, put("build.proxy", {"https": "http://10.0.0.2:3128"}))
    assert found["10.200.0.30", "us-docker.pkg.dev"].via == "proxy"
    assert found["10.200.0.30", "10.0.0.2"].ports == "3128"
    assert found["10.200.0.30", "vcenter.example.com"].via == "direct"


def test_this_machine_builds_without_a_login(tmp_path: Path) -> None:
    found = rules(tmp_path, put("builder", {"machine": "local"}))
    assert {one.section for one in found.values()} == {"builder"}
    assert {source for source, _ in found} == {"the machine that runs this program"}


def test_the_command_prints_it_without_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images_file(tmp_path, images())
    assert app.main(["firewall", "images-dev", "--root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# Firewall request: images (images-dev)")
    assert "us-docker.pkg.dev" in out
    assert app.main(["firewall", "images-dev", "--root", str(tmp_path), "--phase", "ongoing"]) == 0
    assert "us-docker.pkg.dev" not in capsys.readouterr().out


def test_a_site_that_builds_for_itself_asks_for_both(tmp_path: Path) -> None:
    settings = load(tmp_path, mixed(image=BUILT), release=PINNED)
    sections = {one.section for one in site_rules(settings, NetworkFacts.given(settings))}
    assert {"builder", "login-builder", "palette", "login"} <= sections
    given = load(tmp_path, mixed(), release=PINNED)
    assert "builder" not in {one.section for one in site_rules(given, NetworkFacts.given(given))}


@pytest.mark.row("B15")
def test_a_site_of_appliances_asks_for_their_image_and_for_no_packages(tmp_path: Path) -> None:
    changes = [put("hosts.plant-a.mode", "appliance")]
    settings = load(tmp_path, mixed(*changes), release=PINNED)
    found = {one.destination for one in site_rules(settings, NetworkFacts.given(settings))}
    assert "registry.example" in found
    assert not {"archive.ubuntu.com", "github.com"} & found
    both = load(tmp_path, mixed(), release=PINNED)
    assert {"archive.ubuntu.com", "github.com", "registry.example"} <= {
        one.destination for one in site_rules(both, NetworkFacts.given(both))
    }
