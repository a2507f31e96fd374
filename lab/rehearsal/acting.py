"""Mocks that act: what a provider would do with the wire inputs of a resource, done for real.

They know types and wire inputs only, nothing of the project's components: a remote command runs over SSH, a dynamic
resource is unpickled, configured and asked to create, a VM boots in the lab, AWS is asked for an activation. An unknown
type is an error. Nothing is stored: this is no engine.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import dill
from pulumi.dynamic import ConfigureRequest
from pulumi.dynamic.config import Config
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks

from edge.errors import LabError
from lab.client import LabClient
from lab.rehearsal import aws, command, vsphere
from lab.rehearsal.aws import Aws
from lab.rehearsal.vsphere import Vsphere
from lab.rehearsal.wire import unwrap

DYNAMIC = "pulumi-python:dynamic"

OnLine = Callable[[str, str], None]


class ActingMocks(Mocks):
    """Acts on custom resources by their type. `on_line(resource name, line)` gets what a host says while it works.

    `lab` returns the lab whose daemon boots virtual machines; by default the one that the environment names.
    """

    def __init__(
        self, config: Mapping[str, str], project: str, on_line: OnLine, lab: Callable[[], LabClient] = LabClient
    ) -> None:
        self._config = Config(dict(config), project)
        self._on_line = on_line
        self._providers: dict[str, Any] = {}
        self._vsphere = Vsphere(lab, on_line)
        self._aws = Aws(config)
        self.acts: dict[str, Callable[[MockResourceArgs, dict[str, Any]], tuple[str, dict[str, Any]]]] = {
            "command:remote:Command": self._remote_command,
        }

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        if not args.token.startswith(vsphere.PREFIX):
            raise LabError(f"the rehearsal has no provider for the function {args.token}")
        return self._vsphere.call(args.token, args.args), []

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Create one resource; components only get an id. Raises what the provider raised."""
        if not args.custom:
            return "", dict(args.inputs)
        inputs = unwrap(args.inputs)
        if args.typ.startswith(DYNAMIC):
            return self._dynamic(inputs)
        if args.typ == vsphere.PROVIDER or args.typ.startswith(vsphere.PREFIX):
            return self._vsphere.create(args, inputs)
        if args.typ.startswith(aws.PREFIX):
            return self._aws.create(args, inputs)
        act = self.acts.get(args.typ)
        if act is None:
            raise LabError(f"the rehearsal has no provider for resources of type {args.typ} ({args.name})")
        return act(args, inputs)

    def _remote_command(self, args: MockResourceArgs, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        finished = command.run(inputs, str(inputs["create"]), lambda line: self._on_line(args.name, line))
        return secrets.token_hex(16), {**args.inputs, "stdout": finished.stdout, "stderr": finished.stderr}

    def _dynamic(self, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Create a dynamic resource as the SDK's provider process does: unpickle, configure once, create."""
        text = inputs["__provider"]
        provider = self._providers.get(text)
        if provider is None:
            # The text was pickled by the program that this very process runs; it comes from nowhere else.
            provider = self._providers[text] = dill.loads(base64.b64decode(text))  # noqa: S301
            provider.configure(ConfigureRequest(self._config))
        result = provider.create(dict(inputs))
        return result.id, dict(result.outs or {})
