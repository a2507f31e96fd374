"""The command `edgectl roll` with a script as `pulumi` on PATH: options, questions, and real kills."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from settings_helpers import ROOT, load, site

from edge.engine_cli import Ended
from edgectl import app

STACK = "plant-dev"

FAKE = '''\
#!PYTHON
"""A `pulumi` for tests: it keeps its stack in world.json, and kills who called it when it is told to."""
import json, os, signal, sys
from pathlib import Path
import yaml
home = Path(os.environ["FAKE_PULUMI"])
world = json.loads((home / "world.json").read_text())
words = sys.argv[1:]
world["calls"].append({"words": words, "go on": os.environ.get("PULUMI_CONTINUE_ON_ERROR")})
file = Path(words[words.index("--config-file") + 1] if "--config-file" in words else "Pulumi.plant-dev.yaml")
hosts = yaml.safe_load(file.read_text())["config"]["edge-hosts:site"]["hosts"]
def keep():
    (home / "world.json").write_text(json.dumps(world))
def end(moment):
    if world["kill"] == [words[0], len([one for one in world["calls"] if one["words"][0] == words[0]]), moment]:
        keep()
        os.kill(os.getppid(), signal.SIGKILL)
        sys.exit(1)
end("before")
if words[0] == "preview":
    steps = [{"op": "replace", "urn": "urn:pulumi:s::p::edge-hosts:index:EdgeHost$x::%s-vm" % name} for name, host in hosts.items()
             if host.get("generation", 1) != world["hosts"][name]["generation"]]
    print(json.dumps({"steps": steps}))
elif words[:2] == ["stack", "output"]:
    print(json.dumps({"hosts": world["hosts"]}))
elif words[:2] == ["stack", "history"]:
    print(json.dumps([{"kind": "update", "result": world["result"], "endTime": "2026-11-20T10:00:00Z"}]))
elif words[0] == "up":
    for name, host in hosts.items():
        generation = host.get("generation", 1)
        if generation != world["hosts"][name]["generation"]:
            world["made"].append("%s %s" % (name, generation))
            world["hosts"][name].update(generation=generation, epoch="e%s" % generation)
            print("%s: replaced" % name, flush=True)
keep()
end("after")
'''


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project of two existing machines, with a fake `pulumi` first on PATH."""
    load(tmp_path, site())
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "pulumi").write_text(FAKE.replace("PYTHON", sys.executable))
    (folder / "pulumi").chmod(0o755)
    now = {"generation": 1, "epoch": "e1", "state": "ready", "health": "healthy", "release": "r-1"}
    hosts = dict.fromkeys(site()["hosts"], now)
    world = {"hosts": hosts, "result": "succeeded", "made": [], "calls": [], "kill": None}
    (tmp_path / "world.json").write_text(json.dumps(world))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_PULUMI", str(tmp_path))
    monkeypatch.setenv("PULUMI_CONTINUE_ON_ERROR", "true")
    return tmp_path


def world_of(folder: Path) -> dict[str, Any]:
    world: dict[str, Any] = json.loads((folder / "world.json").read_text())
    return world


def run(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> tuple[int, str, str]:
    code = app.main(["roll", STACK, *words, "--root", str(folder)])
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.mark.row("A17")
def test_the_command_rolls_all_hosts(capsys: pytest.CaptureFixture[str], fake: Path) -> None:
    code, out, err = run(capsys, fake, "--all", "--yes")
    assert code == 0, err
    world = world_of(fake)
    assert world["made"] == ["plant-a 2", "plant-b 2"]
    ups = [call for call in world["calls"] if call["words"][0] == "up"]
    wanted = ["up", "--yes", "--skip-preview", "--suppress-outputs", "--parallel", "10", "--stack", STACK]
    assert [call["words"][:8] for call in ups] == [wanted] * 4
    assert {call["go on"] for call in ups} == {None}, "a roll never goes on after an error"
    assert "plant-a: replaced" in out and "plant-b: healthy at generation 2" in out


def test_a_dry_run_changes_nothing(capsys: pytest.CaptureFixture[str], fake: Path) -> None:
    before = (fake / f"Pulumi.{STACK}.yaml").read_bytes()
    code, out, _ = run(capsys, fake, "plant-a", "--dry-run")
    assert code == 0 and "generation 1 -> 2" in out and "Nothing was changed." in out
    assert (fake / f"Pulumi.{STACK}.yaml").read_bytes() == before
    assert "up" not in {call["words"][0] for call in world_of(fake)["calls"]}
    assert run(capsys, fake, "--resume")[0] == 9


def test_it_asks_before_it_begins(
    capsys: pytest.CaptureFixture[str], fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.confirm", lambda text, abort: (_ for _ in ()).throw(KeyboardInterrupt))
    before = (fake / f"Pulumi.{STACK}.yaml").read_bytes()
    assert run(capsys, fake, "plant-a")[0] == 130
    assert (fake / f"Pulumi.{STACK}.yaml").read_bytes() == before and world_of(fake)["made"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "either hosts or --all"),
        (["plant-a", "--all"], "either hosts or --all"),
        (["plant-x"], "is not under `hosts:`"),
        (["plant-a", "--resume"], "takes no choice"),
        (["--resume"], "no roll of it was begun"),
    ],
)
def test_choices_that_are_none(capsys: pytest.CaptureFixture[str], fake: Path, words: list[str], said: str) -> None:
    code, _, err = run(capsys, fake, *words)
    assert (code, said in err) == (9, True), err


def test_nothing_is_outdated(capsys: pytest.CaptureFixture[str], fake: Path) -> None:
    code, out, _ = run(capsys, fake, "--all", "--only-outdated", "--yes")
    assert code == 0 and "nothing to roll" in out and world_of(fake)["made"] == []


def test_two_rolls_at_once_are_refused(capsys: pytest.CaptureFixture[str], fake: Path) -> None:
    (fake / ".edge" / "rolls").mkdir(parents=True)
    with (fake / ".edge" / "rolls" / f"{STACK}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        code, _, err = run(capsys, fake, "plant-a", "--yes")
    assert code == 9 and "another roll of it is at work" in err


def test_ctrl_c_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: Any, **_: Any) -> Ended:
        raise KeyboardInterrupt

    monkeypatch.setattr("edge.engine_cli.EngineCli.up", stop)
    code, out, _ = run(capsys, fake, "plant-a", "--yes")
    assert code == 130 and f"python -m edgectl roll {STACK} --resume" in out
    monkeypatch.undo()


def test_without_a_cli_there_is_one_clear_error(
    capsys: pytest.CaptureFixture[str], fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(fake))
    code, _, err = run(capsys, fake, "plant-a", "--yes")
    assert code == 6 and "no `pulumi` on PATH" in err


@pytest.mark.row("A17", "A21")
@pytest.mark.parametrize("kill", [("preview", 1, "after"), ("up", 1, "before"), ("up", 1, "after"), ("up", 3, "after")])
def test_sigkill_and_resume(fake: Path, kill: tuple[str, int, str]) -> None:
    (fake / "world.json").write_text(json.dumps({**world_of(fake), "kill": kill}))
    words = [sys.executable, "-m", "edgectl", "roll", STACK, "--root", str(fake), "--yes"]
    done = subprocess.run([*words, "--all"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    further = ["--resume"] if (fake / ".edge" / "rolls" / f"{STACK}.json").exists() else ["--all"]
    done = subprocess.run([*words, *further], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert world_of(fake)["made"] == ["plant-a 2", "plant-b 2"]
    hosts = yaml.safe_load((fake / f"Pulumi.{STACK}.yaml").read_text())["config"]["edge-hosts:site"]["hosts"]
    assert [(host["generation"], host.get("state")) for host in hosts.values()] == [(2, None), (2, None)]
