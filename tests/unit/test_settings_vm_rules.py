"""Rules about virtual machines, each on the values merged from host and site, all findings at once."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from settings_helpers import HOST_KEY, RELEASE, VCENTER, authority, drop, load, project, put, refused, site, vm_site

from edge.errors import SettingsError
from edge.settings import from_config, load_stack

Change = Callable[[dict[str, Any]], None]
NO_TEMPLATE = {key: value for key, value in RELEASE.items() if key != "vm"}
LOGIN = {"password": {"secret": "login"}}
MAC = "00:50:56:01:02:03"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF1Gg+X+Ebf7AChByyztNBDxg3vJ3GZsWki4zpd3bLRM"


def both(key: str, value: Any) -> Change:
    """Return a change of both virtual machines of the site."""

    def change(raw: dict[str, Any]) -> None:
        for name in ("plant-a", "plant-b"):
            put(f"hosts.{name}.{key}", value)(raw)

    return change


# name of the case, changes, where it is said, a part of the problem, a part of the remedy
BROKEN: tuple[tuple[str, tuple[Change, ...], str, str, str], ...] = (
    ("no vcenters", (drop("vcenters"),), "site.vcenters", "is missing", "vcenters: {main:"),
    ("unknown vcenter", (put("vsphere.vcenter", "mian"),), "site.vsphere.vcenter", "no vCenter of this site", "one of: main"),
    ("unknown vcenter of a host", (put("hosts.plant-b.vsphere", {"vcenter": "other"}),),
     "site.hosts.plant-b.vsphere.vcenter", "no vCenter of this site", "one of: main"),
    ("several vcenters", (put("vcenters.two", VCENTER),), "site.vsphere.vcenter", "several vCenters", "one of: main, two"),
    ("two pins", (put("vcenters.main.thumbprint", "ab" * 32), put("vcenters.main.caCert", {"config": "ca"})),
     "site.vcenters.main.thumbprint", "beside `caCert`", "Keep `caCert`"),
    ("no datacenter", (drop("vsphere.datacenter"),), "site.vsphere.datacenter", "is missing", "Add `datacenter:`"),
    ("no network", (drop("vsphere.network"),), "site.vsphere.network", "is missing", "(Port group of the machine"),
    ("no gateway", (drop("vsphere.gateway"),), "site.vsphere.gateway", "is missing", "Add `gateway:`"),
    ("no nameservers", (drop("vsphere.nameservers"),), "site.vsphere.nameservers", "is missing", "Add `nameservers:`"),
    ("no cluster", (drop("vsphere.cluster"),), "site.vsphere.cluster", "is missing", "one of `cluster` and `host`"),
    ("cluster and host", (put("vsphere.host", "esx-1"),), "site.vsphere.host", "beside `cluster: edge`", "Keep one"),
    ("host's own both", (put("hosts.plant-a.vsphere", {"cluster": "x", "host": "y"}),),
     "site.hosts.plant-a.vsphere.host", "beside `cluster: x`", "Keep one"),
    ("no datastore", (drop("vsphere.datastore"),), "site.vsphere.datastore", "is missing", "`datastoreCluster`"),
    ("both datastores", (put("vsphere.datastoreCluster", "pod"),), "site.vsphere.datastoreCluster", "beside `datastore", "Keep one"),
    ("size twice", (put("hosts.plant-a.cpus", 8), put("hosts.plant-a.vsphere", {"cpus": 4})),
     "site.hosts.plant-a.cpus", "beside `hosts.plant-a.vsphere.cpus`", "Keep one"),
    ("sockets", (put("vsphere.coresPerSocket", 3),), "site.vsphere.coresPerSocket", "does not divide the 4 CPUs", "1 or 2 or 4"),
    ("sockets of a host", (put("vsphere.coresPerSocket", 4), put("hosts.plant-b.cpus", 6)),
     "site.vsphere.coresPerSocket", "6 CPUs of plant-b", "1 or 2 or 3 or 6"),
    ("priority without a cluster", (put("hosts.plant-a.vsphere", {"host": "esx-9", "ha": {"restartPriority": "low"}}),),
     "site.hosts.plant-a.vsphere.ha.restartPriority", "needs a cluster", "`cluster:`"),
    ("password", (put("ssh", {"user": "edge", **LOGIN}),), "site.ssh.password", "only keys log in", "password: null"),
    ("password of a host", (put("hosts.plant-a.ssh", LOGIN),), "site.hosts.plant-a.ssh.password", "plant-a is made", "Set `privateKey`"),
    ("agent", (put("ssh.privateKey", "agent"),), "site.ssh.authorizedKeys", "is missing", "ssh-add -L"),
    ("agent of a host", (put("hosts.plant-b.ssh", {"privateKey": "agent"}),),
     "site.hosts.plant-b.ssh.authorizedKeys", "SSH agent", "ssh-add -L"),
    ("adopt elsewhere", (put("hosts.plant-a.adopt", "/DC2/vm/x"),), "site.hosts.plant-a.adopt", "another datacenter", "Correct"),
    ("a host key of a derived kind", (put("hosts.plant-a.hostKey", OTHER_KEY),), "site.hosts.plant-a.hostKey",
     "host key it derives", "Remove it"),
    ("adopt twice", (both("adopt", "/DC1/vm/x"),), "site.hosts.plant-b.adopt", "taken over by plant-a", "one of the two"),
    ("no prefix", (put("hosts.plant-b.address", "10.200.0.22"),), "site.hosts.plant-b.address", "no prefix length", "10.200.0.22/24"),
    ("outside", (put("hosts.plant-b.address", "10.200.7.22/24"),), "site.hosts.plant-b.address", "network 10.200.7.0/24, but", "prefix length"),
    ("outside of a small network", (put("hosts.plant-b.address", "10.200.0.22/28"),),
     "site.hosts.plant-b.address", "gateway 10.200.0.1 is not", "prefix length"),
    ("gateway elsewhere", (put("vsphere.gateway", "10.200.9.1"),), "site.vsphere.gateway", "outside the network of plant-a", "router"),
    ("own gateway elsewhere", (put("hosts.plant-b.vsphere", {"gateway": "10.200.9.1"}),),
     "site.hosts.plant-b.vsphere.gateway", "outside the network of plant-b", "router"),
    ("own gateway is the network", (put("hosts.plant-b.vsphere", {"gateway": "10.200.0.255"}),),
     "site.hosts.plant-b.vsphere.gateway", "network or broadcast", "router itself"),
    ("gateway is the network", (put("vsphere.gateway", "10.200.0.0"),), "site.vsphere.gateway", "network or broadcast", "router"),
    ("gateway is the host", (put("vsphere.gateway", "10.200.0.22"),), "site.hosts.plant-b.address", "address of the gateway", "of its own"),
    ("name server is the host", (put("vsphere.nameservers", ["10.200.0.22"]),),
     "site.hosts.plant-b.address", "name server", "nameservers"),
    ("one mac", (both("mac", MAC),), "site.hosts.plant-b.mac", "MAC address of plant-a", "00:50:56:3f:ff:ff"),
    ("must of nothing", (put("vsphere.antiAffinity", True), both("vsphere", {"host": "esx-9"})),
     "site.vsphere.antiAffinity", "needs a cluster", "`cluster:`"),
)  # fmt: skip


@pytest.mark.row("A1", "A2", "A3", "C1")
@pytest.mark.parametrize(
    ("changes", "where", "problem", "remedy"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_broken_rule_is_one_finding(
    tmp_path: Path, changes: tuple[Change, ...], where: str, problem: str, remedy: str
) -> None:
    findings = refused(tmp_path, vm_site(*changes), **{"edge-hosts__ca": authority()})
    assert list(findings) == [where], findings
    assert problem in findings[where].problem
    assert remedy in findings[where].remedy


@pytest.mark.parametrize(
    "change", [put("vsphere.gateway", "10.200.9.1"), put("vsphere.coresPerSocket", 3), put("vsphere.vcenter", "x")]
)
def test_what_machines_share_is_said_once(tmp_path: Path, change: Change) -> None:
    path = project(tmp_path, vm_site(change, put("hosts.plant-d", {"address": "10.200.0.24/24"})))
    with pytest.raises(SettingsError) as caught:
        load_stack(path.stem.removeprefix("Pulumi."), tmp_path)
    assert len(caught.value.findings) == 1


def test_a_vsphere_machine_without_a_vsphere_section(tmp_path: Path) -> None:
    raw = vm_site(both("machine", "vsphere"))
    del raw["vsphere"]
    findings = refused(tmp_path, raw, release=NO_TEMPLATE)
    assert findings["site.vsphere"].problem.startswith("is missing")
    assert set(findings) <= {
        "site.vsphere",
        "site.hosts.plant-a.vsphere.template",
        "site.hosts.plant-b.vsphere.template",
    }


@pytest.mark.row("A18")
def test_no_template_anywhere(tmp_path: Path) -> None:
    finding = refused(tmp_path, vm_site(), release=NO_TEMPLATE)["site.vsphere.template"]
    assert "release r-1 names none" in finding.problem
    assert "releases/r-1.yaml" in finding.remedy
    raw = vm_site(put("vsphere.template", "mine"))
    assert load(tmp_path, raw, release=NO_TEMPLATE).host_view("plant-a").vm


def test_all_problems_of_machines_come_at_once(tmp_path: Path) -> None:
    raw = vm_site(
        put("vsphere.memory", "16383MiB"),
        put("vsphere.vcenter", "other"),
        drop("vsphere.network"),
        put("hosts.plant-a.address", "10.200.0.21"),
        put("hosts.plant-a.mac", "52:54:00:00:00:01"),
        put("hosts.plant-b.vsphere", {"cluster": "x", "host": "y", "gateway": "10.200.9.1"}),
        put("hosts.plant-c.generation", 0),
    )
    assert set(refused(tmp_path, raw)) == {
        "site.vsphere.memory", "site.vsphere.vcenter", "site.vsphere.network", "site.hosts.plant-a.address",
        "site.hosts.plant-a.mac", "site.hosts.plant-b.vsphere.host", "site.hosts.plant-b.vsphere.gateway",
        "site.hosts.plant-c.generation",
    }  # fmt: skip


def test_a_wrong_value_is_not_also_missing(tmp_path: Path) -> None:
    raw = vm_site(put("vsphere.gateway", "10.200.0"), put("vsphere.cluster", 7), put("vsphere.vcenter", "Main"))
    assert set(refused(tmp_path, raw)) == {"site.vsphere.gateway", "site.vsphere.cluster", "site.vsphere.vcenter"}


def test_two_derived_mac_addresses_that_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.settings.vm.mac_of", lambda _site, _host: MAC)
    finding = refused(tmp_path, vm_site())["site.hosts.plant-b.mac"]
    assert "both derived from the names" in finding.problem
    assert load(tmp_path, vm_site(put("hosts.plant-b.mac", "00:50:56:00:00:01"))).host_view("plant-b").vm


# What is only said


def warned(folder: Path, raw: dict[str, Any]) -> dict[str, str]:
    """Return the warnings about machines, by place."""
    found = load(folder, raw).warnings
    return {one.where: one.problem for one in found if not one.where.startswith("site.network")}


def test_a_vsphere_that_nobody_uses(tmp_path: Path) -> None:
    said = warned(
        tmp_path, vm_site(both("machine", "existing"), both("hostKey", None), put("ssh.authorizedKeys", [HOST_KEY]))
    )
    assert {"site.vsphere", "site.vcenters.main", "site.ssh.authorizedKeys"} <= set(said)
    assert "not used" in said["site.vsphere"]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ((drop("hosts.plant-b"),), "antiAffinity"),
        ((put("hosts.plant-b.vsphere", {"cluster": "other"}),), "antiAffinity"),
        ((put("vsphere.antiAffinity", False), put("vsphere.mandatory", True)), "mandatory"),
    ],
)
def test_a_rule_that_keeps_nothing_apart(tmp_path: Path, changes: tuple[Change, ...], place: str) -> None:
    said = warned(tmp_path, vm_site(put("vsphere.antiAffinity", True), *changes))
    assert list(said) == [f"site.vsphere.{place}"]
    assert "does nothing" in said[f"site.vsphere.{place}"]


def test_machines_that_are_kept_apart(tmp_path: Path) -> None:
    raw = vm_site(put("vsphere.antiAffinity", True), put("vsphere.mandatory", True))
    assert warned(tmp_path, raw) == {}


@pytest.mark.row("A1")
@pytest.mark.parametrize(
    ("change", "where"),
    [
        (put("vsphere.cpus", 2), "site.vsphere"),
        (put("hosts.plant-b.memory", "6GiB"), "site.hosts.plant-b"),
        (put("hosts.plant-a.vsphere", {"disk": "50GiB"}), "site.hosts.plant-a"),
    ],
)
def test_a_small_machine_is_said_where_its_size_stands(tmp_path: Path, change: Change, where: str) -> None:
    assert list(warned(tmp_path, vm_site(change))) == [where]
    assert where in refused(tmp_path, vm_site(change, stage="prod"))


@pytest.mark.row("A1")
def test_small_sizes_of_the_site_that_every_machine_raises_are_fine(tmp_path: Path) -> None:
    assert warned(tmp_path, vm_site(put("vsphere.cpus", 2), both("cpus", 4))) == {}


# Addresses, whatever they are: a site is taken when each rule holds, and every finding has its remedy.

ADDRESSES = st.integers(int(IPv4Address("10.200.0.0")), int(IPv4Address("10.200.3.255"))).map(IPv4Address)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("addresses")
    project(path, vm_site())
    return path


def findings_of(folder: Path, raw: dict[str, Any]) -> set[str]:
    """Return where a site is wrong."""
    try:
        from_config(
            "plant-dev", "edge-hosts", raw, "r-1", {"region": "eu-central-1"}, site_is_secret=False, root=folder
        )
    except SettingsError as error:
        assert all(one.problem and one.remedy for one in error.findings)
        return {one.where for one in error.findings}
    return set()


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(address=ADDRESSES, length=st.none() | st.integers(16, 30), gateway=ADDRESSES, nameserver=ADDRESSES)
@pytest.mark.row("A2")
def test_an_address_is_taken_when_the_machine_can_reach_its_gateway(
    folder: Path, address: IPv4Address, length: int | None, gateway: IPv4Address, nameserver: IPv4Address
) -> None:
    written = str(address) if length is None else f"{address}/{length}"
    raw = vm_site(
        drop("hosts.plant-b"),
        drop("hosts.plant-c"),
        put("hosts.plant-a.address", written),
        put("vsphere.gateway", str(gateway)),
        put("vsphere.nameservers", [str(nameserver)]),
    )
    network = IPv4Interface(f"{address}/{length or 32}").network
    edges = (network.network_address, network.broadcast_address)
    good = (
        length is not None
        and address not in (*edges, gateway, nameserver)
        and gateway in network
        and gateway not in edges
    )
    found = findings_of(folder, raw)
    assert (not found) == good
    assert found <= {"site.hosts.plant-a.address", "site.vsphere.gateway"}


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    cpus=st.integers(2, 64),
    cores=st.integers(1, 64),
    gib=st.integers(1, 300),
    disk=st.integers(1, 300),
    stage=st.sampled_from(["dev", "prod"]),
)
@pytest.mark.row("A1")
def test_a_size_is_taken_when_the_host_can_work_with_it(
    folder: Path, cpus: int, cores: int, gib: int, disk: int, stage: str
) -> None:
    raw = vm_site(
        drop("hosts.plant-b"),
        drop("hosts.plant-c"),
        put("vsphere.coresPerSocket", cores),
        put("hosts.plant-a.vsphere", {"cpus": cpus}),
        put("hosts.plant-a.memory", f"{gib}GiB"),
        put("vsphere.disk", f"{disk}GiB"),
        stage=stage,
    )
    possible = cpus % cores == 0 and gib >= 4 and disk >= 32
    best = cpus >= 4 and gib >= 8 and disk >= 100
    stack = f"plant-{stage}"
    try:
        from_config(stack, "edge-hosts", raw, "r-1", {"region": "eu-central-1"}, site_is_secret=False, root=folder)
        taken = True
    except SettingsError:
        taken = False
    assert taken == (possible and (best or stage == "dev"))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 5), min_size=2, max_size=6))
def test_every_mac_address_belongs_to_one_machine(folder: Path, numbers: list[int]) -> None:
    hosts = {
        f"h{at}": {"address": f"10.200.0.{at + 20}/24", "mac": f"00:50:56:00:00:0{number}"}
        for at, number in enumerate(numbers)
    }
    found = findings_of(folder, {**vm_site(), "hosts": hosts})
    twice = {f"site.hosts.h{at}.mac" for at, number in enumerate(numbers) if number in numbers[:at]}
    assert found == twice


def test_a_site_without_machines_knows_none_of_these_rules(folder: Path) -> None:
    assert findings_of(folder, site()) == set()
