"""VMs of the lab: configured by the real cloud-init from their guest variables, and by nothing else."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_hand import CGROUPS, LabHand, traces, until
from vm_hand import USER, VmHand, defined, running

from edge.errors import LabError
from lab.network import Network
from lab.record import Record

pytestmark = pytest.mark.lab

BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


@pytest.fixture(scope="module")
def vm(lab: LabHand) -> Iterator[VmHand]:
    """Return a VM that is up and configured; tests leave it so."""
    with running(lab, "by-hand", 1) as found:
        yield found


@pytest.mark.row("A1", "A2", "A17")
def test_the_guest_is_what_its_guest_variables_say(vm: VmHand) -> None:
    name, user, root, link, route, server, state = vm.says(
        "hostname; id -un; sudo -n id -u; ip -brief -4 address show eth0; ip route show default;"
        " resolvectl dns eth0; systemctl is-system-running --wait"
    ).splitlines()
    block = vm.lab.site.block
    assert (name, user, root, state) == ("by-hand", USER, "0", "running")
    assert f"{vm.address}/24" in link
    assert f"via {block.gateway}" in route
    assert str(block.services) in server
    assert vm.shown()["cloudInit"] == {"state": "done", "errors": []}, "growpart on a disk without partitions, too"
    assert vm.shown()["guest"] == {"hostname": "by-hand", "ip": vm.address}
    assert vm.shown()["tools"] == "running"


@pytest.mark.row("A3")
def test_only_the_key_opens_it_and_the_host_key_is_the_given_one(vm: VmHand) -> None:
    keys = vm.says(
        "sudo ls /etc/ssh | grep ^ssh_host_; sudo getent shadow | cut -d: -f1,2 | grep -v ':[!*]' || echo none"
    )
    assert keys.splitlines() == ["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub", "none"]
    refused = vm.ssh("true", "-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password")
    assert "Permission denied (publickey)" in refused.stderr
    other = VmHand(vm.lab, vm.definition, vm.address, vm.lab.site.ssh("bare").host_key)
    assert "Host key verification failed" in other.ssh("true").stderr


def test_the_template_has_no_user_of_the_lab(vm: VmHand) -> None:
    assert vm.says("getent passwd edge asksudo || echo none") == "none"


@pytest.mark.row("A10")
def test_packages_come_from_the_lab_and_its_ca_is_trusted(vm: VmHand) -> None:
    text = vm.says(
        "sudo apt-get update -qq 2>&1; sudo apt-get install -y -qq --no-install-recommends curl >/dev/null 2>&1;"
        " curl -sS -o /dev/null -w '%{http_code}' https://github.com/"
    )
    assert text.isdigit(), text


def test_user_data_is_cleared_once_it_was_read(vm: VmHand) -> None:
    left = vm.shown()["guestinfo"]
    assert left["guestinfo.userdata"] == "---"
    assert left["guestinfo.userdata.encoding"].strip() == ""
    assert left["guestinfo.metadata"] == vm.definition["guestinfo"]["guestinfo.metadata"]
    # Whoever stands for the vCenter defines it again with what it knows: that is no change.
    assert vm.lab.client.define_vm(vm.definition)["guestinfo"] == left


@pytest.mark.row("A20")
def test_a_reboot_inside_keeps_it_on_and_is_not_a_first_boot(vm: VmHand) -> None:
    before = vm.says(f"{BOOT_ID}; cat /etc/machine-id; sudo sha256sum /etc/ssh/ssh_host_ed25519_key; echo kept >kept")
    boots = vm.shown()["boots"]
    vm.ssh("sudo systemctl reboot")
    vm.wait(boots + 1)
    after = vm.says(f"{BOOT_ID}; cat /etc/machine-id; sudo sha256sum /etc/ssh/ssh_host_ed25519_key; cat kept; hostname")
    assert after.splitlines()[0] != before.splitlines()[0]
    assert after.splitlines()[1:] == [*before.splitlines()[1:], "kept", "by-hand"]
    assert vm.shown()["cloudInit"] == {"state": "done", "errors": []}
    assert vm.shown()["state"] == "poweredOn"


def test_a_guest_that_powers_off_stays_off_until_it_is_switched_on(vm: VmHand) -> None:
    vm.ssh("sudo systemctl poweroff")
    until(lambda: vm.shown()["state"] == "poweredOff", 30, "power off")
    assert vm.shown()["tools"] == "notRunning"
    assert vm.shown()["guest"] == {"hostname": "", "ip": ""}
    vm.lab.ok("up", "--no-deploy")
    assert vm.shown()["state"] == "poweredOff", "what is on is decided by those who make VMs"
    boots = vm.shown()["boots"]
    assert vm.power("on")["state"] == "poweredOn"
    vm.wait(boots + 1)
    assert vm.answers()


def test_power_and_reset_of_the_virtual_hardware(vm: VmHand) -> None:
    first, boots = vm.says(BOOT_ID), vm.shown()["boots"]
    assert vm.power("reset")["state"] == "poweredOn"
    vm.wait(boots + 1)
    assert vm.says(BOOT_ID) != first
    assert vm.power("off")["state"] == "poweredOff"
    assert vm.power("off")["state"] == "poweredOff"
    assert not vm.answers()
    vm.power("on")
    assert vm.power("on")["boots"] == boots + 2, "switched on once"
    vm.wait(boots + 2)
    assert vm.power("shutdown")["state"] == "poweredOff"
    vm.power("on")
    vm.wait(boots + 3)


def test_it_is_a_machine_of_the_lab_by_its_name(vm: VmHand) -> None:
    lab = vm.lab
    assert lab.machines()["by-hand"]["address"] == vm.address
    assert lab.run("shell", "by-hand", "hostname").stdout.strip() == "by-hand"
    since = time.time()
    vm.says("true")
    assert lab.client.logins("by-hand", since - 1) >= 1
    vm.says("echo kept >kept-until-new")
    lab.client.power("reset", "by-hand")
    vm.wait()
    assert vm.ssh("test -e kept-until-new").returncode == 1, "as it was before its first boot"


@pytest.mark.parametrize("fault", ["link-down", "route-down", "dns-down"])
def test_faults_of_its_network_outlive_a_boot(vm: VmHand, fault: str) -> None:
    probes = {
        "link-down": "exec 3<>/dev/tcp/{gateway}/3128",
        "route-down": "exec 3<>/dev/tcp/{services}/443",
        "dns-down": "timeout 3 getent hosts github.com",
    }
    block = vm.lab.site.block
    probe = "timeout 3 bash -c '" + probes[fault].format(gateway=block.gateway, services=block.services) + "'"

    def works() -> bool:
        return vm.lab.run("shell", "by-hand", "bash", "-c", probe).returncode == 0

    assert works()
    vm.lab.client.fault(fault, "by-hand")
    try:
        assert not works()
        boots = vm.shown()["boots"]
        vm.power("reset")
        vm.wait(boots + 1)
        until(lambda: not works(), 10, "the fault again")
    finally:
        vm.lab.client.fault(fault, "by-hand", on=False)
    assert works()


def test_two_vms_share_nothing_and_a_destroyed_one_leaves_nothing(lab: LabHand, vm: VmHand) -> None:
    with running(lab, "other", 2) as other:
        assert other.says("hostname; cat /etc/machine-id") != vm.says("hostname; cat /etc/machine-id")
        assert other.host_key != vm.host_key
        assert vm.ssh(f"timeout 3 bash -c 'exec 3<>/dev/tcp/{other.address}/22'").returncode == 0, "one network"
        key = f"vm-{other.id}"
        cable = Network(lab.paths, Record(lab.paths.record), lab.site.block).cable_name(key, 0)
        assert Path("/sys/class/net", cable).exists()
    assert other.id not in {one["id"] for one in lab.client.vms()}
    assert not Path("/sys/class/net", cable).exists()
    assert not (lab.paths.netns / key).exists()
    assert not (lab.paths.vms / other.id).exists()
    assert not [path for base in CGROUPS for path in Path(base, lab.paths.prefix).glob(key)]
    assert not list(Path("/run/systemd/nspawn").glob(f"*/{lab.paths.prefix}-{key}"))
    assert not [entry for entry in Record(lab.paths.record).entries() if other.id in str(entry.facts)]
    assert lab.run("shell", "other", "id").returncode == 8
    lab.client.destroy_vm(other.id)


def test_a_vm_without_guest_variables_runs_unconfigured(lab: LabHand) -> None:
    vm = defined(lab, "empty", 3, guestinfo={})
    try:
        assert vm.power("on")["state"] == "poweredOn"
        until(lambda: lab.run("shell", "empty", "systemctl", "is-system-running").returncode == 0, 60, "boot")
        assert vm.shown()["guest"]["ip"] == ""
        assert lab.run("shell", "empty", "ls", "/sys/class/net").stdout.split() == ["ens192", "lo"]
        assert vm.power("shutdown")["state"] == "poweredOff"
    finally:
        lab.client.destroy_vm(vm.id)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": "../x"}, "is no id of a VM"),
        ({"mac": "00:50"}, "is no hardware address of a VM"),
        ({"name": "n" * 81}, "longer than 80 characters"),
        ({"uuid": ""}, "lacks uuid"),
        ({"colour": "red"}, "has no field colour"),
        ({"guestinfo": {"guestinfo.userdata": "x" * 200_000}}, "takes 130000"),
    ],
)
def test_a_definition_that_no_vm_can_have_is_refused(lab: LabHand, change: dict[str, object], words: str) -> None:
    good = {"id": "refused", "name": "refused", "uuid": "u", "mac": "00:50:56:3f:aa:99"}
    with pytest.raises(LabError, match=words):
        lab.client.define_vm(good | change)
    assert not (lab.paths.vms / "refused").exists()


def test_an_unknown_vm_or_action_is_refused(lab: LabHand, vm: VmHand) -> None:
    with pytest.raises(LabError, match="has no VM 'nobody'"):
        lab.client.power_vm("nobody", "on")
    with pytest.raises(LabError, match="has no action 'explode'"):
        vm.power("explode")


def test_vms_come_back_after_a_crash_and_go_with_the_lab(empty_lab: LabHand) -> None:
    empty_lab.ok("up", "--no-deploy")
    network = str(empty_lab.site.block.network)
    on, off = defined(empty_lab, "first", 1), defined(empty_lab, "second", 2)
    on.power("on")
    on.wait()
    on.says("echo kept >kept; sync")
    os.kill(empty_lab.daemon(), signal.SIGKILL)
    empty_lab.ok("up", "--no-deploy")
    on.wait()
    assert on.says("cat kept; hostname").split() == ["kept", "first"]
    assert off.shown()["state"] == "poweredOff"
    empty_lab.ok("down")
    assert traces(empty_lab.paths, network) == []
