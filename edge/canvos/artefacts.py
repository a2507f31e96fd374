"""Whether a build has made what it should. The exit code does not tell: at many tags a failed build ends with 0.

At v4.5.14 to v4.7.2 the vendor's script goes on after a failed build, prints its manifest and ends with 0; so a build is
judged by its files, their age and digest, and the images that are really there (CanvOS repository, earthly.sh).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from edge.canvos.images import ImageName, matching
from edge.findings import Finding

BUILD = "build"
_CHECKSUM = re.compile(r"([0-9a-f]{64}) [ *](\S+)")


@dataclass(frozen=True)
class BuiltFile:
    """A file that a build left: size in bytes, the moment when it was put there, sha256 of its content.

    That is the time of its last change of state: the builder sets the other one to the same day of 2020 for every file that
    it hands out (Earthly, util/llbutil/copyop.go; CanvOS does not ask for the true one).
    """

    size: int
    changed: datetime
    sha256: str


@dataclass(frozen=True)
class Wanted:
    """What a build was asked for. `image` is None where only an ISO is made, `iso_name` None where only images are."""

    iso_name: str | None
    image: ImageName | None
    began: datetime


# An installer ISO of less than this holds no root file system.
SMALLEST_ISO = 1 << 20


def checksum_of(text: str, name: str) -> str | None:
    """Return the sha256 that a checksum file states for a file, None when it states none for that name."""
    for line in text.splitlines():
        found = _CHECKSUM.fullmatch(line.strip())
        if found and PurePosixPath(found[2]).name == name:
            return found[1]
    return None


def verify(
    wanted: Wanted, files: Mapping[str, BuiltFile], checksum: str | None, images: Iterable[str], log: str
) -> list[Finding]:
    """Return everything that is missing or wrong after a build; an empty list is a build that may be used.

    `files`: what lies in the build folder, by name; `checksum`: the text of the checksum file, None when there is none;
    `images`: references of the local images; `log`: where the log lies, for the remedy.
    """
    look = f"Read the end of {log}, mend what it names, and build again."
    findings = []
    if wanted.iso_name is not None:
        findings += _iso(f"{wanted.iso_name}.iso", wanted.began, files, checksum, look)
    if wanted.image is not None and matching(images, wanted.image) is None:
        near = [one for one in images if one.rpartition("/")[2].startswith(f"{wanted.image.repo}:")]
        seen = f"there are {', '.join(sorted(near)[:3])}" if near else "there is none of that repository"
        findings.append(
            Finding(wanted.image.reference, None, f"is no image of the builder after the build; {seen}", look)
        )
    return findings


def _iso(name: str, began: datetime, files: Mapping[str, BuiltFile], checksum: str | None, look: str) -> list[Finding]:
    where = f"{BUILD}/{name}"
    found = files.get(name)
    if found is None:
        return [Finding(where, None, "was not made", look)]
    findings = []
    if found.changed < began:
        findings.append(
            Finding(where, found.changed.isoformat(), "is older than this build, so it is of an earlier one", look)
        )
    if found.size < SMALLEST_ISO:
        findings.append(Finding(where, found.size, "is too small for an installer", look))
    stated = checksum_of(checksum, name) if checksum is not None else None
    if stated is None:
        findings.append(Finding(f"{where}.sha256", None, "does not state a checksum of the ISO", look))
    elif stated != found.sha256:
        problem = f"has the sha256 {found.sha256}, but its checksum file says {stated}"
        findings.append(Finding(where, None, problem, "Build again: one of the two was changed or cut off."))
    return findings
