"""What became of a machine behind our back: one sentence and the right deed for each case, and no deed for any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.errors import FactsError
from edge.vcenter.model import Inventory
from edge.vcenter.reads import machines_of
from edge.vcenter.repair import Case, after_a_killed_run, judge_repair
from edge.vcenter.stack_state import MACHINE, Known, StackState, load_state, of_export
from tests.unit.image_stacks import GIVEN
from tests.unit.settings_helpers import put
from tests.unit.vcenter_samples import NOW, inventory, machine, settings_of, snapshot, without_folder

A = Known("plant-a", machine("plant-a", 10).uuid, "plant")
B = Known("plant-b", machine("plant-b", 11).uuid, "plant")
BOTH = StackState({"plant-a": A, "plant-b": B})
CREATING = StackState({}, {"plant-a": "plant"}, ("creating plant-a",))


def cases(tmp_path: Path, found: Inventory, state: StackState | None, *changes: Any) -> dict[str, Case]:
    """Return the cases by host; the last one where a host has several."""
    settings = settings_of(tmp_path, *changes)
    return {one.host: one for one in judge_repair(settings, found, machines_of(settings.host_views()), state, NOW)}


def good(**over: Any) -> Inventory:
    """Return a vCenter with both machines, the first changed."""
    return inventory(machine("plant-a", 10, **over), machine("plant-b", 11))


def test_machines_as_they_should_be(tmp_path: Path) -> None:
    found = cases(tmp_path, good(), BOTH)
    assert {one.kind for one in found.values()} == {"healthy"}
    assert found["plant-a"].sentence == "plant-a: as it should be."
    assert all(one.fine and one.deed is None for one in found.values())


@pytest.mark.parametrize(("power", "kind"), [("poweredOff", "off"), ("suspended", "suspended")])
def test_a_machine_that_does_not_run_can_be_powered_on(tmp_path: Path, power: str, kind: str) -> None:
    one = cases(tmp_path, good(power=power), BOTH)["plant-a"]
    assert (one.kind, one.deed, one.fine) == (kind, "power on", False)


@pytest.mark.row("B14")
def test_an_appliance_that_is_off_is_not_switched_on_before_its_medium_is_out(tmp_path: Path) -> None:
    """Its installer switches it off: switched on with the medium still in, it would install itself again."""
    appliance = (put("hosts.plant-a.mode", "appliance"), put("image", GIVEN))
    one = cases(tmp_path, good(power="poweredOff"), BOTH, *appliance)["plant-a"]
    assert (one.kind, one.deed, one.fine) == ("off", None, False)
    assert one.commands == ("pulumi up --stack plant-dev",)
    prepared = {**machine("plant-a", 10).extra, "edge-hosts.registration": "e1"}
    one = cases(tmp_path, good(power="poweredOff", extra=prepared), BOTH, *appliance)["plant-a"]
    assert (one.kind, one.deed) == ("off", "power on")
    one = cases(tmp_path, good(), StackState({"plant-b": B}), *appliance)["plant-a"]
    assert (one.kind, one.deed) == ("unrecorded", None)
    assert "adopt" not in one.sentence + "".join(one.commands)
    assert "destroy the machine by hand" in one.sentence


def test_a_deleted_machine_is_made_again_by_refresh_and_up(tmp_path: Path) -> None:
    one = cases(tmp_path, inventory(machine("plant-b", 11)), BOTH)["plant-a"]
    assert (one.kind, one.deed) == ("deleted", None)
    assert one.commands == ("pulumi refresh --stack plant-dev", "pulumi up --stack plant-dev")


def test_a_machine_that_was_never_made(tmp_path: Path) -> None:
    for state in (StackState(), None):
        found = cases(tmp_path, without_folder(inventory()), state)
        assert {one.kind for one in found.values()} == {"absent"}
        assert all(one.fine for one in found.values())


def test_a_clone_that_the_last_run_left_unfinished_is_destroyed(tmp_path: Path) -> None:
    one = cases(tmp_path, good(extra={}, power="poweredOff"), CREATING)["plant-a"]
    assert (one.kind, one.deed) == ("unfinished", "destroy")
    assert one.commands == ()


@pytest.mark.parametrize("power", ["poweredOn", "poweredOff"])
def test_a_machine_of_ours_that_the_engine_never_heard_of_is_destroyed(tmp_path: Path, power: str) -> None:
    """The provider may go on after the engine was killed, and finish a machine that is in no state."""
    one = cases(tmp_path, good(power=power), CREATING)["plant-a"]
    assert (one.kind, one.deed) == ("unfinished", "destroy") and "cut off before the engine heard" in one.sentence
    assert cases(tmp_path, good(power="poweredOn"), StackState())["plant-a"].deed is None


@pytest.mark.parametrize(
    ("over", "state"),
    [
        ({"extra": {}, "power": "poweredOn"}, CREATING),  # runs
        ({"extra": {}, "power": "suspended"}, CREATING),  # runs, in a way
        ({"extra": {}, "power": "poweredOff"}, StackState()),  # not being made by the last run
        ({"extra": {}, "power": "poweredOff"}, None),  # nothing known of the last run
        ({"extra": {}, "power": "poweredOff", "template": True}, CREATING),  # a template
        ({"extra": {}, "power": "poweredOff"}, StackState({}, {"plant-a": "another"})),  # being made elsewhere
        ({"extra": {"edge-hosts.owner": "edge-hosts.other-dev"}, "power": "poweredOff"}, CREATING),  # another stack's
        ({"extra": {}, "power": "poweredOff", "folder": "group-v3"}, CREATING),  # not in our folder
    ],
)
def test_nothing_else_is_ever_destroyed(tmp_path: Path, over: dict[str, Any], state: StackState | None) -> None:
    assert [one for one in cases(tmp_path, good(**over), state).values() if one.deed == "destroy"] == []


def test_the_datacenters_own_folder_is_never_ours(tmp_path: Path) -> None:
    """A folder setting that leads to the folder of all machines must not make them ours."""
    found = good(extra={}, power="poweredOff")
    top = replace(found, folders=tuple(replace(one, path="") if one.id == "group-v2" else one for one in found.folders))
    settings = settings_of(tmp_path)
    asked = [replace(one, vm=replace(one.vm, folder="/")) for one in machines_of(settings.host_views())]
    assert [one for one in judge_repair(settings, top, asked, CREATING, NOW) if one.deed] == []


def test_foreign_machines_are_left_alone(tmp_path: Path) -> None:
    other = cases(tmp_path, good(extra={"edge-hosts.owner": "edge-hosts.other-dev"}), StackState())["plant-a"]
    assert other.kind == "foreign"
    assert "belongs to edge-hosts.other-dev" in other.sentence
    plain = cases(tmp_path, good(extra={}), StackState())["plant-a"]
    assert "is foreign" in plain.sentence
    unknown = cases(tmp_path, good(extra={}), None)["plant-a"]
    assert "--state FILE" in unknown.sentence
    assert {one.deed for one in (other, plain, unknown)} == {None}


@pytest.mark.parametrize(
    ("over", "words"),
    [({"folder": "group-v3"}, "moved to /DC1/vm/others/plant-a"), ({"name": "old"}, "renamed to /DC1/vm/plant/old")],
)
def test_a_machine_that_was_moved_or_renamed_is_brought_back_by_the_engine(
    tmp_path: Path, over: dict[str, Any], words: str
) -> None:
    found = good()
    moved = replace(found, vms=(found.vms[0], replace(found.vms[1], **over), found.vms[2]))
    one = cases(tmp_path, moved, BOTH)["plant-a"]
    assert (one.kind, one.deed) == ("moved", None)
    assert words in one.sentence


def test_old_snapshots_are_said(tmp_path: Path) -> None:
    one = cases(tmp_path, good(snapshots=(snapshot(3), snapshot(30, "base"))), BOTH)["plant-a"]
    assert one.kind == "snapshots"
    assert "1 snapshots older than 7 days, the oldest 'base' of 30 days" in one.sentence
    assert cases(tmp_path, good(snapshots=(snapshot(3),)), BOTH)["plant-a"].kind == "healthy"


def test_our_machine_that_the_engine_does_not_know_is_adopted(tmp_path: Path) -> None:
    one = cases(tmp_path, good(), StackState({"plant-b": B}))["plant-a"]
    assert (one.kind, one.deed) == ("unrecorded", None)
    assert one.commands == ("hosts: {plant-a: {adopt: /DC1/vm/plant/plant-a}}",)
    adopt = put("hosts.plant-a.adopt", "/DC1/vm/plant/plant-a")
    assert cases(tmp_path, good(extra={}), StackState(), adopt)["plant-a"].kind == "adopt"
    wrong = put("hosts.plant-a.adopt", "/DC1/vm/plant/other")
    assert cases(tmp_path, inventory(), StackState(), wrong)["plant-a"].kind == "misplaced"


def test_machines_in_our_folder_without_a_host(tmp_path: Path) -> None:
    extra = machine("plant-c", 12)
    found = inventory(machine("plant-a", 10), machine("plant-b", 11), extra, machine("guest", 13, extra={}))
    known = StackState({**BOTH.machines, "plant-c": Known("plant-c", extra.uuid, "plant")})
    assert "the next up removes it" in cases(tmp_path, found, known)["plant-c"].sentence
    assert "look at it by hand" in cases(tmp_path, found, BOTH)["plant-c"].sentence
    assert "guest" not in cases(tmp_path, found, BOTH), "a foreign machine of another name is nobody's business"
    half = inventory(machine("plant-c", 12, extra={}, power="poweredOff"))
    one = cases(tmp_path, half, StackState({}, {"plant-c": "plant"}))["plant-c"]
    assert (one.kind, one.deed) == ("unfinished", "destroy")


def test_a_datacenter_that_is_gone(tmp_path: Path) -> None:
    assert {one.kind for one in cases(tmp_path, inventory(datacenters=()), BOTH).values()} == {"misplaced"}


EXPORT = {
    "version": 3,
    "deployment": {
        "resources": [
            {"urn": "urn:pulumi:plant-dev::edge-hosts::pulumi:pulumi:Stack::edge-hosts-plant-dev", "type": "x"},
            {
                "type": MACHINE,
                "id": "u-a",
                "inputs": {"name": "plant-a", "folder": "plant"},
                "outputs": {"uuid": "u-a"},
            },
            {"type": MACHINE, "id": "u-old", "delete": True, "inputs": {"name": "plant-b"}},
        ],
        "pending_operations": [
            {"type": "creating", "resource": {"urn": "a::b::c::vm-b", "type": MACHINE, "inputs": {"name": "plant-b"}}},
            {"type": "updating", "resource": {"urn": "a::b::c::vm-a", "type": MACHINE, "inputs": {"name": "plant-a"}}},
        ],
    },
}


def test_the_state_tells_made_machines_and_those_that_were_being_made(tmp_path: Path) -> None:
    state = of_export(EXPORT, "x")
    assert state.machines == {"plant-a": Known("plant-a", "u-a", "plant")}
    assert state.creating == {"plant-b": ""}
    assert state.pending == ("creating vm-b", "updating vm-a")
    commands = after_a_killed_run(state, "plant-dev")
    assert commands[1] == "pulumi refresh --clear-pending-creates --stack plant-dev"
    assert after_a_killed_run(StackState(), "x") == after_a_killed_run(None, "x") == []


def test_a_state_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    path.write_text("{")
    with pytest.raises(FactsError, match="no JSON"):
        load_state("plant-dev", tmp_path, path)
    path.write_text('{"outputs": {}}')
    with pytest.raises(FactsError, match="no exported state"):
        load_state("plant-dev", tmp_path, path)
    with pytest.raises(FactsError, match="cannot be read"):
        load_state("plant-dev", tmp_path, tmp_path / "none.json")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert load_state("plant-dev", tmp_path) is None


def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a `pulumi` on PATH that runs a script."""
    path = tmp_path / "pulumi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_the_state_from_the_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli(
        tmp_path,
        monkeypatch,
        """[ "$*" = "stack export --stack o/p/s --non-interactive" ] && echo '{"deployment":{}}'""",
    )
    assert load_state("o/p/s", tmp_path) == StackState()
    cli(tmp_path, monkeypatch, "echo 'error: no stack named s' >&2; exit 255")
    with pytest.raises(FactsError, match="failed: no stack named s"):
        load_state("s", tmp_path)
    cli(tmp_path, monkeypatch, "echo hello")
    with pytest.raises(FactsError, match="printed no JSON"):
        load_state("s", tmp_path)
