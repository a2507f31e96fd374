"""What an installer image is written as: the values one by one, and the settings of a build stack."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.errors import SettingsError
from edge.settings import BuildSettings, SshBuilder, from_config, load_any, load_stack, load_with_network
from edge.settings.load import stack_kind
from edge.settings.release import load as load_release
from tests.unit.image_stacks import (
    CANVOS,
    COMMIT,
    PINNED,
    STACK,
    images,
    images_file,
    images_refused,
    load_images,
)
from tests.unit.settings_helpers import DIGEST, HOST_KEY, VCENTER, authority, drop, private_key_pem, project, put

# The stack


@pytest.mark.row("B1", "B4")
def test_a_build_stack_needs_a_release_and_no_host_and_no_region(tmp_path: Path) -> None:
    settings = load_images(tmp_path, STACK)
    assert (settings.owner, settings.stage, settings.release.id) == ("edge-hosts.images-dev", "dev", "r-1")
    assert settings.warnings == ()
    assert list(settings.vcenters) == ["main"]
    assert settings.vcenter("main").user == VCENTER["user"]
    builder, build = settings.site.builder, settings.site.build
    assert isinstance(builder, SshBuilder)
    assert settings.ssh == builder.ssh
    assert (builder.work_dir, builder.timeout, builder.earthly) == (
        "/var/lib/edge-hosts-build", timedelta(minutes=60), False,
    )  # fmt: skip
    assert build.repository.startswith("https://github.com/spectrocloud/")
    assert (build.iso_name, build.push, build.update_kernel, build.arch) == (
        "palette-edge-installer", True, False, "amd64",
    )  # fmt: skip
    assert settings.site.datastores[0].folder == "edge-hosts-isos"


def test_the_program_sees_a_build_stack_as_edgectl_does(tmp_path: Path) -> None:
    settings = load_images(tmp_path, STACK)
    seen = from_config("images-dev", "edge-hosts", STACK, "r-1", {}, site_is_secret=False, root=tmp_path)
    assert isinstance(seen, BuildSettings)
    assert seen == settings


def test_its_secrets_are_those_of_the_login_and_of_the_datastores(tmp_path: Path) -> None:
    settings = load_images(tmp_path, images(put("vcenters.main.password", {"secret": "isoPassword"})))
    assert settings.secret_uses() == {
        "isoPassword": ("site.vcenters.main.password",),
        "sshPrivateKey": ("site.builder.ssh.privateKey",),
    }
    assert set(settings.stand_ins()) == settings.secret_names() == {"isoPassword", "sshPrivateKey"}
    local = load_images(tmp_path, images(builder={"machine": "local"}, datastores=[], vcenters={}))
    assert local.secret_names() == frozenset()
    assert local.ssh is None


def test_the_login_name_at_a_jump_host_is_filled_in(tmp_path: Path) -> None:
    jump = {"address": "10.1.1.1", "hostKey": HOST_KEY}
    ssh = load_images(tmp_path, images(put("builder.ssh.jumpHost", jump))).ssh
    assert ssh is not None and ssh.jump_host is not None
    assert ssh.jump_host.user == "build"


@pytest.mark.parametrize("load", [load_stack, load_with_network])
def test_what_serves_sites_only_refuses_it_in_one_sentence(tmp_path: Path, load: Any) -> None:
    images_file(tmp_path, images(put("build.registry", "https://nonsense")))
    with pytest.raises(SettingsError) as caught:
        load("images-dev", tmp_path)
    (finding,) = caught.value.findings
    assert (finding.where, finding.value) == ("site.kind", "build")
    assert "no hosts and no AWS side" in finding.problem
    assert stack_kind("images-dev", tmp_path) == "build"


def test_its_stack_is_called_by_name_and_stage(tmp_path: Path) -> None:
    images_file(tmp_path, STACK, stack="images-prod")
    with pytest.raises(SettingsError, match="Name the stack images-dev"):
        load_any("images-prod", tmp_path)


def test_its_own_problems_are_all_shown_at_once(tmp_path: Path) -> None:
    raw = images(
        put("build.registry", "https://registry.example"),
        put("build.kindz", []),
        put("build.fips", True),
        put("datastores", [{"datacenter": "DC1", "datastore": "isos", "vcenter": "other"}]),
        drop("builder.address"),
        drop("stage"),
    )
    assert set(images_refused(tmp_path, raw)) == {
        "site.build.registry", "site.build.kindz", "site.build.fips", "site.build.baseImage", "site.builder.address", "site.datastores[0].vcenter", "site.stage",
    }  # fmt: skip


def test_a_release_is_needed(tmp_path: Path) -> None:
    assert set(images_refused(tmp_path, STACK, **{"edge-hosts__release": None})) == {"release"}


# The values


@pytest.mark.row("B4")
@pytest.mark.parametrize(
    ("written", "kept"), [("22.04", "22.04"), ("22", "22"), (22, "22"), (22.0, "22"), (20, "20"), ("24.04", "24.04")]
)
def test_versions_of_ubuntu_that_the_builder_takes(tmp_path: Path, written: Any, kept: str) -> None:
    assert load_images(tmp_path, images(put("build.osVersion", written))).site.build.os_version == kept


@pytest.mark.row("B4")
@pytest.mark.parametrize(
    ("place", "value", "remedy"),
    [
        ("build.osVersion", "24", 'Write "24.04" in quotes'),
        ("build.osVersion", 24, 'Write "24.04" in quotes'),
        ("build.osVersion", 22.04, "in quotes"),
        ("build.osVersion", 24.04, "in quotes"),
        ("build.osVersion", "jammy", '"22.04"'),
        ("build.os", "opensuse-leap", "AWS lists Ubuntu"),
        ("build.os", "sles", "AWS lists Ubuntu"),
        ("build.os", ["ubuntu"], "AWS lists Ubuntu"),
        ("build.customTag", "", "eks-hybrid"),
        ("build.customTag", None, "eks-hybrid"),
        ("build.customTag", "EKS", "a-z"),
        ("build.customTag", "eks-", "a-z"),
        ("build.customTag", "eks_hybrid", "a-z"),
        ("build.customTag", "x" * 65, "64"),
        ("build.isoName", "edge installer", "letters"),
        ("build.isoName", "edge.iso", "Write edge"),
        ("build.registry", "https://registry.example/edge", "Write it without: registry.example/edge"),
        ("build.registry", "Registry.example", "lower case"),
        ("build.registry", "registry.example/edge/", "lower case"),
        ("build.registry", "registry.example:port/edge", "lower case"),
        ("build.repo", "edge/ubuntu", "registry"),
        ("build.baseImage", "docker://ubuntu:22.04", "without"),
        ("build.baseImage", "it's", "docker pull"),
        ("build.arch", "arm64", "amd64"),
        ("build.kinds", [], ""),
        ("build.kinds", ["poweroff", "poweroff"], "once"),
        ("build.kinds", ["shutdown"], "poweroff"),
        ("build.repository", "git@github.com:spectrocloud/CanvOS.git", "https://HOST"),
        ("build.contentBundle", "content-1", "from the root on"),
        ("build.contentBundle", "/srv/../etc", "from the root on"),
        ("build.proxy", {"https": "http://user:word@proxy.example:3128"}, "without them"),
        ("build.proxy", {"https": "http://it's:3128"}, "Remove it"),
        ("build.proxy", {"https": "http://proxy.example:3128", "noProxy": ["a,b"]}, "one entry"),
        ("build.proxy", {"https": "http://proxy.example:3128", "password": {"secret": "p"}}, "Remove it"),
        ("build.dockerfile", ["RUN a\nRUN b"], "one list item"),
        ("build.dockerfile", [" "], "Remove the item"),
        ("build.dockerfile", ["# edge-hosts: end of the customizations"], "another comment"),
        ("builder.workDir", "build", "from the root on"),
        ("builder.workDir", "/", "from the root on"),
        ("builder", {"machine": "docker"}, "machine: ssh"),
        ("builder.acceptSmall", "yes", "true"),
        ("datastores", [{"datacenter": "DC1", "datastore": "isos", "folder": "/isos"}], "without a leading slash"),
        ("datastores", [{"datacenter": "DC1", "datastore": "isos", "folder": "[isos] edge"}], "only the path: edge"),
    ],
)
def test_each_wrong_value_says_what_to_write(tmp_path: Path, place: str, value: Any, remedy: str) -> None:
    findings = images_refused(tmp_path, images(put(place, value)))
    (finding,) = findings.values()
    assert finding.where.startswith(f"site.{place}"), findings
    assert remedy in finding.remedy or remedy in finding.problem, finding


@pytest.mark.row("B6")
def test_certificates_are_authorities_and_never_keys(tmp_path: Path) -> None:
    pem = authority()
    assert load_images(tmp_path, images(put("build.certificates", [pem]))).site.build.certificates == (pem,)
    for text in (private_key_pem(), pem + private_key_pem()):
        findings = images_refused(tmp_path, images(put("build.certificates", [text])))
        assert "private key" in findings["site.build.certificates[0]"].problem
        assert "MIG" not in str(findings)
    old = {**PINNED, "canvos": {**CANVOS, "tag": "v4.5.10"}}
    two = images(put("build.certificates", [pem, authority("Other CA")]))
    assert "takes one" in images_refused(tmp_path, two, release=old)["site.build.certificates"].problem


# What a release pins


def release_of(folder: Path, canvos: Any) -> Any:
    project(folder, {})
    (folder / "releases" / "r-1.yaml").write_text(yaml.safe_dump({**PINNED, "canvos": canvos}))
    return load_release("r-1", folder)


@pytest.mark.row("B3", "B12", "B13")
def test_a_release_pins_commit_image_and_isos(tmp_path: Path) -> None:
    canvos = release_of(tmp_path, {**CANVOS, "image": {**CANVOS["image"], "digest": DIGEST}}).canvos
    assert (canvos.tag, canvos.commit) == ("v4.9.38", COMMIT)
    assert canvos.image.digest == f"sha256:{DIGEST}"
    assert (canvos.isos.poweroff, canvos.isos.reboot) == (DIGEST, DIGEST)
    only = release_of(tmp_path, {"tag": "v4.9.38"}).canvos
    assert (only.commit, only.image, only.isos.poweroff) == (None, None, None)


@pytest.mark.row("B3")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tag", "newest-1"), ("tag", "latest"), ("tag", "main"), ("tag", "4.9.38"), ("tag", ""),
        ("commit", "c0ffee"), ("commit", 123), ("image", "registry/x"), ("isos", {"usb": DIGEST}), ("isos", {"poweroff": "x"}),
    ],
)  # fmt: skip
def test_what_is_no_pin_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        release_of(tmp_path, {**CANVOS, key: value})
    assert all(one.where.startswith(f"releases/r-1.yaml.canvos.{key}") for one in caught.value.findings)
