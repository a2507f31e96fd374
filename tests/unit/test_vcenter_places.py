"""Places of virtual machines: each one that is missing, too small or not reachable is one row that names what exists."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.checks.model import Result
from edge.checks.on_appliance import WAYS, doing
from edge.vcenter.model import GIB, Compute, Datacenter, Esxi, Network, Pool
from tests.unit.image_stacks import GIVEN, PINNED
from tests.unit.settings_helpers import drop, put
from tests.unit.vcenter_samples import inventory, judged, machine, red, settings_of, template, without_folder


def only(tmp_path: Path, found: Any, *changes: Any) -> Result:
    """Return the one row that is not as it should be."""
    wrong = red(judged(settings_of(tmp_path, *changes), found))
    rows = [row for each in wrong.values() for row in each]
    assert len(rows) == 1, rows
    return rows[0]


def changed(things: Any, index: int, **over: Any) -> Any:
    """Return the things with one of them changed."""
    return tuple(replace(one, **over) if at == index else one for at, one in enumerate(things))


def test_a_vcenter_that_has_everything_passes(tmp_path: Path) -> None:
    rows = judged(settings_of(tmp_path), without_folder(inventory()))
    assert {row.status for row in rows} == {"pass"}
    asked = {row.id for row in rows}
    assert {"vsphere.datacenter", "vsphere.cluster", "vsphere.datastore", "vsphere.network", "vsphere.folder"} <= asked
    assert {row.host for row in rows if row.id == "vsphere.size"} == {"plant-a", "plant-b"}


@pytest.mark.parametrize(
    ("path", "value", "check", "names"),
    [
        ("datacenter", "DC2", "vsphere.datacenter", "DC1"),
        ("cluster", "edgy", "vsphere.cluster", "edge"),
        ("datastore", "ssd-7", "vsphere.datastore", "ssd-1, ssd-2, ssd-3"),
        ("network", "vlan-201", "vsphere.network", "dvs-200, vlan-200"),
        ("template", "ubuntu", "vsphere.template", "debian-12-edge"),
        ("resourcePool", "gold", "vsphere.pool", "Resources"),
        ("folder", "sites/plant", "vsphere.folder", "others, plant"),
    ],
)
def test_an_unknown_name_lists_the_names_that_exist(
    tmp_path: Path, path: str, value: str, check: str, names: str
) -> None:
    row = only(
        tmp_path, without_folder(inventory()) if path != "folder" else inventory(), put(f"vsphere.{path}", value)
    )
    assert (row.id, row.status) == (check, "fail")
    assert value.partition("/")[0] in row.seen
    assert names in row.seen


def test_an_unknown_esxi_host_or_datastore_cluster_lists_the_names_that_exist(tmp_path: Path) -> None:
    start = without_folder(inventory())
    row = only(tmp_path, start, drop("vsphere.cluster"), put("vsphere.host", "esx-4"))
    assert row.seen == "no ESXi host esx-4 in DC1; there are esx-1, esx-2, esx-9"
    row = only(tmp_path, start, drop("vsphere.datastore"), put("vsphere.datastoreCluster", "pod-2"))
    assert row.seen == "no datastore cluster pod-2 in DC1; there are pod-1"


def test_an_esxi_host_and_a_datastore_cluster_are_found(tmp_path: Path) -> None:
    changes = (drop("vsphere.cluster"), put("vsphere.host", "esx-9"))
    changes = (*changes, drop("vsphere.datastore"), put("vsphere.datastoreCluster", "pod-1"))
    assert red(judged(settings_of(tmp_path, *changes), without_folder(inventory()))) == {}


def test_two_datacenters_of_a_name_are_told(tmp_path: Path) -> None:
    start = inventory(datacenters=(Datacenter("a", "DC1", "x"), Datacenter("b", "DC1", "y")))
    assert only(tmp_path, start).seen.startswith("2 datacenters DC1")


def test_a_user_who_sees_nothing_is_told_so(tmp_path: Path) -> None:
    assert "none that this user may see" in only(tmp_path, inventory(datacenters=())).seen


def test_hosts_that_are_away(tmp_path: Path) -> None:
    start = without_folder(inventory())
    one = replace(start, hosts=changed(start.hosts, 0, maintenance=True))
    row = only(tmp_path, one)
    assert (row.status, "esx-1" in row.seen) == ("warn", True)
    both = replace(one, hosts=changed(one.hosts, 1, connected=False))
    assert only(tmp_path, both).seen == "cluster edge has no connected host out of maintenance"


@pytest.mark.row("A1")
def test_a_machine_larger_than_every_host(tmp_path: Path) -> None:
    start = without_folder(inventory())
    hosts = tuple(replace(one, cpus=4) for one in start.hosts)
    rows = red(judged(settings_of(tmp_path), replace(start, hosts=hosts)))["vsphere.size"]
    assert [(row.host, row.status) for row in rows] == [("plant-a", "fail"), ("plant-b", "fail")]
    assert "4 logical CPUs" in rows[0].seen


@pytest.mark.row("A1")
def test_a_pool_without_room(tmp_path: Path) -> None:
    start = without_folder(inventory())
    pools = (*start.pools, Pool("resgroup-2", "gold/edge", "domain-c1", limit=40000, used=10000))
    row = only(tmp_path, replace(start, pools=pools), put("vsphere.resourcePool", "gold/edge"))
    assert (row.id, row.expected) == ("vsphere.pool", "32768 MiB more for 2 machines")
    pools = (*start.pools, Pool("resgroup-2", "gold", "domain-c1", expandable=False, unreserved=100))
    row = only(tmp_path, replace(start, pools=pools), put("vsphere.resourcePool", "gold"))
    assert "not expandable" in row.seen
    pools = (*start.pools, Pool("resgroup-2", "gold", "domain-c1", limit=90000))
    assert red(judged(settings_of(tmp_path, put("vsphere.resourcePool", "gold")), replace(start, pools=pools))) == {}


@pytest.mark.parametrize(
    "written", ["a", "edge/Resources/gold/a", "/DC1/host/edge/Resources/gold/a", "Resources/gold/a"]
)
def test_a_pool_written_in_another_way_is_told_how_to_write_it(tmp_path: Path, written: str) -> None:
    start = without_folder(inventory())
    pools = (*start.pools, Pool("resgroup-2", "gold", "domain-c1"), Pool("resgroup-3", "gold/a", "domain-c1"))
    row = only(tmp_path, replace(start, pools=pools), put("vsphere.resourcePool", written))
    assert row.remedy == "write `resourcePool: gold/a`, the path below the root pool"
    assert "gold, gold/a" in row.seen


@pytest.mark.row("A1")
def test_a_datastore_must_hold_what_all_machines_of_the_site_take_at_once(tmp_path: Path) -> None:
    """Thin disks take the template's size at once, and every machine a swap file as large as its memory."""
    start = without_folder(inventory())
    row = only(tmp_path, start, put("vsphere.datastore", "ssd-2"))
    assert (row.id, row.status, row.seen) == ("vsphere.datastore", "fail", "ssd-2: 10 GiB free")
    assert row.expected == "332 GiB for the disks and swap files of 2 machines"
    stores = changed(start.datastores, 1, free=60 * GIB)
    row = only(tmp_path, replace(start, datastores=stores), put("vsphere.datastore", "ssd-2"))
    assert (row.status, "once the thin disks are full" in row.expected) == ("warn", True)
    changes = (put("vsphere.datastore", "ssd-2"), put("vsphere.thin", False))
    assert only(tmp_path, replace(start, datastores=stores), *changes).status == "fail"


def test_machines_that_are_there_need_no_more_room(tmp_path: Path) -> None:
    start = inventory(machine("plant-a", 10), machine("plant-b", 11))
    stores = changed(start.datastores, 0, free=1 * GIB)
    assert red(judged(settings_of(tmp_path), replace(start, datastores=stores))) == {}
    row = only(tmp_path, replace(start, datastores=stores), put("vsphere.disk", "300GiB"))
    assert (row.status, row.expected.startswith("300 GiB")) == ("warn", True)


def test_a_datastore_cluster_needs_one_datastore_that_holds_the_largest_machine(tmp_path: Path) -> None:
    start = without_folder(inventory())
    stores = tuple(replace(one, pod="group-p1", free=20 * GIB) for one in start.datastores)
    changes = (drop("vsphere.datastore"), put("vsphere.datastoreCluster", "pod-1"))
    row = only(tmp_path, replace(start, datastores=stores), *changes)
    assert (row.status, "20 GiB on one" in row.seen) == ("fail", True)


@pytest.mark.parametrize(
    ("over", "words"), [({"accessible": False}, "not accessible"), ({"maintenance": "inMaintenance"}, "in maintenance")]
)
def test_a_datastore_that_cannot_be_used(tmp_path: Path, over: dict[str, Any], words: str) -> None:
    start = without_folder(inventory())
    row = only(tmp_path, replace(start, datastores=changed(start.datastores, 0, **over)))
    assert words in row.seen


def test_a_datastore_that_hosts_do_not_have(tmp_path: Path) -> None:
    start = without_folder(inventory())
    one = replace(start, hosts=changed(start.hosts, 0, datastores=frozenset()))
    assert only(tmp_path, one).seen == "esx-1 without datastore ssd-1"
    none = replace(one, hosts=changed(one.hosts, 1, datastores=frozenset()))
    row = only(tmp_path, none)
    assert (row.status, row.seen) == ("fail", "no usable host of the cluster has datastore ssd-1")


@pytest.mark.row("A2")
def test_networks(tmp_path: Path) -> None:
    start = without_folder(inventory())
    assert red(judged(settings_of(tmp_path, put("vsphere.network", "dvs-200")), start)) == {}
    row = only(tmp_path, start, put("vsphere.network", "dvs-DVUplinks-1"))
    assert row.seen.startswith("dvs-DVUplinks-1 is the uplink of a switch")
    two = (*start.networks, Network("dvportgroup-2", "dvs-200", "datacenter-1", "dvs-b"))
    row = only(tmp_path, replace(start, networks=two), put("vsphere.network", "dvs-200"))
    assert (row.seen, row.remedy) == (
        "2 networks dvs-200; there are dvs, dvs-b with one",
        "write `switch: NAME` beside `network`",
    )
    changes = (put("vsphere.network", "dvs-200"), put("vsphere.switch", "dvs-b"))
    assert red(judged(settings_of(tmp_path, *changes), replace(start, networks=two))) == {}
    row = only(tmp_path, start, put("vsphere.network", "dvs-200"), put("vsphere.switch", "dvs-c"))
    assert "is not on switch dvs-c; there are dvs" in row.seen


def test_a_network_that_hosts_do_not_have(tmp_path: Path) -> None:
    start = without_folder(inventory())
    one = replace(start, hosts=changed(start.hosts, 0, networks=frozenset()))
    assert (only(tmp_path, one).status, only(tmp_path, one).seen) == ("warn", "esx-1 without network vlan-200")
    none = replace(one, hosts=changed(one.hosts, 1, networks=frozenset()))
    assert only(tmp_path, none).status == "fail"


def test_folders(tmp_path: Path) -> None:
    row = only(tmp_path, inventory())
    assert (row.id, row.status) == ("vsphere.folder", "warn")
    assert red(judged(settings_of(tmp_path), inventory(machine()))) == {}
    other = machine("x", extra={"edge-hosts.owner": "edge-hosts.other-dev"})
    row = only(tmp_path, inventory(other))
    assert (row.status, row.seen) == ("fail", "plant holds machines of edge-hosts.other-dev")


@pytest.mark.parametrize(
    ("change", "computes", "words"),
    [
        ("antiAffinity", {"drs": False}, "DRS of cluster edge is off"),
        ("ha", {"ha": False}, "HA of cluster edge is off"),
    ],
)
def test_what_the_cluster_must_be_able_to_do(tmp_path: Path, change: str, computes: dict[str, Any], words: str) -> None:
    start = without_folder(inventory())
    value: Any = True if change == "antiAffinity" else {"restartPriority": "high"}
    assert red(judged(settings_of(tmp_path, put(f"vsphere.{change}", value)), start)) == {}
    off = replace(start, computes=changed(start.computes, 0, **computes))
    row = only(tmp_path, off, put(f"vsphere.{change}", value))
    assert (row.id, row.status, row.seen) == ("vsphere.drs", "warn", words)  # a warning in dev


def test_machines_kept_apart_need_a_host_each(tmp_path: Path) -> None:
    start = without_folder(inventory())
    single = replace(start, hosts=start.hosts[1:])
    row = only(tmp_path, single, put("vsphere.antiAffinity", True))
    assert "1 usable hosts in cluster edge for 2 machines" in row.seen
    must = (put("vsphere.antiAffinity", True), put("vsphere.mandatory", True))
    assert only(tmp_path, single, *must).remedy == "add hosts, or leave out `mandatory`"


@pytest.mark.row("A17")
def test_a_template_that_is_a_machine_or_ambiguous(tmp_path: Path) -> None:
    plain = inventory(vms=(template(template=False), replace(template(), id="vm-2", name="other")))
    row = only(tmp_path, without_folder(plain))
    assert row.seen == "debian-12-edge is a virtual machine, no template; templates: there are other"
    twice = without_folder(inventory(replace(template(), id="vm-2", folder="group-v3")))
    row = only(tmp_path, twice)
    assert row.seen == "2 are called debian-12-edge: /DC1/vm/debian-12-edge, /DC1/vm/others/debian-12-edge"
    plain = without_folder(inventory(replace(template(), id="vm-2", folder="group-v3", template=False)))
    assert only(tmp_path, plain).seen.startswith("2 are called debian-12-edge"), "the provider takes no side"
    for path in ("others/debian-12-edge", "/DC1/vm/others/debian-12-edge"):
        assert red(judged(settings_of(tmp_path, put("vsphere.template", path)), twice)) == {}


def test_a_cluster_elsewhere_is_not_taken(tmp_path: Path) -> None:
    start = without_folder(inventory())
    away = (Compute("domain-c8", "edge", "datacenter-2", True, "r"),)
    moved = replace(start, computes=away, hosts=(Esxi("h", "e", "domain-c8"),))
    assert only(tmp_path, moved).id == "vsphere.cluster"


@pytest.mark.row("B14", "B15")
def test_an_appliance_is_asked_for_no_template(tmp_path: Path) -> None:
    """With one host in Agent Mode the template is judged as ever; with none every check of it says why it is left out."""
    given = put("image", copy.deepcopy(GIVEN))
    agent = judged(settings_of(tmp_path, put("vsphere.template", "nowhere")), inventory())
    assert any(row.id == "vsphere.template" and row.status == "fail" for row in agent)
    appliances = [put(f"hosts.{name}.mode", "appliance") for name in ("plant-a", "plant-b")]
    changes = (put("vsphere.template", "nowhere"), given, *appliances)
    rows = judged(settings_of(tmp_path, *changes, release=PINNED), inventory())
    template = [row for row in rows if row.id.startswith("vsphere.template")]
    assert {row.status for row in template} == {"skip"}
    assert len(template) == len(doing("skipped", [one for one in WAYS if one.startswith("vsphere.template")]))
    assert {row.id for row in rows if row.status == "pass"} >= {
        "vsphere.cluster",
        "vsphere.datastore",
        "vsphere.network",
    }
