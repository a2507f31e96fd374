"""Reading a whole stack: all problems at once, secrets only named, and the same settings with and without a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from settings_helpers import (
    HOST_KEY,
    OTHER_KEY,
    RELEASE,
    ROOT,
    SITE,
    STACKS,
    drop,
    load,
    project,
    put,
    refused,
    refused_text,
    site,
)

from edge.errors import SettingsError
from edge.program_config import program_config
from edge.settings import StackSettings, from_config, load_stack
from edge.settings.load import config_of
from edge.settings.locate import Locator


def handed_over(stack: str) -> tuple[Any, Mapping[str, str]]:
    """Return site and plain config of a committed stack as the engine hands them to the program."""
    config, _ = program_config(ROOT / f"Pulumi.{stack}.yaml", {})
    return json.loads(config["edge-hosts:site"]), {
        key.removeprefix("edge-hosts:"): text for key, text in config.items()
    }


@pytest.mark.parametrize("stack", STACKS)
def test_the_committed_stacks_are_valid(stack: str) -> None:
    settings = load_stack(stack, ROOT)
    assert settings.stage == ("dev" if stack == "lab" else stack)
    assert settings.owner == f"edge-hosts.{stack}"
    assert settings.region == "eu-central-1"


@pytest.mark.parametrize("stack", STACKS)
def test_the_committed_stacks_hold_no_secret(stack: str) -> None:
    assert "secure:" not in (ROOT / f"Pulumi.{stack}.yaml").read_text("utf-8").replace("{secure: ", "")
    assert "PRIVATE KEY" not in (ROOT / f"Pulumi.{stack}.yaml").read_text("utf-8")


@pytest.mark.parametrize("stack", STACKS)
def test_the_program_sees_what_edgectl_sees(stack: str) -> None:
    raw, plain = handed_over(stack)
    config = config_of(stack, ROOT)
    release = config["edge-hosts:release"]
    aws = {key.removeprefix("aws:"): value for key, value in config.items() if key.startswith("aws:")}
    seen = from_config(stack, "edge-hosts", raw, release, aws, site_is_secret=False, root=ROOT, plain=plain.get)
    assert seen == load_stack(stack, ROOT)


def test_a_missing_stack_file_is_one_clear_finding(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Pulumi\.nothing\.yaml: does not exist"):
        load_stack("nothing", tmp_path)


@pytest.mark.parametrize("text", ["", "config:\n", "config: []\n", "hello\n"])
def test_a_file_without_config_is_one_clear_finding(tmp_path: Path, text: str) -> None:
    assert list(refused_text(tmp_path, text)) == ["config"]


def test_a_file_without_a_site_says_so(tmp_path: Path) -> None:
    assert list(refused_text(tmp_path, "config:\n  edge-hosts:release: r-1\n")) == ["site"]


def test_another_place_of_the_stack_file(tmp_path: Path) -> None:
    path = project(tmp_path, SITE)
    moved = path.rename(tmp_path / "elsewhere.yaml")
    assert load_stack("plant-dev", tmp_path, stack_file=moved).site.name == "plant"


def test_a_fully_qualified_stack_name_is_understood(tmp_path: Path) -> None:
    project(tmp_path, SITE)
    assert load_stack("organization/edge-hosts/plant-dev", tmp_path).stack == "plant-dev"


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    raw = site(
        put("stage", "prd"),
        put("colour", "red"),
        put("hosts.plant-b.address", "10.200.0.11"),
        put("hosts.plant-a.generation", 0),
        put("network.vpcCidrs", ["10.100.0.1/16"]),
        put("network.kubernetesVersion", 1.3),
        drop("ssh.user"),
    )
    findings = refused(tmp_path, raw, release={**RELEASE, "kubernetes": 1.3}, edge_hosts__nothing="x")
    assert {
        "site.stage",
        "site.colour",
        "site.hosts.plant-b.address",
        "site.hosts.plant-a.generation",
        "site.network.vpcCidrs[0]",
        "site.network.kubernetesVersion",
        "site.ssh.user",
        "releases/r-1.yaml.kubernetes",
    } <= set(findings)


def test_a_place_has_one_finding_only(tmp_path: Path) -> None:
    text = (
        (ROOT / "Pulumi.dev.yaml")
        .read_text("utf-8")
        .replace("preflight: enforce", "fips: yes\n    vmxnet3: on\n    preflight: enforce")
    )
    findings = refused_text(tmp_path, text)
    assert findings["site.fips"].problem.startswith("means two things")
    assert 'Write true for a switch, or "yes" in quotes' in findings["site.fips"].remedy
    assert '"on" in quotes' in findings["site.vmxnet3"].remedy


def test_the_written_text_is_shown_not_what_became_of_it(tmp_path: Path) -> None:
    text = (ROOT / "Pulumi.dev.yaml").read_text("utf-8").replace('kubernetesVersion: "1.31"', "kubernetesVersion: 1.30")
    finding = refused_text(tmp_path, text)["site.network.kubernetesVersion"]
    assert finding.value == "1.30"
    assert finding.remedy == 'Put it in quotes, exactly as it should be: "1.30".'


@pytest.mark.row("A6")
def test_an_account_id_with_a_leading_zero_must_be_quoted(tmp_path: Path) -> None:
    text = (ROOT / "Pulumi.dev.yaml").read_text("utf-8")
    wrong = refused_text(tmp_path, text.replace("source: given", "source: given\n      accountId: 066635153087"))
    assert "066635153087" in wrong["site.network.accountId"].remedy


@pytest.mark.parametrize("release", [2026.11, None, "r-9", "../r-1"])
def test_a_release_that_cannot_be_meant(tmp_path: Path, release: object) -> None:
    path = project(tmp_path, SITE)
    text = path.read_text().replace("edge-hosts:release: r-1", f"edge-hosts:release: {json.dumps(release)}")
    findings = refused_text(tmp_path, text)
    assert list(findings) == ["release"]
    assert "r-1" in findings["release"].remedy or "quotes" in findings["release"].remedy


def test_no_region_anywhere(tmp_path: Path) -> None:
    path = project(tmp_path, SITE)
    findings = refused_text(tmp_path, path.read_text().replace("  aws:region: eu-central-1\n", ""))
    assert list(findings) == ["site.network.region"]


def test_a_wrong_region_is_refused_where_it_stands(tmp_path: Path) -> None:
    assert list(refused(tmp_path, SITE, aws__region="Frankfurt")) == ["aws:region"]


def test_the_region_of_the_network_counts_first(tmp_path: Path) -> None:
    endpoint = SITE["network"]["clusterEndpoint"].replace("eu-central-1", "eu-west-1")
    raw = site(put("network.region", "eu-west-1"), put("network.clusterEndpoint", endpoint))
    assert load(tmp_path, raw).region == "eu-west-1"


# Secrets


def test_a_secret_site_is_refused(tmp_path: Path) -> None:
    findings = refused(tmp_path, {"secure": "v1:abc:def"})
    assert "set as a secret" in findings["site"].problem
    with pytest.raises(SettingsError, match="set as a secret"):
        from_config(
            "plant-dev", "edge-hosts", SITE, "r-1", {"region": "eu-central-1"}, site_is_secret=True, root=tmp_path
        )


def test_an_encrypted_value_inside_the_site_is_refused(tmp_path: Path) -> None:
    raw = site(put("proxy", {"https": "http://10.0.0.2:3128", "user": "u", "password": {"secure": "v1:abc:def"}}))
    findings = refused(tmp_path, raw)
    assert "inside the site" in findings["site.proxy.password"].problem


@pytest.mark.parametrize("name", ["registrationToken", "sshPrivateKey", "paletteApiKey", "proxyPassword"])
def test_a_secret_in_clear_text_is_refused_without_repeating_it(tmp_path: Path, name: str) -> None:
    proxy = {"https": "http://10.0.0.2:3128", "user": "u", "password": {"secret": "proxyPassword"}}
    findings = refused(tmp_path, site(proxy=proxy), **{f"edge-hosts__{name}": "tops3cret"})
    assert "clear text" in findings[f"edge-hosts:{name}"].problem
    assert "tops3cret" not in str(findings)


def test_an_encrypted_secret_beside_the_site_is_fine(tmp_path: Path) -> None:
    settings = load(tmp_path, SITE, **{"edge-hosts__registrationToken": {"secure": "v1:abc:def"}})
    assert settings.secret_names() == {"registrationToken", "sshPrivateKey"}


@pytest.mark.row("A3", "A13", "A14", "A16")
def test_every_named_secret_is_found_with_its_place(tmp_path: Path) -> None:
    raw = site(
        put("ssh.passphrase", {"secret": "sshPassphrase"}),
        put("ssh.jumpHost", {"address": "10.1.1.1", "privateKey": {"secret": "jumpKey"}}),
        put("proxy", {"https": "http://10.0.0.2:3128", "user": "u", "password": {"secret": "proxyPassword"}}),
        put("palette.users", {"op": {"passwordHash": {"secret": "opHash"}}}),
        put("palette.registryCredentials", {"domain": "r", "username": "u", "password": {"secret": "registry"}}),
        put(
            "palette.userDataExtra",
            {"stylus": {"externalRegistries": {"registries": [{"password": {"secret": "ext"}}]}}},
        ),
        put("hosts.plant-b.ssh", {"privateKey": {"secret": "otherKey"}}),
        put("hosts.plant-b.users", {"op2": {"passwordHash": {"secret": "op2Hash"}}}),
    )
    uses = load(tmp_path, raw).secret_uses()
    assert set(uses) == {
        "registrationToken", "sshPrivateKey", "sshPassphrase", "jumpKey", "proxyPassword", "opHash", "registry", "ext",
        "otherKey", "op2Hash",
    }  # fmt: skip
    assert uses["otherKey"] == ("site.hosts.plant-b.ssh.privateKey",)
    assert uses["ext"] == ("site.palette.userDataExtra.stylus.externalRegistries.registries[0].password",)


def test_a_token_made_by_the_api_needs_no_secret(tmp_path: Path) -> None:
    raw = site(
        put("palette.registrationToken", {"source": "api", "expires": "2027-01-31"}), put("ssh.privateKey", "agent")
    )
    assert load(tmp_path, raw).secret_names() == frozenset()


def test_stand_ins_pass_for_secrets_and_are_told_apart(tmp_path: Path) -> None:
    users = {name: {"passwordHash": {"secret": f"{name}Hash"}} for name in ("op", "op2")}
    settings = load(tmp_path, site(put("palette.users", users)))
    stand_ins = settings.stand_ins()
    assert set(stand_ins) == settings.secret_names()
    assert stand_ins["opHash"].startswith("$6$")
    assert not any(one in other for one in stand_ins.values() for other in stand_ins.values() if one != other)


@pytest.mark.row("A3")
def test_a_key_file_is_relative_to_the_stack_file(tmp_path: Path) -> None:
    settings = load(tmp_path, site(put("ssh.privateKey", {"file": "keys/id"})))
    key = settings.site.ssh.private_key
    assert getattr(key, "file", None) == tmp_path / "keys" / "id"
    home = load(tmp_path, site(put("ssh.privateKey", {"file": "~/.ssh/id"}))).site.ssh.private_key
    assert getattr(home, "file", None) == Path.home() / ".ssh" / "id"


# One host with everything merged


def test_what_a_host_does_not_say_comes_from_the_site(tmp_path: Path) -> None:
    raw = site(
        put("palette.tags", {"line": "a", "hall": "1"}),
        put("palette.users", {"op": {"sshAuthorizedKeys": [HOST_KEY]}}),
        put("proxy", {"https": "http://10.0.0.2:3128"}),
        put("ssh", {"user": "edge", "port": 2222, "jumpHost": {"address": "10.1.1.1"}}),
        put("hosts.plant-a.tags", {"line": "b"}),
        put("hosts.plant-a.ssh", {"port": 22}),
        put("hosts.plant-b.proxy", "none"),
        put("hosts.plant-b.ssh", {"jumpHost": "none", "user": "root"}),
        put("hosts.plant-b.vmxnet3", "on"),
    )
    settings = load(tmp_path, raw)
    a, b = settings.host_views()
    assert a.tags == {"line": "b", "hall": "1"}
    assert set(a.users) == {"op"}
    assert (a.ssh.port, b.ssh.port) == (22, 2222)
    assert a.ssh.jump_host is not None
    assert a.ssh.jump_host.user == "edge"
    assert b.ssh.jump_host is None
    assert b.ssh.user == "root"
    assert a.proxy is not None
    assert a.proxy.http_url == "http://10.0.0.2:3128"
    assert b.proxy is None
    assert (a.vmxnet3, b.vmxnet3) == ("auto", "on")


@pytest.mark.row("A3")
def test_a_password_takes_the_place_of_the_default_key(tmp_path: Path) -> None:
    settings = load(tmp_path, site(put("hosts.plant-a.ssh", {"password": {"secret": "login"}})))
    a, b = settings.host_views()
    assert (a.ssh.private_key, b.ssh.private_key) == (None, "secret")
    assert settings.secret_names() == {"registrationToken", "sshPrivateKey", "login"}


@pytest.mark.parametrize(
    ("stage", "state", "written", "protect"),
    [
        ("dev", "active", None, False),
        ("prod", "active", None, True),
        ("prod", "active", False, False),
        ("dev", "active", True, True),
        ("prod", "retired", None, False),
        ("prod", "rolling", True, False),
        ("prod", "lost", None, False),
    ],
)
def test_protection_by_stage_and_state(
    tmp_path: Path, stage: str, state: str, written: bool | None, protect: bool
) -> None:
    raw = site(put("hosts.plant-a.state", state), stage=stage)
    if written is not None:
        put("hosts.plant-a.protect", written)(raw)
    host = load(tmp_path, raw).host_view("plant-a")
    assert host.protect is protect
    assert host.force is (state == "lost")


@pytest.mark.row("A20")
@pytest.mark.parametrize(
    ("stage", "written", "allowed"), [("dev", None, True), ("dev", False, False), ("prod", True, True)]
)
def test_who_may_be_rebooted(tmp_path: Path, stage: str, written: bool | None, allowed: bool) -> None:
    raw = site(drop("hosts.plant-a.allowReboot"), stage=stage)
    if written is not None:
        put("hosts.plant-a.allowReboot", written)(raw)
    assert load(tmp_path, raw).host_view("plant-a").allow_reboot is allowed


# Lines


def test_a_finding_knows_its_line() -> None:
    locator = Locator.of("dev", ROOT)
    lines = (ROOT / "Pulumi.dev.yaml").read_text("utf-8").splitlines()
    number = locator.line("site.hosts.workshop-b.hostKey")
    assert number is not None
    assert "workshop-b" in lines[number - 1]
    assert locator.line("releases/2026.11-1.yaml: agent") is None
    assert Locator.of("nothing", ROOT).line("site.name") is None


def test_settings_are_compared_by_value(tmp_path: Path) -> None:
    one, other = (
        load(tmp_path, SITE),
        load(tmp_path, site(put("hosts.plant-a.hostKey", OTHER_KEY), drop("hosts.plant-b"))),
    )
    assert isinstance(one, StackSettings)
    assert one == load(tmp_path, SITE)
    assert one != other
