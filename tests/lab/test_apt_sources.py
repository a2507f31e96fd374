"""Where the lab's packages come from is read from this machine's apt, in both of its notations."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import LabError
from lab import apt
from lab.apt import distribution_source, family, os_release

BOOKWORM = {"ID": "debian", "VERSION_CODENAME": "bookworm"}
NOBLE = {"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_CODENAME": "noble", "UBUNTU_CODENAME": "noble"}
DEB822 = """\
# a comment
Types: deb deb-src
URIs: http://mirror.example/debian http://second.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: {keyring}

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "archive.gpg"
    path.touch()
    monkeypatch.setattr(apt, "KEYRINGS", {"debian": path, "ubuntu": path})
    return path


def test_deb822(folder: Path, keyring: Path) -> None:
    (folder / "sources.list.d" / "debian.sources").write_text(DEB822.format(keyring=keyring), "utf-8")
    source = distribution_source(folder, BOOKWORM)
    assert (source.mirror, source.suite) == ("http://mirror.example/debian", "bookworm")
    assert source.components == ("main", "contrib")
    assert source.keyring == keyring
    assert source.line() == f"deb [signed-by={keyring}] http://mirror.example/debian bookworm main contrib\n"


def test_one_line(folder: Path, keyring: Path) -> None:
    (folder / "sources.list").write_text(
        "deb cdrom:[Debian]/ bookworm main\n"
        "# deb http://off.example/debian bookworm main\n"
        "deb http://security.example/debian-security bookworm-security main\n"
        f"deb [arch=amd64 signed-by={keyring}] https://mirror.example/debian bookworm main non-free # near\n",
        "utf-8",
    )
    source = distribution_source(folder, BOOKWORM)
    assert (source.mirror, source.components) == ("https://mirror.example/debian", ("main", "non-free"))


def test_foreign_repositories_are_left_out(folder: Path, keyring: Path) -> None:
    (folder / "sources.list.d" / "a.list").write_text("deb https://vendor.example/apt stable main\n", "utf-8")
    (folder / "sources.list.d" / "b.sources").write_text(
        "Types: deb\nURIs: http://archive.ubuntu.com/ubuntu\nSuites: noble noble-updates\nComponents: main universe\n",
        "utf-8",
    )
    assert distribution_source(folder, NOBLE).mirror == "http://archive.ubuntu.com/ubuntu"


def test_an_inline_key_gives_way_to_the_archives_keyring(folder: Path, keyring: Path) -> None:
    (folder / "sources.list.d" / "ubuntu.sources").write_text(
        "Types: deb\nURIs: http://archive.ubuntu.com/ubuntu\nSuites: noble\nComponents: main\n"
        "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBFzZ\n -----END PGP PUBLIC KEY BLOCK-----\n",
        "utf-8",
    )
    assert distribution_source(folder, NOBLE).keyring == keyring


def test_a_disabled_source_and_one_that_is_only_for_sources_do_not_count(folder: Path, keyring: Path) -> None:
    (folder / "sources.list.d" / "a.sources").write_text(
        "Types: deb\nEnabled: no\nURIs: http://off.example\nSuites: bookworm\nComponents: main\n\n"
        "Types: deb-src\nURIs: http://src.example\nSuites: bookworm\nComponents: main\n",
        "utf-8",
    )
    with pytest.raises(LabError, match="no http or https source with the suite bookworm") as caught:
        distribution_source(folder, BOOKWORM)
    assert "deb http://" in caught.value.remedy


def test_a_trusted_source_needs_no_keyring(folder: Path) -> None:
    (folder / "sources.list").write_text("deb [trusted=yes] http://mirror.example/debian bookworm main\n", "utf-8")
    source = distribution_source(folder, BOOKWORM)
    assert source.trusted
    assert source.keyring is None


def test_a_missing_keyring_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "KEYRINGS", {"debian": folder / "none.gpg"})
    (folder / "sources.list").write_text("deb http://mirror.example/debian bookworm main\n", "utf-8")
    with pytest.raises(LabError, match=r"none\.gpg is missing"):
        distribution_source(folder, BOOKWORM)


def test_derivatives_belong_to_a_family(tmp_path: Path) -> None:
    path = tmp_path / "os-release"
    path.write_text('ID=linuxmint\nID_LIKE="ubuntu debian"\n# x=y\nUBUNTU_CODENAME=noble\n', "utf-8")
    release = os_release(path)
    assert family(release) == "ubuntu"
    assert family({"ID": "fedora"}) == ""
    assert os_release(tmp_path / "none") == {}
