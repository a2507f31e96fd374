"""One virtual machine with everything merged, its login, and the secrets that making it needs."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from settings_helpers import DIGEST, HOST_KEY, OTHER_KEY, VCENTER, load, put, refused, site, vm_site

from edge.settings import VmSettings
from edge.stages import STAGES
from edge.vm.hostkey import derive
from edge.vm.mac import mac_of


def vm(folder: Path, raw: dict[str, Any], name: str = "plant-a", **more: Any) -> VmSettings:
    """Return a machine of a site."""
    found = load(folder, raw, **more).host_view(name).vm
    assert found is not None
    return found


@pytest.mark.row("A1", "C1")
def test_a_machine_of_a_short_line_has_everything(tmp_path: Path) -> None:
    assert vm(tmp_path, vm_site()) == VmSettings(
        vcenter="main",
        datacenter="DC1",
        cluster="edge",
        esxi_host=None,
        resource_pool=None,
        datastore="ssd-1",
        datastore_cluster=None,
        folder="plant-dev",
        network="vlan-200",
        switch=None,
        template="edge-template",
        gateway=IPv4Address("10.200.0.1"),
        nameservers=(IPv4Address("10.200.0.2"),),
        search_domains=(),
        cpus=4,
        cores_per_socket=1,
        memory_mib=8192,
        disk_gib=100,
        hot_add=True,
        thin=True,
        tags={},
        attributes={},
        mac=mac_of("plant", "plant-a"),
        adopt=None,
        firmware="bios",
        start_delay=timedelta(0),
        restart_priority=None,
    )


def test_a_machine_that_exists_has_none(tmp_path: Path) -> None:
    assert load(tmp_path, vm_site()).host_view("plant-c").vm is None
    assert all(host.vm is None for host in load(tmp_path, site()).host_views())


def test_a_machine_cannot_be_changed(tmp_path: Path) -> None:
    one = vm(tmp_path, vm_site())
    with pytest.raises(FrozenInstanceError):
        one.cpus = 8  # type: ignore[misc]


@pytest.mark.row("C1")
def test_what_a_host_writes_goes_over_the_site(tmp_path: Path) -> None:
    raw = vm_site(
        put("vsphere.cpus", 8),
        put("vsphere.disk", "200GiB"),
        put("vsphere.hotAdd", False),
        put("vsphere.tags", {"stage": "prod", "team": "a"}),
        put("vsphere.attributes", {"owner": "us"}),
        put("hosts.plant-a.memory", "32GiB"),
        put("hosts.plant-a.vsphere.cpus", 16),
        put("hosts.plant-a.vsphere.tags", {"team": "b"}),
        put("hosts.plant-a.vsphere.thin", False),
        put("hosts.plant-a.vsphere.ha", {"restartPriority": "high"}),
        put("hosts.plant-a.vsphere.datacenter", None),
    )
    one, other = vm(tmp_path, raw), vm(tmp_path, raw, "plant-b")
    assert (one.cpus, one.memory_mib, one.disk_gib) == (16, 32768, 200)
    assert (other.cpus, other.memory_mib, other.disk_gib) == (8, 8192, 200)
    assert one.tags == {"stage": "prod", "team": "b"}
    assert other.tags == {"stage": "prod", "team": "a"}
    assert one.attributes == other.attributes == {"owner": "us"}
    assert (one.hot_add, one.thin, one.restart_priority) == (False, False, "high")
    assert (other.hot_add, other.thin, other.restart_priority) == (False, True, None)
    assert one.datacenter == "DC1"


@pytest.mark.parametrize(
    ("site_says", "host_says", "there", "gone"),
    [
        ({"cluster": "edge", "resourcePool": "rp"}, {"host": "esx-9"}, {"esxi_host": "esx-9"}, ("cluster", "resource_pool")),
        ({"cluster": "edge", "resourcePool": "rp"}, {"cluster": "two"}, {"cluster": "two"}, ("esxi_host", "resource_pool")),
        ({"cluster": "edge", "resourcePool": "rp"}, {"cluster": "two", "resourcePool": "x"},
         {"cluster": "two", "resource_pool": "x"}, ("esxi_host",)),
        ({"datastore": "ssd-1"}, {"datastoreCluster": "pod-1"}, {"datastore_cluster": "pod-1"}, ("datastore",)),
        ({"datastore": None, "datastoreCluster": "pod-1"}, {"datastore": "d"}, {"datastore": "d"}, ("datastore_cluster",)),
        ({"network": "a", "switch": "dvs"}, {"network": "b"}, {"network": "b"}, ("switch",)),
        ({"network": "a", "switch": "dvs"}, {"cpus": 4}, {"network": "a", "switch": "dvs"}, ()),
    ],
)  # fmt: skip
def test_a_choice_of_the_host_takes_the_place_of_the_other(
    tmp_path: Path, site_says: Any, host_says: Any, there: dict[str, str], gone: tuple[str, ...]
) -> None:
    raw = vm_site(put("hosts.plant-a.vsphere", host_says))
    raw["vsphere"] |= site_says
    one = vm(tmp_path, raw)
    assert {name: getattr(one, name) for name in there} == there
    assert all(getattr(one, name) is None for name in gone)


def test_a_site_may_leave_everything_to_its_hosts(tmp_path: Path) -> None:
    raw = vm_site()
    place = raw.pop("vsphere")
    for name in ("plant-a", "plant-b"):
        raw["hosts"][name] |= {"machine": "vsphere", "vsphere": place}
    assert vm(tmp_path, raw) == vm(tmp_path, vm_site())


@pytest.mark.row("A18")
def test_the_template_is_that_of_the_release(tmp_path: Path) -> None:
    raw = vm_site(put("hosts.plant-b.vsphere", {"template": "/DC1/vm/templates/own"}))
    assert vm(tmp_path, raw).template == "edge-template"
    assert vm(tmp_path, raw, "plant-b").template == "/DC1/vm/templates/own"


def test_the_mac_address_stays_over_generations(tmp_path: Path) -> None:
    first, second = vm(tmp_path, vm_site()), vm(tmp_path, vm_site(put("hosts.plant-a.generation", 2)))
    assert first.mac == second.mac
    assert first.mac != vm(tmp_path, vm_site(), "plant-b").mac


@pytest.mark.row("A20")
@pytest.mark.parametrize("stage", STAGES)
def test_a_machine_of_ours_may_be_rebooted_in_every_stage(tmp_path: Path, stage: str) -> None:
    settings = load(tmp_path, vm_site(put("hosts.plant-b.allowReboot", False), stage=stage))
    assert settings.host_view("plant-a").allow_reboot
    assert not settings.host_view("plant-b").allow_reboot


@pytest.mark.row("A3")
def test_the_host_key_of_a_machine_of_ours_is_not_written(tmp_path: Path) -> None:
    host = load(tmp_path, vm_site(stage="prod")).host_view("plant-a")
    assert host.host_key is None
    assert json.loads(host.made_from) == {"machine": "vsphere", "mode": "agent"}
    assert json.loads(load(tmp_path, vm_site()).host_view("plant-c").made_from)["hostKey"] == HOST_KEY


@pytest.mark.row("A3")
def test_keys_of_the_login(tmp_path: Path) -> None:
    raw = vm_site(
        put("ssh.privateKey", "agent"),
        put("ssh.authorizedKeys", [HOST_KEY]),
        put("hosts.plant-b.ssh", {"authorizedKeys": [OTHER_KEY], "port": None}),
    )
    settings = load(tmp_path, raw)
    assert settings.host_view("plant-a").ssh.authorized_keys == (HOST_KEY,)
    assert settings.host_view("plant-b").ssh.authorized_keys == (OTHER_KEY,)
    assert settings.host_view("plant-b").ssh.port == 22


# vCenters and secrets


def two_vcenters() -> dict[str, Any]:
    """Return a site with three vCenters, two of which are used."""
    vcenters = {name: {**VCENTER, "password": {"secret": f"{name}Password"}} for name in ("one", "two", "three")}
    return vm_site(
        put("vcenters", vcenters), put("vsphere.vcenter", "two"), put("hosts.plant-b.vsphere", {"vcenter": "one"})
    )


@pytest.mark.row("C1")
def test_several_vcenters_of_which_two_are_used(tmp_path: Path) -> None:
    settings = load(tmp_path, two_vcenters())
    assert list(settings.vcenters) == ["one", "two"]
    assert settings.vcenter("three").server == VCENTER["server"]
    assert (vm(tmp_path, two_vcenters()).vcenter, vm(tmp_path, two_vcenters(), "plant-b").vcenter) == ("two", "one")
    assert {one.where for one in settings.warnings if "vcenters" in one.where} == {"site.vcenters.three"}


def test_secrets_of_machines_and_of_the_vcenters_in_use(tmp_path: Path) -> None:
    uses = load(tmp_path, two_vcenters()).secret_uses()
    assert set(uses) == {"hostKeySeed", "onePassword", "twoPassword", "registrationToken", "sshPrivateKey"}
    assert uses["hostKeySeed"] == ("site.vsphere",)
    assert uses["twoPassword"] == ("site.vcenters.two.password",)
    assert load(tmp_path, vm_site()).secret_names() >= {"hostKeySeed", "vspherePassword"}


def test_no_secret_of_machines_without_a_machine(tmp_path: Path) -> None:
    raw = site(vcenters={"main": VCENTER})
    assert load(tmp_path, raw).secret_names() == {"registrationToken", "sshPrivateKey"}
    assert load(tmp_path, raw).vcenters == {}


@pytest.mark.parametrize("name", ["hostKeySeed", "vspherePassword", "mine"])
def test_a_secret_of_machines_in_clear_text_is_refused(tmp_path: Path, name: str) -> None:
    raw = vm_site(put("vcenters.main.password", {"secret": "mine"}))
    findings = refused(tmp_path, raw, **{f"edge-hosts__{name}": "tops3cret"})
    assert "clear text" in findings[f"edge-hosts:{name}"].problem
    assert "tops3cret" not in str(findings)


def test_stand_ins_do_for_a_machine(tmp_path: Path) -> None:
    settings = load(tmp_path, vm_site(put("hosts.plant-b.ssh", {"privateKey": {"secret": "other"}})))
    stand_ins = settings.stand_ins()
    assert set(stand_ins) == settings.secret_names()
    assert derive(stand_ins["hostKeySeed"], site="plant", host="plant-a", generation=1).public.startswith(
        "ssh-ed25519 "
    )
    assert "PRIVATE KEY" in stand_ins["sshPrivateKey"]
    assert stand_ins["sshPrivateKey"] != stand_ins["other"]
    assert not any(one in other for one in stand_ins.values() for other in stand_ins.values() if one != other)


def test_a_release_says_what_machines_are_made_from(tmp_path: Path) -> None:
    settings = load(tmp_path, vm_site())
    assert settings.release.vm_template == "edge-template"
    bare = {"id": "r-1", "kubernetes": "1.31.0", "agent": {"version": "4.9.38", "script": {"sha256": DIGEST},
            "binary": {"amd64": {"sha256": DIGEST}}}}  # fmt: skip
    assert load(tmp_path, site(), release=bare).release.vm_template is None
