"""Reads and repairs against the lab's vCenter simulator: the real client library, real TLS, real faults."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.checks.catalogue import checks_at
from edge.checks.model import Result
from edge.secrets import open_secrets
from edge.settings import StackSettings
from edge.vcenter import deeds, trust
from edge.vcenter.errors import VcenterError
from edge.vcenter.inventory import read
from edge.vcenter.model import GENERATION_KEY, HOST_KEY, OWNER_KEY, Inventory
from edge.vcenter.reads import VcenterLook, machines_of, needed_closely, vsphere_results
from edge.vcenter.repair import Case, judge_repair
from edge.vcenter.session import Limits, session
from edge.vcenter.stack_state import MACHINE, StackState
from edgectl import app
from lab.paths import LabPaths
from lab.vcenter import build
from lab.vcenter.hands import Hands, hands
from lab.vcenter.server import READER, USER, Vcenter, alone
from tests.unit.settings_helpers import drop, put
from tests.unit.vcenter_samples import OWNER, red, settings_of

_WHY_NOT = build.missing()
pytestmark = [pytest.mark.lab, pytest.mark.skipif(_WHY_NOT is not None, reason=_WHY_NOT or "")]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vcenter]:
    """Return a vCenter that the tests of this module share."""
    with alone(tmp_path_factory.mktemp("vcenter"), LabPaths.find().cache) as vcenter:
        yield vcenter


@pytest.fixture
def vcenter(running: Vcenter) -> Iterator[Vcenter]:
    """Return the vCenter without faults and without machines of an earlier test."""
    running.control.clear()
    yield running
    running.control.clear()
    with hands(running) as by_hand:
        for name in ("plant-a", "plant-b", "printer"):
            if any(one["name"] == name for one in running.control.status()["machines"]):
                _remove(by_hand, name)


def _remove(by_hand: Hands, name: str) -> None:
    """Remove a machine, whether it runs or not."""
    from pyVmomi import vim

    machine = by_hand.machine(name)
    with contextlib.suppress(vim.fault.InvalidPowerState):
        by_hand.done(machine.PowerOffVM_Task())
    by_hand.done(machine.Destroy_Task())


def of(folder: Path, vcenter: Vcenter, *changes: Any, user: str = USER) -> StackSettings:
    """Return the settings of a site in that vCenter."""
    main = {"server": vcenter.address, "user": user, "caCert": vcenter.authority.read_text()}
    placed = {"datacenter": "LAB", "network": "vlan-hosts", "cluster": "edge", "folder": "plant"}
    puts = [put(f"vsphere.{key}", value) for key, value in placed.items()]
    return settings_of(folder, put("vcenters.main", main), *puts, *changes)


def ask(settings: StackSettings, password: str, **more: Any) -> VcenterLook:
    """Return what the vCenter says."""
    environ = {"EDGE_HOSTS_SECRET_VSPHERE_PASSWORD": password, "PATH": os.environ["PATH"]}
    secrets = open_secrets(settings.stack, settings.root, environ=environ)
    return vsphere_results(settings, secrets, settings.host_views(), answers=lambda address: None, **more)


def rows(folder: Path, vcenter: Vcenter, *changes: Any) -> dict[str, list[Result]]:
    """Return the rows that are not as they should be."""
    return red(list(ask(of(folder, vcenter, *changes), vcenter.password).results))


def test_a_vcenter_in_which_everything_is_there(tmp_path: Path, vcenter: Vcenter) -> None:
    settings = of(tmp_path, vcenter)
    start = time.monotonic()
    look = ask(settings, vcenter.password)
    assert time.monotonic() - start < 10
    assert red(list(look.results)) == {}
    asked = {row.id for row in look.results}
    # Nothing is made yet, one host needs no rule, and there is no appliance, whose ISO is looked for with its image.
    not_here = {"vsphere.environment", "vsphere.resize", "vsphere.power", "vsphere.drs", "vsphere.iso"}
    assert {check.id for check in checks_at("vsphere")} - asked == not_here
    assert look.away == {"plant-a": "not made yet", "plant-b": "not made yet"}


@pytest.mark.parametrize(
    ("changes", "check", "words"),
    [
        ([put("vsphere.datacenter", "DC1")], "vsphere.datacenter", "there are LAB"),
        ([put("vsphere.cluster", "edgy")], "vsphere.cluster", "there are edge"),
        ([drop("vsphere.cluster"), put("vsphere.host", "esx-5")], "vsphere.cluster", "there are esx-1, esx-2, esx-9"),
        ([put("vsphere.datastore", "ssd-7")], "vsphere.datastore", "there are ssd-1, ssd-2, ssd-3"),
        ([put("vsphere.network", "vlan-1")], "vsphere.network", "VM Network"),
        ([put("vsphere.resourcePool", "gold")], "vsphere.pool", "small"),
        ([put("vsphere.template", "ubuntu")], "vsphere.template", "debian-12-edge, encrypted, no-tools"),
        ([put("vsphere.template", "not-a-template")], "vsphere.template", "is a virtual machine, no template"),
        ([put("vsphere.template", "no-tools")], "vsphere.template.tools", "no-tools"),
        ([put("vsphere.template", "encrypted")], "vsphere.template.encryption", "encrypted is encrypted"),
        ([put("vsphere.tags", {"colour": "red"})], "vsphere.tags", "no category colour"),
        ([put("vsphere.attributes", {"colour": "x"})], "vsphere.attributes", "no custom attribute colour"),
        ([put("vsphere.folder", "a/b")], "vsphere.folder", "no folder a in LAB"),
        ([put("vsphere.cpus", 256)], "vsphere.size", "logical CPUs"),
        ([put("vsphere.disk", "2000GiB"), put("vsphere.thin", False)], "vsphere.datastore", "GiB free"),
    ],
)
def test_bad_input_is_one_row(
    tmp_path: Path, vcenter: Vcenter, changes: list[Callable[[dict[str, Any]], None]], check: str, words: str
) -> None:
    found = rows(tmp_path, vcenter, *changes)
    assert set(found) == {check}
    assert words in found[check][0].seen


@pytest.mark.parametrize(
    "changes",
    [
        [put("vsphere.network", "dvs-hosts"), put("vsphere.switch", "dvs")],
        [drop("vsphere.datastore"), put("vsphere.datastoreCluster", "pod-1")],
        [drop("vsphere.cluster"), put("vsphere.host", "esx-9")],
        [put("vsphere.antiAffinity", True), put("vsphere.ha", {"restartPriority": "high"})],
    ],
    ids=["distributed", "datastore-cluster", "host", "rule"],
)
def test_other_places_are_found(
    tmp_path: Path, vcenter: Vcenter, changes: list[Callable[[dict[str, Any]], None]]
) -> None:
    assert rows(tmp_path, vcenter, *changes) == {}


def test_a_user_who_may_only_read_lacks_privileges_by_name_and_object(tmp_path: Path, vcenter: Vcenter) -> None:
    settings = of(tmp_path, vcenter, user=READER)
    found = red(list(ask(settings, vcenter.reader_password).results))
    seen = " ".join(row.seen for row in found["vsphere.privileges"])
    assert "lacks on network vlan-hosts: Network.Assign" in seen
    assert "on datastore ssd-1: Datastore.AllocateSpace" in seen
    vcenter.control.fault("no-privilege", privilege="Network.Assign")
    found = rows(tmp_path, vcenter)
    assert [row.seen for row in found["vsphere.privileges"]] == [f"{USER} lacks on network vlan-hosts: Network.Assign"]


def test_a_wrong_password_an_ended_session_and_silence(tmp_path: Path, vcenter: Vcenter) -> None:
    settings = of(tmp_path, vcenter)
    found = red(list(ask(settings, "wrong").results))
    assert "refused the password" in found["vsphere.session"][0].seen
    with session(settings.vcenter("main"), vcenter.password) as live:
        vcenter.control.fault("session-expired")
        assert inventory_of(settings, live).datacenters[0].name == "LAB"
    vcenter.control.fault("silent")
    start = time.monotonic()
    found = red(list(ask(settings, vcenter.password, limits=Limits(connect=1, answer=1, whole=5)).results))
    assert time.monotonic() - start < 15
    assert set(found) == {"vsphere.session"}


def test_a_certificate_of_an_unknown_authority_shows_its_pin_and_the_pin_works(
    tmp_path: Path, vcenter: Vcenter
) -> None:
    found = rows(tmp_path, vcenter, drop("vcenters.main.caCert"))
    row = found["vsphere.session"][0]
    assert "comes from an authority that is not known here" in row.seen
    pin = row.seen.rpartition(" ")[2]
    settings = of(tmp_path, vcenter, drop("vcenters.main.caCert"), put("vcenters.main.thumbprint", pin))
    assert red(list(ask(settings, vcenter.password).results)) == {}
    bundle = trust.bundle_for(settings)
    assert bundle is not None
    assert trust.check_environment(settings, {"SSL_CERT_FILE": str(bundle)}) is None


def inventory_of(settings: StackSettings, live: Any) -> Inventory:
    """Return what the vCenter holds."""
    asked = machines_of(settings.host_views())
    found: Inventory = live.ask(lambda content: read(content, lambda light: needed_closely(light, asked)))
    return found


def extra(owner: str = OWNER, host: str = "plant-a") -> list[Any]:
    """Return what a machine of a stack carries."""
    from pyVmomi import vim

    values = {OWNER_KEY: owner, HOST_KEY: host, GENERATION_KEY: "1"}
    return [vim.option.OptionValue(key=key, value=value) for key, value in values.items()]


def cases(settings: StackSettings, vcenter: Vcenter, state: StackState | None) -> dict[str, Case]:
    """Return what became of the machines, by host."""
    with session(settings.vcenter("main"), vcenter.password) as live:
        found = inventory_of(settings, live)
    now = datetime.now(UTC) + timedelta(days=30)
    return {one.host: one for one in judge_repair(settings, found, machines_of(settings.host_views()), state, now)}


@pytest.fixture
def in_folder(vcenter: Vcenter) -> Iterator[Callable[..., None]]:
    """Return a maker of machines in the folder of the site."""
    with hands(vcenter) as by_hand:
        from pyVmomi import vim

        top = by_hand.find(vim.Folder, "vm")
        if not any(one.name == "plant" for one in by_hand.all(vim.Folder)):
            top.CreateFolder("plant")

        def make(name: str, **config: Any) -> None:
            by_hand.clone(name, folder="plant", **config)

        yield make


def test_an_unfinished_clone_is_found_and_destroyed_and_nothing_else(
    tmp_path: Path, vcenter: Vcenter, in_folder: Callable[..., None]
) -> None:
    settings = of(tmp_path, vcenter)
    in_folder("plant-a")
    in_folder("plant-b", extraConfig=extra("edge-hosts.other", "plant-b"))
    state = StackState({}, {"plant-a": "plant", "plant-b": "plant"})
    found = cases(settings, vcenter, state)
    assert (found["plant-a"].kind, found["plant-a"].deed) == ("unfinished", "destroy")
    assert (found["plant-b"].kind, found["plant-b"].deed) == ("foreign", None)
    assert cases(settings, vcenter, None)["plant-a"].deed is None
    looked = red(list(ask(settings, vcenter.password).results))
    assert {row.host for row in looked["vsphere.name"]} == {"plant-a", "plant-b"}
    vm, other = found["plant-a"].vm, found["plant-b"].vm
    assert vm is not None
    assert other is not None
    with session(settings.vcenter("main"), vcenter.password) as live:
        with pytest.raises(VcenterError, match="it has an owner now"):
            deeds.destroy(live, other, settings.owner)
        with pytest.raises(VcenterError, match="moved or renamed"):
            deeds.destroy(live, replace(vm, folder="group-v3"), settings.owner)
        with hands(vcenter) as by_hand:
            by_hand.power_on("plant-a")
            with pytest.raises(VcenterError, match="it is running now"):
                deeds.destroy(live, vm, settings.owner)
            by_hand.power_off("plant-a")
        deeds.destroy(live, vm, settings.owner)
        with pytest.raises(VcenterError, match="it is gone"):
            deeds.destroy(live, vm, settings.owner)
    assert cases(settings, vcenter, StackState())["plant-a"].kind == "absent"


def test_a_machine_of_ours_is_powered_on_and_its_snapshots_are_said(
    tmp_path: Path, vcenter: Vcenter, in_folder: Callable[..., None]
) -> None:
    settings = of(tmp_path, vcenter)
    in_folder("plant-a", extraConfig=extra())
    look = ask(settings, vcenter.password)
    assert look.away["plant-a"] == "its machine is not powered on"
    assert red(list(look.results))["vsphere.power"][0].seen == "off"
    one = cases(settings, vcenter, None)["plant-a"]
    assert (one.kind, one.deed) == ("off", "power on")
    assert one.vm is not None
    with session(settings.vcenter("main"), vcenter.password) as live:
        with pytest.raises(VcenterError, match="not ours"):
            deeds.power_on(live, one.vm, "edge-hosts.other")
        deeds.power_on(live, one.vm, OWNER)
    assert cases(settings, vcenter, None)["plant-a"].kind == "healthy"
    assert "plant-a" not in ask(settings, vcenter.password).away
    with hands(vcenter) as by_hand:
        by_hand.snapshot("plant-a", "base")
    assert cases(settings, vcenter, None)["plant-a"].kind == "snapshots"
    grown = rows(tmp_path, vcenter, put("vsphere.disk", "150GiB"))
    assert "snapshots: base" in grown["vsphere.resize"][0].seen


def test_a_deed_that_vcenter_refuses_is_one_sentence(
    tmp_path: Path, vcenter: Vcenter, in_folder: Callable[..., None]
) -> None:
    settings = of(tmp_path, vcenter)
    in_folder("plant-a", extraConfig=extra())
    vm = cases(settings, vcenter, None)["plant-a"].vm
    assert vm is not None
    vcenter.control.fault("failing-task", method="PowerOnVM_Task", message="no host is compatible")
    with (
        session(settings.vcenter("main"), vcenter.password) as live,
        pytest.raises(VcenterError, match="no host is compatible"),
    ):
        deeds.power_on(live, vm, OWNER)


def test_the_mac_of_another_machine(tmp_path: Path, vcenter: Vcenter, in_folder: Callable[..., None]) -> None:
    from pyVmomi import vim

    settings = of(tmp_path, vcenter)
    in_folder("printer")
    mac = settings.host_view("plant-a").vm.mac  # type: ignore[union-attr]
    with hands(vcenter) as by_hand:
        cards = [
            one
            for one in by_hand.machine("printer").config.hardware.device
            if isinstance(one, vim.vm.device.VirtualEthernetCard)
        ]
        cards[0].macAddress, cards[0].addressType = mac, "manual"
        change = vim.vm.device.VirtualDeviceSpec(device=cards[0], operation="edit")
        by_hand.reconfigure("printer", deviceChange=[change])
    assert f"{mac} belongs to /LAB/vm/plant/printer" in rows(tmp_path, vcenter)["vsphere.mac"][0].seen


def test_the_command_mends_a_site(
    tmp_path: Path,
    vcenter: Vcenter,
    in_folder: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One machine was powered off, another one left unfinished: the next `up` finds its way."""
    of(tmp_path, vcenter)
    monkeypatch.setenv("EDGE_HOSTS_SECRET_VSPHERE_PASSWORD", vcenter.password)
    in_folder("plant-a", extraConfig=extra())
    in_folder("plant-b")
    plant_a = {
        "type": MACHINE,
        "id": machine_uuid(vcenter, "plant-a"),
        "inputs": {"name": "plant-a", "folder": "plant"},
    }
    plant_b = {"urn": "u::plant-b", "type": MACHINE, "inputs": {"name": "plant-b", "folder": "plant"}}
    deployment = {"resources": [plant_a], "pending_operations": [{"type": "creating", "resource": plant_b}]}
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"deployment": deployment}))
    arguments = ["repair", "plant-dev", "--root", str(tmp_path), "--state", str(state)]
    assert app.main([*arguments, "--dry-run"]) == 3
    assert app.main([*arguments, "--yes"]) == 0
    out = capsys.readouterr().out
    assert "plant-a: done (power on)" in out
    assert "plant-b: done (destroy)" in out
    assert "pulumi refresh --clear-pending-creates --stack plant-dev" in out
    machines = {one["name"]: one["power"] for one in vcenter.control.status()["machines"]}
    assert (machines.get("plant-a"), "plant-b" in machines) == ("poweredOn", False)


def machine_uuid(vcenter: Vcenter, name: str) -> str:
    """Return the BIOS uuid of a machine, which is its id in the engine's state."""
    return next(str(one["uuid"]) for one in vcenter.control.status()["machines"] if one["name"] == name)
