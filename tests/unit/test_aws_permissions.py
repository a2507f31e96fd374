"""The table of what is read, as an IAM policy and as a document."""

from __future__ import annotations

import json

from edge.aws import document
from edge.aws.permissions import READS, as_markdown, main, policy
from tests.unit.aws_world import (
    ACCOUNT,
    NAME,
    ROLE,
)


def test_the_policy_allows_what_is_read_and_nothing_else() -> None:
    statements = policy("aws-cn", "cn-north-1", ACCOUNT, NAME, ROLE)["Statement"]
    allowed = [action for one in statements for action in one["Action"]]
    assert sorted(allowed) == sorted(read.action for read in READS)
    assert {one["Effect"] for one in statements} == {"Allow"}
    resources = {one["Sid"]: one["Resource"] for one in statements}
    assert resources == {
        "Account": "*",
        "Cluster": f"arn:aws-cn:eks:cn-north-1:{ACCOUNT}:cluster/{NAME}",
        "AccessEntries": f"arn:aws-cn:eks:cn-north-1:{ACCOUNT}:access-entry/{NAME}/*",
        "Role": f"arn:aws-cn:iam::{ACCOUNT}:role/{ROLE}",
        "Policy": [f"arn:aws-cn:iam::{ACCOUNT}:policy/*", "arn:aws-cn:iam::aws:policy/*"],
    }
    words = ("Describe", "List", "Get")
    assert all(action.partition(":")[2].startswith(words) for action in allowed), "a look-up only reads"
    assert json.loads(main([])) == policy()
    assert main(["--table"]) == as_markdown()
    assert "| `eks:DescribeCluster` | yes |" in as_markdown()


def test_the_document_is_in_step() -> None:
    """`python -m edge.aws.document` writes it anew."""
    assert document.PATH.read_text("utf-8") == document.markdown()
