"""What a person reads of a failing host: every form of words that a step, Palette or the provider can have."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.settings import load_stack
from lab.rehearsal.lab_run import _advice
from lab.rehearsal.words import explain, first_words, troubles

ROOT = Path(__file__).resolve().parents[2]

COMMAND = "sh -c 'exec bash -s -- run'"
RED = f'CommandFailedError: Process exited with status 10: running "{COMMAND}":\nRED host.cpu.minimum'


@pytest.mark.row("A1")
def test_a_red_check_is_shown_with_id_seen_expected_remedy_and_the_command_to_look_further() -> None:
    said = [
        "checks: looking at a",
        "WARN host.a Title a: seen b, expected c; fix: d",
        "RED  host.cpu.minimum The host has 2 CPUs: seen 1 CPU: too few, expected at least 2; fix: give it 2; or more",
    ]
    assert explain("a", "checks", RED, said, "lab").splitlines() == [
        "a: checks failed",
        "  host.cpu.minimum  The host has 2 CPUs",
        "    seen: 1 CPU: too few",
        "    expected: at least 2",
        "    fix: give it 2; or more",
        "  look further: python -m edgectl verify lab --host a",
    ]


@pytest.mark.row("A8")
def test_a_failed_step_is_shown_with_its_remedy() -> None:
    said = ["prepare: working", "prepare: FAILED (21): the lock is held by x (7), waited 600 s. Fix: let it finish"]
    assert explain("a", "preparation", RED, said, "lab").splitlines()[1:3] == [
        "  the lock is held by x (7), waited 600 s",
        "  fix: let it finish",
    ]


@pytest.mark.row("A3")
@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("after 15 failed attempts: ssh: handshake failed: ssh: host key mismatch", "another host key"),
        (
            "after 15 failed attempts: ssh: handshake failed: ssh: unable to authenticate, x",
            "does not accept the login",
        ),
        ("proxy: ssh: handshake failed: 10.0.0.1:22 stays silent, for 30 s", "stays silent"),
        ("after 15 failed attempts: dial tcp 10.0.0.1:22: i/o timeout", "does not answer"),
        ("after 15 failed attempts: dial tcp 10.0.0.1:22: connect: no route to host", "does not answer"),
        ("after 15 failed attempts: dial tcp 10.0.0.1:22: connect: connection refused", "refuses connections"),
        ("after 15 failed attempts: ssh: handshake failed: EOF", "closes the connection during the login"),
        (
            f'wait: remote command exited without exit status or exit signal: running "{COMMAND}":\nx',
            "lost the connection",
        ),
    ],
)
def test_the_words_of_the_provider_are_explained(words: str, meaning: str) -> None:
    (trouble,) = troubles(f"CommandFailedError: {words}", ["checks: looking at a"])
    assert meaning in trouble.seen
    assert trouble.fix
    assert ("jump host" in trouble.seen) == words.startswith("proxy: ")
    assert COMMAND not in trouble.seen


@pytest.mark.row("B14", "B15")
def test_the_login_to_an_appliance_vm_has_a_remedy_of_its_own() -> None:
    by_host = _advice(load_stack("lab", ROOT))
    assert set(by_host) == {"appliance"}, "bare metal is healthy before anybody logs in"
    error = "CommandFailedError: after 61 failed attempts: ssh: handshake failed: ssh: host key mismatch"
    text = explain("appliance", "checks", error, [], "lab", by_host)
    assert "  the host shows another host key than the pinned one" in text
    assert "fix: if appliance was never healthy" in text
    assert "write `generation: 2` at the host" in text
    assert "correct `hostKey`" not in text
    assert "correct `hostKey`" in explain("bare", "checks", error, [], "lab", by_host)
    refused = "CommandFailedError: after 61 failed attempts: dial tcp 10.0.0.1:22: connect: connection refused"
    assert "fix: start sshd" in explain("appliance", "checks", refused, [], "lab", by_host)


@pytest.mark.row("A3")
def test_a_sudo_that_asks_is_explained() -> None:
    said = ["edge-hosts: user a cannot become root without a password; allow it in sudoers (NOPASSWD)"]
    (trouble,) = troubles('CommandFailedError: Process exited with status 12: running "x":\n', said)
    assert trouble.seen == "user a cannot become root without a password"
    assert trouble.fix == "allow it in sudoers (NOPASSWD)"


@pytest.mark.row("A21")
def test_an_error_of_palette_keeps_its_remedy() -> None:
    error = "PendingError: pending: edge host a is registered but not healthy yet. Remedy: look at x."
    text = explain("a", "healthy", error, [], "lab")
    assert "  edge host a is registered but not healthy yet\n  fix: look at x\n" in text
    assert "journalctl -u spectro-stylus-agent" in text


def test_words_that_nobody_knows_are_shown_without_the_command_and_the_report() -> None:
    error = f'CommandFailedError: Process exited with status 3: running "{COMMAND}":\n{{"schema":1}}\nodd words'
    (trouble,) = troubles(error, [])
    assert trouble.seen == "Process exited with status 3 odd words"
    assert first_words("ValueError: ") == ""


@pytest.mark.row("A5")
def test_one_cause_is_told_before_the_endpoints_that_are_red_with_it() -> None:
    said = [
        "RED  host.endpoints.eks EKS: seen a:443 DNS: no such name; b:443 DNS: no such name; and 2 more, expected x; fix: y",
        "RED  host.endpoints.ecr ECR: seen a:443 DNS: no such name; b:443 TCP: refused, expected x; fix: open it",
        "RED  host.dns.answers Names: seen a: no such name, expected an address; fix: let it reach a name server",
    ]
    text = explain("a", "checks", RED, said, "lab")
    assert "  red with it: host.endpoints.eks\n" in text
    assert "fix: open it" in text
    assert "fix: y" not in text
    alone = explain("a", "checks", RED, said[:1], "lab")
    assert "fix: y" in alone
    assert "red with it" not in alone
