"""`edgectl repair`: what it prints, what it asks, and that it does nothing that was not agreed to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer

from edge.vcenter import deeds
from edge.vcenter.errors import VcenterError
from edge.vcenter.model import Inventory, Vm
from edge.vcenter.session import Limits, Session
from edge.vcenter.stack_state import MACHINE
from edgectl import app, repair
from tests.unit.settings_helpers import put
from tests.unit.vcenter_samples import OWNER, inventory, machine, settings_of

PASSWORD = "canary-password"


@dataclass
class Scene:
    """A vCenter in memory, what was done in it, and the answers of the person who is asked."""

    root: Path
    found: Inventory
    done: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    agrees: bool = False

    def run(self, *more: str) -> int:
        """Run the command."""
        return app.main(["repair", "plant-dev", "--root", str(self.root), *more])


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scene]:
    """Return a maker of scenes."""
    monkeypatch.setenv("EDGE_HOSTS_SECRET_VSPHERE_PASSWORD", PASSWORD)
    monkeypatch.setenv("PATH", str(tmp_path))

    def make(*machines: Vm, changes: Any = ()) -> Scene:
        settings_of(tmp_path, *changes)
        made = Scene(tmp_path, inventory(*machines))

        @contextmanager
        def opened(vcenter: Any, password: str, limits: Limits) -> Iterator[Session]:
            assert password == PASSWORD
            live = Session(vcenter, password, limits)
            live.ask = lambda question: made.found  # type: ignore[method-assign,assignment,return-value]
            yield live

        def confirm(text: str, **_: Any) -> bool:
            made.asked.append(text)
            return made.agrees

        monkeypatch.setattr(repair, "session", opened)
        monkeypatch.setattr(repair, "destroy", lambda live, vm, owner: made.done.append(f"destroy {vm.name}"))
        monkeypatch.setattr(repair, "power_on", lambda live, vm, owner: made.done.append(f"on {vm.name} of {owner}"))
        monkeypatch.setattr(typer, "confirm", confirm)
        return made

    return make


def state(folder: Path, *creating: str) -> str:
    """Return the file of a state in which machines were being created."""
    operations = [
        {
            "type": "creating",
            "resource": {"urn": f"a::{name}", "type": MACHINE, "inputs": {"name": name, "folder": "plant"}},
        }
        for name in creating
    ]
    path = folder / "state.json"
    path.write_text(json.dumps({"version": 3, "deployment": {"resources": [], "pending_operations": operations}}))
    return str(path)


def test_healthy_machines(scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]) -> None:
    one = scene(machine("plant-a", 10), machine("plant-b", 11))
    assert one.run() == 0
    out = capsys.readouterr().out
    assert "plant-a: as it should be." in out
    assert "state is not at hand" in out
    assert (one.done, one.asked) == ([], [])


def test_a_machine_that_is_off_is_powered_on_when_one_agrees(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    one = scene(machine("plant-a", 10, power="poweredOff"), machine("plant-b", 11))
    assert one.run() == 3
    assert (one.done, one.asked) == ([], ["power on vcenter.example.com:plant-a?"])
    one.agrees = True
    assert one.run() == 0
    assert one.done == [f"on plant-a of {OWNER}"]
    assert "plant-a: done (power on)" in capsys.readouterr().out


def test_a_dry_run_asks_and_does_nothing(scene: Callable[..., Scene]) -> None:
    one = scene(machine("plant-a", 10, power="poweredOff"))
    assert one.run("--dry-run", "--yes") == 3
    assert (one.done, one.asked) == ([], [])


def test_an_unfinished_clone(scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]) -> None:
    one = scene(
        machine("plant-a", 10, extra={}, power="poweredOff"), machine("plant-b", 11, extra={}, power="poweredOff")
    )
    assert one.run("--yes", "--state", state(one.root, "plant-a")) == 3
    out = capsys.readouterr().out
    assert one.done == ["destroy plant-a"], "plant-b was not being made by the last run"
    assert "adopt:" not in out
    assert "plant-b is foreign" in out
    assert "pulumi refresh --clear-pending-creates --stack plant-dev" in out
    assert PASSWORD not in out


def test_a_site_without_machines(scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]) -> None:
    existing = {"plant-a": {"address": "10.200.0.11/24", "machine": "existing"}}
    one = scene(changes=[put("hosts", existing)])
    assert one.run() == 0
    assert "no host of this stack is a virtual machine" in capsys.readouterr().out


class Now:
    """What a machine is when the deed is about to be done."""

    def __init__(self, **over: Any) -> None:
        self.values = {
            "name": "plant-a", "runtime.powerState": "poweredOff", "config.template": False, "config.extraConfig": (),
            "parent": type("Folder", (), {"_moId": "group-v2"}), "recentTask": (), **over,
        }  # fmt: skip


def looking(monkeypatch: pytest.MonkeyPatch, now: Now | None) -> Session:
    """Return a session in which the machine is as `now` says; None when it is gone."""
    monkeypatch.setattr(deeds, "_look", lambda live, vm: now.values) if now else None
    started: list[str] = []
    monkeypatch.setattr(deeds, "_wait", lambda live, vm, start: started.append(vm.name))
    settings = object.__new__(Session)
    settings.where, settings.started = "vCenter x", started  # type: ignore[attr-defined]
    monkeypatch.setattr(deeds, "_busy", lambda live, now: bool(now["recentTask"]))
    return settings


def owned(by: str) -> Any:
    """Return the extra configuration of a machine of somebody."""
    return (type("Option", (), {"key": "edge-hosts.owner", "value": by}),)


@pytest.mark.parametrize(
    ("over", "why"),
    [
        ({"runtime.powerState": "poweredOn"}, "it is running now"),
        ({"runtime.powerState": "suspended"}, "it is running now"),
        ({"config.extraConfig": owned("x")}, "it has an owner now"),
        ({"name": "other"}, "it was moved or renamed"),
        ({"parent": type("Folder", (), {"_moId": "group-v1"})}, "it was moved or renamed"),
        ({"config.template": True}, "it is a template now"),
        ({"recentTask": (1,)}, "vCenter is still at work on it"),
    ],
)
def test_a_machine_that_changed_meanwhile_is_not_destroyed(
    monkeypatch: pytest.MonkeyPatch, over: dict[str, Any], why: str
) -> None:
    live = looking(monkeypatch, Now(**over))
    with pytest.raises(VcenterError, match=why):
        deeds.destroy(live, machine("plant-a", extra={}), OWNER)
    assert live.started == []  # type: ignore[attr-defined]


def test_the_deeds(monkeypatch: pytest.MonkeyPatch) -> None:
    live = looking(monkeypatch, Now())
    deeds.destroy(live, machine("plant-a", extra={}), OWNER)
    assert live.started == ["plant-a"]  # type: ignore[attr-defined]
    with pytest.raises(VcenterError, match="has an owner now"):
        deeds.destroy(live, machine("plant-a"), OWNER)
    with pytest.raises(VcenterError, match="not ours"):
        deeds.power_on(live, machine("plant-a"), OWNER)
    live = looking(monkeypatch, Now(**{"config.extraConfig": owned(OWNER)}))
    deeds.power_on(live, machine("plant-a"), OWNER)
    assert live.started == ["plant-a"]  # type: ignore[attr-defined]
    live = looking(monkeypatch, Now(**{"config.extraConfig": owned(OWNER), "runtime.powerState": "poweredOn"}))
    deeds.destroy(live, machine("plant-a"), OWNER)
    assert live.started == ["plant-a", "plant-a"], "the plug is pulled first"  # type: ignore[attr-defined]
    live = looking(monkeypatch, Now(**{"config.extraConfig": owned(OWNER), "runtime.powerState": "poweredOn"}))
    deeds.power_on(live, machine("plant-a"), OWNER)
    assert live.started == []  # type: ignore[attr-defined]
