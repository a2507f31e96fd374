"""The package repository: an apt repository made of a folder of `.deb` files, with Python and `dpkg-deb` only.

It has the suite with all packages, and the suites `SUITE-updates` and `SUITE-security`, which are empty. It is unsigned
(sources say `trusted=yes`). An unchanged folder gives unchanged files, so that apt sees a hit and not a new index.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from email.utils import formatdate
from pathlib import Path

from edge.errors import LabError
from lab.services.config import deb_architecture

EMPTY_SUITES = ("updates", "security")


@dataclass(frozen=True)
class Deb:
    """One package file, and what the index says of it."""

    file: str
    size: int
    modified: int
    sha256: str
    control: str
    architecture: str
    pool: str

    def stanza(self) -> str:
        """Return the package's paragraph of the index."""
        return f"{self.control}\nFilename: {self.pool}\nSize: {self.size}\nSHA256: {self.sha256}\n"


class PackageIndex:
    """The files of the repository under `out`; `build` makes them anew where the folder has changed."""

    def __init__(self, debs_dir: Path, out: Path, suite: str) -> None:
        self.suite = suite
        self._debs_dir = debs_dir
        self._out = out
        self._seen = -1
        self.pool: dict[str, Path] = {}

    @property
    def count(self) -> int:
        """Return how many package files are offered."""
        return len(self.pool)

    def dists(self, relative: str) -> Path | None:
        """Return the file of a path below `dists/`, or None."""
        path = (self._out / "dists" / relative).resolve()
        inside = path.is_relative_to((self._out / "dists").resolve())
        return path if inside and path.is_file() else None

    def stale(self) -> bool:
        """Return whether package files came or went since the last build."""
        return self._debs_dir.is_dir() and self._debs_dir.stat().st_mtime_ns != self._seen

    def build(self) -> None:
        """Read new package files and write the index. Raises LabError for a broken package file."""
        self._debs_dir.mkdir(parents=True, exist_ok=True)
        self._out.mkdir(parents=True, exist_ok=True)
        seen = self._debs_dir.stat().st_mtime_ns
        cache_file = self._out / "cache.json"
        cached = _read_cache(cache_file)
        files = sorted(self._debs_dir.glob("*.deb"))
        with ThreadPoolExecutor(2) as pool:
            debs = list(pool.map(lambda path: _examine(path, cached.get(path.name)), files))
        _replace(cache_file, json.dumps([asdict(deb) for deb in debs]).encode())
        self.pool = {deb.pool: self._debs_dir / deb.file for deb in debs}
        architectures = sorted({deb.architecture for deb in debs} - {"all"} | {deb_architecture()})
        self._write_suite(self.suite, debs, architectures)
        for name in EMPTY_SUITES:
            self._write_suite(f"{self.suite}-{name}", [], architectures)
        self._seen = seen

    def _write_suite(self, suite: str, debs: list[Deb], architectures: list[str]) -> None:
        folder = self._out / "dists" / suite
        sums = []
        for architecture in architectures:
            chosen = [deb for deb in debs if deb.architecture in (architecture, "all")]
            text = "\n".join(deb.stanza() for deb in chosen).encode()
            for name, content in (("Packages", text), ("Packages.gz", gzip.compress(text, mtime=0))):
                relative = f"main/binary-{architecture}/{name}"
                _replace(folder / relative, content)
                sums.append(f" {hashlib.sha256(content).hexdigest()} {len(content)} {relative}")
        release = folder / "Release"
        lines = ["Origin: edge-hosts lab", "Label: edge-hosts lab", f"Suite: {suite}", f"Codename: {suite}"]
        lines += [f"Architectures: {' '.join(architectures)}", "Components: main", "SHA256:", *sums, ""]
        body = "\n".join(lines)
        if not release.exists() or release.read_text("utf-8").partition("\n")[2] != body:
            _replace(release, f"Date: {formatdate(time.time(), usegmt=True)}\n{body}".encode())


def _examine(path: Path, known: Deb | None) -> Deb:
    stat = path.stat()
    if known is not None and (known.size, known.modified) == (stat.st_size, stat.st_mtime_ns):
        return known
    done = subprocess.run(["dpkg-deb", "-f", str(path)], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise LabError(
            f"{path} is no Debian package: {done.stderr.strip()}", remedy="delete the file and run the lab again."
        )
    fields = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line and not line.startswith(" "))
    version = fields["Version"].partition(":")[2] or fields["Version"]
    pool = f"pool/{fields['Package']}_{version}_{fields['Architecture']}.deb"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    control = done.stdout.strip("\n")
    return Deb(path.name, stat.st_size, stat.st_mtime_ns, digest, control, fields["Architecture"], pool)


def _read_cache(path: Path) -> dict[str, Deb]:
    try:
        return {entry["file"]: Deb(**entry) for entry in json.loads(path.read_text("utf-8"))}
    except (OSError, ValueError, TypeError):
        return {}


def _replace(path: Path, content: bytes) -> None:
    """Write a file at once, and only when it changes: its time tells clients whether there is something new."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content)
    temporary.replace(path)
