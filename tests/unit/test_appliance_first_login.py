"""A login that fails at an appliance VM: the first boot may have missed its own ISO, and the remedy says so."""

from __future__ import annotations

import pytest

from edge.appliance.first_login import advice


@pytest.mark.row("B14", "B15")
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            "after 61 failed attempts: ssh: handshake failed: ssh: host key mismatch",
            "neither the login key nor the pinned",
        ),
        ("after 61 failed attempts: ssh: handshake failed: ssh: unable to authenticate, x", "neither the login key"),
        ("after 61 failed attempts: dial tcp 10.0.0.1:22: i/o timeout", "the host has no address"),
        ("after 61 failed attempts: dial tcp 10.0.0.1:22: connect: no route to host", "the host has no address"),
        ("proxy: ssh: rejected: connect failed (Connection timed out)", "the host has no address"),
    ],
)
def test_a_login_that_fails_names_the_own_iso_and_what_makes_it_right(error: str, words: str) -> None:
    said = advice("a", 2, error)
    assert said.startswith("if a was never healthy since it was installed, look at the console of its VM")
    assert "`edge-hosts-cidata-...iso` lies in the VM's folder on the datastore" in said
    assert "read at the first boot only" in said
    assert words in said
    assert "then write `generation: 3` at the host, and run `pulumi up`" in said


@pytest.mark.parametrize(
    "error",
    [
        "Process exited with status 10: RED host.cpu.minimum",
        "wait: remote command exited without exit status or exit signal",
        "after 61 failed attempts: dial tcp 10.0.0.1:22: connect: connection refused",
        "proxy: ssh: handshake failed: 10.0.0.1:22 stays silent, for 30 s",
    ],
)
def test_what_a_missing_iso_does_not_look_like_is_left_to_its_own_words(error: str) -> None:
    assert advice("a", 1, error) == ""
