"""Privileges: one table for the reads and for the role of the README; what is missing is told by name and object."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyVmomi import vmodl

from edge.vcenter.granted import missing, wanted_on
from edge.vcenter.privileges import NEEDED, OPTIONAL, as_govc, every, needed
from edge.vcenter.rows import Rows
from tests.unit.settings_helpers import drop, put
from tests.unit.vcenter_samples import inventory, places_of, settings_of, without_folder


def wanted(tmp_path: Path, *changes: Any, folder: bool = True) -> Any:
    """Return what a site needs on which objects."""
    settings = settings_of(tmp_path, *changes)
    found = inventory() if folder else without_folder(inventory())
    return wanted_on(settings, found, places_of(settings, found, Rows("dev")))


def test_every_object_of_a_site_is_asked_for(tmp_path: Path) -> None:
    names = {name for _, name, _ in wanted(tmp_path).values()}
    assert names == {
        "the vCenter itself (/)",
        "folder /DC1/vm/plant",
        "template debian-12-edge",
        "datastore ssd-1",
        "network vlan-200",
        "resource pool edge/Resources",
    }
    before = {name for _, name, _ in wanted(tmp_path, folder=False).values()}
    assert "folder /DC1/vm" in before, "the folder that the stack's own is made in"


@pytest.mark.parametrize(
    ("changes", "name", "privilege"),
    [
        ([put("vsphere.antiAffinity", True)], "cluster edge", "Host.Inventory.EditCluster"),
        ([put("vsphere.ha", {"restartPriority": "high"})], "cluster edge", "Host.Inventory.EditCluster"),
        ([put("vsphere.tags", {"a": "b"})], "folder /DC1/vm/plant", "InventoryService.Tagging.AttachTag"),
        ([put("vsphere.attributes", {"a": "b"})], "folder /DC1/vm/plant", "Global.SetCustomField"),
        (
            [drop("vsphere.datastore"), put("vsphere.datastoreCluster", "pod-1")],
            "datastore ssd-3",
            "Resource.ApplyRecommendation",
        ),
    ],
)
def test_what_only_some_sites_need(tmp_path: Path, changes: list[Any], name: str, privilege: str) -> None:
    assert privilege in {each for _, one, found in wanted(tmp_path, *changes).values() if one == name for each in found}
    assert privilege not in {each for _, _, found in wanted(tmp_path).values() for each in found}


def content(granted: dict[str, set[str]], *, knows_all: bool = True) -> Any:
    """Return a vCenter that grants some privileges by object."""

    def has(entities: Any, session: str, privileges: list[str]) -> Any:
        if not knows_all:
            raise vmodl.fault.InvalidArgument()
        assert session == "key"
        return [
            SimpleNamespace(
                entity=one,
                privAvailability=[
                    SimpleNamespace(privId=each, isGranted=each in granted.get(one._moId, set())) for each in privileges
                ],
            )
            for one in entities
        ]

    def fetch(entities: Any, user: str) -> Any:
        assert user == "me"
        return [SimpleNamespace(entity=one, privileges=list(granted.get(one._moId, set()))) for one in entities]

    session = SimpleNamespace(key="key", userName="me")
    return SimpleNamespace(
        rootFolder=SimpleNamespace(_stub=None),
        sessionManager=SimpleNamespace(currentSession=session),
        authorizationManager=SimpleNamespace(HasPrivilegeOnEntities=has, FetchUserPrivilegeOnEntities=fetch),
    )


@pytest.mark.row("B14")
def test_an_appliance_needs_its_drives_changed(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    places = places_of(settings, inventory(), Rows("dev"))
    media = {"VirtualMachine.Interact.SetCDMedia", "VirtualMachine.Interact.DeviceConnection"}
    for mode, asked in (("agent", False), ("appliance", True)):
        here = [replace(one, host=replace(one.host, mode=mode)) for one in places]
        found = {each for _, _, all_ in wanted_on(settings, inventory(), here).values() for each in all_}
        assert media <= found if asked else not media & found


@pytest.mark.parametrize("knows_all", [True, False])
def test_missing_privileges_are_told_by_object(tmp_path: Path, knows_all: bool) -> None:
    asked = wanted(tmp_path)
    granted = {identity: set(privileges) for identity, (_, _, privileges) in asked.items()}
    assert missing(content(granted, knows_all=knows_all), asked) == []
    granted["network-1"].clear()
    granted["datastore-1"].remove("Datastore.Browse")
    assert missing(content(granted, knows_all=knows_all), asked) == [
        ("datastore ssd-1", ("Datastore.Browse",)),
        ("network vlan-200", ("Network.Assign",)),
    ]


def test_the_role_to_paste_holds_every_privilege_that_is_asked_for() -> None:
    text = as_govc()
    for target in NEEDED:
        for privilege in needed(target, tuple(OPTIONAL)):
            assert f"  {privilege}" in text
    assert text.count("govc permissions.set") == 7
    assert len(every()) == len(set(every()))
    assert not any(line.endswith("\\") and line.startswith("govc permissions") for line in text.splitlines())
