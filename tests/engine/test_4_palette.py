"""Palette changes behind our back: a record deleted, an API key rotated."""

from __future__ import annotations

import pytest

from tests.engine.engine_site import HOSTS, EngineSite, chain, until

_KEY = "SPECTROCLOUD_APIKEY"


@pytest.mark.row("A19")
def test_a_deleted_record_is_seen_by_refresh_and_repaired_for_that_host_only(site: EngineSite) -> None:
    epochs = site.epochs()
    site.client.palette("delete-record", uid="proxied")
    run = site.run("refresh, a record was deleted in Palette", "refresh")
    assert run.changed().get("proxied-registration") == "delete"
    assert set(run.changed()) <= chain("proxied", "registration", "healthy")
    run = site.run("up after it", "up")
    assert run.changed() == {
        "proxied-registration": "create",
        "proxied-agent": "update",
        "proxied-started": "update",
        "proxied-healthy": "update",
    }
    after = site.epochs()
    assert set(after) == set(HOSTS) and {host for host in HOSTS if after[host] != epochs[host]} == {"proxied"}
    assert site.healthy() == set(HOSTS)
    site.clean()


@pytest.mark.row("A19")
def test_an_agent_that_stopped_is_seen_by_refresh(site: EngineSite) -> None:
    site.inside("bare", "systemctl stop spectro-stylus-agent.service")
    until(lambda: "bare" not in site.healthy(), 60, "bare is unhealthy in Palette")
    run = site.run("refresh, an agent has stopped", "refresh")
    assert run.changed() == {"bare-healthy": "update"}
    site.inside("bare", "systemctl start spectro-stylus-agent.service")
    run = site.run("up after it", "up")
    assert run.changed() == {"bare-healthy": "update"} and site.cases[-1].reboots == 0
    site.clean()


@pytest.mark.row("C3")
def test_a_rotated_api_key(site: EngineSite) -> None:
    """From the stack's secrets, `refresh` and `destroy` have the old one; from the environment every command has the new."""
    fresh = f"{site.secrets['paletteApiKey']}-rotated"
    site.client.fault("key-rotate")
    site.engine.set_secrets({"paletteApiKey": fresh})
    run = site.run("refresh, API key rotated in the stack's secrets: refused", "refresh", code=1)
    words = run.messages() + run.stderr
    assert "does not accept the API key of the stack secret paletteApiKey" in words
    assert "--run-program" in words and _KEY in words and fresh not in words
    run = site.run("destroy with the old API key: refused", "destroy", code=1)
    assert set(run.failed()) == {f"{host}-healthy" for host in HOSTS} and run.changed() == {}
    assert site.healthy() == set(HOSTS)
    run = site.run("refresh --run-program with the new API key", "refresh", "--run-program")
    assert run.changed() == {}
    site.engine.environment[_KEY] = fresh
    run = site.run("refresh with the new API key in the environment", "refresh")
    assert run.changed() == {}
    site.engine.settings.write_text(site.base, "utf-8")
    run = site.run("up with the new API key in the environment, the old one in the stack", "up")
    assert run.changed() == {} and fresh not in site.engine.export()
    site.client.clear_faults()
