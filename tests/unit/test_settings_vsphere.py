"""The values of the vSphere side: what is accepted and how it arrives, what is refused, with place and remedy."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError
from settings_helpers import authority, load, project, put, refused, refused_text, vm_site

from edge.settings.vsphere_values import (
    inventory_name,
    inventory_path,
    mac_address,
    mebibytes,
    server,
    shown_memory,
    thumbprint,
)
from edge.settings.yamltext import parse

SHA256 = "2B:1D:0C:5F:61:9A:44:7E:C8:33:F0:12:9D:B5:6A:E7:58:04:AF:93:7C:21:D6:8B:10:4E:FD:39:A2:65:CB:70"
SHA1 = ":".join(SHA256.split(":")[:20])

# place of the value, the wrong value, a part of the problem, a part of the remedy
WRONG: tuple[tuple[str, Any, str, str], ...] = (
    ("vcenters", [], "must be a mapping", "key: value"),
    ("vcenters", {"Main": {"server": "v", "user": "u"}}, "no valid name", "a-z"),
    ("vcenters.main.server", "https://vcenter.example.com/ui", "host name only", "vcenter.example.com"),
    ("vcenters.main.server", "vcenter.example.com:https", "no usable port", "vcenter.example.com:443"),
    ("vcenters.main.server", "vcenter.example.com:0", "no usable port", ":443"),
    ("vcenters.main.server", "10.1.2.300", "no IPv4 address", "0 to 255"),
    ("vcenters.main.server", "vcenter_1", "no host name", "DNS name"),
    ("vcenters.main.password", "geheim", "only name a secret", "{secret: NAME}"),
    ("vcenters.main.user", 7, "the number 7", '"7"'),
    ("vcenters.main.thumbprint", SHA1, "SHA-1", "-fingerprint -sha256"),
    ("vcenters.main.thumbprint", "SHA1 Fingerprint=" + SHA1, "SHA-1", "64 hexadecimal"),
    ("vcenters.main.thumbprint", SHA256[:-3], "no SHA-256 thumbprint", "-fingerprint -sha256"),
    ("vcenters.main.thumbprint", "SHA256:" + "A" * 43, "no SHA-256 thumbprint", "-fingerprint -sha256"),
    ("vcenters.main.apiTimeout", 300, "no length of time", "20m"),
    ("vcenters.main.caCert", "hello", "no PEM certificate", "BEGIN CERTIFICATE"),
    ("vcenters.main.allowUnverified", True, "no known key", "Possible here"),
    ("vsphere.datacenter", "Europe/DC1", "has a slash", "%2f"),
    ("vsphere.network", "VLAN 10\\20", "has a slash", "%5c"),
    ("vsphere.network", "100%", "has a `%`", "Write 100%25"),
    ("vsphere.datastore", "d" * 81, "80 characters", "shorter"),
    ("vsphere.cluster", " edge", "blanks", "one line"),
    ("vsphere.network", 200, "the number 200", '"200"'),
    ("vsphere.folder", "/DC1/vm/plants", "begins with a slash", "plants"),
    ("vsphere.folder", "plants//edge", "no path", "one `/`"),
    ("vsphere.folder", "plants/../edge", "no path", "from outside to inside"),
    ("vsphere.resourcePool", "a\\b", "backslash", "%5c"),
    ("vsphere.gateway", "0.0.0.0", "no other machine's", "unicast"),
    ("vsphere.gateway", "224.0.0.1", "no other machine's", "unicast"),
    ("vsphere.nameservers", ["127.0.0.53"], "no other machine's", "unicast"),
    ("vsphere.nameservers", [], "is empty", "at least 1"),
    ("vsphere.nameservers", "10.200.0.2", "must be a list", "- item"),
    ("vsphere.searchDomains", ["plant example"], "no host name", "DNS name"),
    ("vsphere.cpus", 1, "too small", "2 or more"),
    ("vsphere.cpus", 257, "too large", "256 or less"),
    ("vsphere.coresPerSocket", 0, "too small", "1 or more"),
    ("vsphere.memory", "16GB", "no size", "16384MiB"),
    ("vsphere.memory", 16384, "no size", "16GiB"),
    ("vsphere.memory", "16383MiB", "no multiple of 4 MiB", "16380MiB or 16384MiB"),
    ("vsphere.memory", "3GiB", "too little memory", "4GiB or more"),
    ("vsphere.memory", "4092MiB", "too little memory", "4GiB or more"),
    ("vsphere.memory", "99999GiB", "more memory than vSphere", "24576GiB or less"),
    ("vsphere.disk", "31GiB", "too small a disk", "32GiB or more"),
    ("vsphere.disk", "63489GiB", "larger than a disk", "63488GiB or less"),
    ("vsphere.disk", "150000MiB", "no size", "16GiB"),
    ("vsphere.hotAdd", "on", "true or false", "without quotes"),
    ("vsphere.antiAffinity", "on", "true or false", "without quotes"),
    ("vsphere.tags", ["prod"], "must be a mapping", "key: value"),
    ("vsphere.tags", {"stage": 1}, "the number 1", '"1"'),
    ("vsphere.attributes", {"owner": "x" * 257}, "256 characters", "shorter"),
    ("vsphere.ha", {"restartPriority": "hihg"}, "not one of", "Did you mean `high`"),
    ("vsphere.startDelay", "0s", "no length of time", "20m"),
    ("vsphere.datastoreClustr", "pod", "no known key", "Did you mean `datastoreCluster`"),
    ("hosts.plant-a.cpus", 1, "too small", "2 or more"),
    ("hosts.plant-a.memory", "8190MiB", "no multiple of 4 MiB", "8188MiB or 8192MiB"),
    ("hosts.plant-a.mac", "00:50:56:40:00:00", "outside the range", "00:50:56:3f:ff:ff"),
    ("hosts.plant-a.mac", "52:54:00:12:34:56", "outside the range", "remove it"),
    ("hosts.plant-a.mac", "00:50:56:01:02", "no MAC address", "six pairs"),
    ("hosts.plant-a.mac", 5056010203, "the number", "5056010203"),
    ("hosts.plant-a.adopt", "plants/plant-a", "no whole path", "/DATACENTER/vm/"),
    ("hosts.plant-a.adopt", "/DC1/vm/", "no path", "one `/`"),
    ("hosts.plant-a.adopt", "/vm/plant-a", "no whole path", "govc find"),
    ("hosts.plant-a.vsphere", {"antiAffinity": True}, "no known key", "Possible here"),
    ("hosts.plant-a.vsphere", {"gateway": "10.200.0.256"}, "no IPv4 address", "0 to 255"),
    ("hosts.plant-c.vsphere", {"cpus": 4}, "does not belong here", "machine: vsphere"),
    ("hosts.plant-c.mac", "00:50:56:01:02:03", "does not belong here", "machine: vsphere"),
    ("ssh.authorizedKeys", ["hello"], "no SSH public key", ".pub"),
)


@pytest.mark.row("A1", "A2", "C1")
@pytest.mark.parametrize(
    ("place", "value", "problem", "remedy"), WRONG, ids=[f"{row[0]}={row[1]!r:.40}" for row in WRONG]
)
def test_a_wrong_value_is_refused_with_place_and_remedy(
    tmp_path: Path, place: str, value: Any, problem: str, remedy: str
) -> None:
    findings = refused(tmp_path, vm_site(put(place, value)))
    (where, finding) = next(iter(findings.items()))
    assert where.startswith(f"site.{place}") or f"site.{place}".startswith(where)
    assert problem in finding.problem, finding
    assert remedy in finding.remedy, finding
    assert len(findings) == 1, findings


@pytest.mark.parametrize("key", ["server", "user"])
def test_a_vcenter_needs_its_server_and_its_user(tmp_path: Path, key: str) -> None:
    raw = vm_site(put("vsphere.cpus", 1))
    del raw["vcenters"]["main"][key]
    findings = refused(tmp_path, raw)
    assert set(findings) == {f"site.vcenters.main.{key}", "site.vsphere.cpus"}
    assert findings[f"site.vcenters.main.{key}"].problem == "is missing"


@pytest.mark.row("C1")
def test_a_vcenter_arrives_whole(tmp_path: Path) -> None:
    pem = authority("vCenter CA")
    raw = vm_site(
        put("vcenters.main.server", "VCenter.Example.com:8989"),
        put("vcenters.main.user", "lab"),
        put("vcenters.main.caCert", pem),
        put("vcenters.main.apiTimeout", "90s"),
    )
    vcenter = load(tmp_path, raw).vcenter("main")
    assert (vcenter.server, vcenter.host, vcenter.port) == ("vcenter.example.com:8989", "vcenter.example.com", 8989)
    assert (vcenter.ca_cert, vcenter.api_timeout) == (pem, timedelta(seconds=90))
    assert vcenter.password.secret == "vspherePassword"
    plain = load(tmp_path, vm_site()).vcenter("main")
    assert (plain.host, plain.port, plain.api_timeout) == ("vcenter.example.com", 443, timedelta(minutes=5))
    with pytest.raises(KeyError):
        load(tmp_path, vm_site()).vcenter("other")


@pytest.mark.parametrize(
    "written",
    [
        SHA256,
        SHA256.lower().replace(":", ""),
        f"SHA-256 {SHA256}",
        f"SHA256 Fingerprint={SHA256}",
        f"sha256:{SHA256.replace(':', '')}",
        SHA256.replace(":", " "),
    ],
)
def test_every_form_of_a_thumbprint_is_the_same(written: str) -> None:
    assert thumbprint(written) == SHA256.replace(":", "").lower()


@pytest.mark.parametrize(
    ("written", "read"),
    [("vc", "vc"), ("10.1.2.3", "10.1.2.3"), ("10.1.2.3:0443", "10.1.2.3:443"), ("VC.Example:1", "vc.example:1")],
)
def test_forms_of_a_server(written: str, read: str) -> None:
    assert server(written) == read


@pytest.mark.parametrize("name", ["vlan-200", "VLAN 200 (edge)", "10%2f24", "a%5Cb", "100%25", "Büro", "x" * 80])
def test_names_that_vcenter_can_have(name: str) -> None:
    assert inventory_name(name) == name
    assert inventory_path(f"/DC1/vm/{name}") == f"/DC1/vm/{name}"


# Two readers of one file: what looks like a number or a time to one of them.


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("mac: 00:50:56:12:34:56", None),
        ("mac: 005056123456", "mac"),
        ("adopt: /DC1/vm/plant-a", None),
        ("memory: 16384", "memory"),
        ("memory: 1e4", "memory"),
        ("memory: 16_384", "memory"),
        ("vsphere: {network: 0200}", "vsphere.network"),
        ("vsphere: {network: 12:30}", "vsphere.network"),
        ("vsphere: {cluster: 2027-01-31}", "vsphere.cluster"),
        ("vsphere: {cluster: on}", "vsphere.cluster"),
        ("vsphere: {hotAdd: on}", "vsphere.hotAdd"),
        ("vsphere: {startDelay: 1:30}", "vsphere.startDelay"),
        ("vsphere: {tags: {stage: no}}", "vsphere.tags.stage"),
    ],
)
def test_what_yaml_reads_in_two_ways_is_refused(tmp_path: Path, line: str, place: str | None) -> None:
    path = project(tmp_path, vm_site())
    text = path.read_text("utf-8")
    marker = "      plant-a:\n"
    assert marker in text
    changed = text.replace(marker, f"{marker}        {line}\n")
    if place is None:
        assert parse(changed, "file").problems == []
        assert parse(changed, "file").data == yaml.safe_load(changed)
        return
    findings = refused_text(tmp_path, changed)
    assert f"site.hosts.plant-a.{place}" in findings


@pytest.mark.parametrize("pairs", [32, 20])
def test_a_thumbprint_of_digits_only_is_no_number_to_anybody(tmp_path: Path, pairs: int) -> None:
    digits = ":".join(["12"] * pairs)
    path = project(tmp_path, vm_site())
    marker = "      main:\n"
    changed = path.read_text("utf-8").replace(marker, f"{marker}        thumbprint: {digits}\n", 1)
    finding = refused_text(tmp_path, changed)["site.vcenters.main.thumbprint"]
    assert "means two things" in finding.problem
    assert f'"{digits}" in quotes' in finding.remedy


@given(st.integers(0, 2**22 - 1), st.booleans(), st.sampled_from(":-"))
@pytest.mark.row("A2")
def test_every_address_of_the_range_is_taken_and_reads_alike_plain(number: int, upper: bool, mark: str) -> None:
    octets = (0x00, 0x50, 0x56, number >> 16, number >> 8 & 0xFF, number & 0xFF)
    plain = ":".join(f"{octet:02x}" for octet in octets)
    written = plain.replace(":", mark)
    assert mac_address(written.upper() if upper else written) == plain
    document = parse(f"mac: {plain}\n", "file")
    assert document.problems == []
    assert document.data == {"mac": plain} == yaml.safe_load(f"mac: {plain}\n")


@given(st.integers(0, 2**48 - 1))
def test_no_other_address_is_taken(number: int) -> None:
    written = ":".join(f"{number >> shift & 0xFF:02x}" for shift in range(40, -8, -8))
    inside = written.startswith("00:50:56:") and int(written[9:11], 16) <= 0x3F
    if not inside:
        with pytest.raises(PydanticCustomError, match="range"):
            mac_address(written)


@given(st.integers(1, 30_000_000), st.sampled_from(("GiB", "MiB")))
@pytest.mark.row("A1")
def test_memory_is_what_was_written_or_refused_for_a_reason(number: int, unit: str) -> None:
    size = number * (1024 if unit == "GiB" else 1)
    possible = size % 4 == 0 and 4096 <= size <= 24 * 1024 * 1024
    try:
        read = mebibytes(f"{number}{unit}")
    except PydanticCustomError as error:
        assert not possible or len(str(number)) > 9
        for word in re.findall(r"[0-9]+MiB", str((error.context or {})["remedy"])):
            assert int(word.removesuffix("MiB")) % 4 == 0
        return
    assert possible
    assert read == size
    assert mebibytes(shown_memory(read)) == read


@given(st.text(max_size=90))
def test_any_text_as_a_name_is_taken_or_refused(text: str) -> None:
    for check in (inventory_name, inventory_path, mac_address, thumbprint, server, mebibytes):
        try:
            check(text)
        except PydanticCustomError as error:
            assert (error.context or {})["remedy"]


def test_values_arrive_in_their_types(tmp_path: Path) -> None:
    raw = vm_site(
        put("vsphere.memory", "16GiB"),
        put("vsphere.startDelay", "30s"),
        put("vsphere.searchDomains", ["Plant.Example"]),
        put("hosts.plant-a.mac", "00-50-56-3F-FF-FF"),
        put("hosts.plant-a.adopt", "/Europe/DC1/vm/plants/old"),
    )
    vm = load(tmp_path, raw).host_view("plant-a").vm
    assert vm is not None
    assert (vm.memory_mib, vm.start_delay) == (16384, timedelta(seconds=30))
    assert (vm.gateway, vm.nameservers) == (IPv4Address("10.200.0.1"), (IPv4Address("10.200.0.2"),))
    assert (vm.search_domains, vm.mac) == (("plant.example",), "00:50:56:3f:ff:ff")
    assert vm.adopt == "/Europe/DC1/vm/plants/old"
