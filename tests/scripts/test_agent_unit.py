"""The unit that installs: SSH before, during and after it, its exact environment, and what nobody may see."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scripts.step_machine import (
    BOOT_TWO,
    NOTHING,
    PROXY_PASSWORD,
    REBOOTS,
    STATE,
    TOKEN,
    Ended,
    Machine,
    canaries,
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


@pytest.mark.row("A19")
@pytest.mark.parametrize(("system", "ssh"), [("debian", "ssh.service"), ("rhel", "sshd.service")])
def test_ssh_stops_before_the_installer_runs_and_the_timer_is_set_first(tmp_path: Path, system: str, ssh: str) -> None:
    machine = Machine(tmp_path, system)
    machine.has_everything()
    machine.offers()
    machine.wants()
    assert machine.run("agent").code == 0
    timer, unit = machine.calls("systemd-run")
    assert "--on-active=1800" in timer
    assert "--timer-property=AccuracySec=1s" in timer
    assert "--property=KillMode=process" in unit
    assert "--property=RuntimeMaxSec=" in unit
    assert machine.unit(ssh) == "active"
    machine.run_unit()
    assert machine.unit(ssh) == "inactive"  # the machine is about to reboot: nobody may log in before


@pytest.mark.row("A19")
def test_both_socket_and_service_stop_and_come_back_sockets_first(machine: Machine) -> None:
    machine.set_unit("ssh.socket")
    assert machine.run("agent").code == 0
    assert "EH_U_SSH=ssh.socket\\ ssh.service" in machine.read(f"{STATE}/unit")
    machine.run_unit(kill=True)
    assert (machine.unit("ssh.socket"), machine.unit("ssh.service")) == ("active", "active")


@pytest.mark.row("A19")
def test_an_installer_that_is_killed_half_way_brings_ssh_back_and_is_run_again(machine: Machine) -> None:
    assert machine.run("agent").code == 0
    machine.write("/opt/spectrocloud/bin/palette-agent", "#!/bin/bash\nexit 1\n", 0o755)
    machine.run_unit(kill=True)
    assert machine.unit("ssh.service") == "active"
    assert machine.read(f"{STATE}/install.result") == "install signal 137\n"
    machine.reboot()
    machine.forget_calls()
    done = machine.run("agent")
    assert (done.code, done.outcome) == (0, "changed"), done.err
    # What was downloaded and is pinned is still the right thing.
    assert effects(machine) == {"downloads": 0, "restarts": 0, "units": ["install"]}
    assert machine.record()["boot_before"] == BOOT_TWO


@pytest.mark.row("A19")
def test_an_installer_that_fails_brings_ssh_back(machine: Machine) -> None:
    machine.write_note("www/palette-agent-install.sh", "#!/bin/bash\necho no space left\nexit 3\n")
    assert machine.run("agent", EH_SCRIPT_SHA256="").code == 0
    assert machine.run_unit() == 3
    assert machine.unit("ssh.service") == "active"
    assert "no space left" in machine.read(f"{STATE}/install.log")


@pytest.mark.row("A19")
def test_an_installer_that_ends_well_without_a_reboot_brings_ssh_back_after_a_while(machine: Machine) -> None:
    assert machine.run("agent").code == 0
    machine.behaviour("systemctl", 'rm -f "$MACHINE/stopping"\n')
    assert machine.run_unit() == 0
    assert machine.unit("ssh.service") == "active"
    machine.behaviour("systemctl", "")
    machine.reboot("11111111-1111-1111-1111-111111111111")
    machine.forget_calls()
    assert machine.run("agent").outcome == "changed"
    assert effects(machine) == REBOOTS


@pytest.mark.row("A19")
def test_a_unit_that_cannot_be_started_leaves_ssh_up(machine: Machine) -> None:
    machine.behaviour("systemd-run", 'case "$*" in *edge-hosts-install*) exit 1 ;; esac\n')
    done = machine.run("agent")
    assert done.code == 40
    assert machine.unit("ssh.service") == "active"
    machine.behaviour("systemd-run", "")
    assert machine.run("agent").outcome == "changed"


@pytest.mark.row("A19")
def test_a_session_that_would_die_with_sshd_is_spared(machine: Machine) -> None:
    machine.set_unit("ssh.service", killmode="control-group")
    assert machine.run("agent").code == 0
    assert "KillMode=process" in machine.read("/run/systemd/system/ssh.service.d/zz-edge-hosts.conf")
    assert "systemctl daemon-reload" in machine.calls("systemctl")


def test_the_same_epochs_unit_is_attached_to_and_nothing_is_changed(machine: Machine) -> None:
    assert machine.run("agent").code == 0
    machine.forget_calls()
    before = machine.snapshot()
    machine.wants(colour="green")
    done = machine.run("agent")
    assert (done.code, done.outcome) == (0, "unchanged")
    assert "is at work already" in done.err
    assert machine.snapshot() == before
    assert effects(machine) == NOTHING


def test_another_epochs_unit_is_waited_for_and_then_refused(machine: Machine) -> None:
    assert machine.run("agent").code == 0
    machine.wants(epoch=OTHER_EPOCH)
    done = machine.run("agent", EH_INSTALL_WAIT="2")
    assert done.code == 41
    assert f"edge-hosts-install-{'a' * 16}" in done.err


@pytest.mark.row("A19", "A14")
def test_the_installer_gets_exactly_the_documented_environment(machine: Machine) -> None:
    proxy = f"http://edge:{PROXY_PASSWORD}@10.0.0.2:3128"
    machine.values |= {"EH_PROXY_HTTP": proxy, "EH_PROXY_HTTPS": proxy, "EH_NO_PROXY": "10.0.0.0/8"}
    assert machine.run("agent").code == 0
    assert machine.run_unit() == 0
    lines = dict(line.split("=", 1) for line in machine.note("installer-environment").splitlines())
    work = machine.root / "opt/palette-agent"
    assert lines["USERDATA"] == f"{machine.root}{STATE}/user-data"
    assert lines["URL"] == f"file://{work}/agent-verified"
    assert lines["HOME"] == "/root"
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        assert lines[name] == proxy
    assert lines["NO_PROXY"] == lines["no_proxy"] == "10.0.0.0/8"
    bash_own = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert set(lines) - bash_own == {
        "PATH",
        "HOME",
        "LANG",
        "USERDATA",
        "URL",
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "no_proxy",
    }


@pytest.mark.row("A19")
def test_a_given_image_reaches_the_installer_and_a_stray_one_does_not(machine: Machine) -> None:
    assert machine.run("agent", EH_AGENT_IMAGE="registry.example/stylus:v1").code == 0
    assert machine.run_unit() == 0
    assert "IMAGE=registry.example/stylus:v1\n" in machine.note("installer-environment")
    assert "stray" not in machine.note("installer-environment")


@pytest.mark.row("A13", "A19")
def test_neither_token_nor_proxy_password_is_ever_shown(installed: Machine) -> None:
    """The first run (its calls are forgotten) and five kinds of later ones."""
    proxy = f"http://edge:{PROXY_PASSWORD}@10.0.0.2:3128"
    installed.values |= {"EH_PROXY_HTTP": proxy, "EH_PROXY_HTTPS": proxy}
    runs: list[Ended] = [installed.run("agent")]
    installed.wants(colour="green")
    runs.append(installed.run("agent"))
    installed.offers("4.9.39")
    runs.append(installed.run("agent"))
    installed.run_unit()
    installed.reboot("3" * 8)
    installed.wants(epoch=OTHER_EPOCH)
    runs.append(installed.run("agent"))
    installed.run_unit()
    installed.reboot("4" * 8)
    runs.append(installed.run("agent", "uninstall"))
    shown = installed.everything_shown() + "".join(run.out + run.err for run in runs)
    for canary in canaries():
        assert canary not in shown
        assert canary not in installed.read(f"{STATE}/log")


@pytest.mark.row("A13")
def test_files_with_the_token_are_roots_alone(machine: Machine) -> None:
    machine.run("agent")
    for name in ("user-data", "install.json", "unit"):
        assert machine.path(f"{STATE}/{name}").stat().st_mode & 0o777 == 0o600
    assert machine.path(STATE).stat().st_mode & 0o777 == 0o700
    assert TOKEN not in machine.read(f"{STATE}/install.json")
