"""The Palette API: scopes, search, tokens, projects, limits, faults."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from service_stand import API_KEY, PORTS, Stand

from edge.errors import LabError
from lab.services import Services, ServicesConfig
from lab.services.faults import Faults
from lab.services.log import RequestLog
from lab.services.palette import PaletteApi
from lab.services.palette.errors import ApiError
from lab.services.palette.state import PaletteState, parse_time


def add(stand: Stand, uid: str, **more: object) -> None:
    """Make a record of a machine outside the lab."""
    stand.call(lambda: stand.services.palette.call("add-record", {"uid": uid, **more}))


def project(stand: Stand, name: str = "Default") -> str:
    """Return the uid of a project."""
    return stand.services.palette.projects()[name]


def by(name: str, *values: str, operator: str = "eq", **more: object) -> dict[str, object]:
    """Return a search body with one filter."""
    match = {"conjunction": "or", "values": list(values)}
    condition = {"string": {"operator": operator, "match": match, **more}}
    groups = [{"conjunction": "and", "filters": [{"property": name, "type": "string", "condition": condition}]}]
    return {"filter": {"conjunction": "and", "filterGroups": groups}, "sort": []}


def search(stand: Stand, body: object = None, query: str = "", name: str = "Default") -> list[str]:
    """Return the uids that a search finds."""
    answer = stand.palette("POST", f"/v1/dashboard/edgehosts/search{query}", body or {}, project=project(stand, name))
    assert answer.status_code == 200, answer.text
    return [item["metadata"]["uid"] for item in answer.json()["items"]]


@pytest.mark.parametrize("key", ["", "wrong"])
def test_the_key_is_checked(stand: Stand, key: str) -> None:
    """Without the key everything is 401 with an error body."""
    answer = stand.palette("GET", "/v1/edgehosts/tokens", key=key)
    assert answer.status_code == 401
    assert set(answer.json()) == {"code", "message", "details", "ref"}


def test_a_rotated_key(stand: Stand) -> None:
    """After a rotation the old key is refused and the new one works."""
    stand.fault("key-rotate")
    assert stand.palette("GET", "/v1/edgehosts/tokens").status_code == 401
    assert stand.services.api_key != API_KEY
    assert stand.palette("GET", "/v1/edgehosts/tokens", key=stand.services.api_key).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/edgehosts", 405),
        ("GET", "/v1/projects", 405),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/edgehosts/unknown", 404),
        ("POST", "/v1/dashboard/edgehosts/search?limit=51", 400),
        ("POST", "/v1/dashboard/edgehosts/search?limit=x", 400),
    ],
)
def test_refusals(stand: Stand, method: str, path: str, status: int) -> None:
    """There is no list of hosts, and pages have a size."""
    body = {} if method == "POST" else None
    assert stand.palette(method, path, body, project=project(stand)).status_code == status


def test_project_header(stand: Stand) -> None:
    """The header is refused for the tenant, must name a project, and is needed to see or change hosts."""
    add(stand, "one")
    uid = project(stand)
    assert stand.palette("GET", "/v1/edgehosts/tokens", project=uid).json()["code"] == "ProjectUidIsNotEmpty"
    unknown = stand.palette("GET", "/v1/edgehosts/one", project="0" * 24)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "ProjectNotFoundInTenant")
    assert stand.palette("GET", "/v1/edgehosts/one", project="x").json()["code"] == "ResourceNotFound"
    assert stand.palette("POST", "/v1/dashboard/edgehosts/search", {}).json()["items"] == []
    assert stand.palette("DELETE", "/v1/edgehosts/one").status_code == 403
    assert stand.palette("GET", "/v1/edgehosts/one", project=project(stand, "Plants")).status_code == 404
    named = stand.palette("GET", "/v1/edgehosts/one").json()["spec"]["host"]["project"]
    assert named == {"uid": uid, "name": "Default"}
    assert stand.palette("DELETE", "/v1/edgehosts/one", project=uid).status_code == 204
    assert stand.palette("DELETE", "/v1/edgehosts/one", project=uid).status_code == 404


def test_search_pages(stand: Stand) -> None:
    """Pages go on until `continue` is empty."""
    for number in range(53):
        add(stand, f"host-{number:02}")
    found, query = [], ""
    while True:
        path = f"/v1/dashboard/edgehosts/search?limit=20{query}"
        answer = stand.palette("POST", path, {}, project=project(stand)).json()
        found += [item["metadata"]["uid"] for item in answer["items"]]
        if not answer["listmeta"]["continue"]:
            break
        query = f"&continue={answer['listmeta']['continue']}"
    assert sorted(found) == [f"host-{number:02}" for number in range(53)]
    assert len(search(stand)) == 50


def test_search_filters(stand: Stand) -> None:
    """Hosts are found by name, tags and state; an unknown property is refused."""
    add(stand, "a", labels={"edge-hosts-owner": "p.s", "site": "x"}, created="2026-01-01T00:00:00.000Z")
    add(stand, "ab", labels={"edge-hosts-owner": "p.t"}, state="unpaired")
    add(stand, "c", project="Plants")
    assert search(stand, by("name", "a")) == ["a"]
    assert search(stand, by("name", "A", operator="beginsWith", ignoreCase=True)) == ["a", "ab"]
    assert search(stand, by("tags", "edge-hosts-owner:p.t", "site:x")) == ["a", "ab"]
    assert search(stand, by("state", "ready", negation=True)) == ["ab"]
    assert search(stand, {"sort": [{"field": "creationTimestamp", "order": "desc"}]}) == ["ab", "a"]
    assert search(stand, name="Plants") == ["c"]
    answer = stand.palette("POST", "/v1/dashboard/edgehosts/search", by("x", "y"), project=project(stand))
    assert answer.status_code == 400


def test_search_and_single_read_differ(stand: Stand) -> None:
    """The search has the project in another place, and less of the host; neither has health before a report."""
    add(stand, "a")
    item = stand.palette("POST", "/v1/dashboard/edgehosts/search", {}, project=project(stand)).json()["items"][0]
    alone = stand.palette("GET", "/v1/edgehosts/a", project=project(stand)).json()
    assert item["spec"]["projectMeta"]["name"] == "Default"
    assert set(item["spec"]["host"]) == {"hostAddress", "macAddress"}
    assert alone["spec"]["host"]["hostUid"] == "a"
    assert "health" not in item["status"] and "health" not in alone["status"]
    assert parse_time(alone["metadata"]["creationTimestamp"]).tzinfo is not None


@pytest.mark.row("A21")
def test_a_host_in_a_cluster_is_not_deleted(stand: Stand) -> None:
    """An `in-use` host names its cluster and cannot be deleted until it has left."""
    add(stand, "a")
    stand.call(lambda: stand.services.palette.call("set-in-use", {"uid": "a", "cluster": "plants-prod"}))
    alone = stand.palette("GET", "/v1/edgehosts/a", project=project(stand)).json()
    assert alone["status"]["state"] == "in-use"
    assert alone["status"]["inUseClustersRef"][0]["name"] == "plants-prod"
    assert stand.palette("DELETE", "/v1/edgehosts/a", project=project(stand)).status_code == 400
    stand.palette("DELETE", "/v1/edgehosts/a/cluster/associate", project=project(stand))
    assert stand.palette("DELETE", "/v1/edgehosts/a", project=project(stand)).status_code == 204


def test_records_made_by_hand(stand: Stand) -> None:
    """A record can be made before its machine, renamed and labelled; a second one of that id is refused."""
    body = {"metadata": {"uid": "pre", "name": "pre", "labels": {"a": "b"}}, "spec": {"archType": "amd64"}}
    uid = project(stand)
    assert stand.palette("POST", "/v1/edgehosts", body, project=uid).json() == {"uid": "pre"}
    assert stand.palette("POST", "/v1/edgehosts", body, project=uid).status_code == 400
    change = {"metadata": {"name": "new", "labels": {"c": "d"}}}
    assert stand.palette("PUT", "/v1/edgehosts/pre/meta", change, project=uid).status_code == 204
    short = stand.palette("GET", "/v1/edgehosts/metadata", project=uid).json()["edgeHosts"]
    assert [(entry["name"], entry["state"], entry["healthState"]) for entry in short] == [("new", "unpaired", "")]
    assert stand.palette("GET", "/v1/edgehosts/tags", project=uid).json() == {"tags": ["c:d"]}


@pytest.mark.row("A13")
def test_token_life(stand: Stand) -> None:
    """A token is made, found with its value, changed, put to sleep and deleted."""
    spec = {"defaultProjectUid": project(stand, "Plants"), "expiry": "2031-01-31T00:00:00Z"}
    body = {"metadata": {"name": "site", "annotations": {"description": "made by p.s"}}, "spec": spec}
    created = stand.palette("POST", "/v1/edgehosts/tokens", body)
    assert created.status_code == 201
    assert set(created.json()) == {"uid"}
    path = f"/v1/edgehosts/tokens/{created.json()['uid']}"
    token = stand.palette("GET", path).json()
    assert token["spec"]["defaultProject"]["name"] == "Plants"
    assert token["metadata"]["annotations"] == {"description": "made by p.s"}
    listed = stand.palette("GET", "/v1/edgehosts/tokens").json()["items"]
    assert token["spec"]["token"] in [entry["spec"]["token"] for entry in listed]
    assert stand.palette("PUT", f"{path}/state", {"isActive": False}).status_code == 204
    assert stand.palette("GET", path).json()["status"] == {"isActive": False}
    assert stand.palette("PUT", path, {"metadata": {"name": "other"}, "spec": spec}).status_code == 204
    assert stand.palette("GET", path).json()["metadata"]["name"] == "other"
    assert stand.palette("DELETE", path).status_code == 204
    assert stand.palette("GET", path).status_code == 404


@pytest.mark.row("A13")
def test_the_trap_of_the_default_project(stand: Stand) -> None:
    """With the field that reads show, the token is accepted and bound to no project."""
    spec = {"defaultProject": {"uid": project(stand)}, "expiry": "2031-01-31T00:00:00Z"}
    created = stand.palette("POST", "/v1/edgehosts/tokens", {"metadata": {"name": "trap"}, "spec": spec})
    assert created.status_code == 201
    assert "defaultProject" not in stand.palette("GET", f"/v1/edgehosts/tokens/{created.json()['uid']}").json()["spec"]


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {"name": "x"}, "spec": {}},
        {"metadata": {"name": "x"}, "spec": {"expiry": "soon"}},
        {"metadata": {}, "spec": {"expiry": "2031-01-31T00:00:00Z"}},
        {"metadata": {"name": "x"}, "spec": {"expiry": "2031-01-31T00:00:00Z", "defaultProjectUid": "0" * 24}},
        ["no object"],
    ],
)
def test_bad_tokens(stand: Stand, body: object) -> None:
    """A token needs a name, a time, and a project that exists."""
    assert stand.palette("POST", "/v1/edgehosts/tokens", body).status_code in (400, 404)


def test_projects(stand: Stand) -> None:
    """Projects are found in both ways that are left."""
    names = [item["metadata"]["name"] for item in stand.palette("POST", "/v1/dashboard/projects", {}).json()["items"]]
    assert names == ["Default", "Plants", "Lab"]
    body = {"filter": {"name": {"eq": "Plants"}}, "sort": []}
    assert len(stand.palette("POST", "/v1/dashboard/projects", body).json()["items"]) == 1
    found = stand.palette("GET", "/v1/dashboard/projects/metadata?name=Lab").json()["items"]
    assert found == [{"metadata": {"name": "Lab", "uid": project(stand, "Lab")}}]


@pytest.mark.row("A18")
def test_the_version_of_a_dedicated_instance(stand: Stand) -> None:
    """The answer holds YAML in a string, with a version without the leading v."""
    content = stand.palette("GET", "/v1/services/stylus/version").json()["spec"]["latestVersion"]["content"]
    assert "\nversion: 4.9.38\n" in content


def test_too_many_requests(stand: Stand) -> None:
    """429 with Retry-After, so many times; then it works. The same with 500."""
    for name, status in (("palette-429", 429), ("palette-500", 500)):
        stand.fault(name, "2")
        answers = [stand.palette("GET", "/v1/edgehosts/tokens") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [status, status, 200]
        assert ("Retry-After" in answers[0].headers) == (status == 429)


def test_palette_down(stand: Stand) -> None:
    """Connections are dropped while it is down; other services go on."""
    stand.fault("palette-down")
    with pytest.raises(httpx.HTTPError):
        stand.palette("GET", "/v1/edgehosts/tokens")
    assert stand.get("quay.io").status_code == 401


def test_writes_can_be_counted(stand: Stand) -> None:
    """The log tells reads, also those by POST, from writes, and holds no query."""
    before = len(stand.services.requests("palette"))
    stand.palette("POST", "/v1/dashboard/edgehosts/search?limit=5", {}, project=project(stand))
    stand.palette("DELETE", "/v1/edgehosts/none", project=project(stand))
    entries = stand.services.requests("palette")[before:]
    assert [(entry["kind"], entry["status"]) for entry in entries] == [("read", 200), ("write", 404)]
    assert entries[0]["path"] == "/v1/dashboard/edgehosts/search"


def test_the_date_is_palettes(stand: Stand) -> None:
    """Every answer has a Date, against which creation times are compared."""
    assert "Date" in stand.palette("GET", "/v1/edgehosts/tokens").headers


def test_the_state_survives(tmp_path: Path) -> None:
    """A second instance finds what the first wrote, in a file for its owner only."""
    state = PaletteState(tmp_path / "palette.json")
    state.ensure_projects(["Default"])
    token = state.add_token("t")
    again = PaletteState(tmp_path / "palette.json")
    assert again.tokens[token.uid].value == token.value
    assert (tmp_path / "palette.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("no", {}),
        ("delete-record", {"x": 1}),
        ("set-in-use", {"uid": "x", "cluster": None}),
        ("revoke-token", {"token": "x"}),
    ],
)
def test_helpers_refuse_nonsense(stand: Stand, action: str, arguments: dict[str, object]) -> None:
    """The lab's control says what is wrong."""
    with pytest.raises(LabError, match="Remedy"):
        stand.call(lambda: stand.services.palette.call(action, arguments))


def test_the_documented_limit(tmp_path: Path) -> None:
    """Above the documented rate, a source gets 429 for that part of the API."""
    config = ServicesConfig(
        root=tmp_path, services_ip="127.0.0.1", corporate_ip="127.0.0.1", gateway_ip="127.0.0.1", eni_ips=(),
        region="eu-central-1", suite="bookworm", debs_dir=tmp_path, proxy_user="u", proxy_password="p", api_key="k",
        ports=PORTS, palette_rate=1, palette_burst=3,
    )  # fmt: skip
    api = PaletteApi(config, PaletteState(config.palette_file), Faults(), RequestLog(tmp_path))
    with pytest.raises(ApiError) as refused:
        for _ in range(5):
            api._limit("10.0.0.1", "/v1/edgehosts/a")
    assert refused.value.status == 429
    api._limit("10.0.0.1", "/v1/dashboard/projects")


def test_a_taken_port_is_named(stand: Stand) -> None:
    """A second lab on the same addresses says which port is taken, and leaves nothing running."""

    async def second() -> None:
        await Services(stand.config).start()

    with pytest.raises(LabError, match="cannot listen on"):
        asyncio.run(second())
    assert stand.get("quay.io").status_code == 401


def test_the_status_has_no_secrets(stand: Stand) -> None:
    """The status says what runs and which faults are on."""
    stand.fault("name-missing", "github.com")
    status = stand.call(stand.services.status)
    assert status["running"] is True
    assert status["faults"] == [{"name": "name-missing", "target": "github.com", "left": None}]
    assert API_KEY not in str(status)
