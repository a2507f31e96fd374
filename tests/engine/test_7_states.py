"""States: one that an older version of the program left, one that was lost, and one that waits for a newer release."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from lab.paths import CHECKOUT
from lab.services import vendor
from tests.engine.engine_site import CHAIN, HOSTS, EngineSite, chain
from tests.engine.old_state import HOST, filled, marks

STATES = sorted(Path(__file__).with_name("states").glob("*.json"))
NEWER = "4.9.39"


@pytest.mark.row("C2")
@pytest.mark.parametrize("state", STATES, ids=lambda path: path.stem)
def test_an_old_state_can_be_destroyed(site: EngineSite, state: Path) -> None:
    others = {name: epoch for name, epoch in site.epochs().items() if name != HOST}
    epoch = site.epochs()[HOST]
    site.engine.load(filled(state.read_text("utf-8"), marks(site.site, epoch), site.engine.export()))
    run = site.run(f"destroy a state of version {state.stem}", "destroy")
    assert run.changed() == dict.fromkeys(chain(HOST), "delete")
    assert site.epochs() == others and not site.has_agent(HOST)


@pytest.mark.row("C2")
def test_a_lost_state_takes_its_hosts_back_without_a_reboot(site: EngineSite) -> None:
    epochs = site.epochs()
    state = json.loads(site.engine.export())
    state["deployment"]["resources"] = []
    site.engine.load(json.dumps(state))
    run = site.run("up, the state was lost", "up")
    assert run.counts() == {"create": len(HOSTS) * len(CHAIN)}
    assert site.cases[-1].reboots == 0 and site.epochs() == epochs
    site.clean()


def _program(folder: Path) -> Path:
    """Return a copy of the program with one more release: the lab's, with the next version of the agent."""
    for name in ("components", "edge", "scripts", "Pulumi.yaml", ".venv"):
        (folder / name).symlink_to(CHECKOUT / name)
    shutil.copy(CHECKOUT / "__main__.py", folder)
    shutil.copytree(CHECKOUT / "releases", folder / "releases")
    release = yaml.safe_load((folder / "releases" / "lab-1.yaml").read_text("utf-8"))
    agent = release["agent"]
    release["id"], agent["version"] = "lab-2", NEWER
    agent["script"]["sha256"] = vendor.digest(NEWER, "palette-agent-install.sh")
    for arch in agent["binary"]:
        agent["binary"][arch]["sha256"] = vendor.digest(NEWER, f"palette-agent-linux-{arch}")
    (folder / "releases" / "lab-2.yaml").write_text(yaml.safe_dump(release), "utf-8")
    return folder


@pytest.mark.row("A18")
def test_an_agent_older_than_the_release_is_installed_anew(site: EngineSite, tmp_path: Path) -> None:
    epochs = site.epochs()
    site.engine.program = _program(tmp_path)
    try:
        site.clean("the copy of the program")
        text = site.engine.settings.read_text("utf-8")
        site.engine.settings.write_text(text.replace("edge-hosts:release: lab-1", "edge-hosts:release: lab-2"), "utf-8")
        site.host("bare", allowReboot=False)
        run = site.run("up, newer release, one host may not reboot", "up", code=1)
        assert run.failed() == {"bare-agent": "update"} and "that is not allowed" in run.messages()
        versions = {uid: record["status"]["health"]["agentVersion"] for uid, record in site.records().items()}
        assert versions == {"bare": "4.9.38", "proxied": NEWER, "jumped": NEWER}
        assert site.cases[-1].reboots == 2
        site.host("bare", allowReboot=True)
        run = site.run("up, now it may", "up")
        assert set(run.changed()) <= chain("bare", "checks", "agent", "started", "healthy")
        assert site.cases[-1].reboots == 1 and site.epochs() == epochs and site.healthy() == set(HOSTS)
        site.clean()
    finally:
        site.engine.program = CHECKOUT
