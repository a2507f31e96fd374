"""The two user-data files of an appliance: together they are what the vendor's page asks for; apart they share nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from settings_helpers import HOST_KEY, load, put, vm_site

from edge.appliance.userdata import build_file, core_digest, site_file
from edge.errors import SettingsError
from edge.network import NetworkFacts
from edge.settings import HostSettings, StackSettings
from edge.userdata import APPLIANCE_NIC, HEADER
from edge.vm.hostkey import derive

TOKEN = "t0ken-of-the-tenant"
PROJECT = "0123456789abcdef01234567"
KEY = derive("s" * 40, site="plant", host="plant-a", generation=1)
NETWORK = NetworkFacts("eu-central-1", "aws", "plants", "https://0123.gr7.eu-central-1.eks.amazonaws.com")

# What the page tells a person to write, for its own example values (Palette docs, prepare edge hosts, Appliance Mode).
PAGE: dict[str, Any] = {
    "stylus": {
        "site": {"paletteEndpoint": "api.spectrocloud.com", "edgeHostToken": TOKEN, "projectUid": PROJECT},
    },
    "install": {
        "extra-dirs-rootfs": ["/eks-hybrid"],
        "bind_mounts": [
            "/eks-hybrid", "/etc/aws", "/etc/containerd", "/etc/eks", "/etc/iam", "/etc/modules-load.d",
            "/var/lib/amazon",
        ],
    },
    "stages": {"initramfs": [{"users": {"kairos": {"groups": ["sudo"], "ssh_authorized_keys": [HOST_KEY]}}}]},
}  # fmt: skip


def appliance(folder: Path, *changes: Any) -> tuple[HostSettings, StackSettings]:
    raw = vm_site(
        put("palette", {"endpoint": "api.spectrocloud.com", "projectUid": PROJECT, "project": None}),
        put("ssh.user", "kairos"),
        put("vmxnet3", "off"),
        *changes,
    )
    del raw["palette"]["project"]
    settings = load(folder, raw)
    return replace(settings.host_view("plant-a"), mode="appliance"), settings


def rendered(folder: Path, *changes: Any, token: str = TOKEN, epoch: str = "e1") -> str:
    host, settings = appliance(folder, *changes)
    return site_file(
        host, settings, NETWORK, token=token, epoch=epoch, machine_uuid="42", secrets={}, host_key=KEY,
        authorized_keys=[HOST_KEY],
    )  # fmt: skip


@pytest.mark.row("B8")
@pytest.mark.parametrize("power", ["poweroff", "reboot"])
def test_both_files_together_are_the_page(tmp_path: Path, power: Any) -> None:
    build, site = yaml.safe_load(build_file(power)), yaml.safe_load(rendered(tmp_path))
    assert not set(build) & set(site), "what the agent does with a key of both is not documented"
    merged = {**build, **site}
    assert merged["install"] == {**PAGE["install"], power: True}
    own = merged["stylus"].pop("vip"), *(merged["stylus"]["site"].pop(key) for key in ("name", "hostName", "tags"))
    assert own[:3] == ({"skip": False}, "plant-a", "plant-a")
    # The address of an appliance VM comes from here: it knows no guestinfo.
    network = merged["stylus"]["site"].pop("network")
    assert network["interfaces"][APPLIANCE_NIC] == {
        "type": "static", "ipAddress": "10.200.0.21/24", "gateway": "10.200.0.1", "nameserver": "10.200.0.2",
    }  # fmt: skip
    key, login = merged["stages"]["initramfs"]
    assert [file["path"] for file in key["files"]] == [
        "/etc/ssh/ssh_host_ed25519_key",
        "/etc/ssh/ssh_host_ed25519_key.pub",
    ]
    assert login.pop("name") == "Login"
    assert [file["path"] for file in login.pop("files")] == ["/etc/sudoers.d/edge-hosts"]
    merged["stages"]["initramfs"] = [login]
    assert merged == {**PAGE, "install": {**PAGE["install"], power: True}}


@pytest.mark.row("B8")
def test_the_build_file_holds_nothing_of_a_host_and_no_secret() -> None:
    for power in ("poweroff", "reboot"):
        text = build_file(power, {"device": "/dev/sda"})  # type: ignore[arg-type]
        assert text.startswith(HEADER)
        assert set(yaml.safe_load(text)) == {"install"}
        other = {"poweroff": "reboot", "reboot": "poweroff"}[power]
        assert other not in yaml.safe_load(text)["install"]


@pytest.mark.row("B8")
@pytest.mark.parametrize("key", ["extra-dirs-rootfs", "bind_mounts", "poweroff", "reboot"])
def test_what_hybrid_nodes_need_cannot_be_overwritten(key: str) -> None:
    with pytest.raises(SettingsError, match=f"build.install.{key}: is fixed"):
        build_file("poweroff", {key: []})


@pytest.mark.row("B8")
def test_the_host_key_is_there_before_sshd_begins(tmp_path: Path) -> None:
    site = yaml.safe_load(rendered(tmp_path))
    first = site["stages"]["initramfs"][0]
    assert {file["path"]: file["permissions"] for file in first["files"]} == {
        "/etc/ssh/ssh_host_ed25519_key": 0o600,
        "/etc/ssh/ssh_host_ed25519_key.pub": 0o644,
    }
    assert first["files"][0]["content"] == KEY.private


@pytest.mark.row("B16")
def test_offloads_are_switched_off_by_the_driver(tmp_path: Path) -> None:
    site = yaml.safe_load(rendered(tmp_path, put("vmxnet3", "auto")))
    step = site["stages"]["initramfs"][-1]
    assert step["name"] == "Disable UDP segmentation"
    assert "vmxnet3" in step["commands"][0]
    assert "tx-udp_tnl-segmentation off" in step["commands"][0]
    assert "tx-udp_tnl-csum-segmentation off" in step["commands"][0]


def test_nobody_could_log_in(tmp_path: Path) -> None:
    host, settings = appliance(tmp_path)
    with pytest.raises(SettingsError, match=r"site.hosts.plant-a.ssh: no key may log in"):
        site_file(
            host, settings, NETWORK, token=TOKEN, epoch="e1", machine_uuid="42", secrets={}, host_key=KEY,
            authorized_keys=[" "],
        )  # fmt: skip


def test_another_token_or_registration_is_no_change_of_a_host(tmp_path: Path) -> None:
    first = core_digest(rendered(tmp_path))
    assert core_digest(rendered(tmp_path, token="another", epoch="e2")) == first
    assert core_digest(rendered(tmp_path, put("palette.tags", {"line": "paint"}))) != first


def test_install_keys_of_a_host_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"userDataExtra\.install"):
        rendered(tmp_path, put("palette.userDataExtra", {"install": {"device": "/dev/sdb"}}))
    assert rendered(tmp_path, put("palette.userDataExtra", {"install": {}})) == rendered(tmp_path)
