"""What a machine lacks for a lab is said in one message, before anything is made."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

import pytest

from edge.errors import LabError
from lab import requirements
from lab.paths import LabPaths


@pytest.fixture
def paths(tmp_path: Path) -> LabPaths:
    return LabPaths(tmp_path / "lab", tmp_path / "cache")


@pytest.fixture(autouse=True)
def _no_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*argv: str, **_options: object) -> str:
        raise AssertionError(f"nothing may be run: {argv}")

    monkeypatch.setattr(requirements, "run", refuse)


def test_everything_that_is_missing_is_in_one_message(paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(requirements, "os_release", lambda: {"ID": "fedora", "PRETTY_NAME": "Fedora 42"})
    monkeypatch.setattr(requirements, "missing_packages", lambda: ["debootstrap", "systemd-container"])
    with pytest.raises(LabError) as caught:
        requirements.check(paths, lambda text: pytest.fail(text), machines=4)
    message = str(caught.value)
    for part in ("needs root", "Fedora 42", "debootstrap systemd-container", "Debian 12"):
        assert part in message
    assert not paths.root.exists()


def test_another_system_is_named(paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(LabError, match="needs Linux, and this is Darwin"):
        requirements.check(paths, lambda _text: None, machines=4)


@pytest.mark.parametrize(
    ("flag", "name"), [(os.ST_NOSUID, "nosuid"), (os.ST_NODEV, "nodev"), (os.ST_NOEXEC, "noexec"), (os.ST_RDONLY, "ro")]
)
def test_a_file_system_that_cannot_carry_a_root_is_named(
    paths: LabPaths, monkeypatch: pytest.MonkeyPatch, flag: int, name: str
) -> None:
    real = os.statvfs(paths.root.parent)
    fields = (*real[:8], real.f_flag | flag, real.f_namemax)
    monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result(fields))
    with pytest.raises(LabError, match=rf"is mounted {name} .*EDGE_HOSTS_LAB"):
        requirements.check(paths, lambda _text: None, machines=4)


@pytest.mark.parametrize("name", ["my lab", "a:b", "a,b"])
def test_a_folder_that_no_mount_can_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LabError, match="mount options cannot carry"):
        requirements.check(LabPaths(tmp_path / name, tmp_path / "cache"), lambda _text: None, machines=4)


def test_too_little_room_is_named(paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(paths.root.parent)
    monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result((*real[:4], 10, *real[5:])))
    with pytest.raises(LabError, match="less than 3 GiB free"):
        requirements.check(paths, lambda _text: None, machines=4)


def test_a_file_system_without_layers_is_named(paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "file_system", lambda _path: "nfs4")
    with pytest.raises(LabError, match="lies on nfs4"):
        requirements.check(paths, lambda _text: None, machines=4)


@pytest.mark.skipif(os.geteuid() != 0, reason="installing needs root")
def test_missing_packages_are_announced_before_they_are_installed(
    paths: LabPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None if name == "debootstrap" else f"/usr/bin/{name}")
    monkeypatch.setattr(requirements, "run", lambda *argv, **_options: happened.append(" ".join(argv)) or "")
    requirements.check(paths, happened.append, machines=0)
    assert happened[0] == "installing with apt-get what the lab needs: debootstrap"
    assert "apt-get" in happened[1]
    assert happened[1].endswith("update")
    assert happened[2].endswith("install debootstrap")


def test_a_failed_installation_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_argv: str, **_options: object) -> str:
        raise LabError("no network")

    monkeypatch.setattr(requirements, "run", fail)
    with pytest.raises(LabError, match="could not be installed: no network") as caught:
        requirements.install(["debootstrap"], lambda _text: None)
    assert "apt-get install debootstrap" in caught.value.remedy


@pytest.mark.skipif(os.geteuid() != 0, reason="counts what root holds")
def test_a_low_limit_is_said_and_not_changed(paths: LabPaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limit = tmp_path / "max_user_instances"
    limit.write_text("128\n", "ascii")
    monkeypatch.setattr(requirements, "_INOTIFY", limit)
    monkeypatch.setattr(requirements, "inotify_in_use", lambda: 110)
    lines: list[str] = []
    requirements.check(paths, lines.append, machines=4)
    assert len(lines) == 1
    assert "is 128, 110 are in use and 4 machines need 24" in lines[0]
    assert "sysctl fs.inotify.max_user_instances=256" in lines[0]
    assert limit.read_text("ascii") == "128\n"
    monkeypatch.setattr(requirements, "inotify_in_use", lambda: 3)
    requirements.check(paths, lines.append, machines=4)
    assert len(lines) == 1
