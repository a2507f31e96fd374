"""The download server and the image registry."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml
from service_stand import Stand

from lab.services import vendor

BASE = "/spectrocloud/agent-mode/releases"
SCRIPT = f"{BASE}/download/v4.9.38/palette-agent-install.sh"
BINARY = f"{BASE}/download/v4.9.38/palette-agent-linux-amd64"


def follow(stand: Stand, path: str) -> bytes:
    """Download as a client that follows redirects."""
    answer = stand.get("github.com", path)
    while answer.status_code == 302:
        host, _, rest = answer.headers["Location"].removeprefix("https://").partition("/")
        answer = stand.get(host, f"/{rest}")
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.mark.row("A18")
@pytest.mark.parametrize("name", vendor.asset_names())
def test_release_files_come_by_a_redirect(stand: Stand, name: str) -> None:
    """Every file is on the release's host of assets, with the checksum that a release pins."""
    path = f"{BASE}/download/v4.9.38/{name}"
    assert stand.get("github.com", path, method="HEAD").status_code == 302
    assert hashlib.sha256(follow(stand, path)).hexdigest() == vendor.digest("4.9.38", name)


@pytest.mark.row("A18")
def test_latest_is_the_current_version(stand: Stand) -> None:
    """`latest` leads to the version that Palette recommends."""
    current = vendor.asset("4.9.38", "palette-agent-install.sh")
    assert follow(stand, f"{BASE}/latest/download/palette-agent-install.sh") == current


@pytest.mark.row("A18")
def test_versions_and_flavours_differ() -> None:
    """No two files are the same, so that a wrong one cannot pass a checksum."""
    digests = {vendor.digest(version, name) for version in vendor.VERSIONS for name in vendor.asset_names()}
    assert len(digests) == len(vendor.VERSIONS) * len(vendor.asset_names())


@pytest.mark.row("A18")
@pytest.mark.parametrize("path", [f"{BASE}/download/v9.9.9/palette-agent-install.sh", "/spectrocloud/agent-mode"])
def test_a_missing_file_is_a_page(stand: Stand, path: str) -> None:
    """A missing file is 404 with HTML."""
    answer = stand.get("github.com", path)
    assert answer.status_code == 404
    assert "<html>" in answer.text


@pytest.mark.row("A18")
def test_faults_of_the_script(stand: Stand) -> None:
    """The script can be missing, an HTML page, or damaged; the binary is not touched by that."""
    stand.fault("installer-404")
    assert stand.get("github.com", SCRIPT).status_code == 404
    stand.fault("installer-404", on=False)
    stand.fault("installer-html")
    assert follow(stand, SCRIPT).startswith(b"<!DOCTYPE html>")
    stand.fault("installer-html", on=False)
    stand.fault("installer-corrupt")
    good = vendor.asset("4.9.38", "palette-agent-install.sh")
    assert good is not None
    damaged = follow(stand, SCRIPT)
    assert sum(one != other for one, other in zip(damaged, good, strict=True)) == 1
    assert hashlib.sha256(follow(stand, BINARY)).hexdigest() == vendor.digest("4.9.38", "palette-agent-linux-amd64")


@pytest.mark.row("A18")
def test_faults_of_the_binary(stand: Stand) -> None:
    """The binary can be missing or damaged while the script is good."""
    stand.fault("binary-corrupt")
    assert hashlib.sha256(follow(stand, BINARY)).hexdigest() != vendor.digest("4.9.38", "palette-agent-linux-amd64")
    stand.fault("binary-404")
    assert stand.get("github.com", BINARY).status_code == 404
    assert follow(stand, SCRIPT) == vendor.asset("4.9.38", "palette-agent-install.sh")


def test_the_payload_depends_on_the_fault(stand: Stand) -> None:
    """The registry hands out a payload whose setup dies, for one client only."""
    path = "/v2/palette-images/edge/stylus-agent-mode-linux-amd64"

    def digest() -> str:
        return str(stand.get("us-docker.pkg.dev", f"{path}/manifests/v4.9.38").json()["layers"][0]["digest"])

    good = digest()
    blob = stand.get("us-docker.pkg.dev", f"{path}/blobs/{good}").content
    assert f"sha256:{hashlib.sha256(blob).hexdigest()}" == good
    stand.fault("agent-crash", "10.0.0.99")
    assert digest() == good
    stand.fault("agent-crash", "machine")
    crash = digest()
    assert crash != good
    stand.fault("agent-crash", "machine", on=False)
    stand.fault("agent-fails", str(stand.services.requests("images")[-1]["client"]))
    assert digest() not in (good, crash)
    assert stand.get("us-docker.pkg.dev", f"{path}/manifests/v0").status_code == 404


def test_downloads_can_be_counted(stand: Stand) -> None:
    """The log tells scripts and binaries from redirects and from probes that only ask for the head."""
    before = len(stand.services.requests("downloads"))
    asset = "/github-production-release-asset/v4.9.38/palette-agent-install.sh"
    assert stand.get("objects.githubusercontent.com", asset, method="HEAD").status_code == 200
    follow(stand, SCRIPT)
    follow(stand, BINARY)
    kinds = [entry["kind"] for entry in stand.services.requests("downloads")[before:]]
    assert kinds == ["probe", "redirect", "script", "redirect", "binary"]


@pytest.mark.row("A18")
def test_the_labs_release_pins_these_files(root: Path) -> None:
    """The committed release of the lab has the checksums of installer and agent as they are now."""
    agent = yaml.safe_load((root / "releases/lab-1.yaml").read_text())["agent"]
    pinned = {
        "palette-agent-install.sh": agent["script"]["sha256"],
        "palette-agent-linux-amd64": agent["binary"]["amd64"]["sha256"],
        "palette-agent-linux-arm64": agent["binary"]["arm64"]["sha256"],
    }
    assert pinned == {name: vendor.digest(agent["version"], name) for name in pinned}, (
        "write the files with `python -m lab.services VERSION FOLDER` and pin them with `python -m edge.releases pin`"
    )


def test_checksums_are_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The command shows what a release file pins, writes the files, and refuses versions that do not exist."""
    assert vendor.main(["4.9.37", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == set(vendor.asset_names())
    assert vendor.digest("4.9.37", "palette-agent-linux-arm64") in capsys.readouterr().out
    assert vendor.main(["1.0.0"]) == 2
