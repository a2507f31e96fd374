"""Logins that cannot be: each ends with one message and leaves the host as it was; the next run goes on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from fault_hand import HOSTS, owned_by_nobody, program, renew, tree, verify
from lab_hand import LabHand

from lab.machines import ASKING_USER, LOGIN_USER

pytestmark = [pytest.mark.lab, pytest.mark.fault]


@pytest.fixture(scope="module", autouse=True)
def new_machines(lab: LabHand) -> None:
    """Begin with new machines; the last test of the module takes them to Healthy."""
    renew(lab, *HOSTS)


@pytest.mark.row("A3")
def test_a_wrong_key_a_wrong_host_key_and_a_sudo_that_asks(lab: LabHand, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    before = {host: tree(lab, host) for host in HOSTS}
    began = time.time()

    def change(site: Any) -> None:
        site["hosts"]["bare"]["ssh"] = {"privateKey": {"file": str(key)}}
        site["hosts"]["proxied"]["hostKey"] = lab.site.ssh("jump").host_key
        site["hosts"]["jumped"]["ssh"] |= {"user": ASKING_USER}
        site["hosts"]["jumped"]["ssh"]["jumpHost"]["user"] = LOGIN_USER

    told = program(lab, change).red(*HOSTS)
    assert "does not accept the login of this user with this key" in told.about("bare")
    assert "authorized_keys" in told.about("bare")
    assert "shows another host key than the pinned one" in told.about("proxied")
    assert "correct `hostKey`" in told.about("proxied")
    assert f"user {ASKING_USER} cannot become root without a password" in told.about("jumped")
    assert "NOPASSWD" in told.about("jumped")
    for host, text in before.items():
        assert lab.client.logins(host, began) == (1 if host == "jumped" else 0)
        assert tree(lab, host) == text
        assert owned_by_nobody(lab, host)


@pytest.mark.row("A3")
def test_a_host_that_is_not_there_and_ports_that_stay_silent(lab: LabHand) -> None:
    """The host's own port, and the one of the jump host: the run ends, and says where it is silent."""
    nobody = str(lab.site.block.address(0, 99))

    def change(site: Any) -> None:
        site["hosts"]["proxied"]["address"] = f"{nobody}/24"

    lab.client.fault("silent-port", "bare")
    lab.client.fault("silent-port", "jump")
    try:
        with ThreadPoolExecutor(1) as pool:
            looking = pool.submit(verify, lab, "--host", "bare")
            told = program(lab, change).red(*HOSTS)
            looked = looking.result()
    finally:
        lab.client.clear_faults()
    for host, address in (("bare", lab.site.plan("bare").address), ("jumped", lab.site.plan("jump").address)):
        assert "takes connections on its SSH port but stays silent" in told.about(host)
        assert f"{address}:22 stays silent" in told.about(host)
    assert "the host does not answer" in told.about("proxied")
    assert f"dial tcp {nobody}:22" in told.about("proxied")
    assert "check that the machine is up" in told.about("proxied")
    assert looked.code == 5
    assert "stays silent" in looked.text


@pytest.mark.row("A3", "A20")
def test_logins_refused_for_a_while_after_a_boot(lab: LabHand) -> None:
    """Directly and by the jump host: nobody has to do anything, and every host of this module becomes healthy."""
    machines = ("bare", "jump")
    for name in machines:
        lab.client.fault("nologin20", name)
    try:
        with ThreadPoolExecutor(len(machines)) as pool:
            list(pool.map(lambda name: lab.client.power("restart", name), machines))
        assert lab.ssh("bare", "true").returncode != 0
        program(lab).green()
    finally:
        lab.client.clear_faults()
