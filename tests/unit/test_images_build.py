"""The resource of a build: looks that are short, what is a difference, and what its outputs say."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from edge.canvos.request import BuildRequest
from edge.canvos.shell import Shell
from edge.errors import BuildError, HostError, PendingError
from edge.images import build_resource as build
from edge.images.facts import ImageFacts
from tests.unit.canvos_world import World
from tests.unit.ssh_server import Host, Wishes

pytestmark = [pytest.mark.timeout(120), pytest.mark.row("B10", "B13")]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path / "world")

    @contextmanager
    def shell(_props: object, _secret: object) -> Iterator[Shell]:
        yield made

    monkeypatch.setattr(build, "open_shell", shell)
    return made


def props(world: World, **changes: Any) -> dict[str, Any]:
    """Return the inputs as the engine hands them over: plain, with floats."""
    request = json.loads(json.dumps(world.request(**changes).to_dict()), parse_int=float)
    return {"name": "plant-image", "builder": {"machine": "local"}, "request": request, "timeout": 5400.0}


def secret(_name: str) -> str | None:
    return None


def finished(
    given: dict[str, Any], olds: dict[str, Any] | None = None, *, looks: list[float] | None = None
) -> dict[str, Any]:
    """Look again and again, as the error hook does."""
    for _ in range(200):
        began = time.monotonic()
        try:
            return build.create(given, secret) if olds is None else build.update(olds, given, secret)
        except PendingError as waits:
            assert "on builder for" in waits.message
            if looks is not None:
                looks.append(time.monotonic() - began)
    raise AssertionError("the build did not end")


def test_the_outputs_are_the_facts_of_the_image(world: World) -> None:
    looks: list[float] = []
    outs = finished(props(world), looks=looks)
    facts = ImageFacts.from_dict(outs["facts"])
    assert facts.image == "registry.example:5000/edge/ubuntu:nodeadm-1.31.0-v4.5.15-eks-hybrid"
    assert (facts.canvos_tag, facts.pe_version, facts.kubernetes) == ("v4.5.15", "v4.5.15", "1.31.0")
    assert (facts.os, facts.os_version) == ("ubuntu", "22.04")
    assert facts.image_digest.startswith("sha256:")
    path = Path(outs["builder_isos"]["poweroff"])
    assert path.stat().st_size == facts.isos["poweroff"].size
    assert outs["inputs"] == facts.inputs
    assert set(outs["parts"]) == {"commit", "arg", "dockerfile", "user_data", "certificates", "bundle"}
    assert not build.diff(outs, props(world))


def test_what_waits_says_the_last_line_of_the_log(world: World) -> None:
    world.put("slow", "3")
    said = []
    for _ in range(40):
        try:
            build.create(props(world), secret)
            break
        except PendingError as waits:
            said.append(waits.message)
    assert any("building on builder for" in one and one.endswith("without a terminal") for one in said), said


def test_a_build_that_did_not_verify_gives_no_outputs(world: World) -> None:
    world.put("fail")
    with pytest.raises(BuildError, match="was not made"):
        finished(props(world))


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"dockerfile": ("RUN ours",)}, True),
        ({"tag": "v4.5.14"}, True),
        ({"user_data": {"reboot": "#cloud-config\n"}}, True),
        ({"arg": {"ARCH": "amd64"}}, True),
        ({"certificates": ("PEM",)}, True),
        ({"bundle": "/content-b"}, True),
        ({"commit": "c" * 40}, True),
        ({"workdir": "/elsewhere"}, False),
        ({"seconds": 60}, False),
        ({"accept_small": True}, False),
        ({"earthly": True}, False),
        ({"push": False}, False),
    ],
)
def test_what_is_a_difference(world: World, change: dict[str, Any], differs: bool) -> None:
    olds = {**props(world), "facts": {"image_digest": "sha256:" + "a" * 64}}
    assert build.diff(olds, props(world, **change)) is differs


def test_to_push_what_was_not_pushed_is_a_difference_and_builds_nothing(world: World) -> None:
    olds = finished(props(world, push=False))
    assert olds["facts"]["image_digest"] == ""
    assert build.diff(olds, props(world))
    world.ran.clear()
    outs = finished(props(world), olds)
    assert outs["facts"]["image_digest"].startswith("sha256:")
    assert not any("setsid" in script and "jobs/build" in script for script in world.ran)


@pytest.mark.row("B3", "C3")
@pytest.mark.parametrize("tag", ["v4.5.15", "newest"])
def test_to_pin_what_was_built_is_no_difference(world: World, tag: str) -> None:
    olds = finished(props(world, tag=tag))
    commit = olds["facts"]["canvos_commit"]
    assert not build.diff(olds, props(world, tag="v4.5.15", commit=commit))
    assert build.diff(olds, props(world, tag="v4.5.15", commit="c" * 40)), "another commit"
    assert build.diff(olds, props(world, tag="v4.5.14", commit=commit)), "another tag"


def test_a_pinned_commit_is_the_same_wherever_it_comes_from(world: World) -> None:
    pinned = {"commit": "c" * 40}
    assert not build.diff(
        props(world, **pinned), props(world, **pinned, repository="https://mirror.example/CanvOS.git")
    )
    assert build.diff(props(world), props(world, repository="https://mirror.example/CanvOS.git"))


@pytest.mark.parametrize("olds", [{}, {"request": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}, {"request": None}])
def test_a_difference_never_raises(world: World, olds: dict[str, Any]) -> None:
    assert build.diff(olds, props(world)) is True


def test_reading_says_whether_the_isos_lie_there_and_is_never_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    outs = finished(props(world))
    assert build.read(outs, secret) == outs
    Path(outs["builder_isos"]["poweroff"]).unlink()
    seen = build.read(outs, secret)
    assert seen == {**outs, "on_builder": False}
    assert not build.diff(seen, props(world)), "what was uploaded is not built again"

    def gone(_props: object, _secret: object) -> Any:
        raise HostError("refuses connections", where="builder")

    monkeypatch.setattr(build, "open_shell", gone)
    assert build.read(outs, secret) == outs


@pytest.mark.row("B3", "B10")
def test_a_tag_that_was_moved_is_seen_by_a_refresh_and_built(world: World) -> None:
    given = props(world)
    outs = finished(given)
    world.tag("v4.5.14", force=True)
    assert build.read(outs, secret) == outs, "another tag"
    commit = world.tag("v4.5.15", force=True, annotated=True)
    seen = build.read(outs, secret)
    assert seen is not None
    assert seen["moved"] == ["commit"]
    assert build.diff(seen, given)
    again = finished(given, seen)
    assert (again["facts"]["canvos_commit"], again["moved"]) == (commit, [])
    assert not build.diff(again, given)


@pytest.mark.row("B3")
def test_a_pinned_commit_is_not_asked_for_and_the_newest_tag_is(world: World) -> None:
    commit = world.git("rev-parse", "v4.5.15")
    pinned = finished(props(world, commit=commit))
    world.tag("v4.5.15", force=True)
    assert build.read(pinned, secret) == pinned
    newest = finished(props(world, tag="newest"))
    assert newest["facts"]["canvos_tag"] == "v4.5.15"
    world.tag("v4.5.20-rc.1")
    assert build.read(newest, secret) == newest
    world.tag("v4.5.20")
    seen = build.read(newest, secret)
    assert seen is not None
    assert seen["moved"] == ["commit"]
    assert finished(props(world, tag="newest"), seen)["facts"]["canvos_tag"] == "v4.5.20"


@pytest.mark.row("B10")
def test_a_repository_that_does_not_answer_has_not_changed(world: World) -> None:
    outs = finished(props(world))
    world.repository.rename(world.folder / "away")
    assert build.read(outs, secret) == outs


def bundled(world: World) -> tuple[Path, dict[str, Any]]:
    """Return a content bundle with one file, and the inputs of a build with it."""
    bundle = world.folder / "content-a"
    bundle.mkdir()
    (bundle / "one.zst").write_bytes(b"one")
    return bundle, props(world, bundle=str(bundle))


@pytest.mark.row("B10")
def test_a_bundle_that_was_changed_in_its_folder_is_seen_by_a_refresh_and_built(world: World) -> None:
    bundle, given = bundled(world)
    outs = finished(given)
    assert build.read(outs, secret) == outs
    (bundle / "two.zst").write_bytes(b"two")
    seen = build.read(outs, secret)
    assert seen is not None
    assert seen["moved"] == ["bundle"]
    again = finished(given, seen)
    assert again["parts"]["bundle"] != outs["parts"]["bundle"]
    assert again["moved"] == []
    assert build.read(again, secret) == again


@pytest.mark.row("B10")
def test_a_bundle_that_is_changed_while_it_is_built_is_a_change(world: World) -> None:
    bundle, given = bundled(world)
    world.put("slow", "2")
    for _ in range(200):
        with pytest.raises(PendingError) as waits:
            build.create(given, secret)
        if "building" in waits.value.message:
            break
    (bundle / "two.zst").write_bytes(b"two")
    seen = build.read(finished(given), secret)
    assert seen is not None
    assert seen["moved"] == ["bundle"]


@pytest.mark.row("B10")
def test_a_bundle_whose_files_are_only_newer_is_looked_at_once(world: World) -> None:
    bundle, given = bundled(world)
    outs = finished(given)
    made = Path(outs["builder_isos"]["poweroff"]).stat().st_mtime
    os.utime(bundle / "one.zst", (1, 1))
    seen = build.read(outs, secret)
    assert seen is not None
    assert seen["moved"] == ["bundle"]
    again = finished(given, seen)
    assert (again["inputs"], again["moved"]) == (outs["inputs"], [])
    assert Path(again["builder_isos"]["poweroff"]).stat().st_mtime == made, "not built again"
    assert build.read(again, secret) == again


def test_inputs_of_another_version(world: World) -> None:
    with pytest.raises(HostError, match="is no build"):
        build.create({**props(world), "request": {"tag": "v4.5.15"}}, secret)


def test_delete_does_nothing(world: World) -> None:
    outs = finished(props(world))
    build.delete(outs, secret)
    assert Path(outs["builder_isos"]["poweroff"]).exists()


@pytest.mark.row("B1")
def test_a_build_machine_over_ssh(tmp_path: Path) -> None:
    """The whole way to a build machine of its own, with the inputs that the engine keeps: one connection per look."""
    world = World(tmp_path / "world")
    key = asyncssh.generate_private_key("ssh-ed25519")
    env = {
        "PATH": f"{world.folder / 'bin'}:{os.environ['PATH']}",
        "HOME": str(world.folder / "home"),
        "CANVOS_WORLD": str(world.folder),
    }
    with Host(Wishes(keys=(key,), env=env)) as host:
        builder = {
            "machine": "ssh", "name": "builder", "address": "127.0.0.1", "port": float(host.port), "user": "edge",
            "host_key": host.host_key, "private_key_secret": "builderKey", "agent": False,
        }  # fmt: skip
        given = {**props(world), "builder": builder}
        secrets = {"builderKey": key.export_private_key().decode()}
        looks = 0
        while True:
            looks += 1
            try:
                outs = build.create(given, secrets.get)
                break
            except PendingError as waits:
                assert "on builder for" in waits.message
        assert host.connections == looks
        assert build.read(outs, secrets.get) == outs
    assert ImageFacts.from_dict(outs["facts"]).image_digest.startswith("sha256:")
    assert "PRIVATE KEY" not in json.dumps(outs)
    assert build.read(outs, secrets.get) == outs, "a build machine that is gone ends no refresh"


@pytest.mark.row("B4", "B10")
def test_another_order_of_what_the_engine_hands_on_is_the_same_build(world: World) -> None:
    """The engine keeps no order of a mapping's keys; another order of the lines in `.arg` would be built anew."""

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(inner) for key, inner in reversed(value.items())}
        return value

    request = world.request()
    again = BuildRequest.from_dict(turned(request.to_dict()))
    assert list(again.arg.items()) == list(request.arg.items())
    assert again.digest == request.digest
