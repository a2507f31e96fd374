"""The models of a release, and reading one from its file.

The functions that use a release stand in `edge.releases`; the models stand here because the settings carry one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from edge.canvos.request import NEWEST
from edge.errors import SettingsError
from edge.findings import Finding
from edge.settings.aws_values import KubernetesVersion
from edge.settings.base import Model, refuse
from edge.settings.digests import Sha256
from edge.settings.image_values import CanvosTag, Commit, ImageDigest, ImageReference
from edge.settings.scalars import Switch, Text, WebUrl, one_line
from edge.settings.translate import nearest, validate
from edge.settings.vsphere_values import InventoryPath
from edge.settings.yamltext import read

VENDOR_BASE = "https://github.com/spectrocloud/agent-mode/releases/download"
PLACEHOLDER = "0" * 64
UNPINNED = ("latest", "instance")


def _version(value: object) -> str:
    text = one_line(value)
    if text in UNPINNED:
        return text
    if not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+(-[A-Za-z0-9.]+)?", text):
        raise refuse(
            "is no agent version",
            'Write it in quotes without a leading v, for example "4.9.38", or `latest`, or `instance`',
        )
    return text


def release_id(value: object) -> str:
    """Return the id of a release, which is also the name of its file."""
    text = one_line(value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}", text):
        raise refuse("is no name of a release", "Use letters, digits, '.' and '-', for example 2026.11-1")
    return text


Version = Annotated[str, BeforeValidator(_version), WithJsonSchema({"type": "string"})]
ReleaseId = Annotated[str, BeforeValidator(release_id), WithJsonSchema({"type": "string"})]


class Digest(Model):
    """The fingerprint of one downloaded file."""

    sha256: Sha256 | None = Field(default=None, description="sha256 of the file, 64 hexadecimal digits.")

    @property
    def is_placeholder(self) -> bool:
        """Return whether the digest is all zeros, which no file has."""
        return self.sha256 == PLACEHOLDER


class Binaries(Model):
    """The agent binary per architecture."""

    amd64: Digest = Field(default=Digest(), description="Agent binary for x86_64.")
    arm64: Digest = Field(default=Digest(), description="Agent binary for aarch64.")


class Agent(Model):
    """The agent of Agent Mode."""

    version: Version = Field(
        description="Version without a leading v, in quotes; `latest` or `instance` where the stage allows it."
    )
    base_url: WebUrl = Field(default=VENDOR_BASE, description="Folder that holds `vVERSION/palette-agent-install.sh`.")
    fips: Switch = Field(default=False, description="The digests are those of the FIPS build.")
    script: Digest = Field(default=Digest(), description="The installation script.")
    binary: Binaries = Field(default=Binaries(), description="The agent binary.")
    image: Text | None = Field(default=None, description="Payload image, when it is not the script's own default.")

    @property
    def is_pinned(self) -> bool:
        """Return whether the version is a number."""
        return self.version not in UNPINNED


class CanvosImage(Model):
    """A provider image in its registry."""

    reference: ImageReference = Field(description="Name of the image with its tag.")
    digest: ImageDigest = Field(description="Digest of the image, `sha256:` and 64 hexadecimal digits.")


class CanvosIsos(Model):
    """The sha256 of the ISOs by kind."""

    poweroff: Sha256 | None = Field(default=None, description="sha256 of the ISO for virtual machines.")
    reboot: Sha256 | None = Field(default=None, description="sha256 of the ISO for bare metal.")

    def by_kind(self) -> dict[str, str]:
        """Return those that are recorded, by kind."""
        found = {"poweroff": self.poweroff, "reboot": self.reboot}
        return {kind: digest for kind, digest in found.items() if digest is not None}


class Canvos(Model):
    """The installer image: the tag that it is built of, and, once it was tried, what was built."""

    tag: CanvosTag = Field(
        description="Tag of the CanvOS repository, for example v4.9.37; `newest` builds the newest plain one, to try it."
    )
    commit: Commit | None = Field(
        default=None, description="Commit of that tag, in quotes; a tag that was moved since then is refused."
    )
    image: CanvosImage | None = Field(default=None, description="The provider image that was tried.")
    isos: CanvosIsos = Field(default=CanvosIsos(), description="The ISOs that were tried.")

    @model_validator(mode="after")
    def _newest_pins_nothing(self) -> Canvos:
        if self.tag == NEWEST and (self.commit or self.image or self.isos.by_kind()):
            raise refuse(
                f"has `tag: {NEWEST}` beside what was built of one certain tag",
                "Write the tag of that build, as the build stack exports it",
            )
        return self


class Vm(Model):
    """What virtual machines are made from."""

    template: InventoryPath = Field(description="Template to clone: its name, or its path in the inventory.")


class Packages(Model):
    """Packages beyond those that the agent needs."""

    apt: tuple[Text, ...] = Field(default=(), description="More packages on Ubuntu and Debian.")
    rhel: tuple[Text, ...] = Field(default=(), description="More packages on RHEL.")
    amazon: tuple[Text, ...] = Field(default=(), description="More packages on Amazon Linux.")


class Release(Model):
    """Everything that was tested together."""

    id: ReleaseId = Field(description="Name of the release and of its file.")
    agent: Agent = Field(description="The agent of Agent Mode.")
    canvos: Canvos | None = Field(default=None, description="The builder of Appliance Mode images.")
    vm: Vm | None = Field(default=None, description="What virtual machines are made from.")
    kubernetes: KubernetesVersion = Field(description="Kubernetes version of the nodes, in quotes.")
    packages: Packages = Field(default=Packages(), description="Packages beyond those that the agent needs.")

    @property
    def vm_template(self) -> str | None:
        """Return the template that virtual machines are cloned from, None when the release names none."""
        return self.vm.template if self.vm else None


def known(root: Path) -> tuple[str, ...]:
    """Return the ids of all releases of a project, sorted."""
    return tuple(sorted(path.stem for path in (root / "releases").glob("*.yaml")))


def load(name: str, root: Path) -> Release:
    """Return the release of that id from `ROOT/releases`. Raises SettingsError with every problem of the file."""
    place = f"releases/{name}.yaml"
    path = root / place
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}", name) or not path.is_file():
        there = known(root)
        near = nearest(name, there)
        hint = f"Did you mean {near}? " if near else ""
        raise SettingsError(
            [
                Finding(
                    "release",
                    name,
                    "names a release that does not exist",
                    f"{hint}There are: {', '.join(there) or 'none'}.",
                )
            ]
        )
    document = read(path)
    release, findings = validate(Release, document.data, document=document, prefix=place)
    findings = [*document.findings(prefix=place), *findings]
    if release is not None and release.id != name:
        findings.append(
            Finding(f"{place}.id", release.id, "is not the name of its file", f"Write {name}, or rename the file.")
        )
    if findings or release is None:
        raise SettingsError(findings)
    return release
