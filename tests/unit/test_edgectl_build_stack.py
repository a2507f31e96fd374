"""What each command says about a stack of kind `build`: a few work, the others answer in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.canvos import arg, dockerfile
from edge.images.request import arguments, build_request
from edge.settings import BuildSettings, load_any
from edgectl import app
from tests.unit.image_stacks import STACK, images, images_file
from tests.unit.settings_helpers import ROOT, SITE, project, put

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    """Run one command of edgectl and return its exit code, stdout and stderr."""
    code = app.main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_committed_example_is_valid(capsys: Capture) -> None:
    code, out, err = run(capsys, "check", "images-dev", "--root", str(ROOT))
    assert (code, err) == (0, "")
    assert "image images, stage dev, release 2026.11-1, built on 10.200.0.30" in out
    assert "vspherePassword" in out and "sshPrivateKey" in out
    assert "Palette" not in out, "a build needs nothing of Palette"
    assert "warning" not in out
    code, out, _ = run(capsys, "check", "images-dev", "--root", str(ROOT), "--json")
    assert json.loads(out)["valid"] is True


def test_check_shows_every_problem_with_its_line(capsys: Capture, tmp_path: Path) -> None:
    images_file(tmp_path, images(put("build.customTag", ""), put("build.trustedBoot", True)))
    code, out, _ = run(capsys, "check", "images-dev", "--root", str(tmp_path))
    assert code == 2
    assert "site.build.customTag (line " in out
    assert "site.build.trustedBoot (line " in out
    local = images(
        builder={"machine": "local"}, datastores=[], vcenters={}, build={**STACK["build"], "kinds": ["reboot"]}
    )
    images_file(tmp_path, local)
    code, out, _ = run(capsys, "check", "images-dev", "--root", str(tmp_path))
    assert code == 0
    assert "built on this machine" in out
    assert "Secrets of this stack" not in out, "it has none"


@pytest.mark.row("B4", "B7", "B8")
def test_render_shows_what_the_builder_is_given(capsys: Capture) -> None:
    code, out, _ = run(capsys, "render", "images-dev", "--root", str(ROOT))
    assert code == 0
    settings = load_any("images-dev", ROOT)
    assert isinstance(settings, BuildSettings)
    request = build_request(settings.site.build, settings.site.builder, settings.release)
    assert arg.render(arguments(settings.site.build, settings.release)) in out
    assert f"v4.9.38 of {settings.site.build.repository}" in out
    for text in request.user_data.values():
        assert text in out
    assert dockerfile.BEGIN in out
    assert all(line in out for line in settings.site.build.dockerfile)


def test_render_of_a_build_stack_takes_no_host_and_that_of_a_site_one(capsys: Capture, tmp_path: Path) -> None:
    images_file(tmp_path, STACK)
    code, _, err = run(capsys, "render", "images-dev", "plant-a", "--root", str(tmp_path))
    assert code == 2
    assert "a build stack has none" in err
    project(tmp_path, SITE)
    code, _, err = run(capsys, "render", "plant-dev", "--root", str(tmp_path))
    assert code == 2
    assert "plant-a, plant-b" in err


def test_env_counts_the_uploads(capsys: Capture, tmp_path: Path) -> None:
    images_file(tmp_path, STACK)
    code, out, _ = run(capsys, "env", "images-dev", "--root", str(tmp_path))
    assert code == 0
    assert "PULUMI_PARALLEL=11" in out  # one build, two kinds on one datastore, and what the engine needs for itself
    assert "SSL_CERT_FILE" not in out


@pytest.mark.parametrize("command", ["preflight", "verify", "repair", "roll"])
def test_commands_for_sites_answer_in_one_line(capsys: Capture, tmp_path: Path, command: str) -> None:
    images_file(tmp_path, STACK)
    code, _, err = run(capsys, command, "images-dev", "--root", str(tmp_path))
    assert code == 2
    assert "is a build stack, which has no hosts and no AWS side" in err
    assert "build stacks are for `check`" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("stacks", [("images-dev", "plant-dev"), ("plant-dev", "images-dev")])
def test_a_build_stack_is_not_promoted(capsys: Capture, tmp_path: Path, stacks: tuple[str, str]) -> None:
    images_file(tmp_path, STACK)
    code, _, err = run(capsys, "promote", *stacks, "--root", str(tmp_path))
    assert code != 0
    assert "is a build stack" in err
