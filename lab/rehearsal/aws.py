"""Acts for the AWS provider: an SSM activation is asked for where the `aws:` keys of the stack say, by botocore.

Only what a site makes is acted for. The answer has the provider's own field names, and a refusal is AWS's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
from botocore.session import Session  # type: ignore[import-untyped]
from pulumi.runtime import MockResourceArgs

from edge.aws.access import KEYS, AwsAccess, access_of
from edge.errors import LabError

PREFIX = "aws:"
ACTIVATION = "aws:ssm/activation:Activation"

Made = tuple[str, dict[str, Any]]
# Returns a client of a service in a Region.
Connect = Callable[[str, str], Any]

# Wire input -> parameter of CreateActivation, as the provider maps them.
_PARAMETERS = {
    "description": "Description",
    "iamRole": "IamRole",
    "name": "DefaultInstanceName",
    "registrationLimit": "RegistrationLimit",
}


class Aws:
    """One AWS account for the length of a rehearsal; what is made there outlives it."""

    def __init__(self, config: Mapping[str, str], connect: Connect | None = None) -> None:
        self._access = access_of(_keys(config), config.get("aws:region", ""))
        self._connect = connect or (lambda service, region: _client(self._access, service, region))

    def create(self, args: MockResourceArgs, inputs: Mapping[str, Any]) -> Made:
        """Create one resource for real. Raises LabError in AWS's words, and for a type that nobody acts for."""
        if args.typ != ACTIVATION:
            raise LabError(f"the rehearsal has no provider for resources of type {args.typ} ({args.name})")
        region = str(inputs.get("region") or self._access.region)
        try:
            answer = self._connect("ssm", region).create_activation(**activation_parameters(inputs))
        except (ClientError, BotoCoreError) as error:
            raise LabError(f"creating SSM Activation ({inputs.get('name')}): {error}") from None
        made = {"activationCode": answer["ActivationCode"], "expired": False, "registrationCount": 0}
        return answer["ActivationId"], {**args.inputs, "region": region, "tagsAll": inputs.get("tags") or {}, **made}


def activation_parameters(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of CreateActivation for the wire inputs of an activation; numbers come as floats."""
    found = {name: inputs[key] for key, name in _PARAMETERS.items() if inputs.get(key) is not None}
    if "RegistrationLimit" in found:
        found["RegistrationLimit"] = int(found["RegistrationLimit"])
    if inputs.get("expirationDate"):
        found["ExpirationDate"] = datetime.fromisoformat(str(inputs["expirationDate"]))
    if inputs.get("tags"):
        found["Tags"] = [{"Key": key, "Value": value} for key, value in sorted(inputs["tags"].items())]
    return found


def _keys(config: Mapping[str, str]) -> dict[str, Any]:
    """Return the `aws:` keys; the engine hands lists over as JSON."""
    found: dict[str, Any] = {}
    for key in KEYS:
        text = config.get(f"{PREFIX}{key}")
        if text is not None:
            found[key] = json.loads(text) if text[:1] in ("[", "{") else text
    return found


def _client(access: AwsAccess, service: str, region: str) -> Any:
    if access.roles:
        raise LabError("the rehearsal takes on no roles", remedy="remove `aws:assumeRoles` from the lab's stack file.")
    session = Session(profile=access.profile or None)
    if access.access_key:
        session.set_credentials(access.access_key, access.secret_key, access.token or None)
    return session.create_client(
        service,
        region_name=region,
        endpoint_url=access.endpoint(service),
        verify=access.ca_bundle or None,
        # One attempt: a rehearsal shows a refusal at once.
        config=Config(connect_timeout=10, read_timeout=30, retries={"total_max_attempts": 1}),
    )
