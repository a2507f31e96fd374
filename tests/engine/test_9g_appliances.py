"""Appliances: an ISO is built, uploaded and booted; what changes afterwards reinstalls nothing but a raised generation."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from edge.vm.hostkey import derive
from tests.engine.appliance_site import NAME, ApplianceSite, chain
from tests.engine.vm_deeds import edgectl, killed_when, rolled

ISO, BUILD = "lab-image-installer-iso-poweroff-ssd-1", "lab-image-installer-build"


@pytest.fixture
def site(appliance_site: ApplianceSite) -> Iterator[ApplianceSite]:
    """Return the site with its appliance healthy: made so where the test before left something else."""
    appliance_site.steady()
    yield appliance_site


def made_of_the_image(run: dict[str, str]) -> dict[str, str]:
    """Return what a run did to the image; the name of an upload ends with a word for its datastore."""
    return {name.rpartition("-")[0] if "-iso-" in name else name: did for name, did in run.items() if "image" in name}


@pytest.mark.row("B10", "B12", "B13", "B14", "B15", "C1")
def test_from_nothing_to_healthy(appliance_site: ApplianceSite) -> None:
    site = appliance_site
    site.fresh()
    run = site.up("up, an appliance from nothing: build, upload, installation, first boot")
    assert chain(NAME) <= set(run.changed())
    assert made_of_the_image(run.changed()) == {BUILD: "create", ISO: "create"}
    assert site.healthy() == {NAME}
    assert site.installations() == 1 and site.seen()["appliance"]["diskBoots"] == 1
    assert site.drives() == ["", ""], "both media are out"
    assert [name for name in site.isos() if "cidata" in name] == [], "the token is nowhere on a datastore"
    assert any("edge-hosts-isos/" in name for name in site.isos()), "the installer's ISO stays: it belongs to the build"
    site.clean("after the first up")
    run = site.run("refresh of an appliance", "refresh")
    assert run.changed() == {}
    site.clean("after a refresh")


@pytest.mark.row("C1")
def test_no_secret_is_in_the_state_of_an_appliance(site: ApplianceSite) -> None:
    state, said = site.engine.export(), "".join(run.stdout + run.stderr for run in site.runs)
    key = derive(site.secrets["hostKeySeed"], site="lab", host=NAME, generation=1)
    lines = [line for line in key.private.splitlines() if not line.startswith("-----")]
    values = dict(site.secrets) | {
        f"line {number} of the host key": line for number, line in enumerate(lines) if number
    }
    values["the host key, packed"] = base64.b64encode(lines[2].encode()).decode()[4:-4]
    for name, value in values.items():
        for part in (value, json.dumps(value)[1:-1]):
            assert part not in state, f"{name} is in the state"
            assert part not in said, f"{name} is in what the engine said"


@pytest.mark.row("B10", "B14")
def test_an_unchanged_run_builds_uploads_and_installs_nothing(site: ApplianceSite) -> None:
    isos, boots = site.isos(), site.boots()
    run = site.up("up of an appliance, unchanged")
    assert run.changed() == {}
    assert site.isos() == isos and site.boots() == boots


@pytest.mark.row("B14", "C4")
def test_another_mode_is_refused_and_nothing_is_deleted(site: ApplianceSite) -> None:
    """The chain of the other mode has neither this VM nor its steps: a claim that only failed would not keep them."""
    boots, uuid = site.boots(), site.uuids()[NAME]
    site.host(NAME, mode="agent")
    for command in ("preview", "up"):
        run = site.engine.run(command)
        assert run.code == 1 and "its machine was made with mode appliance" in run.messages() + run.stderr
        assert not run.changed(), run.changed()
    assert site.uuids()[NAME] == uuid and site.boots() == boots and site.healthy() == {NAME}
    site.restore()
    assert site.up("up, the mode put back").changed() == {}  # components only, which the run had begun to make
    site.clean("after the mode was put back")


@pytest.mark.row("B8", "B14")
def test_another_token_proxy_or_tag_reinstalls_nothing(site: ApplianceSite) -> None:
    boots = site.boots()
    site.engine.set_secrets({**site.secrets, "registrationToken": "another-token-of-the-tenant"})
    site.host(NAME, tags={"line": "paint"})
    run = site.up("up, another token and another tag of an appliance")
    assert not {f"{NAME}-vm", f"{NAME}-claim"} & set(run.changed()), run.changed()
    assert site.installations() == 1 and site.boots() == boots
    waits = site.engine.outputs()["hosts"][NAME]["appliance"]["waits"]
    assert waits == ["its own user-data"]
    site.engine.set_secrets(site.secrets)
    site.restore()
    site.up("(put back)")
    site.clean()


@pytest.mark.row("B10", "B14")
def test_another_image_is_built_beside_the_old_one_and_waits(site: ApplianceSite) -> None:
    boots, before = site.boots(), set(site.isos())
    site.image(dockerfile=["RUN touch /etc/customized"])
    run = site.up("up, another line in the Dockerfile")
    assert made_of_the_image(run.changed()) == {BUILD: "update", ISO: "update"}
    assert f"{NAME}-vm" not in run.changed()
    assert site.installations() == 1 and site.boots() == boots
    assert before < set(site.isos()), "a machine may still boot the old one"
    waits = site.engine.outputs()["hosts"][NAME]["appliance"]["waits"]
    assert any(one.startswith("iso ") for one in waits), waits
    site.clean()
    site.keep()


@pytest.mark.row("B14", "A19")
def test_a_raised_generation_installs_anew_from_the_new_image(site: ApplianceSite) -> None:
    site.image(dockerfile=["RUN touch /etc/customized"])
    uuid, epoch = site.uuids()[NAME], site.epochs()[NAME]
    rolled(site, "edgectl roll, an appliance", NAME, "--yes")
    assert site.uuids()[NAME] != uuid and site.epochs()[NAME] != epoch
    assert site.healthy() == {NAME} and site.installations() == 1
    assert site.drives() == ["", ""]
    assert site.inside(NAME, "ls /etc/customized") == "/etc/customized"
    site.clean()
    site.keep()


@pytest.mark.row("B14")
def test_more_memory_leaves_the_drives_alone(site: ApplianceSite) -> None:
    boots = site.boots()
    site.host(NAME, memory="12GiB")
    run = site.up("up, more memory for an appliance")
    assert run.changed() == {f"{NAME}-vm": "update"}
    assert site.drives() == ["", ""] and site.boots() == boots and site.installations() == 1
    site.clean()
    site.keep()


@pytest.mark.row("B14")
@pytest.mark.parametrize("moment", ["installing", "off", "first boot"])
def test_killed_on_the_way_the_next_run_finishes(appliance_site: ApplianceSite, moment: str) -> None:
    site = appliance_site
    site.fresh()

    def there() -> bool:
        found = [vm for vm in site.client.vms() if vm["name"] == NAME]
        if not found or found[0]["appliance"] is None:
            return False
        appliance, power = found[0]["appliance"], found[0]["state"]
        return {
            "installing": appliance["source"] == "cdrom" and power == "poweredOn",
            "off": appliance["installed"] and power == "poweredOff",
            "first boot": appliance["diskBoots"] >= 1,
        }[moment]

    killed_when(site, there, f"the appliance is at: {moment}")
    site.engine.cancel()
    run = site.engine.run("up")
    if run.code:
        # The provider had not told the engine of the VM yet: as after a killed clone.
        assert moment == "installing" and "already exists" in run.messages(), run.messages()
        assert "done (destroy)" in edgectl(site, "repair", "lab", "--yes")
    site.run(f"up after a kill, {moment}", "up")
    assert site.healthy() == {NAME}
    assert site.installations() == 1, "a working host is never installed again"
    assert site.drives() == ["", ""] and [name for name in site.isos() if "cidata" in name] == []
    if '"pending_operations": [' in site.engine.export():
        site.run("refresh --clear-pending-creates", "refresh", "--clear-pending-creates")
    site.clean()


@pytest.mark.row("B14")
def test_a_lost_record_is_not_healed_by_a_silent_reinstallation(site: ApplianceSite) -> None:
    boots = site.boots()
    site.client.palette("delete-record", uid=NAME)
    site.engine.run("refresh")
    run = site.engine.run("up")
    assert run.code == 1 and "registers at its first boot only" in run.messages()
    assert "write `generation: 2` at the host" in run.messages()
    assert site.installations() == 1 and site.boots() == boots
    site.host(NAME, generation=2)
    site.up("up after the record was lost, with the next generation")
    assert site.healthy() == {NAME} and site.installations() == 1
    site.keep()


@pytest.mark.row("B14", "C2")
def test_a_site_leaves_and_the_shared_iso_stays(site: ApplianceSite) -> None:
    site.run("destroy, a site with an appliance", "destroy")
    assert NAME not in site.uuids() and NAME not in site.records()
    assert [name for name in site.isos() if "cidata" in name] == []
