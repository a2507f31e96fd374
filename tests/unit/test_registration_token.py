"""The registration token of a site: found again, bound to the project, renewed, revoked, never shown."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from edge.errors import PaletteError, PendingError
from edge.palette import parse_time
from edge.registration import token_create, token_delete, token_diff, token_read, token_update
from edge.registration.token import description_of
from tests.unit.palette_fake import OTHER, PLANTS, TOKEN, URL, FakePalette, error
from tests.unit.registration_samples import OWNER, STRANGER

FAR = "2096-01-31"


@pytest.fixture
def palette() -> FakePalette:
    return FakePalette()


def wanted(**more: Any) -> dict[str, Any]:
    """Return the inputs of a token."""
    base = {"name": OWNER, "owner": OWNER, "expires": FAR, "api_url": URL, "project": "Plants", "token": None}
    return {**base, **more}


@pytest.mark.row("A13")
def test_a_token_is_bound_to_the_project_and_ends_with_its_last_day(
    palette: FakePalette, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = token_create(palette.client(), wanted())
    assert (made["token"], made["active"], made["default_project"]) == (TOKEN, True, PLANTS)
    (record,) = palette.tokens.values()
    assert parse_time(record["spec"]["expiry"]) == parse_time(f"{FAR}T23:59:59Z")
    assert record["metadata"]["annotations"] == {"description": description_of(OWNER)}
    assert OWNER in description_of(OWNER)
    assert TOKEN not in caplog.text
    assert token_diff(made, wanted()) == []


@pytest.mark.row("A13")
def test_it_is_found_again_by_exact_name_and_owner(palette: FakePalette) -> None:
    first = token_create(palette.client(), wanted())
    assert token_create(palette.client(), wanted()) == first
    assert len(palette.tokens) == 1


@pytest.mark.parametrize(
    "other", [{"owner": STRANGER}, {"name": f"{OWNER}-2"}, {"name": OWNER.upper()}, {"owner": f"{OWNER} "}]
)
def test_a_token_of_somebody_else_is_neither_taken_nor_removed(palette: FakePalette, other: dict[str, Any]) -> None:
    token_create(palette.client(), wanted(**other))
    made = token_create(palette.client(), wanted())
    assert len(palette.tokens) == 2
    token_delete(palette.client(), made)
    assert len(palette.tokens) == 1


def test_one_of_ours_that_is_not_as_wanted_is_replaced(palette: FakePalette) -> None:
    old = token_create(palette.client(project_name="Other"), wanted(project="Other"))
    made = token_create(palette.client(), wanted())
    assert made["uid"] != old["uid"]
    assert list(palette.tokens) == [made["uid"]]
    palette.tokens[str(made["uid"])]["status"]["isActive"] = False
    assert token_create(palette.client(), wanted())["uid"] != made["uid"]


@pytest.mark.row("A13")
def test_the_trap_of_the_unbound_token_is_noticed_and_undone(palette: FakePalette) -> None:
    palette.binds_tokens = False
    with pytest.raises(PaletteError, match="bound to no project; it was revoked") as caught:
        token_create(palette.client(), wanted())
    assert palette.tokens == {}
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"expires": "2020-01-31"}, r"2020-01-31 is over.*expires"),
        ({"expires": "soon"}, "'soon' is no date"),
        ({"expires": None}, "the input expires is missing"),
    ],
)
def test_a_date_that_cannot_be_is_refused_before_anything_is_made(
    palette: FakePalette, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(PaletteError, match=words):
        token_create(palette.client(), wanted(**change))
    assert palette.requests == []


def test_a_token_needs_a_default_project(palette: FakePalette) -> None:
    with pytest.raises(PaletteError, match="needs a default project"):
        token_create(palette.client(project_name=None), wanted(project=""))


def test_a_key_without_the_rights_says_what_is_needed(palette: FakePalette) -> None:
    client = palette.client()
    client.project_uid()
    palette.faults = [lambda _request: error(403, "ResourceAccessDenied", "forbidden")]
    with pytest.raises(PaletteError, match="tenant admin"):
        token_create(client, wanted())


def test_an_absent_palette_is_pending(palette: FakePalette) -> None:
    palette.faults = [lambda _request: error(503, "", "")] * 50
    with pytest.raises(PendingError, match=r"^pending: registration token "):
        token_create(palette.client(total=0.3), wanted())


@pytest.mark.parametrize("change", [{"expires": "2097-01-31"}, {"project": "Other"}, {"name": "another"}])
def test_a_changed_token_is_made_anew_and_the_old_one_revoked(palette: FakePalette, change: dict[str, Any]) -> None:
    olds = token_create(palette.client(), wanted())
    news = wanted(**change)
    assert token_diff(olds, news) == list(change)
    made = token_update(palette.client(project_name=news["project"]), olds, news)
    assert made["uid"] != olds["uid"]
    assert list(palette.tokens) == [made["uid"]]
    assert made["default_project"] == (OTHER if news["project"] == "Other" else PLANTS)


def test_a_changed_ca_touches_no_token(palette: FakePalette) -> None:
    olds = token_create(palette.client(), wanted())
    asked = len(palette.requests)
    news = token_update(palette.client(), olds, wanted(ca_pem="PEM"))
    assert (news["uid"], news["token"], news["ca_pem"]) == (olds["uid"], TOKEN, "PEM")
    assert len(palette.requests) == asked


@pytest.mark.row("A13")
def test_a_token_that_was_switched_off_or_deleted_is_drift(palette: FakePalette) -> None:
    olds = token_create(palette.client(), wanted())
    assert token_read(palette.client(), olds) == olds
    palette.tokens[str(olds["uid"])]["status"]["isActive"] = False
    read = token_read(palette.client(), olds)
    assert read is not None
    assert token_diff(read, wanted()) == ["active"]
    made = token_update(palette.client(), read, wanted())
    assert (made["uid"] != olds["uid"], made["active"], len(palette.tokens)) == (True, True, 1)
    palette.tokens.clear()
    assert token_read(palette.client(), made) is None


@pytest.mark.row("A13")
def test_revoking_works_twice(palette: FakePalette) -> None:
    made = token_create(palette.client(), wanted())
    token_delete(palette.client(), made)
    token_delete(palette.client(), made)
    token_delete(palette.client(), wanted())
    assert palette.tokens == {}
