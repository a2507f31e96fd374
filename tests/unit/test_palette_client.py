"""The Palette client against a Palette that has every documented oddity: scope, pages, fall-backs, repeats, time."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx
import pytest

from edge.errors import PaletteError
from edge.palette import PaletteClient, RefusedError, UnavailableError
from edge.palette.models import edge_host_record, token_record
from tests.unit.palette_fake import KEY, OTHER, PLANTS, TOKEN, URL, FakePalette, error


@pytest.fixture
def palette() -> FakePalette:
    return FakePalette()


@pytest.mark.row("A21")
def test_project_name_becomes_uid_and_goes_with_edge_host_calls_only(palette: FakePalette) -> None:
    palette.add("a")
    client = palette.client()
    assert client.edge_host("a").record is not None
    client.edge_hosts()
    client.tokens()
    client.stylus_version()
    sent = {request.url.path: request.headers.get("ProjectUid") for request in palette.requests}
    assert sent == {
        "/v1/dashboard/projects": None,
        "/v1/edgehosts/a": PLANTS,
        "/v1/dashboard/edgehosts/search": PLANTS,
        "/v1/edgehosts/tokens": None,
        "/v1/services/stylus/version": None,
    }


def test_the_project_list_is_asked_once_and_falls_back_to_the_old_call(palette: FakePalette) -> None:
    palette.old_project_list = True
    client = palette.client(project_name="Other")
    assert (client.project_uid(), client.project_uid()) == (OTHER, OTHER)
    assert palette.count("POST", "/dashboard/projects") == 1
    assert palette.count("GET", "/dashboard/projects/metadata") == 1


def test_more_projects_than_a_page_are_all_found(palette: FakePalette) -> None:
    palette.projects = {f"{number:024d}": f"P{number}" for number in range(120)}
    assert palette.client(project_name="P119").project_uid() == f"{119:024d}"


@pytest.mark.row("A21")
def test_unknown_project_name_says_what_the_key_can_see(palette: FakePalette) -> None:
    with pytest.raises(PaletteError, match=r"no project 'plants' that the API key can see \(it sees: Other, Plants\)"):
        palette.client(project_name="plants").project_uid()


def test_unknown_project_uid_is_not_taken_for_a_missing_host(palette: FakePalette) -> None:
    client = palette.client(project_name=None, project_uid="c" * 24)
    with pytest.raises(RefusedError, match="knows no project"):
        client.edge_host("a")

    def as_a_missing_host(_request: httpx.Request) -> httpx.Response:
        return error(404, "ResourceNotFound", "resource not found")

    palette.faults = [as_a_missing_host]
    with pytest.raises(RefusedError, match="knows no project"):
        client.edge_host("a")


def test_host_with_the_word_project_in_its_name_is_only_missing(palette: FakePalette) -> None:
    assert palette.client().edge_host("project-7").record is None


@pytest.mark.row("A21")
def test_record_in_another_project_is_seen_only_elsewhere(palette: FakePalette) -> None:
    palette.add("a", project=OTHER)
    client = palette.client()
    assert client.edge_host("a").record is None
    found = client.edge_host_elsewhere("a").record
    assert found is not None
    assert (found.project_uid, found.project) == (OTHER, "Other")


def test_a_key_that_may_not_look_outside_its_project_knows_nothing_of_elsewhere(palette: FakePalette) -> None:
    palette.faults = [lambda _request: error(403, "ResourceAccessDenied", "operation is forbidden")]
    assert palette.client().edge_host_elsewhere("a").record is None


def test_all_hundred_and_twenty_hosts_come_by_pages_of_fifty(palette: FakePalette) -> None:
    for number in range(120):
        palette.add(f"host-{number}")
    found = palette.client().edge_hosts()
    assert len(found) == 120
    assert palette.count("POST", "search") == 3
    assert all(request.url.params["limit"] == "50" for request in palette.requests if "search" in request.url.path)


def test_a_page_that_names_itself_as_the_next_does_not_loop(palette: FakePalette) -> None:
    body = {"items": [{"metadata": {"uid": "a"}}], "listmeta": {"continue": "same"}}
    palette.faults = [lambda _request: httpx.Response(200, json=body)] * 20
    assert set(palette.client(project_name=None, project_uid=PLANTS).edge_hosts()) == {"a"}
    assert len(palette.requests) == 2


def test_search_by_tags_finds_only_those(palette: FakePalette) -> None:
    palette.add("a", labels={"edge-hosts-owner": "p.s"})
    palette.add("b", labels={"edge-hosts-owner": "p.t"})
    assert set(palette.client().edge_hosts({"edge-hosts-owner": "p.s"})) == {"a"}


def test_one_search_serves_every_thread_for_a_few_seconds(palette: FakePalette) -> None:
    palette.add("a")
    transport = httpx.MockTransport(palette.answer)
    seen: list[int] = []

    def look() -> None:
        seen.append(len(palette.client(transport=transport).edge_hosts(max_age=5.0)))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 8
    assert palette.count("POST", "search") == 1
    palette.client(transport=transport, project_name="Other").edge_hosts(max_age=5.0)
    assert palette.count("POST", "search") == 2


def test_an_answer_without_health_or_spec_is_a_record_all_the_same() -> None:
    record = edge_host_record({"metadata": {"uid": "a", "labels": None}, "status": {"state": "unpaired"}})
    assert (record.uid, record.state, record.health, record.agent_version, record.in_cluster) == (
        "a",
        "unpaired",
        "",
        "",
        False,
    )
    assert edge_host_record(None, "b").uid == "b"
    assert edge_host_record({"status": {"inUseClusters": [{"name": "old"}]}}).clusters == ("old",)
    nics = [{"ip": "10.0.0.9"}, {"ip": "10.0.0.1", "isDefault": True}]
    assert edge_host_record({"spec": {"device": {"nics": nics}}}).host_address == "10.0.0.1"


def test_in_use_without_a_named_cluster_counts_as_in_a_cluster(palette: FakePalette) -> None:
    palette.add("a", state="in-use")
    record = palette.client().edge_host("a").record
    assert record is not None
    assert record.in_cluster


def test_the_answers_own_time_is_handed_out(palette: FakePalette) -> None:
    assert palette.client().edge_host("none").at == palette.clock.now()


def test_delete_is_idempotent_and_needs_the_project(palette: FakePalette) -> None:
    palette.add("a", project=OTHER)
    client = palette.client()
    client.delete_edge_host("a")
    assert "a" in palette.hosts
    client.delete_edge_host("a", OTHER)
    assert palette.hosts == {}
    client.delete_edge_host("a", OTHER)


def test_a_host_that_a_cluster_uses_must_be_freed_first(palette: FakePalette) -> None:
    palette.add("a", state="in-use")
    client = palette.client()
    with pytest.raises(RefusedError, match=r"refused to delete edge host a \(HTTP 400\) \(EdgeHostDeviceInUse"):
        client.delete_edge_host("a")
    client.free_edge_host("a")
    client.delete_edge_host("a")
    client.free_edge_host("a")
    assert palette.removed == ["a"]


def test_version_of_an_instance_is_a_line_in_a_yaml_text(palette: FakePalette) -> None:
    assert palette.client().stylus_version() == "4.6.21"
    palette.faults = [lambda _request: httpx.Response(200, json={"spec": {}})]
    with pytest.raises(PaletteError, match="names no agent version"):
        palette.client().stylus_version()


def test_token_reads_default_project_although_it_writes_default_project_uid(palette: FakePalette) -> None:
    client = palette.client()
    token = client.token(client.create_token("t", "d", PLANTS, "2030-01-01T00:00:00.000Z"))
    assert token is not None
    assert (token.project_uid, token.value.reveal(), token.active, token.description) == (PLANTS, TOKEN, True, "d")
    assert TOKEN not in repr(token)
    client.delete_token(token.uid)
    client.delete_token(token.uid)
    assert client.token(token.uid) is None
    assert token_record({}).active


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_trouble_that_passes_is_sat_out(palette: FakePalette, status: int) -> None:
    palette.faults = [lambda _request: error(status, "Busy", "later", {"Retry-After": "0"})] * 2
    palette.add("a")
    assert palette.client(project_name=None, project_uid=PLANTS).edge_host("a").record is not None
    assert len(palette.requests) == 3


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("refused"), httpx.ReadError(""), httpx.RemoteProtocolError("cut")]
)
def test_a_broken_connection_is_tried_again(palette: FakePalette, failure: Exception) -> None:
    palette.faults = [lambda _request: failure]
    assert palette.client(project_name=None, project_uid=PLANTS).edge_host("a").record is None
    assert palette.count("GET", "edgehosts/a") == 2


def test_a_token_is_not_created_twice_when_the_answer_is_lost(palette: FakePalette) -> None:
    palette.faults = [lambda _request: httpx.ReadError("")]
    with pytest.raises(UnavailableError):
        palette.client().create_token("t", "d", PLANTS, "2030-01-01T00:00:00Z")
    palette.faults = [lambda _request: error(500, "", "")]
    with pytest.raises(UnavailableError):
        palette.client().create_token("t", "d", PLANTS, "2030-01-01T00:00:00Z")
    assert len(palette.requests) == 2


def test_retry_after_longer_than_the_patience_ends_at_once(palette: FakePalette) -> None:
    palette.faults = [lambda _request: error(429, "TooManyRequests", "slow down", {"Retry-After": "60"})] * 9
    begun = time.monotonic()
    with pytest.raises(UnavailableError, match="asks us to slow down"):
        palette.client().tokens()
    assert time.monotonic() - begun < 0.5
    assert len(palette.requests) == 1


def test_retry_after_may_be_a_date(palette: FakePalette) -> None:
    date = "Tue, 03 Nov 2026 12:01:00 GMT"
    palette.faults = [
        lambda _request: error(503, "", "", {"Retry-After": date, "Date": "Tue, 03 Nov 2026 12:00:00 GMT"})
    ]
    with pytest.raises(UnavailableError):
        palette.client().tokens()
    assert len(palette.requests) == 1


def test_nothing_lasts_longer_than_asked_for_although_palette_never_recovers(palette: FakePalette) -> None:
    palette.faults = [lambda _request: error(503, "", "")] * 500
    client = palette.client(total=1.0)
    begun = time.monotonic()
    for call in (client.project_uid, lambda: client.edge_hosts(max_age=5.0), client.tokens):
        with pytest.raises(UnavailableError):
            call()
    assert time.monotonic() - begun < 1.5


def test_a_server_that_never_answers_is_left_in_time(palette: FakePalette) -> None:
    def hang(_request: httpx.Request) -> httpx.Response:
        time.sleep(3.0)
        return httpx.Response(200)

    palette.faults = [hang] * 9
    begun = time.monotonic()
    with pytest.raises(UnavailableError, match=r"did not answer within 0\.\d s"):
        palette.client(patience=0.5, project_name=None).tokens()
    assert time.monotonic() - begun < 1.0


def test_a_search_slower_than_a_caller_may_wait_is_there_for_the_next_one(palette: FakePalette) -> None:
    palette.add("a")

    def slow(request: httpx.Request) -> httpx.Response:
        time.sleep(0.6)
        return palette._route(request)

    palette.faults = [slow]
    transport = httpx.MockTransport(palette.answer)
    given: dict[str, Any] = {"transport": transport, "project_name": None, "project_uid": PLANTS}
    with pytest.raises(UnavailableError, match="still on its way"):
        palette.client(total=0.2, **given).edge_hosts(max_age=5.0)
    time.sleep(0.6)
    assert set(palette.client(total=0.2, **given).edge_hosts(max_age=5.0)) == {"a"}
    assert len(palette.requests) == 1


@pytest.mark.parametrize("url", ["http://palette.test", "palette.test", "https://", "https://me:pw@palette.test"])
def test_an_address_that_would_send_the_key_in_clear_is_refused(url: str) -> None:
    with pytest.raises(PaletteError, match="no https address") as caught:
        PaletteClient(url, KEY)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "schlüssel"])
def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(PaletteError, match="the API key from the") as caught:
        PaletteClient(URL, key)
    assert not key or key not in str(caught.value)


def test_a_ca_that_is_no_certificate_is_refused() -> None:
    with pytest.raises(PaletteError, match="no certificate in PEM form"):
        PaletteClient(URL, KEY, ca_pem="-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
