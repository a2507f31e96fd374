"""How AWS is reached: the `aws:` keys of a stack as data, the same for the Pulumi provider and for our own reads.

Keys as the AWS provider of Pulumi reads them: `aws:region`, `aws:profile`, `aws:assumeRoles`, `aws:accessKey`,
`aws:secretKey`, `aws:token`, `aws:endpoints`, `aws:customCaBundle`, `aws:sharedConfigFiles`, `aws:sharedCredentialsFiles`,
`aws:useFipsEndpoint`. Values that are encrypted in the stack file are known to the engine only; everywhere else the
environment has them (`AWS_ACCESS_KEY_ID` and the like).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class AssumedRole:
    """One role to take on, in the order of `aws:assumeRoles`. `duration` is in seconds, 0 for AWS's own default."""

    arn: str
    session_name: str = "edge-hosts"
    external_id: str = ""
    duration: int = 0


@dataclass(frozen=True)
class AwsAccess:
    """Which account AWS is asked in, and how. An empty field leaves it to the environment, as every AWS tool does.

    `endpoints` are (service, URL) pairs that stand in for the public ones.
    """

    region: str
    profile: str = ""
    roles: tuple[AssumedRole, ...] = ()
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    endpoints: tuple[tuple[str, str], ...] = ()
    ca_bundle: str = ""
    config_files: tuple[str, ...] = ()
    credentials_files: tuple[str, ...] = ()
    fips: bool = False

    def endpoint(self, service: str) -> str | None:
        """Return the URL that stands in for a service, None for its public one."""
        return dict(self.endpoints).get(service)


# The keys of the `aws:` namespace that are looked at.
KEYS = (
    "region", "profile", "assumeRoles", "accessKey", "secretKey", "token", "endpoints", "customCaBundle",
    "sharedConfigFiles", "sharedCredentialsFiles", "useFipsEndpoint",
)  # fmt: skip


def access_of(keys: Mapping[str, Any], region: str) -> AwsAccess:
    """Return how AWS is reached, from the `aws:` keys without their prefix; `region` is that of the network.

    Keys that are missing or encrypted ({secure: ...}) are left to the environment.
    """
    known = {key: value for key, value in keys.items() if value is not None and not _sealed(value)}
    return AwsAccess(
        region=region,
        profile=str(known.get("profile", "")),
        roles=tuple(_role(one) for one in known.get("assumeRoles") or () if isinstance(one, Mapping)),
        access_key=str(known.get("accessKey", "")),
        secret_key=str(known.get("secretKey", "")),
        token=str(known.get("token", "")),
        endpoints=tuple(
            sorted(
                (str(service), str(url))
                for one in known.get("endpoints") or ()
                if isinstance(one, Mapping)
                for service, url in one.items()
            )
        ),
        ca_bundle=str(known.get("customCaBundle", "")),
        config_files=tuple(map(str, known.get("sharedConfigFiles") or ())),
        credentials_files=tuple(map(str, known.get("sharedCredentialsFiles") or ())),
        fips=known.get("useFipsEndpoint") in (True, "true"),
    )


def structured(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `aws:` keys with lists and objects as such: the engine hands them to a program as JSON text.

    Text that is no JSON stays text, keys without a value are left out.
    """
    return {key: _structured(value) for key, value in keys.items() if value is not None}


def _structured(value: Any) -> Any:
    if not isinstance(value, str) or value[:1] not in ("[", "{"):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _role(one: Mapping[str, Any]) -> AssumedRole:
    return AssumedRole(
        arn=str(one.get("roleArn", "")),
        session_name=str(one.get("sessionName") or "edge-hosts"),
        external_id=str(one.get("externalId") or ""),
        duration=_seconds(str(one.get("duration") or "")),
    )


_UNITS = {"h": 3600, "m": 60, "s": 1}


def _seconds(text: str) -> int:
    """Return the seconds of a duration as the provider writes it (`1h30m`), 0 for one that is not understood."""
    total, number = 0, ""
    for char in text:
        if char.isdigit():
            number += char
        elif char in _UNITS and number:
            total, number = total + int(number) * _UNITS[char], ""
        else:
            return 0
    return total


def _sealed(value: object) -> bool:
    return isinstance(value, Mapping) and set(value) == {"secure"}
