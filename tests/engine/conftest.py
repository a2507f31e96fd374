"""The site under the real engine, for all engine tests; they are skipped where a piece is missing.

The lab lies in `.edge/labs/engine` of the checkout and goes with the tests; EDGE_HOSTS_ENGINE_LAB names another folder,
whose lab stays up: a second run then begins at once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from lab.engine import Engine, missing
from lab.paths import CHECKOUT, LabPaths
from lab.takedown import remove_tree
from lab.vcenter import build
from tests.engine.appliance_site import ApplianceSite
from tests.engine.engine_site import Case, EngineSite, table
from tests.engine.vm_site import VmSite
from tests.lab.lab_hand import LabHand

AnySite = TypeVar("AnySite", bound=VmSite)
_CASES = pytest.StashKey[list[Case]]()
_LACKING = pytest.StashKey[list[str]]()
_KEPT = "EDGE_HOSTS_ENGINE_LAB"
# Each guest's own systemd watches files; what all of them may watch together is a limit of this machine.
_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
_ENOUGH = 512


def _lacking() -> list[str]:
    """Return which pieces are missing here, one line for each."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    pieces = [None if root else "the machines of the lab need root", missing()]
    return [piece for piece in pieces if piece is not None]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_CASES] = []
    config.stash[_LACKING] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test here; each of them is several runs of the engine long."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.engine)
            item.add_marker(pytest.mark.timeout(600))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say once what is missing; or show what the engine did in each case, and write it where it is wanted."""
    for piece in config.stash[_LACKING]:
        terminalreporter.write_line(f"engine tests skipped: {piece}")
    cases = config.stash[_CASES]
    if not cases:
        return
    text = table(cases)
    terminalreporter.section("what the engine did")
    terminalreporter.write(text)
    wanted = config.getoption("--engine-table")
    if wanted:
        Path(wanted).parent.mkdir(parents=True, exist_ok=True)
        Path(wanted).write_text(text, "utf-8")


@pytest.fixture(scope="session")
def engine_lab(request: pytest.FixtureRequest) -> Iterator[LabHand]:
    """Return a lab with all of its machines up and bare; skip where the engine cannot be used."""
    lacking = request.config.stash[_LACKING] = _lacking()
    if lacking:
        pytest.skip("; ".join(lacking))
    own, kept = LabPaths.find(), os.environ.get(_KEPT)
    if own.cache.is_relative_to(own.root):
        own.claim()
    folder = Path(kept) if kept else CHECKOUT / ".edge" / "labs" / "engine"
    hand = LabHand(LabPaths(folder, own.cache))
    if not kept:
        hand.run("down")
    hand.ok("up", "--no-deploy")
    yield hand
    if not kept:
        hand.ok("down")
        remove_tree(hand.paths.root)


@pytest.fixture(scope="session")
def engine_site(engine_lab: LabHand, request: pytest.FixtureRequest) -> EngineSite:
    """Return the site under the engine; nothing is deployed yet."""
    folder = engine_lab.paths.root / "engine"
    shutil.rmtree(folder, ignore_errors=True)
    return EngineSite(Engine(CHECKOUT, folder), engine_lab.site, request.config.stash[_CASES])


@pytest.fixture(scope="session")
def vm_engine_site(engine_lab: LabHand, request: pytest.FixtureRequest) -> VmSite:
    """Return the site of virtual machines under the engine, a stack of its own; skip where there is no Go toolchain."""
    return _with_machines(VmSite, "engine-vms", engine_lab, request)


@pytest.fixture(scope="session")
def appliance_site(engine_lab: LabHand, request: pytest.FixtureRequest) -> ApplianceSite:
    """Return the site with an appliance under the engine, a stack of its own; skip where there is no Go toolchain."""
    return _with_machines(ApplianceSite, "engine-appliances", engine_lab, request)


def _with_machines(kind: type[AnySite], name: str, lab: LabHand, request: pytest.FixtureRequest) -> AnySite:
    lacking = build.missing()
    if lacking:
        request.config.stash[_LACKING] = [lacking]
        pytest.skip(lacking)
    folder = lab.paths.root / name
    shutil.rmtree(folder, ignore_errors=True)
    return kind(Engine(CHECKOUT, folder), lab.site, request.config.stash[_CASES])


@pytest.fixture
def no_vms(vm_engine_site: VmSite) -> VmSite:
    """Return the site of virtual machines with nothing made yet."""
    vm_engine_site.fresh()
    return vm_engine_site


@pytest.fixture
def vms(vm_engine_site: VmSite) -> VmSite:
    """Return the site with its virtual machines healthy: made so where the test before left something else."""
    vm_engine_site.steady()
    return vm_engine_site


@pytest.fixture
def bare_site(engine_site: EngineSite) -> EngineSite:
    """Return the site with nothing deployed: bare machines, an empty stack, no record in Palette."""
    engine_site.fresh()
    return engine_site


@pytest.fixture
def site(engine_site: EngineSite) -> EngineSite:
    """Return the site as a successful `up` leaves it: it is made so where the test before left something else."""
    engine_site.steady()
    return engine_site


@pytest.fixture
def room_for_many() -> Iterator[None]:
    """Let this machine hold more than the sixteen guests that its usual limit has room for, while the test runs."""
    before = _LIMIT.read_text("ascii")
    _LIMIT.write_text(str(max(int(before), _ENOUGH)), "ascii")
    yield
    _LIMIT.write_text(before, "ascii")
