"""Every kind of value: what is accepted, and that a wrong one is refused with its place and a remedy."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from settings_helpers import HOST_KEY, drop, load, put, refused, site, vm_site

RSA_1024 = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDLL3ghKnVJ1ejdfZ4iHLMe5gd7dhmfBFiRbZ4sYTCV/hwghZTZFcaDRwK0DRxQoJAUYFtpjfHTLsk"
    "O59JEE6UeWSYq1eGmDi5mNoUhAcV2iQ9XkqJvvsYfqCDhKZvBbZbzGxrlKwnvJ5DRLUVF7dM8oWc8I1cNAx4U4K6BmSXYzw=="
)

# place of the value, the wrong value, a part of the problem, a part of the remedy
WRONG: tuple[tuple[str, Any, str, str], ...] = (
    ("name", "Plant", "no valid name", "a-z"),
    ("name", "a" * 64, "no valid name", "1 to 63"),
    ("name", "12", "no valid name", "at least one letter"),
    ("name", 12, "the number 12", '"12"'),
    ("stage", "production", "not one of", "`prod`"),
    ("palette.endpoint", "https://api.spectrocloud.com/v1", "host name only", "api.spectrocloud.com"),
    ("palette.endpoint", "console.spectrocloud.com", "web console", "api.spectrocloud.com"),
    ("palette.endpoint", "api.spectrocloud.com:443", "no host name", "without a port"),
    ("palette.projectUid", "Default", "no uid", "24 hexadecimal"),
    ("palette.apiUrl", "api.spectrocloud.com", "no valid URL", "https://HOST"),
    ("palette.apiUrl", "https://key:pw@api.spectrocloud.com", "user name or password", "{secret: NAME}"),
    ("palette.apiUrl", "https://api.spectrocloud.com:port", "no valid URL", "https://HOST"),
    ("palette.registrationToken", {"source": "vault"}, "no known source", "{source: config}"),
    ("palette.registrationToken", {"source": "api", "expires": "31.01.2027"}, "is no day", "2027-01-31"),
    ("palette.tags", {"edge-hosts-owner": "me"}, "sets itself", "edge-hosts-"),
    ("palette.tags", {"line": "a b"}, "no valid tag", "A-Z"),
    ("palette.tags", {"line": 7}, "the number 7", '"7"'),
    ("palette.manages", ["ntpd"], "not one of", "`ntp`"),
    ("palette.manages", "ntp", "must be a list", "- item"),
    ("palette.dedicated", "yes", "true or false", "without quotes"),
    ("palette.users", {"kairos": {"passwd": "kairos"}}, "clear text", "mkpasswd"),
    ("palette.users", {"kairos": {"groups": ["sudo"]}}, "can never log in", "sshAuthorizedKeys"),
    ("palette.users", {"Kairos": {"sshAuthorizedKeys": [HOST_KEY]}}, "characters", "must match"),
    ("palette.users", {"k": {"sshAuthorizedKeys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}}, "private key", ".pub"),
    ("palette.users", {"k": {"sshAuthorizedKeys": ["hello"]}}, "no SSH public key", ".pub"),
    ("palette.users", {"k": {"passwordHash": "$6$salt$hash"}}, "only name a secret", "{secret: NAME}"),
    ("palette.registryCredentials", {"domain": "r", "username": "u", "password": "p"}, "only name", "{secret: NAME}"),
    ("network.source", "file", "has no known `source`", "source: given"),
    ("network.clusterEndpoint", "http://x.eks.amazonaws.com", "no valid URL", "https://HOST"),
    ("network.accountId", 66635153087, "the number 66635153087", '"66635153087"'),
    ("network.accountId", "66635153087", "no AWS account id", "12 digits"),
    ("network.endpointMode", "Private", "not one of", "Did you mean `private`"),
    ("network.vpcCidrs", ["10.100.0.0"], "no prefix length", "10.100.0.0/32"),
    ("network.vpcCidrs", ["fd00::/64"], "IPv6", "IPv4"),
    ("network.vpcCidrs", ["10.100.0.1/16"], "inside a block", "Write 10.100.0.0/16"),
    ("network.vpcCidrs", [], "is empty", "at least 1"),
    ("network.serviceCidr", "172.20.0.0/16 ", "blanks", "one line"),
    ("network.eniAddresses", ["10.100.0.300"], "no IPv4 address", "0 to 255"),
    ("network.securityGroups", ["sg-x"], "no id of the form sg-", "hexadecimal"),
    ("network.kubernetesVersion", 1.3, "the number 1.3", "in quotes"),
    ("network.kubernetesVersion", "v1.31", "no Kubernetes version", '"1.31"'),
    ("network.region", "Frankfurt", "no AWS region", "eu-central-1"),
    ("ssh.user", "Edge User", "characters", "must match"),
    ("ssh.port", 0, "too small", "1 or more"),
    ("ssh.port", 70000, "too large", "65535 or less"),
    ("ssh.port", "22", "whole number", "without quotes"),
    ("ssh.port", True, "whole number", "without quotes"),
    ("ssh.privateKey", "id_ed25519", "no source of a key", "{file: PATH}"),
    ("ssh.privateKey", "-----BEGIN OPENSSH PRIVATE KEY-----", "the private key itself", "--secret sshPrivateKey"),
    ("ssh.privateKey", {"file": 7}, "the number 7", "PATH"),
    ("ssh.password", "geheim", "only name a secret", "{secret: NAME}"),
    ("ssh.password", {"secret": "a b"}, "no name of a secret", "letters"),
    ("ssh.jumpHost", {"address": "10.1.2.300"}, "no IPv4 address", "0 to 255"),
    ("proxy", {"http": "http://10.0.0.2:3128"}, "is missing", "Add `https:`"),
    ("proxy", {"https": "https://10.0.0.2:3128"}, "spoken to by TLS", "http://HOST:PORT"),
    ("proxy", {"https": "http://10.0.0.2"}, "no proxy address", "http://10.0.0.2:3128"),
    ("proxy", {"https": "http://u:p@10.0.0.2:3128"}, "user name or password", "{secret: NAME}"),
    ("proxy", {"https": "http://10.0.0.2:3128", "user": "u"}, "only one of", "Write both"),
    ("proxy", {"https": "http://10.0.0.2:3128", "noProxy": ["a,b"]}, "comma", "one entry"),
    ("preflight", "warn", "not one of", "`enforce`"),
    ("acceptOs", ["Debian 12"], "no operating system", "debian-12"),
    ("indexMaxAge", 24, "no length of time", "24h"),
    ("indexMaxAge", "24 hours", "no length of time", "24h"),
    ("healthyTimeout", "0m", "no length of time", "20m"),
    ("vmxnet3", True, "true/false", '"on"'),
    ("vmxnet3", False, "true/false", '"off"'),
    ("fips", "true", "true or false", "without quotes"),
    ("cilium", {"wireguards": True}, "no known key", "Did you mean `wireguard`"),
    ("hosts", {}, "is empty", "at least 1"),
    ("hosts", [], "must be a mapping", "key: value"),
    ("hosts", {"plant-a": "10.200.0.11"}, "no known machine", "address:"),
    ("hosts", {"Plant_A": {"address": "10.200.0.11"}}, "no valid name", "no dots"),
    ("hosts", {"plant.a": {"address": "10.200.0.11"}}, "no valid name", "no dots"),
    ("hosts", {"plant-a": {"address": "10.200.0.11", "machine": "xen"}}, "no known machine", "machine: existing"),
    ("hosts.plant-a.address", 10.2, "the number 10.2", '"10.2"'),
    ("hosts.plant-a.address", "127.0.0.1", "cannot be the address", "static unicast"),
    ("hosts.plant-a.address", "10.200.0.0/24", "network or broadcast", "the host itself"),
    ("hosts.plant-a.address", "10.200.0.11/33", "no usable prefix", "10.200.0.11/24"),
    ("hosts.plant-a.address", "fd00::1", "IPv6", "IPv4"),
    ("hosts.plant-a.hostKey", f"10.200.0.11 {HOST_KEY}", "known_hosts line", "leading host name"),
    ("hosts.plant-a.hostKey", "ssh-dss AAAAB3NzaC1kc3M=", "DSA", "ed25519"),
    ("hosts.plant-a.hostKey", f"10.200.0.11 {HOST_KEY[:40]}", "known_hosts line", "leading host name"),
    ("hosts.plant-a.hostKey", HOST_KEY[:-8], "damaged", "ssh-keyscan"),
    ("hosts.plant-a.hostKey", "ssh-ed25519", "damaged", "ssh-keyscan"),
    ("hosts.plant-a.hostKey", RSA_1024, "less than 2048", "ed25519"),
    ("hosts.plant-a.hostKey", "SHA256:abcdef", "no SSH host key", "TYPE BASE64"),
    ("hosts.plant-a.generation", 0, "too small", "1 or more"),
    ("hosts.plant-a.generation", 1.5, "whole number", "without quotes"),
    ("hosts.plant-a.state", "gone", "not one of", "`active`"),
    ("hosts.plant-a.proxy", "direct", "not one of", "`none`"),
    ("hosts.plant-a.cpus", 4, "does not belong here", "machine: vsphere"),
)  # fmt: skip


@pytest.mark.row("A1", "A2", "A3", "A14", "A15", "A16")
@pytest.mark.parametrize(
    ("place", "value", "problem", "remedy"), WRONG, ids=[f"{row[0]}={row[1]!r:.40}" for row in WRONG]
)
def test_a_wrong_value_is_refused_with_place_and_remedy(
    tmp_path: Path, place: str, value: Any, problem: str, remedy: str
) -> None:
    findings = refused(tmp_path, site(put(place, value)))
    here = [
        one for where, one in findings.items() if where.startswith(f"site.{place}") or f"site.{place}".startswith(where)
    ]
    assert here, f"nothing at site.{place}: {findings}"
    assert any(problem in one.problem for one in here), here
    assert any(remedy in one.remedy for one in here), here
    assert len(findings) == 1, findings


@pytest.mark.row("A1")
@pytest.mark.parametrize("place", ["vsphere.", "hosts.plant-a.", "hosts.plant-b.vsphere."])
@pytest.mark.parametrize(
    ("size", "value", "least"), [("memory", "2GiB", "4GiB"), ("disk", "20GiB", "32GiB"), ("cpus", 1, "2 or")]
)
def test_a_virtual_machine_below_the_minimum_is_refused(
    tmp_path: Path, place: str, size: str, value: Any, least: str
) -> None:
    (finding,) = refused(tmp_path, vm_site(put(f"{place}{size}", value))).values()
    assert finding.where == f"site.{place}{size}"
    assert least in finding.remedy


@pytest.mark.parametrize(
    "place", ["name", "stage", "palette", "network", "ssh", "hosts", "network.clusterName", "ssh.user"]
)
def test_a_missing_key_says_what_it_is_for(tmp_path: Path, place: str) -> None:
    findings = refused(tmp_path, site(drop(place)))
    one = findings[f"site.{place}"] if place != "network.source" else findings["site.network"]
    assert one.problem == "is missing"
    assert one.remedy.startswith(f"Add `{place.rpartition('.')[2]}:` (")


def test_an_unknown_key_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    findings = refused(tmp_path, site(put("heathyTimeout", "5m"), put("hosts.plant-a.hostkey", HOST_KEY)))
    assert findings["site.heathyTimeout"].remedy == "Did you mean `healthyTimeout`?"
    assert findings["site.hosts.plant-a.hostkey"].remedy == "Did you mean `hostKey`?"


def test_snake_case_keys_are_not_taken(tmp_path: Path) -> None:
    findings = refused(tmp_path, site(put("healthy_timeout", "5m")))
    assert "healthyTimeout" in findings["site.healthy_timeout"].remedy


def test_a_refused_secret_is_never_repeated(tmp_path: Path) -> None:
    wrong = site(
        put("ssh.password", {"secret": "x", "value": "tops3cret"}),
        put("palette.users", {"k": {"passwd": "tops3cret"}}),
        put("palette.userDataExtra", {"stylus": {"site": {"users": {"k": {"passwd": "tops3cret"}}}}}),
    )
    for finding in refused(tmp_path, wrong).values():
        assert "tops3cret" not in str(finding)


def test_values_arrive_in_their_types(tmp_path: Path) -> None:
    settings = load(tmp_path, site(healthyTimeout="90s", indexMaxAge="2d"))
    assert settings.site.healthy_timeout == timedelta(seconds=90)
    assert settings.site.index_max_age == timedelta(days=2)
    network = settings.given_network()
    assert network.vpc_cidrs == (IPv4Network("10.100.0.0/16"),)
    host = settings.host_view("plant-a")
    assert (host.address, host.prefix, host.host_key) == (IPv4Address("10.200.0.11"), 24, HOST_KEY)
    assert settings.host_view("plant-b").prefix is None


def test_a_comment_at_the_end_of_a_host_key_is_no_difference(tmp_path: Path) -> None:
    raw = site(put("hosts.plant-a.hostKey", f"{HOST_KEY} root@plant-a"))
    assert load(tmp_path, raw).host_view("plant-a").host_key == HOST_KEY


def test_models_cannot_be_changed(tmp_path: Path) -> None:
    settings = load(tmp_path, site())
    with pytest.raises(Exception, match="frozen"):
        settings.site.name = "other"
    with pytest.raises(Exception, match="frozen"):
        settings.release = settings.release
