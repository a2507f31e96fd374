"""The settings of a stack of kind `network`, as the program uses them: no hosts, no release."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from edge.aws.access import AwsAccess
from edge.findings import Finding
from edge.settings.site import NetworkStack
from edge.stages import Stage


class NetworkSettings(BaseModel):
    """Everything that the stack file of a network stack says, checked."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    stack: str
    project: str
    root: Path
    site: NetworkStack
    region: str
    aws: AwsAccess
    warnings: tuple[Finding, ...] = ()

    @property
    def owner(self) -> str:
        """Return who owns what this stack makes: project and stack."""
        return f"{self.project}.{self.stack}"

    @property
    def stage(self) -> Stage:
        """Return the stage of the stack."""
        return self.site.stage
