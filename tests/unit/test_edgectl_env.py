"""`edgectl env`: lines for a shell, and only those, on stdout; the bundle of trusted certificates beside it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from edgectl import app, env
from tests.unit.settings_helpers import put
from tests.unit.vcenter_samples import settings_of
from tests.unit.vcenter_server import serving, sha256, signed

HERE = "127.0.0.1"


def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Run the command and return its exit code and what it printed."""
    code = app.main(["env", "plant-dev", "--root", str(folder)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_a_pinned_vcenter_gives_lines_that_a_shell_can_evaluate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    folder = tmp_path / "a folder's name"
    folder.mkdir()
    own = signed(HERE)
    with serving(tmp_path, own) as server:
        settings_of(folder, put("vcenters.main", _vcenter(server, thumbprint=sha256(own))))
        code, out, err = run(folder, capsys)
    assert (code, err) == (0, "")
    shown = 'printf "%s|%s|%s" "$SSL_CERT_FILE" "$PULUMI_CONTINUE_ON_ERROR" "$PULUMI_PARALLEL"'
    done = subprocess.run(["sh", "-c", f"{out}{shown}"], capture_output=True, text=True, check=True, env={})
    bundle = folder / ".edge" / "trust" / "plant-dev.pem"
    assert done.stdout == f"{bundle}|true|10"
    assert own.certificate.strip() in bundle.read_text()


def test_a_wrong_pin_ends_with_an_error_and_prints_nothing_to_evaluate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path, signed(HERE)) as server:
        settings_of(tmp_path, put("vcenters.main", _vcenter(server, thumbprint="ab" * 32)))
        code, out, err = run(tmp_path, capsys)
    assert (code, out) == (10, "")
    assert "shows another certificate than the pinned one" in err


def test_a_public_certificate_needs_no_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_of(tmp_path)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    code, out, _ = run(tmp_path, capsys)
    assert (code, out) == (0, "export PULUMI_CONTINUE_ON_ERROR=true\nexport PULUMI_PARALLEL=10\n")
    left = env.lines(settings, None, "/work/.edge/trust/other.pem")
    assert left[0] == "unset SSL_CERT_FILE", "the bundle of another stack"
    assert env.lines(settings, None, "/etc/ssl/corporate.pem")[0].startswith("export PULUMI"), "a person's own choice"


def _vcenter(server: str, **more: str) -> dict[str, Any]:
    return {"server": server, "user": "edge@vsphere.local", **more}


@pytest.mark.parametrize(("hosts", "slots"), [(1, 9), (12, 20), (80, 64)])
def test_slots_of_the_engine(tmp_path: Path, hosts: int, slots: int) -> None:
    many = {f"plant-{at}": {"address": f"10.200.0.{20 + at}/24"} for at in range(hosts)}
    assert env.parallel(settings_of(tmp_path, put("hosts", many))) == slots
