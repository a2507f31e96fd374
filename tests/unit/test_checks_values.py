"""The values of the checks step: complete, secret-free without a proxy login, and of a look when nothing may be written."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from edge.checks.values import checks_values
from edge.endpoints import endpoint_table, query_for
from edge.errors import SecretsError
from edge.network import NetworkFacts
from edge.settings import StackSettings
from edge.steps import SCRIPTS, assignments, bundle
from tests.unit.settings_helpers import authority, load, put, site

PASSWORD = "canary p@ss/word"
PROXY = {
    "https": "http://10.0.0.2:3128",
    "user": "edge",
    "password": {"secret": "proxyPassword"},
    "noProxy": ["intranet"],
}


def values(settings: StackSettings, host: str = "plant-a", **more: Any) -> dict[str, str]:
    """Return the values of one host."""
    view, network = settings.host_view(host), NetworkFacts.given(settings)
    return checks_values(settings, view, network, endpoint_table(query_for(settings, network, view)), **more)


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    """Return the small site."""
    return load(tmp_path, site())


def test_every_value_that_the_checks_read_is_given(settings: StackSettings) -> None:
    """What is set by the scripts themselves, or is a knob of the tests, is not."""
    files = [*(SCRIPTS / "lib").glob("*.sh"), *(SCRIPTS / "checks").glob("*.sh"), SCRIPTS / "checks.sh"]
    text = "\n".join(path.read_text("utf-8") for path in files)
    read = set(re.findall(r"\$\{?(EH_[A-Z0-9_]+)", text))
    own = set(re.findall(r"(?:^|[\s;({\"'&|])(?:declare -A |local )?(EH_[A-Z0-9_]+)(?:\+?=|\[)", text))
    assert sorted(read - own - set(values(settings)) - {"EH_ROOT"}) == []


def test_the_values_can_travel(settings: StackSettings) -> None:
    given = values(settings)
    assert "EH_POLICY=" in assignments(given)
    assert bundle("checks", given).endswith('main "$@" </dev/null\n')


def test_the_hosts_own_facts(settings: StackSettings) -> None:
    given = values(settings)
    assert given["EH_ADDRESS"] == "10.200.0.11/24"
    assert values(settings, "plant-b")["EH_ADDRESS"] == "10.200.0.12"
    assert given["EH_REMOTE_NODE_CIDRS"] == "10.200.0.0/16"
    assert given["EH_ENI_ADDRESSES"] == "10.100.0.10 10.100.1.10"
    assert given["EH_LOGIN_USER"] == "edge"
    assert given["EH_INDEX_MAX_AGE"] == "86400"
    assert given["EH_SERVICES"] == "rsyslog"
    assert given["EH_INSTALLER_URL"].endswith("/v4.9.38/palette-agent-install.sh")
    assert (given["EH_WRITE"], given["EH_PHASES"], given["EH_ENFORCE"]) == ("1", "0 1", "1")


@pytest.mark.row("A7", "A9", "A2", "A17")
def test_overrides_and_features_reach_the_host(tmp_path: Path) -> None:
    changes = [
        put("cilium", {"bgp": True, "mutualAuth": True}),
        put("acceptOs", ["debian-12"]),
        put("hosts.plant-a.acceptDhcp", True),
        put("hosts.plant-a.vmxnet3", "off"),
        put("preflight", "report"),
        put("palette.manages", ["ntp"]),
    ]
    given = values(load(tmp_path, site(*changes)))
    assert given["EH_CILIUM"] == "mutualAuth bgp"
    assert given["EH_ACCEPT_OS"] == "debian-12"
    assert given["EH_ACCEPT_DHCP"] == "1"
    assert given["EH_VMXNET3"] == "off"
    assert given["EH_ENFORCE"] == "0"
    assert given["EH_SERVICES"] == "rsyslog systemd-timesyncd"


@pytest.mark.row("A9", "A18")
def test_a_fips_host_is_asked_for_the_fips_installer(settings: StackSettings) -> None:
    view, network = dataclasses.replace(settings.host_view("plant-a"), fips=True), NetworkFacts.given(settings)
    given = checks_values(settings, view, network, ())
    assert given["EH_FIPS"] == "1"
    assert given["EH_INSTALLER_URL"].endswith("palette-agent-install-fips.sh")


@pytest.mark.row("A6", "C2")
def test_the_outputs_of_aws_travel(settings: StackSettings) -> None:
    facts = dataclasses.replace(
        NetworkFacts.given(settings),
        private_path=True,
        endpoint_services=("com.amazonaws.eu-central-1.eks", "com.amazonaws.eu-central-1.ssm"),
        inbound_resolvers=("10.100.0.53",),
        other_sites=("plant-13 10.201.0.0/16", "plant-14 10.202.0.0/16"),
    )
    view = settings.host_view("plant-a")
    given = checks_values(settings, view, facts, endpoint_table(query_for(settings, facts, view)))
    assert given["EH_PRIVATE_NAMES"] == "eks.eu-central-1.amazonaws.com ssm.eu-central-1.amazonaws.com"
    assert given["EH_OTHER_SITES"] == "plant-13 10.201.0.0/16\nplant-14 10.202.0.0/16\n"
    assert given["EH_ENI_SUBNETS"] == "10.100.0.0/24 10.100.1.0/24"
    assert given["EH_INBOUND_RESOLVERS"] == "10.100.0.53"
    assert values(settings)["EH_PRIVATE_NAMES"] == ""


@pytest.mark.row("A6")
def test_the_endpoint_table_travels_as_lines(settings: StackSettings) -> None:
    lines = [line.split("\t") for line in values(settings)["EH_ENDPOINTS"].splitlines()]
    assert {len(line) for line in lines} == {6}
    assert {line[4] for line in lines} == {"direct"}
    by_host = {line[0]: line for line in lines}
    assert by_host["10.100.0.10"][1:4] == ["443", "tcp", "required"]
    assert by_host["eks.eu-central-1.amazonaws.com"][3] == "required"


@pytest.mark.row("A14")
def test_the_proxy_carries_its_login_and_what_needs_none(tmp_path: Path) -> None:
    settings = load(tmp_path, site(proxy=PROXY), edge_hosts__proxyPassword={"secure": "x"})
    given = values(settings, secrets={"proxyPassword": PASSWORD})
    assert given["EH_PROXY_HTTPS"] == "http://edge:canary%20p%40ss%2Fword@10.0.0.2:3128"
    assert {"10.100.0.0/16", "172.20.0.0/16", "10.200.0.0/16", "192.168.0.0/16", "intranet"} <= set(
        given["EH_NO_PROXY"].split(",")
    )
    ways = {line.split("\t")[0]: line.split("\t")[4] for line in given["EH_ENDPOINTS"].splitlines()}
    assert ways["eks.eu-central-1.amazonaws.com"] == "proxy"
    assert ways["10.100.0.10"] == "direct"
    with pytest.raises(SecretsError):
        values(settings, secrets={})


@pytest.mark.row("A16")
def test_authorities_travel_as_text(tmp_path: Path) -> None:
    pem = authority("corporate")
    given = values(load(tmp_path, site(caCerts=[pem])))
    assert given["EH_CA_PEM"].count("BEGIN CERTIFICATE") == 1
    own = values(load(tmp_path, site(put("palette.caCert", pem))))
    assert own["EH_PALETTE_CA"].count("BEGIN CERTIFICATE") == 1
    assert own["EH_CA_PEM"] == ""


def test_a_look_says_so_and_known_ids_are_sorted(settings: StackSettings) -> None:
    ids = [("plant-c", "c" * 32, "u3"), ("plant-b", "b" * 32, "u2")]
    given = values(settings, write=False, phases="0", known_ids=ids)
    assert (given["EH_WRITE"], given["EH_PHASES"]) == ("0", "0")
    assert given["EH_KNOWN_IDS"] == f"plant-b\t{'b' * 32}\tu2\nplant-c\t{'c' * 32}\tu3\n"


def test_equal_settings_give_equal_values(settings: StackSettings) -> None:
    """Anything else would run the checks of every host on every `up`."""
    assert values(settings) == values(settings)
