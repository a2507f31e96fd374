"""The simulator with the lab behind it: what a vCenter is told of an appliance happens to a machine of the lab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from appliance_hand import POWEROFF, Appliance, appliance, installer_iso, packed_root, registered, site_file
from lab_hand import LabHand, until
from test_vcenter_media import blank

from edge.errors import PendingError
from edge.site_iso import site_iso
from edge.vcenter.errors import AwayError
from edge.vcenter.media import BOOT_DISK_FIRST, VcenterAccess, open_media
from lab.vcenter import build
from lab.vcenter.hands import Hands, hands
from lab.vcenter.server import USER, bring_up, take_down

REASON = build.missing()
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(REASON is not None, reason=REASON or ""),
    pytest.mark.row("B14"),
]
NAME = "t-appliance"
ISO = "[ssd-1] isos/installer.iso"


@pytest.fixture
def hand(lab: LabHand) -> Iterator[tuple[Hands, VcenterAccess]]:
    vcenter = bring_up(lab.site, clone_seconds=0.1)
    access = VcenterAccess(vcenter.address, USER, vcenter.password, vcenter.authority.read_text("utf-8"))
    try:
        with hands(vcenter) as session:
            yield session, access
            session.destroy(NAME)
    finally:
        take_down(lab.paths)


def patiently(access: VcenterAccess, act: str, *given: Any) -> None:
    """Do something as a resource does: with a login of its own, and again while it is pending."""

    def done() -> bool:
        try:
            with open_media(access) as port:
                getattr(port, act)(*given)
        except (PendingError, AwayError):
            return False
        return True

    until(done, 30, str(given))


def test_an_appliance_goes_from_its_installer_to_palette(
    lab: LabHand, hand: tuple[Hands, VcenterAccess], tmp_path: Path
) -> None:
    session, access = hand
    twin = appliance(lab, "facts-only", 9)
    lab.client.destroy_vm(twin.id)
    store = lab.paths.datastores / "ssd-1" / "isos"
    store.mkdir(exist_ok=True)
    installer_iso(packed_root(lab, tmp_path), POWEROFF, store / "installer.iso")
    machine = blank(session, NAME, ISO)
    uuid = str(machine.config.uuid)
    session.power_on(NAME)
    vm = Appliance(lab, {**twin.definition, "id": uuid}, twin.address, twin.host_key, twin.private_key)
    assert vm.state()["source"] == "cdrom"
    until(lambda: str(machine.runtime.powerState) == "poweredOff", 120, "the end of the installation")
    assert vm.state()["installations"] == 1
    own = f"[ssd-1] {NAME}/site.iso"
    patiently(access, "put_file", "LAB", own, site_iso(site_file(vm, name=NAME, nic="ens192")))
    patiently(access, "set_drives", uuid, ["", own], BOOT_DISK_FIRST, {"edge-hosts.registration": "e1"})
    patiently(access, "power_on", uuid)
    until(lambda: registered(lab, NAME) is not None, 90, "registration")
    assert vm.says("hostname") == NAME
    with open_media(access) as port:
        view = port.vm(uuid)
    assert view is not None
    assert (view.power, view.drives, view.boot_order) == ("on", ("", own), BOOT_DISK_FIRST)
    assert view.marks == {"edge-hosts.registration": "e1"}
    patiently(access, "set_drives", uuid, ["", ""])
    patiently(access, "delete_file", "LAB", own)
    assert vm.says("sudo ls /run/drives") == "" and not (lab.paths.datastores / f"ssd-1/{NAME}/site.iso").exists()
    assert (vm.state()["installations"], vm.state()["diskBoots"]) == (1, 1)
    lab.client.palette("delete-record", uid=NAME)
