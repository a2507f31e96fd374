"""`edgectl verify`: one connection per host, nothing written there, and one clear message for each way it can fail."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import asyncssh
import pytest

from edge import inspection, ssh
from edge.checks.catalogue import checks_at
from edgectl import app
from tests.scripts.test_checks_step import snapshot
from tests.unit.hosts_of_a_stack import NAMES, Stack, boots, stack, wishes
from tests.unit.image_stacks import PINNED, mixed
from tests.unit.palette_fake import KEY, FakePalette
from tests.unit.settings_helpers import load

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """Yield a stack of two good hosts."""
    with stack(tmp_path, monkeypatch) as running:
        yield running


def verify(plant: Stack, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    """Return exit code and stdout of a look at the stack."""
    code = app.main(plant.arguments("verify", *more))
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out


def failures(out: str) -> list[str]:
    """Return the lines about red checks."""
    return [line for line in out.splitlines() if line.startswith("fail ")]


def test_good_hosts_are_green_over_one_connection_each(plant: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = verify(plant, capsys)
    assert failures(out) == []
    assert code == 0
    assert [server.connections for server in plant.servers.values()] == [1, 1]
    data = json.loads((plant.root / "reports" / "plant-dev.json").read_text())
    assert (data["stack"], data["release"], data["red"]) == ("plant-dev", "r-1", False)
    assert [row["id"] for row in data["site"]] == [
        "palette.healthy",
        "palette.size",
        *(check.id for check in checks_at("across")),
    ]
    assert {row["status"] for row in data["site"] if row["id"].startswith("palette.")} == {"skip"}
    for name in NAMES:
        rows = [row["id"] for row in data["hosts"][name]["results"]]
        assert sorted(rows) == sorted(["control.login", *(check.id for check in checks_at("host"))])
        assert data["hosts"][name]["facts"]["machine_id"] == name[-1] * 32


@pytest.mark.row("A8")
def test_a_look_changes_nothing_on_the_hosts(plant: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    before = [snapshot(machine.root) for machine in plant.machines.values()]
    verify(plant, capsys)
    assert [snapshot(machine.root) for machine in plant.machines.values()] == before


def test_a_red_check_ends_with_3_and_names_host_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with stack(tmp_path, monkeypatch, plant_b={"commands": {"nproc": "1"}}) as plant:
        junit, copy = plant.root / "junit.xml", plant.root / "copy.json"
        code, out = verify(plant, capsys, "--junit", str(junit), "--json", str(copy))
    assert code == 3
    (line,) = failures(out)
    assert line.startswith(
        "fail plant-b host.cpu.minimum: The host has 2 CPUs: seen 1 CPUs, expected at least 2; fix: give"
    )
    assert ET.fromstring(junit.read_text()).get("failures") == "1"
    assert json.loads(copy.read_text()) == json.loads((plant.root / "reports" / "plant-dev.json").read_text())


def test_cloned_hosts_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with stack(tmp_path, monkeypatch, plant_b={"files": {"/etc/machine-id": "a" * 32}}) as plant:
        code, out = verify(plant, capsys)
    assert code == 3
    assert any("across.machineid" in line and "plant-a and plant-b share" in line for line in failures(out))


def test_two_names_for_one_machine_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with stack(tmp_path, monkeypatch, plant_b={"commands": {"cat": boots("a")}}) as plant:
        code, out = verify(plant, capsys)
    assert code == 3
    (line,) = failures(out)
    assert "across.machine:" in line
    assert "plant-a and plant-b share boot-a" in line


def test_a_look_at_one_host_is_no_report_of_the_stack(plant: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    verify(plant, capsys, "--host", "plant-b")
    assert [server.connections for server in plant.servers.values()] == [0, 1]
    assert [path.name for path in (plant.root / "reports").iterdir()] == ["plant-dev.part.json"]


def test_an_unknown_host_is_refused(plant: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(plant.arguments("verify", "--host", "plant-c")) == 5
    assert "plant-c: is no host of this stack. Remedy: name one of: plant-a, plant-b" in capsys.readouterr().err


def broken(plant: Stack, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line about plant-b, which must not keep plant-a from being looked at."""
    code, out = verify(plant, capsys)
    assert code == 5
    (line,) = failures(out)
    assert line.startswith("fail plant-b control.login: The program can log in and become root: seen ")
    assert "; fix: " in line
    data = json.loads((plant.root / "reports" / "plant-dev.json").read_text())
    assert data["red"] is True
    assert len(data["hosts"]["plant-a"]["results"]) > 100
    return line


@pytest.mark.row("A3")
def test_a_wrong_key(plant: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")
    plant.servers["plant-b"].wishes = wishes(other, plant.machines["plant-b"])
    assert "does not accept the login of user edge with this key" in broken(plant, capsys)


@pytest.mark.row("A3")
def test_a_wrong_host_key(plant: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    plant.ways[NAMES["plant-b"]] = plant.servers["plant-a"].port
    assert "shows another host key than the pinned one" in broken(plant, capsys)


def test_an_unreachable_host(plant: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        plant.ways[NAMES["plant-b"]] = free.getsockname()[1]
    assert "refuses connections" in broken(plant, capsys)


def test_a_silent_port(plant: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "Limits", lambda: ssh_limits(login=1.0))
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        plant.ways[NAMES["plant-b"]] = mute.getsockname()[1]
        start = time.monotonic()
        assert "stays silent" in broken(plant, capsys)
    assert time.monotonic() - start < 10


ssh_limits = ssh.Limits


def test_a_login_that_is_refused_while_the_machine_boots(plant: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    refuses = wishes(asyncssh.generate_private_key("ssh-ed25519"), plant.machines["plant-b"])
    refuses.banner = "System is booting up."
    plant.servers["plant-b"].wishes = refuses
    assert "(System is booting up.)" in broken(plant, capsys)


def test_sudo_that_asks_for_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with stack(tmp_path, monkeypatch, plant_b={"commands": {"id": "1000", "sudo": {"*": {"exit": 1}}}}) as plant:
        line = broken(plant, capsys)
    assert "user edge cannot become root: sudo asks for a password" in line
    assert "NOPASSWD" in line


def test_a_host_without_bash(plant: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    (plant.machines["plant-b"].bin / "bash").unlink()
    assert "there is no bash on it" in broken(plant, capsys)


def test_a_step_that_breaks_off(plant: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    plant.machines["plant-b"]._script("bash", "#!/bin/sh\necho 'bash: cannot allocate memory' >&2\nexit 3\n")
    assert "the checks ended with code 3: bash: cannot allocate memory" in broken(plant, capsys)


def test_a_step_without_its_report(plant: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    plant.machines["plant-b"]._script("bash", "#!/bin/sh\ncat >/dev/null\n")
    assert "the step checks ended without a report" in broken(plant, capsys)


def test_a_key_that_is_none(plant: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_HOSTS_SECRET_SSH_PRIVATE_KEY", "canary-no-key")
    code, out = verify(plant, capsys)
    assert code == 5
    assert "the private key (secret sshPrivateKey) cannot be read as a key" in out
    assert "canary" not in out


def test_a_secret_that_is_missing(
    plant: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGE_HOSTS_SECRET_SSH_PRIVATE_KEY")
    monkeypatch.setenv("PATH", "/nonexistent")
    code, out = verify(plant, capsys)
    assert code == 5
    assert "the secret sshPrivateKey was not found" in out


def test_a_report_that_cannot_be_written(plant: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    (plant.root / "file").write_text("")
    assert app.main([*plant.arguments("verify")[:-1], str(plant.root / "file")]) == 1
    assert "the report cannot be written" in capsys.readouterr().err


def test_verify_does_not_import_pulumi() -> None:
    """It would take longer to start than to look at the hosts."""
    script = (
        "import sys\nfrom edgectl.app import main\nimport edgectl.verify, edgectl.preflight\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('pulumi', 'pulumi_command', 'components')))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.row("A21", "B15")
def test_with_a_key_palette_is_asked_too(
    plant: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    palette = FakePalette()
    for name in NAMES:
        palette.add(name, labels={"edge-hosts-owner": "edge-hosts.plant-dev"}, state="ready")
    monkeypatch.setenv("SPECTROCLOUD_APIKEY", KEY)
    monkeypatch.setattr("edge.registration.access.client_for", lambda *_, **__: palette.client())
    assert verify(plant, capsys)[0] == 0
    palette.hosts["plant-b"]["status"]["health"]["state"] = "unhealthy"
    code, out = verify(plant, capsys)
    assert code == 3
    (line,) = failures(out)
    assert line.startswith("fail plant-b palette.healthy:")
    assert [server.connections for server in plant.servers.values()] == [2, 2], "the hosts are asked as before"
    assert verify(plant, capsys, "--no-palette")[0] == 0
    assert KEY not in out


@pytest.mark.row("B15")
def test_a_red_check_of_an_appliance_has_the_remedy_that_helps_there(tmp_path: Path) -> None:
    settings = load(tmp_path, mixed(), release=PINNED)
    row = {"id": "host.agent.running", "status": "fail", "seen": "x", "expected": "y"}
    for host, words in (("plant-b", "stylus-agent`"), ("plant-a", "")):
        text = {"schema": 1, "step": "checks", "host": host, "outcome": "red", "results": [row], "facts": {}}
        report = inspection._report(ssh.Output(0, json.dumps(text), "", 0.1), settings.host_view(host))
        assert words in report.results[0].remedy
        assert bool(report.results[0].remedy) == bool(words)
