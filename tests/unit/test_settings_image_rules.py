"""Rules about what an image is built of, by which machine, and where its ISOs go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.appliance.userdata import build_file
from edge.settings import image_rules, load_any
from edge.settings.image_arguments import ALLOWED, INSTEAD
from edge.stages import STAGES, Stage
from tests.unit.image_stacks import CANVOS, PINNED, Change, images, images_file, images_refused, load_images
from tests.unit.settings_helpers import HOST_KEY, VCENTER, drop, levels, put

RHEL: tuple[Change, ...] = (
    put("build.os", "rhel"),
    drop("build.osVersion"),
    put("build.baseImage", "registry.example/edge/rhel9:9.4"),
)


def everywhere(folder: Path, raw: dict[str, Any], **more: Any) -> dict[str, str]:
    """Return the level of everything that is said about a build stack, by place."""
    return levels(images_file(folder, raw, **more), load_any)


# Operating systems


@pytest.mark.row("B4")
def test_a_version_is_for_ubuntu_only(tmp_path: Path) -> None:
    assert everywhere(tmp_path, images(*RHEL)) == {}
    findings = images_refused(tmp_path, images(*RHEL, put("build.osVersion", "22.04")))
    assert list(findings) == ["site.build.osVersion"]
    assert "Remove" in findings["site.build.osVersion"].remedy
    assert list(images_refused(tmp_path, images(put("build.osVersion", "18.04")))) == ["site.build.osVersion"]


@pytest.mark.row("B4")
def test_rhel_and_fips_need_a_base_image(tmp_path: Path) -> None:
    findings = images_refused(tmp_path, images(*RHEL, drop("build.baseImage")))
    assert "rhel-core-images" in findings["site.build.baseImage"].remedy
    findings = images_refused(tmp_path, images(put("build.fips", True)))
    assert set(findings) == {"site.build.fips", "site.build.baseImage"}
    assert load_images(tmp_path, images(*RHEL, put("build.fips", True))).site.build.fips
    both = images(*RHEL, put("build.fips", True), put("build.updateKernel", True))
    assert list(images_refused(tmp_path, both)) == ["site.build.updateKernel"]


@pytest.mark.row("B4")
@pytest.mark.parametrize("base", ["registry.example/opensuse-leap:15.6", "sles15:sp5", "quay.io/rocky/base:9"])
def test_a_base_of_another_system(tmp_path: Path, base: str) -> None:
    finding = images_refused(tmp_path, images(put("build.baseImage", base)))["site.build.baseImage"]
    assert "RHEL 8 and 9" in finding.remedy


@pytest.mark.parametrize("base", ["registry.example/palma/jammy:1", "registry.example/classless:22.04"])
def test_a_name_that_only_sounds_alike(tmp_path: Path, base: str) -> None:
    assert everywhere(tmp_path, images(put("build.baseImage", base))) == {}


@pytest.mark.row("B4")
@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ((put("build.osVersion", "20.04"),), "site.build.osVersion"),
        ((put("build.osVersion", 20),), "site.build.osVersion"),
        ((*RHEL, put("build.baseImage", "registry.example/rhel8:8.10")), "site.build.baseImage"),
        ((*RHEL, put("build.baseImage", "registry.example/edge/rhel-core:8.10")), "site.build.baseImage"),
    ],
)
def test_systems_for_ssm_only_are_a_warning_of_a_build(tmp_path: Path, changes: Any, where: str) -> None:
    assert everywhere(tmp_path, images(*changes)) == {where: "warning"}


def test_rhel_8_cannot_run_newer_kubernetes(tmp_path: Path) -> None:
    newer = {**PINNED, "kubernetes": "1.32.0"}
    raw = images(*RHEL, put("build.baseImage", "registry.example/rhel8:8.10"))
    assert "1.31" in images_refused(tmp_path, raw, release=newer)["site.build.baseImage"].remedy
    assert everywhere(tmp_path, images(*RHEL), release=newer) == {}


def test_trusted_boot_is_refused_with_its_reason(tmp_path: Path) -> None:
    finding = images_refused(tmp_path, images(put("build.trustedBoot", True)))["site.build.trustedBoot"]
    assert "no checksum file" in finding.problem
    assert "keys" in finding.problem


# What is put into it


@pytest.mark.row("B8")
@pytest.mark.parametrize("key", sorted(image_rules.FIXED_INSTALL))
def test_fixed_keys_of_the_installer(tmp_path: Path, key: str) -> None:
    findings = images_refused(tmp_path, images(put(f"build.install.{key}", True)))
    assert list(findings) == [f"site.build.install.{key}"]


def test_the_fixed_keys_are_those_that_the_user_data_writes() -> None:
    written = {key for power in ("poweroff", "reboot") for key in yaml.safe_load(build_file(power))["install"]}  # type: ignore[arg-type]
    assert set(image_rules.FIXED_INSTALL) == written


@pytest.mark.row("B8")
def test_more_install_keys_hold_no_secret(tmp_path: Path) -> None:
    more = {"device": "/dev/sda", "grub_options": {"extra_cmdline": "console=ttyS0"}}
    assert load_images(tmp_path, images(put("build.install", more))).site.build.install == more
    bad = {"a": [{"token": {"secret": "t"}}], "users": {"kairos": {"passwd": "hunter2"}}}
    findings = images_refused(tmp_path, images(put("build.install", bad)))
    assert set(findings) == {"site.build.install.a[0].token", "site.build.install.users.kairos.passwd"}
    assert "hunter2" not in str(findings)


@pytest.mark.row("B4")
@pytest.mark.parametrize("name", sorted(INSTEAD))
def test_an_argument_that_has_a_setting_or_cannot_be(tmp_path: Path, name: str) -> None:
    findings = images_refused(tmp_path, images(put(f"build.arguments.{name}", "some value")))
    assert list(findings) == [f"site.build.arguments.{name}"]
    assert findings[f"site.build.arguments.{name}"].remedy == f"{INSTEAD[name]}."
    assert "some value" not in str(findings)


@pytest.mark.row("B4")
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TWO_NOD", True, "Did you mean TWO_NODE?"),
        ("SOMETHING", True, "CLUSTERCONFIG"),
        ("TWO_NODE", "true", "without quotes"),
        ("TWO_NODE", 1, "without quotes"),
        ("CLUSTERCONFIG", True, "path"),
        ("CLUSTERCONFIG", "it's.tgz", "path"),
        ("EDGE_CUSTOM_CONFIG", "a\nb", "path"),
        ("EDGE_CUSTOM_CONFIG", " ", "path"),
    ],
)
def test_other_arguments_are_a_closed_list_of_kinds(tmp_path: Path, name: str, value: Any, words: str) -> None:
    findings = images_refused(tmp_path, images(put(f"build.arguments.{name}", value)))
    assert list(findings) == [f"site.build.arguments.{name}"]
    assert words in findings[f"site.build.arguments.{name}"].remedy


def test_every_allowed_argument_is_taken(tmp_path: Path) -> None:
    given = {name: True if form == "switch" else "some.tgz" for name, form in ALLOWED.items()}
    assert load_images(tmp_path, images(put("build.arguments", given))).site.build.arguments == given


@pytest.mark.row("B7")
@pytest.mark.parametrize("lines", [["RUN a && \\"], ["RUN a", "  b \\"], ["from ubuntu:22.04"]])
def test_dockerfile_lines_that_would_change_the_vendor_s(tmp_path: Path, lines: list[str]) -> None:
    findings = images_refused(tmp_path, images(put("build.dockerfile", lines)))
    assert list(findings) == [f"site.build.dockerfile[{len(lines) - 1}]"]


def test_dockerfile_lines_keep_their_blanks(tmp_path: Path) -> None:
    lines = ("RUN a && \\", "    b  ")
    assert load_images(tmp_path, images(put("build.dockerfile", list(lines)))).site.build.dockerfile == (
        "RUN a && \\",
        "    b",
    )


# The release


@pytest.mark.row("B3", "B5")
def test_what_a_build_needs_of_the_release(tmp_path: Path) -> None:
    without = {key: value for key, value in PINNED.items() if key != "canvos"}
    assert "canvos" in images_refused(tmp_path, images(), release=without)["release"].remedy
    short = {**PINNED, "kubernetes": "1.31"}
    assert '"1.31.0"' in images_refused(tmp_path, images(), release=short)["releases/r-1.yaml: kubernetes"].remedy


@pytest.mark.row("B3")
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("tag", ["v4.9.38-rc.1", "v4.9.a", "v4.6.21-patch.7"])
def test_tags_that_are_moved_and_withdrawn(tmp_path: Path, tag: str, stage: Stage) -> None:
    release = {**PINNED, "canvos": {**CANVOS, "tag": tag}}
    wanted = {"dev": "warning", "staging": "error", "prod": "error"}[stage]
    assert everywhere(tmp_path, images(stage=stage), release=release) == {"releases/r-1.yaml: canvos.tag": wanted}


@pytest.mark.row("B3")
@pytest.mark.parametrize("stage", STAGES)
def test_the_newest_tag_is_built_on_request_and_in_development_only(tmp_path: Path, stage: Stage) -> None:
    release = {**PINNED, "canvos": {"tag": "newest"}}
    found = everywhere(tmp_path, images(stage=stage), release=release)
    wanted = {"dev": "warning", "staging": "error", "prod": "error"}[stage]
    assert found["releases/r-1.yaml: canvos.tag"] == wanted
    release = {**PINNED, "canvos": {"tag": "newest", "commit": "0" * 40}}
    assert "one certain tag" in images_refused(tmp_path, images(), release=release)["releases/r-1.yaml.canvos"].problem


@pytest.mark.parametrize("stage", STAGES)
def test_a_build_that_breaks_nothing_is_quiet_in_every_stage(tmp_path: Path, stage: Stage) -> None:
    assert everywhere(tmp_path, images(stage=stage)) == {}


@pytest.mark.row("B1", "B3", "B13")
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("change", "where", "levels"),
    [
        (put("builder.acceptSmall", True), "site.builder.acceptSmall", ("warning", "warning", "error")),
        (drop("builder.hostKey"), "site.builder.hostKey", ("warning", "warning", "error")),
        (put("builder.ssh.password", {"secret": "p"}), "site.builder.ssh.password", ("warning", "warning", "error")),
        (
            put("builder.ssh.jumpHost", {"address": "10.1.1.1"}),
            "site.builder.ssh.jumpHost.hostKey",
            ("warning", "warning", "error"),
        ),
        (put("build.registry", "ttl.sh/edge"), "site.build.registry", ("warning", "error", "error")),
        (put("build.registry", "ttl.sh"), "site.build.registry", ("warning", "error", "error")),
        (
            put("build.repository", "http://git.example/CanvOS.git"),
            "site.build.repository",
            ("warning", "error", "error"),
        ),
    ],
)
def test_what_each_stage_refuses(
    tmp_path: Path, change: Change, where: str, levels: tuple[str, ...], stage: Stage
) -> None:
    assert everywhere(tmp_path, images(change, stage=stage)) == {where: levels[STAGES.index(stage)]}


@pytest.mark.row("B3")
@pytest.mark.parametrize(("stage", "level"), [("dev", None), ("staging", "warning"), ("prod", "error")])
def test_the_commit_of_the_tag_is_pinned_in_production(tmp_path: Path, stage: Stage, level: str | None) -> None:
    release = {**PINNED, "canvos": {"tag": "v4.9.38"}}
    seen = everywhere(tmp_path, images(stage=stage), release=release)
    assert seen == ({"releases/r-1.yaml: canvos.commit": level} if level else {})


# Where it is built, and where its ISOs go


@pytest.mark.row("B1")
def test_a_login_is_needed_at_another_machine(tmp_path: Path) -> None:
    findings = images_refused(tmp_path, images(drop("builder.ssh")))
    assert "user" in findings["site.builder.ssh"].remedy


def test_keys_are_not_let_in_to_the_build_machine(tmp_path: Path) -> None:
    raw = images(put("builder.ssh.authorizedKeys", [f"{HOST_KEY} me"]))
    assert everywhere(tmp_path, raw) == {"site.builder.ssh.authorizedKeys": "warning"}


@pytest.mark.row("B14")
def test_datastores_name_known_vcenters_once(tmp_path: Path) -> None:
    other = {"other": {**VCENTER, "server": "vcenter-2.example.com"}}
    place = {"datacenter": "DC1", "datastore": "isos"}
    two = [{**place, "vcenter": "main"}, {**place, "vcenter": "other"}, {**place, "vcenter": "main", "folder": "x"}]
    raw = images(put("vcenters", {"main": VCENTER, **other}), put("datastores", two))
    findings = images_refused(tmp_path, raw)
    assert list(findings) == ["site.datastores[2].datastore"]
    raw = images(put("vcenters", {"main": VCENTER, **other}))
    assert "main, other" in images_refused(tmp_path, raw)["site.datastores[0].vcenter"].remedy
    assert list(images_refused(tmp_path, images(drop("vcenters")))) == ["site.vcenters"]
    raw = images(put("datastores", [{**place, "vcenter": "third"}]))
    assert "main" in images_refused(tmp_path, raw)["site.datastores[0].vcenter"].remedy


def test_what_is_not_used_or_stays_where_it_is(tmp_path: Path) -> None:
    assert everywhere(tmp_path, images(put("datastores", []))) == {
        "site.datastores": "warning",
        "site.vcenters.main": "warning",
    }
    bare = images(put("datastores", []), put("vcenters", {}), put("build.kinds", ["reboot"]))
    assert everywhere(tmp_path, bare) == {}


def test_a_certificate_of_a_vcenter_is_judged_by_one_thing(tmp_path: Path) -> None:
    from tests.unit.settings_helpers import authority

    raw = images(put("vcenters.main.caCert", authority()), put("vcenters.main.thumbprint", "ab" * 32))
    assert list(images_refused(tmp_path, raw)) == ["site.vcenters.main.thumbprint"]
