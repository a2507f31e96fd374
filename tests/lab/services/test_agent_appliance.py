"""The agent of an appliance in a folder: which user-data it takes, when, and what it makes of it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.appliance import overlay

pytestmark = [
    pytest.mark.skipif(shutil.which("jq") is None, reason="not on this machine: jq"),
    pytest.mark.row("B14", "B8"),
]
BUILD = {
    "install": {"poweroff": True, "bind_mounts": ["/etc/eks"]},
    "stylus": {"site": {"name": "shared", "prefix": "e"}},
}
SITE = {
    "stylus": {
        "site": {
            "name": "edge-1",
            "network": {"interfaces": {"ens160": {"type": "static", "ipAddress": "10.0.0.5/24"}}},
        }
    },
    "stages": {
        "initramfs": [{"files": [{"path": "/etc/ssh/key", "permissions": 0o600, "content": "private\n"}]}],
        "skip-copy-boot": [{"commands": ["true"]}],
    },
}


class Machine:
    """A folder that plays the root of an appliance; one drive, empty at first."""

    def __init__(self, folder: Path) -> None:
        self.root, self.drive = folder / "root", folder / "drives" / "0"
        self.agent = folder / "agent"
        self.agent.write_text(overlay.agent(), "utf-8")
        self.drive.mkdir(parents=True)
        (self.root / "oem").mkdir(parents=True)
        (self.root / "etc").mkdir()

    def installed(self, data: Any) -> None:
        (self.root / "oem/90_custom.yaml").write_text("#cloud-config\n" + yaml.safe_dump(data), "utf-8")

    def medium(self, data: Any, *, volume: str = "cidata", files: tuple[str, ...] = ("user-data", "meta-data")) -> None:
        shutil.rmtree(self.drive)
        (self.drive / "files").mkdir(parents=True)
        (self.drive / "label").write_text(volume, "utf-8")
        for name in files:
            text = "#cloud-config\n" + yaml.safe_dump(data) if name == "user-data" else ""
            (self.drive / "files" / name).write_text(text, "utf-8")

    def run(self, *words: str) -> str:
        environment = {
            **os.environ,
            "EDGE_AGENT_ROOT": str(self.root),
            "EDGE_AGENT_DRIVES": str(self.drive.parent),
        }
        argv = ["bash", str(self.agent), *words]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    @property
    def kept(self) -> Any:
        text = (self.root / "oem/80_stylus.yaml").read_text("utf-8")
        assert text.startswith("#cloud-config\n")
        return json.loads(text.partition("\n")[2])


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_both_files_are_merged_at_the_first_boot_and_the_site_wins(machine: Machine) -> None:
    machine.installed(BUILD)
    machine.medium(SITE)
    machine.run("start")
    assert machine.kept["install"] == BUILD["install"]
    assert machine.kept["stylus"]["site"]["name"] == "edge-1" and machine.kept["stylus"]["site"]["prefix"] == "e"
    assert list(machine.kept["stages"]) == ["initramfs"], "a stage skip-copy-... is not kept"
    assert stat.S_IMODE((machine.root / "oem/80_stylus.yaml").stat().st_mode) == 0o600
    assert (machine.root / "etc/hostname").read_text() == "edge-1\n"
    network = (machine.root / "etc/systemd/network/10-stylus-ens160.network").read_text()
    assert "Name=ens160" in network and "Address=10.0.0.5/24" in network and "DHCP" not in network


def test_a_medium_that_comes_later_is_not_read(machine: Machine) -> None:
    machine.installed(BUILD)
    machine.run("start")
    machine.medium(SITE)
    machine.run("start")
    assert machine.kept["stylus"]["site"]["name"] == "shared"
    assert "waiting" not in machine.run("version")


@pytest.mark.parametrize("other", [{"volume": "CONFIG"}, {"files": ("user-data",)}, {"files": ("meta-data",)}])
def test_a_medium_with_another_label_or_without_one_of_its_files_is_none(
    machine: Machine, other: dict[str, Any]
) -> None:
    machine.installed(BUILD)
    machine.medium(SITE, **other)
    machine.run("start")
    assert machine.kept["stylus"]["site"]["name"] == "shared"


def test_a_user_data_without_its_first_line_is_not_taken(machine: Machine) -> None:
    machine.installed(BUILD)
    machine.medium(SITE)
    (machine.drive / "files/user-data").write_text(yaml.safe_dump(SITE), "utf-8")
    assert "cannot be read" in machine.run("start")
    assert machine.kept["stylus"]["site"]["name"] == "shared"


@pytest.mark.parametrize(("given", "mode"), [(0o440, 0o440), ("0640", 0o640), (None, 0o644)])
def test_a_file_gets_its_mode_as_number_or_as_octal_text(machine: Machine, given: Any, mode: int) -> None:
    step = {"path": "/etc/made", "content": "x", **({} if given is None else {"permissions": given})}
    machine.installed({"stages": {"initramfs": [{"files": [step]}]}})
    machine.run("start")
    machine.run("stage", "initramfs")
    made = machine.root / "etc/made"
    assert (made.read_text(), stat.S_IMODE(made.stat().st_mode)) == ("x", mode)


@pytest.mark.parametrize(
    ("nic", "line"),
    [
        ({"type": "static", "ipAddress": "10.0.0.5", "mask": "255.255.252.0"}, "Address=10.0.0.5/22"),
        ({"type": "static", "ipAddress": "10.0.0.5/24", "gateway": "10.0.0.1"}, "Gateway=10.0.0.1"),
        ({"type": "static", "ipAddress": "10.0.0.5/24", "nameserver": "10.0.0.2"}, "DNS=10.0.0.2"),
        ({"type": "dhcp"}, "DHCP=yes"),
    ],
)
def test_the_network_of_an_interface(machine: Machine, nic: dict[str, str], line: str) -> None:
    machine.installed({"stylus": {"site": {"network": {"interfaces": {"eth7": nic}}}}})
    machine.run("start")
    assert line in (machine.root / "etc/systemd/network/10-stylus-eth7.network").read_text().splitlines()


def test_the_overlay_makes_units_that_come_before_sshd(tmp_path: Path) -> None:
    (tmp_path / "etc/ssh").mkdir(parents=True)
    (tmp_path / "etc/ssh/ssh_host_rsa_key").write_text("of the build")
    for _ in range(2):
        overlay.write(tmp_path, "4.9.39")
    first = (tmp_path / "etc/systemd/system/cos-setup-initramfs.service").read_text()
    assert "Before=ssh.service" in first and "stage initramfs" in first
    wanted = {path.name for path in (tmp_path / "etc/systemd/system/multi-user.target.wants").iterdir()}
    assert wanted >= {
        "stylus-agent.service",
        "stylus-operator.service",
        "palette-tui.service",
        "cos-setup-boot.service",
    }
    assert not list((tmp_path / "etc/ssh").glob("ssh_host_*")), "an image holds no host keys"
    done = subprocess.run(
        ["bash", str(tmp_path / overlay.AGENT), "version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[0] == "version: v4.9.39"


def test_the_text_is_clean(tmp_path: Path) -> None:
    """shellcheck finds nothing but what the text has from the other agent and does not use."""
    (tmp_path / "agent").write_text(overlay.agent(), "utf-8")
    argv = [
        str(Path(sys.executable).with_name("shellcheck")),
        "-s",
        "bash",
        "-e",
        "SC2034,SC2329",
        str(tmp_path / "agent"),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
