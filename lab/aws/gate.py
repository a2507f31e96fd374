"""Who may ask the account, and what it refuses while a fault is on."""

from __future__ import annotations

from collections.abc import Callable

from lab.aws.refusal import denied, expired, throttled, unknown_key
from lab.services.faults import Faults


class Gate:
    """Lets requests in by access key, unless a fault says otherwise. `caller` gives the ARN of a key, None for a stranger."""

    def __init__(self, faults: Faults, caller: Callable[[str], str | None]) -> None:
        self._faults = faults
        self._caller = caller

    def check(self, service: str, operation: str, access_key: str, resource: str = "") -> None:
        """Return when the request may be answered. `resource` is the ARN it is about, where AWS says it. Raises RefusedError."""
        caller = self._caller(access_key)
        if caller is None:
            raise unknown_key(service)
        if self._faults.active("aws-expired"):
            raise expired(service)
        if self._faults.take("aws-throttled"):
            raise throttled(service)
        action = f"{service}:{operation}"
        # Nobody can be denied to ask who they are.
        if action != "sts:GetCallerIdentity" and self._faults.active("aws-denied", action):
            raise denied(service, action, caller, resource)
