"""Whose agent is on a host, and taking our own away again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scripts.step_machine import NOTHING, RESTARTS, STATE, Machine, effects, prepared, with_agent


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a prepared machine without an agent."""
    return prepared(tmp_path)


@pytest.fixture
def installed(tmp_path: Path) -> Machine:
    """Return a machine with an agent, on which nothing differs."""
    return with_agent(tmp_path)


def test_an_agent_that_we_did_not_install_is_left_alone(machine: Machine) -> None:
    machine.has_agent()
    done = machine.run("agent")
    assert done.code == 40
    assert "an agent that this program did not install" in done.err
    assert effects(machine) == NOTHING


def test_the_agent_of_another_stack_is_left_alone(installed: Machine) -> None:
    done = installed.run("agent", EH_OWNER="edge-hosts.other-prod")
    assert done.code == 40
    assert "the agent of edge-hosts.plant-12-prod" in done.err


def test_a_lost_state_folder_does_not_make_a_healthy_host_foreign(installed: Machine) -> None:
    for path in installed.path(STATE).iterdir():
        path.unlink()
    done = installed.run("agent")
    assert (done.code, done.outcome) == (0, "changed"), done.err
    assert effects(installed) == RESTARTS
    assert installed.record()["epoch"] == "a" * 16
    assert installed.run("agent").outcome == "unchanged"


@pytest.mark.parametrize("epoch", ["", "short", "G" * 16])
def test_an_epoch_that_is_none_is_refused(machine: Machine, epoch: str) -> None:
    assert machine.run("agent", EH_EPOCH=epoch).code == 90


def test_uninstall_takes_agent_token_and_state_away_and_keeps_the_log(installed: Machine) -> None:
    installed.write("/opt/bin/kubectl", "shared")
    done = installed.run("agent", "uninstall")
    assert (done.code, done.outcome) == (0, "changed"), done.err
    assert installed.calls("palette-agent") == ["palette-agent uninstall --force"]
    left = {path.name for path in installed.path(STATE).iterdir()}
    assert left == {"log", "uninstall.log"}
    assert not installed.path("/oem/userdata").exists()
    assert not installed.path("/opt/palette-agent").exists()
    assert installed.path("/opt/bin/kubectl").exists()
    assert installed.run("agent", "uninstall").outcome == "unchanged"


def test_uninstall_where_nothing_is_installed_is_a_success_and_writes_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for path in machine.path(STATE).iterdir():
        path.unlink()
    machine.path(STATE).rmdir()
    before = machine.snapshot()
    done = machine.run("agent", "uninstall")
    assert (done.code, done.outcome) == (0, "unchanged"), done.err
    assert machine.snapshot() == before


def test_an_uninstaller_that_leaves_something_is_not_believed(installed: Machine) -> None:
    installed.write("/opt/spectrocloud/bin/palette-agent", "#!/bin/bash\necho 'step 3 failed'\nexit 0\n", 0o755)
    done = installed.run("agent", "uninstall")
    assert done.code == 70
    assert "/opt/spectrocloud/bin/palette-agent" in done.err
    assert "unit spectro-stylus-agent.service" in done.err
    assert "step 3 failed" in done.err
    assert installed.path(f"{STATE}/install.json").exists()


def test_uninstall_stops_an_installer_that_is_at_work(machine: Machine) -> None:
    assert machine.run("agent").code == 0
    done = machine.run("agent", "uninstall")
    assert done.code == 0
    unit = f"edge-hosts-install-{'a' * 16}.service"
    assert f"systemctl stop {unit}" in machine.calls("systemctl")
    assert not machine.path(f"{STATE}/user-data").exists()


def test_uninstall_leaves_the_agent_of_another_stack_alone(installed: Machine) -> None:
    done = installed.run("agent", "uninstall", EH_OWNER="edge-hosts.other-prod")
    assert (done.code, done.outcome) == (0, "unchanged")
    assert installed.path("/opt/spectrocloud/bin/palette-agent").exists()


def test_an_unknown_verb_is_refused(machine: Machine) -> None:
    assert machine.run("agent", "upgrade").code == 90
