"""A new generation, its guard, and a new release: the only ways in which a healthy host is installed again."""

from __future__ import annotations

import pytest

from tests.engine.engine_site import HOSTS, EngineSite, chain


@pytest.mark.row("A17", "A19")
def test_a_raised_generation_installs_one_host_anew(site: EngineSite) -> None:
    epochs = site.epochs()
    site.host("bare", generation=2, state="rolling")
    site.engine.environment["PULUMI_CONTINUE_ON_ERROR"] = "false"
    run = site.run("up, generation of one host raised", "up")
    assert run.changed() == dict.fromkeys(chain("bare"), "update")
    order = [name.removeprefix("bare-") for name in run.changed()]
    assert order == ["claim", "checks", "preparation", "registration", "agent", "started", "healthy"]
    assert site.cases[-1].reboots == 1
    after = site.epochs()
    assert set(after) == set(HOSTS) and {host for host in HOSTS if after[host] != epochs[host]} == {"bare"}
    assert site.records()["bare"]["metadata"]["labels"]["edge-hosts-generation"] == "2"
    assert site.healthy() == set(HOSTS)
    site.clean()
    site.host("bare", state=None)
    site.keep()
    site.clean()
    site.host("bare", generation=1)
    run = site.run("up, generation lowered: refused", "up", code=1)
    assert run.failed() == {"bare-claim": "update"} and "write `generation: 2`" in run.messages()


@pytest.mark.row("A17")
def test_a_host_in_a_cluster_is_neither_rolled_nor_removed_unless_forced(site: EngineSite) -> None:
    site.client.palette("set-in-use", uid="jumped", cluster="plants")
    epochs = site.epochs()
    now = int(site.engine.outputs()["hosts"]["jumped"]["generation"])
    site.host("jumped", generation=now + 1, state="rolling")
    run = site.run("up, generation of a host in a cluster raised: refused", "up", code=1)
    assert run.failed() == {"jumped-claim": "update"} and run.changed() == {}
    assert "it belongs to cluster plants, so it is not rolled to a new generation" in run.messages()
    site.restore()
    site.without("jumped")
    run = site.run("up, a host in a cluster removed: refused", "up", code=1)
    assert run.failed() == {"jumped-healthy": "delete"} and run.changed() == {}
    assert "it is not taken down" in run.messages() and site.epochs() == epochs and site.has_agent("jumped")
    site.restore()
    run = site.run("up, the host put back", "up")
    assert run.changed() == {}
    site.clean()
    site.host("jumped", generation=now + 1, state="rolling", force=True)
    run = site.run("up, the same with force", "up")
    assert run.changed() == dict.fromkeys(chain("jumped"), "update") and site.cases[-1].reboots == 1
    assert site.healthy() == set(HOSTS) and site.records()["jumped"]["status"]["state"] == "ready"
    site.host("jumped", state=None, force=None)
    run = site.run("up, force taken away", "up")
    assert set(run.changed()) == chain("jumped", "claim", "registration", "healthy") and site.cases[-1].reboots == 0
    site.keep()
    site.clean()
