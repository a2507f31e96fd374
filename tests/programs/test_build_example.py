"""The committed example of a build stack, run under mocks and compared with its reviewed snapshot."""

from __future__ import annotations

import json

import pytest
import yaml

from components.testing import Recording, record_program
from edge.images.stack_outputs import stack_facts
from tests.components.harness import PROJECT, ROOT, canary
from tests.programs.snapshot import snapshot
from tests.programs.test_stacks import FOLDER

STACK = "images-dev"
SECRETS = ("sshPrivateKey", "vspherePassword")


def recorded(*, preview: bool = False) -> Recording:
    """Return what the program registers for the example."""
    config = yaml.safe_load((ROOT / f"Pulumi.{STACK}.yaml").read_text("utf-8"))["config"]
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    texts |= {f"{PROJECT}:{name}": canary(name) for name in SECRETS}
    keys = [f"{PROJECT}:{name}" for name in SECRETS]
    return record_program(ROOT, project=PROJECT, stack=STACK, config=texts, secret_keys=keys, preview=preview)


@pytest.mark.row("B4", "B8", "B14")
def test_the_example_matches_its_reviewed_snapshot(request: pytest.FixtureRequest) -> None:
    path = FOLDER / f"{STACK}.json"
    seen = snapshot(recorded())
    if request.config.getoption("--accept-snapshots"):
        path.write_text(seen, "utf-8")
    assert seen == path.read_text("utf-8"), "what the program registers has changed: review it, then --accept-snapshots"


def test_a_site_can_read_what_it_exports() -> None:
    facts = stack_facts(recorded().exports, stack=STACK)
    assert {kind: len(iso.files) for kind, iso in facts.isos.items()} == {"poweroff": 1, "reboot": 1}


def test_a_first_preview_registers_the_same() -> None:
    """Side by side uploads register in no fixed order: nothing of theirs depends on each other."""
    names = sorted(one.name for one in recorded(preview=True).resources)
    assert names == sorted(one.name for one in recorded().resources)
