"""Repositories and downloads in trouble: one new host meets them all, one after the other, beside two healthy ones.

Nothing is put right on the host between two of these tests, so the last one shows that what each left can be gone on from.
"""

from __future__ import annotations

import time

import pytest
from fault_hand import HOSTS, health, inside, owned_by_nobody, program, program_through, renew, tree
from lab_hand import LabHand

pytestmark = [pytest.mark.lab, pytest.mark.fault]

HOST = "bare"
# The fault, where it is seen first, and what the message says.
_DOWN = [
    ("repo-down", "packages.lab.internal", "take it out of its sources"),
    ("repo-half-down", "503", "take it out of its sources"),
]
_PROBED = [
    ("installer-404", "HTTP 404", "`agent.version`"),
    ("installer-html", "an HTML page", "a login page of a proxy"),
]
_DOWNLOADS = [
    ("installer-corrupt", "the release says", "before you pin the new digest"),
    ("binary-404", "HTTP 404", "agent.version"),
    ("binary-corrupt", "the release says", "before you pin the new digest"),
]


@pytest.fixture(scope="module", autouse=True)
def one_new_host(lab: LabHand) -> None:
    """Begin with one new host beside healthy ones."""
    lab.client.clear_faults()
    program(lab).green()
    renew(lab, HOST)


def _no_agent(lab: LabHand) -> None:
    """Fail if anything of the agent has come to the host, or the host to Palette."""
    assert owned_by_nobody(lab, HOST)
    assert inside(lab, HOST, "ls -d /opt/spectrocloud /oem /etc/systemd/system/spectro-* 2>/dev/null | wc -l") == "0"
    assert inside(lab, HOST, "test ! -e /var/lib/edge-hosts/user-data && echo none") == "none"


@pytest.mark.row("A21")
def test_a_foreign_record_of_the_same_name(lab: LabHand) -> None:
    """The name is refused before anybody logs in to the host, and the record is left alone."""
    lab.client.palette("add-record", uid=HOST, project="Lab", labels={"edge-hosts-owner": "other.site"})
    before, began = tree(lab, HOST), time.time()
    try:
        told = program(lab).red(HOST)
        record = lab.client.palette("record", uid=HOST)
    finally:
        lab.client.palette("delete-record", uid=HOST)
    assert "the name is taken" in told.about(HOST)
    assert "other.site" in told.about(HOST)
    assert "give the host another name" in told.about(HOST)
    assert record["metadata"]["labels"] == {"edge-hosts-owner": "other.site"}
    assert lab.client.logins(HOST, began) == 0
    assert tree(lab, HOST) == before


@pytest.mark.row("A8")
@pytest.mark.parametrize(("fault", "seen", "remedy"), _DOWN, ids=[fault for fault, *_ in _DOWN])
def test_a_repository_in_trouble(lab: LabHand, fault: str, seen: str, remedy: str) -> None:
    packages = inside(lab, HOST, "dpkg-query -W")
    lab.client.fault(fault)
    try:
        told = program(lab).red(HOST)
    finally:
        lab.client.fault(fault, on=False)
    assert "preparation failed" in told.about(HOST)
    assert seen in told.about(HOST)
    assert remedy in told.about(HOST)
    assert inside(lab, HOST, "dpkg-query -W") == packages
    _no_agent(lab)


@pytest.mark.row("A16")
@pytest.mark.parametrize(("fault", "seen", "remedy"), _PROBED, ids=[fault for fault, *_ in _PROBED])
def test_an_installer_that_is_not_there(lab: LabHand, fault: str, seen: str, remedy: str) -> None:
    """The checks of every host look for it, so nobody downloads it; the healthy hosts stay what they are."""
    began = time.time()
    lab.client.fault(fault)
    try:
        told = program(lab).red(*HOSTS)
    finally:
        lab.client.fault(fault, on=False)
    for host in HOSTS:
        assert "host.download.installer" in told.about(host)
        assert seen in told.about(host)
        assert remedy in told.about(host)
    assert [one for one in lab.client.requests("downloads", began) if one["kind"] in ("script", "binary")] == []
    assert {host: health(lab, host) for host in HOSTS if host != HOST} == {"proxied": "healthy", "jumped": "healthy"}
    _no_agent(lab)


@pytest.mark.row("A8", "A16")
@pytest.mark.parametrize(("fault", "seen", "remedy"), _DOWNLOADS, ids=[fault for fault, *_ in _DOWNLOADS])
def test_a_download_that_is_not_the_right_one(lab: LabHand, fault: str, seen: str, remedy: str) -> None:
    lab.client.fault(fault)
    try:
        told = program(lab).red(HOST)
    finally:
        lab.client.fault(fault, on=False)
    assert seen in told.about(HOST)
    assert remedy in told.about(HOST)
    _no_agent(lab)


@pytest.mark.row("A8")
def test_curl_without_certificate_authorities(lab: LabHand) -> None:
    """A minimal image, or a preparation that was cut off between both packages: no certificate can be judged yet."""
    renew(lab, HOST)
    inside(lab, HOST, "apt-get -qq update && apt-get -qq install -y --no-install-recommends curl")
    assert inside(lab, HOST, "test ! -e /etc/ssl/certs/ca-certificates.crt && echo none") == "none"
    program(lab).green()


@pytest.mark.row("A8")
def test_package_locks_that_somebody_holds(lab: LabHand) -> None:
    """The run says for whom it waits, goes on when the lock is free, and takes the host of this module to Healthy."""
    renew(lab, HOST)
    lab.client.fault("apt-lock", HOST)
    program_through(lab, "waiting for unattended-upgr", lab.client.clear_faults).green()


@pytest.mark.row("A21")
def test_the_next_run_goes_on_to_healthy(lab: LabHand) -> None:
    program(lab).green()
    assert sorted(record["metadata"]["uid"] for record in lab.client.palette("records")) == sorted(HOSTS)
