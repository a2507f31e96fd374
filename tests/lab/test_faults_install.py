"""Trouble in the middle: installers that die, reboots at the wrong moment, lost lines, Ctrl-C. The next run goes on."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fault_hand import (
    HOSTS,
    RUN_SECONDS,
    Told,
    comes_back,
    inside,
    owned_by_nobody,
    program,
    records,
    renew,
    stack_file,
)
from lab_hand import LabHand

from lab.paths import CHECKOUT

pytestmark = [pytest.mark.lab, pytest.mark.fault]


class Running:
    """A run of `lab up` on the existing machines, whose lines can be waited for while it works."""

    def __init__(self, lab: LabHand) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", "lab", "up", "--stack-file", stack_file(lab)],
            cwd=CHECKOUT,
            env=lab.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._seen: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._seen.append(line)
            self._lines.put(line)

    def until(self, *words: str) -> None:
        """Return when a line with all of these words has come."""
        deadline = time.monotonic() + RUN_SECONDS
        while True:
            assert time.monotonic() < deadline, f"no line with {words} in:\n{''.join(self._seen)}"
            try:
                line = self._lines.get(timeout=1)
            except queue.Empty:
                assert self._process.poll() is None, f"ended without {words}:\n{''.join(self._seen)}"
                continue
            if all(word in line for word in words):
                return

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> Told:
        """Return what the run told when it has ended by itself."""
        self._process.wait(timeout=RUN_SECONDS)
        self._reader.join(timeout=10)
        return Told(self._process.returncode, "".join(self._seen))

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._reader.join(timeout=10)
            self._process.stdout.close()


@contextmanager
def running(lab: LabHand) -> Iterator[Running]:
    """Start `lab up`; nothing of it is left afterwards."""
    run = Running(lab)
    try:
        yield run
    finally:
        run.kill()


@pytest.mark.row("A16", "A17", "A19", "A20")
def test_installers_that_die_fail_or_never_reboot(lab: LabHand) -> None:
    """Three hosts, three ends. SSH comes back on each, and the next run installs what is missing."""
    renew(lab, *HOSTS)
    for fault, host in (("agent-crash", "bare"), ("agent-fails", "proxied"), ("agent-no-reboot", "jumped")):
        lab.client.fault(fault, host)
    try:
        told = program(lab).red(*HOSTS)
    finally:
        lab.client.clear_faults()
    for host in ("bare", "proxied"):
        assert "the machine did not reboot" in told.about(host)
        assert "run again" in told.about(host)
        assert owned_by_nobody(lab, host)
    assert "the machine did not reboot" in told.about("jumped")
    for host in HOSTS:
        assert "/var/lib/edge-hosts/install.log" in told.about(host)
        assert lab.ssh(host, "true").returncode == 0
    program(lab).green()
    assert sorted(records(lab)) == sorted(HOSTS)


@pytest.mark.row("A8", "A19", "A20")
def test_a_reboot_and_a_lost_line_at_the_wrong_moment(lab: LabHand) -> None:
    """Both hosts fail with one message each; the third becomes healthy beside them; the next run goes on."""
    renew(lab, *HOSTS)
    with running(lab) as run:
        run.until("bare", "preparation", "running")
        time.sleep(2)
        lab.client.fault("power-cut", "bare")
        lab.client.fault("drop-connection", "jumped")
        told = run.end()
    lab.client.clear_faults()
    told.red("bare", "jumped")
    for host in ("bare", "jumped"):
        assert owned_by_nobody(lab, host)
        comes_back(lab, host)
    assert "lost the connection while the step ran" in told.about("bare")
    assert "run again" in told.about("bare")
    # On a slow machine the line may be cut while the next step still logs in.
    lost = ("lost the connection while the step ran", "closes the connection during the login")
    assert any(words in told.about("jumped") for words in lost), told.about("jumped")
    program(lab).green()


@pytest.mark.row("C5")
@pytest.mark.parametrize("step", ["preparation", "started"])
def test_ctrl_c_in_the_middle_and_again(lab: LabHand, step: str) -> None:
    """The run ends soon with 130 and says how to go on; no machine is left without SSH; the same command finishes."""
    renew(lab, *HOSTS)
    with running(lab) as run:
        run.until("bare", step, "running")
        began = time.monotonic()
        run.signal(signal.SIGINT)
        told = run.end()
        assert time.monotonic() - began < 20
    assert told.code == 130, told.text
    assert "`python -m lab up` goes on from here" in told.text
    assert "Traceback" not in told.text
    program(lab).green()
    assert sorted(records(lab)) == sorted(HOSTS)
    for host in HOSTS:
        assert inside(lab, host, "systemctl is-active ssh") == "active"
