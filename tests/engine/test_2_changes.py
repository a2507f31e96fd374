"""What a difference leads to: which resources the engine updates, whether the agent restarts, whether the machine does."""

from __future__ import annotations

import time

import pytest

from tests.engine.engine_site import HOSTS, EngineSite, Settings, chain


def _the_corporate_ca(site: Settings) -> None:
    site["hosts"]["bare"]["caCerts"] = [{"config": "corporateCa"}]


@pytest.mark.row("A5", "A6")
def test_a_changed_endpoint_table_runs_the_checks_of_each_host_and_nothing_else(site: EngineSite) -> None:
    def another_feature(settings: Settings) -> None:
        settings["cilium"] = {"wireguard": True}

    since, agents = time.time(), site.agents()
    site.edit(another_feature)
    site.client.fault("aws-eni-missing", str(site.site.block.enis[1]))
    run = site.run("up, endpoint table changed", "up")
    assert run.changed() == {f"{host}-checks": "update" for host in HOSTS}
    assert site.logins(since) == dict.fromkeys(HOSTS, 1)
    assert site.cases[-1].reboots == 0 and site.agents() == agents
    site.clean()


@pytest.mark.row("A13")
def test_a_rotated_token_is_written_and_nothing_restarts(site: EngineSite) -> None:
    fresh = site.client.palette("add-token", name="second", project="Lab")
    agents, epochs = site.agents(), site.epochs()
    site.engine.set_secrets({"registrationToken": fresh})
    run = site.run("up, registration token rotated", "up")
    assert run.changed() == {f"{host}-agent": "update" for host in HOSTS}
    assert site.cases[-1].reboots == 0 and site.agents() == agents and site.epochs() == epochs
    for host in HOSTS:
        for path in ("/oem/userdata", "/var/lib/edge-hosts/user-data"):
            assert site.inside(host, f"grep -c {fresh} {path}") == "1"
    assert fresh not in site.engine.export() + run.stdout + run.stderr
    site.keep()
    site.clean()


@pytest.mark.row("A14", "A15", "A16")
def test_changed_proxy_authorities_and_tags_restart_agents_but_no_machine(site: EngineSite) -> None:
    before, epochs = site.agents(), site.epochs()
    site.edit(lambda settings: settings["hosts"]["proxied"]["proxy"].update(noProxy=["10.99.0.0/16"]))
    run = site.run("up, proxy exceptions of one host changed", "up")
    assert set(run.changed()) <= chain("proxied", "checks", "preparation", "agent") and "proxied-agent" in run.changed()
    _restarted(site, before, {"proxied"})
    before = site.agents()
    site.edit(_the_corporate_ca)
    run = site.run("up, CA of one host added", "up")
    assert set(run.changed()) == chain("bare", "checks", "preparation", "agent")
    _restarted(site, before, {"bare"})
    before = site.agents()
    site.edit(lambda settings: settings["palette"]["tags"].update(shift="late"))
    run = site.run("up, tags of all hosts changed", "up")
    assert run.changed() == {f"{host}-agent": "update" for host in HOSTS}
    _restarted(site, before, set(HOSTS))
    assert site.epochs() == epochs
    site.clean()


def _restarted(site: EngineSite, before: dict[str, str], hosts: set[str]) -> None:
    after = site.agents()
    assert {host for host in HOSTS if after[host] != before[host]} == hosts
    assert site.cases[-1].reboots == 0


@pytest.mark.row("C2")
def test_a_red_host_keeps_its_state_until_the_cause_is_gone(site: EngineSite) -> None:
    """A check that turns red in an update stores nothing: the next run looks again, also after the cause has gone."""
    site.client.fault("dns-down", "bare")
    site.edit(lambda settings: settings.update(cilium={"geneve": True}))
    run = site.run("up, endpoint table changed, one host red", "up", code=1)
    assert run.failed() == {"bare-checks": "update"}
    assert set(run.changed()) == {"proxied-checks", "jumped-checks"}
    site.client.clear_faults()
    run = site.run("up, the cause is gone", "up")
    assert run.changed() == {"bare-checks": "update"} and site.cases[-1].reboots == 0
    site.clean()
