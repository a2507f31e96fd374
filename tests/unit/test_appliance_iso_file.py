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
    assert sorted(path.parent.iterdir()) == [path, path.with_name("plant-a.iso.waits")]
    assert "t0ken" not in path.with_name("plant-a.iso.waits").read_text()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "t0ken" not in repr(out)


@pytest.mark.row("B17")
def test_it_goes_when_the_host_is_healthy(tmp_path: Path) -> None:
    out = iso_file.create(props(tmp_path), no_secret)
    asked = {"name": "m", "mode": "bare", "host": "plant-a", "generation": 1, "epoch": "e1", "path": out["path"]}
    assert after.create(asked, no_secret)["removed"] == out["path"]
    assert not Path(out["path"]).exists()
    after.create(asked, no_secret)
    assert list(tmp_path.iterdir()) == []
    assert iso_file.read(out, no_secret) == out, "it is not made again for a healthy host"


@pytest.mark.row("B17")
def test_a_file_that_is_missing_while_somebody_waits_for_it_is_made_again(tmp_path: Path) -> None:
    out = iso_file.create(props(tmp_path), no_secret)
    assert iso_file.read({**out, "__provider": "p"}, no_secret) == out
    Path(out["path"]).unlink()
    assert iso_file.read(out, no_secret) is None


@pytest.mark.row("B17")
def test_a_new_registration_reaches_a_machine_that_has_not_booted_and_no_other(tmp_path: Path) -> None:
    out = iso_file.create(props(tmp_path), no_secret)
    text = USER_DATA.replace("{}", "{edge-hosts-epoch: e2}")
    again = iso_file.update(out, props(tmp_path, epoch="e2", user_data=text), no_secret)
    assert read_site_iso(Path(out["path"]).read_bytes())["user-data"] == text
    iso_file.forget(Path(out["path"]), "plant-a")
    with pytest.raises(HostError, match=r"registers at its first boot only.*`generation: 2` at the host"):
        iso_file.update(again, props(tmp_path, epoch="e3"), no_secret)
    assert not Path(out["path"]).exists(), "no token for a machine that does not read it"
    moved = iso_file.update(again, props(tmp_path / "new", epoch="e2"), no_secret)
    assert moved["folder"] == str(tmp_path / "new") and not (tmp_path / "new").exists()
    iso_file.update(moved, props(tmp_path, epoch="e3", generation=2), no_secret)
    assert Path(out["path"]).exists()


def test_only_the_iso_of_the_host_is_ever_deleted(tmp_path: Path) -> None:
    other = tmp_path / "precious.iso"
    other.write_text("x")
    with pytest.raises(HostError, match="is not its own ISO"):
        after.create({"host": "plant-a", "mode": "bare", "path": str(other)}, no_secret)
    assert other.exists()


def test_another_generation_or_place_writes_it_anew(tmp_path: Path) -> None:
    olds = iso_file.create(props(tmp_path / "a"), no_secret)
    assert iso_file.diff(olds, props(tmp_path / "a")) == []
    assert iso_file.diff(olds, props(tmp_path / "a", generation=2)) == ["generation"]
    made = iso_file.update(olds, props(tmp_path / "b"), no_secret)
    assert Path(made["path"]).exists() and not Path(olds["path"]).exists()
    iso_file.delete(made, no_secret)
    assert not Path(made["path"]).exists()


@pytest.mark.row("B17")
@pytest.mark.parametrize("old, new", [("t0ken", "an0ther"), ("tags: {}", "projectName: other\n    tags: {}")])
def test_corrected_settings_reach_an_iso_that_is_waited_for(old: str, new: str, tmp_path: Path) -> None:
    out, text = iso_file.create(props(tmp_path), no_secret), USER_DATA.replace(old, new)
    path, news = Path(out["path"]), props(tmp_path, user_data=text)
    assert iso_file.diff(out, news) == ["user_data"]
    after = iso_file.update(out, news, no_secret)
    assert read_site_iso(path.read_bytes())["user-data"] == text
    assert iso_file.diff(after, news) == []
    assert after.keys() == out.keys(), "the state holds no more of it"
    path.unlink()
    assert iso_file.diff(after, news) == ["user_data"], "somebody waits for it"


@pytest.mark.row("B17")
def test_nothing_is_rewritten_for_a_machine_that_was_healthy(tmp_path: Path) -> None:
    out = iso_file.create(props(tmp_path), no_secret)
    iso_file.forget(Path(out["path"]), "plant-a")
    news = props(tmp_path, user_data=USER_DATA.replace("t0ken", "an0ther"))
    assert iso_file.diff(out, news) == []
    assert iso_file.update(out, news, no_secret) == out
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_between_iso_and_mark_is_made_good_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, news = iso_file.create(props(tmp_path), no_secret), props(tmp_path, user_data=USER_DATA.replace("t0", "t1"))
    written: list[Path] = []

    def killed(path: Path, data: bytes) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(path)
        path.write_bytes(data)

    monkeypatch.setattr(iso_file, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        iso_file.update(out, news, no_secret)
    assert iso_file.diff(out, news) == ["user_data"]


@pytest.mark.parametrize("user_data", ["", "04da6b54-80e4-46f7-96ec-b56ff0331ba9", None, 7])
def test_a_user_data_that_is_not_known_is_no_difference(user_data: object, tmp_path: Path) -> None:
    out = iso_file.create(props(tmp_path), no_secret)
    assert iso_file.diff(out, props(tmp_path, user_data=user_data)) == []


def test_a_mark_that_cannot_be_read_is_no_error(tmp_path: Path) -> None:
    out = iso_file.create(props(tmp_path), no_secret)
    news = props(tmp_path, user_data=USER_DATA.replace("t0", "t1"))
    mark = tmp_path / "plant-a.iso.waits"
    mark.write_bytes(b"\xff")
    assert iso_file.diff(out, news) == []
    mark.unlink()
    mark.mkdir()
    assert iso_file.diff(out, news) == []
    for path in ("", "/", "..", "a\0b", "nowhere/plant-a.iso", 3):
        assert iso_file.diff({**out, "path": path}, news) == []


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="edge host plant-a: its own ISO cannot be written"):
        iso_file.create(props(tmp_path / "file"), no_secret)
