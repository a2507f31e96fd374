"""The settings of a stack of kind `network`, as the program uses them: no hosts, no release."""

from __future__ import annotations

from typing import TypeAlias

from edge.aws.access import AwsAccess
from edge.settings.aws_secrets import by_name, network_stack_secrets
from edge.settings.site import NetworkStack
from edge.settings.stack import StackSettings
from edge.settings.stack_base import StackBase


class NetworkSettings(StackBase):
    """Everything that the stack file of a network stack says, checked."""

    site: NetworkStack
    region: str
    aws: AwsAccess

    def secret_uses(self) -> dict[str, tuple[str, ...]]:
        """Return every secret that the stack needs, with the YAML paths that name it."""
        return by_name(network_stack_secrets(self.site))


AwsSettings: TypeAlias = StackSettings | NetworkSettings
