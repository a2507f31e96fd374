"""Rules about appliances in a site: their image, their machines, and what an agent host may and they may not."""

from __future__ import annotations

import copy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.images.given import given_facts
from edge.settings import BuiltImage, GivenImage, StackImage
from edge.stages import STAGES, Stage
from edge.userdata import APPLIANCE_NIC, static_network
from tests.unit.image_stacks import BUILT, CANVOS, FROM_STACK, GIVEN, PINNED, STATIC, Change, mixed
from tests.unit.settings_helpers import DIGEST, HOST_KEY, OTHER_KEY, VCENTER, drop, levels, load, project, put, refused

SOURCES = {"given": (GIVEN, GivenImage), "stack": (FROM_STACK, StackImage), "build": (BUILT, BuiltImage)}


BARE_ALONE = (
    drop("hosts.plant-a"), drop("hosts.plant-b"), drop("vsphere"), drop("vcenters"), drop("image.isos.poweroff"),
)  # fmt: skip


def everything(folder: Path, raw: Any, release: Any = PINNED) -> dict[str, str]:
    """Return the level of everything that is said about a site, by place; the sample's network is another matter."""
    found = levels(project(folder, raw, release=release))
    return {where: level for where, level in found.items() if not where.startswith("site.network.c")}


@pytest.mark.row("B14", "B17")
@pytest.mark.parametrize("source", SOURCES)
def test_a_mixed_site_is_valid_with_each_source(tmp_path: Path, source: str) -> None:
    image, model = SOURCES[source]
    settings = load(tmp_path, mixed(image=image), release=PINNED)
    assert isinstance(settings.site.image, model)
    assert everything(tmp_path, mixed(image=image)) == {}
    modes = {host.name: (host.machine, host.mode) for host in settings.host_views()}
    assert modes == {
        "plant-a": ("vsphere", "agent"), "plant-b": ("vsphere", "appliance"), "plant-c": ("existing", "appliance"),
    }  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("source", ["given", "stack"])
def test_a_mixed_site_that_breaks_nothing_is_quiet_in_every_stage(tmp_path: Path, source: str, stage: Stage) -> None:
    said = everything(tmp_path, mixed(image=SOURCES[source][0], stage=stage))
    assert {where for where in said if not where.startswith("site.network")} == set()


def test_what_a_host_has_more(tmp_path: Path) -> None:
    raw = mixed(put("hosts.plant-c.installTimeout", "6h"), put("hosts.plant-b.vsphere", {"firmware": "efi"}))
    settings = load(tmp_path, raw, release=PINNED)
    assert settings.host_view("plant-b").install_timeout == timedelta(hours=2)
    assert settings.host_view("plant-c").install_timeout == timedelta(hours=6)
    firmware = {host.name: host.vm.firmware for host in settings.host_views() if host.vm}
    assert firmware == {"plant-a": "bios", "plant-b": "efi"}


# Secrets


def test_the_host_key_seed_is_needed_for_bare_metal_too(tmp_path: Path) -> None:
    settings = load(tmp_path, mixed(*BARE_ALONE, drop("image.isos.reboot.datastore")), release=PINNED)
    assert settings.secret_uses()["hostKeySeed"] == ("site.hosts.plant-c.mode",)
    assert "vspherePassword" not in settings.secret_names()
    assert "PRIVATE KEY" in settings.stand_ins()["sshPrivateKey"]
    assert load(tmp_path, mixed(), release=PINNED).secret_uses()["hostKeySeed"] == ("site.vsphere",)


def test_a_site_that_builds_needs_the_secrets_of_the_build(tmp_path: Path) -> None:
    image = copy.deepcopy(BUILT)
    image["builder"]["ssh"] = {"user": "build", "privateKey": {"secret": "builderKey"}}
    image["datastores"] += [{"vcenter": "other", "datacenter": "DC2", "datastore": "isos"}]
    image["datastores"][0]["vcenter"] = "main"
    other = {**VCENTER, "server": "vcenter-2.example.com", "password": {"secret": "otherPassword"}}
    raw = mixed(put("vcenters.other", other), put("vsphere.vcenter", "main"), image=image)
    settings = load(tmp_path, raw, release=PINNED)
    assert settings.secret_uses()["builderKey"] == ("site.image.builder.ssh.privateKey",)
    assert settings.secret_uses()["otherPassword"] == ("site.vcenters.other.password",)
    assert settings.builder_ssh is not None
    assert settings.builder_ssh.user == "build"
    assert everything(tmp_path, raw) == {}, "a vCenter of datastores alone is used"
    own = load(tmp_path, mixed(image=BUILT), release=PINNED)
    assert own.builder_ssh == own.site.ssh
    assert load(tmp_path, mixed(), release=PINNED).builder_ssh is None


# The image


def test_an_appliance_needs_an_image(tmp_path: Path) -> None:
    findings = refused(tmp_path, mixed(image=None), release=PINNED)
    assert list(findings) == ["site.image"]
    assert "plant-b, plant-c" in findings["site.image"].problem


def test_an_image_that_nobody_boots_is_a_warning(tmp_path: Path) -> None:
    raw = mixed(put("hosts.plant-b.mode", "agent"), drop("hosts.plant-c"))
    assert everything(tmp_path, raw) == {"site.image": "warning"}


@pytest.mark.row("B8")
@pytest.mark.parametrize(("kind", "host"), [("poweroff", "plant-b"), ("reboot", "plant-c")])
def test_each_machine_needs_its_kind_of_iso(tmp_path: Path, kind: str, host: str) -> None:
    other = "reboot" if kind == "poweroff" else "poweroff"
    findings = refused(tmp_path, mixed(drop(f"image.isos.{kind}")), release=PINNED)
    assert list(findings) == ["site.image.isos"]
    assert host in findings["site.image.isos"].problem
    findings = refused(tmp_path, mixed(put("image.build.kinds", [other]), image=BUILT), release=PINNED)
    assert list(findings) == ["site.image.build.kinds"]
    assert findings["site.image.build.kinds"].remedy == f"Add {kind}."


@pytest.mark.row("B14")
def test_each_datacenter_with_appliances_needs_an_iso(tmp_path: Path) -> None:
    far = put("hosts.plant-d", {"address": "10.200.0.24/24", "mode": "appliance", "vsphere": {"datacenter": "DC2"}})
    findings = refused(tmp_path, mixed(far), release=PINNED)
    assert list(findings) == ["site.image.isos.poweroff"]
    assert "DC2" in findings["site.image.isos.poweroff"].problem
    assert "plant-d" in findings["site.image.isos.poweroff"].problem
    copies = [{"datacenter": "DC2", "datastore": "isos-2", "path": "edge/edge.iso"}]
    settings = load(tmp_path, mixed(far, put("image.isos.poweroff.copies", copies)), release=PINNED)
    assert isinstance(settings.site.image, GivenImage)
    assert [place.datastore for place in settings.site.image.isos["poweroff"].places] == ["isos", "isos-2"]
    assert list(refused(tmp_path, mixed(far, image=BUILT), release=PINNED)) == ["site.image.datastores"]
    more = [*BUILT["datastores"], {"datacenter": "DC2", "datastore": "isos-2"}]
    assert load(tmp_path, mixed(far, put("image.datastores", more), image=BUILT), release=PINNED)


def test_an_iso_for_virtual_machines_lies_in_a_datastore(tmp_path: Path) -> None:
    findings = refused(tmp_path, mixed(drop("image.isos.poweroff.datastore")), release=PINNED)
    assert "datastore" in findings["site.image.isos.poweroff"].remedy
    assert load(tmp_path, mixed(drop("image.isos.reboot.datastore")), release=PINNED)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("image.isos.poweroff.path", "/isos/edge.iso", "without a leading slash"),
        ("image.isos.poweroff.path", "[isos] edge/edge.iso", "only the path: edge/edge.iso"),
        ("image.isos.poweroff.path", "edge/edge", ".iso"),
        ("image.isos.poweroff.sha256", "abc", "64"),
        ("image.isos.poweroff.size", 0, ""),
        ("image.isos.poweroff.vcenter", "other", "main"),
        ("image.isos.usb", {}, "poweroff"),
        ("image.imageDigest", "sha1:abc", "sha256:"),
        ("image.image", "https://registry.example/x", "without"),
        ("image.osVersion", "18.04", '"22.04"'),
        ("image.os", "sles", "AWS lists"),
    ],
)
def test_a_given_image_is_checked(tmp_path: Path, key: str, value: Any, words: str) -> None:
    findings = refused(tmp_path, mixed(put(key, value)), release=PINNED)
    found = next(finding for finding in findings.values() if finding.where.startswith("site.image"))
    assert words in f"{found.problem} {found.remedy}", findings


@pytest.mark.row("B4")
@pytest.mark.parametrize(
    ("image", "changes", "where"),
    [
        (GIVEN, (put("image.osVersion", "20.04"),), "site.image.osVersion"),
        (GIVEN, (put("image.os", "rhel"), put("image.osVersion", "8.10")), "site.image.osVersion"),
        (GIVEN, (drop("image.osVersion"),), "site.image.osVersion"),
        (BUILT, (put("image.build.osVersion", "20"),), "site.image.build.osVersion"),
        (
            BUILT,
            (put("image.build.os", "rhel"), drop("image.build.osVersion"), put("image.build.baseImage", "r/rhel8:1")),
            "site.image.build.baseImage",
        ),
    ],
)
def test_systems_that_cannot_use_roles_anywhere(tmp_path: Path, image: Any, changes: Any, where: str) -> None:
    anywhere = put("network.credentialProvider", "iamRolesAnywhere")
    findings = refused(tmp_path, mixed(*changes, anywhere, image=image), release=PINNED)
    assert where in findings
    assert where not in everything(tmp_path, mixed(*changes, image=image)), "SSM works there"
    newer = mixed(anywhere, put("image.osVersion", "22.04")) if image is GIVEN else mixed(anywhere, image=BUILT)
    assert where not in everything(tmp_path, newer)


@pytest.mark.row("B12", "B13")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image.isos.poweroff.sha256", "cd" * 32),
        ("image.isos.reboot.sha256", "cd" * 32),
        ("image.imageDigest", "sha256:" + "cd" * 32),
    ],
)
@pytest.mark.parametrize("stage", STAGES)
def test_a_given_image_is_that_of_the_release(tmp_path: Path, key: str, value: str, stage: Stage) -> None:
    findings = refused(tmp_path, mixed(put(key, value), stage=stage), release=PINNED)
    assert list(findings) == [f"site.{key}"]
    assert DIGEST[:12] in findings[f"site.{key}"].problem


@pytest.mark.row("B3", "B12", "B13")
@pytest.mark.parametrize(("stage", "level"), [("dev", None), ("staging", "warning"), ("prod", "error")])
@pytest.mark.parametrize("source", ["given", "stack"])
def test_what_production_wants_of_the_release(tmp_path: Path, source: str, stage: Stage, level: str | None) -> None:
    wanted = {f"releases/r-1.yaml: canvos.{key}" for key in ("commit", "image.digest", "isos.poweroff", "isos.reboot")}
    for canvos in ({"tag": "v4.9.38"}, None):
        release = {**PINNED, "canvos": canvos}
        seen = everything(tmp_path, mixed(image=SOURCES[source][0], stage=stage), release)
        about = {where: found for where, found in seen.items() if "canvos" in where}
        assert about == (dict.fromkeys(wanted, level) if level else {})
    only = {**PINNED, "canvos": {**CANVOS, "isos": {"poweroff": DIGEST}}}
    virtual = mixed(drop("hosts.plant-c"), drop("image.isos.reboot"), stage="prod")
    assert "releases/r-1.yaml: canvos.isos.reboot" not in everything(tmp_path, virtual, only)


@pytest.mark.row("B14")
@pytest.mark.parametrize(("stage", "level"), [("dev", None), ("staging", "warning"), ("prod", "error")])
def test_production_builds_nothing_itself(tmp_path: Path, stage: Stage, level: str | None) -> None:
    seen = everything(tmp_path, mixed(image=BUILT, stage=stage))
    assert seen.get("site.image.source") == level


def test_a_site_that_builds_is_judged_as_a_build_stack_is(tmp_path: Path) -> None:
    raw = mixed(
        put("image.build.trustedBoot", True),
        put("image.build.install", {"bind_mounts": []}),
        put("image.datastores", [{"datacenter": "DC1", "datastore": "isos", "vcenter": "third"}]),
        image=BUILT,
    )
    assert {
        "site.image.build.trustedBoot",
        "site.image.build.install.bind_mounts",
        "site.image.datastores[0].vcenter",
    } <= set(refused(tmp_path, raw, release=PINNED))
    both = mixed(put("image.build.customTag", ""), put("image.build.trustedBoot", True), image=BUILT)
    assert set(refused(tmp_path, both, release=PINNED)) == {
        "site.image.build.customTag", "site.image.build.trustedBoot",
    }  # fmt: skip
    small = mixed(put("image.builder.acceptSmall", True), image=BUILT)
    assert everything(tmp_path, small) == {"site.image.builder.acceptSmall": "warning"}
    assert everything(tmp_path, mixed(put("image.builder", {"machine": "local"}), image=BUILT)) == {}
    without = {key: value for key, value in PINNED.items() if key != "canvos"}
    assert "release" in refused(tmp_path, mixed(image=BUILT), release=without)


# The machines


@pytest.mark.row("B2")
@pytest.mark.parametrize(("key", "value"), [("memory", "4GiB"), ("disk", "50GiB")])
@pytest.mark.parametrize("stage", STAGES)
def test_a_machine_below_the_minimum_of_appliances(tmp_path: Path, key: str, value: str, stage: Stage) -> None:
    findings = refused(tmp_path, mixed(put(f"hosts.plant-b.{key}", value), stage=stage), release=PINNED)
    assert list(findings) == [f"site.hosts.plant-b.{key}"]
    assert "or more" in findings[f"site.hosts.plant-b.{key}"].remedy


@pytest.mark.row("B2")
def test_two_cpus_are_enough_for_an_appliance_and_one_is_for_none(tmp_path: Path) -> None:
    assert everything(tmp_path, mixed(put("hosts.plant-b.cpus", 2))) == {}
    assert "site.hosts.plant-b.cpus" in refused(tmp_path, mixed(put("hosts.plant-b.cpus", 1)), release=PINNED)
    assert everything(tmp_path, mixed(put("hosts.plant-a.cpus", 2))) == {"site.hosts.plant-a": "warning"}


def test_an_appliance_needs_no_template(tmp_path: Path) -> None:
    release = {key: value for key, value in PINNED.items() if key != "vm"}
    assert load(tmp_path, mixed(drop("hosts.plant-a")), release=release)
    assert "site.vsphere.template" in refused(tmp_path, mixed(), release=release)


def test_an_appliance_cannot_be_adopted(tmp_path: Path) -> None:
    findings = refused(tmp_path, mixed(put("hosts.plant-b.adopt", "/DC1/vm/x/y")), release=PINNED)
    assert list(findings) == ["site.hosts.plant-b.adopt"]


@pytest.mark.row("B2", "B17")
def test_bare_metal_has_a_static_network_or_says_that_it_has_not(tmp_path: Path) -> None:
    findings = refused(tmp_path, mixed(drop("hosts.plant-c.staticNetwork")), release=PINNED)
    assert list(findings) == ["site.hosts.plant-c.staticNetwork"]
    accepted = mixed(drop("hosts.plant-c.staticNetwork"), put("hosts.plant-c.acceptDhcp", True))
    assert everything(tmp_path, accepted) == {"site.hosts.plant-c.acceptDhcp": "warning"}
    bare = put("hosts.plant-c.address", "10.200.0.13")
    assert "10.200.0.13/24" in refused(tmp_path, mixed(bare), release=PINNED)["site.hosts.plant-c.address"].remedy


def test_a_static_network_of_an_agent_host_still_needs_its_manager(tmp_path: Path) -> None:
    raw = mixed(put("hosts.plant-a.staticNetwork", STATIC))
    assert list(refused(tmp_path, raw, release=PINNED)) == ["site.palette.manages"]


@pytest.mark.row("A16", "B14")
def test_an_appliance_vm_keeps_its_adapter_and_gateway_whatever_the_site_says_of_others(tmp_path: Path) -> None:
    other = {**STATIC, "gateway": "10.200.0.9", "nameserver": "10.200.0.9"}
    sitewide = [put("palette.staticNetwork", other), put("palette.manages", ["staticIp"])]
    settings = load(tmp_path, mixed(*sitewide, drop("hosts.plant-c.staticNetwork")), release=PINNED)
    plain = load(tmp_path, mixed(), release=PINNED)
    machine = settings.host_view("plant-b")
    assert static_network(machine) == static_network(plain.host_view("plant-b"))
    assert machine.vm is not None
    network = static_network(machine)
    assert network is not None
    assert (network.interface, network.gateway) == (APPLIANCE_NIC, machine.vm.gateway)
    for name in ("plant-a", "plant-c"):
        theirs = static_network(settings.host_view(name))
        assert theirs is not None and (theirs.interface, str(theirs.gateway)) == ("eno1", "10.200.0.9")


def test_a_static_network_is_not_written_at_an_appliance_vm(tmp_path: Path) -> None:
    findings = refused(tmp_path, mixed(put("hosts.plant-b.staticNetwork", STATIC)), release=PINNED)
    assert list(findings) == ["site.hosts.plant-b.staticNetwork"]
    assert "`gateway` and `nameservers` below `vsphere`" in findings["site.hosts.plant-b.staticNetwork"].remedy


@pytest.mark.row("B17")
def test_the_host_key_of_an_appliance_is_derived(tmp_path: Path) -> None:
    for host, key in (("plant-b", HOST_KEY), ("plant-c", OTHER_KEY)):
        findings = refused(tmp_path, mixed(put(f"hosts.{host}.hostKey", key)), release=PINNED)
        assert list(findings) == [f"site.hosts.{host}.hostKey"]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ((put("hosts.plant-c.ssh", {"password": {"secret": "p"}}),), "site.hosts.plant-c.ssh.password"),
        ((put("hosts.plant-c.ssh", {"privateKey": "agent"}),), "site.hosts.plant-c.ssh.authorizedKeys"),
    ],
)
def test_only_keys_log_in_to_an_appliance(tmp_path: Path, changes: tuple[Change, ...], where: str) -> None:
    assert list(refused(tmp_path, mixed(*changes), release=PINNED)) == [where]


def test_keys_of_the_login_are_used_by_bare_metal(tmp_path: Path) -> None:
    raw = mixed(*BARE_ALONE, drop("image.isos.reboot.datastore"), put("ssh.authorizedKeys", [f"{HOST_KEY} me"]))
    assert everything(tmp_path, raw) == {}


@pytest.mark.row("B14", "B17")
@pytest.mark.parametrize(
    "places",
    [
        {"datastore": "isos"},
        {"datastore": "isos", "vcenter": "main"},
        {"copies": [{"datastore": "x", "path": "x.iso"}] * 2},
    ],
)
def test_an_iso_in_a_datastore_needs_a_vcenter_for_bare_metal_too(places: dict[str, Any], tmp_path: Path) -> None:
    iso = {"sha256": DIGEST, "path": "edge.iso", **places}
    raw = mixed(*BARE_ALONE, put("image.isos.reboot", iso))
    findings = refused(tmp_path, raw, release=PINNED)
    assert list(findings) == ["site.vcenters"]
    assert "is missing, but ISOs lie in datastores" in str(findings["site.vcenters"])
    put("vcenters", {"main": VCENTER})(raw)
    assert everything(tmp_path, raw) == {}, "and that vCenter is used"
    settings = load(tmp_path, raw, release=PINNED)
    assert isinstance(settings.site.image, GivenImage)
    facts = given_facts(settings.site.image, settings)
    assert {file.vcenter for file in facts.isos["reboot"].files} == {VCENTER["server"]}


def test_firmware_is_for_appliances(tmp_path: Path) -> None:
    raw = mixed(put("hosts.plant-a.vsphere", {"firmware": "efi"}))
    assert list(refused(tmp_path, raw, release=PINNED)) == ["site.hosts.plant-a.vsphere.firmware"]
    assert everything(tmp_path, mixed(put("vsphere.firmware", "efi"))) == {}
    agents = mixed(drop("hosts.plant-b"), put("vsphere.firmware", "efi"))
    assert everything(tmp_path, agents) == {"site.vsphere.firmware": "warning"}
    assert "site.vsphere.firmware" in refused(tmp_path, mixed(put("vsphere.firmware", "uefi")), release=PINNED)


def test_the_time_of_an_installation_is_for_appliances(tmp_path: Path) -> None:
    raw = mixed(put("hosts.plant-a.installTimeout", "1h"))
    assert everything(tmp_path, raw) == {"site.hosts.plant-a.installTimeout": "warning"}


# User-data


@pytest.mark.row("B8")
def test_no_key_stands_in_both_user_data_files(tmp_path: Path) -> None:
    extra = {"install": {"device": "/dev/sda", "reboot": True}, "stages": {"boot": [{"name": "x"}]}}
    findings = refused(tmp_path, mixed(put("palette.userDataExtra", extra)), release=PINNED)
    assert set(findings) == {
        "site.palette.userDataExtra.install.device", "site.palette.userDataExtra.install.reboot",
    }  # fmt: skip
    assert "build" in findings["site.palette.userDataExtra.install.device"].remedy
    agents = mixed(
        put("palette.userDataExtra", {"install": {"device": "/dev/sda"}}), drop("hosts.plant-b"), drop("hosts.plant-c"),
        image=None,
    )  # fmt: skip
    assert everything(tmp_path, agents) == {}


@pytest.mark.row("B8")
def test_local_management_is_refused(tmp_path: Path) -> None:
    raw = mixed(put("palette.userDataExtra", {"stylus": {"managementMode": "local"}}))
    findings = refused(tmp_path, raw, release=PINNED)
    assert "central" in findings["site.palette.userDataExtra.stylus.managementMode"].remedy
