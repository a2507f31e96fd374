"""The table of IAM actions of a managed network: whole, of real actions, and printed."""

from __future__ import annotations

import json
import subprocess
import sys

import botocore.session
import pytest

from edge.aws import plan_objects
from edge.aws.permissions_managed import MANAGED_ACTIONS, as_policy, as_table, every

pytestmark = pytest.mark.row("C2")

# Rights without a call of their own (Service Authorization Reference).
NO_CALL = {"iam:PassRole"}


def test_every_type_that_a_plan_can_make_has_its_actions() -> None:
    types = {value for name, value in vars(plan_objects).items() if name.isupper() and str(value).startswith("aws:")}
    assert set(MANAGED_ACTIONS) == types
    assert all(one.create and one.read and one.delete for one in MANAGED_ACTIONS.values())


def test_every_action_is_a_call_that_the_service_has() -> None:
    session = botocore.session.get_session()
    known = {
        f"{service}:{operation}"
        for service in ("ec2", "eks", "iam", "route53resolver", "sts")
        for operation in session.get_service_model(service).operation_names
    }
    assert [action for action in every() if action not in known | NO_CALL] == []


def test_the_table_and_the_policy_are_printed() -> None:
    command = [sys.executable, "-m", "edge.aws.permissions_managed"]
    table = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert table == as_table() + "\n"
    assert all(f"`{type_}`" in table for type_ in MANAGED_ACTIONS)
    policy = subprocess.run([*command, "--policy"], capture_output=True, text=True, check=True).stdout
    assert json.loads(policy) == json.loads(as_policy())
    assert "eks:CreateCluster" in json.loads(policy)["Statement"][0]["Action"]
