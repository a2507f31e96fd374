"""Which ISOs lie on the datastores of the build stacks, who uses each, and which of them nobody needs. Pure.

An ISO is told by the digest in its name, so a file without one is nobody's of ours and stays. What cannot be known counts
as a use: a stack whose facts cannot be read may use everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge.images.facts import IsoFile

_DIGEST = re.compile(r"-([0-9a-f]{12,64})\.iso")


@dataclass(frozen=True)
class Folder:
    """A folder of a datastore that a stack uploads ISOs to; `names` begins the names of its ISOs."""

    stack: str
    vcenter: str
    datacenter: str
    datastore: str
    folder: str
    names: str

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Return what two stacks share when they upload to one folder."""
        return (self.vcenter.partition(":")[0], self.datacenter, self.datastore, self.folder.strip("/"))

    @property
    def path(self) -> str:
        """Return the folder as vSphere writes it."""
        return f"[{self.datastore}] {self.folder.strip('/')}"

    def file(self, name: str) -> IsoFile:
        """Return a file of the folder."""
        return IsoFile(self.vcenter, self.datacenter, self.datastore, f"{self.folder.strip('/')}/{name}")


@dataclass(frozen=True)
class Claim:
    """What one stack uses: sha256 of ISOs, or None with the reason why nobody can know. `made` are those it has built."""

    stack: str
    used: frozenset[str] | None
    made: frozenset[str] = frozenset()
    why: str = ""


@dataclass(frozen=True)
class Stocked:
    """One file: `digest` as its name has it ("" for none), whose it is, and why it must stay.

    `makers` have it as their newest ISO, `users` boot from it, `releases` record it, `unsure` cannot be asked.
    """

    file: IsoFile
    size: int
    digest: str
    owners: tuple[str, ...]
    makers: tuple[str, ...]
    users: tuple[str, ...]
    releases: tuple[str, ...]
    unsure: tuple[str, ...]

    @property
    def kept_by(self) -> str:
        """Return why the file stays, "" when nothing needs it."""
        if not self.digest:
            return "its name holds no digest, so it is not one of ours"
        if not self.owners:
            return "no build stack of this project makes ISOs of this name"
        for words, who in (
            ("is the current ISO of", self.makers),
            ("is used by", self.users),
            ("is recorded by release", self.releases),
            ("may be used by", self.unsure),
        ):
            if who:
                return f"{words} {', '.join(who)}"
        return ""


def digest_of(name: str) -> str:
    """Return the beginning of the sha256 that an ISO's name carries, "" when it carries none."""
    found = re.search(_DIGEST.pattern + r"\Z", name)
    return found[1] if found else ""


def stocked(
    listed: Iterable[tuple[Folder, Mapping[str, int]]],
    folders: Iterable[Folder],
    claims: Iterable[Claim],
    releases: Mapping[str, Iterable[str]],
) -> list[Stocked]:
    """Return every ISO of the listed folders, sorted by place, each once.

    `listed` holds the sizes of the files of each folder by name, `folders` all folders of all stacks, `releases` the
    sha256 that each release records.
    """
    every, asked = tuple(folders), tuple(claims)
    found: dict[tuple[object, ...], Stocked] = {}
    for folder, files in listed:
        for name, size in files.items():
            if "/" not in name and name.lower().endswith(".iso"):
                found[(*folder.place, name)] = _one(folder, name, size, every, asked, releases)
    return [found[key] for key in sorted(found, key=str)]


def _one(
    folder: Folder,
    name: str,
    size: int,
    folders: tuple[Folder, ...],
    claims: tuple[Claim, ...],
    releases: Mapping[str, Iterable[str]],
) -> Stocked:
    digest = digest_of(name)

    def is_it(whole: Iterable[str]) -> bool:
        return bool(digest) and any(one.startswith(digest) for one in whole)

    owners = {one.stack for one in folders if one.place == folder.place and name.startswith(f"{one.names}-")}
    return Stocked(
        folder.file(name),
        size,
        digest,
        owners=tuple(sorted(owners)),
        makers=tuple(sorted(one.stack for one in claims if is_it(one.made))),
        users=tuple(sorted(one.stack for one in claims if one.used is not None and is_it(one.used))),
        releases=tuple(sorted(name for name, recorded in releases.items() if is_it(recorded))),
        unsure=tuple(sorted(one.stack for one in claims if one.used is None)),
    )
