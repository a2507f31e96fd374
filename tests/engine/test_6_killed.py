"""The engine dies or waits: killed during an installation and during the wait, and with fewer slots than waiting hosts."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tests.engine.engine_site import HOSTS, EngineSite, until

_UNITS = "systemctl list-units --no-legend --plain 'edge-hosts-install-*' 2>/dev/null | grep -c running"


def _killed_when(site: EngineSite, reached: Callable[[], bool], what: str) -> None:
    """Start `up`, and kill the engine with all of its plugins as soon as something is reached."""
    process = site.engine.start("up")
    # The events must be read, or the engine waits for its reader.
    drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
    until(reached, 180, what)
    site.engine.kill(process)
    drain.wait()


def _after_the_kill(site: EngineSite, what: str) -> None:
    """Run what an operator would: `up` (locked), `cancel`, `up`; everything converges on one record per host."""
    run = site.engine.run("up")
    assert run.code == 1 and "locked" in run.messages() + run.stderr
    site.engine.cancel()
    run = site.run(f"up after cancel, {what}", "up")
    assert site.healthy() == set(HOSTS) and set(site.records()) == set(HOSTS)
    left = '"pending_operations": [' in site.engine.export()
    if left:
        run = site.run("refresh --clear-pending-creates", "refresh", "--clear-pending-creates")
        assert run.changed() == {}
    site.clean()
    assert '"pending_operations": [' not in site.engine.export()


@pytest.mark.row("A18", "A19")
def test_killed_during_the_installation(bare_site: EngineSite) -> None:
    site = bare_site
    _killed_when(site, lambda: site.inside("bare", _UNITS, check=False) == "1", "the installer of bare is at work")
    _after_the_kill(site, "killed during the installation")
    assert all("edge-hosts-epoch" in record["metadata"]["labels"] for record in site.records().values())


@pytest.mark.row("A19")
def test_killed_during_the_wait(bare_site: EngineSite) -> None:
    site = bare_site
    site.client.fault("never-healthy")
    _killed_when(site, lambda: "bare" in site.records(), "bare has registered")
    site.client.clear_faults()
    _after_the_kill(site, "killed during the wait")


@pytest.mark.row("C2")
def test_more_waiting_hosts_than_slots(site: EngineSite) -> None:
    """Three hosts that wait, two slots: no deadlock, and the third has its turn when a time limit ends."""
    epochs = site.epochs()
    for host in HOSTS:
        site.inside(host, "systemctl stop spectro-stylus-agent.service")
    until(lambda: not site.healthy(), 60, "no host is healthy")
    site.run("refresh, no host is healthy", "refresh")
    site.edit(lambda settings: settings.update(healthyTimeout="20s"))
    run = site.run("up --parallel 2, three hosts wait in vain", "up", "--parallel", "2", code=1)
    assert run.failed() == {f"{host}-healthy": "update" for host in HOSTS}
    assert all(f"edge host {host} is registered but not healthy yet" in run.messages() for host in HOSTS)
    for host in HOSTS:
        site.inside(host, "systemctl start spectro-stylus-agent.service")
    site.restore()
    run = site.run("up, their agents are back", "up")
    assert run.changed() == {f"{host}-healthy": "update" for host in HOSTS}
    assert site.cases[-1].reboots == 0 and site.epochs() == epochs
    site.clean()
