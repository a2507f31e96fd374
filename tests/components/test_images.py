"""What a stack registers for an installer image: type, name, inputs, parent, dependencies, secrets, for every source."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pulumi
import pytest
import yaml

from components.errors import ProgramError
from components.hooks import Hooks
from components.image import SiteImage
from components.testing import Recording, record, record_program
from edge.images.facts import ImageFacts, IsoFacts
from edge.settings import StackSettings, load_any
from tests.components.harness import PROJECT, ROOT, canary
from tests.unit.settings_helpers import HOST_KEY, RELEASE, SITE, load

BUILD_TYPE = "pulumi-python:dynamic/edge:InstallerBuild"
ISO_TYPE = "pulumi-python:dynamic/edge:InstallerIso"
CANVOS = {"tag": "v4.5.15", "commit": "c" * 40}
BUILDER = {"machine": "ssh", "address": "10.9.0.5", "hostKey": HOST_KEY, "ssh": {"user": "builder"}}
IMAGE = {
    "registry": "registry.example:5000/edge", "repo": "ubuntu", "customTag": "eks-hybrid", "kinds": ["poweroff", "reboot"],
}  # fmt: skip
VCENTERS = {"main": {"server": "vc.example", "user": "edge@vsphere.local"}}
DATASTORES = [{"datacenter": "DC1", "datastore": "ssd 1"}, {"datacenter": "DC1", "datastore": "ssd-1"}]
STACK: dict[str, Any] = {
    "kind": "build", "name": "image", "stage": "dev", "builder": BUILDER, "build": IMAGE, "datastores": DATASTORES,
    "vcenters": VCENTERS,
}  # fmt: skip
SECRETS = ("sshPrivateKey", "vspherePassword")


def project(folder: Path, site: Mapping[str, Any], canvos: Mapping[str, Any] = CANVOS) -> Path:
    """Make a project with one stack and one release, and the program itself."""
    release = {**RELEASE, "canvos": dict(canvos)}
    (folder / "releases").mkdir(parents=True)
    (folder / "releases/r-1.yaml").write_text(yaml.safe_dump(release))
    (folder / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    (folder / "__main__.py").write_text((ROOT / "__main__.py").read_text())
    config = {f"{PROJECT}:release": "r-1", f"{PROJECT}:site": dict(site)}
    (folder / f"Pulumi.{site['name']}-{site['stage']}.yaml").write_text(yaml.safe_dump({"config": config}))
    return folder


def built(folder: Path, *, canvos: Mapping[str, Any] = CANVOS, preview: bool = False, **changes: Any) -> Recording:
    """Run the program for a build stack."""
    site = {**copy.deepcopy(STACK), **changes}
    root = project(folder / "p", site, canvos)
    config = {f"{PROJECT}:site": json.dumps(site), f"{PROJECT}:release": "r-1"}
    config |= {f"{PROJECT}:{name}": canary(name) for name in SECRETS}
    keys = [f"{PROJECT}:{name}" for name in SECRETS]
    stack = f"{site['name']}-{site['stage']}"
    return record_program(root, project=PROJECT, stack=stack, config=config, secret_keys=keys, preview=preview)


@pytest.mark.row("B3", "B4", "B8", "B14")
class TestBuildStack:
    def test_the_build_comes_first_and_each_iso_waits_for_it(self, tmp_path: Path) -> None:
        recording = built(tmp_path)
        types = [one.type for one in recording.resources]
        assert types[:3] == ["edge-hosts:index:EdgeBuild", "edge-hosts:index:InstallerImage", BUILD_TYPE]
        isos = [one for one in recording.resources if one.type == ISO_TYPE]
        assert len(isos) == len(types) - 3 == 4
        assert {one.parent for one in isos} == {"image-image"}
        for one in isos:
            for name in ("sha256", "size", "iso_name", "source"):
                assert one.property_dependencies[name] == ("image-image-build",), (one.name, name)
        assert len({one.name for one in isos}) == 4

    def test_names_are_a_part_of_the_state(self, tmp_path: Path) -> None:
        assert sorted(one.name for one in built(tmp_path).resources) == [
            "image", "image-image", "image-image-build", "image-image-iso-poweroff-ssd-1-1e6eff",
            "image-image-iso-poweroff-ssd-1-8f8e11", "image-image-iso-reboot-ssd-1-1e6eff",
            "image-image-iso-reboot-ssd-1-8f8e11",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "vcenters",
        [{"main": {**VCENTERS["main"], "server": "vc.example:443"}}, {"other": VCENTERS["main"]}],
        ids=["another spelling", "another name in the settings"],
    )
    def test_the_same_vcenter_written_another_way_keeps_its_isos(self, tmp_path: Path, vcenters: object) -> None:
        """A resource of another name would find the file there, and the old one would delete it."""
        before = {one.name for one in built(tmp_path / "a").resources}
        assert {one.name for one in built(tmp_path / "b", vcenters=vcenters).resources} == before

    def test_datastores_of_one_name_in_two_vcenters(self, tmp_path: Path) -> None:
        vcenters = {**VCENTERS, "other": {**VCENTERS["main"], "server": "other.example"}}
        place = {"datacenter": "DC1", "datastore": "ssd-1"}
        datastores = [{**place, "vcenter": "main"}, {**place, "vcenter": "other"}]
        isos = [
            one for one in built(tmp_path, vcenters=vcenters, datastores=datastores).resources if one.type == ISO_TYPE
        ]
        assert len({one.name for one in isos}) == len(isos) == 4

    def test_the_inputs_of_the_build(self, tmp_path: Path) -> None:
        made = built(tmp_path).get("image-image-build", BUILD_TYPE)
        request = made.plain("request")
        assert (request["tag"], request["commit"], request["kubernetes"]) == ("v4.5.15", "c" * 40, "1.31.0")
        assert request["workdir"] == f"/var/lib/edge-hosts-build/{PROJECT}.image-dev"
        assert sorted(request["user_data"]) == ["poweroff", "reboot"]
        assert "K8S_DISTRIBUTION=nodeadm" in request["arg"]
        assert made.plain("builder")["private_key_secret"] == "sshPrivateKey"
        assert made.plain("builder")["host_key"] == HOST_KEY
        assert made.plain("timeout") == 3600 + 3600
        assert made.on_error == ("edge-hosts-building",)
        assert not made.protect

    def test_the_inputs_of_an_iso(self, tmp_path: Path) -> None:
        isos = [one for one in built(tmp_path).resources if one.type == ISO_TYPE]
        one = next(one for one in isos if one.plain("kind") == "reboot" and one.plain("datastore") == "ssd 1")
        assert one.plain("sha256") == "0" * 64
        assert one.plain("source").endswith("/CanvOS/build/palette-edge-installer-reboot.iso")
        assert (one.plain("vcenter"), one.plain("user")) == ("vc.example", "edge@vsphere.local")
        assert (one.plain("password_secret"), one.plain("folder")) == ("vspherePassword", "edge-hosts-isos")
        assert one.on_error == ("edge-hosts-building",)

    def test_no_secret_is_an_input_or_an_export(self, tmp_path: Path) -> None:
        recording = built(tmp_path)
        text = json.dumps([dict(one.inputs) for one in recording.resources]) + json.dumps(recording.exports)
        for name in SECRETS:
            assert canary(name) not in text

    def test_the_exports_are_what_a_site_reads(self, tmp_path: Path) -> None:
        exports = built(tmp_path).exports
        assert set(exports) == {"kind", "stage", "owner", "release", "run", "image", "pack", "builder_isos", "warnings"}
        facts = ImageFacts.from_dict(exports["image"])
        assert facts.image == "registry.example:5000/edge/ubuntu:nodeadm-1.31.0-v4.5.15-eks-hybrid"
        assert [file.datastore for file in facts.isos["poweroff"].files] == ["ssd 1", "ssd-1"]
        assert facts.isos["reboot"].files[0].vcenter == "vc.example"
        assert exports["pack"]["options"]["system.peVersion"] == "v4.5.15"
        assert exports["pack"]["options"]["system.osVersion"] == "22.04"

    def test_in_production_the_isos_are_protected_and_nothing_else(self, tmp_path: Path) -> None:
        pins = {
            "image": {
                "reference": "registry.example:5000/edge/ubuntu:nodeadm-1.31.0-v4.5.15-eks-hybrid",
                "digest": f"sha256:{'0' * 64}",
            },
            "isos": {"poweroff": "0" * 64, "reboot": "0" * 64},
        }
        recording = built(tmp_path, canvos={**CANVOS, **pins}, stage="prod")
        assert {one.type for one in recording.resources if one.protect} == {ISO_TYPE}

    def test_a_first_preview_knows_no_digest(self, tmp_path: Path) -> None:
        assert len(built(tmp_path, preview=True).resources) == 7

    def test_without_datastores_there_is_the_image_alone(self, tmp_path: Path) -> None:
        recording = built(tmp_path, datastores=[], vcenters={})
        assert [one.type for one in recording.resources][2:] == [BUILD_TYPE]
        assert ImageFacts.from_dict(recording.exports["image"]).isos["poweroff"].files == ()

    def test_this_machine_builds(self, tmp_path: Path) -> None:
        made = built(tmp_path, builder={"machine": "local", "acceptSmall": True}).get("image-image-build", BUILD_TYPE)
        assert made.plain("builder") == {"machine": "local"}
        assert made.plain("request")["accept_small"] is True


FACTS = ImageFacts(
    "v4.5.15", "c" * 40, "v4.5.15", "1.31.0", "ubuntu", "22.04", "registry.example/edge/ubuntu:nodeadm-1.31.0-v4.5.15-x",
    f"sha256:{'a' * 64}", "1" * 64, {"poweroff": IsoFacts("i.iso", "b" * 64, 7)},
)  # fmt: skip


def settings_of(folder: Path, image: Mapping[str, Any], canvos: Mapping[str, Any] = CANVOS) -> StackSettings:
    """Return a site with one appliance whose image has this source."""
    site = {**copy.deepcopy(SITE), "image": dict(image)}
    return load(folder, site, release={**RELEASE, "canvos": dict(canvos)})


def site_image(settings: StackSettings, exports: Mapping[str, Any] | None = None, **options: Any) -> Recording:
    def program() -> None:
        pulumi.export("image", SiteImage("plant-image", settings, Hooks()).facts)

    outputs = (
        {} if exports is None else {"pulumi:pulumi:StackReference": {"outputs": dict(exports), "secretOutputNames": []}}
    )
    return record(program, project=PROJECT, stack="plant-dev", config={}, secret_keys=[], outputs=outputs, **options)


@pytest.mark.row("B14")
class TestSiteImage:
    GIVEN: ClassVar[dict[str, Any]] = {
        "source": "given", "image": FACTS.image, "imageDigest": FACTS.image_digest, "osVersion": "22.04",
        "isos": {"reboot": {"sha256": "b" * 64, "size": 7, "path": "isos/i.iso"}},
    }  # fmt: skip

    def test_given(self, tmp_path: Path) -> None:
        recording = site_image(settings_of(tmp_path, self.GIVEN))
        facts = ImageFacts.from_dict(recording.exports["image"])
        assert (facts.image, facts.kubernetes, facts.pe_version) == (FACTS.image, "1.31.0", "v4.5.15")
        assert facts.isos["reboot"] == IsoFacts("i.iso", "b" * 64, 7)
        assert [one.type for one in recording.resources] == ["edge-hosts:index:SiteImage"]

    def test_of_a_build_stack(self, tmp_path: Path) -> None:
        settings = settings_of(tmp_path, {"source": "stack", "stack": "image-dev"})
        recording = site_image(settings, {"kind": "build", "image": FACTS.to_dict(), "pack": {}})
        assert ImageFacts.from_dict(recording.exports["image"]) == FACTS
        reference = recording.get("plant-image-stack")
        assert (reference.parent, reference.plain("name")) == ("plant-image", f"organization/{PROJECT}/image-dev")
        assert not any(one.type in (BUILD_TYPE, ISO_TYPE) for one in recording.resources)

    @pytest.mark.parametrize(
        ("exports", "words"),
        [
            ({}, "it exports nothing"),
            ({"kind": "network"}, "it is of kind network, not build"),
            ({"kind": "build"}, "has no value, as after a run that failed"),
            ({"kind": "build", "image": {"isos": {}}}, "has another form"),
            ({"kind": "build", "image": {**FACTS.to_dict(), "canvos_commit": "d" * 40}}, "says as canvos.commit"),
            ({"kind": "build", "image": {**FACTS.to_dict(), "canvos_tag": "v4.9.38"}}, "says as canvos.tag"),
        ],
    )
    def test_of_a_stack_that_does_not_fit(self, tmp_path: Path, exports: dict[str, Any], words: str) -> None:
        settings = settings_of(tmp_path, {"source": "stack", "stack": "image-dev"})
        with pytest.raises(ProgramError, match=words):
            site_image(settings, exports)

    def test_made_here(self, tmp_path: Path) -> None:
        image = {"source": "build", "builder": BUILDER, "build": IMAGE}
        recording = site_image(settings_of(tmp_path, image))
        made = recording.get("plant-image-installer-build", BUILD_TYPE)
        assert made.parent == "plant-image-installer"
        assert recording.get("plant-image-installer").parent == "plant-image"
        assert ImageFacts.from_dict(recording.exports["image"]).kubernetes == "1.31.0"

    def test_made_here_but_not_what_the_release_pins(self, tmp_path: Path) -> None:
        image = {"source": "build", "builder": BUILDER, "build": IMAGE}
        settings = settings_of(tmp_path, image, {**CANVOS, "isos": {"poweroff": "e" * 64}})
        with pytest.raises(ProgramError, match=r"records as canvos\.isos\.poweroff"):
            site_image(settings)


def test_the_kind_is_known_to_the_settings(tmp_path: Path) -> None:
    assert load_any("image-dev", project(tmp_path / "p", STACK)).site.kind == "build"
