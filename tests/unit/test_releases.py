"""Releases: what a file may say, what a host downloads, and writing digests into a file without touching the rest."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from settings_helpers import DIGEST, RELEASE, ROOT, SITE, project

from edge.errors import SettingsError
from edge.releases import PLACEHOLDER, Agent, installer, known, load, main, pin

GITHUB = "https://github.com/spectrocloud/agent-mode/releases"


def agent(**more: Any) -> Agent:
    return Agent.model_validate({"version": "4.9.38", **more})


def refused(folder: Path, change: dict[str, Any]) -> dict[str, str]:
    """Return the remedies of a release with changes, by place."""
    raw = copy.deepcopy(RELEASE)
    raw["agent"].update(change.pop("agent", {}))
    project(folder, SITE, release={**raw, **change})
    with pytest.raises(SettingsError) as caught:
        load("r-1", folder)
    return {finding.where: finding.remedy for finding in caught.value.findings}


@pytest.mark.parametrize("name", known(ROOT))
def test_the_committed_releases_are_valid(name: str) -> None:
    release = load(name, ROOT)
    assert release.id == name
    assert release.agent.is_pinned
    assert release.agent.script.sha256
    assert release.agent.binary.amd64.sha256
    assert release.vm_template


def test_a_release_that_does_not_exist_names_the_nearest(tmp_path: Path) -> None:
    project(tmp_path, SITE)
    with pytest.raises(SettingsError, match=r"Did you mean r-1\? There are: r-1"):
        load("r-2", tmp_path)
    with pytest.raises(SettingsError, match="There are: none"):
        load("r-1", tmp_path / "elsewhere")


@pytest.mark.parametrize("name", ["../Pulumi", "releases/r-1", ".hidden", ""])
def test_a_release_name_is_no_path(tmp_path: Path, name: str) -> None:
    project(tmp_path, SITE)
    with pytest.raises(SettingsError, match="does not exist"):
        load(name, tmp_path)


@pytest.mark.row("A18")
@pytest.mark.parametrize(
    ("change", "where", "remedy"),
    [
        ({"id": "r-2"}, "id", "Write r-1"),
        ({"kubernetes": 1.31}, "kubernetes", '"1.31"'),
        ({"agent": {"version": "v4.9.38"}}, "agent.version", "without a leading v"),
        ({"agent": {"version": 4.9}}, "agent.version", '"4.9"'),
        ({"agent": {"verison": "4.9.38"}}, "agent.verison", "Did you mean `version`?"),
        ({"agent": {"script": {"sha256": "abc"}}}, "agent.script.sha256", "64 lower-case"),
        ({"agent": {"script": {"sha256": DIGEST.upper()}}}, "agent.script.sha256", "64 lower-case"),
        ({"agent": {"baseUrl": "ftp://x"}}, "agent.baseUrl", "https://HOST"),
        ({"packages": {"apt": "jq"}}, "packages.apt", "- item"),
        ({"vm": {"template": "a//b"}}, "vm.template", "one `/`"),
        ({"vm": {"template": 22.04}}, "vm.template", '"22.04"'),
        ({"vm": {}}, "vm.template", "Add `template:`"),
    ],
)
def test_a_wrong_release_is_refused(tmp_path: Path, change: dict[str, Any], where: str, remedy: str) -> None:
    findings = refused(tmp_path, change)
    assert list(findings) == [f"releases/r-1.yaml.{where}"]
    assert remedy in findings[f"releases/r-1.yaml.{where}"]


def test_a_kubernetes_version_shows_what_was_written(tmp_path: Path) -> None:
    project(tmp_path, SITE)
    path = tmp_path / "releases" / "r-1.yaml"
    path.write_text(path.read_text().replace("kubernetes: 1.31.0", "kubernetes: 1.30"))
    with pytest.raises(SettingsError, match=r'"1\.30"'):
        load("r-1", tmp_path)


@pytest.mark.row("A18")
@pytest.mark.parametrize(
    ("more", "fips", "asked", "script", "binary"),
    [
        ({}, False, None, f"{GITHUB}/download/v4.9.38/palette-agent-install.sh",
         f"{GITHUB}/download/v4.9.38/palette-agent-linux-amd64"),
        ({}, True, None, f"{GITHUB}/download/v4.9.38/palette-agent-install-fips.sh",
         f"{GITHUB}/download/v4.9.38/palette-agent-fips-linux-amd64"),
        ({"version": "latest"}, False, None, f"{GITHUB}/latest/download/palette-agent-install.sh",
         f"{GITHUB}/latest/download/palette-agent-linux-amd64"),
        ({"version": "latest", "baseUrl": "https://mirror.example/agent"}, False, None,
         "https://mirror.example/agent/latest/palette-agent-install.sh",
         "https://mirror.example/agent/latest/palette-agent-linux-amd64"),
        ({"version": "instance"}, False, "4.6.21", f"{GITHUB}/download/v4.6.21/palette-agent-install.sh",
         f"{GITHUB}/download/v4.6.21/palette-agent-linux-amd64"),
        ({"version": "instance"}, False, "v4.6.21", f"{GITHUB}/download/v4.6.21/palette-agent-install.sh",
         f"{GITHUB}/download/v4.6.21/palette-agent-linux-amd64"),
        ({"baseUrl": "https://mirror.example/agent/"}, False, None,
         "https://mirror.example/agent/v4.9.38/palette-agent-install.sh",
         "https://mirror.example/agent/v4.9.38/palette-agent-linux-amd64"),
    ],
)  # fmt: skip
def test_what_a_host_downloads(more: Any, fips: bool, asked: str | None, script: str, binary: str) -> None:
    files = installer(agent(**more), fips=fips, instance_version=asked)
    assert files.script_url == script
    assert files.binary_urls["amd64"] == binary
    assert files.binary_urls["arm64"] == binary.replace("amd64", "arm64")


def test_the_version_of_an_instance_must_be_asked_first() -> None:
    with pytest.raises(ValueError, match="ask the Palette instance"):
        installer(agent(version="instance"))


def files(folder: Path) -> dict[str, Path]:
    """Write what a person would have downloaded."""
    script, binary = folder / "install.sh", folder / "agent"
    script.write_bytes(b"#!/bin/bash\necho hello\n")
    binary.write_bytes(b"\x7fELF\x02\x01\x01\x00")
    return {"script": script, "binary.amd64": binary}


@pytest.mark.row("A18")
def test_digests_are_written_and_nothing_else_changes(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    path = tmp_path / "releases" / "2026.11-1.yaml"
    before = (ROOT / "releases" / "2026.11-1.yaml").read_text()
    path.write_text(before)
    given = files(tmp_path)
    digests = pin("2026.11-1", given, tmp_path)
    assert digests == {what: hashlib.sha256(file.read_bytes()).hexdigest() for what, file in given.items()}
    release = load("2026.11-1", tmp_path)
    assert release.agent.script.sha256 == digests["script"]
    assert release.agent.binary.amd64.sha256 == digests["binary.amd64"]
    assert release.agent.binary.arm64.is_placeholder
    restored = path.read_text().replace(digests["script"], PLACEHOLDER).replace(digests["binary.amd64"], PLACEHOLDER)
    assert restored == before


def test_a_web_page_is_never_pinned(tmp_path: Path) -> None:
    project(tmp_path, SITE)
    page = tmp_path / "page"
    page.write_text("<!DOCTYPE html><html>Not Found</html>")
    before = (tmp_path / "releases" / "r-1.yaml").read_bytes()
    for what in ("script", "binary.amd64"):
        with pytest.raises(SettingsError, match="curl -fL"):
            pin("r-1", {what: page}, tmp_path)
    with pytest.raises(SettingsError, match="cannot be read"):
        pin("r-1", {"script": tmp_path / "missing"}, tmp_path)
    assert (tmp_path / "releases" / "r-1.yaml").read_bytes() == before


def test_a_release_without_the_line_says_which_to_add(tmp_path: Path) -> None:
    project(tmp_path, SITE, release={**RELEASE, "agent": {"version": "4.9.38"}})
    with pytest.raises(SettingsError, match=r"agent\.script\.sha256: is missing"):
        pin("r-1", files(tmp_path), tmp_path)


def test_the_command_pins_and_says_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project(tmp_path, SITE)
    given = files(tmp_path)
    options = ["pin", "r-1", "--script", str(given["script"]), "--binary-amd64", str(given["binary.amd64"])]
    assert main([*options, "--root", str(tmp_path)]) == 0
    digest = hashlib.sha256(given["script"].read_bytes()).hexdigest()
    assert f"{digest}  script" in capsys.readouterr().out
    assert yaml.safe_load((tmp_path / "releases" / "r-1.yaml").read_text())["agent"]["script"]["sha256"] == digest
    assert main(["pin", "r-9", "--script", str(given["script"]), "--root", str(tmp_path)]) == 2
    assert "does not exist" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["pin", "r-1"])
