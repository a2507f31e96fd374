"""Every committed stack, run under mocks and compared with a reviewed snapshot.

A difference here is what a promotion would change. After a review: pytest tests/programs --accept-snapshots.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.components.harness import STACKS, record_stack, recorded
from tests.programs.snapshot import snapshot

FOLDER = Path(__file__).parent / "snapshots"


@pytest.mark.row("C3", "C4", "C6")
@pytest.mark.parametrize("stack", STACKS)
def test_stack_matches_its_reviewed_snapshot(stack: str, request: pytest.FixtureRequest) -> None:
    path = FOLDER / f"{stack}.json"
    seen = snapshot(recorded(stack))
    if request.config.getoption("--accept-snapshots"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(seen, "utf-8")
    assert path.exists(), "there is no snapshot yet: review it with --accept-snapshots"
    assert seen == path.read_text("utf-8"), "what the program registers has changed: review it, then --accept-snapshots"


@pytest.mark.row("C4")
@pytest.mark.parametrize("stack", STACKS)
def test_two_runs_register_the_same(stack: str) -> None:
    assert snapshot(record_stack(stack)) == snapshot(recorded(stack))


@pytest.mark.row("C4")
@pytest.mark.parametrize("stack", STACKS)
def test_a_preview_of_a_new_stack_runs_with_unknown_outputs(stack: str) -> None:
    """A first preview knows no epoch and no report: the program must not look into them."""
    recording = record_stack(stack, preview=True)
    assert {one.name for one in recording.resources} == {one.name for one in recorded(stack).resources}


@pytest.mark.row("C7")
def test_exports_name_every_host_and_what_the_next_page_asks_for() -> None:
    exports = recorded("prod").exports
    hosts = {one.name for one in recorded("prod").resources if one.type == "edge-hosts:index:EdgeHost"}
    assert set(exports["hosts"]) == hosts
    for facts in exports["hosts"].values():
        assert set(facts) - {"vm"} == {
            "address", "agentVersion", "arch", "checks", "epoch", "generation", "health", "movedByPalette", "nic",
            "release", "run", "state", "uid",
        }  # fmt: skip
    assert {name for name, facts in exports["hosts"].items() if "vm" in facts} == {
        one.name.removesuffix("-vm") for one in recorded("prod").resources if one.type.endswith(":VirtualMachine")
    }
    assert exports["profile"]["kubernetes"]["version"]
    assert exports["network"]["remote_pod_cidrs"]
    assert exports["firewall"]


@pytest.mark.row("C4")
def test_planning_production_is_quick() -> None:
    """Three seconds with the import are asked for; the recording alone is far below. Of the processor: others work, too."""
    began = time.process_time()
    record_stack("prod")
    assert time.process_time() - began < 3.0
