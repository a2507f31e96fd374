"""The command line itself, and `edgectl check`."""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from settings_helpers import ROOT, SITE, STACKS, project, put, site

from edge.settings.locate import Locator
from edgectl import app
from edgectl.check import finding_table, ordered


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run one command of edgectl and return its exit code, stdout and stderr."""
    code = app.main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# The command line


def test_help_names_every_command_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for name, (_, words) in app.COMMANDS.items():
        assert name in out
        assert words.split()[0] in out
    script = "import sys; from edgectl.app import main; main(['--help']); print([m for m in sys.modules if m.startswith('edge')])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]
    assert "edgectl.check" not in loaded
    assert "edge.settings" not in loaded


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command_has_its_module_with_a_function_or_a_group(name: str) -> None:
    module = importlib.import_module(app.COMMANDS[name][0])
    if not hasattr(module, "group"):
        assert inspect.getdoc(module.command)
        return
    assert module.group.info.help
    assert module.group.registered_commands
    for one in module.group.registered_commands:
        assert one.callback and inspect.getdoc(one.callback)


def test_an_unknown_command_and_option_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "chekc", "dev")
    assert code == 2
    assert "No such command" in err
    code, _, err = run(capsys, "check", "dev", "--colour")
    assert code == 2
    assert "--colour" in err


def test_without_arguments_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    code = app.main([])
    captured = capsys.readouterr()
    assert code in (0, 2)
    assert "promote" in captured.out + captured.err


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgectl", "check", "nothing"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Pulumi.nothing.yaml" in done.stdout


def test_check_does_not_import_pulumi() -> None:
    script = "import sys; from edgectl.app import main; main(['check', 'dev']); sys.exit('pulumi' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True)


# check


@pytest.mark.parametrize("stack", STACKS)
def test_a_committed_stack_is_valid(capsys: pytest.CaptureFixture[str], stack: str) -> None:
    code, out, _ = run(capsys, "check", stack, "--root", str(ROOT))
    assert code == 0
    assert f"{stack}: valid (site " in out
    assert "registrationToken" in out
    assert "pulumi config set --secret registrationToken" in out
    assert "SPECTROCLOUD_APIKEY" in out


@pytest.mark.row("A9")
def test_the_lab_says_its_override_in_every_check(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "check", "lab", "--root", str(ROOT))
    assert "warning: site.acceptOs (line " in out
    assert "debian-12" in out


def test_everything_to_correct_is_said_with_line_and_remedy(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    raw = site(
        put("hosts.plant-b.address", "10.200.0.11"), put("network.kubernetesVersion", 1.3), put("heathyTimeout", "5m")
    )
    project(tmp_path, raw)
    code, out, _ = run(capsys, "check", "plant-dev", "--root", str(tmp_path))
    assert code == 2
    lines = [line for line in out.splitlines() if line.startswith("error: ")]
    assert len(lines) == 3
    assert any("site.hosts.plant-b.address (line " in line and "plant-a" in line for line in lines)
    assert any('Put it in quotes, exactly as it should be: "1.3".' in line for line in lines)
    assert any("Did you mean `healthyTimeout`?" in line for line in lines)
    assert "plant-dev: 3 to correct" in out


def test_secrets_in_the_file_are_told_apart(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    project(tmp_path, SITE, **{"edge-hosts__registrationToken": {"secure": "v1:abc:def"}})
    _, out, _ = run(capsys, "check", "plant-dev", "--root", str(tmp_path))
    rows = {line.split()[0]: line for line in out.splitlines() if "pulumi config set" in line}
    assert "not in the file" not in rows["registrationToken"]
    assert "not in the file" in rows["sshPrivateKey"]


def test_the_result_for_a_program(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    project(tmp_path, site(put("colour", "red")))
    code, out, _ = run(capsys, "check", "plant-dev", "--root", str(tmp_path), "--json")
    data = json.loads(out)
    assert code == 2
    assert data["valid"] is False
    assert data["findings"][0]["where"] == "site.colour"
    code, out, _ = run(capsys, "check", "prod", "--root", str(ROOT), "--json")
    assert code == 0
    assert "registrationToken" in json.loads(out)["secrets"]


def test_another_stack_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = project(tmp_path, SITE).rename(tmp_path / "elsewhere.yaml")
    code, out, _ = run(capsys, "check", "plant-dev", "--root", str(tmp_path), "--stack-file", str(path))
    assert (code, "plant-dev: valid" in out) == (0, True)


def test_square_brackets_of_a_finding_are_shown_as_they_are(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    project(tmp_path, site(put("network.vpcCidrs", ["10.100.0.1/16"])))
    _, out, _ = run(capsys, "check", "plant-dev", "--root", str(tmp_path))
    assert "site.network.vpcCidrs[0]" in out


def test_a_person_at_a_terminal_gets_a_table_errors_first(tmp_path: Path) -> None:
    from edge.errors import SettingsError
    from edge.settings import load_stack

    project(tmp_path, site(put("hosts.plant-b.address", "10.200.0.11"), put("colour", "red")))
    with pytest.raises(SettingsError) as caught:
        load_stack("plant-dev", tmp_path)
    findings = caught.value.findings
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(finding_table(findings, Locator.of("plant-dev", tmp_path)))
    console.file.close()
    text = console.export_text()
    assert "where" in text.splitlines()[0]
    assert "site.hosts.plant-b.address" in text
    assert [one.level for one in ordered(findings)] == sorted(one.level for one in findings)
