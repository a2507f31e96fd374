"""Twenty appliances in one run, and bare metal that somebody boots while the run waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.appliance.bare import put_media
from lab.paths import CHECKOUT
from tests.engine.appliance_site import NAME, ApplianceSite, chain
from tests.engine.engine_site import until

TWENTY = tuple(f"app-{number:02}" for number in range(1, 21))
BARE = "bare-a"
BARE_CHAIN = {f"{BARE}-{role}" for role in ("claim", "registration", "site-iso", "healthy", "checks", "media")}


@pytest.fixture
def crowd(appliance_site: ApplianceSite, room_for_many: None) -> Iterator[ApplianceSite]:
    """Return the site with twenty appliances in its settings and none made; it goes back to one."""
    with appliance_site.instead(*TWENTY):
        yield appliance_site
        appliance_site.run("destroy, twenty appliances", "destroy")


@pytest.mark.timeout(1800)
@pytest.mark.row("B14", "C1", "C3")
def test_twenty_appliances_in_one_up(crowd: ApplianceSite) -> None:
    """The image is built and uploaded once; a second run builds, uploads and installs nothing."""
    site = crowd
    # The checks of twenty machines on two processors at once call some of them too slow: the next run goes on with those.
    with site.case("up until all are healthy, twenty appliances from nothing") as runs:
        while not runs or (runs[-1].code and len(runs) < 4):
            runs.append(site.engine.run("up"))
    assert runs[-1].code == 0, runs[-1].messages()
    assert site.healthy() == set(TWENTY) <= set(site.uuids())
    assert {name: site.installations(name) for name in TWENTY} == dict.fromkeys(TWENTY, 1)
    assert all(site.drives(name) == ["", ""] for name in TWENTY)
    isos = site.isos()
    assert [name for name in isos if "cidata" in name] == []
    state = len(site.engine.export()) / 1024
    again = site.up("up of twenty appliances, unchanged")
    assert again.changed() == {} and site.isos() == isos
    print(
        f"\ntwenty appliances: {sum(run.seconds for run in runs):.0f} s in {len(runs)} runs, unchanged {again.seconds:.0f} s, state {state:.0f} KiB"
    )
    site.clean("twenty appliances")


@pytest.mark.timeout(900)
@pytest.mark.row("B15", "B17")
def test_bare_metal_is_awaited_and_booted_by_somebody(appliance_site: ApplianceSite) -> None:
    """Beside a VM. The host's own ISO is a file until the host is healthy, and gone then; an unchanged run makes none."""
    site = appliance_site
    site.fresh()
    site.image(kinds=["poweroff", "reboot"])
    block = site.site.block
    network = {"interface": "ens160", "gateway": str(block.gateway), "nameserver": str(block.services)}
    bare = {"machine": "existing", "mode": "appliance", "address": site.address(9), "staticNetwork": network}
    site.edit(lambda one: one["hosts"].update({BARE: bare}))
    site.base = site.engine.settings.read_text("utf-8")
    own = CHECKOUT / ".edge" / "isos" / "lab" / f"{BARE}.iso"
    person = threading.Thread(target=_boot_by_hand, args=(site, own), daemon=True)
    person.start()
    try:
        run = site.up("up, an appliance and bare metal that somebody boots")
    finally:
        person.join(10)
    assert BARE_CHAIN | chain(NAME) <= set(run.changed())
    assert site.healthy() == {NAME, BARE}
    assert site.seen(BARE)["appliance"]["installations"] == 1
    assert list(own.parent.iterdir()) == [], "the ISO holds the token, and goes when the host is healthy"
    facts = site.engine.outputs()
    assert facts["media"][BARE]["siteIso"] == str(own.relative_to(CHECKOUT))
    site.clean("bare metal")
    assert site.up("up with bare metal, unchanged").changed() == {}
    assert list(own.parent.iterdir()) == []
    site.run("destroy, with bare metal", "destroy")
    assert site.records() == {} and site.seen(BARE)["state"] == "poweredOn", "a machine of somebody else runs on"
    site.client.destroy_vm(site.seen(BARE)["id"])
    site.base = ""


def _boot_by_hand(site: ApplianceSite, own: Path) -> None:
    """Do what the run asks for: both media into the drives as soon as the host's own ISO is there, and power on."""
    until(own.exists, 240, f"{own} is there")
    folder = site.site.paths.root / "datastores"
    installer = next(path for path in folder.rglob("*.iso") if "-reboot-" in path.name)
    site.client.power_vm(str(put_media(site.client, BARE, installer, own)["id"]), "on")
