"""The chain of one host, asserted resource by resource on the committed stacks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.components.harness import STACKS, record_stack, recorded
from tests.components.rules import COMMANDS, NEEDS, problems

EXPECTED: dict[str, dict[str, dict[str, Any]]] = {
    "lab": {
        "bare": {"protect": False, "retain": False, "force": False, "jump": False, "secrets": False},
        "proxied": {"protect": False, "retain": False, "force": False, "jump": False, "secrets": True},
        "jumped": {"protect": False, "retain": False, "force": False, "jump": True, "secrets": False},
        "vm": {"protect": False, "retain": False, "force": False, "jump": False, "secrets": False, "vm": True},
    }
}


@pytest.mark.row("C1", "C4")
def test_lab_keeps_every_rule_of_the_chain() -> None:
    assert problems(recorded("lab"), EXPECTED["lab"]) == []


@pytest.mark.row("C1", "C4")
def test_production_protects_claim_agent_and_readiness() -> None:
    hosts = [one.name for one in recorded("prod").resources if one.type == "edge-hosts:index:EdgeHost"]
    assert len(hosts) >= 2
    for host in hosts:
        protected = {role for role in NEEDS if recorded("prod").get(f"{host}-{role}").protect}
        assert protected == {"claim", "agent", "healthy"}


@pytest.mark.row("C3")
def test_a_retired_host_loses_its_protection_and_stores_force_only_when_asked() -> None:
    recording = record_stack("lab", site=_with_host("bare", state="retired", protect=True))
    assert problems(recording, EXPECTED["lab"]) == []


@pytest.mark.row("C3")
def test_a_lost_host_stores_force_and_keeps_its_agent_out_of_the_delete() -> None:
    expected = {**EXPECTED["lab"], "bare": {**EXPECTED["lab"]["bare"], "force": True, "retain": True}}
    assert problems(record_stack("lab", site=_with_host("bare", state="lost")), expected) == []


def test_a_raised_generation_reaches_every_step_after_the_claim() -> None:
    before, after = recorded("lab"), record_stack("lab", site=_with_host("bare", generation=2))
    changed = {role for role in NEEDS if before.get(f"bare-{role}").inputs != after.get(f"bare-{role}").inputs}
    assert changed == set(NEEDS)
    assert before.get("proxied-agent").plain("connection") == after.get("proxied-agent").plain("connection")


def test_every_step_of_a_host_uses_one_connection_and_differs_in_its_dials_only() -> None:
    recording = recorded("lab")
    connections = [dict(recording.get(f"bare-{role}").plain("connection")) for role in COMMANDS]
    dials = [connection.pop("dialErrorLimit") for connection in connections]
    assert all(connection == connections[0] for connection in connections)
    assert dials == [14, 14, 14, 240]


@pytest.mark.row("A3")
def test_behind_a_jump_host_both_keys_are_pinned() -> None:
    connection = recorded("lab").get("jumped-checks").plain("connection")
    assert connection["proxy"]["host"] == "10.231.76.10"
    assert connection["proxy"]["hostKey"].startswith("ssh-ed25519 ")
    assert connection["hostKey"].startswith("ssh-ed25519 ")
    assert connection["proxy"]["hostKey"] != connection["hostKey"]


@pytest.mark.row("A13")
def test_a_token_from_the_api_is_a_secret_output_and_outlives_the_hosts() -> None:
    palette = {**_site()["palette"], "registrationToken": {"source": "api", "expires": "2027-01-31"}}
    recording = record_stack("lab", site={"palette": palette})
    issued = recording.get("lab-token-issued")
    assert issued.type == "pulumi-python:dynamic/edge:RegistrationToken"
    assert issued.additional_secret_outputs == ("token",)
    assert issued.on_error == ("edge-hosts-pending",)
    assert "lab-token-issued" in recording.get("bare-agent").property_dependencies["stdin"]
    assert recording.get("bare-agent").is_secret("stdin")


@pytest.mark.parametrize("stack", STACKS)
def test_nothing_outside_the_network_depends_on_another_host(stack: str) -> None:
    recording = recorded(stack)
    hosts = {one.name for one in recording.resources if one.type == "edge-hosts:index:EdgeHost"}
    for one in recording.resources:
        if one.parent in hosts:
            others = [name for name in one.dependencies if name.rpartition("-")[0] in hosts - {one.parent}]
            assert others == []


def _site() -> dict[str, Any]:
    import json

    from tests.components.harness import config_of

    site: dict[str, Any] = json.loads(config_of("lab")[0]["edge-hosts:site"])
    return site


def _with_host(name: str, **changes: Any) -> dict[str, Any]:
    hosts = _site()["hosts"]
    return {"hosts": {**hosts, name: {**hosts[name], **changes}}}
