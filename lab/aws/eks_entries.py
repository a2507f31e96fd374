"""The access entries of a cluster. Sources: EKS API reference (CreateAccessEntry), EKS User Guide, access entries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from lab.aws.eks_cluster import Cluster
from lab.aws.refusal import RefusedError, invalid, not_found

# What EKS sets as the user name of an entry that may not have one of its own.
_NODE_NAMES = {
    "HYBRID_LINUX": "system:node:{{SessionName}}",
    "EC2_LINUX": "system:node:{{EC2PrivateDNSName}}",
    "EC2_WINDOWS": "system:node:{{EC2PrivateDNSName}}",
    "FARGATE_LINUX": "system:node:{{SessionName}}",
    "EC2": "system:node:{{EC2PrivateDNSName}}",
}
_NODE_GROUPS = {"HYBRID_LINUX": ["system:nodes"], "EC2_LINUX": ["system:nodes"], "FARGATE_LINUX": ["system:nodes"],
                "EC2_WINDOWS": ["system:nodes", "eks:kube-proxy-windows"]}  # fmt: skip
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/(?:[\w+=,.@-]+/)*([\w+=,.@-]+)")


@dataclass
class Entry:
    """One access entry."""

    cluster: str
    principal: str
    type: str
    username: str
    groups: list[str]
    arn: str
    tags: dict[str, str]
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))

    def shown(self) -> dict[str, Any]:
        """Return the entry as the API shows it."""
        return {
            "clusterName": self.cluster,
            "principalArn": self.principal,
            "kubernetesGroups": self.groups,
            "accessEntryArn": self.arn,
            "createdAt": self.created,
            "modifiedAt": self.modified,
            "tags": self.tags,
            "username": self.username,
            "type": self.type,
        }


class Entries:
    """The access entries of the clusters of one Region. `principals` are the IAM users and roles that exist, by ARN."""

    def __init__(self, principals: Mapping[str, str]) -> None:
        self._principals = principals
        self.all: dict[tuple[str, str], Entry] = {}

    def of(self, cluster: Cluster) -> list[Entry]:
        """Return the entries of a cluster by principal. Raises RefusedError in the mode without entries."""
        self._check_mode(cluster)
        return [entry for (name, _), entry in sorted(self.all.items()) if name == cluster.name]

    def get(self, cluster: Cluster, principal: str) -> Entry:
        """Return one entry. Raises RefusedError."""
        self._check_mode(cluster)
        if (cluster.name, principal) not in self.all:
            raise not_found(
                "The specified principalArn could not be found. You can view your available access entries with "
                "'list-access-entries'."
            )
        return self.all[cluster.name, principal]

    def create(self, cluster: Cluster, asked: Mapping[str, Any]) -> Entry:
        """Make an entry. Raises RefusedError."""
        self._check_mode(cluster)
        principal, kind = str(asked["principalArn"]), str(asked.get("type") or "STANDARD")
        if kind != "STANDARD" and kind not in _NODE_NAMES:
            raise invalid(f"The specified type {kind} is invalid")
        if principal not in self._principals:
            raise invalid("The specified principalArn is invalid: invalid principal.")
        if kind != "STANDARD" and not _ROLE.fullmatch(principal):
            raise invalid(f"The specified principalArn must be an IAM role for access entries of type {kind}")
        if (cluster.name, principal) in self.all:
            raise RefusedError(
                "ResourceInUseException", "The specified access entry resource is already in use on this cluster.", 409
            )
        groups, username = list(asked.get("kubernetesGroups") or []), str(asked.get("username") or "")
        self._check_own(kind, groups, username)
        entry = Entry(
            cluster.name,
            principal,
            kind,
            username or _NODE_NAMES.get(kind) or _username(principal),
            groups or list(_NODE_GROUPS.get(kind, [])),
            _entry_arn(cluster, principal),
            dict(asked.get("tags") or {}),
        )
        self.all[cluster.name, principal] = entry
        return entry

    def update(self, cluster: Cluster, asked: Mapping[str, Any]) -> Entry:
        """Change groups or user name of an entry; its type stays for ever. Raises RefusedError."""
        entry = self.get(cluster, str(asked["principalArn"]))
        groups, username = asked.get("kubernetesGroups"), str(asked.get("username") or "")
        self._check_own(entry.type, list(groups or []), username)
        entry.groups = entry.groups if groups is None else list(groups)
        entry.username = username or entry.username
        entry.modified = datetime.now(UTC)
        return entry

    def delete(self, cluster: Cluster, principal: str) -> None:
        """Remove an entry. Raises RefusedError."""
        self.get(cluster, principal)
        del self.all[cluster.name, principal]

    def forget(self, cluster: str) -> None:
        """Remove the entries of a cluster that is gone."""
        self.all = {key: entry for key, entry in self.all.items() if key[0] != cluster}

    @staticmethod
    def _check_own(kind: str, groups: list[str], username: str) -> None:
        if kind != "STANDARD" and (groups or username):
            raise invalid(f"kubernetesGroups and username cannot be specified for access entries of type {kind}")
        if any(group.startswith(("system:", "eks:", "aws:", "amazon:", "iam:")) for group in groups):
            raise invalid("The kubernetes group name is invalid, it cannot start with a reserved prefix")

    @staticmethod
    def _check_mode(cluster: Cluster) -> None:
        if cluster.mode == "CONFIG_MAP":
            raise RefusedError(
                "InvalidRequestException",
                "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this "
                "operation.",
            )


def _username(principal: str) -> str:
    """Return the user name that EKS gives a person's or a tool's principal."""
    if role := _ROLE.fullmatch(principal):
        account = principal.split(":")[4]
        return f"arn:aws:sts::{account}:assumed-role/{role[1]}/{{{{SessionName}}}}"
    return principal


def _entry_arn(cluster: Cluster, principal: str) -> str:
    _, _, _, _, account, resource = principal.split(":", 5)
    kind, _, name = resource.partition("/")
    prefix = str(cluster.shown["arn"]).replace(":cluster/", ":access-entry/")
    return f"{prefix}/{kind}/{account}/{name}/{uuid4()}"
