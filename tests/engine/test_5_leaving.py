"""Hosts that leave: removed, retired under protection, dead, and the whole site at the end."""

from __future__ import annotations

import pytest

from tests.engine.engine_site import CHAIN, HOSTS, EngineSite, chain


def _gone(site: EngineSite, host: str) -> None:
    """Assert that nothing of an agent is left on a machine, and no record of it in Palette."""
    assert host not in site.records()
    assert not site.has_agent(host)
    left = site.inside(host, "ls -A /var/lib/edge-hosts; systemctl list-unit-files --no-legend 'spectro-*' || :")
    assert set(left.split()) <= {"log", "backup", "uninstall.log", "ca", "ca.pem"}, left


@pytest.mark.row("A19")
def test_a_host_removed_from_the_settings_is_cleaned_up(site: EngineSite) -> None:
    epochs = site.epochs()
    site.without("jumped")
    run = site.run("up, a host removed from the settings", "up")
    assert run.changed() == dict.fromkeys(chain("jumped"), "delete")
    assert run.counts()["same"] == 2 * len(CHAIN)
    _gone(site, "jumped")
    assert site.epochs() == {host: epochs[host] for host in ("bare", "proxied")}
    assert site.cases[-1].reboots == 0
    site.clean()
    site.restore()
    run = site.run("up, the host put back", "up")
    assert run.changed() == dict.fromkeys(chain("jumped"), "create") and site.cases[-1].reboots == 1
    site.clean()


@pytest.mark.row("A19")
def test_a_protected_host_leaves_in_two_steps(site: EngineSite) -> None:
    site.host("bare", protect=True)
    run = site.run("up, a host protected", "up")
    assert run.changed() == {}
    protected = site.engine.settings.read_text("utf-8")
    site.without("bare")
    run = site.run("up, a protected host removed: refused", "up", code=1)
    assert run.changed() == {} and "protect" in run.messages() and site.has_agent("bare")
    site.engine.settings.write_text(protected, "utf-8")
    site.host("bare", protect=None, state="retired")
    run = site.run("up, the host retired", "up")
    assert run.changed() == {}
    site.without("bare")
    run = site.run("up, the retired host removed", "up")
    assert run.changed() == dict.fromkeys(chain("bare"), "delete")
    _gone(site, "bare")
    site.clean()


@pytest.mark.row("A19")
def test_a_dead_machine_leaves_without_being_asked(site: EngineSite) -> None:
    generation = site.engine.outputs()["hosts"]["proxied"]["generation"]
    site.client.power("off", "proxied")
    site.client.palette("set-in-use", uid="proxied", cluster="plants")
    site.host("proxied", state="lost")
    run = site.run("up, a machine is dead and said to be lost", "up")
    assert set(run.changed()) == chain("proxied", "claim", "registration", "healthy")
    site.clean()
    site.run("refresh, with a dead machine", "refresh")
    site.clean()
    site.without("proxied")
    run = site.run("up, the lost host removed", "up")
    assert set(run.changed()) == chain("proxied") and set(site.records()) == {"bare", "jumped"}
    site.clean()
    site.client.power("on", "proxied")
    site.client.power("reset", "proxied")
    site.restore()
    site.host("proxied", generation=generation + 1)
    run = site.run("up, a new machine under the name of the lost one", "up")
    assert set(run.changed()) == chain("proxied") and site.healthy() == set(HOSTS)
    site.keep()
    site.clean()


@pytest.mark.row("A19")
def test_destroy_takes_everything_back_in_order(site: EngineSite) -> None:
    run = site.run("destroy", "destroy")
    assert run.changed() == dict.fromkeys(set().union(*(chain(host) for host in HOSTS)), "delete")
    order = list(run.changed())
    for host in HOSTS:
        mine = [name.removeprefix(f"{host}-") for name in order if name.startswith(f"{host}-")]
        assert mine == list(reversed(CHAIN)), host
        _gone(site, host)
    assert site.records() == {} and site.cases[-1].reboots == 0
