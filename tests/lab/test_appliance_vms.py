"""A machine of the lab installs itself from an ISO, powers off, boots from its disk, reads its own medium and registers."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from appliance_hand import (
    NEITHER,
    POWEROFF,
    REBOOT,
    Appliance,
    appliance,
    installer_iso,
    packed_root,
    registered,
    site_file,
    site_medium,
)
from lab_hand import LabHand, until

from edge.errors import LabError
from edge.site_iso import site_iso

pytestmark = [pytest.mark.lab, pytest.mark.row("B14")]
DISK_FIRST = ["disk", "cdrom"]


@pytest.fixture(scope="module")
def rootfs(lab: LabHand, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed_root(lab, tmp_path_factory.mktemp("root"))


@pytest.fixture
def store(lab: LabHand) -> Path:
    place = lab.paths.datastores / "ssd-1" / "isos"
    place.mkdir(exist_ok=True)
    return place


@pytest.fixture
def made(lab: LabHand) -> Iterator[Appliance]:
    """Return a VM with a blank disk, off."""
    vm = appliance(lab, "by-hand", 7, boot_order=DISK_FIRST)
    yield vm
    lab.client.destroy_vm(vm.id)
    lab.client.palette("delete-record", uid="by-hand")


@pytest.mark.row("B8", "B12", "B16")
def test_a_vm_installs_itself_boots_reads_its_medium_once_and_registers(
    lab: LabHand, made: Appliance, rootfs: Path, store: Path
) -> None:
    installer_iso(rootfs, POWEROFF, store / "installer.iso")
    made.define(isos=["[ssd-1] isos/installer.iso", ""])
    made.power("on")
    assert made.state()["source"] == "cdrom"
    made.off()
    assert made.state() | {"sums": {}} == {
        "source": "", "console": "", "installed": True, "installations": 1, "diskBoots": 0, "sums": {},
    }  # fmt: skip
    assert made.state()["sums"]["rootfs.tar.zst"] == hashlib.sha256(rootfs.read_bytes()).hexdigest()
    more = "  skip-copy-initramfs:\n  - commands: [touch /never]\n  boot:\n  - commands: [echo boot >>/root/boots]\n"
    site_medium(lab, site_file(made, name="by-hand", more=more), "[ssd-1] by-hand/site.iso")
    made.define(isos=["", "[ssd-1] by-hand/site.iso"])
    made.power("on")
    until(lambda: registered(lab, "by-hand") is not None, 60, "registration")
    record = registered(lab, "by-hand")
    assert record is not None and record["metadata"]["labels"]["plant"] == "12"
    assert made.says("hostname; ip -o -4 addr show ens160 | awk '{print $4}'").split() == [
        "by-hand",
        f"{made.address}/24",
    ]
    assert made.says("sudo stat -c %a /oem/80_stylus.yaml /etc/ssh/ssh_host_ed25519_key /etc/sudoers.d/keeper").split() == [
        "600", "600", "440",
    ]  # fmt: skip
    kept = made.says("sudo cat /oem/80_stylus.yaml")
    assert "skip-copy" not in kept and '"poweroff": true' in kept and '"edgeHostToken"' in kept
    assert (
        made.says("systemctl is-active stylus-agent stylus-operator palette-tui cos-setup-boot").split()
        == ["active"] * 4
    )
    assert made.says("ls -d /eks-hybrid /etc/eks").split() == ["/eks-hybrid", "/etc/eks"]
    until(
        lambda: (registered(lab, "by-hand") or {})["status"].get("health", {}).get("state") == "healthy", 30, "health"
    )
    made.define(isos=["", ""])
    assert made.says("sudo ls /run/drives") == "", "a medium that is taken out is gone at once"
    (lab.paths.datastores / "ssd-1/by-hand/site.iso").unlink()
    made.power("reboot")
    until(lambda: made.state()["diskBoots"] == 2, 30, "second boot from disk")
    assert made.says("sudo cat /root/boots").split() == ["boot", "boot"]
    assert made.state()["installations"] == 1
    assert made.shown()["tools"] == "notRunning" and made.shown()["guest"]["ip"] == "", "it has no VMware Tools"


def test_one_changed_byte_does_not_install(lab: LabHand, made: Appliance, rootfs: Path, store: Path) -> None:
    installer_iso(rootfs, POWEROFF, store / "damaged.iso", change=True)
    made.define(isos=["[ssd-1] isos/damaged.iso", ""])
    made.power("on")
    until(lambda: "installation failed" in made.state()["console"], 60, "refusal")
    assert "rootfs.tar.zst does not match SHA256SUMS" in made.state()["console"]
    assert (made.shown()["state"], made.state()["installed"], made.state()["installations"]) == ("poweredOn", False, 0)
    made.power("off")
    made.define(isos=["", ""])
    made.power("on")
    assert made.state()["source"] == "none" and made.state()["console"] == "no operating system was found"


@pytest.mark.row("B17")
def test_a_medium_that_is_first_in_boot_order_installs_again_and_again(
    lab: LabHand, made: Appliance, rootfs: Path, store: Path
) -> None:
    installer_iso(rootfs, REBOOT, store / "reboot.iso")
    made.define(isos=["[ssd-1] isos/reboot.iso", ""], boot_order=["cdrom", "disk"])
    made.power("on")
    until(lambda: made.state()["installations"] >= 2, 90, "a second installation")
    assert made.state()["diskBoots"] == 0
    made.power("off")
    made.define(boot_order=DISK_FIRST)
    count = made.state()["installations"]
    installed = made.state()["installed"]
    made.power("on")
    until(lambda: made.state()["diskBoots"] >= 1, 60, "a boot from disk")
    assert made.state()["source"] == "disk"
    assert made.state()["installations"] == (count if installed else count + 1), (
        "the medium is in the drive, and left alone"
    )


def test_without_a_power_key_it_stays_at_its_end_and_without_a_token_it_never_registers(
    lab: LabHand, made: Appliance, rootfs: Path, store: Path
) -> None:
    installer_iso(rootfs, NEITHER, store / "neither.iso")
    made.define(isos=["[ssd-1] isos/neither.iso", ""])
    made.power("on")
    until(lambda: made.state()["console"] == "Installation Complete", 60, "the end")
    assert made.shown()["state"] == "poweredOn"
    made.power("reset")
    until(lambda: made.state()["source"] == "disk", 30, "boot from disk")
    said_inside(made, "journalctl -b -u stylus-agent --no-pager", "waiting for registration")
    assert registered(lab, "by-hand") is None
    site_medium(lab, site_file(made, name="by-hand"), "[ssd-1] by-hand/late.iso")
    made.define(isos=["", "[ssd-1] by-hand/late.iso"])
    made.power("reset")
    until(lambda: made.state()["diskBoots"] >= 2, 30, "boot from disk")
    said_inside(made, "journalctl -b -u stylus-agent --no-pager", "waiting for registration")
    assert registered(lab, "by-hand") is None, "a medium is read at the first boot from disk, and only then"


def said_inside(made: Appliance, command: str, words: str) -> None:
    """Return when a command in a machine without an address says these words."""

    def done() -> bool:
        try:
            inside = made.lab.client.inside("by-hand")
        except LabError:
            return False
        result = subprocess.run([*inside, "sh", "-c", command], capture_output=True, text=True, timeout=30, check=False)
        return words in result.stdout

    until(done, 70, words)


def test_a_medium_in_the_drive_of_a_machine_that_is_on_is_not_deleted(
    lab: LabHand, made: Appliance, rootfs: Path, store: Path
) -> None:
    installer_iso(rootfs, NEITHER, store / "used.iso")
    made.define(isos=["[ssd-1] isos/used.iso", ""])
    made.power("on")
    with pytest.raises(LabError, match="locked"):
        lab.client.datastores("delete", "LAB", "[ssd-1] isos/used.iso")
    made.define(isos=["", ""])
    assert lab.client.datastores("delete", "LAB", "[ssd-1] isos/used.iso") is True
    assert lab.client.datastores("delete", "LAB", "[ssd-1] isos/used.iso") is False


@pytest.mark.row("B17")
def test_a_bare_metal_machine_boots_from_the_files_that_a_person_gives_it(
    lab: LabHand, rootfs: Path, tmp_path: Path
) -> None:
    """The installer reboots, and the machine comes up from its disk although both media are still in its drives."""
    metal = appliance(lab, "metal", 8)
    lab.client.destroy_vm(metal.id)
    iso = installer_iso(rootfs, REBOOT, tmp_path / "reboot.iso")
    own = tmp_path / "metal.iso"
    own.write_bytes(site_iso(site_file(metal, name="metal")))
    refused = lab.run("appliance", "metal", "--iso", str(own), "--site-iso", str(own))
    assert refused.returncode != 0 and "no ISO with the volume name COS_LIVE" in refused.stderr
    lab.ok("appliance", "metal", "--iso", str(iso), "--site-iso", str(own))
    try:
        until(lambda: registered(lab, "metal") is not None, 90, "registration")
        assert metal.says("hostname") == "metal"
        state = lab.machines()["metal"]["appliance"]
        assert isinstance(state, dict) and (state["installations"], state["diskBoots"]) == (1, 1)
        lab.ok("appliance", "metal", "--eject")
        assert metal.says("sudo ls /run/drives") == ""
    finally:
        for vm in lab.client.vms():
            lab.client.destroy_vm(vm["id"])
        lab.client.palette("delete-record", uid="metal")
