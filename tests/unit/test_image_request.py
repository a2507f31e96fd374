"""From the settings of an image to what the builder is asked for, and to the facts of a given image."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.canvos import arg
from edge.canvos.build import BuildRequest
from edge.errors import SettingsError
from edge.images.facts import ImageFacts
from edge.images.given import given_facts
from edge.images.request import arguments, build_request
from edge.settings import BuildSettings, GivenImage, from_config
from edge.settings.image_arguments import ALLOWED, INSTEAD
from tests.unit.image_stacks import CANVOS, COMMIT, IMAGE, PINNED, STACK, images, load_images, mixed
from tests.unit.settings_helpers import DIGEST, ROOT, VCENTER, authority, drop, load, put

PAGE = (ROOT / "tests" / "golden" / "arg-v4.5.15.txt").read_text("utf-8")
RELEASE_OF_THE_PAGE: dict[str, Any] = {**PINNED, "kubernetes": "1.30.0", "canvos": {"tag": "v4.5.15"}}
BUILD_OF_THE_PAGE = {"registry": "spectrocloud", "repo": "ubuntu", "customTag": "eks-hybrid", "osVersion": "22"}


def request_of(found: BuildSettings) -> BuildRequest:
    return build_request(found.site.build, found.site.builder, found.release)


def text_of(found: BuildSettings) -> str:
    return arg.render(arguments(found.site.build, found.release))


@pytest.mark.row("B4", "B5")
def test_the_arguments_of_the_page_for_its_example_values(tmp_path: Path) -> None:
    found = load_images(tmp_path, images(build=BUILD_OF_THE_PAGE), release=RELEASE_OF_THE_PAGE)
    assert text_of(found) == PAGE
    number = load_images(tmp_path, images(build={**BUILD_OF_THE_PAGE, "osVersion": 22}), release=RELEASE_OF_THE_PAGE)
    assert text_of(number) == PAGE


@pytest.mark.row("B4")
@pytest.mark.parametrize(
    ("changes", "more", "less"),
    [
        ([put("build.updateKernel", True)], {"UPDATE_KERNEL": "true"}, {"UPDATE_KERNEL": "false"}),
        ([put("build.cisHardening", True)], {"CIS_HARDENING": "true"}, {}),
        ([drop("build.osVersion")], {}, {}),
        ([put("build.osVersion", "24.04")], {"OS_VERSION": "24.04"}, {"OS_VERSION": "22.04"}),
        ([put("build.baseImage", "r.example/jammy:1")], {"BASE_IMAGE": "r.example/jammy:1"}, {}),
        (
            [
                put("build.os", "rhel"),
                drop("build.osVersion"),
                put("build.baseImage", "r/rhel9:1"),
                put("build.fips", True),
            ],
            {"OS_DISTRIBUTION": "rhel", "BASE_IMAGE": "r/rhel9:1", "FIPS_ENABLED": "true"},
            {"OS_DISTRIBUTION": "ubuntu", "OS_VERSION": "22.04"},
        ),
        (
            [put("build.proxy", {"https": "http://proxy:3128", "noProxy": ["a.example", "10.0.0.0/8"]})],
            {"HTTP_PROXY": "http://proxy:3128", "HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "a.example,10.0.0.0/8"},
            {},
        ),
        (
            [put("build.proxy", {"https": "http://proxy:3128", "http": "http://other:3128"})],
            {"HTTP_PROXY": "http://other:3128", "HTTPS_PROXY": "http://proxy:3128"},
            {},
        ),
        (
            [put("build.arguments", {"TWO_NODE": False, "CLUSTERCONFIG": "my spc.tgz"})],
            {"TWO_NODE": "false", "CLUSTERCONFIG": "my spc.tgz"},
            {},
        ),
    ],
)
def test_each_setting_changes_its_arguments_alone(
    tmp_path: Path, changes: list[Any], more: dict[str, str], less: dict[str, str]
) -> None:
    plain = load_images(tmp_path, STACK)
    before = arguments(plain.site.build, plain.release)
    found = load_images(tmp_path, images(*changes))
    after = arguments(found.site.build, found.release)
    assert dict(after.items() - before.items()) == more
    assert dict(before.items() - after.items()) == less


@pytest.mark.row("B4")
def test_every_documented_argument_is_made_allowed_or_refused(tmp_path: Path) -> None:
    documented = [
        "ARCH",
        "OS_DISTRIBUTION",
        "OS_VERSION",
        "K8S_DISTRIBUTION",
        "K8S_VERSION",
        "IMAGE_REGISTRY",
        "IMAGE_REPO",
        "CUSTOM_TAG",
        "ISO_NAME",
        "UPDATE_KERNEL",
        "FIPS_ENABLED",
        "BASE_IMAGE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "PROXY_CERT_PATH",
        "CLUSTERCONFIG",
        "EDGE_CUSTOM_CONFIG",
        "CIS_HARDENING",
        "DISABLE_SELINUX",
        "TWO_NODE",
        "FORCE_INTERACTIVE_INSTALL",
        "BUNDLE_K8S_AND_AGENT_PROVIDER",
        "IS_UKI",
        "MY_ORG",
        "UKI_BRING_YOUR_OWN_KEYS",
        "INCLUDE_MS_SECUREBOOT_KEYS",
        "AUTO_ENROLL_SECUREBOOT_KEYS",
        "UBUNTU_PRO_KEY",
        "MAAS_IMAGE_NAME",
        "REGION",
        "S3_BUCKET",
        "S3_KEY",
    ]
    assert set(documented) == set(ALLOWED) | set(INSTEAD)
    full = images(
        put("build.cisHardening", True), put("build.os", "rhel"), drop("build.osVersion"),
        put("build.baseImage", "r/rhel9:1"), put("build.fips", True),
        put("build.proxy", {"https": "http://proxy:3128", "noProxy": ["a"]}),
    )  # fmt: skip
    found = load_images(tmp_path, full)
    made = set(arguments(found.site.build, found.release)) | {"OS_VERSION"}
    assert made <= set(INSTEAD)


VALUES = st.fixed_dictionaries(
    {
        "customTag": st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True),
        "repo": st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}[a-z0-9]", fullmatch=True),
        "isoName": st.from_regex(r"[A-Za-z0-9_-]{1,30}", fullmatch=True),
        "arguments": st.fixed_dictionaries({"CLUSTERCONFIG": st.text(max_size=20)}),
        "proxy": st.fixed_dictionaries(
            {"https": st.just("http://proxy:3128"), "noProxy": st.lists(st.text(max_size=12), max_size=2)}
        ),
    }
)


@pytest.mark.row("B4")
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=VALUES)
def test_what_the_settings_accept_bash_reads_back(tmp_path: Path, values: dict[str, Any]) -> None:
    raw = images(build={"registry": "r.example:5000/a/b", **values})
    load_images(tmp_path, STACK)
    try:
        found = from_config("images-dev", "edge-hosts", raw, "r-1", {}, site_is_secret=False, root=tmp_path)
    except SettingsError as error:
        # Nothing but the two texts that may hold anything can be wrong with these values.
        assert all("CLUSTERCONFIG" in one.where or "noProxy" in one.where for one in error.findings)
        return
    assert isinstance(found, BuildSettings)
    wanted = arguments(found.site.build, found.release)
    (tmp_path / ".arg").write_text(arg.render(wanted))
    script = "source ./.arg; " + "; ".join(f"printf '%s\\0' \"${name}\"" for name in wanted)
    done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, capture_output=True, check=True, env={})
    assert done.stdout.decode().split("\0")[:-1] == list(wanted.values())


@pytest.mark.row("B8", "B17")
def test_each_kind_of_iso_has_its_own_user_data(tmp_path: Path) -> None:
    found = load_images(tmp_path, images(put("build.install", {"device": "/dev/sda"})))
    request = request_of(found)
    read = {power: yaml.safe_load(text)["install"] for power, text in request.user_data.items()}
    assert set(read) == {"poweroff", "reboot"}
    for power, install in read.items():
        assert install[power] is True
        assert install["device"] == "/dev/sda"
        assert ({"poweroff", "reboot"} - {power}).isdisjoint(install)
        assert install["extra-dirs-rootfs"] == ["/eks-hybrid"]
        assert len(install["bind_mounts"]) == 7
    only = request_of(load_images(tmp_path, images(put("build.kinds", ["reboot"]))))
    assert list(only.user_data) == ["reboot"]
    assert only.iso_of("reboot") == "palette-edge-installer"


def test_everything_else_of_a_request(tmp_path: Path) -> None:
    pem = authority()
    raw = images(
        put("build.certificates", [pem]),
        put("build.dockerfile", ["RUN a"]),
        put("build.contentBundle", "/srv/content-1/"),
        put("build.push", False),
        put("builder.workDir", "/srv/build/"),
        put("builder.earthly", True),
        put("builder.timeout", "90m"),
    )
    request = request_of(load_images(tmp_path, raw))
    assert (request.workdir, request.earthly, request.seconds) == ("/srv/build", True, 5400)
    assert (request.tag, request.commit, request.kubernetes) == ("v4.9.38", COMMIT, "1.31.0")
    assert (request.certificates, request.dockerfile) == ((pem,), ("RUN a",))
    assert (request.bundle, request.push) == ("/srv/content-1", False)
    assert (request.registry, request.repo, request.custom_tag) == ("registry.example/edge", "ubuntu", "eks-hybrid")
    assert (request.arg["ISO_NAME"], request.iso_name) == ("palette-edge-installer", "palette-edge-installer")
    unpinned = request_of(load_images(tmp_path, STACK, release={**PINNED, "canvos": {"tag": "v4.9.38"}}))
    assert unpinned.commit == ""


def test_a_release_without_a_tag_is_one_error(tmp_path: Path) -> None:
    found = load_images(tmp_path, STACK)
    without = found.release.model_copy(update={"canvos": None})
    with pytest.raises(SettingsError, match="names no CanvOS tag"):
        build_request(found.site.build, found.site.builder, without)


# Given images


@pytest.mark.row("B14", "B17")
def test_the_facts_of_a_given_image(tmp_path: Path) -> None:
    copies = [{"vcenter": "other", "datacenter": "DC2", "datastore": "isos-2", "path": "edge/copy.iso"}]
    raw = mixed(
        put("image.isos.poweroff.copies", copies), put("image.isos.poweroff.size", 1234),
        put("image.isos.poweroff.vcenter", "main"), put("image.isos.reboot.vcenter", "main"),
        put("vcenters.other", {**VCENTER, "server": "vcenter-2.example.com:8443"}), put("vsphere.vcenter", "main"),
    )  # fmt: skip
    found = load(tmp_path, raw, release=PINNED)
    assert isinstance(found.site.image, GivenImage)
    facts = given_facts(found.site.image, found)
    assert (facts.canvos_tag, facts.canvos_commit, facts.pe_version) == (CANVOS["tag"], COMMIT, "v4.9.38")
    assert (facts.kubernetes, facts.os, facts.os_version) == ("1.31.0", "ubuntu", "22.04")
    assert (facts.image, facts.image_digest) == (IMAGE, f"sha256:{DIGEST}")
    iso = facts.isos["poweroff"]
    assert (iso.name, iso.sha256, iso.size) == ("edge-poweroff.iso", DIGEST, 1234)
    assert [file.place for file in iso.files] == ["[isos] edge-hosts-isos/edge-poweroff.iso", "[isos-2] edge/copy.iso"]
    near = {"vcenter": VCENTER["server"], "datacenter": "DC1", "datastore": "ssd-1", "where": "x"}
    assert facts.file_for("poweroff", **near) == iso.files[0]
    far = {"vcenter": "vcenter-2.example.com", "datacenter": "DC2", "datastore": None, "where": "x"}
    assert facts.file_for("poweroff", **far) == iso.files[1]
    assert facts.isos["reboot"].size == 0
    assert ImageFacts.from_dict(facts.to_dict()) == facts
