"""Ways out that are closed or wrong: red checks before anything is changed; open again, the next run goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fault_hand import HOSTS, inside, owned_by_nobody, program, renew, tree, verify
from lab_hand import LabHand, until

pytestmark = [pytest.mark.lab, pytest.mark.fault]

_STATE = "/var/lib/edge-hosts"


@pytest.fixture(scope="module", autouse=True)
def new_machines(lab: LabHand) -> None:
    """Begin with new machines."""
    renew(lab, *HOSTS)


@contextmanager
def broken(lab: LabHand, *faults: tuple[str, str | None]) -> Iterator[None]:
    """Switch faults on for a while."""
    for name, target in faults:
        lab.client.fault(name, target)
    try:
        yield
    finally:
        lab.client.clear_faults()


def _without_state(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith((f"{_STATE} ", f"{_STATE}/"))]


@pytest.mark.row("A1", "A2", "A4", "A5", "A6")
def test_red_checks_leave_new_machines_as_they_were_found(lab: LabHand) -> None:
    """An operating system that nobody accepted, no DNS, a proxy that refuses the login: three hosts, one run."""
    before = {host: tree(lab, host) for host in HOSTS}
    began = time.time()

    def change(site: Any) -> None:
        site["hosts"]["bare"]["acceptOs"] = []

    with broken(lab, ("dns-down", "jumped"), ("proxy-407", None)):
        told = program(lab, change).red(*HOSTS)
    assert "host.os.supported" in told.about("bare")
    assert "seen: debian-12" in told.about("bare")
    assert "acceptOs" in told.about("bare")
    assert "host.dns.answers" in told.about("jumped")
    assert "palette.lab.internal" in told.about("jumped")
    assert "407" in told.about("proxied")
    assert "proxy" in told.about("proxied")
    for host in HOSTS:
        assert _without_state(tree(lab, host)) == _without_state(before[host])
        assert inside(lab, host, f"stat -c '%a %U' {_STATE}") == "700 root"
        assert owned_by_nobody(lab, host)
        assert lab.client.logins(host, began) == 1
    assert lab.client.requests("packages", began) == []


@pytest.mark.row("A4", "A5", "A6")
def test_endpoints_that_are_closed(lab: LabHand) -> None:
    """A name of AWS, and an interface of the control plane: every host names them, with what to open."""
    eni = str(lab.site.block.enis[0])
    closed = "ssm.eu-central-1.amazonaws.com"
    with broken(lab, ("endpoint-closed", closed), ("endpoint-closed", eni)):
        told = program(lab).red(*HOSTS)
    for host in HOSTS:
        assert "host.endpoints.credentials" in told.about(host)
        assert closed in told.about(host)
        assert eni in told.about(host)
        assert "edgectl firewall" in told.about(host)


@pytest.mark.row("A5", "A10")
def test_a_wrong_certificate_and_a_wrong_clock(lab: LabHand) -> None:
    """Only curl can see these: it is there then, and nothing else was installed."""
    name = "eks.eu-central-1.amazonaws.com"
    with broken(lab, ("tls-bad", name), ("wrong-date", None)):
        told = program(lab).red(*HOSTS)
    for host in HOSTS:
        assert "host.tls.aws" in told.about(host)
        assert name in told.about(host)
        assert "clock" in told.about(host)
        assert owned_by_nobody(lab, host)
        assert inside(lab, host, "dpkg-query -W rsyslog zstd 2>/dev/null | grep -c '[0-9]$' || :") == "0"


def test_the_next_run_goes_on_to_healthy(lab: LabHand) -> None:
    program(lab).green()
    assert verify(lab).code == 0


@pytest.mark.row("C3")
def test_a_look_at_hosts_in_trouble_changes_nothing_and_says_so(lab: LabHand) -> None:
    """One host is gone, one has no DNS, one is well: exit code 5, because of the first nothing is known."""
    with broken(lab, ("dns-down", "jumped"), ("link-down", "bare")):
        told = verify(lab)
        red = verify(lab, "--host", "jumped")
    assert told.code == 5, told.text
    assert "bare" in told.text
    assert "does not answer" in told.text or "cannot be reached" in told.text
    assert red.code == 3, red.text
    assert "host.dns.answers" in red.text
    # A host that could not report is unhealthy in Palette until its next report.
    until(lambda: verify(lab).code == 0, 60, "both hosts have reported again")
