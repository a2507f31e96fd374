"""The settings of a stack of kind `build`, as the program uses them: a release, no hosts, no AWS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from edge.settings.access import Ssh
from edge.settings.aws_secrets import by_name
from edge.settings.image import SshBuilder
from edge.settings.image_places import vcenters_of
from edge.settings.image_secrets import build_stack_secrets
from edge.settings.network_stack import AwsSettings
from edge.settings.release import Release
from edge.settings.site import BuildStack
from edge.settings.stack_base import StackBase
from edge.settings.vsphere import Vcenter


class BuildSettings(StackBase):
    """Everything that the stack file of a build stack and its release say, checked."""

    site: BuildStack
    release: Release

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


AnySettings: TypeAlias = AwsSettings | BuildSettings
