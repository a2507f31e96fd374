"""Before the first `up`: is the image known and that of the release, and do the ISOs lie where the machines boot them?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.errors import SecretsError
from edge.images.facts import ImageFacts, IsoFile
from edge.images.look import image_results, iso_results
from edge.settings import StackSettings
from tests.unit.image_stacks import BUILT, CANVOS, FROM_STACK, GIVEN, IMAGE, PINNED, mixed
from tests.unit.media_fake import FakeMedia
from tests.unit.settings_helpers import DIGEST, load, put, site
from tests.unit.test_images_pin import FACTS

PLACE = "[isos] edge-hosts-isos/edge-poweroff.iso"
FILE = IsoFile("vcenter.example.com", "DC1", "isos", "edge-hosts-isos/edge-poweroff.iso")
IMAGE_FACTS = replace(FACTS, isos={**FACTS.isos, "poweroff": replace(FACTS.isos["poweroff"], files=(FILE,))})


class Known:
    """A stack whose vCenter password is known."""

    def get(self, name: str) -> str:
        """Return the password, and nothing else."""
        if name != "vspherePassword":
            raise SecretsError(f"{name} was not found.")
        return "canary-password"


def settings_of(folder: Path, *changes: Any, image: Any = GIVEN, release: Any = PINNED, **top: Any) -> StackSettings:
    return load(folder, mixed(*changes, image=image, **top), release=release)


@pytest.mark.row("B11", "B14")
def test_a_given_image_of_the_release_is_green(tmp_path: Path) -> None:
    image, rows = image_results(settings_of(tmp_path), tmp_path)
    assert image is not None
    assert [(row.id, row.status) for row in rows] == [("control.image", "pass")]
    assert rows[0].seen == f"{IMAGE} (poweroff, reboot)"


@pytest.mark.row("B11", "B14")
def test_an_image_that_the_release_does_not_record_is_red(tmp_path: Path) -> None:
    release = {**PINNED, "canvos": {**CANVOS, "image": {**CANVOS["image"], "digest": f"sha256:{'cd' * 32}"}}}
    stack = settings_of(tmp_path, image=FROM_STACK, release=release)
    (tmp_path / "facts.json").write_text(json.dumps({"image": FACTS.to_dict()}))
    _, rows = image_results(stack, tmp_path, tmp_path / "facts.json")
    assert [(row.id, row.status) for row in rows] == [("control.image", "fail")]
    assert "canvos.image.digest" in rows[0].seen
    assert rows[0].remedy


def test_a_build_stack_that_was_never_deployed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    image, (row,) = image_results(settings_of(tmp_path, image=FROM_STACK), tmp_path)
    assert image is None
    assert (row.id, row.status) == ("control.image", "fail")
    assert "images-dev" in row.seen


def test_an_image_that_this_stack_builds_may_not_be_there_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    _, (row,) = image_results(settings_of(tmp_path, image=BUILT), tmp_path)
    assert (row.id, row.status) == ("control.image", "skip")


def test_a_site_without_appliances_is_asked_nothing(tmp_path: Path) -> None:
    assert image_results(load(tmp_path, site()), tmp_path) == (None, [])


def looked(folder: Path, media: FakeMedia, image: ImageFacts | None = IMAGE_FACTS) -> dict[str, tuple[str, str]]:
    stack = settings_of(folder)
    rows = iso_results(stack, Known(), image, stack.host_views(), opened=media.open)
    assert {row.id for row in rows} <= {"vsphere.iso"}
    return {row.host: (row.status, row.seen) for row in rows}


@pytest.mark.row("B14")
def test_the_iso_lies_where_the_machine_boots_it_from(tmp_path: Path) -> None:
    media = FakeMedia({("DC1", PLACE): 10})
    assert looked(tmp_path, media) == {"plant-b": ("pass", f"{PLACE} in DC1")}
    assert media.logins[0].password == "canary-password"


@pytest.mark.row("B14")
@pytest.mark.parametrize(
    ("stored", "says"),
    [({}, "is not there"), ({("DC2", PLACE): 10}, "is not there"), ({("DC1", PLACE): 9}, "has 9 bytes, the image 10")],
)
def test_a_missing_file_and_one_of_another_size_are_red(stored: dict[Any, int], says: str, tmp_path: Path) -> None:
    status, seen = looked(tmp_path, FakeMedia(stored))["plant-b"]
    assert status == "fail"
    assert says in seen


def test_a_size_that_nobody_knows_is_not_compared(tmp_path: Path) -> None:
    unknown = replace(IMAGE_FACTS, isos={"poweroff": replace(IMAGE_FACTS.isos["poweroff"], size=0)})
    assert looked(tmp_path, FakeMedia({("DC1", PLACE): 9}), unknown)["plant-b"][0] == "pass"


def test_an_image_without_an_iso_in_the_datacenter_is_red_before_anybody_is_asked(tmp_path: Path) -> None:
    media = FakeMedia()
    away = replace(
        IMAGE_FACTS, isos={"poweroff": replace(IMAGE_FACTS.isos["poweroff"], files=(replace(FILE, datacenter="DC2"),))}
    )
    status, seen = looked(tmp_path, media, away)["plant-b"]
    assert status == "fail"
    assert "DC1" in seen
    assert media.logins == []


def test_an_unknown_image_leaves_the_files_unasked(tmp_path: Path) -> None:
    assert looked(tmp_path, FakeMedia(), None) == {"plant-b": ("skip", "the image is not known")}


def test_a_password_that_is_missing_is_a_red_row(tmp_path: Path) -> None:
    class Nothing:
        def get(self, name: str) -> str:
            raise SecretsError(f"the secret {name} was not found.", remedy="set it.")

    stack = settings_of(tmp_path, put("hosts.plant-b.generation", 1))
    (row,) = iso_results(stack, Nothing(), IMAGE_FACTS, stack.host_views(), opened=FakeMedia().open)
    assert (row.status, row.host) == ("fail", "plant-b")
    assert "vspherePassword" in row.seen
    assert DIGEST not in row.seen
