"""What is read from AWS: one IAM action per line, why, and whether it can be done without.

One table, used three times: the reads take from it which of them may be refused, messages say from it what a missing
action is for, and `python -m edge.aws.permissions` prints it as an IAM policy (`--table`: as Markdown).
Actions are named as in the Service Authorization Reference.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Actions:
    """The IAM actions of one type of object; `what` says in words what is made, `note` what a policy must know beside."""

    what: str
    create: tuple[str, ...]
    read: tuple[str, ...]
    update: tuple[str, ...]
    delete: tuple[str, ...]
    note: str = ""

    def all(self) -> tuple[str, ...]:
        """Return every action once, sorted."""
        return tuple(sorted({*self.create, *self.read, *self.update, *self.delete}))


def table(made: Mapping[str, Actions]) -> str:
    """Return what is made, with the actions of each deed, as a Markdown table; notes below it."""
    rows = ["| what | type | create | read | update | delete |", "| --- | --- | --- | --- | --- | --- |"]
    for type_, one in made.items():
        deeds = (", ".join(f"`{action}`" for action in deed) for deed in (one.create, one.read, one.update, one.delete))
        rows.append(f"| {one.what} | `{type_}` | {' | '.join(deeds)} |")
    notes = [f"- {one.what}: {one.note}" for one in made.values() if one.note]
    return "\n".join([*rows, "", *notes]).rstrip()


Scope = Literal["all", "cluster", "accessEntry", "role", "policy"]


@dataclass(frozen=True)
class Read:
    """One IAM action that a look-up may need.

    A required read that is refused ends the look-up; of another one only the action is noted (`AwsView.denied`), and the
    rules say what they could not judge. `scope`: which resources the action is asked on.
    """

    action: str
    why: str
    required: bool = False
    scope: Scope = "all"

    @property
    def sid(self) -> str:
        """Return the id of the policy statement that the action belongs to."""
        return {"all": "Account", "accessEntry": "AccessEntries"}.get(self.scope, self.scope.capitalize())


READS: tuple[Read, ...] = (
    Read("eks:DescribeCluster", "the cluster: endpoint, CA, networks, authentication, VPC", True, "cluster"),
    Read("eks:ListClusters", "names the clusters that exist when the wanted one does not"),
    Read("eks:ListAccessEntries", "finds the access entry of the hosts", scope="cluster"),
    Read("eks:DescribeAccessEntry", "the type of that access entry", scope="accessEntry"),
    Read("ec2:DescribeVpcs", "all address blocks of the VPC", True),
    Read("ec2:DescribeVpcAttribute", "whether the VPC resolves private names"),
    Read("ec2:DescribeSubnets", "address blocks, zones and free addresses of the control plane's subnets", True),
    Read("ec2:DescribeRouteTables", "whether every one of those subnets has routes to the site"),
    Read("ec2:DescribeNetworkInterfaces", "present addresses of the control plane", True),
    Read("ec2:DescribeSecurityGroupRules", "whether hosts and control plane may reach each other"),
    Read("ec2:GetManagedPrefixListEntries", "the networks behind prefix lists in those rules and routes"),
    Read("ec2:DescribeVpcEndpoints", "which AWS services the hosts reach inside the VPC", True),
    Read("ec2:DescribeVpnGateways", "the virtual private gateway of the VPC"),
    Read("ec2:DescribeTransitGatewayVpcAttachments", "the transit gateway of the VPC"),
    Read("ec2:DescribeVpnConnections", "outside addresses and state of the VPN's tunnels"),
    Read("route53resolver:ListResolverEndpoints", "the inbound endpoint that the site's DNS forwards to"),
    Read("route53resolver:ListResolverEndpointIpAddresses", "the addresses of that endpoint"),
    Read("iam:GetRole", "the trust policy of the hybrid nodes role", scope="role"),
    Read("iam:ListRolePolicies", "the inline policies of that role", scope="role"),
    Read("iam:GetRolePolicy", "what those policies allow", scope="role"),
    Read("iam:ListAttachedRolePolicies", "the managed policies of that role", scope="role"),
    Read("iam:GetPolicy", "the version of a managed policy that is in use", scope="policy"),
    Read("iam:GetPolicyVersion", "what that version allows", scope="policy"),
    Read("ssm:DescribeActivations", "life and free registrations of the stack's activation"),
)
_BY_ACTION = {read.action: read for read in READS}


SERVICES = tuple(sorted({read.action.partition(":")[0] for read in READS}))


def can_do_without(action: str) -> bool:
    """Return whether a look-up goes on when this action is refused; taking on a role, for one, is not in the table."""
    return action in _BY_ACTION and not _BY_ACTION[action].required


def policy(
    partition: str = "aws", region: str = "*", account: str = "*", cluster: str = "*", role: str = "*"
) -> dict[str, Any]:
    """Return the IAM policy that allows every read and nothing else, as small as its arguments are precise."""
    where: dict[Scope, str | list[str]] = {
        "all": "*",
        "cluster": f"arn:{partition}:eks:{region}:{account}:cluster/{cluster}",
        "accessEntry": f"arn:{partition}:eks:{region}:{account}:access-entry/{cluster}/*",
        "role": f"arn:{partition}:iam::{account}:role/{role}",
        "policy": [f"arn:{partition}:iam::{owner}:policy/*" for owner in dict.fromkeys((account, "aws"))],
    }
    statements = []
    for scope, resource in where.items():
        of_scope = [read for read in READS if read.scope == scope]
        actions = sorted(read.action for read in of_scope)
        statements.append({"Sid": of_scope[0].sid, "Effect": "Allow", "Action": actions, "Resource": resource})
    return {"Version": "2012-10-17", "Statement": statements}


def as_markdown() -> str:
    """Return the table for a document."""
    lines = ["| IAM action | needed | what is read |", "| --- | --- | --- |"]
    lines += [f"| `{read.action}` | {'yes' if read.required else 'optional'} | {read.why} |" for read in READS]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> str:
    """Return what the command prints: the policy, or with `--table` the table."""
    return as_markdown() if "--table" in arguments else json.dumps(policy(), indent=2)


if __name__ == "__main__":
    print(main(sys.argv[1:]))
