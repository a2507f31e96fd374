"""The installation on scripted machines: each line of "what a difference leads to", counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scripts.step_machine import (
    BOOT_TWO,
    INSTALLS,
    NOTHING,
    REBOOTS,
    RESTARTS,
    STATE,
    Machine,
    effects,
    prepared,
    with_agent,
)

OTHER_EPOCH = "b" * 16


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a prepared machine without an agent."""
    return prepared(tmp_path)


@pytest.fixture
def installed(tmp_path: Path) -> Machine:
    """Return a machine with an agent, on which nothing differs."""
    return with_agent(tmp_path)


@pytest.mark.row("A18", "A19", "A20")
def test_nothing_installed_leads_to_an_installation_and_a_reboot(machine: Machine) -> None:
    done = machine.run("agent")
    assert (done.code, done.outcome) == (0, "changed"), done.err
    assert effects(machine) == INSTALLS
    record = machine.record()
    assert record["epoch"] == "a" * 16
    assert record["reboot"] == "needed"
    assert record["boot_before"].startswith("1111")
    assert record["unit"] == f"edge-hosts-install-{'a' * 16}"
    assert record["version"] == record["expects"] == "4.9.38"
    assert machine.run_unit() == 0
    assert machine.calls("palette-agent")[0].startswith(
        "palette-agent install --source example/stylus:v4.9.38 --config "
    )


def test_nothing_different_leads_to_nothing(installed: Machine) -> None:
    before = installed.snapshot()
    done = installed.run("agent")
    assert (done.code, done.outcome) == (0, "unchanged"), done.err
    assert effects(installed) == NOTHING
    assert installed.snapshot() == before


@pytest.mark.row("A13")
def test_a_new_token_leads_to_new_user_data_and_nothing_is_restarted(installed: Machine) -> None:
    installed.wants(token="another-token")
    assert installed.run("agent").outcome == "changed"
    assert effects(installed) == NOTHING
    assert "another-token" in installed.read("/oem/userdata")
    assert "another-token" in installed.read(f"{STATE}/user-data")
    assert installed.run("agent").outcome == "unchanged"


@pytest.mark.row("A16")
def test_a_changed_tag_proxy_or_ca_leads_to_a_restart_of_the_agent(installed: Machine) -> None:
    installed.wants(colour="green")
    assert installed.run("agent").outcome == "changed"
    assert effects(installed) == RESTARTS
    assert "colour: green" in installed.read("/oem/userdata")
    installed.forget_calls()
    assert installed.run("agent").outcome == "unchanged"
    assert effects(installed) == NOTHING


@pytest.mark.row("A18")
def test_a_newer_release_leads_to_an_installation_and_a_reboot(installed: Machine) -> None:
    installed.offers("4.9.39")
    assert installed.run("agent").outcome == "changed"
    assert effects(installed) == INSTALLS
    assert installed.run_unit() == 0
    installed.reboot("3" * 8)
    installed.forget_calls()
    assert installed.run("agent").outcome == "unchanged"
    assert effects(installed) == NOTHING


@pytest.mark.row("A21")
def test_an_agent_that_palette_moved_on_is_kept_with_a_finding(installed: Machine) -> None:
    installed.write("/opt/spectrocloud/version", "4.10.2")
    done = installed.run("agent")
    assert done.outcome == "unchanged"
    assert done.row("agent.version")["seen"] == "agent 4.10.2, moved by Palette"
    assert effects(installed) == NOTHING


def test_a_new_epoch_leads_to_a_reboot_where_that_is_allowed(installed: Machine) -> None:
    installed.wants(epoch=OTHER_EPOCH)
    assert installed.run("agent").outcome == "changed"
    assert effects(installed) == REBOOTS
    record = installed.record()
    assert (record["epoch"], record["reboot"], record["boot_before"]) == (OTHER_EPOCH, "needed", BOOT_TWO)
    assert installed.run_unit() == 0
    installed.reboot("3" * 8)
    installed.forget_calls()
    assert installed.run("agent").outcome == "unchanged"
    assert effects(installed) == NOTHING


def test_a_new_epoch_leads_to_a_restart_where_no_reboot_is_allowed(installed: Machine) -> None:
    installed.wants(epoch=OTHER_EPOCH)
    assert installed.run("agent", EH_ALLOW_REBOOT="0").outcome == "changed"
    assert effects(installed) == RESTARTS
    assert (installed.record()["epoch"], installed.record()["reboot"]) == (OTHER_EPOCH, "not-needed")
    assert OTHER_EPOCH in installed.read("/oem/userdata")
    assert installed.run("agent", EH_ALLOW_REBOOT="0").outcome == "unchanged"


def test_an_agent_of_another_generation_is_an_error_here(installed: Machine) -> None:
    done = installed.run("agent", EH_GENERATION="2")
    assert done.code == 70
    assert "run the preparation again" in done.err
    assert effects(installed) == NOTHING


def test_user_data_that_somebody_edited_is_put_right_with_a_restart(installed: Machine) -> None:
    installed.write(f"{STATE}/user-data", "#cloud-config\nother: yes\n")
    assert installed.run("agent").outcome == "changed"
    assert effects(installed) == RESTARTS
    assert installed.run("agent").outcome == "unchanged"


def test_a_restart_that_broke_off_is_done_again(installed: Machine) -> None:
    installed.wants(colour="green")
    installed.set_unit("spectro-stylus-agent.service", broken="yes")
    done = installed.run("agent")
    assert done.code == 61
    installed.set_unit("spectro-stylus-agent.service", broken="no", active="failed")
    installed.forget_calls()
    assert installed.run("agent").outcome == "changed"
    assert effects(installed) == RESTARTS
    assert installed.run("agent").outcome == "unchanged"


def test_a_tag_whose_version_inside_differs_is_not_installed_again_and_again(machine: Machine) -> None:
    """The vendor's tag v4.10.0 holds an agent that calls itself 4.9.23-rc.2."""
    machine.offers("4.10.0", baked="4.9.23-rc.2")
    assert machine.run("agent").code == 0
    assert machine.run_unit() == 0
    machine.reboot()
    machine.forget_calls()
    assert machine.run("agent").outcome == "unchanged"
    assert effects(machine) == NOTHING
    assert machine.record()["expects"] == "4.9.23-rc.2"


@pytest.mark.row("A20")
def test_a_first_installation_without_allow_reboot_is_refused_before_any_download(machine: Machine) -> None:
    before = machine.snapshot()
    done = machine.run("agent", EH_ALLOW_REBOOT="0")
    assert done.code == 50
    assert "allowReboot: true" in done.err
    assert effects(machine) == NOTHING
    assert machine.snapshot() == before


@pytest.mark.row("A20")
def test_an_upgrade_without_allow_reboot_is_refused(installed: Machine) -> None:
    installed.offers("4.9.39")
    done = installed.run("agent", EH_ALLOW_REBOOT="0")
    assert done.code == 50
    assert "4.9.38 is older than 4.9.39" in done.err
    assert effects(installed) == NOTHING
