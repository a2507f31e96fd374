"""The package repository, asked by the real apt-get in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from service_stand import PORTS, Stand, make_deb

from edge.errors import LabError
from lab.services.packages import PackageIndex

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="there is no apt-get here")


class Apt:
    """An apt with the lab's repository as its only source, behind the proxy, that keeps everything in one folder."""

    def __init__(self, root: Path, stand: Stand) -> None:
        self.root = root
        for name in ("state/lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d"):
            (root / name).mkdir(parents=True)
        (root / "state/status").touch()
        base = "deb [trusted=yes] http://packages.lab.internal/debian"
        (root / "etc/sources.list").write_text(f"{base} bookworm main\n{base} bookworm-updates main\n")
        conf = [f'Dir "{root}";', 'Dir::State "state";', 'Dir::State::status "state/status";', 'Dir::Cache "cache";']
        conf += ['Dir::Etc "etc";', 'Dir::Log "log";', 'Acquire::Languages "none";', 'Acquire::Retries "0";']
        conf += ['APT::Sandbox::User "root";', 'Debug::NoLocking "true";']
        way = f"http://site:p%40ss@{stand.config.gateway_ip}:{PORTS.proxy}"
        conf.append(f'Acquire::http::Proxy "{way}";')
        self._conf = root / "apt.conf"
        self._conf.write_text("\n".join(conf) + "\n")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run apt-get."""
        plain = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
        environment = plain | {"APT_CONFIG": str(self._conf), "LC_ALL": "C"}
        return subprocess.run(
            ["apt-get", *arguments], capture_output=True, text=True, check=False, timeout=60, env=environment,
            cwd=self.root,
        )  # fmt: skip


def fetch(stand: Stand, path: str) -> httpx.Response:
    """Ask the repository for a file."""
    url = f"http://{stand.config.services_ip}:{PORTS.http}/debian/{path}"
    return httpx.get(url, headers={"Host": "packages.lab.internal"}, trust_env=False)


@pytest.mark.row("A8")
def test_apt_updates_and_downloads(stand: Stand, tmp_path: Path) -> None:
    """apt-get update is clean, a second one only hits, and a package with an odd version arrives whole."""
    apt = Apt(tmp_path, stand)
    first = apt.run("update")
    assert first.returncode == 0, first.stderr
    assert "W:" not in first.stderr and "E:" not in first.stderr, first.stderr
    second = apt.run("update")
    assert second.stdout.count("Hit:") == 2, second.stdout
    got = apt.run("download", "hello")
    assert got.returncode == 0, got.stderr
    assert [path.name for path in tmp_path.glob("*.deb")] == ["hello_1%3a2.3+lab~1_all.deb"]


@pytest.mark.row("A8")
def test_half_a_repository_ends_with_0(stand: Stand, tmp_path: Path) -> None:
    """The trap: with one suite down apt-get update ends 0 and only warns."""
    apt = Apt(tmp_path, stand)
    assert apt.run("update").returncode == 0
    stand.fault("repo-half-down")
    half = apt.run("update")
    assert half.returncode == 0, half.stderr
    assert "W: Failed to fetch" in half.stderr and "503" in half.stderr, half.stderr


@pytest.mark.row("A8")
def test_a_repository_that_is_down(stand: Stand, tmp_path: Path) -> None:
    """Nothing can be had from a repository that is down."""
    stand.fault("repo-down")
    down = Apt(tmp_path, stand).run("update")
    assert "W:" in down.stderr or "E:" in down.stderr, down.stderr
    with pytest.raises(httpx.HTTPError):
        fetch(stand, "dists/bookworm/Release")


def test_a_new_package_appears(stand: Stand) -> None:
    """A package file that comes later is in the next index; nothing else changes the index."""
    before = fetch(stand, "dists/bookworm/Release")
    again = fetch(stand, "dists/bookworm/Release")
    assert (before.text, before.headers["Last-Modified"]) == (again.text, again.headers["Last-Modified"])
    make_deb(stand.config.debs_dir, "later", "2")
    fetch(stand, "dists/bookworm/Release")
    assert "Package: later" in fetch(stand, "dists/bookworm/main/binary-amd64/Packages").text
    assert "Package" not in fetch(stand, "dists/bookworm-updates/main/binary-amd64/Packages").text


def test_there_is_no_way_out_of_the_folder(stand: Stand) -> None:
    """A path with dots finds nothing."""
    assert fetch(stand, "dists/%2e%2e/%2e%2e/palette.json").status_code == 404
    assert fetch(stand, "pool/../../palette.json").status_code == 404


def test_index_is_cached_and_broken_files_are_named(tmp_path: Path) -> None:
    """Only new files are read; a broken one is an error with its path."""
    debs = tmp_path / "debs"
    debs.mkdir()
    make_deb(debs, "one")
    PackageIndex(debs, tmp_path / "out", "bookworm").build()
    stamp = (tmp_path / "out/dists/bookworm/Release").stat().st_mtime_ns
    index = PackageIndex(debs, tmp_path / "out", "bookworm")
    index.build()
    assert index.count == 1
    assert (tmp_path / "out/dists/bookworm/Release").stat().st_mtime_ns == stamp
    (debs / "broken_1_all.deb").write_text("no package")
    with pytest.raises(LabError, match="broken_1_all"):
        index.build()
