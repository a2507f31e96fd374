"""Many VMs in one run, and the engine killed at every tenth of a clone: what is left, and how the next runs finish."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from lab.paths import CHECKOUT
from lab.vcenter.hands import vim
from lab.vcenter.server import bring_up, take_down
from tests.engine.engine_site import until
from tests.engine.vm_site import VmSite

TWELVE = tuple(f"vm-{number:02}" for number in range(1, 13))
CLONE_SECONDS = 5.0


@pytest.fixture
def crowd(vm_engine_site: VmSite, room_for_many: None) -> Iterator[VmSite]:
    """Return the site with twelve virtual machines in its settings and none made; it goes back to two."""
    with vm_engine_site.instead(*TWELVE):
        yield vm_engine_site
        vm_engine_site.run("destroy, twelve VMs", "destroy")


class _Memory:
    """The most memory that the engine and its plugins had together, looked at four times a second; MiB."""

    def __init__(self, group: int) -> None:
        self.most = 0.0
        self._group, self._end = group, threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._end.set()
        self._thread.join()

    def _follow(self) -> None:
        page = resource.getpagesize() / 2**20
        while not self._end.wait(0.25):
            words = ["ps", "-o", "rss=", "--sid", str(self._group)]
            said = subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()
            self.most = max(self.most, sum(int(one) for one in said) / 1024, page)


@pytest.mark.timeout(900)
@pytest.mark.row("C1", "C3")
def test_twelve_vms_in_one_up(crowd: VmSite) -> None:
    site = crowd
    with site.case("up, twelve VMs from nothing") as done:
        process = site.engine.start("up")
        with _Memory(process.pid) as memory:
            done.append(site.engine.finish(process))
    run = done[0]
    assert run.code == 0, run.messages()
    assert site.healthy() == set(TWELVE) and set(TWELVE) <= set(site.uuids())
    with site.hand() as hand:
        addresses = {hand.machine(name).guest.ipAddress for name in TWELVE}
        macs = {nic.macAddress for name in TWELVE for nic in _nics(hand.machine(name))}
    assert len(addresses) == len(macs) == len(TWELVE)
    state = len(site.engine.export()) / len(TWELVE) / 1024
    print(f"\ntwelve VMs: {run.seconds:.0f} s, {memory.most:.0f} MiB of the engine, state {state:.0f} KiB per host")
    site.clean("twelve VMs")


def _nics(machine: object) -> list[object]:
    devices = machine.config.hardware.device  # type: ignore[attr-defined]
    return [one for one in devices if isinstance(one, vim.vm.device.VirtualEthernetCard)]


@pytest.mark.row("C1", "C3")
@pytest.mark.timeout(1200)
def test_killed_at_every_tenth_of_a_clone(vm_engine_site: VmSite) -> None:
    """Each time: the lock, what is left of the VM, `edgectl repair`, and an `up` that finishes."""
    site = vm_engine_site
    seen: list[str] = []
    with site.instead("vm-a"):
        _restarted(site, CLONE_SECONDS)
        try:
            for tenth in range(1, 11):
                site.fresh()
                left = _killed(site, tenth / 10 * CLONE_SECONDS)
                seen.append(f"{tenth}/10: {left}, then {_finished(site)}")
                assert site.healthy() == {"vm-a"} and len([name for name in site.uuids() if name == "vm-a"]) == 1
                site.clean(f"after a kill at {tenth} tenths")
        finally:
            print("\n" + "\n".join(seen))
            _restarted(site, 0.5)


def _restarted(site: VmSite, clone_seconds: float) -> None:
    """Start the vCenter again, so that a clone takes another time; it keeps what it has."""
    take_down(site.site.paths)
    bring_up(site.site, clone_seconds=clone_seconds)


def _killed(site: VmSite, after: float) -> str:
    """Kill the engine so many seconds after the clone has begun, and return what was left of the VM."""
    process = site.engine.start("up")
    drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
    until(lambda: "vm-a" in site.uuids(), 90, "the clone has begun")
    time.sleep(after)
    site.engine.kill(process)
    drain.wait()
    # The vCenter goes on with a task that it has begun.
    time.sleep(CLONE_SECONDS - after + 2.0)
    with site.hand() as hand:
        extra = hand.extra("vm-a")
        return f"{hand.machine('vm-a').runtime.powerState}, owner {extra.get('edge-hosts.owner', 'none')}"


def _finished(site: VmSite) -> str:
    """Do what the messages say, and return how many steps it took."""
    run = site.engine.run("up")
    assert run.code == 1 and "locked" in run.messages() + run.stderr
    site.engine.cancel()
    steps = "cancel"
    run = site.engine.run("up")
    if run.code:
        assert "already exists" in run.messages(), run.messages()
        words = ["repair", "lab", "--yes", "--stack-file", str(site.engine.settings)]
        done = subprocess.run(
            [sys.executable, "-m", "edgectl", *words], cwd=CHECKOUT, env=site.edgectl_environment(),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "done (destroy)" in done.stdout, done.stdout + done.stderr
        steps += ", repair"
        run = site.engine.run("up")
    assert run.code == 0, f"{steps}: {run.messages()}\n{run.stderr}"
    if '"pending_operations": [' in site.engine.export():
        site.engine.run("refresh", "--clear-pending-creates")
        steps += ", refresh"
    return steps
