"""Rules across the settings, and the table of stages: each rule broken once in every stage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from settings_helpers import DIGEST, HOST_KEY, RELEASE, SITE, drop, levels, load, project, put, refused, site, vm_site

from edge.errors import SettingsError
from edge.settings import load_stack
from edge.stages import RULES, STAGES, Stage, judge
from tests.unit.image_stacks import BUILT, CANVOS, FROM_STACK, GIVEN, mixed

Change = Callable[[dict[str, Any]], None]


def all_findings(folder: Path, raw: Any, release: Any = RELEASE) -> dict[str, str]:
    """Return the level of everything that is said about a site, errors and warnings, by place."""
    return levels(project(folder, raw, release=release))


# Addresses and names


@pytest.mark.row("A2")
def test_two_hosts_with_one_address(tmp_path: Path) -> None:
    findings = refused(tmp_path, site(put("hosts.plant-b.address", "10.200.0.11")))
    assert "plant-a" in findings["site.hosts.plant-b.address"].problem


def test_two_hosts_with_one_host_key_are_copies(tmp_path: Path) -> None:
    findings = refused(tmp_path, site(put("hosts.plant-b.hostKey", HOST_KEY)))
    assert "copy" in findings["site.hosts.plant-b.hostKey"].problem
    assert "ssh-keygen -A" in findings["site.hosts.plant-b.hostKey"].remedy


def test_a_host_outside_the_remote_node_network(tmp_path: Path) -> None:
    findings = refused(tmp_path, site(put("hosts.plant-b.address", "10.201.0.12")))
    assert list(findings) == ["site.hosts.plant-b.address"]
    assert "10.200.0.0/16" in str(findings["site.hosts.plant-b.address"])


@pytest.mark.parametrize(
    ("place", "value", "where"),
    [
        ("network.remotePodCidrs", ["10.200.0.0/17"], "site.network.remote"),
        ("network.remotePodCidrs", ["8.8.8.0/24"], "site.network.remotePodCidrs[0]"),
        ("network.serviceCidr", "10.100.0.0/20", "site.network."),
        ("network.vpcCidrs", ["10.200.0.0/16"], "site.network."),
    ],
)
def test_overlapping_and_public_networks(tmp_path: Path, place: str, value: Any, where: str) -> None:
    assert any(found.startswith(where) for found in refused(tmp_path, site(put(place, value))))


def test_a_name_that_does_not_fit_the_stack(tmp_path: Path) -> None:
    path = project(tmp_path, SITE)
    other = path.rename(tmp_path / "Pulumi.harbour-dev.yaml")
    assert other.is_file()
    with pytest.raises(SettingsError, match="Name the stack plant-dev"):
        load_stack("harbour-dev", tmp_path)


@pytest.mark.parametrize("stack", ["staging", "prod", "plant-prod"])
def test_a_stage_that_does_not_fit_the_stack(tmp_path: Path, stack: str) -> None:
    project(tmp_path, SITE).rename(tmp_path / f"Pulumi.{stack}.yaml")
    with pytest.raises(SettingsError, match=r"site\.stage"):
        load_stack(stack, tmp_path)


def test_a_stack_name_too_long_for_a_label(tmp_path: Path) -> None:
    name = "p" * 60
    project(tmp_path, site(name=name)).rename(tmp_path / f"Pulumi.{name}-dev.yaml")
    with pytest.raises(SettingsError, match="too long for a label"):
        load_stack(f"{name}-dev", tmp_path)


# Palette


@pytest.mark.row("A15")
def test_both_kinds_of_project(tmp_path: Path) -> None:
    findings = refused(tmp_path, site(put("palette.projectUid", "0" * 24)))
    assert findings["site.palette.projectUid"].remedy == "Keep one of the two."


@pytest.mark.row("A5")
@pytest.mark.parametrize(
    ("endpoint", "dedicated", "where"),
    [("palette.example.com", False, "endpoint"), ("api.spectrocloud.com", True, "dedicated")],
)
def test_dedicated_must_fit_the_endpoint(tmp_path: Path, endpoint: str, dedicated: bool, where: str) -> None:
    raw = site(put("palette.endpoint", endpoint), put("palette.dedicated", dedicated))
    assert list(refused(tmp_path, raw)) == [f"site.palette.{where}"]


@pytest.mark.row("A16")
def test_a_static_network_needs_staticip_and_a_prefix(tmp_path: Path) -> None:
    static = {"interface": "ens160", "gateway": "10.200.0.1", "nameserver": "10.200.0.2"}
    findings = refused(tmp_path, site(put("palette.staticNetwork", static)))
    assert set(findings) == {"site.palette.manages", "site.hosts.plant-b.address"}
    assert "10.200.0.12/24" in findings["site.hosts.plant-b.address"].remedy


@pytest.mark.row("A9", "A18")
def test_fips_must_fit_the_release_and_the_operating_systems(tmp_path: Path) -> None:
    findings = refused(tmp_path, site(fips=True, acceptOs=["debian-12"]))
    assert {"site.fips", "site.hosts.plant-a.acceptOs"} <= set(findings)
    fips = {**RELEASE, "agent": {**RELEASE["agent"], "fips": True}}
    assert load(tmp_path, site(fips=True), release=fips).site.fips
    assert "site.fips" in refused(tmp_path, SITE, release=fips)


@pytest.mark.row("A15")
@pytest.mark.parametrize(
    ("extra", "where", "remedy"),
    [
        ({"stylus": {"managementMode": "local"}}, "stylus.managementMode", "central"),
        ({"stylus": {"site": {"edgeHostToken": "x"}}}, "stylus.site.edgeHostToken", "registrationToken"),
        ({"stylus": {"site": {"network": {"httpProxy": "x"}}}}, "stylus.site.network.httpProxy", "`proxy`"),
        ({"stylus": {"site": {"tags": {"edge-hosts-epoch": "x"}}}}, "stylus.site.tags.edge-hosts-epoch", "without"),
        ({"install": {"poweroff": True}}, "install.poweroff", "reboot"),
        ({"stylus": {"vip": {"skip": True}}}, "stylus.vip.skip", "vipSkip"),
        ({"stylos": {}}, "stylos", "`stylus`"),
        ({"stylus": []}, "stylus", "key: value"),
        ({"stages": None}, "stages", "key: value"),
        ({"stylus": {"secret": "s"}}, "stylus", "key: value"),
        ({"install": None}, "install", "key: value"),
        ({"stylus": {"site": None}}, "stylus.site", "or remove it"),
        ({"stylus": {"site": "x"}}, "stylus.site", "key: value"),
        ({"stylus": {"site": {"network": None}}}, "stylus.site.network", "key: value"),
        ({"stylus": {"site": {"network": {"secret": "s"}}}}, "stylus.site.network", "key: value"),
        ({"stylus": {"site": {"tags": None}}}, "stylus.site.tags", "key: value"),
        ({"stylus": {"vip": []}}, "stylus.vip", "key: value"),
        ({"stylus": {"site": {"caCerts": None}}}, "stylus.site.caCerts", "`caCerts`"),
        ({"stylus": {"registryCredentials": None}}, "stylus.registryCredentials", "registryCredentials"),
        ({"stages": {"initramfs": {"name": "x"}}}, "stages.initramfs", "- name"),
        ({"stages": {"initramfs": [{"users": {"k": {"passwd": "kairos"}}}]}}, "stages.initramfs[0].users.k.passwd", "mkpasswd"),
        ({"stylus": {"externalRegistries": {"registries": [{"password": "p"}]}}},
         "stylus.externalRegistries.registries[0].password", "{secret: NAME}"),
    ],
)  # fmt: skip
def test_extra_user_data_that_cannot_be_merged(tmp_path: Path, extra: Any, where: str, remedy: str) -> None:
    findings = refused(tmp_path, site(put("palette.userDataExtra", extra)))
    assert list(findings) == [f"site.palette.userDataExtra.{where}"]
    assert remedy in next(iter(findings.values())).remedy


@pytest.mark.parametrize("name", ["", "a b", "pasted/canary+="])
def test_a_secret_without_a_name_in_extra_user_data(tmp_path: Path, name: str) -> None:
    extra = {"stages": {"boot": [{"x": 1}, {"key": {"secret": name}}]}}
    findings = refused(tmp_path, site(put("palette.userDataExtra", extra)))
    assert list(findings) == ["site.palette.userDataExtra"]
    said = str(findings["site.palette.userDataExtra"])
    assert "without the name of a secret at stages.boot[1].key" in said and "canary" not in said


@pytest.mark.row("A15", "A16")
@pytest.mark.parametrize(
    ("extra", "where", "change"),
    [
        ({"tags": {"line": "x"}}, "tags.line", put("palette.tags", {"line": "paint"})),
        ({"tags": {"hall": "x"}}, "tags.hall", put("hosts.plant-a.tags", {"hall": "7"})),
        ({"insecureSkipVerify": False}, "insecureSkipVerify", put("palette.insecureSkipVerify", True)),
        ({"network": {"nameserver": "10.0.0.9"}}, "network.nameserver", put("hosts.plant-a.staticNetwork",
         {"interface": "eno1", "gateway": "10.200.0.1", "nameserver": "10.200.0.2"})),
    ],
)  # fmt: skip
def test_what_settings_and_extra_user_data_say_both(tmp_path: Path, extra: Any, where: str, change: Any) -> None:
    mine = put("palette.userDataExtra", {"stylus": {"site": extra}})
    assert load(tmp_path, site(mine))
    findings = refused(tmp_path, site(mine, change, put("palette.manages", ["staticIp"])))
    assert list(findings) == [f"site.palette.userDataExtra.stylus.site.{where}"]
    assert "stands beside" in findings[f"site.palette.userDataExtra.stylus.site.{where}"].problem


# Other sources and kinds


@pytest.mark.parametrize("source", ["lookup", "stack", "managed"])
def test_the_keys_of_other_sources_are_checked(tmp_path: Path, source: str) -> None:
    findings = refused(tmp_path, site(network={"source": source, "regoin": "eu-central-1"}))
    assert findings["site.network.regoin"].remedy == "Did you mean `region`?"
    assert any(finding.problem == "is missing" for finding in findings.values())


def test_an_unknown_kind_says_which_there_are(tmp_path: Path) -> None:
    assert "`kind: site`" in refused(tmp_path, site(kind="sites"))["site"].remedy


# The table of stages. Each rule has a site that breaks it, and the place where it is seen.


def virtual(raw: dict[str, Any]) -> None:
    """Give a site virtual machines."""
    made = vm_site()
    raw |= {key: made[key] for key in ("vcenters", "vsphere", "hosts")}


def activation(left: timedelta, **more: Any) -> Change:
    """Return a change that gives a site an activation, which ends after a time."""
    expires = (datetime.now(UTC) + left).strftime("%Y-%m-%dT%H:%M:%SZ")
    return put("activation", {"source": "create", "role": "Nodes", "expires": expires, **more})


def appliances(image: dict[str, Any], *more: Change) -> tuple[Change, ...]:
    """Return changes that make a site one of appliances with an image."""

    def change(raw: dict[str, Any]) -> None:
        made = mixed(image=image)
        raw |= {key: made[key] for key in ("vcenters", "vsphere", "hosts", "image")}

    return (change, *more)


def pinned(**canvos: Any) -> dict[str, Any]:
    """Return what of a release is different: its image, with some keys replaced or (None) missing."""
    return {"canvos": {key: value for key, value in {**CANVOS, **canvos}.items() if value is not None}}


PLAIN_TAG, CANDIDATE = pinned(), pinned(tag="v4.9.38-rc.1")
BREAKS: dict[str, tuple[tuple[Change, ...], dict[str, Any], str]] = {
    "agent.version.unpinned": ((), {"version": "latest"}, "releases/r-1.yaml: agent.version"),
    "agent.checksum.missing": (
        (), {"script": {}}, "releases/r-1.yaml: agent.script.sha256 and agent.binary.amd64.sha256",
    ),
    "agent.checksum.placeholder": ((), {"script": {"sha256": "0" * 64}}, "releases/r-1.yaml: agent"),
    "agent.download.plain": ((), {"baseUrl": "http://downloads.example"}, "releases/r-1.yaml: agent.baseUrl"),
    "tls.unverified": ((put("palette.insecureSkipVerify", True),), {}, "site.palette.insecureSkipVerify"),
    "host.key.unpinned": ((drop("hosts.plant-a.hostKey"),), {}, "site.hosts.plant-a.hostKey"),
    "ssh.password": ((put("ssh.password", {"secret": "login"}),), {}, "site.ssh.password"),
    "user.password": (
        (put("palette.users", {"op": {"passwordHash": {"secret": "h"}}}),), {}, "site.palette.users.op.passwordHash",
    ),
    "os.accepted": ((put("acceptOs", ["debian-12"]),), {}, "site.acceptOs"),
    "dhcp.accepted": ((put("hosts.plant-a.acceptDhcp", True),), {}, "site.hosts.plant-a.acceptDhcp"),
    "preflight.reported": ((put("preflight", "report"),), {}, "site.preflight"),
    "reboot.unstated": ((drop("hosts.plant-a.allowReboot"),), {}, "site.hosts.plant-a.allowReboot"),
    "reboot.forbidden": ((put("hosts.plant-a.allowReboot", False),), {}, "site.hosts.plant-a.allowReboot"),
    "force.set": ((put("hosts.plant-a.force", True),), {}, "site.hosts.plant-a.force"),
    "protect.off": ((put("hosts.plant-a.protect", False),), {}, "site.hosts.plant-a.protect"),
    "activation.short": ((activation(timedelta(hours=20)),), {}, "site.activation.expires"),
    "activation.room": (
        (activation(timedelta(days=20), registrations=2),), {}, "site.activation.registrations",
    ),
    "vm.small": ((virtual, put("vsphere.disk", "50GiB")), {}, "site.vsphere"),
    "builder.small": (
        appliances(BUILT, put("image.builder.acceptSmall", True)), PLAIN_TAG, "site.image.builder.acceptSmall",
    ),
    "image.built.here": (appliances(BUILT), PLAIN_TAG, "site.image.source"),
    "image.repository.plain": (
        appliances(BUILT, put("image.build.repository", "http://git.example/CanvOS")), PLAIN_TAG, "site.image.build.repository",
    ),
    "image.registry.ttl": (
        appliances(BUILT, put("image.build.registry", "ttl.sh")), PLAIN_TAG, "site.image.build.registry",
    ),
    "image.checksum.placeholder": (
        appliances(GIVEN, put("image.isos.reboot.sha256", "0" * 64)), pinned(isos={"poweroff": DIGEST}),
        "site.image.isos.reboot.sha256",
    ),
    "canvos.tag.unplain": (appliances(BUILT), CANDIDATE, "releases/r-1.yaml: canvos.tag"),
    "canvos.tag.newest": (
        appliances(BUILT), pinned(tag="newest", commit=None, image=None, isos=None), "releases/r-1.yaml: canvos.tag",
    ),
    "canvos.commit.missing": (appliances(FROM_STACK), pinned(commit=None), "releases/r-1.yaml: canvos.commit"),
    "image.digest.missing": (appliances(FROM_STACK), pinned(image=None), "releases/r-1.yaml: canvos.image.digest"),
    "image.isos.missing": (
        appliances(FROM_STACK), pinned(isos={"poweroff": DIGEST}), "releases/r-1.yaml: canvos.isos.reboot",
    ),
    "vm.template.stack": ((virtual, put("vsphere.template", "my-own")), {}, "site.vsphere.template"),
}  # fmt: skip


def test_every_rule_of_the_table_has_a_site_that_breaks_it() -> None:
    assert set(BREAKS) == set(RULES)


@pytest.mark.row("A1", "A2", "A3", "A9", "A15", "A16", "A18", "A20", "B1", "B3", "B12", "B13", "B14")
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_is_as_bad_as_the_table_says(tmp_path: Path, rule: str, stage: Stage) -> None:
    changes, more, where = BREAKS[rule]
    release = {**RELEASE, **more} if "canvos" in more else {**RELEASE, "agent": {**RELEASE["agent"], **more}}
    levels = all_findings(tmp_path, site(*changes, stage=stage), release)
    wanted = RULES[rule].severity(stage)
    if wanted == "off":
        assert where not in levels
    elif wanted == "error" or "error" not in levels.values():
        assert levels.get(where) == wanted, levels


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("made", [site, vm_site])
def test_a_site_that_breaks_nothing_is_quiet_in_every_stage(tmp_path: Path, stage: Stage, made: Any) -> None:
    said = {where for where in all_findings(tmp_path, made(stage=stage)) if not where.startswith("site.network")}
    assert said == set()


def test_production_never_minds_less_than_an_earlier_stage() -> None:
    order = ("off", "warning", "error")
    for rule in RULES.values():
        levels = [order.index(rule.severity(stage)) for stage in STAGES]
        assert levels == sorted(levels), rule.id


@pytest.mark.row("A16")
@pytest.mark.parametrize(
    ("change", "where"),
    [
        (put("palette.apiUrl", "http://palette.example"), "site.palette.apiUrl"),
        (put("palette.registryCredentials", {"domain": "r", "username": "u", "password": {"secret": "s"}, "insecure": True}),
         "site.palette.registryCredentials.insecure"),
        (put("palette.userDataExtra", {"stylus": {"site": {"insecureSkipVerify": True}}}),
         "site.palette.userDataExtra.stylus.site.insecureSkipVerify"),
    ],
)  # fmt: skip
def test_every_way_around_tls_is_refused_in_production(tmp_path: Path, change: Change, where: str) -> None:
    assert all_findings(tmp_path, site(change, stage="prod")).get(where) == "error"


@pytest.mark.row("A3")
def test_the_jump_host_must_be_pinned_too(tmp_path: Path) -> None:
    jump = {"address": "10.1.1.1"}
    levels = all_findings(tmp_path, site(put("hosts.plant-a.ssh", {"jumpHost": jump}), stage="prod"))
    assert levels == {"site.hosts.plant-a.ssh.jumpHost.hostKey": "error"}


def test_a_rule_that_is_not_in_the_table_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        judge("no.such.rule", "dev", "x")


def test_checksums_of_the_second_architecture_may_be_missing(tmp_path: Path) -> None:
    agent = {**RELEASE["agent"], "binary": {"amd64": {"sha256": DIGEST}}}
    assert (
        load(tmp_path, site(stage="prod"), release={**RELEASE, "agent": agent}).release.agent.binary.arm64.sha256
        is None
    )
