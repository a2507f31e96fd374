"""Palette in trouble, or asked for what cannot be: tokens, projects, health that never comes, 429, 500, silence."""

from __future__ import annotations

import time
from typing import Any

import pytest
from fault_hand import HOSTS, health, inside, owned_by_nobody, program, program_through, records, renew
from lab_hand import LabHand, until

pytestmark = [pytest.mark.lab, pytest.mark.fault]

HOST = "bare"


@pytest.fixture(scope="module", autouse=True)
def healthy(lab: LabHand) -> None:
    """Begin with healthy hosts."""
    lab.client.clear_faults()
    program(lab).green()


def _impatient(site: Any) -> None:
    site["healthyTimeout"] = "20s"


@pytest.mark.row("A21")
@pytest.mark.parametrize("fault", ["palette-429", "palette-500"])
def test_some_refused_requests_are_repeated(lab: LabHand, fault: str) -> None:
    lab.client.fault(fault, "6")
    try:
        program(lab).green()
    finally:
        lab.client.clear_faults()


@pytest.mark.row("A21")
def test_a_palette_that_is_away_for_a_while_is_waited_for(lab: LabHand) -> None:
    boots = {host: inside(lab, host, "cat /proc/sys/kernel/random/boot_id") for host in HOSTS}
    lab.client.fault("palette-down")
    program_through(lab, "pending", lab.client.clear_faults).green()
    assert {host: inside(lab, host, "cat /proc/sys/kernel/random/boot_id") for host in HOSTS} == boots


@pytest.mark.row("A21")
def test_an_api_key_that_palette_does_not_know(lab: LabHand) -> None:
    began = time.time()
    lab.client.fault("key-rotate")
    try:
        told = program(lab)
    finally:
        lab.client.clear_faults()
    told.red(*HOSTS)
    for host in HOSTS:
        assert "does not accept the API key" in told.about(host)
        assert "make a new key in Palette" in told.about(host)
        assert lab.client.logins(host, began) == 0


@pytest.mark.row("A21")
def test_a_project_that_does_not_exist(lab: LabHand) -> None:
    def change(site: Any) -> None:
        site["palette"]["project"] = "Nowhere"

    told = program(lab, change).red(*HOSTS)
    for host in HOSTS:
        assert "Nowhere" in told.about(host)
        assert "palette.project" in told.about(host)
    program(lab).green()


@pytest.mark.row("A21")
def test_a_host_that_is_never_healthy(lab: LabHand) -> None:
    """The time-out tells the last known state; the record stays, and the next run finds the host well."""
    lab.client.fault("never-healthy", HOST)
    try:
        until(lambda: health(lab, HOST) == "unhealthy", 40, "the host is unhealthy")
        began = time.monotonic()
        told = program(lab, _impatient).red(HOST)
        assert time.monotonic() - began < 60
    finally:
        lab.client.clear_faults()
    assert "healthy failed" in told.about(HOST)
    assert "is registered but not healthy yet (state ready, health unhealthy)" in told.about(HOST)
    assert "edge services are not ready" in told.about(HOST)
    assert "journalctl -u spectro-stylus-agent" in told.about(HOST)
    assert HOST in records(lab)
    program(lab).green()


@pytest.mark.row("A17", "A21")
def test_a_token_that_palette_does_not_know_and_one_without_a_project(lab: LabHand) -> None:
    """Palette says nothing about either; the time-out says what to look for, and nothing is half registered."""

    def without_project(site: Any) -> None:
        _impatient(site)
        del site["palette"]["project"]

    value = lab.site.secrets["registrationToken"]
    renew(lab, HOST)
    lab.client.palette("revoke-token", token=value)
    lab.client.palette("add-token", name="no project", value=value)
    try:
        # Neither the token nor the user-data names a project.
        told = program(lab, without_project).red(HOST)
        assert "has not registered yet" in told.about(HOST)
        assert "`palette.project`" in told.about(HOST)
        assert owned_by_nobody(lab, HOST)

        lab.client.palette("revoke-token", token=value)
        told = program(lab, _impatient).red(HOST)
        assert "has not registered yet in project" in told.about(HOST)
        assert "registration token is active" in told.about(HOST)
        assert owned_by_nobody(lab, HOST)
    finally:
        if any(token["spec"]["token"] == value for token in lab.client.palette("tokens")):
            lab.client.palette("revoke-token", token=value)
        lab.client.palette("add-token", name="lab", project="Lab", value=value)
    program(lab).green()
    assert records(lab)[HOST]["status"]["state"] == "ready"


@pytest.mark.row("A21")
def test_a_record_that_was_made_in_another_project(lab: LabHand) -> None:
    """The host registered where nobody looks for it: the message names that project."""
    lab.client.palette("delete-record", uid=HOST)
    lab.client.palette("add-record", uid=HOST, project="Plants", labels={"edge-hosts-owner": "edge-hosts.lab"})
    try:
        told = program(lab).red(HOST)
    finally:
        lab.client.palette("delete-record", uid=HOST)
    assert "project Plants" in told.about(HOST)
    program(lab).green()
