"""The look after the reboot, on scripted machines: boot id, units, version, VMXNET3 offload, SSH."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scripts.step_machine import BOOT_ONE, PROXY_PASSWORD, STATE, TOKEN, Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine whose installer has run and that has rebooted."""
    machine = Machine(tmp_path)
    machine.has_everything()
    machine.offers()
    machine.wants()
    machine.values |= {"EH_STARTED_TIMEOUT": "2", "EH_OFFLOAD_TRIES": "1"}
    assert machine.run("agent").code == 0
    assert machine.run_unit() == 0
    machine.reboot()
    machine.forget_calls()
    return machine


@pytest.mark.row("A20")
def test_a_host_that_came_up_is_ok_and_says_the_same_every_time(machine: Machine) -> None:
    first = machine.run("started")
    assert (first.code, first.outcome) == (0, "ok"), first.err
    assert first.report["facts"] == {"agent_version": "4.9.38", "agent_unit": "spectro-stylus-agent.service"}
    before = machine.snapshot()
    assert machine.run("started").out == first.out
    assert machine.snapshot() == before


@pytest.mark.row("A20")
def test_what_only_the_installation_needed_is_gone_afterwards(machine: Machine) -> None:
    machine.run("started")
    assert not machine.path("/opt/palette-agent").exists()
    assert not machine.path(f"{STATE}/unit").exists()
    assert machine.path(f"{STATE}/install.json").exists()
    assert machine.path(f"{STATE}/install.log").exists()


def test_an_operators_own_files_in_the_work_folder_stay(machine: Machine) -> None:
    machine.write("/opt/palette-agent/notes.txt", "mine")
    machine.run("started")
    assert [path.name for path in machine.path("/opt/palette-agent").iterdir()] == ["notes.txt"]


@pytest.mark.row("A20")
def test_a_machine_that_did_not_reboot_shows_how_the_installer_ended(machine: Machine) -> None:
    machine.reboot(BOOT_ONE)
    machine.write(f"{STATE}/install.result", "install exit-code 3\n")
    machine.write(
        f"{STATE}/install.log",
        f"fetching\nusing edgeHostToken {TOKEN}\nproxy http://edge:{PROXY_PASSWORD}@10.0.0.2:3128\nno space left on device\n",
    )
    done = machine.run("started")
    assert done.code == 60
    assert "ended with: install exit-code 3" in done.err
    assert "no space left on device" in done.err
    assert TOKEN not in done.err + done.out
    assert PROXY_PASSWORD not in done.err + done.out


@pytest.fixture
def failed(tmp_path: Path) -> Machine:
    """Return a machine whose installer was killed half way: SSH is back, it did not reboot."""
    machine = Machine(tmp_path)
    machine.has_everything()
    machine.offers()
    machine.wants()
    machine.values |= {"EH_STARTED_TIMEOUT": "2"}
    assert machine.run("agent").code == 0
    machine.run_unit(kill=True)
    (machine.notes / f"units/edge-hosts-install-{'a' * 16}.service/active").write_text("failed")
    machine.forget_calls()
    return machine


@pytest.mark.row("A19", "A20")
def test_a_failed_installation_is_told_once_and_started_again_by_the_next_run(failed: Machine) -> None:
    """For the engine the installation step has succeeded: only this step can repeat it."""
    first = failed.run("started")
    assert first.code == 60
    assert "ended with: install signal 137" in first.err
    assert "the next run installs again" in first.err
    assert failed.started_units() == []
    second = failed.run("started")
    assert second.code == 60
    assert "pending: " in second.err
    assert failed.started_units() == ["install"]
    assert failed.downloads() == 0
    assert failed.run_unit() == 0
    failed.reboot()
    third = failed.run("started")
    assert (third.code, third.outcome) == (0, "ok"), third.err


@pytest.mark.row("A20")
def test_a_machine_that_lost_power_in_the_installation_is_installed_again(failed: Machine) -> None:
    failed.path(f"{STATE}/install.result").unlink()
    failed.reboot()
    first = failed.run("started")
    assert first.code == 61
    assert "there is no agent on it" in first.err
    assert failed.run("started").code == 60
    assert failed.started_units() == ["install"]
    assert failed.record()["boot_before"].startswith("2222")


@pytest.mark.row("A20")
def test_an_installer_that_forgot_to_reboot_leads_to_a_reboot_only(machine: Machine) -> None:
    machine.reboot(BOOT_ONE)
    machine.write(f"{STATE}/install.result", "install success 0\n")
    assert machine.run("started").code == 60
    assert machine.run("started").code == 60
    assert machine.started_units() == ["reboot"]
    machine.run_unit()
    machine.reboot()
    assert machine.run("started").code == 0


def test_nothing_is_started_again_when_what_was_verified_is_gone(failed: Machine) -> None:
    failed.path("/opt/palette-agent/agent-verified").unlink()
    for _ in range(3):
        assert failed.run("started").code == 60
    assert failed.started_units() == []


@pytest.mark.row("A20")
def test_an_installer_that_is_still_at_work_is_waited_for(machine: Machine) -> None:
    machine.reboot(BOOT_ONE)
    machine.set_unit(f"edge-hosts-install-{'a' * 16}.service")
    done = machine.run("started")
    assert done.code == 60
    assert "is still at work" in done.err


@pytest.mark.row("A20")
def test_no_new_boot_is_asked_for_where_a_restart_was_enough(machine: Machine) -> None:
    machine.wants(epoch="b" * 16)
    assert machine.run("agent", EH_ALLOW_REBOOT="0").code == 0
    assert machine.run("started").code == 0


def test_the_record_of_another_epoch_is_no_success(machine: Machine) -> None:
    machine.wants(epoch="b" * 16)
    done = machine.run("started")
    assert done.code == 60
    assert "was not installed on this host" in done.err


@pytest.mark.row("A20")
@pytest.mark.parametrize("unit", ["spectro-palette-agent-start", "stylus-agent", "palette-agent"])
def test_every_name_of_the_agents_unit_counts(machine: Machine, unit: str) -> None:
    machine.remove_unit("spectro-stylus-agent.service")
    machine.set_unit(f"{unit}.service")
    assert machine.run("started").report["facts"]["agent_unit"] == f"{unit}.service"


@pytest.mark.row("A20")
def test_a_stage_of_the_boot_is_not_the_agent(machine: Machine) -> None:
    machine.set_unit("spectro-palette-agent-start.service")
    machine.set_unit("spectro-stylus-agent.service", active="activating")
    assert machine.run("started").code == 61


@pytest.mark.row("A20")
@pytest.mark.parametrize("state", ["failed", "activating", "inactive"])
def test_a_unit_that_does_not_come_up_is_named_with_the_log(machine: Machine, state: str) -> None:
    machine.set_unit("spectro-stylus-agent.service", active=state)
    machine.write(f"{STATE}/install.log", "registration is not possible\n")
    done = machine.run("started")
    assert done.code == 61
    assert "spectro-stylus-agent.service" in done.err
    assert "registration is not possible" in done.err
    assert "journalctl" in done.err


@pytest.mark.row("A20", "A21")
@pytest.mark.parametrize(("version", "code"), [("4.9.37", 62), ("4.9.38-rc.1", 62), ("4.9.38", 0), ("4.10.0", 0)])
def test_an_older_agent_is_red_and_a_newer_one_is_a_finding(machine: Machine, version: str, code: int) -> None:
    machine.write("/opt/spectrocloud/version", version)
    done = machine.run("started")
    assert done.code == code
    if version == "4.10.0":
        assert done.row("started.version")["seen"] == "agent 4.10.0, moved by Palette"


@pytest.mark.row("A18")
def test_any_version_will_do_where_the_release_says_latest(machine: Machine) -> None:
    machine.write("/opt/spectrocloud/version", "3.0.0")
    assert machine.run("started", EH_AGENT_VERSION="latest").code == 0


def test_a_tag_whose_agent_has_another_version_is_a_finding(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.has_everything()
    machine.offers("4.10.0", baked="4.9.23-rc.2")
    machine.wants()
    assert machine.run("agent").code == 0
    assert machine.run_unit() == 0
    machine.reboot()
    done = machine.run("started")
    assert done.code == 0
    assert "4.9.23-rc.2" in done.row("started.version")["seen"]


# --- VMXNET3 ---------------------------------------------------------------------------------------------------------------

OFF = "tx-udp_tnl-segmentation: off [fixed]\ntx-udp_tnl-csum-segmentation: off\n"
ON = "tx-udp_tnl-segmentation: on\n\ttx-udp_tnl-csum-segmentation: off\n"


def card(machine: Machine, name: str, driver: str) -> None:
    device = machine.path(f"/sys/class/net/{name}/device")
    device.mkdir(parents=True)
    (device / "driver").symlink_to(f"../../../bus/drivers/{driver}")


@pytest.mark.row("A17")
@pytest.mark.parametrize("wanted", ["auto", "on"])
def test_offload_that_is_still_on_is_red_and_green_again_when_it_is_off(machine: Machine, wanted: str) -> None:
    card(machine, "ens160", "vmxnet3")
    machine.write_note("ethtool", ON)
    done = machine.run("started", EH_VMXNET3=wanted)
    assert done.code == 63
    assert "ens160 tx-udp_tnl-segmentation" in done.err
    assert "csum" not in done.err.split("Fix:")[0]
    machine.write_note("ethtool", OFF)
    done = machine.run("started", EH_VMXNET3=wanted)
    assert (done.code, done.report["facts"]["offload_off"]) == (0, "ens160")


@pytest.mark.row("A17")
def test_cards_of_other_makers_and_vmxnet3_off_are_not_looked_at(machine: Machine) -> None:
    machine.write_note("ethtool", ON)
    card(machine, "eth0", "virtio_net")
    assert machine.run("started", EH_VMXNET3="auto").code == 0
    card(machine, "ens160", "vmxnet3")
    assert machine.run("started", EH_VMXNET3="off").code == 0
    assert machine.calls("ethtool") == []


@pytest.mark.row("A17")
def test_on_without_such_a_card_is_a_finding_and_a_named_card_is_looked_at(machine: Machine) -> None:
    assert machine.run("started", EH_VMXNET3="on").row("started.offload")["status"] == "warn"
    machine.write_note("ethtool", ON)
    assert machine.run("started", EH_VMXNET3="on", EH_VMXNET3_NIC="eth7").code == 63


# --- SSH ----------------------------------------------------------------------------------------------------------------------


def test_ssh_that_will_not_start_at_the_next_boot_is_a_finding(machine: Machine) -> None:
    machine.set_unit("ssh.service", enabled="disabled")
    assert machine.run("started").row("started.ssh")["status"] == "warn"


def test_the_timer_that_starts_ssh_again_is_cancelled(machine: Machine) -> None:
    machine.run("started")
    assert f"systemctl stop edge-hosts-ssh-{'a' * 16}.timer" in machine.calls("systemctl")
