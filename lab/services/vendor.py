"""The files that the lab's download server and image registry offer, made of the texts in `lab/vendor`.

The installer and the agent are the lab's own; they keep the documented contract of the vendor's (variables, exit codes,
files, units, reboot). The agent of a version is one text, put together from `agent/*.sh`, so its checksum is fixed.

`python -m lab.services [VERSION [FOLDER]]` prints the checksums that a release file pins, and writes the files.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tarfile
from functools import cache
from pathlib import Path
from typing import Literal

from lab.services.config import DEFAULT_VERSION

VENDOR = Path(__file__).resolve().parent.parent / "vendor"
VERSIONS = ("4.9.37", DEFAULT_VERSION, "4.9.39")
"""The published versions: the current one, the one before, and one to upgrade to."""
ARCHITECTURES = ("amd64", "arm64")

Behaviour = Literal["good", "crash", "fails", "no-reboot"]
BEHAVIOURS: tuple[Behaviour, ...] = ("good", "crash", "fails", "no-reboot")

# What the payload's setup does, run by the agent in the middle of an install. This is how the lab makes an installer
# die or misbehave although script and binary are those whose checksums are pinned.
_SETUP: dict[Behaviour, str] = {
    "good": 'echo "payload is complete"\n',
    "crash": 'echo "the machine pulls the rug from under the installer"\nkill -KILL "$PPID"\n',
    "fails": 'echo "cannot unpack the payload: no space left on device" >&2\nexit 1\n',
    "no-reboot": 'echo "payload asks for no reboot"\necho NO_REBOOT=1 >"$STYLUS_HOME/state/setup.env"\n',
}


def asset_names() -> tuple[str, ...]:
    """Return the file names of one version on the download server."""
    binaries = [f"palette-agent{fips}-linux-{arch}" for fips in ("", "-fips") for arch in ARCHITECTURES]
    return ("palette-agent-install.sh", "palette-agent-install-fips.sh", *binaries)


@cache
def asset(version: str, name: str) -> bytes | None:
    """Return the content of a file of a version, or None when it does not exist."""
    if version not in VERSIONS or name not in asset_names():
        return None
    fips = "-fips" in name
    if name.startswith("palette-agent-install"):
        text = (VENDOR / "palette-agent-install.sh").read_text("utf-8")
        return _filled(text, version, fips, "").encode()
    parts = [path.read_text("utf-8") for path in sorted((VENDOR / "agent").glob("*.sh"))]
    return _filled("\n".join(parts), version, fips, name.rsplit("-", 1)[1]).encode()


def digest(version: str, name: str) -> str:
    """Return the sha256 of a file of a version. Raises KeyError when it does not exist."""
    content = asset(version, name)
    if content is None:
        raise KeyError(f"{version}/{name}")
    return hashlib.sha256(content).hexdigest()


@cache
def layer(version: str, arch: str, behaviour: Behaviour) -> bytes:
    """Return the only layer of the payload image: a small archive, the same bytes each time."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in (("VERSION", f"v{version}\n"), ("ARCH", f"{arch}\n"), ("setup.sh", _SETUP[behaviour])):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(archive.getvalue(), mtime=0)


def manifest(version: str, arch: str, behaviour: Behaviour) -> bytes:
    """Return the manifest of the payload image as JSON."""
    content = layer(version, arch, behaviour)
    kind = "application/vnd.oci.image.layer.v1.tar+gzip"
    described = {"mediaType": kind, "size": len(content), "digest": f"sha256:{hashlib.sha256(content).hexdigest()}"}
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": _EMPTY_CONFIG}
    top = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": [described]}
    return json.dumps(top).encode()


MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_EMPTY_CONFIG = f"sha256:{hashlib.sha256(b'{}').hexdigest()}"


@cache
def blobs() -> dict[str, bytes]:
    """Return every layer of every image by its digest."""
    layers = [layer(v, arch, b) for v in VERSIONS for arch in ARCHITECTURES for b in BEHAVIOURS]
    return {f"sha256:{hashlib.sha256(content).hexdigest()}": content for content in layers} | {_EMPTY_CONFIG: b"{}"}


def corrupted(content: bytes) -> bytes:
    """Return the content with one bit of its last letter changed."""
    place = len(content) - 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def _filled(text: str, version: str, fips: bool, arch: str) -> str:
    values = {"@VERSION@": version, "@FIPS@": "true" if fips else "false", "@ARCH@": arch}
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text


def main(arguments: list[str]) -> int:
    """Print the checksums of a version, one `sha256  name` line per file; write the files into FOLDER when it is given."""
    version = arguments[0] if arguments else DEFAULT_VERSION
    folder = Path(arguments[1]) if len(arguments) > 1 else None
    if version not in VERSIONS:
        print(f"the lab has no version {version}; it has {', '.join(VERSIONS)}", file=sys.stderr)
        return 2
    for name in asset_names():
        print(f"{digest(version, name)}  {name}")
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(asset(version, name) or b"")
    return 0
