"""What a build says about itself at its end and how that is judged; and what a build is asked for, as plain data."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.canvos.build import BuildRequest
from edge.canvos.images import ImageName
from edge.canvos.report import findings, parse
from tests.unit.canvos_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


@pytest.mark.row("B10", "B12", "B13")
class TestReport:
    """What a build that has ended says about itself, and how it is judged."""

    IMAGE = ImageName("registry.example:5000/edge", "ubuntu", "1.31.0", "v4.5.15", "eks-hybrid")
    ISO = "palette-edge-installer.iso"
    LINES = (
        "code 0", "step done", "free 99999999", f"file 2147483648 1795867200 {'ab' * 32} {ISO}",
        f"sum {ISO} {'ab' * 32}  {ISO}", f"image {IMAGE.reference}", "listed",
        f"id sha256:{'cd' * 32}",
    )  # fmt: skip

    def problems(self, world: World, *, without: str = "", **replaced: str) -> list[str]:
        lines = [line for line in self.LINES if not (without and line.startswith(without))]
        lines = [f"{kind} {replaced[kind]}" if (kind := line.split()[0]) in replaced else line for line in lines]
        text = parse("\n".join(lines))
        began = datetime.fromtimestamp(1795867100, UTC)
        return [str(one) for one in findings(world.request(), self.IMAGE, text, began, "builder", "LOG", "tail")]

    def test_a_good_one(self, world: World) -> None:
        assert self.problems(world) == []

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"without": "file"}, "was not made"),
            ({"without": "sum"}, "does not state a checksum"),
            ({"without": "image"}, "is no image of the builder"),
            ({"without": "id"}, "is no image of the builder"),
            ({"without": "listed"}, "could not be asked for its images"),
            ({"step": "images"}, "ended in its step 'images'"),
            ({"file": f"2147483648 1795867099 {'ab' * 32} {ISO}"}, "is older than this build"),
            ({"file": f"2147483648 1795867200 {'cd' * 32} {ISO}"}, "but its checksum file says"),
            ({"code": "124"}, "took longer than it may"),
        ],
    )
    def test_each_thing_alone(self, world: World, change: dict[str, str], words: str) -> None:
        found = self.problems(world, **change)
        assert len(found) == 1
        assert words in found[0]

    def test_a_full_disk_is_said_with_what_is_missing(self, world: World) -> None:
        found = self.problems(world, without="file", free="1024")
        assert "was not made" in found[0]
        assert "free disk: is full" in found[1]

    def test_none_at_all(self, world: World) -> None:
        found = findings(world.request(), self.IMAGE, None, datetime.now(UTC), "builder", "LOG", "Killed\n")
        assert ["ended without a report" in str(one) and "'Killed'" in str(one) for one in found] == [True]


class TestRequest:
    def test_to_plain_data_and_back_with_the_engine_s_numbers(self, world: World) -> None:
        request = world.request(dockerfile=("RUN ours",), commit="c" * 40)
        data = json.loads(json.dumps(request.to_dict()))
        data["seconds"] = float(data["seconds"])
        assert BuildRequest.from_dict(data) == request

    def test_every_field_is_a_part_of_its_digest(self, world: World) -> None:
        base = world.request()
        for name, value in vars(base).items():
            other = not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else "x"
            other = {**value, "reboot": "x"} if isinstance(value, dict) else other
            assert replace(base, **{name: ("x",) if isinstance(value, tuple) else other}).digest != base.digest, name
