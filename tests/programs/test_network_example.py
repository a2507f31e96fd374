"""The committed example of a network stack, run under mocks and compared with its reviewed snapshot."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from edge.settings import NetworkSettings, load_any
from tests.components.harness import ROOT
from tests.programs.network_programs import FACTS, run
from tests.programs.snapshot import snapshot
from tests.programs.test_stacks import FOLDER

STACK = "network-dev"
# What AWS would answer about the cluster that the example names.
ANSWER = replace(
    FACTS,
    cluster_name="workshop-dev",
    account_id="123456789012",
    remote_node_cidrs=("10.200.0.0/16", "10.201.0.0/16"),
)


@pytest.mark.row("C2", "C3")
def test_the_example_matches_its_reviewed_snapshot(request: pytest.FixtureRequest) -> None:
    site = yaml.safe_load((ROOT / f"Pulumi.{STACK}.yaml").read_text("utf-8"))["config"]["edge-hosts:site"]
    path = FOLDER / f"{STACK}.json"
    seen = snapshot(run(site, facts=ANSWER))
    if request.config.getoption("--accept-snapshots"):
        path.write_text(seen, "utf-8")
    assert seen == path.read_text("utf-8"), "what the program registers has changed: review it, then --accept-snapshots"


@pytest.mark.row("C3")
def test_the_example_is_valid_without_a_warning() -> None:
    settings = load_any(STACK, ROOT)
    assert isinstance(settings, NetworkSettings)
    assert settings.warnings == ()
