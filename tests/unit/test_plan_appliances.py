"""What the next run would do to appliances, and what `render` and the checks give them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.checks.values import checks_values
from edge.endpoints import endpoint_table, query_for
from edge.network import NetworkFacts
from edge.plan import HostPlan, host_plans
from edge.settings import StackSettings
from edgectl import app
from edgectl.render import MASK
from tests.components.harness import ROOT
from tests.unit.image_stacks import CANVOS, FROM_STACK, PINNED, mixed
from tests.unit.settings_helpers import DIGEST, HOST_KEY, load, project, put

OTHER = "cd" * 32
KNOWN: dict[str, Any] = {"generation": 1, "agentVersion": "4.1.0", "appliance": {"isoSha256": DIGEST}}


def settings_of(folder: Path, *changes: Any, **more: Any) -> StackSettings:
    return load(folder, mixed(*changes, **more), release=PINNED)


def plan(settings: StackSettings, host: str, known: dict[str, Any] | None) -> HostPlan:
    plans = host_plans(settings, None if known is None else {host: known})
    return next(one for one in plans if one.name == host)


def test_a_first_run_says_what_happens_and_who_has_to_do_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    vm, bare = plan(settings, "plant-b", None), plan(settings, "plant-c", None)
    assert (vm.action, bare.action) == ("create", "join")
    assert "installs itself" in vm.why
    assert "somebody boots it" in bare.why


@pytest.mark.row("B14", "B17")
def test_only_a_raised_generation_installs_an_appliance_anew(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    for host in ("plant-b", "plant-c"):
        same = plan(settings, host, KNOWN)
        assert (same.action, same.reboots, same.replaces) == ("converge", False, False), "an old agent is no reason"
        waits = plan(settings, host, {**KNOWN, "appliance": {"isoSha256": OTHER}})
        assert (waits.action, waits.reboots, waits.replaces) == ("converge", False, False)
        assert f"waits for a raised generation: installer ISO {OTHER[:12]} -> {DIGEST[:12]}" in waits.why
    raised = settings_of(tmp_path, put("hosts.plant-b.generation", 2), put("hosts.plant-c.generation", 2))
    vm = plan(raised, "plant-b", {**KNOWN, "appliance": {"isoSha256": OTHER}})
    assert (vm.action, vm.reboots, vm.replaces) == ("replace", True, True)
    assert f"with installer ISO {OTHER[:12]} -> {DIGEST[:12]}" in vm.why
    bare = plan(raised, "plant-c", KNOWN)
    assert (bare.action, bare.replaces) == ("reinstall", True)
    assert "somebody boots it" in bare.why


def test_of_an_image_of_another_stack_the_release_says_what_waits(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, image=FROM_STACK)
    assert "installer ISO" in plan(settings, "plant-b", {**KNOWN, "appliance": {"isoSha256": OTHER}}).why
    release = {**PINNED, "canvos": {"tag": CANVOS["tag"]}}
    unpinned = load(tmp_path, mixed(image=FROM_STACK), release=release)
    assert "installer ISO" not in plan(unpinned, "plant-b", {**KNOWN, "appliance": {"isoSha256": OTHER}}).why


def test_what_the_last_run_found_to_wait_is_said_once(tmp_path: Path) -> None:
    waits = [f"iso {OTHER[:12]} -> {DIGEST[:12]}", "address 10.200.0.12 -> 10.200.0.19", "its own user-data"]
    known = {**KNOWN, "appliance": {"isoSha256": OTHER, "waits": waits}}
    settings = settings_of(tmp_path, image=FROM_STACK)
    found = plan(settings, "plant-b", known)
    assert [(one.key, one.was, one.wanted) for one in found.changes] == [
        ("installer ISO", OTHER[:12], DIGEST[:12]),
        ("address", "10.200.0.12", "10.200.0.19"),
        ("its own user-data", "as it was installed", "as in the settings"),
    ]
    assert {one.kind for one in found.changes} == {"new generation"}
    assert found.action == "converge"


@pytest.mark.row("B14", "B17", "C3")
@pytest.mark.parametrize("host", ["plant-b", "plant-c"])
@pytest.mark.parametrize("generation", [1, 2])
def test_a_changed_mode_is_refused_whatever_the_generation(host: str, generation: int, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, put(f"hosts.{host}.generation", generation))
    found = plan(settings, host, {"generation": 1, "agentVersion": "4.1.0", "vm": {}})
    assert found.refused and "mode agent -> appliance" in found.why and "Write `mode: agent` again" in found.why
    back = plan(settings, "plant-a", KNOWN)
    assert back.refused and "mode appliance -> agent" in back.why


@pytest.mark.row("B14")
def test_the_plan_of_a_site_that_takes_another_stacks_image_asks_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path, mixed(put("ssh.authorizedKeys", [f"{HOST_KEY} edge"]), image=FROM_STACK), release=PINNED)
    shutil.copy(ROOT / "__main__.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert app.main(["plan", "plant-dev", "--root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    for part in ("ApplianceBoot plant-b-boot", "SiteIsoFile plant-c-site-iso", "StackReference"):
        assert part in out


def test_facts_that_say_nothing_of_the_iso_are_no_difference(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    for facts in ({}, {"appliance": {}}, {"appliance": {"isoSha256": ""}}, {"appliance": "x"}):
        assert plan(settings, "plant-b", {"generation": 1, **facts}).action == "converge"


@pytest.mark.row("B15")
def test_an_appliance_is_asked_as_one(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    network = NetworkFacts.given(settings)

    def values(host: str) -> dict[str, str]:
        view = settings.host_view(host)
        return checks_values(settings, view, network, endpoint_table(query_for(settings, network, view)))

    appliance, agent = values("plant-b"), values("plant-a")
    assert (appliance["EH_MODE"], agent["EH_MODE"]) == ("appliance", "agent")
    assert appliance["EH_INSTALLER_URL"] == "https://registry.example/v2/"
    assert "palette-agent-install" in agent["EH_INSTALLER_URL"]
    assert "/eks-hybrid /etc/aws" in appliance["EH_BIND_MOUNTS"]
    assert agent["EH_BIND_MOUNTS"] == ""
    assert "registry.example\t443\ttls\trequired" in appliance["EH_ENDPOINTS"]
    assert "github.com" in agent["EH_ENDPOINTS"]
    assert "github.com" not in appliance["EH_ENDPOINTS"]
    assert "appliance.mounts\tfail" in appliance["EH_POLICY"]
    assert "appliance." not in agent["EH_POLICY"]


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    """Return a project with such a site."""
    project(tmp_path, mixed(put("ssh.authorizedKeys", [f"{HOST_KEY} edge"])), release=PINNED)
    return tmp_path


def shown(plant: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert app.main(["render", "plant-dev", *words, "--root", str(plant)]) == 0
    return capsys.readouterr().out


@pytest.mark.row("B8", "B15")
@pytest.mark.parametrize("host", ["plant-b", "plant-c"])
def test_render_shows_the_user_data_of_an_appliances_own_iso_masked(
    host: str, plant: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = yaml.safe_load(shown(plant, capsys, host, "--user-data"))
    assert "install" not in data
    assert data["stylus"]["site"]["name"] == host
    assert data["stylus"]["site"]["edgeHostToken"] == MASK
    keys = [one for step in data["stages"]["initramfs"] for one in step.get("files", ()) if "ssh_host" in one["path"]]
    assert keys[0]["content"] == MASK
    out = shown(plant, capsys, host)
    assert "step checks" in out
    assert "registry.example/edge/ubuntu" in out
    for gone in ("step prepare", "step agent", "downloads", "guestinfo"):
        assert gone not in out


def test_an_appliance_has_no_metadata(plant: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["render", "plant-dev", "plant-b", "--vm-metadata", "--root", str(plant)]) == 2
    assert "reads no metadata of vSphere" in capsys.readouterr().err
