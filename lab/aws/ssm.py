"""SSM hybrid activations and the machines that registered through them.

Sources: Systems Manager API reference (CreateActivation, DescribeActivations, DescribeInstanceInformation,
DeregisterManagedInstance); Systems Manager User Guide, hybrid activations.
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from moto.core.responses import ActionResult, EmptyResult
from moto.ssm.responses import SimpleSystemManagerResponse

from lab.aws.refusal import RefusedError
from lab.aws.service import Gated

if TYPE_CHECKING:
    from collections.abc import Callable

_DEFAULT_LIFE = timedelta(hours=24)
_LONGEST_LIFE = timedelta(days=30)
_MOST_REGISTRATIONS = 1000
_CODE_LENGTH = 20
_AGENT = "3.3.3050.0"
_LETTERS = string.ascii_letters + string.digits + "+/"
_CONTINUED = 50


@dataclass
class Activation:
    """One activation. Its code is told once, when it is made."""

    id: str
    code: str = field(repr=False)
    role: str
    limit: int
    expires: datetime
    description: str
    name: str
    tags: list[dict[str, str]]
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    count: int = 0

    @property
    def expired(self) -> bool:
        """Return whether its time is over."""
        return datetime.now(UTC) >= self.expires

    def shown(self) -> dict[str, Any]:
        """Return the activation as the API shows it."""
        return {
            "ActivationId": self.id,
            "Description": self.description,
            "DefaultInstanceName": self.name,
            "IamRole": self.role,
            "RegistrationLimit": self.limit,
            "RegistrationsCount": self.count,
            "ExpirationDate": self.expires,
            "Expired": self.expired,
            "CreatedDate": self.created,
            "Tags": self.tags,
        }


@dataclass(frozen=True)
class Instance:
    """One managed instance."""

    id: str
    activation: str
    role: str
    name: str
    computer: str
    address: str
    registered: datetime

    def shown(self) -> dict[str, Any]:
        """Return the instance as the API shows it."""
        return {
            "InstanceId": self.id,
            "PingStatus": "Online",
            "LastPingDateTime": datetime.now(UTC),
            "AgentVersion": _AGENT,
            "IsLatestVersion": True,
            "PlatformType": "Linux",
            "PlatformName": "Debian GNU/Linux",
            "PlatformVersion": "12",
            "ActivationId": self.activation,
            "IamRole": self.role,
            "RegistrationDate": self.registered,
            "ResourceType": "ManagedInstance",
            "Name": self.name,
            "IPAddress": self.address,
            "ComputerName": self.computer,
            "SourceType": "AWS::SSM::ManagedInstance",
            "SourceId": self.id,
        }


class Activations:
    """The activations and managed instances of one Region. `trust` gives a role's trust policy by its name, None for none."""

    def __init__(self, trust: Callable[[str], str | None]) -> None:
        self._trust = trust
        self.all: dict[str, Activation] = {}
        self.instances: dict[str, Instance] = {}
        # What was registered once never comes back by the same activation.
        self._spent: set[tuple[str, str]] = set()

    def create(self, asked: Mapping[str, Any], id_: str = "") -> Activation:
        """Make an activation. Raises RefusedError."""
        role, limit = str(asked["IamRole"]), int(asked.get("RegistrationLimit") or 1)
        if not 1 <= limit <= _MOST_REGISTRATIONS:
            raise _validation(f"Registration limit must be between 1 and {_MOST_REGISTRATIONS}")
        if len(role) > 64:
            raise _validation("Value at 'iamRole' failed to satisfy constraint: Member must have length at most 64")
        if "ssm.amazonaws.com" not in (self._trust(role) or ""):
            raise _validation(f"Nonexistent role or missing ssm service principal in trust policy: {role}")
        now = datetime.now(UTC)
        expires = _moment(asked.get("ExpirationDate")) or now + _DEFAULT_LIFE
        if expires <= now:
            raise _validation("ExpirationDate must be in the future")
        if expires > now + _LONGEST_LIFE:
            raise _validation("ExpirationDate cannot be more than 30 days in the future")
        activation = Activation(
            id_ or str(uuid4()),
            "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LENGTH)),
            role,
            limit,
            expires,
            str(asked.get("Description") or ""),
            str(asked.get("DefaultInstanceName") or ""),
            [dict(tag) for tag in asked.get("Tags") or []],
        )
        self.all[activation.id] = activation
        return activation

    def describe(self, filters: Iterable[Mapping[str, Any]]) -> list[Activation]:
        """Return the activations that pass all filters. Raises RefusedError."""
        found = list(self.all.values())
        keys = {"ActivationIds": "id", "DefaultInstanceName": "name", "IamRole": "role"}
        for one in filters:
            key, values = str(one.get("FilterKey")), one.get("FilterValues") or []
            if key not in keys:
                raise RefusedError("InvalidFilter", f"The filter name is not valid: {key}")
            found = [activation for activation in found if getattr(activation, keys[key]) in values]
        return found

    def delete(self, id_: str) -> None:
        """Remove an activation; what registered through it stays registered. Raises RefusedError."""
        if id_ not in self.all:
            raise RefusedError("InvalidActivationId", "The activation ID is not valid.")
        del self.all[id_]

    def register(self, id_: str, code: str, computer: str, address: str) -> str:
        """Register a machine, as its agent does, and return its id. Raises RefusedError."""
        activation = self.all.get(id_)
        if activation is None or not secrets.compare_digest(activation.code, code):
            raise RefusedError("InvalidActivation", "The activation is not valid.")
        if activation.expired or activation.count >= activation.limit:
            raise RefusedError("InvalidActivation", "The activation has expired, or its registration limit is reached.")
        if (id_, computer) in self._spent:
            raise RefusedError("InvalidActivation", "A deregistered machine needs another activation.")
        activation.count += 1
        made = Instance(
            f"mi-{secrets.token_hex(9)[:17]}",
            id_, activation.role, activation.name or computer, computer, address, datetime.now(UTC),
        )  # fmt: skip
        self.instances[made.id] = made
        return made.id

    def deregister(self, id_: str) -> None:
        """Take a machine off the list. Raises RefusedError."""
        if id_ not in self.instances:
            raise RefusedError("InvalidInstanceId", f"Instance {id_} is not registered")
        gone = self.instances.pop(id_)
        self._spent.add((gone.activation, gone.computer))

    def listed(self, asked: Mapping[str, Any]) -> list[Instance]:
        """Return the machines that pass the filters of DescribeInstanceInformation. Raises RefusedError."""
        found = list(self.instances.values())
        keys = {"InstanceIds": "id", "ActivationIds": "activation", "IamRole": "role"}
        filters = [(one.get("Key"), one.get("Values")) for one in asked.get("Filters") or []]
        filters += [(one.get("key"), one.get("valueSet")) for one in asked.get("InstanceInformationFilterList") or []]
        for key, values in filters:
            if key in ("PingStatus", "PlatformTypes", "ResourceType"):
                shown = {"PingStatus": "Online", "PlatformTypes": "Linux", "ResourceType": "ManagedInstance"}[key]
                found = found if shown in (values or []) else []
            elif key in keys:
                found = [one for one in found if getattr(one, keys[key]) in (values or [])]
            else:
                raise RefusedError("InvalidInstanceInformationFilterValue", f"The filter name is not valid: {key}")
        return found


class Ssm(Gated, SimpleSystemManagerResponse):
    """moto's SSM with activations and managed instances."""

    @property
    def _activations(self) -> Activations:
        return self.account.activations(self.region)

    @property
    def _sent(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(self.body or "{}")
        return found

    def create_activation(self) -> ActionResult:
        made = self._activations.create(self._sent)
        return ActionResult({"ActivationId": made.id, "ActivationCode": made.code})

    def describe_activations(self) -> ActionResult:
        found = self._activations.describe(self._sent.get("Filters") or [])
        return self._page("ActivationList", [one.shown() for one in found])

    def delete_activation(self) -> ActionResult:
        self._activations.delete(str(self._sent["ActivationId"]))
        return EmptyResult()

    def describe_instance_information(self) -> ActionResult:
        found = self._activations.listed(self._sent)
        return self._page("InstanceInformationList", [one.shown() for one in found])

    def deregister_managed_instance(self) -> ActionResult:
        self._activations.deregister(str(self._sent["InstanceId"]))
        return EmptyResult()

    def _page(self, key: str, found: list[Any]) -> ActionResult:
        """Return one page; the token is the place where the next one begins."""
        token = str(self._sent.get("NextToken") or "0")
        if not token.isdigit():
            raise RefusedError("InvalidNextToken", "The specified token is not valid.")
        start, end = int(token), int(token) + int(self._sent.get("MaxResults") or _CONTINUED)
        return ActionResult({key: found[start:end], "NextToken": str(end) if end < len(found) else None})


def _validation(message: str) -> RefusedError:
    return RefusedError("ValidationException", message)


def _moment(value: object) -> datetime | None:
    """Return a moment as the JSON protocol sends it: seconds since 1970."""
    return None if value is None else datetime.fromtimestamp(float(str(value)), UTC)
