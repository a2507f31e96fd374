"""Releases: what is tested together and promoted together, one small YAML file each.

The vendor publishes no checksums, so the release carries them: `python -m edge.releases pin` computes them from files
that a person has downloaded and tried, and writes them into the release without touching its comments.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from edge.errors import FactsError, SettingsError
from edge.findings import Finding
from edge.settings.release import PLACEHOLDER, UNPINNED, VENDOR_BASE, Agent, Canvos, Release, known, load

Architecture = Literal["amd64", "arm64"]


@dataclass(frozen=True)
class Installer:
    """What a host downloads: addresses, and the digests that it must find ("" where the release has none)."""

    version: str
    script_url: str
    script_sha256: str
    binary_urls: Mapping[str, str]
    binary_sha256: Mapping[str, str]
    image: str


def _folder(base_url: str, version: str) -> str:
    """Return the folder of a version; the vendor's newest one lies beside, not below, the numbered ones."""
    if version != "latest":
        return f"{base_url}/v{version}"
    parent, _, last = base_url.rpartition("/")
    return f"{parent}/latest/download" if last == "download" else f"{base_url}/latest"


def installer(agent: Agent, *, fips: bool = False, instance_version: str | None = None) -> Installer:
    """Return what to download for an agent (P1.1, P1.2 of the Palette agent-mode docs).

    `instance_version` is what a dedicated Palette instance answers, needed when the release says `instance`.
    Raises ValueError when it is needed and missing.
    """
    version = agent.version
    if version == "instance":
        if not instance_version:
            raise ValueError("the release says `instance`: ask the Palette instance for its agent version first")
        version = instance_version.removeprefix("v")
    folder = _folder(agent.base_url, version)
    script, binary = ("-fips", "palette-agent-fips") if fips else ("", "palette-agent")
    return Installer(
        version=version,
        script_url=f"{folder}/palette-agent-install{script}.sh",
        script_sha256=agent.script.sha256 or "",
        binary_urls={arch: f"{folder}/{binary}-linux-{arch}" for arch in ("amd64", "arm64")},
        binary_sha256={"amd64": agent.binary.amd64.sha256 or "", "arm64": agent.binary.arm64.sha256 or ""},
        image=agent.image or "",
    )


def pin(name: str, files: Mapping[str, Path], root: Path) -> dict[str, str]:
    """Write the sha256 of downloaded files into a release, and return them by what they are of.

    `files` has `script` and `binary.ARCH` as keys. Comments and everything else of the file stay as they are. Raises
    SettingsError for a release or a place in it that does not exist, and for a file that is not what it should be.
    """
    load(name, root)
    path = root / "releases" / f"{name}.yaml"
    text = path.read_bytes().decode("utf-8")
    digests = {what: _digest_of(what, file) for what, file in files.items()}
    for what, digest in digests.items():
        text = _with_digest(text, ("agent", *what.split("."), "sha256"), digest, path.name)
    path.write_bytes(text.encode("utf-8"))
    return digests


def _digest_of(what: str, path: Path) -> str:
    """Return the sha256 of a script or a program; anything else is refused, above all a web page."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            [Finding(what, str(path), f"cannot be read ({error.strerror})", "Download it again.")]
        ) from None
    starts = (b"#!",) if what == "script" else (b"\x7fELF", b"#!")
    if not content.startswith(starts):
        kind = "shell script" if what == "script" else "program"
        remedy = "Download it again with `curl -fL`: a missing file is answered with a web page."
        raise SettingsError([Finding(what, str(path), f"is no {kind}", remedy)])
    return hashlib.sha256(content).hexdigest()


def _with_digest(text: str, keys: tuple[str, ...], digest: str, file: str) -> str:
    """Return the text of a release with one digest replaced."""
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for name, value in pairs if name.value == key), None)
        if node is None:
            where = f"releases/{file}: {'.'.join(keys)}"
            raise SettingsError([Finding(where, None, "is missing", f'Add the line, with sha256: "{PLACEHOLDER}".')])
    assert node is not None
    return f'{text[: node.start_mark.index]}"{digest}"{text[node.end_mark.index :]}'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `python -m edge.releases pin RELEASE [--script FILE] [--binary-amd64 FILE] [--binary-arm64 FILE] [--image FACTS]`."""
    parser = argparse.ArgumentParser(prog="python -m edge.releases", description=pin.__doc__)
    parser.add_argument("action", choices=["pin"])
    parser.add_argument("release", help="id of the release, for example 2026.11-1")
    parser.add_argument("--script", type=Path, help="palette-agent-install.sh, or its FIPS form")
    for arch in ("amd64", "arm64"):
        parser.add_argument(f"--binary-{arch}", type=Path, dest=f"binary.{arch}", help=f"agent binary for {arch}")
    parser.add_argument("--image", type=Path, help="exports of the build stack, as JSON (`pulumi stack output --json`)")
    parser.add_argument("--root", type=Path, default=Path(), help="the project folder")
    given = vars(parser.parse_args(arguments))
    files = {what: given[what] for what in ("script", "binary.amd64", "binary.arm64") if given[what]}
    if not files and not given["image"]:
        parser.error("name at least one file")
    try:
        digests = pin(given["release"], files, given["root"]) if files else {}
        digests |= _pin_image(given["release"], given["image"], given["root"]) if given["image"] else {}
    except (SettingsError, FactsError) as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.writelines(f"{digest}  {what}\n" for what, digest in digests.items())
    return 0


def _pin_image(name: str, file: Path, root: Path) -> dict[str, str]:
    from edge.images.pin import pin_image  # needs the settings, which need the releases

    return pin_image(name, file, root)


__all__ = [
    "PLACEHOLDER",
    "UNPINNED",
    "VENDOR_BASE",
    "Agent",
    "Architecture",
    "Canvos",
    "Installer",
    "Release",
    "installer",
    "known",
    "load",
    "pin",
]

if __name__ == "__main__":
    sys.exit(main())
