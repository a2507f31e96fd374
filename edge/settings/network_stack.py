"""The settings of a stack of kind `network`, as the program uses them: no hosts, no release."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict

from edge.aws.access import AwsAccess
from edge.findings import Finding
from edge.settings.aws_secrets import by_name, network_stack_secrets
from edge.settings.site import NetworkStack
from edge.settings.stack import StackSettings
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

    def secret_uses(self) -> dict[str, tuple[str, ...]]:
        """Return every secret that the stack needs, with the YAML paths that name it."""
        return by_name(network_stack_secrets(self.site))

    def secret_names(self) -> frozenset[str]:
        """Return the names of every secret that the stack needs."""
        return frozenset(self.secret_uses())

    def stand_ins(self) -> dict[str, str]:
        """Return a text for every secret of the stack, of a form that passes for it: for runs without real secrets."""
        return {name: f"ehmasked{at}" for at, name in enumerate(self.secret_uses(), start=1000)}


AwsSettings: TypeAlias = StackSettings | NetworkSettings
