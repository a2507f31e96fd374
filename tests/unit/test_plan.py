"""What the next `up` would do to each host, and how `edgectl plan` says it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from settings_helpers import load, project, put, site
from test_vm_changes import facts
from vm_samples import VSPHERE, vm_site, vm_stack

from edge.plan import HostPlan, host_plans
from edge.settings import StackSettings
from edgectl import app
from edgectl.plan import change_table, loud, plan_table

JOINED = {"generation": 1, "agentVersion": "4.9.38", "address": "10.200.0.11"}


def plans(config: StackSettings, known: dict[str, Any] | None) -> dict[str, HostPlan]:
    return {plan.name: plan for plan in host_plans(config, known)}


def two(**vsphere: Any) -> Any:
    return vm_site(put("hosts.plant-b", {"address": "10.200.0.12/24"}), vsphere=vsphere)


def known_of(config: StackSettings, **other: Any) -> dict[str, Any]:
    return {host.name: facts(host, **other) for host in config.host_views() if host.vm is not None}


@pytest.mark.row("A20")
def test_existing_machines(tmp_path: Path) -> None:
    config = load(tmp_path, site(put("hosts.plant-b.generation", 2)))
    known = {"plant-a": JOINED, "plant-b": JOINED, "plant-z": JOINED}
    assert {name: (one.action, one.reboots, one.replaces) for name, one in plans(config, known).items()} == {
        "plant-a": ("converge", False, False),
        "plant-b": ("reinstall", True, True),
        "plant-z": ("gone", False, False),
    }
    assert {one.action for one in plans(config, None).values()} == {"join"}
    older = {"plant-a": {**JOINED, "agentVersion": "4.9.2"}}
    assert plans(config, older)["plant-a"].action == "upgrade"
    assert plans(config, older)["plant-b"].action == "join"


@pytest.mark.row("C1")
def test_a_new_machine_names_what_it_comes_from(tmp_path: Path) -> None:
    plan = plans(vm_stack(tmp_path), None)["plant-a"]
    assert (plan.action, plan.reboots, plan.replaces) == ("create", True, False)
    assert "cloned from ubuntu-22.04" in plan.why
    adopted = plans(vm_stack(tmp_path, adopt="/DC1/vm/plant/plant-a"), None)["plant-a"]
    assert "adopted from /DC1/vm/plant/plant-a" in adopted.why


@pytest.mark.parametrize(
    ("was", "action", "reboots", "why"),
    [
        ({}, "converge", False, "joined; only what differs is changed"),
        ({"cpus": 2}, "resize", False, "in place: cpus 2 -> 4"),
        ({"cpus": 8}, "resize", True, "power cycle: cpus 8 -> 4"),
        ({"memoryMib": 32768, "diskGib": 100}, "resize", True, "power cycle: memory 32GiB -> 16GiB, disk 100GiB -> 150GiB"),
        ({"diskGib": 100}, "resize", False, "in place: disk 100GiB -> 150GiB"),
        ({"network": "vlan-1"}, "change", False, "in place: network vlan-1 -> vlan-200"),
        ({"template": "old"}, "converge", False, "waits for a raised generation: template old -> ubuntu-22.04"),
        ({"cluster": "old"}, "converge", False, "joined; only what differs is changed"),
        ({"diskGib": 200}, "refused", False, "disk 200GiB -> 150GiB: refused"),
    ],
)  # fmt: skip
@pytest.mark.row("C1")
def test_what_happens_to_a_machine(tmp_path: Path, was: dict[str, Any], action: str, reboots: bool, why: str) -> None:
    config = vm_stack(tmp_path)
    plan = plans(config, known_of(config, **was))["plant-a"]
    assert (plan.action, plan.reboots, plan.replaces, plan.refused) == (action, reboots, False, action == "refused")
    assert why in plan.why


def test_a_new_agent_and_a_new_size_are_said_together(tmp_path: Path) -> None:
    config = vm_stack(tmp_path)
    known = known_of(config, cpus=8)
    known["plant-a"]["agentVersion"] = "4.9.2"
    plan = plans(config, known)["plant-a"]
    assert (plan.action, plan.reboots) == ("upgrade", True)
    assert plan.why == "agent 4.9.2 -> 4.9.38; power cycle: cpus 8 -> 4"


@pytest.mark.row("C1")
def test_a_raised_generation_brings_everything_that_waited(tmp_path: Path) -> None:
    config = vm_stack(tmp_path, generation=2)
    plan = plans(config, known_of(config, template="ubuntu-20.04", cpus=8))["plant-a"]
    assert (plan.action, plan.reboots, plan.replaces) == ("replace", True, True)
    assert "generation 1 -> 2: the VM is destroyed and cloned anew from ubuntu-22.04, with cpus 8 -> 4" in plan.why
    assert "template ubuntu-20.04 -> ubuntu-22.04" in plan.why
    refused = plans(config, known_of(config, diskGib=200))["plant-a"]
    assert (refused.action, refused.replaces) == ("refused", False)
    assert "200GiB -> 150GiB" in refused.why


def test_an_adopted_machine_stays_when_its_generation_is_raised(tmp_path: Path) -> None:
    config = vm_stack(tmp_path, generation=2, adopt="/DC1/vm/plant/plant-a")
    plan = plans(config, known_of(config))["plant-a"]
    assert (plan.action, plan.reboots, plan.replaces) == ("reinstall", True, True)
    assert "the adopted VM stays" in plan.why
    without = plans(vm_stack(tmp_path), known_of(config))["plant-a"]
    assert without.refused
    assert plans(vm_stack(tmp_path, generation=2), known_of(config))["plant-a"].action == "replace"


def test_a_machine_of_which_nothing_was_exported_is_not_judged(tmp_path: Path) -> None:
    assert plans(vm_stack(tmp_path), {"plant-a": JOINED})["plant-a"].action == "converge"


def test_leaving_hosts(tmp_path: Path) -> None:
    config = vm_stack(tmp_path, state="retired")
    assert plans(config, known_of(config, diskGib=200))["plant-a"].action == "leave"
    gone = plans(config, {**known_of(config), "plant-z": facts(config.host_view("plant-a"))})["plant-z"]
    assert (gone.action, gone.why) == (
        "gone",
        "no longer in the settings: its VM is destroyed with its disk, its record removed",
    )


@pytest.mark.row("A2")
def test_a_renamed_host_is_warned_of_the_address_that_both_would_have(tmp_path: Path) -> None:
    config = vm_stack(tmp_path)
    known = {"plant-old": facts(config.host_view("plant-a"))}
    plan = plans(config, known)["plant-a"]
    assert plan.action == "create"
    assert "plant-a would be made while plant-old still has its address" in plan.warning
    assert "state: retired" in plan.warning
    assert not plans(config, {**known, "plant-a": facts(config.host_view("plant-a"))})["plant-a"].warning


# How it is said


def text_of(*parts: Any) -> str:
    console = Console(width=200, file=io.StringIO())
    for part in parts:
        console.print(part)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_several_hosts_at_once_are_loud(tmp_path: Path) -> None:
    config = load(tmp_path, two(cpus=8))
    known = known_of(config, cpus=16)
    assert "2 hosts would be power-cycled in one run: plant-a, plant-b" in "\n".join(loud(host_plans(config, known)))
    for facts_ in known.values():
        facts_["generation"] = 7
    said = "\n".join(loud(host_plans(config, known)))
    assert "2 hosts would be made anew in one run: plant-a, plant-b" in said
    assert "power-cycled" not in said
    assert loud(host_plans(config, {"plant-a": known["plant-a"], "plant-b": known_of(config)["plant-b"]})) == []


def test_the_tables_show_every_difference_with_its_reason(tmp_path: Path) -> None:
    config = vm_stack(tmp_path)
    found = host_plans(config, known_of(config, diskGib=200, template="[old]", cpus=8))
    shown = text_of(plan_table(found), change_table(found))
    for word in ("refused", "power cycle", "new generation", "[old]", "edgectl roll plant-a", "Write 200GiB or more"):
        assert word in " ".join(shown.split()), word
    assert change_table(host_plans(config, known_of(config))) is None
    replaced = [replace(one, action="replace") for one in found]
    assert "new machine" in text_of(change_table(replaced))


def run(capsys: pytest.CaptureFixture[str], folder: Path, known: dict[str, Any]) -> tuple[int, str]:
    path = folder / "facts.json"
    path.write_text(json.dumps({"hosts": known}))
    code = app.main(["plan", "plant-dev", "--root", str(folder), "--facts", str(path)])
    return code, " ".join(capsys.readouterr().out.split())


@pytest.mark.row("C1")
def test_the_command_ends_with_two_where_the_run_would_stop(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgectl.plan._recording", lambda *_: type("Empty", (), {"resources": ()})())
    project(tmp_path, vm_site())
    config = vm_stack(tmp_path)
    code, out = run(capsys, tmp_path, known_of(config, diskGib=200))
    assert code == 2
    assert "The run would stop at plant-a" in out
    code, out = run(capsys, tmp_path, known_of(config, cpus=2))
    assert code == 0
    assert "resize" in out
    assert VSPHERE["disk"] not in out
