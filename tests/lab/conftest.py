"""Labs for the tests: one that the whole session shares, and empty places for labs that a test breaks.

They lie in `.edge/labs` of the checkout (or where EDGE_HOSTS_TEST_LABS says), beside a lab that a person may have up, and share its cache: so a root file
system is made once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_hand import LabHand

from lab.paths import CHECKOUT, LabPaths
from lab.takedown import remove_tree

LABS = Path(os.environ.get("EDGE_HOSTS_TEST_LABS") or CHECKOUT / ".edge" / "labs")


@pytest.fixture(scope="session")
def needs_root() -> None:
    """Skip where no lab can be: it needs root on Linux."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("lab machines need root")


def _hand(name: str) -> LabHand:
    own = LabPaths.find()
    if own.cache.is_relative_to(own.root):
        own.claim()
    return LabHand(LabPaths(LABS / name, own.cache))


@pytest.fixture(scope="session")
def lab(needs_root: None) -> Iterator[LabHand]:
    """Return a lab with all of its machines up and bare, for the whole session. Tests leave them as they found them."""
    hand = _hand("shared")
    hand.run("down")
    hand.ok("up", "--no-deploy")
    yield hand
    hand.ok("down")
    remove_tree(hand.paths.root)


@pytest.fixture
def empty_lab(needs_root: None, request: pytest.FixtureRequest) -> Iterator[LabHand]:
    """Return a place for a lab of the test's own; what it leaves there is taken down."""
    yield from _place(f"own-{request.node.name[:40]}")


@pytest.fixture
def second_lab(needs_root: None, request: pytest.FixtureRequest) -> Iterator[LabHand]:
    """Return a place for another lab beside `empty_lab`."""
    yield from _place(f"second-{request.node.name[:40]}")


def _place(name: str) -> Iterator[LabHand]:
    hand = _hand("".join(letter if letter.isalnum() else "-" for letter in name))
    hand.run("down")
    yield hand
    done = hand.run("down")
    assert done.returncode == 0, done.stdout + done.stderr
    remove_tree(hand.paths.root)


@pytest.fixture(scope="session")
def labs_folder() -> Path:
    """Return the folder of the tests' labs."""
    return LABS
