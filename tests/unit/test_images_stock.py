"""Which ISOs may go: none that anything uses, records or might use, and none that is not ours."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.images.stock import Claim, Folder, Stocked, digest_of, stocked

SHA, OTHER, OLD = "aa" * 32, "bb" * 32, "cc" * 32
FOLDER = Folder("images-dev", "vcenter.example.com", "DC1", "isos", "edge-hosts-isos", "edge")
FILES = {f"edge-poweroff-{sha[:12]}.iso": 10 for sha in (SHA, OTHER, OLD)}


def found(*claims: Claim, files: dict[str, int] | None = None, **releases: list[str]) -> dict[str, Stocked]:
    rows = stocked([(FOLDER, FILES if files is None else files)], [FOLDER], claims, releases)
    return {row.file.path.rpartition("/")[2]: row for row in rows}


def kept(*claims: Claim, files: dict[str, int] | None = None, **releases: list[str]) -> dict[str, str]:
    """Return why each file stays, by the first letters of its digest, or by its name."""
    return {row.digest[:2] or name: row.kept_by for name, row in found(*claims, files=files, **releases).items()}


def test_what_nothing_needs_may_go_and_the_rest_says_who_needs_it() -> None:
    made = Claim("images-dev", frozenset(), made=frozenset({SHA}))
    user = Claim("plant-dev", frozenset({OTHER}))
    assert kept(made, user) == {"aa": "is the current ISO of images-dev", "bb": "is used by plant-dev", "cc": ""}
    assert kept(made, user, **{"2026.1": [OLD]})["cc"] == "is recorded by release 2026.1"


def test_a_stack_that_cannot_be_asked_keeps_everything() -> None:
    assert set(kept(Claim("plant-prod", None, why="not deployed")).values()) == {"may be used by plant-prod"}


@pytest.mark.parametrize(
    "name", ["edge-poweroff.iso", "edge-poweroff-0123.iso", f"edge-{SHA[:12]}.iso.part", f"edge-{'AB' * 6}.iso"]
)
def test_a_file_without_a_digest_in_its_name_is_nobodys(name: str) -> None:
    assert digest_of(name) == ""
    assert all(kept(files={name: 1}).values())


def test_a_file_of_another_name_in_the_same_folder_is_not_ours() -> None:
    assert "no build stack" in kept(files={f"ubuntu-{SHA[:12]}.iso": 1})["aa"]


def test_two_stacks_that_share_a_folder_both_keep_their_own() -> None:
    other = replace(FOLDER, stack="images-prod", vcenter="vcenter.example.com:443", names="metal")
    files = {f"metal-reboot-{OTHER[:12]}.iso": 5, f"edge-poweroff-{SHA[:12]}.iso": 5}
    rows = stocked([(FOLDER, files), (other, files)], [FOLDER, other], [], {})
    assert [(row.digest[:2], row.owners) for row in rows] == [("aa", ("images-dev",)), ("bb", ("images-prod",))]


def test_the_place_is_written_as_vsphere_writes_it() -> None:
    (row,) = found(files={f"edge-{SHA[:12]}.iso": 5}).values()
    assert row.file.place == f"[isos] edge-hosts-isos/edge-{SHA[:12]}.iso"


SHAS = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(st.lists(SHAS, max_size=6, unique=True), st.data())
def test_no_iso_that_is_needed_may_ever_go(shas: list[str], data: st.DataObject) -> None:
    files = {f"edge-poweroff-{sha[:12]}.iso": 1 for sha in shas}
    some = st.lists(st.sampled_from(shas), unique=True) if shas else st.just([])
    made, used, recorded = data.draw(some), data.draw(some), data.draw(some)
    claims = [Claim("images-dev", frozenset(), made=frozenset(made)), Claim("plant-dev", frozenset(used))]
    rows = stocked([(FOLDER, files)], [FOLDER], claims, {"r-1": recorded})
    gone = {row.digest for row in rows if not row.kept_by}
    needed = {sha[:12] for sha in (*made, *used, *recorded)}
    assert gone & needed == set()
    assert gone == {sha[:12] for sha in shas} - needed
