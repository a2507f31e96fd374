"""`edgectl roll`: killed after any step and resumed, it ends as if it had not been; and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from roll_world import STACK, URN, Killed, World, rolled, two_hosts

from edge.engine_cli import Ended, EngineCliError
from edge.errors import FactsError, RollError
from edgectl.roll import Roll


def attempt(world: World, folder: Path, kill: Mapping[int, int] | None, attempt_number: int) -> bool:
    """Run or resume a roll of both hosts; return whether it reached its end. It dies at the kill's moment, if there is one."""
    seen = 0
    at = (kill or {}).get(attempt_number)

    def moment(name: str) -> None:
        nonlocal seen
        if seen == at:
            raise Killed(name)
        seen += 1

    world.moment = moment
    roll = Roll(STACK, folder, world.ports())
    try:
        resumed = roll.record.exists()
        progress = roll.stopped() if resumed else roll.plan((), every=True)
        roll.run(progress, resumed=resumed)
    except Killed:
        return False
    finally:
        world.moment = lambda name: None
    world.made.append(f"after {seen} moments")
    return True


def to_the_end(folder: Path, kills: list[int]) -> tuple[World, str]:
    """Return the world and the stack file of before, after a roll that was killed at these moments and resumed."""
    world = two_hosts(folder)
    before = world.file.read_text()
    plan = dict(enumerate(kills))
    for number in range(len(kills) + 1):
        if attempt(world, folder, plan, number):
            break
        world.cancel()
    return world, before


def judge(world: World, before: str, folder: Path) -> int:
    """Assert that the roll ended as it should, and return how many moments the last attempt had."""
    *made, last = world.made
    assert sorted(made) == ["plant-a 2", "plant-b 2"], "each host was made anew exactly once"
    assert world.file.read_text() == rolled(before)
    assert all(host["protected"] and host["generation"] == 2 for host in world.hosts.values())
    record = json.loads((folder / ".edge" / "rolls" / f"{STACK}.json").read_text())
    assert [(host["name"], host["generation"], host["step"]) for host in record["hosts"]] == [
        ("plant-a", 2, "done"),
        ("plant-b", 2, "done"),
    ]
    assert not [one.name for one in folder.iterdir() if one.name.startswith(".Pulumi")]
    return int(last.split()[1])


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


@pytest.mark.row("A17", "A21")
def test_killed_after_every_step_the_end_is_the_same(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "whole")
    moments = judge(*to_the_end(folder, []), folder)
    assert moments > 25
    for moment in range(moments):
        folder = fresh(tmp_path / "killed")
        judge(*to_the_end(folder, [moment]), folder)


@pytest.mark.row("A17", "A21")
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kills=st.lists(st.integers(0, 30), min_size=2, max_size=4))
def test_killed_again_and_again_the_end_is_the_same(tmp_path: Path, kills: list[int]) -> None:
    folder = fresh(tmp_path / "killed")
    judge(*to_the_end(folder, kills), folder)


# -- what it refuses, and what it says -------------------------------------------------------------------------------------


def begun(world: World, folder: Path, *names: str, said: list[str] | None = None, **options: Any) -> Roll:
    roll = Roll(STACK, folder, world.ports((said if said is not None else []).append), **options)
    progress = roll.plan(names, every=not names)
    roll.look(progress.left[0])
    roll.run(progress)
    return roll


@pytest.mark.row("A17")
def test_one_host_is_rolled_and_the_other_is_left_alone(tmp_path: Path) -> None:
    world, said = two_hosts(tmp_path), []
    before = world.file.read_text()
    begun(world, tmp_path, "plant-a", said=said)
    assert (world.made, world.ups) == (["plant-a 2"], 2)
    assert world.file.read_text() == before.replace("10.200.0.11/24,", "10.200.0.11/24, generation: 2,")
    assert "plant-a: generation 1 -> 2" in said[0] and said[-1] == "plant-a: healthy at generation 2"
    assert [line for line in said if "pulumi up" in line] == [
        "plant-a: pulumi up (protection lifted)",
        "plant-a: pulumi up (protected)",
    ]


@pytest.mark.row("A17")
def test_the_next_host_is_not_begun_when_one_fails(tmp_path: Path) -> None:
    world = two_hosts(tmp_path)
    world.up = lambda *, parallel: Ended(1, ("error: no",))  # type: ignore[method-assign]
    with pytest.raises(RollError) as stop:
        begun(world, tmp_path)
    assert "plant-a: `pulumi up` ended with 1; not begun: plant-b." in str(stop.value)
    assert f"python -m edgectl roll {STACK} --resume" in str(stop.value) and stop.value.exit_code == 9
    assert "generation" not in world.settings()["plant-b"]
    with pytest.raises(RollError, match="has not ended"):
        begun(world, tmp_path, "plant-b")
    del world.up
    roll = Roll(STACK, tmp_path, world.ports())
    roll.run(roll.stopped(), resumed=True)
    assert world.made == ["plant-a 2", "plant-b 2"]
    assert roll.stopped().left == ()
    begun(world, tmp_path, "plant-b")
    assert world.made[-1] == "plant-b 3", "a roll that has ended is followed by a new one"


def test_a_locked_stack_says_what_to_do(tmp_path: Path) -> None:
    world = two_hosts(tmp_path)
    world.locked = True
    with pytest.raises(
        RollError, match=f"no other run is alive, then `pulumi cancel --stack {STACK}`, then `.*--resume`"
    ):
        begun(world, tmp_path, "plant-a")


@pytest.mark.row("A17")
def test_another_host_that_became_unhealthy_stops_the_roll(tmp_path: Path) -> None:
    world = two_hosts(tmp_path)
    inner = world.up

    def up(*, parallel: int) -> Ended:
        ended = inner(parallel=parallel)
        world.hosts["plant-a"]["health"] = "unhealthy" if world.ups == 2 else "healthy"
        return ended

    world.up = up  # type: ignore[method-assign]
    with pytest.raises(RollError, match="after the run it is not healthy"):
        begun(world, tmp_path)
    assert world.made == ["plant-a 2"]
    with pytest.raises(RollError, match="plant-b: the gate is closed"):
        shutil.rmtree(tmp_path / ".edge")
        begun(world, tmp_path, "plant-b")
    assert world.made == ["plant-a 2"]


@pytest.mark.row("A17")
def test_a_run_that_would_change_other_hosts_is_not_begun(tmp_path: Path) -> None:
    world, said = two_hosts(tmp_path), []
    before = world.file.read_text()
    world.more = [
        {"op": "update", "urn": f"{URN}$x::plant-b-checks", "newState": {"parent": f"{URN}::plant-b"}},
        {"op": "update", "urn": "urn:pulumi:s::p::t::apart"},
    ]
    with pytest.raises(RollError, match=r"would change other hosts too: plant-b \(update plant-b-checks\)"):
        begun(world, tmp_path, "plant-a", said=said)
    assert (world.made, world.ups, world.file.read_text()) == ([], 0, before)
    assert not (tmp_path / ".edge" / "rolls" / f"{STACK}.json").exists()
    assert any("the site's own parts: update apart" in line for line in said)
    begun(world, tmp_path, "plant-a", said=said, allow_others=True)
    assert world.made == ["plant-a 2"] and any("also changes plant-b" in line for line in said)


def test_a_stack_whose_last_run_failed_is_not_rolled(tmp_path: Path) -> None:
    world = two_hosts(tmp_path)
    world.result = "failed"
    with pytest.raises(FactsError, match="not to be believed"):
        begun(world, tmp_path, "plant-a")


def test_a_host_in_a_cluster_is_not_rolled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = two_hosts(tmp_path)
    world.hosts["plant-b"]["state"] = "in-use"
    with pytest.raises(RollError, match="the gate is closed"):
        begun(world, tmp_path)
    assert "belongs to a cluster" in capsys.readouterr().out
    begun(world, tmp_path, "plant-a")
    assert world.made == ["plant-a 2"]


def test_a_host_that_comes_back_as_the_same_machine_is_not_believed(tmp_path: Path) -> None:
    world = two_hosts(tmp_path)
    inner = world.up

    def up(*, parallel: int) -> Ended:
        ended = inner(parallel=parallel)
        world.hosts["plant-b"]["vm"]["uuid"] = "plant-b-1"
        return ended

    world.up = up  # type: ignore[method-assign]
    with pytest.raises(RollError, match="is the same machine as before"):
        begun(world, tmp_path, "plant-b")


def test_changes_by_hand_while_a_roll_is_stopped(tmp_path: Path) -> None:
    world = two_hosts(tmp_path)
    before = world.file.read_text()
    world.up = lambda *, parallel: Ended(1)  # type: ignore[method-assign]
    with pytest.raises(RollError):
        begun(world, tmp_path)
    del world.up
    roll = Roll(STACK, tmp_path, world.ports())
    world.file.write_text(before.replace("10.200.0.11/24,", "10.200.0.11/24, generation: 3,"))
    with pytest.raises(RollError, match="says generation 3, and this roll goes to 2"):
        roll.run(roll.stopped(), resumed=True)
    world.file.write_text(before.replace("plant-a:", "plant-z:"))
    with pytest.raises(RollError, match="plant-a: is no longer under"):
        roll.run(roll.stopped(), resumed=True)
    world.file.write_text(before)
    roll.run(roll.stopped(), resumed=True)
    assert world.file.read_text() == rolled(before), "taken back by hand, it is written again"


def test_only_what_is_older_than_the_release(tmp_path: Path) -> None:
    world, said = two_hosts(tmp_path), []
    roll = Roll(STACK, tmp_path, world.ports(said.append))
    assert roll.plan((), every=True, only_outdated=True).left == ()
    world.hosts["plant-b"]["vm"]["template"] = "debian-11-edge"
    assert [one.name for one in roll.plan((), every=True, only_outdated=True).left] == ["plant-b"]
    assert "plant-a: is as the release wants it; left alone" in said


def test_a_preview_that_fails_changes_nothing(tmp_path: Path) -> None:
    world = two_hosts(tmp_path)
    before = world.file.read_text()

    def preview(**_: Any) -> Mapping[str, Any]:
        raise EngineCliError("`pulumi preview` failed: no")

    world.preview = preview  # type: ignore[method-assign]
    with pytest.raises(EngineCliError):
        begun(world, tmp_path, "plant-a")
    assert (world.file.read_text(), world.ups) == (before, 0)
