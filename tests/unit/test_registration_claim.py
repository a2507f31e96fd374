"""The claim: free, ours or foreign; what replaces a machine is frozen; and what of it may be removed."""

from __future__ import annotations

from typing import Any

import pytest

from edge.errors import PaletteError, PendingError
from edge.registration import claim_create, claim_delete, claim_diff, claim_update
from edge.registration.values import whole
from edge.vm.made_from import MadeFrom
from tests.unit.palette_fake import OTHER, FakePalette, error
from tests.unit.registration_samples import OWNER, STRANGER, inputs, labels


@pytest.fixture
def palette() -> FakePalette:
    return FakePalette()


@pytest.mark.row("A21")
def test_a_free_name_is_taken_and_freezes_what_the_machine_is_made_from(palette: FakePalette) -> None:
    made = claim_create(palette.client(), inputs())
    assert made["made_from"] == "m1"
    assert made["generation"] == 1
    assert isinstance(made["generation"], int)
    assert made["force"] is False
    assert "made_from_wanted" not in made
    assert "__provider" not in made
    assert (made["host"], made["owner"], made["project"]) == ("a", OWNER, "Plants")


def test_our_own_record_is_no_obstacle(palette: FakePalette) -> None:
    palette.add("a", labels=labels(), state="in-use")
    assert claim_create(palette.client(), inputs())["made_from"] == "m1"


@pytest.mark.parametrize(("owner", "words"), [(STRANGER, f"a host of {STRANGER}"), (None, "without an owner tag")])
@pytest.mark.parametrize("force", [False, True])
def test_a_foreign_record_stops_the_host_before_there_is_a_machine(
    palette: FakePalette, owner: str | None, words: str, force: bool
) -> None:
    palette.add("a", labels=labels(owner) if owner else {})
    with pytest.raises(PaletteError, match=f"edge host a: the name is taken: .*{words}.* in project Plants.*Remedy: "):
        claim_create(palette.client(), inputs(force=force))
    assert palette.removed == []


def test_a_foreign_record_in_another_project_is_seen_too(palette: FakePalette) -> None:
    palette.add("a", project=OTHER, labels=labels(STRANGER))
    with pytest.raises(PaletteError, match=r"the name is taken: .* in project Other"):
        claim_create(palette.client(), inputs())


def test_our_record_in_another_project_is_not_simply_taken_over(palette: FakePalette) -> None:
    palette.add("a", project=OTHER, labels=labels())
    with pytest.raises(PaletteError, match="registered in project Other instead of Plants"):
        claim_create(palette.client(), inputs())


def test_a_record_that_is_ahead_of_the_stack_file_is_told(palette: FakePalette) -> None:
    palette.add("a", labels=labels(generation=3))
    with pytest.raises(PaletteError, match=r"generation 1 is older than the 3 .*write `generation: 3`"):
        claim_create(palette.client(), inputs())


def test_an_older_record_in_a_cluster_is_not_rolled_by_a_lost_state(palette: FakePalette) -> None:
    palette.add("a", labels=labels(generation=1), clusters=["plants-prod"])
    with pytest.raises(PaletteError, match="belongs to cluster plants-prod, so it is not rolled"):
        claim_create(palette.client(), inputs(generation=2.0))
    claim_create(palette.client(), inputs(generation=2.0, force=True))


def test_an_absent_palette_is_pending_not_an_error(palette: FakePalette) -> None:
    palette.faults = [lambda _request: error(503, "", "")] * 99
    with pytest.raises(PendingError, match=r"^pending: edge host a: Palette palette\.test has trouble of its own"):
        claim_create(palette.client(patience=0.3), inputs())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"made_from_wanted": "m2"}, []),
        ({"generation": 1}, []),
        ({"force": None, "ca_pem": None, "project_uid": ""}, []),
        ({"generation": 2.0}, ["generation"]),
        ({"owner": STRANGER}, ["owner"]),
        ({"force": True}, ["force"]),
        ({"host": "b"}, ["host"]),
        ({"api_url": "https://other", "ca_pem": "PEM"}, ["api_url", "ca_pem"]),
        ({"generation": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}, ["generation"]),
        ({"generation": object()}, ["generation"]),
    ],
)
def test_the_template_alone_is_no_difference(palette: FakePalette, change: dict[str, Any], expected: list[str]) -> None:
    olds = claim_create(palette.client(), inputs())
    asked = len(palette.requests)
    assert claim_diff(olds, inputs(**change)) == expected
    assert len(palette.requests) == asked


def test_an_unchanged_generation_keeps_what_the_machine_was_made_from(palette: FakePalette) -> None:
    olds = claim_create(palette.client(), inputs())
    asked = len(palette.requests)
    assert claim_update(palette.client(), olds, inputs(force=True, made_from_wanted="m2"))["made_from"] == "m1"
    assert len(palette.requests) == asked


def test_a_raised_generation_takes_the_new_template(palette: FakePalette) -> None:
    olds = claim_create(palette.client(), inputs())
    palette.add("a", labels=labels())
    news = claim_update(palette.client(), olds, inputs(generation=2.0, made_from_wanted="m2"))
    assert (news["generation"], news["made_from"]) == (2, "m2")
    assert palette.removed == []


def test_a_host_in_a_cluster_is_rolled_only_with_force(palette: FakePalette) -> None:
    olds = claim_create(palette.client(), inputs())
    palette.add("a", labels=labels(), state="in-use", clusters=["plants-prod"])
    with pytest.raises(PaletteError, match=r"belongs to cluster plants-prod, so it is not rolled.*force: true"):
        claim_update(palette.client(), olds, inputs(generation=2.0))
    assert claim_update(palette.client(), olds, inputs(generation=2.0, force=True))["generation"] == 2


def test_a_lowered_generation_is_refused(palette: FakePalette) -> None:
    olds = claim_create(palette.client(), inputs(generation=3.0))
    with pytest.raises(PaletteError, match=r"generation 2 is older than the 3 .*Remedy: write `generation: 3`"):
        claim_update(palette.client(), olds, inputs(generation=2.0))


def test_a_host_cannot_become_another_one(palette: FakePalette) -> None:
    olds = claim_create(palette.client(), inputs())
    with pytest.raises(PaletteError, match=r"its identity in Palette.*retire 'a' and add 'b'"):
        claim_update(palette.client(), olds, inputs("b"))


def test_a_renamed_stack_keeps_its_hosts_but_takes_no_foreign_ones(palette: FakePalette) -> None:
    olds = claim_create(palette.client(), inputs())
    palette.add("a", labels=labels())
    assert claim_update(palette.client(), olds, inputs(owner="edge-hosts.new"))["owner"] == "edge-hosts.new"
    palette.add("a", labels=labels(STRANGER))
    with pytest.raises(PaletteError, match="the name is taken"):
        claim_update(palette.client(), olds, inputs(owner="edge-hosts.new"))


@pytest.mark.parametrize("value", [1.5, "1", None, True, float("nan"), float("inf")])
def test_a_generation_that_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(PaletteError, match="whole number"):
        whole({"generation": value, "host": "a"}, "generation")


def test_leaving_removes_our_record_and_works_twice(palette: FakePalette) -> None:
    props = claim_create(palette.client(), inputs())
    palette.add("a", labels=labels(generation=1))
    claim_delete(palette.client(), props)
    claim_delete(palette.client(), props)
    assert palette.removed == ["a"]


@pytest.mark.parametrize(
    "record", [{"labels": labels(STRANGER)}, {"labels": {}}, {"labels": labels(), "project": OTHER}]
)
def test_leaving_touches_nothing_that_is_not_provably_ours(palette: FakePalette, record: dict[str, Any]) -> None:
    props = claim_create(palette.client(), inputs(force=True))
    palette.add("a", **record)
    claim_delete(palette.client(), props)
    assert palette.removed == []


def test_leaving_a_cluster_needs_the_stored_force(palette: FakePalette) -> None:
    props = claim_create(palette.client(), inputs())
    palette.add("a", labels=labels(), state="in-use")
    with pytest.raises(PaletteError, match="belongs to a cluster, so its record is not removed"):
        claim_delete(palette.client(), props)
    claim_delete(palette.client(), {**props, "force": True})
    assert palette.removed == ["a"]


@pytest.mark.parametrize("missing", ["host", "owner"])
def test_a_missing_input_is_named(palette: FakePalette, missing: str) -> None:
    with pytest.raises(PaletteError, match=f"the input {missing} is missing"):
        claim_create(palette.client(), inputs(**{missing: None}))


def _made_from(**values: str) -> str:
    return MadeFrom(machine="vsphere", mode="agent", template="t", address="10.0.0.1", **values).to_json()


@pytest.mark.row("C1")
@pytest.mark.parametrize("place", ["vcenter", "datacenter"])
def test_a_machine_elsewhere_is_refused_until_the_generation_is_raised(palette: FakePalette, place: str) -> None:
    olds = claim_create(palette.client(), inputs(made_from_wanted=_made_from(**{place: "old"})))
    news = inputs(made_from_wanted=_made_from(**{place: "new"}))
    assert claim_diff(olds, news) == ["made_from_wanted"]
    with pytest.raises(PaletteError, match=r"made in (vCenter|datacenter) new instead of old.*Remedy: .*edgectl roll"):
        claim_update(palette.client(), olds, news)
    raised = {**news, "generation": 2.0}
    assert MadeFrom.from_json(claim_update(palette.client(), olds, raised)["made_from"]) == MadeFrom.from_json(
        news["made_from_wanted"]
    )


@pytest.mark.row("C1")
def test_a_new_template_or_address_alone_asks_for_no_update(palette: FakePalette) -> None:
    olds = claim_create(palette.client(), inputs(made_from_wanted=_made_from(vcenter="main", template_name="a")))
    news = inputs(made_from_wanted=_made_from(vcenter="main", template_name="b"))
    assert claim_diff(olds, news) == []


@pytest.mark.row("C3")
def test_a_protected_host_is_not_rolled_and_stays_as_it_was(palette: FakePalette) -> None:
    olds = claim_create(palette.client(), inputs(protect=True))
    assert "protect" not in olds and claim_diff(olds, inputs(protect=False)) == []
    with pytest.raises(PaletteError, match=r"a: it is protected.*Remedy: .*edgectl roll STACK HOST"):
        claim_update(palette.client(), olds, inputs(protect=True, generation=2.0))
    assert claim_update(palette.client(), olds, inputs(protect=False, generation=2.0))["generation"] == 2
