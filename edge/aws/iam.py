"""The IAM policies of the hybrid nodes role, as plain policy documents: who may take the role on, and what it may do.

Sources: EKS User Guide, "Prepare credentials for hybrid nodes"; the CloudFormation templates of nodeadm
(aws/eks-hybrid, example/ and test/e2e/credentials); nodeadm source, internal/node/hybrid (what it asks of EKS);
Systems Manager User Guide, "Create the IAM service role required for Systems Manager in hybrid environments".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from edge.endpoints.partitions import BY_ID

if TYPE_CHECKING:
    from edge.settings.network import CredentialProvider

Document = dict[str, Any]
DeregisterBy = Literal["sourceInstance", "tag"]

VERSION = "2012-10-17"
# The tag by which an activation marks its hosts as those of a cluster (EKS User Guide, hybrid nodes credentials).
CLUSTER_TAG = "EKSClusterARN"
POLICY_NAME = "EKSHybridNodes"
# Both services have the same principal in every partition.
_PRINCIPALS: Mapping[str, str] = {"ssm": "ssm.amazonaws.com", "iamRolesAnywhere": "rolesanywhere.amazonaws.com"}
_PULL = "AmazonEC2ContainerRegistryPullOnly"
_MANAGED: Mapping[str, Mapping[str, str]] = {
    "ssm": {"ssm-core": "AmazonSSMManagedInstanceCore", "ecr-pull": _PULL},
    "iamRolesAnywhere": {"ecr-pull": _PULL},
}
# Hours that a session of a role can last at most (IAM API reference, CreateRole, MaxSessionDuration).
_LONGEST_HOURS = 12


def trust_policy(
    provider: CredentialProvider, *, partition: str, region: str, account: str, trust_anchor: str = ""
) -> Document:
    """Return who may take the role on: Systems Manager of this account and Region, or one trust anchor.

    With `iamRolesAnywhere` the session is named after the certificate's common name, which is the node's name. Every
    statement names its source. A trust anchor's ARN holds the account, and Roles Anywhere documents no other key, so
    `aws:SourceAccount` is asked of Systems Manager only. Raises ValueError when Roles Anywhere has no trust anchor.
    """
    principal = {"Service": _PRINCIPALS[provider]}
    if provider == "ssm":
        source = BY_ID[partition].arn("ssm", region, account, "*")
        condition = {"StringEquals": {"aws:SourceAccount": account}, "ArnEquals": {"aws:SourceArn": source}}
        return _document(_allow("sts:AssumeRole", Principal=principal, Condition=condition))
    if not trust_anchor:
        raise ValueError("a role of Roles Anywhere trusts one trust anchor, and none is given")
    anchor = {"ArnEquals": {"aws:SourceArn": trust_anchor}}
    named = {"StringEquals": {"sts:RoleSessionName": "${aws:PrincipalTag/x509Subject/CN}"}}
    return _document(
        # Tags and source identity are set before the session has its tags, so the name cannot be asked for here.
        _allow("sts:TagSession", "sts:SetSourceIdentity", Principal=principal, Condition=anchor),
        _allow("sts:AssumeRole", Principal=principal, Condition={**named, **anchor}),
    )


def inline_policy(
    provider: CredentialProvider,
    *,
    partition: str,
    region: str,
    account: str,
    cluster_arn: str,
    deregister_by: DeregisterBy = "sourceInstance",
    pod_identity: bool = False,
) -> Document:
    """Return what the role may do beside its managed policies.

    nodeadm reads the cluster and, since 1.0.16, its access entries; without the second its `init` fails. With `ssm` it
    also looks its own registration up and removes it on `uninstall`: `sourceInstance` allows that to callers that are
    registered hosts themselves, `tag` for hosts that carry the cluster's tag (which must have come from the activation).
    """
    statements = [_allow("eks:DescribeCluster", "eks:ListAccessEntries", Sid="ReadCluster", Resource=cluster_arn)]
    if provider == "ssm":
        hosts = BY_ID[partition].arn("ssm", region, account, "managed-instance/*")
        condition = {
            "sourceInstance": {"ArnLike": {"ssm:SourceInstanceARN": hosts}},
            "tag": {"StringEquals": {f"ssm:resourceTag/{CLUSTER_TAG}": cluster_arn}},
        }[deregister_by]
        statements += [
            _allow("ssm:DescribeInstanceInformation", Sid="FindHosts", Resource="*"),
            _allow("ssm:DeregisterManagedInstance", Sid="DeregisterHosts", Resource=hosts, Condition=condition),
        ]
    if pod_identity:
        statements.append(_allow("eks-auth:AssumeRoleForPodIdentity", Sid="PodIdentity", Resource="*"))
    return _document(*statements)


def managed_policies(provider: CredentialProvider, partition: str) -> dict[str, str]:
    """Return the ARNs of the AWS managed policies that the role needs, each by a short word that never changes."""
    return {word: BY_ID[partition].arn("iam", "", "aws", f"policy/{name}") for word, name in _MANAGED[provider].items()}


def max_session(session: timedelta) -> int:
    """Return the longest session of the role in seconds, for a profile of Roles Anywhere with sessions of this length.

    It must be longer than the profile's: the next whole hour above it, at least one and at most 12.
    """
    return min(session // timedelta(hours=1) + 1, _LONGEST_HOURS) * 3600


def role_parts(written: str) -> tuple[str, str]:
    """Return path and name of a role as IAM wants them: `edge/nodes` is `/edge/` and `nodes`, `nodes` is `/` and `nodes`."""
    path, _, name = written.rpartition("/")
    return (f"/{path}/" if path else "/"), name


def role_in(arn: str) -> str:
    """Return the name of the role in an ARN, with its path when it has one, as Systems Manager takes it; "" for no ARN."""
    return arn.partition(":role/")[2]


def rendered(document: Mapping[str, Any]) -> str:
    """Return a policy document as text: the same text for the same document, so that no run shows a difference."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _document(*statements: Document) -> Document:
    return {"Version": VERSION, "Statement": list(statements)}


def _allow(*actions: str, **more: Any) -> Document:
    return {"Effect": "Allow", "Action": actions[0] if len(actions) == 1 else list(actions), **more}
