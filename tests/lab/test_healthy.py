"""One pass: machines as new become Healthy by one command; again, nothing happens; a look changes nothing.

What happened is read from the hosts and the lab's servers, never from the program's own words.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fault_hand import APPLIANCE, EVERY, Told, inside, program, records, renew, verify
from lab_hand import LabHand

from lab.machines import VM_NAME

pytestmark = [pytest.mark.lab]

_STATE = """
cat /proc/sys/kernel/random/boot_id
stat -c '%n %Y.%i %s' /var/lib/edge-hosts/user-data /var/log/dpkg.log
sha256sum </var/log/dpkg.log
systemctl show --property=MainPID --value spectro-stylus-agent.service
"""
# What sshd, sudo and the journal write about a login; a look at a host changes nothing else.
_LOGS = ("/var/log/journal/", "/var/log/auth.log", "/var/log/wtmp", "/var/log/lastlog", "/var/log/syslog")


@dataclass(frozen=True)
class Pass:
    """One run of the program: when it began, what it told, and the facts that it left."""

    began: float
    told: Told
    facts: dict[str, Any]
    seconds: float


def _run(lab: LabHand) -> Pass:
    began = time.time()
    # With a build and an installation in it, beside everything else.
    told = program(lab, vm=True, seconds=480.0)
    facts = json.loads(lab.paths.facts.read_text("utf-8"))
    return Pass(began, told, facts, time.time() - began)


@pytest.fixture(scope="module")
def first(lab: LabHand) -> Iterator[Pass]:
    """Return the run that took new machines to Healthy; they are new again afterwards."""
    renew(lab, *EVERY)
    yield _run(lab)
    renew(lab, *EVERY)


@pytest.mark.row("A1", "A15", "A19", "A20", "A21")
def test_new_machines_become_healthy_by_one_command(lab: LabHand, first: Pass) -> None:
    first.told.green()
    for host in EVERY:
        assert any(line.split()[:1] == [host] and "ready, healthy" in line for line in first.told.text.splitlines()), (
            first.told.text
        )
        assert records(lab)[host]["status"]["state"] == "ready"
    assert "python -m edgectl verify lab" in first.told.text


@pytest.mark.row("A21")
def test_the_run_leaves_the_facts_of_the_stack_without_a_secret(lab: LabHand, first: Pass) -> None:
    assert first.facts["result"] == "succeeded"
    hosts = first.facts["outputs"]["hosts"]
    assert sorted(hosts) == sorted((*EVERY, APPLIANCE))
    for host in EVERY:
        labels = records(lab)[host]["metadata"]["labels"]
        assert hosts[host]["epoch"] == labels["edge-hosts-epoch"]
        assert hosts[host]["state"] == "ready"
        assert hosts[host]["health"] == "healthy"
        assert hosts[host]["checks"]["failed"] == 0
    text = lab.paths.facts.read_text("utf-8") + first.told.text
    for name, value in lab.site.secrets.items():
        assert value not in text, name


@pytest.mark.row("A3")
@pytest.mark.parametrize("host", EVERY)
def test_a_first_run_logs_in_four_times(lab: LabHand, first: Pass, host: str) -> None:
    """Counted by the host's own sshd: checks, preparation, agent, started."""
    began = first.began
    # The session may have run `verify` on this host since: only the logins of the run itself count.
    until = began + first.seconds
    assert lab.client.logins(host, began) - lab.client.logins(host, until) == 4


@pytest.mark.row("A8", "A13", "A16")
def test_a_second_run_changes_nothing(lab: LabHand, first: Pass) -> None:
    first.told.green()
    before = {host: inside(lab, host, _STATE) for host in EVERY}
    again = _run(lab)
    again.told.green()
    assert {host: inside(lab, host, _STATE) for host in EVERY} == before
    downloads = [one for one in lab.client.requests("downloads", again.began) if one["kind"] in ("script", "binary")]
    assert downloads == []
    images = [one for one in lab.client.requests("images", again.began) if one["kind"] in ("manifest", "image")]
    assert images == []
    assert [one for one in lab.client.requests("palette", again.began) if one["kind"] == "write"] == []
    assert [one for one in lab.client.requests("packages", again.began) if one["kind"] == "package"] == []
    for host in EVERY:
        kept = ("uid", "epoch", "generation", "release", "agentVersion", "address", "state", "health")
        old, new = (run.facts["outputs"]["hosts"][host] for run in (first, again))
        assert {key: new[key] for key in kept} == {key: old[key] for key in kept}


@pytest.mark.row("C3")
def test_a_look_at_all_hosts_is_one_login_each_and_changes_nothing(lab: LabHand, first: Pass) -> None:
    first.told.green()
    for host in EVERY:
        inside(lab, host, "touch /run/lab-mark")
    time.sleep(1.1)
    began = time.time()
    told = verify(lab, vm=True)
    assert told.code == 0, told.text
    for host in EVERY:
        assert lab.client.logins(host, began) == 1
        found = inside(lab, host, "find / -xdev -cnewer /run/lab-mark ! -type d")
        assert [path for path in found.splitlines() if not path.startswith(_LOGS)] == []
    assert [one for one in lab.client.requests("palette", began) if one["kind"] == "write"] == []


@pytest.mark.row("A2", "A17")
def test_the_vm_is_what_the_program_gave_its_cloud_init(lab: LabHand, first: Pass) -> None:
    first.told.green()
    (vm,) = (one for one in lab.client.vms() if one["name"] == VM_NAME)
    address = str(lab.site.ssh_to_vm().host)
    assert (vm["name"], vm["guest"]) == (VM_NAME, {"hostname": VM_NAME, "ip": address})
    assert vm["cloudInit"] == {"state": "done", "errors": []}
    assert vm["guestinfo"]["guestinfo.userdata"] == "---"
    # By the lab's own ssh configuration, which knows nothing but the derived host key.
    assert lab.says(VM_NAME, "hostname; sudo -n id -u").split() == [VM_NAME, "0"]
    assert first.facts["outputs"]["hosts"][VM_NAME]["vm"]["uuid"] == vm["uuid"]


@pytest.mark.row("B14", "B15")
def test_the_appliance_has_installed_itself_once_and_holds_no_medium(lab: LabHand, first: Pass) -> None:
    first.told.green()
    (vm,) = (one for one in lab.client.vms() if one["name"] == APPLIANCE)
    assert (vm["appliance"]["installations"], vm["appliance"]["diskBoots"]) == (1, 1)
    assert vm["isos"] == ["", ""]
    isos = [path.name for path in (lab.paths.root / "datastores").rglob("*.iso")]
    assert isos and not [name for name in isos if "cidata" in name]
    facts = first.facts["outputs"]
    sha256 = facts["image"]["isos"]["poweroff"]["sha256"]
    assert facts["hosts"][APPLIANCE]["appliance"]["isoSha256"] == sha256
    assert any(sha256[:12] in name for name in isos)


@pytest.mark.row("B10", "B14")
def test_a_second_run_builds_and_uploads_nothing(lab: LabHand, first: Pass) -> None:
    first.told.green()
    before = {path: path.stat().st_mtime_ns for path in (lab.paths.root / "datastores").rglob("*.iso")}
    again = _run(lab)
    again.told.green()
    assert {path: path.stat().st_mtime_ns for path in (lab.paths.root / "datastores").rglob("*.iso")} == before
    assert again.facts["outputs"]["image"] == first.facts["outputs"]["image"]


def test_a_second_run_keeps_the_vm(lab: LabHand, first: Pass) -> None:
    first.told.green()
    before = lab.client.vms()
    _run(lab).told.green()
    assert lab.client.vms() == before
