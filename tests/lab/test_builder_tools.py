"""What runs on the lab's build machine, as far as it needs no machine: reading arguments, judging user-data, names of images."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.appliance.userdata import build_file
from edge.canvos import arg
from edge.canvos.dockerfile import customized
from lab.builder.canvos import TAGS, files
from lab.builder.tools import iso
from lab.builder.tools.arguments import Arguments, BuildFailedError, parse
from lab.builder.tools.docker import main
from lab.builder.tools.oci import Image, Store, matches, split
from lab.builder.tools.push import registry_of
from lab.builder.tools.validate import problems

BY_NAME = {tag.name: tag for tag in TAGS}
GOOD = {
    "CUSTOM_TAG": "eks-hybrid", "IMAGE_REGISTRY": "registry.lab.internal/edge", "OS_DISTRIBUTION": "ubuntu", "IMAGE_REPO": "ubuntu",
    "OS_VERSION": "22.04", "K8S_DISTRIBUTION": "nodeadm", "K8S_VERSION": "1.31.0", "ISO_NAME": "one", "ARCH": "amd64",
}  # fmt: skip


def checkout(folder: Path, tag: str = "v4.5.15", **changes: str) -> Path:
    """Return a folder with the files of a tag and an `.arg`."""
    for name, text in files(BY_NAME[tag]).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / ".arg").write_text(arg.render({**GOOD, **changes}))
    return folder


def arguments(folder: Path) -> Arguments:
    return Arguments.read(folder, [])


class TestArguments:
    @given(
        st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="'\x85"))
    )
    def test_what_we_write_is_what_the_builder_reads(self, value: str) -> None:
        assert parse(arg.render({"NAME": value})) == {"NAME": value}

    @pytest.mark.row("B10")
    def test_an_image_is_named_after_the_agent_inside(self, tmp_path: Path) -> None:
        given = arguments(checkout(tmp_path, "v4.10.0"))
        assert given.image_name("1.31.0") == "registry.lab.internal/edge/ubuntu:nodeadm-1.31.0-v4.9.21-eks-hybrid"

    @pytest.mark.row("B10")
    def test_an_empty_tag_has_no_part_in_the_name(self, tmp_path: Path) -> None:
        name = arguments(checkout(tmp_path, CUSTOM_TAG="")).image_name("1.31.0")
        assert name == "registry.lab.internal/edge/ubuntu:nodeadm-1.31.0-v4.5.15"

    @pytest.mark.row("B5")
    def test_a_version_that_the_tag_has_not_fails(self, tmp_path: Path) -> None:
        with pytest.raises(
            BuildFailedError, match=r"nodeadm 1\.32\.0 is not in k8s_version\.json.*1\.29\.0, 1\.30\.0, 1\.31\.0"
        ):
            arguments(checkout(tmp_path, K8S_VERSION="1.32.0")).check()

    @pytest.mark.row("B5")
    def test_without_a_version_every_one_is_built(self, tmp_path: Path) -> None:
        assert arguments(checkout(tmp_path, K8S_VERSION="")).kubernetes_versions() == ["1.29.0", "1.30.0", "1.31.0"]

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"OS_DISTRIBUTION": "rhel"}, "BASE_IMAGE is needed for rhel"),
            ({"OS_DISTRIBUTION": "arch"}, "is not known"),
            ({"FIPS_ENABLED": "true"}, "BASE_IMAGE is needed for FIPS"),
            ({"FIPS_ENABLED": "true", "BASE_IMAGE": "x", "UPDATE_KERNEL": "true"}, "exclude each other"),
        ],
    )
    @pytest.mark.row("B4")
    def test_what_no_build_can_be_made_of(self, tmp_path: Path, change: dict[str, str], words: str) -> None:
        with pytest.raises(BuildFailedError, match=words):
            arguments(checkout(tmp_path, **change)).check()


@pytest.mark.row("B7")
class TestDockerfile:
    def test_what_is_appended_is_glued_to_the_last_comment(self, tmp_path: Path) -> None:
        folder = checkout(tmp_path)
        with (folder / "Dockerfile").open("a") as stream:
            stream.write("RUN ours\n")
        assert arguments(folder).runs() == []
        assert {word for word, _ in arguments(folder).instructions()} == {"ARG", "FROM", "COPY"}

    def test_what_we_insert_is_run(self, tmp_path: Path) -> None:
        folder = checkout(tmp_path)
        text = customized((folder / "Dockerfile").read_text(), ["RUN ours \\", "  --more", "# RUN not", "RUN again"])
        (folder / "Dockerfile").write_text(text)
        assert arguments(folder).runs() == ["ours    --more", "again"]

    @pytest.mark.row("B6")
    def test_only_crt_files_are_taken_up(self, tmp_path: Path) -> None:
        folder = checkout(tmp_path)
        for name in ("one.crt", "two.pem", "three"):
            (folder / "certs" / name).write_text("x")
        assert [path.name for path in arguments(folder).authorities()] == ["one.crt"]


@pytest.mark.row("B9")
class TestValidation:
    @pytest.mark.parametrize("power", ["poweroff", "reboot"])
    def test_our_build_file_is_good(self, power: str) -> None:
        assert problems(build_file(power)) == []  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (
                "stylus:\n  registryCredentials:\n    password: ####\n",
                "stylus.registryCredentials.password: Invalid type. Expected: string, given: null",
            ),
            ("install:\n  poweroff: 'yes'\n", "install.poweroff: Invalid type. Expected: boolean, given: string"),
            ("install:\n  bind_mounts: /a\n", "install.bind_mounts: Invalid type. Expected: array, given: string"),
            ("install:\n  bind_mounts: [1]\n", "install.bind_mounts.0: Invalid type. Expected: string, given: integer"),
            (
                "stages:\n  boot:\n    - commands: [[x]]\n",
                "stages.boot.0.commands.0: Invalid type. Expected: string, given: array",
            ),
            ("- x\n", "(root): Invalid type. Expected: object, given: array"),
        ],
    )
    def test_a_value_of_another_type_is_named(self, text: str, said: str) -> None:
        assert problems(f"#cloud-config\n{text}") == [said]

    def test_only_types_are_judged(self) -> None:
        assert (
            problems("#cloud-config\nstylus:\n  site:\n    paletteEndpoint: https://not a host\n  unknown: 1\n") == []
        )
        assert problems("#cloud-config\n") == []
        assert problems("a: [1\n")[0].startswith("(root): while parsing")


class TestImages:
    @pytest.mark.parametrize(
        ("reference", "parts"),
        [
            ("registry.lab.internal:5000/edge/ubuntu:t", ("registry.lab.internal:5000/edge/ubuntu", "t")),
            ("registry.lab.internal:5000/edge/ubuntu", ("registry.lab.internal:5000/edge/ubuntu", "latest")),
            ("alpine:3", ("alpine", "3")),
        ],
    )
    def test_the_colon_of_a_tag_comes_last(self, reference: str, parts: tuple[str, str]) -> None:
        assert split(reference) == parts

    @pytest.mark.row("B13")
    def test_the_documented_filter_misses_a_registry_with_a_path(self) -> None:
        pattern = "*/*:*eks-hybrid"
        assert matches(Image("edge/ubuntu:nodeadm-1.31.0-v4.5.15-eks-hybrid", "sha256:0"), pattern)
        assert not matches(
            Image("registry.lab.internal/edge/ubuntu:nodeadm-1.31.0-v4.5.15-eks-hybrid", "sha256:0"), pattern
        )
        assert not matches(Image("edge/ubuntu:demo", "sha256:0"), pattern)

    def test_a_host_is_told_from_an_organization(self) -> None:
        assert registry_of("registry.lab.internal/edge/ubuntu") == ("registry.lab.internal", "edge/ubuntu")
        assert registry_of("spectrocloud/ubuntu") == ("registry-1.docker.io", "spectrocloud/ubuntu")

    def test_images_are_an_oci_layout_and_what_nobody_needs_goes(self, tmp_path: Path) -> None:
        store = Store(tmp_path / "oci")
        made = []
        for content in ("first", "second"):
            layer = tmp_path / content
            layer.write_text(content)
            made.append(store.add("a/b:t", layer, "sha256:x", {"lab.madeOf": content}))
        assert [image.reference for image in store.images()] == ["a/b:t"]
        assert store.layer(made[1]).read_text() == "second"
        assert not store.blob(made[0].digest).exists()
        assert len(list((tmp_path / "oci/blobs/sha256").iterdir())) == 3, "layer, configuration, manifest"
        assert json.loads((tmp_path / "oci/oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
        again = store.tag(made[1], "c/d:u")
        assert store.find("c/d:u") == again and again.digest == made[1].digest

    def test_docker_refuses_who_is_not_root(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("os.geteuid", lambda: 1000)
        assert main(["info"]) == 1
        assert "permission denied" in capsys.readouterr().err


@pytest.mark.row("B11")
def test_a_bundle_behind_a_link_is_not_there_for_the_builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def xorriso(words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(words)
        Path(words[words.index("-output") + 1]).write_text("iso")
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr("lab.builder.tools.iso.subprocess.run", xorriso)
    folder, away = tmp_path / "checkout", tmp_path / "content-away"
    for place in (folder / "content-here", away):
        place.mkdir(parents=True)
        (place / "part.zst").write_text("x")
    (folder / "content-away").symlink_to(away)
    layer = tmp_path / "layer"
    layer.write_text("layer")
    iso.write(folder, "one", layer)
    assert [word for word in ran[0] if word.startswith("content-")] == [
        f"content-here/part.zst={folder}/content-here/part.zst"
    ]


def test_the_tools_need_nothing_of_the_project() -> None:
    """They run where only the standard library and PyYAML are."""
    script = (
        "import sys, importlib; importlib.import_module('lab.builder.tools.docker');"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in ('edge', 'pulumi', 'aiohttp', 'cryptography')"
        " or name.startswith('lab.') and not name.startswith('lab.builder')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
