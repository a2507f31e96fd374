"""What the image builder is given and what it gives back: tags, `.arg`, Dockerfile, certificates, images, artefacts."""

from __future__ import annotations

import os
import shlex
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.canvos import arg, artefacts, certs, dockerfile, images, inputs, tags
from edge.errors import SettingsError
from tests.unit.settings_helpers import authority, private_key_pem

# The example of the vendor's page, typed by hand.
ARG_OF_THE_PAGE = """\
CUSTOM_TAG=eks-hybrid
IMAGE_REGISTRY=spectrocloud
OS_DISTRIBUTION=ubuntu
IMAGE_REPO=ubuntu
OS_VERSION=22
K8S_DISTRIBUTION=nodeadm
K8S_VERSION=1.30.0
ISO_NAME=palette-edge-installer
ARCH=amd64
UPDATE_KERNEL=false
"""
MANIFEST_OF_THE_PAGE = """\
pack:
  content:
    images:
      - image: "{{.spectro.pack.edge-native-byoi.options.system.uri}}"
options:
  system.uri: "{{ .spectro.pack.edge-native-byoi.options.system.registry }}/\
{{ .spectro.pack.edge-native-byoi.options.system.repo }}:\
{{ .spectro.pack.edge-native-byoi.options.system.k8sDistribution }}-{{ .spectro.system.kubernetes.version }}-\
{{ .spectro.pack.edge-native-byoi.options.system.peVersion }}-\
{{ .spectro.pack.edge-native-byoi.options.system.customTag }}"

  system.registry: spectrocloud
  system.repo: ubuntu
  system.k8sDistribution: nodeadm
  system.osName: ubuntu
  system.peVersion: v4.5.15
  system.customTag: eks-hybrid
  system.osVersion: 22
"""
VERSIONS = '{"k3s": ["1.30.4"], "nodeadm": ["1.29.0", "1.30.0", "1.31.0"]}'
EARTHFILE = "VERSION 0.6\nARG PE_VERSION=v4.5.15\nARG SPECTRO_LUET_VERSION=v4.5.15\n"
IMAGE = images.ImageName("spectrocloud", "ubuntu", "1.30.0", "v4.5.15", "eks-hybrid")
# Like the Dockerfile of v4.5.15: marker in the middle, a comment at the end, and no final line break.
DOCKERFILE = """\
ARG BASE
FROM $BASE

########################### Add any other image customizations here #######################

#### Examples ####
#    mkdir /var/lib/wpa"""


@pytest.mark.row("B3")
class TestTags:
    def test_the_newest_plain_tag_by_number(self) -> None:
        there = ["v4.9.9", "v4.9.38", "v4.10.0-rc.1", "v4.9.a", "v4.6.21-patch.7", "archive/v5.0.0", "v4.9.37", "main"]
        assert tags.plain_tags(there) == ["v4.9.9", "v4.9.37", "v4.9.38"]
        assert tags.newest(there) == "v4.9.38"
        assert tags.newest(["main", "v4.9.a"]) is None

    def test_the_agent_inside_a_tag_is_read_from_its_earthfile(self) -> None:
        assert tags.pe_version(EARTHFILE) == "v4.5.15"
        assert tags.pe_version('  ARG PE_VERSION="v4.9.21"\n') == "v4.9.21"
        assert tags.pe_version("VERSION 0.6\nARG PE_VERSION\n") is None

    def test_a_good_tag_has_no_findings(self) -> None:
        assert tags.tag_findings("v4.5.15", ["v4.5.15"], EARTHFILE, "canvos.tag") == []

    def test_a_tag_that_holds_another_agent_is_named(self) -> None:
        found = tags.tag_findings("v4.10.0", ["v4.10.0"], "ARG PE_VERSION=v4.9.21\n", "canvos.tag")
        assert [one.level for one in found] == ["warning"]
        assert "holds the agent v4.9.21" in found[0].problem

    @pytest.mark.parametrize(
        ("tag", "earthfile", "words", "level"),
        [
            ("v9.9.9", EARTHFILE, "no tag of the CanvOS repository", "error"),
            ("v4.5.15", "VERSION 0.6\n", "does not say which agent", "error"),
            ("v4.5.15-rc.1", "ARG PE_VERSION=v4.5.15-rc.1\n", "no plain release tag", "warning"),
        ],
    )
    def test_other_tags(self, tag: str, earthfile: str, words: str, level: str) -> None:
        found = tags.tag_findings(tag, ["v4.5.14", "v4.5.15", "v4.5.15-rc.1"], earthfile, "canvos.tag")
        assert [(words in one.problem, one.level) for one in found] == [(True, level)]


@pytest.mark.row("B5")
class TestKubernetes:
    def test_the_versions_of_the_distribution(self) -> None:
        assert tags.kubernetes_versions(VERSIONS) == ("1.29.0", "1.30.0", "1.31.0")
        tags.check_kubernetes("1.30.0", "v4.5.15", VERSIONS, "kubernetes")

    @pytest.mark.parametrize("version", ["1.32.0", "", "1.30", "1.30.4"])
    def test_another_one_is_refused_with_the_list(self, version: str) -> None:
        with pytest.raises(SettingsError, match=r"cannot be built by v4\.5\.15.*1\.29\.0, 1\.30\.0, 1\.31\.0"):
            tags.check_kubernetes(version, "v4.5.15", VERSIONS, "kubernetes")

    def test_a_tag_without_nodeadm(self) -> None:
        with pytest.raises(SettingsError, match="no nodeadm at all"):
            tags.check_kubernetes("1.30.0", "v4.5.3", '{"k3s": ["1.30.4"]}', "kubernetes")

    @pytest.mark.parametrize("text", ["<html>", "[]", '{"nodeadm": "1.30.0"}', '{"nodeadm": [1.3]}'])
    def test_a_file_of_another_form(self, text: str) -> None:
        with pytest.raises(SettingsError, match="cannot be judged"):
            tags.check_kubernetes("1.30.0", "v4.5.15", text, "kubernetes")


def in_bash(text: str, names: list[str], folder: Path) -> dict[str, str]:
    """Return what bash has after it has sourced the file as `earthly.sh` does."""
    path = folder / ".arg"
    path.write_text(text, "utf-8")
    shown = "; ".join(f'printf "%s\\0" "${name}"' for name in names)
    script = f"set -eu; source {shlex.quote(str(path))}; {shown}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"})
    return dict(zip(names, done.stdout.decode().split("\0")[:-1], strict=True))


@pytest.mark.row("B4")
class TestArg:
    def test_the_page_s_example(self) -> None:
        values = dict(line.split("=", 1) for line in ARG_OF_THE_PAGE.splitlines())
        assert arg.render(values) == ARG_OF_THE_PAGE

    @settings(deadline=None, max_examples=60)
    @given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="'\x7f"), max_size=30))
    def test_bash_reads_back_what_was_meant(self, tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
        folder = tmp_path_factory.mktemp("arg")
        values = {"ISO_NAME": value, "ARCH": "amd64"}
        if arg.value_problem(value):
            with pytest.raises(SettingsError):
                arg.render(values)
        else:
            assert in_bash(arg.render(values), list(values), folder) == values

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("HTTP_PROXY", "http://it's", "single quote"),
            ("ISO_NAME", "a\nARCH=arm64", "line break"),
            ("iso name", "x", "no name of an argument"),
        ],
    )
    def test_what_cannot_be_written_is_refused(self, name: str, value: str, words: str) -> None:
        with pytest.raises(SettingsError, match=words):
            arg.render({name: value})

    def test_all_problems_at_once(self) -> None:
        with pytest.raises(SettingsError) as caught:
            arg.render({"A": "'", "b": "x", "C": "fine"})
        assert len(caught.value.findings) == 2


@pytest.mark.row("B7")
class TestDockerfile:
    LINE = (
        "RUN apt-get update && apt-get install --assume-yes --no-install-recommends wireguard"
        " && rm --recursive --force /var/lib/apt/lists/*"
    )

    def test_the_page_s_customization(self) -> None:
        """The whole file, for the form that v4.5.15 has."""
        golden = Path(__file__).parent.parent / "golden/canvos/Dockerfile.v4.5.15"
        done = dockerfile.customized(DOCKERFILE, [self.LINE])
        if os.environ.get("EDGE_HOSTS_WRITE_GOLDEN"):
            golden.parent.mkdir(exist_ok=True)
            golden.write_text(done, "utf-8")
        assert done == golden.read_text("utf-8")
        assert not done.endswith("\n"), "the vendor's last line has none, and stays as it is"

    def test_the_block_stands_below_the_marker_and_the_rest_stays(self) -> None:
        done = dockerfile.customized(DOCKERFILE, [self.LINE])
        above, below = done.split(self.LINE)
        assert above.startswith(DOCKERFILE[: DOCKERFILE.index("##########")])
        assert dockerfile.MARKER in above
        assert below.endswith("\n\n#### Examples ####\n#    mkdir /var/lib/wpa")

    def test_the_last_line_does_not_swallow_it(self) -> None:
        """Appended to the file, the instruction would be part of the comment that ends without a line break."""
        done = dockerfile.customized(DOCKERFILE, [self.LINE])
        assert self.LINE in done.splitlines()

    def test_again_changes_nothing_and_other_lines_replace_the_block(self) -> None:
        once = dockerfile.customized(DOCKERFILE, [self.LINE])
        assert dockerfile.customized(once, [self.LINE]) == once
        other = dockerfile.customized(once, ["RUN true"])
        assert self.LINE not in other
        assert dockerfile.customized(other, []) == DOCKERFILE

    def test_a_marker_as_the_last_line(self) -> None:
        text = f"FROM x\n# {dockerfile.MARKER}"
        done = dockerfile.customized(text, ["RUN true"])
        assert done.splitlines()[:2] == text.splitlines()
        assert dockerfile.customized(done, ["RUN true"]) == done

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("FROM x\n", "is missing"),
            (f"# {dockerfile.MARKER}\n# {dockerfile.MARKER}\n", "2 times"),
            (f"# {dockerfile.MARKER}\n{dockerfile.BEGIN}\nRUN x\n", "has no end"),
        ],
    )
    def test_another_form_is_refused(self, text: str, words: str) -> None:
        with pytest.raises(dockerfile.DockerfileError, match=words):
            dockerfile.customized(text, ["RUN true"])

    @given(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20), max_size=4))
    def test_any_lines_can_be_put_in_and_taken_out(self, lines: list[str]) -> None:
        done = dockerfile.customized(DOCKERFILE, [f"RUN {line}" for line in lines])
        assert dockerfile.customized(done, [f"RUN {line}" for line in lines]) == done
        taken_out = dockerfile.customized(done, [])
        assert taken_out == DOCKERFILE


@pytest.mark.row("B6")
class TestCertificates:
    def test_a_file_each_that_the_system_takes_up(self) -> None:
        one, other = authority("One"), authority("Other")
        files, arguments = certs.certificate_files([one + other, one], "v4.5.15", "/builds/a/CanvOS", "certificates")
        assert len(files) == 2
        assert all(name.startswith("certs/") and name.endswith(".crt") for name in files)
        assert arguments == {}
        assert certs.certificate_files([other, one], "v4.5.15", "/builds/a/CanvOS", "certificates")[0] == files

    def test_an_old_tag_takes_one_by_its_argument(self) -> None:
        files, arguments = certs.certificate_files([authority()], "v4.5.10", "/builds/a/CanvOS", "certificates")
        assert list(files) == ["sc.crt"], "the builder copies this name out of the checkout"
        assert arguments == {"PROXY_CERT_PATH": "/builds/a/CanvOS/sc.crt"}, "Docker takes a relative one for a volume"
        with pytest.raises(SettingsError, match=r"2 certificates, but CanvOS v4\.5\.10 takes one"):
            certs.certificate_files(
                [authority("One"), authority("Other")], "v4.5.10", "/builds/a/CanvOS", "certificates"
            )

    def test_a_private_key_never_gets_there(self) -> None:
        with pytest.raises(SettingsError, match="holds a private key"):
            certs.certificate_files([authority() + private_key_pem()], "v4.5.15", "/builds/a/CanvOS", "certificates")

    def test_none_is_none(self) -> None:
        assert certs.certificate_files([], "v4.5.15", "/builds/a/CanvOS", "certificates") == ({}, {})


@pytest.mark.row("B11")
class TestImages:
    def test_the_page_s_name(self) -> None:
        assert IMAGE.reference == "spectrocloud/ubuntu:nodeadm-1.30.0-v4.5.15-eks-hybrid"

    @given(
        st.sampled_from(["spectrocloud", "registry.plants.example:5000/edge", "localhost:5000", "ghcr.example/a/b"]),
        st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True),
        st.from_regex(r"1\.[0-9]{2}\.[0-9]", fullmatch=True),
        st.from_regex(r"v[0-9]\.[0-9]{1,2}\.[0-9]{1,2}(-rc\.[0-9]{1,2}|-patch\.[0-9])?", fullmatch=True),
        st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True),
    )
    def test_a_name_and_back(self, registry: str, repo: str, kubernetes: str, agent: str, tag: str) -> None:
        name = images.ImageName(registry, repo, kubernetes, agent, tag)
        assert images.parse(name.reference) == name

    @pytest.mark.parametrize(
        "text",
        [
            "spectrocloud/ubuntu:nodeadm-1.30.0-v4.5.15",
            "spectrocloud/ubuntu:nodeadm-1.30.0-v4.5.15-",
            "spectrocloud/ubuntu:k3s-1.30.4-v4.5.15-eks-hybrid",
            "ubuntu:22.04",
            "registry:5000/ubuntu",
        ],
    )
    def test_what_is_no_provider_image(self, text: str) -> None:
        assert images.parse(text) is None

    def test_the_real_image_is_found_also_behind_a_host_and_a_namespace(self) -> None:
        """The page's filter has one slash, so it never finds an image of a registry with host and namespace."""
        wanted = images.ImageName("registry.plants.example:5000/edge", "ubuntu", "1.30.0", "v4.5.15", "eks-hybrid")
        listed = ["alpine:3", f"{wanted.reference}_linux_amd64", f" {wanted.reference}\n"]
        assert images.matching(listed, wanted) == wanted
        assert images.matching(listed[:2], wanted) is None

    def test_docker_lists_its_own_hub_without_its_name(self) -> None:
        wanted = images.ImageName("docker.io/plants", "ubuntu", "1.30.0", "v4.5.15", "eks-hybrid")
        assert images.matching(["plants/ubuntu:nodeadm-1.30.0-v4.5.15-eks-hybrid"], wanted) == wanted

    def test_the_manifest_of_the_page(self) -> None:
        """Read as YAML the two are the same; the version of the system is a text here, so that 22.04 stays what it is."""
        page = yaml.safe_load(MANIFEST_OF_THE_PAGE)
        page["options"]["system.osVersion"] = str(page["options"]["system.osVersion"])
        assert images.pack_values(IMAGE, os_distribution="ubuntu", os_version="22") == page

    def test_the_pack_values_of_the_page(self) -> None:
        values = images.pack_values(IMAGE, os_distribution="ubuntu", os_version="22")
        again: Any = yaml.safe_load(yaml.safe_dump(values))
        assert again["pack"]["content"]["images"] == [
            {"image": "{{.spectro.pack.edge-native-byoi.options.system.uri}}"}
        ]
        options = again["options"]
        assert options.pop("system.uri") == (
            "{{ .spectro.pack.edge-native-byoi.options.system.registry }}/"
            "{{ .spectro.pack.edge-native-byoi.options.system.repo }}:"
            "{{ .spectro.pack.edge-native-byoi.options.system.k8sDistribution }}-"
            "{{ .spectro.system.kubernetes.version }}-"
            "{{ .spectro.pack.edge-native-byoi.options.system.peVersion }}-"
            "{{ .spectro.pack.edge-native-byoi.options.system.customTag }}"
        )
        assert options == {
            "system.registry": "spectrocloud",
            "system.repo": "ubuntu",
            "system.k8sDistribution": "nodeadm",
            "system.osName": "ubuntu",
            "system.peVersion": "v4.5.15",
            "system.customTag": "eks-hybrid",
            "system.osVersion": "22",
        }


BEGAN = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
SHA = "ab" * 32


def built(**changes: Any) -> artefacts.BuiltFile:
    given = {"size": 2 << 30, "changed": BEGAN + timedelta(minutes=15), "sha256": SHA, **changes}
    return artefacts.BuiltFile(**given)


@pytest.mark.row("B10", "B12", "B13")
class TestArtefacts:
    WANTED = artefacts.Wanted("palette-edge-installer", IMAGE, BEGAN)
    SUM = f"{SHA}  palette-edge-installer.iso\n"

    def problems(self, *, iso: artefacts.BuiltFile | None, checksum: str | None, there: list[str]) -> list[str]:
        files = {} if iso is None else {"palette-edge-installer.iso": iso}
        return [one.problem for one in artefacts.verify(self.WANTED, files, checksum, there, "build.log")]

    def test_a_good_build(self) -> None:
        assert self.problems(iso=built(), checksum=self.SUM, there=[IMAGE.reference]) == []

    def test_a_build_that_failed_and_ended_with_0(self) -> None:
        found = self.problems(iso=None, checksum=None, there=["spectrocloud/ubuntu:k3s-1.30.4-v4.5.15-demo"])
        assert found[0] == "was not made"
        assert "there are spectrocloud/ubuntu:k3s-1.30.4-v4.5.15-demo" in found[1]

    @pytest.mark.parametrize(
        ("change", "checksum", "words"),
        [
            ({"changed": BEGAN - timedelta(seconds=1)}, SUM, "older than this build"),
            ({"size": 1000}, SUM, "too small"),
            ({"sha256": "cd" * 32}, SUM, "but its checksum file says"),
            ({}, None, "does not state a checksum"),
            ({}, f"{SHA}  another.iso\n", "does not state a checksum"),
        ],
    )
    def test_each_thing_that_can_be_wrong(self, change: dict[str, Any], checksum: str | None, words: str) -> None:
        found = self.problems(iso=built(**change), checksum=checksum, there=[IMAGE.reference])
        assert len(found) == 1
        assert words in found[0]

    def test_images_alone(self) -> None:
        wanted = artefacts.Wanted(None, IMAGE, BEGAN)
        assert artefacts.verify(wanted, {}, None, [IMAGE.reference], "log") == []


class TestInputs:
    BASE = inputs.BuildInputs("c" * 40, ARG_OF_THE_PAGE, ("RUN true",), {"poweroff": "#cloud-config\n"}, {}, "")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("commit", "d" * 40),
            ("arg", "CUSTOM_TAG=x\n"),
            ("dockerfile", ()),
            ("user_data", {"reboot": "#cloud-config\n"}),
            ("certificates", {"certs/a.crt": "PEM"}),
            ("bundle", "e" * 64),
        ],
    )
    def test_each_part_alone_is_another_build(self, name: str, value: Any) -> None:
        other = inputs.BuildInputs(**{**vars(self.BASE), name: value})
        assert other.digest != self.BASE.digest
        assert inputs.changed(self.BASE.parts(), other) == [name]

    def test_the_same_again_is_the_same_build(self) -> None:
        again = inputs.BuildInputs(**vars(self.BASE))
        assert again.digest == self.BASE.digest
        assert inputs.changed(self.BASE.parts(), again) == []
