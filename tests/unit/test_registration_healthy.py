"""Readiness: this registration, healthy, in the right project, with the release's agent; else pending, in its own words."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx
import pytest

from edge.errors import PaletteError, PendingError
from edge.registration import healthy_delete, healthy_diff, healthy_look, healthy_read, healthy_update
from edge.registration.agent_version import is_newer, is_older
from edge.waiting import decide, is_pending
from tests.unit.palette_fake import OTHER, PLANTS, FakePalette, error
from tests.unit.registration_samples import EPOCH, STRANGER, inputs, labels

SINCE = "2026-11-03T12:00:00Z"
SEEN = {"uid", "state", "health", "agent_version", "address", "arch", "found_project", "created"}


@pytest.fixture
def palette() -> FakePalette:
    return FakePalette()


def wanted(host: str = "a", **more: Any) -> dict[str, Any]:
    """Return the inputs of a readiness resource."""
    return inputs(host, **{"epoch": EPOCH, "since": SINCE, "wantedVersion": "4.6.21", "timeout": 1200.0, **more})


@pytest.mark.row("A21")
@pytest.mark.parametrize("state", ["ready", "in-use"])
def test_ready_or_in_use_and_healthy_is_enough(palette: FakePalette, state: str) -> None:
    palette.add("a", labels=labels(), state=state)
    found = healthy_look(palette.client(), wanted())
    assert {key: found[key] for key in (*SEEN, "status", "moved_by_palette")} == {
        "uid": "a",
        "state": state,
        "health": "healthy",
        "agent_version": "4.6.21",
        "address": "10.1.2.3",
        "arch": "amd64",
        "found_project": "Plants",
        "created": "2026-11-03T12:00:00.000Z",
        "status": "healthy",
        "moved_by_palette": False,
    }
    # An output with the name of an input would look like a changed input for ever.
    assert not (SEEN | {"status", "moved_by_palette"}) & set(wanted())
    assert healthy_diff(found, wanted()) == []


@pytest.mark.row("A21")
@pytest.mark.parametrize(
    ("record", "words"),
    [
        (None, "edge host a has not registered yet in project Plants"),
        ({"health": "unhealthy"}, r"registered but not healthy yet \(state ready, health unhealthy\)"),
        ({"health": None, "state": "unpaired"}, r"not healthy yet \(state unpaired, health not reported\)"),
        ({"state": "unpaired"}, r"not healthy yet \(state unpaired, health healthy\)"),
        ({"labels": labels(epoch="f" * 16)}, "carries the tags of another registration, or none yet"),
        ({"labels": {}}, "carries the tags of another registration, or none yet"),
        ({"created": "2026-11-03T11:59:50.000Z"}, "is older than this registration"),
        ({"version": "4.6.20"}, r"healthy but runs agent 4\.6\.20, and the release wants 4\.6\.21"),
        ({"version": ""}, "does not report its agent's version yet"),
    ],
)
def test_what_may_still_come_is_pending_and_says_what_is_missing(
    palette: FakePalette, record: dict[str, Any] | None, words: str
) -> None:
    if record is not None:
        palette.add("a", **{"labels": labels(), **record})
    with pytest.raises(PendingError, match=f"^pending: .*{words}.*Remedy: ") as caught:
        healthy_look(palette.client(), wanted())
    assert is_pending(str(caught.value))
    assert decide([str(caught.value)], 1200.0) is not None


@pytest.mark.row("B14", "B17")
@pytest.mark.parametrize(
    ("machine", "anew"),
    [
        (
            "4201-b",
            r"after a correction of token, project or proxy, write `generation: 2` at the host, and run `pulumi up`",
        ),
        ("", r"run `pulumi up` again, which writes that ISO anew .*new one; .*`staticNetwork`, write `generation: 2`"),
    ],
)
def test_an_appliance_that_never_registers_is_told_of_its_own_iso(
    palette: FakePalette, machine: str, anew: str
) -> None:
    words = rf"own ISO \(volume cidata\).*read only then.*-u stylus-agent`.*project\. For a host that missed it.*{anew}"
    with pytest.raises(PendingError, match=words):
        healthy_look(palette.client(), wanted(appliance=True, machine=machine))
    with pytest.raises(PendingError) as caught:
        healthy_look(palette.client(), wanted())
    assert "cidata" not in str(caught.value)
    assert "spectro-stylus-agent" in str(caught.value)
    palette.add("a", labels=labels())
    found = healthy_look(palette.client(), wanted(appliance=True))
    assert healthy_diff(found, wanted(appliance=True)) == []


GOOD_DEVICE = {"cpu": {"cores": 2}, "memory": {"sizeInMB": 8192}, "disks": [{"size": 100}]}


@pytest.mark.row("B2", "B17")
@pytest.mark.parametrize(
    ("device", "words"),
    [
        ({"cpu": {"cores": 1}}, "too small: 1 CPU; an appliance needs 2 CPUs"),
        ({"memory": {"sizeInMB": 4096}}, "too small: 4.0 GiB of memory"),
        ({"disks": [{"size": 40}]}, "too small: a disk of 40 GB"),
    ],
)
@pytest.mark.parametrize("health", ["healthy", "unhealthy"])
def test_an_appliance_that_is_too_small_is_not_waited_for(
    palette: FakePalette, device: dict[str, Any], words: str, health: str
) -> None:
    record = palette.add("a", labels=labels(), health=health)
    record["spec"]["device"] |= {**GOOD_DEVICE, **device}
    with pytest.raises(PaletteError, match=words) as caught:
        healthy_look(palette.client(), wanted(appliance=True))
    assert not is_pending(str(caught.value))
    record["spec"]["device"] |= GOOD_DEVICE
    if health == "healthy":
        assert healthy_look(palette.client(), wanted(appliance=True))["status"] == "healthy"
    record["spec"]["device"] |= device
    if health == "healthy":
        assert healthy_look(palette.client(), wanted())["status"] == "healthy", "an agent is judged on the host"


@pytest.mark.row("B2")
def test_the_address_of_an_appliance_is_compared_with_its_record(palette: FakePalette) -> None:
    palette.add("a", labels=labels())
    assert healthy_look(palette.client(), wanted(appliance=True, hostAddress="10.1.2.3"))["status"] == "healthy"
    other = wanted(appliance=True, hostAddress="10.1.2.9")
    with pytest.raises(PaletteError, match=r"it registered with 10\.1\.2\.3 instead of 10\.1\.2\.9"):
        healthy_look(palette.client(), other)
    found = healthy_read(palette.client(), other)
    assert found["status"] == "unhealthy", "an address that has moved is drift"


@pytest.mark.row("A21")
@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"labels": labels(STRANGER, epoch="f" * 16)}, f"the name is taken: Palette has a host of {STRANGER}"),
        ({"labels": labels(), "project": OTHER}, "it is registered in project Other instead of Plants"),
    ],
)
def test_what_waiting_does_not_change_ends_the_wait(palette: FakePalette, record: dict[str, Any], words: str) -> None:
    palette.add("a", **record)
    with pytest.raises(PaletteError, match=words) as caught:
        healthy_look(palette.client(), wanted())
    assert not isinstance(caught.value, PendingError)


def test_another_registration_of_ours_in_another_project_may_still_go(palette: FakePalette) -> None:
    palette.add("a", labels=labels(epoch="f" * 16), project=OTHER)
    with pytest.raises(PendingError):
        healthy_look(palette.client(), wanted())


def test_the_clocks_of_two_servers_may_differ_a_little(palette: FakePalette) -> None:
    palette.add("a", labels=labels(), created="2026-11-03T11:59:58.500Z")
    assert healthy_look(palette.client(), wanted())["status"] == "healthy"
    palette.add("a", labels=labels(), created="nonsense")
    assert healthy_look(palette.client(), wanted())["status"] == "healthy"


def test_an_agent_that_palette_moved_is_accepted_and_told(palette: FakePalette) -> None:
    palette.add("a", labels=labels(), version="v4.7.0")
    found = healthy_look(palette.client(), wanted())
    assert (found["agent_version"], found["moved_by_palette"], found["status"]) == ("v4.7.0", True, "healthy")
    assert healthy_look(palette.client(), wanted(wantedVersion=""))["moved_by_palette"] is False


def test_what_is_stored_comes_from_the_record_not_from_an_old_search(palette: FakePalette) -> None:
    palette.add("a", labels=labels())
    transport = httpx.MockTransport(palette.answer)
    healthy_look(palette.client(transport=transport), wanted())
    palette.hosts["a"]["status"] = {"state": "ready", "health": {"state": "unhealthy"}}
    with pytest.raises(PendingError, match="not healthy yet"):
        healthy_look(palette.client(transport=transport), wanted())
    assert palette.count("POST", "search") == 1


def test_a_host_under_its_old_owner_is_found_by_its_epoch(palette: FakePalette) -> None:
    palette.add("a", labels=labels("edge-hosts.before"))
    assert healthy_look(palette.client(), wanted())["status"] == "healthy"


def test_palette_without_a_project_is_looked_at_by_uid(palette: FakePalette) -> None:
    palette.add("a", labels=labels())
    client = palette.client(project_name=None)
    assert healthy_look(client, wanted(project=""))["status"] == "healthy"
    assert palette.count("POST", "search") == 0


@pytest.mark.parametrize("status", [429, 500])
def test_trouble_of_palette_is_pending(palette: FakePalette, status: int) -> None:
    palette.faults = [lambda _request: error(status, "", "", {"Retry-After": "1"})] * 50
    with pytest.raises(PendingError, match=r"^pending: edge host a: Palette palette\.test"):
        healthy_look(palette.client(total=0.3), wanted())


def test_two_hundred_waiting_hosts_ask_little_and_never_block(palette: FakePalette) -> None:
    for number in range(100):
        palette.add(f"h{number}", labels=labels(), health="unhealthy")
    transport = httpx.MockTransport(palette.answer)
    longest: list[float] = []

    def wait(numbers: range) -> None:
        for number in numbers:
            begun = time.monotonic()
            with pytest.raises(PendingError):
                healthy_look(palette.client(transport=transport, total=1.8), wanted(f"h{number}"))
            longest.append(time.monotonic() - begun)

    for _look in range(2):
        threads = [threading.Thread(target=wait, args=(range(part, 200, 4),)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(longest) == 400
    assert max(longest) < 2.0
    # Hosts in the search cost nothing; one that is not there is asked for twice, and not again for a while.
    assert palette.count("GET", "edgehosts") == 200
    assert palette.count("POST", "search") <= 8


def test_a_wrong_project_that_cannot_be_looked_into_stays_a_plain_pending(palette: FakePalette) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        return palette._route(request) if request.headers.get("ProjectUid") else error(500, "", "")

    # The search, the host by itself; then the look outside the project fails.
    palette.faults = [away] * 50
    client = palette.client(project_name=None, project_uid=PLANTS, total=1.0)
    palette.add("b")
    with pytest.raises(PendingError):
        healthy_look(client, wanted())


READ: list[tuple[dict[str, Any] | None, str]] = [
    ({}, "healthy"),
    (None, "missing"),
    ({"health": "unhealthy"}, "unhealthy"),
    ({"health": None}, "unhealthy"),
    ({"version": "4.5.1"}, "unhealthy"),
    ({"labels": labels(epoch="f" * 16)}, "other-registration"),
    ({"labels": labels(STRANGER, epoch="f" * 16)}, "other-registration"),
    ({"project": OTHER}, "other-project"),
]


@pytest.mark.row("A21")
@pytest.mark.parametrize(("record", "status"), READ)
def test_reading_shows_drift_and_only_drift_asks_for_an_update(
    palette: FakePalette, record: dict[str, Any] | None, status: str
) -> None:
    palette.add("a", labels=labels())
    stored = healthy_look(palette.client(), wanted())
    palette.hosts.clear()
    if record is not None:
        palette.add("a", **{"labels": labels(), **record})
    found = healthy_read(palette.client(), {**stored, "__provider": "pickled"})
    assert found["status"] == status
    assert healthy_diff(found, wanted()) == ([] if status == "healthy" else ["status"])
    if status == "healthy":
        assert found == stored
    assert healthy_read(palette.client(), found) == found


def test_reading_an_absent_palette_is_an_error(palette: FakePalette) -> None:
    palette.faults = [lambda _request: error(500, "", "")] * 99
    with pytest.raises(PaletteError, match="has trouble of its own") as caught:
        healthy_read(palette.client(total=0.5), wanted())
    assert not isinstance(caught.value, PendingError)


def test_a_dead_host_can_leave(palette: FakePalette) -> None:
    palette.add("a", labels=labels(), state="in-use")
    stored = healthy_look(palette.client(), wanted())
    palette.add("a", labels=labels(), state="in-use", health="unhealthy")
    drifted = healthy_read(palette.client(), stored)
    asked = len(palette.requests)
    # `state: lost` stores force and waits for nothing, although the host is unhealthy.
    news = wanted(force=True, lost=True)
    assert healthy_diff(drifted, news) == ["force", "lost"]
    left = healthy_update(palette.client(), drifted, news)
    assert (left["force"], left["lost"], left["status"], left["uid"]) == (True, True, "unhealthy", "a")
    assert healthy_diff(left, news) == []
    assert healthy_read(palette.client(), left) == left
    assert len(palette.requests) == asked
    healthy_delete(palette.client(), left)


def test_a_lost_host_that_was_never_healthy_is_not_waited_for(palette: FakePalette) -> None:
    made = healthy_look(palette.client(), wanted(lost=True, epoch=None))
    assert (made["status"], made["uid"], made["health"]) == ("lost", "a", "")
    assert healthy_diff(made, wanted()) == ["epoch", "lost", "status"]
    assert palette.requests == []


def test_an_update_looks_again(palette: FakePalette) -> None:
    palette.add("a", labels=labels())
    stored = healthy_look(palette.client(), wanted())
    palette.add("a", labels=labels(epoch="e" * 16))
    with pytest.raises(PendingError, match="another registration"):
        healthy_update(palette.client(), stored, wanted(generation=2.0))
    assert healthy_update(palette.client(), stored, wanted(epoch="e" * 16))["epoch"] == "e" * 16
    with pytest.raises(PendingError):
        healthy_update(palette.client(), {**stored, "status": "missing"}, wanted())


@pytest.mark.parametrize("record", [{"state": "in-use"}, {"clusters": ["plants-prod"]}])
def test_a_host_in_a_cluster_is_not_taken_down_without_force(palette: FakePalette, record: dict[str, Any]) -> None:
    palette.add("a", labels=labels(generation=7, epoch="f" * 16), **record)
    with pytest.raises(PaletteError, match=r"so it is not taken down\..*force: true"):
        healthy_delete(palette.client(), wanted())
    healthy_delete(palette.client(), wanted(force=True))
    assert palette.removed == []


@pytest.mark.parametrize("record", [None, {"labels": labels()}, {"labels": labels(STRANGER), "state": "in-use"}])
def test_the_guard_lets_everything_else_go(palette: FakePalette, record: dict[str, Any] | None) -> None:
    if record is not None:
        palette.add("a", **record)
    healthy_delete(palette.client(), wanted())


@pytest.mark.parametrize(
    "change",
    [{"epoch": "1"}, {"since": "x"}, {"machine": "u"}, {"wantedVersion": "5"}, {"generation": 2}, {"api_url": "u"}],
)
def test_differences_of_readiness(palette: FakePalette, change: dict[str, Any]) -> None:
    palette.add("a", labels=labels())
    stored = healthy_look(palette.client(), wanted())
    assert healthy_diff(stored, wanted(**change)) == list(change)
    assert healthy_diff({}, {}) == ["status"]
    assert healthy_diff(stored, wanted(state=None, uid=None, timeout=9.0)) == []


@pytest.mark.parametrize(
    ("seen", "against", "order"),
    [
        ("4.6.21", "4.6.21", 0),
        ("v4.6.21", "4.6.21", 0),
        ("4.6", "4.6.0", 0),
        ("4.6.9", "4.6.21", -1),
        ("4.10.0", "v4.9.37", 1),
        ("v4.9.23-rc.2", "4.9.23", -1),
        ("4.9.23-rc.10", "4.9.23-rc.2", 1),
        ("4.6.21-patch.7", "4.6.20", 1),
        ("unknown", "4.6.21", 0),
        ("", "4.6.21", 0),
    ],
)
def test_versions_are_compared_by_number(seen: str, against: str, order: int) -> None:
    assert (is_newer(seen, against), is_older(seen, against)) == (order > 0, order < 0)
    assert (is_older(against, seen), is_newer(against, seen)) == (order > 0, order < 0)
