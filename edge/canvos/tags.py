"""CanvOS tags: which one is built, what it really holds, and which Kubernetes versions it can make.

A tag's name is not the version of the agent inside: some tags hold an older one, and the image is named after what is
inside (CanvOS repository, `ARG PE_VERSION` in the Earthfile of each tag).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from edge.errors import SettingsError
from edge.findings import Finding

_PLAIN = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
_PE_VERSION = re.compile(r"^\s*ARG\s+PE_VERSION=\"?(v[0-9A-Za-z.-]+)\"?\s*$", re.MULTILINE)
DISTRIBUTION = "nodeadm"
VERSIONS_FILE = "k8s_version.json"


def number(tag: str) -> tuple[int, int, int] | None:
    """Return the three numbers of a plain tag such as v4.5.15, None for a candidate, a patch or an archived tag."""
    found = _PLAIN.fullmatch(tag.strip())
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def plain_tags(tags: Iterable[str]) -> list[str]:
    """Return the plain tags, oldest first; candidates (`-rc.1`), letters (`v4.9.a`), patches and `archive/` are left out."""
    known = {tag.strip(): key for tag in tags if (key := number(tag)) is not None}
    return sorted(known, key=known.__getitem__)


def newest(tags: Iterable[str]) -> str | None:
    """Return the newest plain tag, None when there is none. It may hold an older agent than its name says."""
    plain = plain_tags(tags)
    return plain[-1] if plain else None


def pe_version(earthfile: str) -> str | None:
    """Return the agent version that a tag's images are named after, from the text of its Earthfile; None when it has none."""
    found = _PE_VERSION.search(earthfile)
    return found[1] if found else None


def tag_findings(tag: str, known: Iterable[str], earthfile: str, where: str) -> list[Finding]:
    """Return what is wrong with the tag of a release: unknown, not plain, or holding another version than it says."""
    tags = list(known)
    if tag not in tags:
        near = ", ".join(plain_tags(tags)[-3:])
        remedy = f"Write a tag that the repository has; the newest plain ones are {near or 'none'}."
        return [Finding(where, tag, "is no tag of the CanvOS repository", remedy)]
    inside = pe_version(earthfile)
    if inside is None:
        remedy = "Check out the repository again: its Earthfile has no `ARG PE_VERSION=`."
        return [Finding(where, tag, "has an Earthfile that does not say which agent it holds", remedy)]
    findings = []
    if number(tag) is None:
        remedy = "Prefer a tag of the form v4.5.15: candidates and patches are moved and withdrawn."
        findings.append(Finding(where, tag, "is no plain release tag", remedy, "warning"))
    if inside != tag:
        problem = f"holds the agent {inside}, so its images are named after that and not after the tag"
        remedy = f"Choose the tag {inside} if there is one, or take the difference on purpose."
        findings.append(Finding(where, tag, problem, remedy, "warning"))
    return findings


def kubernetes_versions(text: str, distribution: str = DISTRIBUTION) -> tuple[str, ...]:
    """Return the Kubernetes versions that a tag can build for a distribution, from the text of its `k8s_version.json`.

    An old tag does not know the distribution: the answer is empty. Raises ValueError for a text of another form.
    """
    try:
        data = json.loads(text)
    except ValueError:
        raise ValueError(f"{VERSIONS_FILE} is no JSON") from None
    if not isinstance(data, dict):
        raise ValueError(f"{VERSIONS_FILE} is no JSON object of distributions")
    versions = data.get(distribution, [])
    if not isinstance(versions, list) or not all(isinstance(one, str) for one in versions):
        raise ValueError(f"{VERSIONS_FILE} has no list of versions for {distribution}")
    return tuple(sorted(versions, key=_version_key))


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def check_kubernetes(version: str, tag: str, text: str, where: str) -> None:
    """Raise SettingsError, with the versions that are possible, when a tag cannot build a Kubernetes version.

    An empty version would build every version there is, which takes hours; so it must be one of the list.
    """
    try:
        possible = kubernetes_versions(text)
    except ValueError as error:
        raise SettingsError(
            [Finding(where, tag, f"cannot be judged: {error}", "Check the repository out again.")]
        ) from None
    if version in possible:
        return
    if not possible:
        problem, remedy = f"cannot be built by {tag}, which has no nodeadm at all", "Choose CanvOS v4.5.15 or newer."
    else:
        problem = f"cannot be built by {tag}"
        remedy = f"Write one of {', '.join(possible)} as `kubernetes` of the release, or choose another CanvOS tag."
    raise SettingsError([Finding(where, version, problem, remedy)])
