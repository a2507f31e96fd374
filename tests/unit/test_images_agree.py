"""Whether an image is that of its release: every pin alone, and what production wants to be pinned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge.errors import FactsError
from edge.facts import UNKNOWN
from edge.images.agree import disagreements
from edge.images.facts import ImageFacts, IsoFacts, with_files
from edge.images.stack_outputs import stack_facts
from edge.settings.release import Release
from tests.unit.settings_helpers import RELEASE

IMAGE = "registry.example/edge/ubuntu:nodeadm-1.31.0-v4.5.15-x"
FACTS = ImageFacts(
    "v4.5.15", "c" * 40, "v4.5.15", "1.31.0", "ubuntu", "22.04", IMAGE, f"sha256:{'a' * 64}", "1" * 64,
    {"poweroff": IsoFacts("p.iso", "b" * 64, 7), "reboot": IsoFacts("r.iso", "d" * 64, 7)},
)  # fmt: skip
PINS: dict[str, Any] = {
    "tag": "v4.5.15", "commit": "c" * 40, "image": {"reference": IMAGE, "digest": f"sha256:{'a' * 64}"},
    "isos": {"poweroff": "b" * 64, "reboot": "d" * 64},
}  # fmt: skip


def release(**changes: Any) -> Release:
    canvos = {**PINS, **changes}
    return Release.model_validate(
        {**RELEASE, "canvos": {key: value for key, value in canvos.items() if value is not None}}
    )


@pytest.mark.row("B3", "B12", "B13")
class TestPins:
    @pytest.mark.parametrize("complete", [False, True])
    def test_the_image_that_was_tested(self, complete: bool) -> None:
        assert disagreements(release(), FACTS, "site.image", complete=complete) == []

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ({"canvos_tag": "v4.5.14"}, "canvos.tag"),
            ({"canvos_commit": "e" * 40}, "canvos.commit"),
            ({"kubernetes": "1.30.0"}, "kubernetes"),
            ({"image": f"{IMAGE}y"}, "canvos.image.reference"),
            ({"image_digest": f"sha256:{'e' * 64}"}, "canvos.image.digest"),
            ({"image_digest": ""}, "canvos.image.digest"),
            ({"isos": {"poweroff": IsoFacts("p.iso", "e" * 64)}}, "canvos.isos.poweroff"),
        ],
    )
    def test_each_difference_alone(self, change: dict[str, Any], what: str) -> None:
        found = disagreements(release(), replace(FACTS, **change), "site.image")
        assert [(one.where, one.level) for one in found] == [("site.image", "error")]
        assert f" {what} (" in found[0].problem

    def test_the_newest_tag_is_whichever_was_built_until_it_is_written_down(self) -> None:
        newest = release(tag="newest", commit=None, image=None, isos=None)
        assert disagreements(newest, replace(FACTS, canvos_tag="v4.9.99"), "site.image") == []
        found = disagreements(newest, FACTS, "site.image", complete=True)
        assert "releases/r-1.yaml: canvos.tag" in [one.where for one in found]

    def test_an_image_that_does_not_tell_its_commit_is_not_compared_by_it(self) -> None:
        assert disagreements(release(), replace(FACTS, canvos_commit=""), "site.image") == []

    def test_what_is_not_pinned_is_not_compared_while_it_is_tried(self) -> None:
        bare = release(commit=None, image=None, isos=None)
        other = replace(
            FACTS, canvos_commit="e" * 40, image_digest="sha256:x", isos={"reboot": IsoFacts("r", "9" * 64)}
        )
        assert disagreements(bare, other, "site.image") == []

    def test_production_wants_every_pin(self) -> None:
        pinned = release(commit=None, image=None, isos={"reboot": "d" * 64})
        found = disagreements(pinned, FACTS, "site.image", complete=True)
        assert [one.where.partition(": ")[2] for one in found] == [
            "canvos.commit",
            "canvos.image",
            "canvos.isos.poweroff",
        ]

    def test_a_release_without_a_tag(self) -> None:
        found = disagreements(Release.model_validate(RELEASE), FACTS, "site.image")
        assert "names no `canvos`" in str(found[0])


def test_the_files_of_each_kind_stand_at_their_iso() -> None:
    place = {"vcenter": "vc", "datacenter": "DC1", "datastore": "ssd", "path": "x.iso"}
    facts = ImageFacts.from_dict(with_files(FACTS.to_dict(), [{"kind": "reboot", **place}]))
    assert facts.isos["poweroff"].files == ()
    assert [one.place for one in facts.isos["reboot"].files] == ["[ssd] x.iso"]
    assert replace(facts, isos=FACTS.isos) == FACTS


def test_exports_of_a_run_that_failed_are_not_believed() -> None:
    exports = {"kind": "build", "image": {**FACTS.to_dict(), "image_digest": UNKNOWN}}
    with pytest.raises(FactsError, match="its last run failed"):
        stack_facts(exports, stack="image-dev")
    assert stack_facts({"kind": "build", "image": FACTS.to_dict()}, stack="image-dev") == FACTS
