"""Reads where this machine gets its packages from, so that the lab's machines are made from the same place.

Both notations of apt are read: one-line `sources.list` and deb822 `.sources`. Of all sources the one for the release of
this machine's distribution is used; security and update suites and foreign repositories are left out, because a lab
machine is small, short-lived and reachable from this machine only.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.errors import LabError
from lab.proc import run

APT_FOLDER = Path("/etc/apt")
OS_RELEASE = Path("/etc/os-release")
KEYRINGS = {
    "debian": Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    "ubuntu": Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg"),
}
_SCHEMES = ("http://", "https://")
# What decides how this machine reaches its mirror: proxies, certificates, retries.
_ACQUIRE = ("Acquire::http::", "Acquire::https::", "Acquire::Retries", "Acquire::ForceIPv4", "Acquire::ForceIPv6")


@dataclass(frozen=True)
class Source:
    """One package source of this machine."""

    mirror: str
    suite: str
    components: tuple[str, ...]
    keyring: Path | None
    trusted: bool = False

    def line(self) -> str:
        """Return the source in apt's one-line notation."""
        options = ["trusted=yes"] if self.trusted else []
        options += [f"signed-by={self.keyring}"] if self.keyring else []
        shown = f"[{' '.join(options)}] " if options else ""
        return f"deb {shown}{self.mirror} {self.suite} {' '.join(self.components)}\n"


def os_release(path: Path = OS_RELEASE) -> dict[str, str]:
    """Return the fields of an os-release file; empty when there is none."""
    if not path.exists():
        return {}
    fields: dict[str, str] = {}
    for line in path.read_text("utf-8").splitlines():
        name, separator, value = line.partition("=")
        if separator and not name.startswith("#"):
            fields[name.strip()] = "".join(shlex.split(value))
    return fields


def family(release: Mapping[str, str]) -> str:
    """Return `debian` or `ubuntu` for these and their derivatives, else an empty text."""
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    return next((name for name in names if name in KEYRINGS), "")


def distribution_source(folder: Path = APT_FOLDER, release: Mapping[str, str] | None = None) -> Source:
    """Return the source of this machine's release.

    Raises LabError when apt has none that debootstrap can use, or when the archive's keyring is missing.
    """
    fields = os_release() if release is None else release
    codenames = [fields[key] for key in ("VERSION_CODENAME", "UBUNTU_CODENAME", "DEBIAN_CODENAME") if key in fields]
    usable = [s for s in _sources(folder) if "main" in s.components and s.mirror.startswith(_SCHEMES)]
    for codename in codenames:
        for source in usable:
            if source.suite == codename:
                return _with_keyring(source, family(fields))
    raise LabError(
        f"apt has no http or https source with the suite {' or '.join(codenames) or '(unknown)'} and component main",
        where=str(folder),
        remedy="add your distribution's mirror, for example `deb http://mirror.example/debian bookworm main`.",
    )


def _with_keyring(source: Source, name: str) -> Source:
    """Return the source with a keyring that gpgv can read; an inline or armoured key gives way to the archive's."""
    keyring = source.keyring
    if source.trusted or (keyring and keyring.suffix == ".gpg" and keyring.exists()):
        return source
    standard = KEYRINGS.get(name, KEYRINGS["debian"])
    if not standard.exists():
        raise LabError(f"the keyring {standard} is missing", remedy=f"apt-get install {name}-archive-keyring.")
    return Source(source.mirror, source.suite, source.components, standard)


def _sources(folder: Path) -> Iterator[Source]:
    lists = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*.list"))]
    for path in lists:
        if path.exists():
            for line in path.read_text("utf-8", "replace").splitlines():
                yield from _one_line(line)
    for path in sorted((folder / "sources.list.d").glob("*.sources")):
        for paragraph in _paragraphs(path.read_text("utf-8", "replace")):
            yield from _deb822(paragraph)


def _one_line(line: str) -> Iterator[Source]:
    text = line.partition("#")[0].strip()
    options: dict[str, str] = {}
    words = text.split()
    if words[:1] != ["deb"]:
        return
    if len(words) > 1 and words[1].startswith("["):
        inside, _, rest = text.partition("[")[2].partition("]")
        options = dict(word.partition("=")[::2] for word in inside.split())
        words = ["deb", *rest.split()]
    if len(words) >= 4:
        keyring = options.get("signed-by", "").split(",")[0]
        trusted = options.get("trusted", "no") == "yes"
        yield Source(words[1], words[2], tuple(words[3:]), Path(keyring) if keyring else None, trusted)


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    last = ""
    for line in [*text.splitlines(), ""]:
        if not line.strip():
            if fields:
                yield fields
            fields, last = {}, ""
        elif line.startswith("#"):
            continue
        elif line[0] in " \t" and last:
            fields[last] += "\n" + line.strip()
        else:
            name, _, value = line.partition(":")
            last = name.strip().lower()
            fields[last] = value.strip()


def _deb822(fields: Mapping[str, str]) -> Iterator[Source]:
    if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
        return
    signed_by = fields.get("signed-by", "").split()
    keyring = Path(signed_by[0]) if signed_by and signed_by[0].startswith("/") else None
    trusted = fields.get("trusted", "no").lower() == "yes"
    for mirror in fields.get("uris", "").split():
        for suite in fields.get("suites", "").split():
            yield Source(mirror, suite, tuple(fields.get("components", "").split()), keyring, trusted)


def transport_settings() -> list[str]:
    """Return the lines of apt's configuration that say how the mirror is reached."""
    return [line for line in run("apt-config", "dump").splitlines() if line.startswith(_ACQUIRE)]


def proxy_environment() -> dict[str, str]:
    """Return `http_proxy` for tools that do not read apt's configuration, when only apt knows of a proxy."""
    for line in transport_settings():
        name, _, value = line.partition(" ")
        proxy = value.strip().rstrip(";").strip('"')
        if name == "Acquire::http::Proxy" and proxy and proxy != "DIRECT":
            return {"http_proxy": proxy}
    return {}
