"""The registration: which record is kept, which is removed, and when a new epoch begins."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from edge.errors import PaletteError, PendingError
from edge.registration import registration_create, registration_diff, registration_read, registration_update
from edge.registration.labels import identity_of, tags_of
from tests.unit.palette_fake import OTHER, FakePalette, error
from tests.unit.registration_samples import EPOCH, OWNER, STRANGER, inputs, labels

UUID = "4211E0B7-aaaa-bbbb-cccc-0123456789ab"


@pytest.fixture
def palette() -> FakePalette:
    return FakePalette()


@pytest.mark.row("A21")
def test_a_first_registration_begins_an_epoch_at_palettes_own_time(palette: FakePalette) -> None:
    made = registration_create(palette.client(), inputs())
    assert re.fullmatch(r"[0-9a-f]{16}", str(made["epoch"]))
    assert made["since"] == "2026-11-03T12:00:00Z"
    other = registration_create(palette.client(), inputs())
    assert other["epoch"] != made["epoch"]
    assert palette.removed == []


def test_a_proxy_that_takes_the_date_away_leaves_since_empty(palette: FakePalette) -> None:
    missing = httpx.Response(404, json={"code": "ResourceNotFound", "message": "x"}, headers={"Date": "?"})
    palette.faults = [lambda _request: missing]
    client = palette.client(project_name=None)
    assert registration_create(client, inputs(project=""))["since"] == ""


@pytest.mark.parametrize("machine", ["", UUID])
def test_the_record_of_this_generation_and_machine_is_kept_with_its_epoch(palette: FakePalette, machine: str) -> None:
    palette.add("a", labels=labels(machine=machine.lower()), state="in-use", created="2026-10-01T08:00:00.000Z")
    made = registration_create(palette.client(), inputs(machine=machine))
    assert (made["epoch"], made["since"]) == (EPOCH, "2026-10-01T08:00:00.000Z")
    assert palette.removed == []


OLDER: list[dict[str, Any]] = [
    {"labels": labels(generation=1)},
    {"labels": labels(generation=2, machine="another")},
    {"labels": labels(generation=2, machine="u1", epoch="no epoch")},
    {"labels": {"edge-hosts-owner": OWNER, "edge-hosts-generation": "two"}},
]


@pytest.mark.parametrize("record", OLDER)
def test_an_older_record_of_ours_goes_and_the_epoch_begins_with_palettes_answer(
    palette: FakePalette, record: dict[str, Any]
) -> None:
    palette.add("a", **record)
    made = registration_create(palette.client(), inputs(generation=2.0, machine="u1"))
    assert made["epoch"] != EPOCH
    assert made["since"] == "2026-11-03T12:00:00Z"
    assert palette.removed == ["a"]


@pytest.mark.parametrize("record", OLDER)
def test_an_older_record_in_a_cluster_stays_unless_forced(palette: FakePalette, record: dict[str, Any]) -> None:
    palette.add("a", clusters=["plants-prod"], **record)
    with pytest.raises(PaletteError, match="belongs to cluster plants-prod"):
        registration_create(palette.client(), inputs(generation=2.0, machine="u1"))
    assert palette.removed == []
    registration_create(palette.client(), inputs(generation=2.0, machine="u1", force=True))
    assert palette.removed == ["a"]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("project", [None, OTHER])
def test_a_foreign_record_is_never_removed(palette: FakePalette, force: bool, project: str | None) -> None:
    palette.add("a", labels=labels(STRANGER), **({"project": project} if project else {}))
    with pytest.raises(PaletteError, match="the name is taken"):
        registration_create(palette.client(), inputs(force=force))
    assert palette.removed == []


def test_our_record_in_another_project_is_told_and_left(palette: FakePalette) -> None:
    palette.add("a", project=OTHER, labels=labels())
    with pytest.raises(PaletteError, match="registered in project Other instead of Plants"):
        registration_create(palette.client(), inputs())
    assert palette.removed == []


def test_a_record_ahead_of_us_is_not_removed(palette: FakePalette) -> None:
    palette.add("a", labels=labels(generation=4))
    with pytest.raises(PaletteError, match="write `generation: 4`"):
        registration_create(palette.client(), inputs(generation=2.0))
    assert palette.removed == []


@pytest.mark.parametrize("change", [{"force": True}, {"ca_pem": "NEW"}, {"machine": None}, {"generation": 1}])
def test_what_does_not_concern_the_registration_asks_nobody(palette: FakePalette, change: dict[str, Any]) -> None:
    olds = registration_create(palette.client(), inputs())
    asked = len(palette.requests)
    news = registration_update(palette.client(), olds, inputs(**change))
    assert (news["epoch"], news["since"]) == (olds["epoch"], olds["since"])
    assert len(palette.requests) == asked


def test_a_raised_generation_removes_the_old_record_and_begins_a_new_epoch(palette: FakePalette) -> None:
    olds = registration_create(palette.client(), inputs())
    palette.add("a", labels=labels(epoch=str(olds["epoch"])))
    palette.clock.advance(3600)
    news = registration_update(palette.client(), olds, inputs(generation=2.0))
    assert palette.removed == ["a"]
    assert news["epoch"] != olds["epoch"]
    assert news["since"] == "2026-11-03T13:00:00Z"
    # Killed before the answer was stored: the same update again finds nothing, and begins an epoch all the same.
    again = registration_update(palette.client(), olds, inputs(generation=2.0))
    assert again["epoch"] not in {olds["epoch"], news["epoch"]}


def test_a_new_machine_of_the_same_generation_begins_a_new_epoch(palette: FakePalette) -> None:
    olds = registration_create(palette.client(), inputs(machine="u1"))
    palette.add("a", labels=labels(machine="u1", epoch=str(olds["epoch"])))
    news = registration_update(palette.client(), olds, inputs(machine="u2"))
    assert (palette.removed, news["machine"]) == (["a"], "u2")
    assert news["epoch"] != olds["epoch"]


def test_a_renamed_stack_keeps_epoch_and_record(palette: FakePalette) -> None:
    olds = registration_create(palette.client(), inputs())
    palette.add("a", labels=labels(epoch=str(olds["epoch"])), state="in-use")
    news = registration_update(palette.client(), olds, inputs(owner="edge-hosts.new"))
    assert (news["epoch"], news["since"], palette.removed) == (olds["epoch"], olds["since"], [])


def test_a_corrected_project_without_a_record_keeps_the_epoch(palette: FakePalette) -> None:
    olds = registration_create(palette.client(project_name="Other"), inputs(project="Other"))
    news = registration_update(palette.client(), olds, inputs())
    assert news["epoch"] == olds["epoch"]


@pytest.mark.row("A21")
def test_this_registration_in_a_wrong_project_is_removed_so_that_it_registers_again(palette: FakePalette) -> None:
    olds = registration_create(palette.client(project_name="Other"), inputs(project="Other"))
    palette.add("a", project=OTHER, labels=labels(epoch=str(olds["epoch"])))
    news = registration_update(palette.client(), olds, inputs())
    assert palette.removed == ["a"]
    assert news["epoch"] != olds["epoch"]


def test_another_registration_in_a_wrong_project_is_left(palette: FakePalette) -> None:
    olds = registration_create(palette.client(project_name="Other"), inputs(project="Other"))
    palette.add("a", project=OTHER, labels=labels(epoch="f" * 16))
    with pytest.raises(PaletteError, match="registered in project Other"):
        registration_update(palette.client(), olds, inputs())
    assert palette.removed == []


def test_an_update_never_removes_a_foreign_record(palette: FakePalette) -> None:
    olds = registration_create(palette.client(), inputs())
    palette.add("a", labels=labels(STRANGER))
    with pytest.raises(PaletteError, match="the name is taken"):
        registration_update(palette.client(), olds, inputs(generation=2.0, force=True))
    assert palette.removed == []


@pytest.mark.parametrize(("change", "words"), [({"generation": 0.0}, "is older"), ({"host": "b"}, "its identity")])
def test_an_update_backwards_is_refused(palette: FakePalette, change: dict[str, Any], words: str) -> None:
    olds = registration_create(palette.client(), inputs())
    with pytest.raises(PaletteError, match=words):
        registration_update(palette.client(), olds, inputs(**change))


def test_reading_keeps_what_is_stored_while_the_epoch_is_there(palette: FakePalette) -> None:
    olds = {**registration_create(palette.client(), inputs()), "__provider": "pickled"}
    palette.add("a", labels=labels(epoch=str(olds["epoch"])))
    assert registration_read(palette.client(), olds) == {key: olds[key] for key in olds if key != "__provider"}
    assert palette.count("GET", "edgehosts/a") == 2  # both of the create: the read came from the search


def test_reading_says_gone_only_after_the_record_itself_was_asked(palette: FakePalette) -> None:
    olds = registration_create(palette.client(), inputs())
    epoch = str(olds["epoch"])
    assert registration_read(palette.client(), olds) is None
    palette.add("a", labels=labels(epoch="f" * 16))
    assert registration_read(palette.client(), olds) is None
    palette.add("a", labels=labels(STRANGER, epoch=epoch))
    assert registration_read(palette.client(), olds) is not None  # not in the search of this owner, but ours by epoch
    palette.add("a", labels=labels(epoch=epoch), project=OTHER)
    assert registration_read(palette.client(), olds) is None


def test_reading_an_absent_palette_is_an_error_not_gone(palette: FakePalette) -> None:
    olds = registration_create(palette.client(), inputs())
    palette.faults = [lambda _request: error(500, "", "")] * 99
    with pytest.raises(PaletteError, match="has trouble of its own"):
        registration_read(palette.client(patience=0.3), olds)


def test_two_hundred_reads_are_one_search(palette: FakePalette) -> None:
    for number in range(200):
        palette.add(f"h{number}", labels=labels())
    transport = httpx.MockTransport(palette.answer)
    props = [{**inputs(f"h{number}"), "epoch": EPOCH} for number in range(200)]
    assert all(registration_read(palette.client(transport=transport), one) for one in props)
    assert len(palette.requests) == 5  # one project list, four pages


def test_an_absent_palette_is_pending(palette: FakePalette) -> None:
    palette.faults = [lambda _request: httpx.ConnectError("refused")] * 99
    with pytest.raises(PendingError, match=r"^pending: edge host a: "):
        registration_create(palette.client(patience=0.3), inputs())


def test_differences_of_a_registration(palette: FakePalette) -> None:
    olds = registration_create(palette.client(), inputs())
    assert registration_diff(olds, inputs(epoch=None, since=None)) == []
    assert registration_diff(olds, inputs(machine="u", generation=2.0)) == ["generation", "machine"]


def test_labels_that_somebody_edited_are_read_as_missing(palette: FakePalette) -> None:
    palette.add(
        "a", labels={"edge-hosts-generation": "١", "edge-hosts-epoch": "ABCDEF0123456789", "edge-hosts-owner": "o"}
    )
    record = palette.client().edge_host("a").record
    assert record is not None
    identity = identity_of(record)
    assert (identity.owner, identity.generation, identity.machine, identity.epoch) == ("o", 0, "", "")
    assert "edge-hosts-machine" not in tags_of("o", 1, "", EPOCH)
