"""The values of prepare, agent and started: what they carry, what they must not, and what may not change them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edge.network import NetworkFacts
from edge.settings import StackSettings
from edge.steps import assignments
from edge.steps_values import agent_values, prepare_values, started_values
from tests.unit.settings_helpers import DIGEST, RELEASE, authority, load, put, site

TOKEN = "canary-token"
PASSWORD = "canary p@ss/word"
EPOCH = "0123456789abcdef"
PROXY = {
    "https": "http://10.0.0.2:3128",
    "user": "edge",
    "password": {"secret": "proxyPassword"},
    "noProxy": ["intranet"],
}
SECRETS = {"proxyPassword": PASSWORD}


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    """Return the settings of the small site."""
    return load(tmp_path, site())


def proxied(tmp_path: Path, **more: Any) -> StackSettings:
    return load(tmp_path, site(proxy=PROXY, **more), edge_hosts__proxyPassword={"secure": "x"})


def prepare(settings: StackSettings, secrets: Mapping[str, str] = SECRETS) -> dict[str, str]:
    return prepare_values(settings, settings.host_view("plant-a"), NetworkFacts.given(settings), secrets)


def agent(settings: StackSettings, **more: Any) -> dict[str, str]:
    given: dict[str, Any] = {"token": TOKEN, "epoch": EPOCH} | more
    return agent_values(settings, settings.host_view("plant-a"), NetworkFacts.given(settings), SECRETS, **given)


@pytest.mark.row("A10")
def test_the_preparation_knows_packages_of_every_family_and_who_logs_in(settings: StackSettings) -> None:
    values = prepare(settings)
    assert "conntrack" in values["EH_PACKAGES_APT"].split()
    assert "conntrack-tools" in values["EH_PACKAGES_DNF"].split()
    assert "iptables-nft|cmd:iptables" in values["EH_PACKAGES_AMAZON"].split()
    assert values["EH_SERVICES"] == "rsyslog"
    assert values["EH_LOGIN_USER"] == "edge"
    assert values["EH_INDEX_MAX_AGE"] == "86400"
    assert values["EH_OWNER"] == "edge-hosts.plant-dev"


@pytest.mark.row("A10")
def test_more_packages_of_the_release_come_behind_those_of_the_table(tmp_path: Path) -> None:
    release = {**RELEASE, "packages": {"apt": ["nfs-common"], "rhel": ["nfs-utils"], "amazon": ["nfs-utils"]}}
    values = prepare(load(tmp_path, site(), release=release))
    assert values["EH_PACKAGES_APT"].split()[-1] == "nfs-common"
    assert values["EH_PACKAGES_DNF"].split()[-1] == "nfs-utils"


@pytest.mark.row("A14")
def test_the_proxy_carries_its_login_and_what_is_reached_without_it(tmp_path: Path) -> None:
    values = prepare(proxied(tmp_path))
    assert values["EH_PROXY_HTTP"] == values["EH_PROXY_HTTPS"] == "http://edge:canary%20p%40ss%2Fword@10.0.0.2:3128"
    words = values["EH_NO_PROXY"].split(",")
    assert {"10.100.0.0/16", "172.20.0.0/16", "10.200.0.0/16", "192.168.0.0/16", "localhost", "intranet"} <= set(words)


@pytest.mark.row("A14")
def test_a_host_without_a_proxy_has_empty_values(settings: StackSettings) -> None:
    values = prepare(settings)
    assert (values["EH_PROXY_HTTP"], values["EH_PROXY_HTTPS"], values["EH_NO_PROXY"]) == ("", "", "")


@pytest.mark.row("A6")
def test_another_network_interface_of_the_control_plane_changes_the_checks_only(settings: StackSettings) -> None:
    """The engine reads a changed value as an update: preparation and agent must not see one."""
    host, facts = settings.host_view("plant-a"), NetworkFacts.given(settings)
    moved = dataclasses.replace(facts, eni_addresses=("10.100.0.77",), eni_subnets=("10.100.9.0/24",))
    given = {"token": TOKEN, "epoch": EPOCH}
    assert prepare_values(settings, host, facts, {}) == prepare_values(settings, host, moved, {})
    assert agent_values(settings, host, facts, {}, **given) == agent_values(settings, host, moved, {}, **given)


@pytest.mark.row("A13", "A15")
def test_only_the_user_data_carries_the_token_and_its_core_does_not(settings: StackSettings) -> None:
    values = agent(settings)
    assert TOKEN in values.pop("EH_USERDATA")
    assert TOKEN not in str(values)
    assert values["EH_USERDATA_CORE_SHA"] == agent(settings, token="another")["EH_USERDATA_CORE_SHA"]
    assert len(values["EH_USERDATA_CORE_SHA"]) == hashlib.sha256().digest_size * 2


@pytest.mark.row("A18")
def test_the_agent_gets_addresses_and_digests_of_both_architectures(settings: StackSettings) -> None:
    values = agent(settings)
    assert values["EH_AGENT_VERSION"] == "4.9.38"
    assert values["EH_SCRIPT_URL"].endswith("/v4.9.38/palette-agent-install.sh")
    assert values["EH_BINARY_URL_AMD64"].endswith("/palette-agent-linux-amd64")
    assert values["EH_BINARY_URL_ARM64"].endswith("/palette-agent-linux-arm64")
    assert values["EH_BINARY_SHA256_AMD64"] == values["EH_SCRIPT_SHA256"] == DIGEST
    assert values["EH_ALLOW_REBOOT"] == "1"


@pytest.mark.row("A18")
def test_fips_and_a_dedicated_instance_choose_what_is_downloaded(tmp_path: Path) -> None:
    release = {**RELEASE, "agent": {"version": "instance", "fips": True}}
    settings = load(tmp_path, site(put("fips", True)), release=release)
    values = agent(settings, instance_version="4.8.7")
    assert values["EH_SCRIPT_URL"].endswith("/v4.8.7/palette-agent-install-fips.sh")
    assert values["EH_BINARY_URL_AMD64"].endswith("/palette-agent-fips-linux-amd64")
    assert (values["EH_AGENT_VERSION"], values["EH_SCRIPT_SHA256"], values["EH_FIPS"]) == ("4.8.7", "", "1")
    with pytest.raises(ValueError, match="ask the Palette instance"):
        agent(settings)


@pytest.mark.row("A17", "A20")
def test_the_look_after_the_reboot_has_no_secret_and_no_network(settings: StackSettings) -> None:
    values = started_values(settings, settings.host_view("plant-a"), epoch=EPOCH, machine="42")
    assert (values["EH_EPOCH"], values["EH_MACHINE"], values["EH_VMXNET3"]) == (EPOCH, "42", "auto")
    assert "EH_USERDATA" not in values
    assert "EH_PROXY_HTTP" not in values


@pytest.mark.row("A16")
def test_authorities_travel_as_one_text(tmp_path: Path) -> None:
    one, two = authority("One"), authority("Two")
    values = prepare(load(tmp_path, site(caCerts=[one, two])))
    assert values["EH_CA_PEM"].count("-----BEGIN CERTIFICATE-----\n") == 2


def test_every_value_is_one_that_bash_can_be_given(tmp_path: Path) -> None:
    settings = proxied(tmp_path)
    assert assignments(prepare(settings))
    assert assignments(agent(settings))
