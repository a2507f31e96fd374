"""The CanvOS repository of the lab: fetched by git from where the vendor has it, with the files and mistakes of each tag."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from service_stand import PORTS, Stand

from edge.canvos import tags as canvos_tags
from edge.canvos.dockerfile import MARKER
from lab.builder.canvos import MOVABLE, TAGS, Tag, commit_of, files, make_repository
from lab.paths import CHECKOUT

BY_NAME = {tag.name: tag for tag in TAGS}
# What the vendor's repository is known to have at these tags.
INSIDE = {"v4.5.15": "v4.5.15", "v4.9.38": "v4.9.38", "v4.10.0": "v4.9.21", "v4.9.a": "v4.9.7"}


def git(stand: Stand, folder: Path, *words: str) -> str:
    """Run git as a machine of the lab would: by the vendor's name, trusting the lab's CA."""
    ip, port = stand.config.services_ip, PORTS.https
    settings = (
        "-c",
        f"http.curloptResolve=github.com:{port}:{ip}",
        "-c",
        f"http.sslCAInfo={stand.config.ca_dir}/public.pem",
    )
    plain = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "HOME": str(folder),
    }
    done = subprocess.run(
        ["git", *settings, *words], cwd=folder, env=plain, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def cloned(stand: Stand, folder: Path, suffix: str = "") -> Path:
    git(stand, folder, "clone", "-q", f"https://github.com:{PORTS.https}/spectrocloud/CanvOS{suffix}", "CanvOS")
    return folder / "CanvOS"


@pytest.mark.row("B3")
@pytest.mark.parametrize("suffix", ["", ".git"])
def test_git_fetches_it_with_all_tags(stand: Stand, tmp_path: Path, suffix: str) -> None:
    place = cloned(stand, tmp_path, suffix)
    assert set(git(stand, place, "tag").split()) == set(BY_NAME)
    assert canvos_tags.newest(BY_NAME) == "v4.10.0"
    for name, inside in INSIDE.items():
        assert canvos_tags.pe_version(git(stand, place, "show", f"{name}:Earthfile")) == inside
        assert git(stand, place, "describe", "--abbrev=0", "--tags", f"{name}^{{commit}}") == name
    git(stand, place, "checkout", "-q", "v4.5.15")
    assert os.access(place / "earthly.sh", os.X_OK)


@pytest.mark.row("B3")
def test_a_tag_is_moved_on_demand(stand: Stand, tmp_path: Path) -> None:
    place = cloned(stand, tmp_path)
    before = git(stand, place, "rev-parse", MOVABLE)
    stand.fault("tag-moved")
    try:
        git(stand, place, "fetch", "-q", "--force", "origin", "+refs/tags/*:refs/moved/*")
        after = git(stand, place, "rev-parse", f"refs/moved/{MOVABLE}")
        assert after == commit_of(stand.config.canvos_dir, MOVABLE, moved=True) != before
        assert "was moved" in git(stand, place, "show", f"{after}:README.md")
    finally:
        stand.fault("tag-moved", on=False)


@pytest.mark.row("B3")
def test_commits_are_the_same_on_every_machine(stand: Stand, tmp_path: Path) -> None:
    make_repository(tmp_path / "again.git")
    pinned = yaml.safe_load((CHECKOUT / "releases/lab-1.yaml").read_text("utf-8"))["canvos"]
    assert pinned["tag"] == MOVABLE
    for folder in (tmp_path / "again.git", stand.config.canvos_dir):
        assert commit_of(folder, pinned["tag"]) == pinned["commit"]


@pytest.mark.row("B5")
@pytest.mark.parametrize(
    ("tag", "versions"),
    [
        ("v4.5.3", ()),
        ("v4.5.10", ("1.29.0", "1.30.0")),
        ("v4.5.15", ("1.29.0", "1.30.0", "1.31.0")),
        ("v4.7.9", ("1.29.0", "1.30.0", "1.31.0", "1.32.0")),
    ],
)
def test_each_tag_has_its_own_kubernetes_versions(tag: str, versions: tuple[str, ...]) -> None:
    assert canvos_tags.kubernetes_versions(files(BY_NAME[tag])["k8s_version.json"]) == versions


@pytest.mark.row("B7")
@pytest.mark.parametrize("tag", TAGS, ids=lambda tag: tag.name)
def test_the_dockerfile_of_each_tag(tag: Tag) -> None:
    text = files(tag)["Dockerfile"]
    marked = [number for number, line in enumerate(text.splitlines(), 1) if MARKER in line]
    assert marked == [tag.marker_line]
    assert text.endswith("\n") != tag.ends_in_comment
    assert text.splitlines()[-1].startswith("#")


@pytest.mark.row("B3")
@pytest.mark.parametrize("path", ["/%2e%2e/%2e%2e/ca/public.pem", "/%2e%2e/config.yaml", "/nothing", "x"])
def test_nothing_else_is_served(stand: Stand, path: str) -> None:
    assert stand.get("github.com", f"/spectrocloud/CanvOS{path}").status_code == 404


def test_two_tags_differ_in_what_is_known_to_differ() -> None:
    old, new = files(BY_NAME["v4.5.15"])["earthly.sh"], files(BY_NAME["v4.9.38"])["earthly.sh"]
    assert "\nif $? -ne 0; then\n" in old and "if $? -ne 0" not in new
    for text in (old, new):
        checked = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr
