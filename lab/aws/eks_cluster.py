"""What the account keeps of a cluster of EKS and of its updates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lab.aws.eks_rules import Remote

Data = dict[str, Any]
ANYWHERE = "0.0.0.0/0"
PLATFORM = "eks.1"
_LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")


@dataclass
class Update:
    """One update of a cluster."""

    id: str
    type: str
    params: list[dict[str, str]]
    created: datetime
    status: str = "InProgress"

    def shown(self) -> Data:
        """Return the update as the API shows it."""
        return {
            "id": self.id,
            "status": self.status,
            "type": self.type,
            "params": self.params,
            "createdAt": self.created,
            "errors": [],
        }


@dataclass
class Cluster:
    """One cluster. `shown` is what DescribeCluster answers; the rest is what belongs to it."""

    shown: Data
    remote: Remote
    interfaces: list[str] = field(default_factory=list)
    updates: dict[str, Update] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.shown["name"])

    @property
    def vpc_config(self) -> Data:
        found: Data = self.shown["resourcesVpcConfig"]
        return found

    @property
    def mode(self) -> str:
        return str(self.shown["accessConfig"]["authenticationMode"])

    def settle(self) -> None:
        """End what is going on: time has passed."""
        self.shown["status"] = "ACTIVE"
        for update in self.updates.values():
            update.status = "Successful"

    def busy(self) -> bool:
        """Return whether the cluster is being made or updated."""
        return str(self.shown["status"]) != "ACTIVE"


def plain(remote: Remote) -> Data:
    """Return remote networks without those that are empty."""
    return {key: cidrs for key, cidrs in remote.items() if cidrs}


def logging_of(asked: Mapping[str, Any] | None) -> Data:
    """Return the control plane's logging as the API shows it: what is on, then what is off."""
    on = {kind for one in (asked or {}).get("clusterLogging") or [] if one.get("enabled") for kind in one["types"]}
    groups = [(sorted(on), True), ([kind for kind in _LOG_TYPES if kind not in on], False)]
    return {"clusterLogging": [{"types": kinds, "enabled": enabled} for kinds, enabled in groups if kinds]}
