"""The settings of a stack of kind `build`, as the program uses them: a release, no hosts, no AWS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict

from edge.findings import Finding
from edge.settings.access import Ssh
from edge.settings.aws_secrets import by_name
from edge.settings.image import SshBuilder
from edge.settings.image_places import vcenters_of
from edge.settings.image_secrets import build_stack_secrets
from edge.settings.network_stack import AwsSettings
from edge.settings.release import Release
from edge.settings.site import BuildStack
from edge.settings.vsphere import Vcenter
from edge.stages import Stage


class BuildSettings(BaseModel):
    """Everything that the stack file of a build stack and its release say, checked."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    stack: str
    project: str
    root: Path
    site: BuildStack
    release: Release
    warnings: tuple[Finding, ...] = ()

    @property
    def owner(self) -> str:
        """Return who owns what this stack makes: project and stack."""
        return f"{self.project}.{self.stack}"

    @property
    def stage(self) -> Stage:
        """Return the stage of the stack."""
        return self.site.stage

    @property
    def ssh(self) -> Ssh | None:
        """Return how to log in to the build machine, None where this machine builds."""
        builder = self.site.builder
        return builder.login() if isinstance(builder, SshBuilder) else None

    @property
    def vcenters(self) -> Mapping[str, Vcenter]:
        """Return the vCenters that ISOs are uploaded to, by name; those that nobody uses are left out."""
        return vcenters_of(self.site.datastores, self.site.vcenters)

    def vcenter(self, name: str) -> Vcenter:
        """Return a vCenter of the stack by its name. Raises KeyError for a name that is not there."""
        return self.site.vcenters[name]

    def secret_uses(self) -> dict[str, tuple[str, ...]]:
        """Return every secret that the stack needs, with the YAML paths that name it."""
        return by_name(build_stack_secrets(self.site))

    def secret_names(self) -> frozenset[str]:
        """Return the names of every secret that the stack needs."""
        return frozenset(self.secret_uses())

    def stand_ins(self) -> dict[str, str]:
        """Return a text for every secret of the stack, of a form that passes for it: for runs without real secrets."""
        return {name: f"ehmasked{at}" for at, name in enumerate(self.secret_uses(), start=1000)}


AnySettings: TypeAlias = AwsSettings | BuildSettings
