"""The own ISO of a bare-metal appliance as a file: for its user only, whole or not at all, and gone when it is not needed."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from edge.appliance import iso_file
from edge.appliance import media as after
from edge.errors import HostError
from edge.site_iso import read_site_iso

USER_DATA = "#cloud-config\nstylus:\n  site:\n    edgeHostToken: t0ken\n    tags: {}\n"


def no_secret(_name: str) -> None:
    return None


def props(folder: Path, **other: Any) -> dict[str, Any]:
    return {
        "name": "a-site-iso", "host": "plant-a", "owner": "o", "generation": 1, "epoch": "e1", "folder": str(folder),
        "user_data": USER_DATA, **other,
    }  # fmt: skip


@pytest.mark.row("B17")
def test_the_file_is_a_site_iso_for_its_user_only(tmp_path: Path) -> None:
    out = iso_file.create(props(tmp_path / "isos"), no_secret)
    path = Path(out["path"])
    assert path == tmp_path / "isos" / "plant-a.iso"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_site_iso(path.read_bytes()) == {"user-data": USER_DATA, "meta-data": ""}
    assert list(path.parent.iterdir()) == [path]
    assert "t0ken" not in repr(out)


@pytest.mark.row("B17")
def test_it_goes_when_the_host_is_healthy(tmp_path: Path) -> None:
    out = iso_file.create(props(tmp_path), no_secret)
    asked = {"name": "m", "mode": "bare", "host": "plant-a", "generation": 1, "epoch": "e1", "path": out["path"]}
    assert after.create(asked, no_secret)["removed"] == out["path"]
    assert not Path(out["path"]).exists()
    after.create(asked, no_secret)


def test_another_generation_or_place_writes_it_anew(tmp_path: Path) -> None:
    olds = iso_file.create(props(tmp_path / "a"), no_secret)
    assert iso_file.diff(olds, props(tmp_path / "a", user_data="#cloud-config\n")) == []
    assert iso_file.diff(olds, props(tmp_path / "a", generation=2)) == ["generation"]
    made = iso_file.update(olds, props(tmp_path / "b"), no_secret)
    assert Path(made["path"]).exists() and not Path(olds["path"]).exists()
    iso_file.delete(made, no_secret)
    assert not Path(made["path"]).exists()


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="edge host plant-a: its own ISO cannot be written"):
        iso_file.create(props(tmp_path / "file"), no_secret)


@pytest.mark.row("B17")
def test_a_machine_that_is_installed_is_not_registered_anew(tmp_path: Path) -> None:
    """Its record was lost: another registration would never reach it, and the run would wait for hours."""
    olds = iso_file.create(props(tmp_path), no_secret)
    waiting = iso_file.update(olds, props(tmp_path, generation=1.0, epoch="e2"), no_secret)
    assert Path(waiting["path"]).exists(), "nobody has installed it yet: the file is written anew"
    Path(waiting["path"]).unlink()
    with pytest.raises(HostError, match="edgectl roll STACK plant-a"):
        iso_file.update(waiting, props(tmp_path, generation=1.0, epoch="e3"), no_secret)
    assert list(tmp_path.iterdir()) == []
    again = iso_file.update(waiting, props(tmp_path, generation=2, epoch="e3"), no_secret)
    assert Path(again["path"]).exists()
