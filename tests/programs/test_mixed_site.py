"""A site with agent hosts, an appliance VM and a bare-metal appliance from a given image: its reviewed snapshot."""

from __future__ import annotations

import functools

import pytest

from components.testing import Recording
from tests.components.appliance_site import BARE, VM, record
from tests.components.harness import recorded
from tests.programs.snapshot import snapshot
from tests.programs.test_stacks import FOLDER

# Where an agent has a step, an appliance installs itself.
ROLES = {
    VM: {"claim", "installer", "machine", "vm", "registration", "boot", "checks", "healthy", "media"},
    BARE: {"claim", "machine", "registration", "site-iso", "healthy", "checks", "media"},
}


@functools.cache
def mixed() -> Recording:
    return record()


@pytest.mark.row("B14", "B17")
def test_a_mixed_site_matches_its_reviewed_snapshot(request: pytest.FixtureRequest) -> None:
    path = FOLDER / "mixed-site.json"
    seen = snapshot(mixed())
    if request.config.getoption("--accept-snapshots"):
        path.write_text(seen, "utf-8")
    assert path.exists(), "there is no snapshot yet: review it with --accept-snapshots"
    assert seen == path.read_text("utf-8"), "what the program registers has changed: review it, then --accept-snapshots"


@pytest.mark.row("B14", "B17")
@pytest.mark.parametrize("host", sorted(ROLES))
def test_an_appliance_has_its_own_chain_and_no_step_of_an_agent(host: str) -> None:
    names = {one.name for one in mixed().resources}
    assert {name.removeprefix(f"{host}-") for name in names if name.startswith(f"{host}-")} == ROLES[host]


@pytest.mark.row("C4")
def test_two_runs_of_a_mixed_site_register_the_same() -> None:
    assert snapshot(record()) == snapshot(mixed())


@pytest.mark.row("C7")
def test_a_given_image_is_only_taken_and_an_agent_exports_nothing_of_it() -> None:
    types = {one.type.rpartition(":")[2] for one in mixed().resources}
    assert not types & {"InstallerBuild", "InstallerIso", "InstallerImage"}
    assert {"InstallerBuild", "InstallerIso"} <= {one.type.rpartition(":")[2] for one in recorded("lab").resources}
    hosts = mixed().exports["hosts"]
    assert {name for name, facts in hosts.items() if "appliance" in facts} == {VM, BARE}
    agent = {name: facts for name, facts in recorded("lab").exports["hosts"].items() if name != VM}
    assert {name: {**hosts[name], "run": ""} for name in agent} == {name: {**agent[name], "run": ""} for name in agent}
