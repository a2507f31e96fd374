"""The faults of the lab's machines: each is seen as it is meant, and is gone when it is switched off."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest
from lab_hand import LabHand, until

from edge.errors import LabError
from lab import faults

pytestmark = [pytest.mark.lab, pytest.mark.fault]


@contextlib.contextmanager
def broken(lab: LabHand, fault: str, machine: str = "bare") -> Iterator[None]:
    """Switch a fault on for a while."""
    lab.client.fault(fault, machine)
    try:
        assert fault in lab.machines()[machine]["faults"]  # type: ignore[operator]
        yield
    finally:
        lab.client.fault(fault, machine, on=False)
    assert fault not in lab.machines()[machine]["faults"]  # type: ignore[operator]


def works(lab: LabHand, machine: str = "bare") -> bool:
    return lab.ssh(machine, "sudo -n true").returncode == 0


@pytest.mark.row("A20")
def test_logins_are_refused_for_a_while_after_a_boot(lab: LabHand) -> None:
    with broken(lab, "nologin20"):
        assert works(lab), "only from the next boot on"
        began = time.monotonic()
        lab.client.power("restart", "bare")
        assert lab.ssh("bare", "true").returncode != 0
        assert "booting up" in lab.says("bare", "cat /run/nologin", user="root")
        until(lambda: works(lab), 30, "logins after a slow boot")
        assert 15 < time.monotonic() - began < 30
    lab.client.power("restart", "bare")
    assert works(lab)


@pytest.mark.row("A3")
@pytest.mark.parametrize("machine", ["bare", "jump"])
def test_a_port_that_accepts_and_stays_silent(lab: LabHand, machine: str) -> None:
    with broken(lab, "silent-port", machine):
        address = str(lab.site.plan(machine).address)
        with socket.create_connection((address, 22), timeout=3) as connection:
            connection.settimeout(2)
            with pytest.raises(TimeoutError):
                connection.recv(1)
        assert lab.ssh(machine, "true", seconds=15).returncode != 0
    assert works(lab, machine)


@pytest.mark.row("A19")
def test_open_and_new_sessions_are_cut(lab: LabHand) -> None:
    command = ["ssh", "-F", str(lab.paths.ssh / "config"), "bare", "echo here; sleep 20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as session:
        assert session.stdout is not None
        assert session.stdout.readline() == b"here\n"
        with broken(lab, "drop-connection"):
            assert session.wait(timeout=5) == 255
            began = time.monotonic()
            assert lab.ssh("bare", "sleep 20").returncode == 255
            assert time.monotonic() - began < 5
    assert works(lab)


@pytest.mark.row("A8")
def test_another_process_holds_the_package_locks_through_a_reboot(lab: LabHand) -> None:
    command = "sudo apt-get -qq -o DPkg::Lock::Timeout=0 install -y bash 2>&1; sudo apt-get -qq update 2>&1"
    with broken(lab, "apt-lock"):
        assert "Could not get lock" in lab.ssh("bare", command).stdout
        assert "unattended-upgr" in lab.says("bare", "ps -e -o args=")
        lab.client.power("restart", "bare")
        until(lambda: "unattended-upgr" in lab.says("bare", "ps -e -o args="), 5, "the lock after a reboot")
        assert "/var/lib/dpkg/lock-frontend" in lab.ssh("bare", command).stdout
    assert "lock" not in lab.ssh("bare", command).stdout


@pytest.mark.row("A3")
def test_sudo_asks_for_a_password(lab: LabHand) -> None:
    with broken(lab, "sudo-password"):
        assert "password is required" in lab.ssh("bare", "sudo -n true").stderr
    assert works(lab)


@pytest.mark.row("A5")
def test_dns_never_answers_one_machine(lab: LabHand) -> None:
    lookup = "timeout 8 getent hosts packages.lab.internal"
    with broken(lab, "dns-down", "jump"):
        assert lab.ssh("jump", lookup).returncode != 0
        assert lab.ssh("bare", lookup).returncode == 0
    assert lab.ssh("jump", lookup).returncode == 0


@pytest.mark.row("A4")
@pytest.mark.parametrize("machine", ["bare", "jumped", "proxied"])
def test_the_way_out_is_gone(lab: LabHand, machine: str) -> None:
    block = lab.site.block
    way = f"{block.gateway}/3128" if machine == "proxied" else f"{block.services}/443"
    probe = f"timeout 3 bash -c 'exec 3<>/dev/tcp/{way}'"
    assert lab.ssh(machine, probe).returncode == 0
    with broken(lab, "route-down", machine):
        assert lab.ssh(machine, probe).returncode != 0
    assert lab.ssh(machine, probe).returncode == 0


@pytest.mark.row("A3")
@pytest.mark.parametrize("machine", ["proxied", "jumped"])
def test_the_cable_is_pulled(lab: LabHand, machine: str) -> None:
    with broken(lab, "link-down", machine):
        assert lab.ssh(machine, "true", seconds=20).returncode == 255
    assert works(lab, machine)


@pytest.mark.row("A20")
@pytest.mark.parametrize("fault", ["reboot-now", "power-cut"])
def test_a_reboot_at_the_wrong_moment(lab: LabHand, fault: str) -> None:
    before = lab.says("bare", "cat /proc/sys/kernel/random/boot_id")
    lab.client.fault(fault, "bare")
    assert lab.machines()["bare"]["faults"] == []

    def again() -> bool:
        done = lab.ssh("bare", "cat /proc/sys/kernel/random/boot_id")
        return done.returncode == 0 and done.stdout.strip() != before

    until(again, 15, f"the machine after {fault}")


def test_faults_leave_no_trace_on_the_disk(lab: LabHand) -> None:
    lab.client.power("reset", "proxied")
    listing = "sudo find /etc /usr /home /opt /root -newer /etc/hostname -type f | grep -v -e /etc/machine-id | sort"
    before = lab.says("proxied", listing)
    for fault in ("nologin20", "silent-port", "drop-connection", "dns-down", "route-down", "link-down"):
        lab.client.fault(fault, "proxied")
        lab.client.fault(fault, "proxied", on=False)
    assert lab.says("proxied", listing) == before


def test_all_faults_are_switched_off_at_once(lab: LabHand) -> None:
    lab.client.fault("dns-down", "bare")
    lab.client.fault("link-down", "proxied")
    lab.client.fault("repo-down")
    assert "every fault is off" in lab.ok("fault", "--clear")
    status = lab.client.status()
    assert all(machine["faults"] == [] for machine in status["machines"].values())
    assert status["services"]["faults"] == []
    assert works(lab, "proxied")


def test_a_wrong_fault_is_refused(lab: LabHand) -> None:
    for name, host, part in (
        ("no-such-fault", "bare", "use one of agent-crash"),
        ("link-down", None, "name one of bare"),
        ("link-down", "nobody", "name one of bare"),
    ):
        with pytest.raises(LabError, match=part):
            lab.client.fault(name, host)


def test_every_fault_is_listed_for_a_person(lab: LabHand) -> None:
    text = lab.ok("fault")
    for name in faults.CATALOGUE:
        assert name in text
