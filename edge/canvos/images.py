"""Names of provider images, and the values that the cluster profile needs of the real one.

The name is made of registry, repository, distribution, Kubernetes version, agent version and tag (Palette docs, Edge
Artifact Build Configurations). The builder itself prints the values with the version that `git describe` tells, which is
another one at some tags; so they are made here, from the image that is really there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from edge.canvos.tags import DISTRIBUTION

# An agent may be a candidate or a patch: v4.9.23-rc.7, v4.6.21-patch.7.
_AGENT = r"v[0-9A-Za-z.]+?(?:-(?:rc|patch)\.\d+)?"
_TAG = re.compile(rf"{DISTRIBUTION}-(\d+\.\d+\.\d+)-({_AGENT})-([a-z0-9][a-z0-9-]*)")
_ROOT = ".spectro.pack.edge-native-byoi.options"


@dataclass(frozen=True)
class ImageName:
    """The parts of a provider image's name. `registry` is HOST[:PORT][/PATH] or a Docker Hub organization."""

    registry: str
    repo: str
    kubernetes: str
    pe_version: str
    custom_tag: str

    @property
    def tag(self) -> str:
        """The tag of the image."""
        return f"{DISTRIBUTION}-{self.kubernetes}-{self.pe_version}-{self.custom_tag}"

    @property
    def reference(self) -> str:
        """The whole name, as `docker push` takes it."""
        return f"{self.registry}/{self.repo}:{self.tag}"


def parse(reference: str) -> ImageName | None:
    """Return the parts of a name, None when it is no provider image of this distribution.

    The last colon after the last slash is that of the tag: a registry may have a port.
    """
    path, colon, tag = reference.rpartition(":")
    registry, slash, repo = path.rpartition("/")
    found = _TAG.fullmatch(tag)
    if not colon or not slash or not registry or not found:
        return None
    return ImageName(registry, repo, found[1], found[2], found[3])


def matching(listed: Iterable[str], wanted: ImageName) -> ImageName | None:
    """Return the image of that name out of a list of references, None when it is not there.

    Names with an ending of the architecture (`_linux_amd64`) are further names of the same image and are passed over. Docker
    lists images of its own hub without the name of that registry.
    """
    return wanted if wanted.reference.removeprefix("docker.io/") in {one.strip() for one in listed} else None


def pack_values(image: ImageName, *, os_distribution: str, os_version: str) -> dict[str, object]:
    """Return the values of the BYOS Edge OS pack of the cluster profile, for the real image, ready for YAML.

    Keys are literal dotted names, not nested mappings, and templates stay texts with double braces (Palette docs, create
    hybrid node pools). The Kubernetes version in the address comes from the profile's own Kubernetes pack.
    """
    parts = ("registry", "repo")
    address = "/".join(_template(f"{_ROOT}.system.{part}", spaced=True) for part in parts)
    tail = "-".join(
        _template(path, spaced=True)
        for path in (
            f"{_ROOT}.system.k8sDistribution",
            ".spectro.system.kubernetes.version",
            f"{_ROOT}.system.peVersion",
            f"{_ROOT}.system.customTag",
        )
    )
    options: dict[str, object] = {
        "system.uri": f"{address}:{tail}",
        "system.registry": image.registry,
        "system.repo": image.repo,
        "system.k8sDistribution": DISTRIBUTION,
        "system.osName": os_distribution,
        "system.peVersion": image.pe_version,
        "system.customTag": image.custom_tag,
        "system.osVersion": os_version,
    }
    uri = _template(f"{_ROOT}.system.uri", spaced=False)
    return {"pack": {"content": {"images": [{"image": uri}]}}, "options": options}


def _template(path: str, *, spaced: bool) -> str:
    blank = " " if spaced else ""
    return f"{{{{{blank}{path}{blank}}}}}"


# Whom a name without a registry is pulled from.
DOCKER_HUB = "registry-1.docker.io"


def registry_of(reference: str, hub: str = DOCKER_HUB) -> str:
    """Return host[:port] of the registry of an image: `hub` for a name without a host, such as one of an organization."""
    first, slash, _ = reference.partition("/")
    named = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return first if named else hub
