"""Files are replaced in one step, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import EdgeError
from edge.files import replace_file


def test_a_file_is_made_with_its_folders_and_replaced_with_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.yaml"
    replace_file(path, "one\n")
    path.chmod(0o600)
    replace_file(path, "two\n")
    assert path.read_text("utf-8") == "two\n" and path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["b.yaml"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("one", "utf-8")
    (tmp_path / "link").symlink_to("real")
    replace_file(tmp_path / "link", "two")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text("utf-8") == "two"


def test_what_cannot_be_written_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(EdgeError, match=r"the report cannot be written: .*Remedy: name another") as told:
        replace_file(tmp_path / "folder", "text", what="the report", remedy="name another")
    assert str(tmp_path / "folder") in str(told.value)
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]
