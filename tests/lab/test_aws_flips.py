"""Only AWS changes: the named checks of the lab's hosts and of their network turn red, and green again. The stack file stays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fault_hand import HOSTS, Told, edgectl, program, renew
from lab_hand import LabHand

pytestmark = [pytest.mark.lab, pytest.mark.fault]

Rows = Mapping[tuple[str, str], tuple[str, str]]
_SITE = "(site)"
_BAD = ("warn", "fail")


def _rows(lab: LabHand, command: str) -> Rows:
    """Return status and what was seen, by host and check, as the report of a command has them."""
    told: Told = edgectl(lab, command)
    name = "lab.json" if command == "verify" else f"lab.{command}.json"
    report: Any = json.loads((lab.paths.root / "reports" / name).read_text("utf-8"))
    places = {_SITE: report["site"], **{host: one["results"] for host, one in report["hosts"].items()}}
    assert places, told.text
    return {(place, row["id"]): (row["status"], row["seen"]) for place, rows in places.items() for row in rows}


def _bad(rows: Rows) -> set[tuple[str, str]]:
    return {key for key, (status, _seen) in rows.items() if status in _BAD}


@pytest.fixture(scope="module")
def before(lab: LabHand) -> Iterator[Mapping[str, Rows]]:
    """Take the hosts to Healthy by the program, and return what the commands say of a site without faults."""
    renew(lab, *HOSTS)
    lab.client.aws("reset")
    program(lab).green()
    yield {command: _rows(lab, command) for command in ("verify", "preflight")}
    renew(lab, *HOSTS)


def _every(check: str) -> set[tuple[str, str]]:
    return {(host, check) for host in HOSTS}


FLIPS = [
    # What is changed in AWS, and what turns red: of the hosts in `verify`, of the site in `preflight`.
    (
        "aws-vpc-block", "net1",
        {("jumped", "host.network.overlap.vpc")},
        {(_SITE, "aws.overlap")},
    ),
    ("aws-endpoint", "public", {(host, "host.dns.cluster.public") for host in ("bare", "jumped")}, set()),
    ("aws-endpoint", "publicAndPrivate", set(), {(_SITE, "aws.endpointmode")}),
    ("aws-route-missing", "nodes", _every("host.endpoints.enis"), {(_SITE, "aws.routes")}),
    ("aws-rule-missing", "in:443", _every("host.endpoints.enis"), {(_SITE, "aws.securitygroups.in")}),
    ("aws-entry-missing", None, set(), {(_SITE, "aws.accessentry")}),
]  # fmt: skip


@pytest.mark.row("A6", "C2")
@pytest.mark.parametrize(("name", "target", "of_hosts", "of_site"), FLIPS)
def test_a_change_of_aws_alone_flips_the_named_checks_and_back(
    lab: LabHand,
    before: Mapping[str, Rows],
    name: str,
    target: str | None,
    of_hosts: set[tuple[str, str]],
    of_site: set[tuple[str, str]],
) -> None:
    block = lab.site.block
    stack_file = lab.paths.stack_file.read_bytes()
    for command, flipped in (("verify", of_hosts), ("preflight", of_site)):
        if not flipped:
            continue
        lab.client.fault(
            name, {"net1": str(block.part(1)), "nodes": str(block.remote_nodes[0])}.get(str(target), target)
        )
        changed = _rows(lab, command)
        red = _bad(changed) - _bad(before[command])
        assert flipped <= red, {key: changed[key] for key in red}
        lab.client.clear_faults()
        assert _bad(_rows(lab, command)) == _bad(before[command])
    assert lab.paths.stack_file.read_bytes() == stack_file


@pytest.mark.row("C2")
def test_the_program_stops_before_any_host_is_touched(lab: LabHand, before: Mapping[str, Rows]) -> None:
    """What AWS says is judged first: one message, no login."""
    import time

    began = time.time()
    lab.client.fault("aws-auth-mode", "CONFIG_MAP")
    told = program(lab)
    lab.client.clear_faults()
    assert told.code != 0, told.text
    assert "CONFIG_MAP" in told.text
    assert "Traceback" not in told.text
    assert {host: lab.client.logins(host, began) for host in HOSTS} == dict.fromkeys(HOSTS, 0)
    program(lab).green()
