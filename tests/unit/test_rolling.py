"""What a roll knows: its gate, its record, what a preview touches, and changing one host's lines and nothing else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from settings_helpers import RELEASE, SITE, drop, load, put, site

from edge.errors import RollError, SettingsError
from edge.files import replace_file
from edge.host_lines import with_values, written
from edge.rolling import (
    HostRoll,
    Identity,
    Progress,
    arrived,
    chosen,
    gate,
    host_of,
    identity,
    others,
    outdated,
    planned,
    reached,
    read_progress,
    says,
    touched,
)

HEALTHY: dict[str, Any] = {"state": "ready", "health": "healthy", "generation": 1.0, "epoch": "e1", "release": "r-1"}
HOSTS = dict.fromkeys(SITE["hosts"], HEALTHY)
VSPHERE = {
    "datacenter": "DC1",
    "cluster": "edge",
    "datastore": "ssd-1",
    "network": "vlan-hosts",
    "gateway": "10.200.0.1",
    "nameservers": ["10.200.0.2"],
}
RAISE = {"adopt": None, "generation": 2, "state": "rolling"}


def with_vm(**host: Any) -> dict[str, Any]:
    """Return a site whose second host is a virtual machine."""
    raw = site(
        put("vsphere", VSPHERE), put("hosts.plant-b", {"machine": "vsphere", "address": "10.200.0.12/24", **host})
    )
    raw["vcenters"] = {"main": {"server": "vcenter.example.com", "user": "edge@vsphere.local"}}
    raw["hosts"]["plant-a"]["machine"] = "existing"
    return raw


WITH_TEMPLATE = {**RELEASE, "vm": {"template": "debian-12-edge"}}


# -- one host's lines in the stack file -----------------------------------------------------------------------------------

BLOCK = """\
# the plant
config:
  edge-hosts:release: r-1   # moved by promote
  edge-hosts:site:
    name: 'plant'
    hosts:                  # three of them
      a:
        # the first one
        address: "10.0.0.1"  # static
        adopt: /DC1/vm/a    # an old one
        tags: {line: paint}
      b: {address: 10.0.0.2, state: 'active', adopt: /DC1/vm/b}  # in braces
      c:
        address: 10.0.0.3
        generation: 7  # the seventh
        state: "active"
"""


def test_a_block_gets_two_lines_and_loses_one() -> None:
    after = with_values(BLOCK, "a", RAISE)
    wanted = BLOCK.replace("        adopt: /DC1/vm/a    # an old one\n", "")
    static = '        address: "10.0.0.1"  # static\n'
    assert after == wanted.replace(static, f"{static}        generation: 2\n        state: rolling\n")
    assert with_values(after, "a", RAISE) == after, "a second time changes nothing"
    assert with_values(after, "a", {"state": None}) == after.replace("        state: rolling\n", "")


def test_a_host_in_braces_stays_in_braces() -> None:
    after = with_values(BLOCK, "b", RAISE)
    line = "b: {address: 10.0.0.2, generation: 2, state: 'rolling'}  # in braces"
    assert after == BLOCK.replace("b: {address: 10.0.0.2, state: 'active', adopt: /DC1/vm/b}  # in braces", line)


def test_values_that_are_there_are_written_over_in_their_quotes() -> None:
    after = with_values(BLOCK, "c", {"generation": 8, "state": "rolling"})
    assert after == BLOCK.replace("generation: 7  #", "generation: 8  #").replace('"active"', '"rolling"')
    assert with_values(after, "c", {"generation": 7, "state": "active"}) == BLOCK


def test_what_was_written_is_read() -> None:
    assert [written(BLOCK, "c", key) for key in ("generation", "state", "adopt")] == [7, "active", None]
    assert written(BLOCK, "nobody", "state") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: {address: 10.0.0.1}", "a: {address: 10.0.0.1, generation: 2, state: rolling}"),
        ("a: {adopt: /x, address: 10.0.0.1}", "a: {address: 10.0.0.1, generation: 2, state: rolling}"),
        (
            "a: {address: 10.0.0.1,  # static\n       adopt: /x}",
            "a: {address: 10.0.0.1, generation: 2, state: rolling,  # static\n       }",
        ),
        ("a: {address: 10.0.0.1, 'generation': 1, }", "a: {address: 10.0.0.1, 'generation': 2, state: rolling, }"),
        ('"a": {"address": "10.0.0.1"}', '"a": {"address": "10.0.0.1", generation: 2, state: rolling}'),
        ("a:\n       <<: {address: 10.0.0.1}", "a:\n       generation: 2\n       state: rolling\n       <<: {address: 10.0.0.1}"),
        ("a:\n       address: 10.0.0.1", "a:\n       address: 10.0.0.1\n       generation: 2\n       state: rolling"),
        (
            "a:\n       adopt: /x\n       address: 10.0.0.1",
            "a:\n       address: 10.0.0.1\n       generation: 2\n       state: rolling",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["", "\n", "\n      z: {address: 10.0.0.9}\n", "\n\n# the end"])
@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_forms_of_a_host(before: str, after: str, end: str, line: str) -> None:
    head = "config:\n  edge-hosts:site:\n    hosts:\n      "
    whole = (head + before + end).replace("\n", line)
    assert with_values(whole, "a", RAISE) == (head + after + end).replace("\n", line)


@pytest.mark.parametrize(
    "hosts",
    [
        "{a: &x {address: 10.0.0.1}, b: *x}",
        "{b: &x {address: 10.0.0.1}, a: *x}",
        "{a: &x {address: 10.0.0.1}, b: {<<: *x, address: 10.0.0.2}}",
        "{a: {address: 10.0.0.1, generation: &n 1}, b: {address: 10.0.0.2, generation: *n}}",
        "{a: {<<: {adopt: /x}, address: 10.0.0.1}}",
    ],
)
def test_what_reaches_other_lines_is_refused(hosts: str) -> None:
    with pytest.raises(RollError, match="by hand"):
        with_values(f"config: {{edge-hosts:site: {{hosts: {hosts}}}}}\n", "a", RAISE)


def test_a_host_that_is_not_there_and_a_file_that_is_none() -> None:
    with pytest.raises(RollError, match="not under `hosts:`"):
        with_values(BLOCK, "d", RAISE)
    with pytest.raises(SettingsError):
        with_values("config: [", "a", RAISE)


NAMES = st.sampled_from(["a", "b", "c"])
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "generation": st.integers(1, 99),
        "state": st.sampled_from(["active", "rolling", "retired", None]),
        "adopt": st.sampled_from([None, "/DC1/vm/x"]),
    },
)


@given(st.lists(st.tuples(NAMES, CHANGES), max_size=6))
def test_any_changes_say_what_was_asked_and_keep_every_comment(steps: list[tuple[str, dict[str, Any]]]) -> None:
    text, wanted = BLOCK, yaml.safe_load(BLOCK)
    for host, values in steps:
        text = with_values(text, host, values)
        entry = wanted["config"]["edge-hosts:site"]["hosts"][host]
        entry.update({key: value for key, value in values.items() if value is not None})
        for key in [key for key, value in values.items() if value is None]:
            entry.pop(key, None)
    assert yaml.safe_load(text) == wanted
    for comment in (
        "# the plant",
        "# moved by promote",
        "# three of them",
        "# the first one",
        "# static",
        "# in braces",
    ):
        assert comment in text
    assert '"10.0.0.1"' in text and "'plant'" in text


def test_a_file_is_replaced_with_its_rights(tmp_path: Path) -> None:
    path, link = tmp_path / "Pulumi.x.yaml", tmp_path / "link.yaml"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    replace_file(link, "new\r\n")
    assert path.read_bytes() == b"new\r\n" and path.stat().st_mode & 0o777 == 0o640 and link.is_symlink()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["Pulumi.x.yaml", "link.yaml"]


# -- the gate ------------------------------------------------------------------------------------------------------------


@pytest.mark.row("A17")
@pytest.mark.parametrize(
    ("settings", "facts", "problem"),
    [
        ([], {}, None),
        ([put("hosts.plant-a.state", "rolling")], {}, None),
        ([put("hosts.plant-a.state", "retired")], {}, "on its way out"),
        ([put("hosts.plant-a.state", "lost")], {}, "on its way out"),
        ([put("hosts.plant-a.allowReboot", False)], {}, "may not be rebooted"),
        ([], {"generation": 3}, "lower than the one reached"),
        ([], {"state": "in-use"}, "belongs to a cluster"),
        ([put("hosts.plant-a.force", True)], {"state": "in-use"}, None),
        ([], {"state": "unpaired", "health": "unhealthy"}, None),
    ],
)
def test_the_gate(tmp_path: Path, settings: list[Any], facts: dict[str, Any], problem: str | None) -> None:
    found = gate(load(tmp_path, site(*settings)), {**HOSTS, "plant-a": {**HEALTHY, **facts}}, "plant-a")
    assert len(found) == (0 if problem is None else 1)
    assert all(problem in one.problem for one in found if problem)
    assert all(one.remedy for one in found)


def test_a_smaller_disk_is_refused_before_anything_is_deleted(tmp_path: Path) -> None:
    settings = load(tmp_path, with_vm(disk="100GiB"), release=WITH_TEMPLATE)
    known = {**HOSTS, "plant-b": {**HEALTHY, "vm": {"uuid": "u", "diskGib": 150.0}}}
    (finding,) = gate(settings, known, "plant-b")
    assert (finding.where, finding.problem) == ("site.hosts.plant-b.disk", "a disk cannot be made smaller")


def test_a_host_without_facts_has_nothing_to_roll(tmp_path: Path) -> None:
    (finding,) = gate(load(tmp_path, site()), {}, "plant-a")
    assert "not deployed yet" in finding.problem


@pytest.mark.row("A17")
def test_the_others_must_be_healthy(tmp_path: Path) -> None:
    settings = load(tmp_path, site())
    assert others(settings, HOSTS, "plant-a") == []
    for bad in ({"state": "unpaired"}, {"health": "unhealthy"}):
        found = others(settings, {**HOSTS, "plant-b": {**HEALTHY, **bad}}, "plant-a")
        assert [one.where for one in found] == ["plant-b"]
    assert others(settings, {"plant-a": HEALTHY}, "plant-a")[0].problem == "was not deployed"
    leaving = load(tmp_path, site(put("hosts.plant-b.state", "lost")))
    assert others(leaving, {"plant-a": HEALTHY}, "plant-a") == []


def test_which_hosts(tmp_path: Path) -> None:
    settings = load(tmp_path, site(put("hosts.plant-b.state", "retired")))
    assert chosen(settings, (), every=True) == ("plant-a",)
    assert chosen(settings, ("plant-b", "plant-a"), every=False) == ("plant-a", "plant-b")
    for names, every in (((), False), (("plant-a",), True)):
        with pytest.raises(RollError, match="either hosts or --all"):
            chosen(settings, names, every=every)
    with pytest.raises(RollError, match="plant-x: is not under"):
        chosen(settings, ("plant-x",), every=False)


@pytest.mark.row("A18")
def test_which_hosts_are_older_than_the_release(tmp_path: Path) -> None:
    settings = load(tmp_path, with_vm(), release=WITH_TEMPLATE)
    assert outdated(settings, "plant-a", HEALTHY) == ""
    assert outdated(settings, "plant-a", {**HEALTHY, "release": "r-0"}) == "release r-0 -> r-1"

    def vm(template: object) -> str:
        return outdated(settings, "plant-b", {**HEALTHY, "release": "r-0", "vm": {"template": template}})

    assert vm("debian-12-edge") == vm("/DC1/vm/templates/debian-12-edge") == ""
    assert vm("debian-11-edge") == "made from debian-11-edge, the release wants debian-12-edge"
    assert "unknown template" in vm(None) and "unknown template" in outdated(settings, "plant-b", HEALTHY)


# -- the record ----------------------------------------------------------------------------------------------------------


def test_targets_are_fixed_at_the_beginning(tmp_path: Path) -> None:
    settings = load(tmp_path, site(put("hosts.plant-b.generation", 5)))
    facts = {"plant-a": {**HEALTHY, "vm": {"uuid": "u1"}}, "plant-b": {**HEALTHY, "generation": 4.0}}
    progress = planned(settings, facts, ["plant-a", "plant-b"], {"plant-a": "active", "plant-b": "rolling"})
    assert progress.hosts == (
        HostRoll("plant-a", 2, "active", Identity("u1", "e1")),
        HostRoll("plant-b", 5, None, Identity("", "e1")),
    ), "a generation that was raised by hand and not deployed yet is not raised again"
    assert read_progress(progress.to_json(), "plant-dev", "x") == progress
    further = progress.at("plant-a", "done")
    assert [one.name for one in further.left] == ["plant-b"]
    assert read_progress(further.to_json(), "plant-dev", "x") == further


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "stack": "s", "hosts": [{"name": 1}]}']
)
def test_a_record_that_is_none(text: str) -> None:
    with pytest.raises(RollError, match="no record of a roll"):
        read_progress(text, "s", "rolls/s.json")
    with pytest.raises(RollError):
        read_progress(Progress("other", ()).to_json(), "s", "rolls/s.json")


def test_what_happens_to_a_host_is_said(tmp_path: Path) -> None:
    settings = load(tmp_path, with_vm(adopt="/DC1/vm/old/b"), release=WITH_TEMPLATE)
    roll = HostRoll("plant-a", 2, None, Identity())
    line = says(settings.host_view("plant-a"), roll, HEALTHY)
    assert "generation 1 -> 2" in line and "reboots once" in line and "10.200.0.11 stays" in line
    line = says(settings.host_view("plant-b"), roll, {**HEALTHY, "state": "in-use"})
    assert "destroyed with its disk" in line and "from debian-12-edge" in line and "`adopt:` line goes" in line
    assert "BELONGS TO A CLUSTER" in line and "10.200.0.12 stays" in line
    line = says(settings.host_view("plant-b"), roll, {**HEALTHY, "vm": {"address": "10.200.0.99"}})
    assert "the address becomes 10.200.0.12 (it was 10.200.0.99)" in line


# -- afterwards ------------------------------------------------------------------------------------------------------------

ROLLED = {**HEALTHY, "generation": 2.0, "epoch": "e2", "vm": {"uuid": "u2"}}


@pytest.mark.row("A17")
@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        (ROLLED, None),
        (None, "was not deployed"),
        ({**ROLLED, "health": "unhealthy"}, "not healthy"),
        ({**ROLLED, "generation": 1}, "not at generation 2"),
        ({**ROLLED, "epoch": "e1"}, "registration of before"),
        ({**ROLLED, "vm": {"uuid": "u1"}}, "same machine"),
        ({**ROLLED, "vm": None}, "same machine"),
    ],
)
def test_what_must_be_true_of_a_rolled_host(facts: Any, problem: str | None) -> None:
    finding = arrived(HostRoll("plant-a", 2, None, Identity("u1", "e1")), facts)
    assert finding is None if problem is None else finding is not None and problem in finding.problem


def test_numbers_of_an_export() -> None:
    assert (reached({"generation": 3.0}), reached({"generation": 3}), reached({})) == (3, 3, 0)
    assert identity({}) == identity({"vm": {"uuid": None}}) == Identity()


# -- what a preview touches ------------------------------------------------------------------------------------------------

ROOT_URN = "urn:pulumi:s::p::edge-hosts:index:EdgeSite$edge-hosts:index:EdgeHost"


def step(op: str, types: str, name: str, parent: str = "") -> dict[str, Any]:
    where = "oldState" if op == "delete" else "newState"
    return {"op": op, "urn": f"{ROOT_URN}{types}::{name}", where: {"parent": parent}}


def test_the_steps_of_a_preview_by_host() -> None:
    steps = [
        step(
            "replace",
            "$edge-hosts:index:VsphereMachine$vsphere:index/vm:VM",
            "a",
            f"{ROOT_URN}$x:VsphereMachine::a-machine",
        ),
        step("update", "$command:remote:Command", "a-checks", f"{ROOT_URN}::a"),
        step("update", "$command:remote:Command", "a-agent-checks", f"{ROOT_URN}::a-agent"),
        step("delete", "$command:remote:Command", "b-agent", f"{ROOT_URN}::b"),
        step("create", "", "c"),
        step("same", "$command:remote:Command", "b-checks", f"{ROOT_URN}::b"),
        {"op": "update", "urn": "urn:pulumi:s::p::x:index:Rule::apart", "newState": None},
        {"op": "same", "urn": "urn:pulumi:s::p::pulumi:pulumi:Stack::p-s"},
    ]
    found = touched({"steps": steps}, ["a", "a-agent", "b"], "a")
    assert found.hosts == {
        "a-agent": ("update a-agent-checks",),
        "b": ("delete b-agent",),
        "c": ("create c",),
    }
    assert found.site == ("update apart",)
    assert touched({}, ["a"], "a").hosts == {}


def test_hosts_whose_names_begin_alike() -> None:
    names = ["a-agent", "a"]
    assert host_of(f"{ROOT_URN}$t::a-agent", f"{ROOT_URN}::a", names) == "a"
    assert host_of(f"{ROOT_URN}$m$t::a-agent", f"{ROOT_URN}$m::a-machine", names) == "a"
    assert host_of(f"{ROOT_URN}$m$t::a-agent-x", "", names) == "a-agent"
    assert host_of("urn:pulumi:s::p::t::a", "", names) is None


def test_samples_are_left_as_they_are() -> None:
    """The helpers change copies only."""
    before = copy.deepcopy(SITE)
    with_vm()
    site(drop("hosts.plant-a"))
    assert before == SITE
