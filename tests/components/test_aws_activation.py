"""The activation of a site: what is registered, what is exported, and that its code is never in clear."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.session import Session
from botocore.stub import Stubber
from pulumi.runtime import MockResourceArgs

from components.errors import ProgramError
from components.testing import SECRET_KEY, Recording, record_program
from edge.errors import LabError
from lab.rehearsal.aws import Aws
from tests.components.aws_api import problems
from tests.components.harness import PROJECT, ROOT, canary, config_of
from tests.components.rules import _clear_texts

pytestmark = pytest.mark.row("C2", "C7")

ACTIVATION = "aws:ssm/activation:Activation"
ID = "4a6a1c1e-5f0a-4c53-9f5e-0d9d7a3b2c11"
CODE = canary("code-of-aws")
EXPIRES = (datetime.now(UTC) + timedelta(days=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
ROLE_ARN = "arn:aws:iam::066635153087:role/edge/Nodes"
OUTPUTS = {ACTIVATION: {"activationCode": CODE}}


def recorded(activation: Mapping[str, Any] | None, network: Mapping[str, Any] | None = None, **more: Any) -> Recording:
    """Return what the program registers for the committed staging site with an activation."""
    config, secret_keys = config_of("staging")
    site = json.loads(config[f"{PROJECT}:site"])
    site["network"] |= {"hybridRoleArn": ROLE_ARN, "accountId": "066635153087"} if network is None else network
    config[f"{PROJECT}:site"] = json.dumps(site | ({"activation": activation} if activation else {}))
    config |= {f"{PROJECT}:{name}": canary(name) for name in ("activationCode", "mine")}
    secret_keys = [*secret_keys, f"{PROJECT}:activationCode", f"{PROJECT}:mine"]
    options = {"config": config, "secret_keys": secret_keys, "outputs": OUTPUTS, **more}
    return record_program(ROOT, project=PROJECT, stack="staging", **options)


def made(expires: str = EXPIRES, **more: Any) -> dict[str, Any]:
    return {"source": "create", "expires": expires, **more}


@functools.cache
def plain_one() -> Recording:
    """Return the recording of the plain case, made once."""
    return recorded(made())


def only(recording: Recording) -> Any:
    (found,) = [one for one in recording.resources if one.type == ACTIVATION]
    return found


def name_of_the_site() -> str:
    return str(json.loads(config_of("staging")[0][f"{PROJECT}:site"])["name"])


def test_a_site_makes_one_activation_for_its_hosts() -> None:
    site = name_of_the_site()
    recording = plain_one()
    one = only(recording)
    assert {key: one.plain(key) for key in one.inputs} == {
        "name": site,
        "description": f"Edge hosts of site {site}, stack edge-hosts.staging",
        "iamRole": "edge/Nodes",
        "registrationLimit": 10,
        "expirationDate": EXPIRES,
        "region": "eu-central-1",
        "tags": {
            "edge-hosts-owner": "edge-hosts.staging",
            "edge-hosts-site": site,
            "EKSClusterARN": f"arn:aws:eks:eu-central-1:066635153087:cluster/{recording.exports['network']['cluster_name']}",
        },
    }
    assert one.parent == f"{site}-activation"
    assert one.additional_secret_outputs == ("activationCode",)
    assert not one.delete_before_replace and not one.ignore_changes and not one.protect
    component = recording.get(f"{site}-activation")
    assert (component.type, component.custom, component.parent) == ("edge-hosts:index:SiteActivation", False, site)
    assert component.dependencies == ()


def test_the_next_page_of_the_vendor_gets_id_and_code() -> None:
    recording = plain_one()
    assert recording.exports["activation"] == {
        "id": f"{name_of_the_site()}-activation-ssm-id",
        "region": "eu-central-1",
        "expires": EXPIRES,
        "registrations": 10,
        "role": "edge/Nodes",
    }
    assert recording.exports["activationCode"] == {SECRET_KEY: "1b47061264138c4ac30d75fd1eb44270", "value": CODE}
    assert recording.exports["network"]["hybrid_role_arn"] == ROLE_ARN


@pytest.mark.row("A15")
@pytest.mark.parametrize(
    "activation",
    [
        made(),
        {"source": "given", "id": ID, "code": {"secret": "activationCode"}},
        {"source": "given", "id": ID, "code": {"secret": "mine"}},
    ],
    ids=["made", "given", "given by another name"],
)
def test_the_code_is_in_no_input_and_no_export_in_clear(activation: dict[str, Any]) -> None:
    recording = recorded(activation)
    values = [CODE, canary("activationCode"), canary("mine")]
    for place in [*recording.resources, recording.exports]:
        tree = place if isinstance(place, dict) else place.inputs
        assert [path for path, text in _clear_texts(tree, "") if any(value in text for value in values)] == []
    assert recording.exports["activationCode"]["value"] in values
    secret = [name for name, value in recording.exports.items() if isinstance(value, dict) and SECRET_KEY in value]
    assert secret == ["activationCode"]


def test_a_given_activation_makes_nothing_and_is_handed_on() -> None:
    recording = recorded({"source": "given", "id": ID, "code": {"secret": "activationCode"}})
    assert not [one for one in recording.resources if one.type.startswith("aws:")]
    assert recording.exports["activation"] == {
        "id": ID,
        "region": "eu-central-1",
        "expires": "",
        "registrations": 0,
        "role": "edge/Nodes",
    }
    assert recording.exports["activationCode"]["value"] == canary("activationCode")


def test_a_given_activation_without_its_code_exports_no_code() -> None:
    exports = recorded({"source": "given", "id": ID}).exports
    assert exports["activation"]["id"] == ID
    assert "activationCode" not in exports


def test_a_site_without_an_activation_registers_and_exports_nothing_of_it() -> None:
    recording = recorded(None)
    assert not [one for one in recording.resources if "ctivation" in one.type]
    assert not {"activation", "activationCode"} & set(recording.exports)


def test_a_moment_is_sent_in_utc_as_the_provider_reads_it_back() -> None:
    """Any other form of the same moment would be a difference, so a new activation at every run."""
    there = datetime.fromisoformat(EXPIRES).astimezone(timezone(timedelta(hours=2))).isoformat()
    assert there.endswith("+02:00")
    assert only(recorded(made(there))).plain("expirationDate") == EXPIRES


def test_the_first_preview_knows_what_stands_in_the_settings() -> None:
    recording = recorded(made(), preview=True)
    one = only(recording)
    assert (one.plain("iamRole"), one.plain("registrationLimit")) == ("edge/Nodes", 10)


def test_the_settings_reach_the_activation() -> None:
    network = {"hybridRoleArn": None}
    one = only(recorded(made(registrations=77, role="edge/Own"), network))
    assert (one.plain("registrationLimit"), one.plain("iamRole")) == (77, "edge/Own")
    assert "EKSClusterARN" not in one.plain("tags")


@pytest.mark.parametrize(
    ("activation", "network", "words"),
    [
        (made("2025-01-01T00:00:00Z"), None, "lies in the past"),
        (made("2045-01-01T00:00:00Z"), None, "more than 30 days ahead"),
        (made(registrations=1), None, "so the last ones could not join"),
        (made(role="Others"), None, "is not the hybrid nodes role of the network"),
        (made(), {}, "tells no hybrid nodes role"),
        (made(), {"hybridRoleArn": ROLE_ARN, "credentialProvider": "iamRolesAnywhere"}, "does not fit"),
    ],
)
def test_a_bad_activation_stops_the_program_before_anything_is_registered(
    activation: dict[str, Any], network: dict[str, Any] | None, words: str
) -> None:
    with pytest.raises(ProgramError, match=words):
        recorded(activation, network)


def test_aws_would_take_what_is_sent() -> None:
    assert problems(only(plain_one())) == []
    assert problems(only(recorded(made(registrations=1000)))) == []


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("iamRole", "r" * 65, "more than 64"),
        ("iamRole", None, "Missing required parameter"),
        ("registrationLimit", 1001.0, "more than 1000"),
        ("registrationLimit", 0.0, "valid min value: 1"),
        ("name", "n" * 257, "more than 256"),
        ("name", "a, b", "does not match"),
        ("description", "d" * 257, "more than 256"),
        ("tags", {"k" * 129: "value"}, "more than 128"),
    ],
)
def test_what_aws_would_not_take_is_found(key: str, value: Any, words: str) -> None:
    one = only(plain_one())
    broken = dataclasses.replace(one, inputs={**one.inputs, key: value})
    assert words in " ".join(problems(broken))


# The rehearsal asks for it for real; botocore's stub stands in for the answer.


def stubbed() -> tuple[Aws, Any, list[tuple[str, str]]]:
    session = Session()
    session.set_credentials("key", "secret")
    client = session.create_client("ssm", region_name="eu-central-1")
    asked: list[tuple[str, str]] = []

    def connect(service: str, region: str) -> Any:
        asked.append((service, region))
        return client

    return Aws({"aws:region": "eu-central-1"}, connect), Stubber(client), asked


def wire(**more: Any) -> MockResourceArgs:
    one = only(plain_one())
    inputs = {key: one.plain(key) for key in one.inputs}
    return MockResourceArgs(ACTIVATION, "plant-activation-ssm", {**inputs, **more}, "", "", custom=True)


def test_the_rehearsal_asks_for_what_the_program_registers() -> None:
    aws, stubber, asked = stubbed()
    args = wire(registrationLimit=10.0)
    expected = {
        "Description": args.inputs["description"],
        "DefaultInstanceName": args.inputs["name"],
        "IamRole": "edge/Nodes",
        "RegistrationLimit": 10,
        "ExpirationDate": datetime.fromisoformat(EXPIRES),
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(args.inputs["tags"].items())],
    }
    stubber.add_response("create_activation", {"ActivationId": ID, "ActivationCode": CODE}, expected)
    with stubber:
        made_id, outputs = aws.create(args, args.inputs)
    stubber.assert_no_pending_responses()
    assert asked == [("ssm", "eu-central-1")]
    assert (made_id, outputs["activationCode"], outputs["expired"]) == (ID, CODE, False)
    assert outputs["iamRole"] == "edge/Nodes"


def test_a_refusal_of_aws_is_the_error_in_its_words() -> None:
    aws, stubber, _asked = stubbed()
    args = wire()
    stubber.add_client_error(
        "create_activation", "ValidationException", "Nonexistent role or missing ssm service principal"
    )
    with stubber, pytest.raises(LabError, match="Nonexistent role or missing ssm service principal"):
        aws.create(args, args.inputs)


def test_other_types_of_aws_are_an_error() -> None:
    args = MockResourceArgs("aws:s3/bucket:Bucket", "bucket", {}, "", "", custom=True)
    with pytest.raises(LabError, match="no provider for resources of type aws:s3/bucket:Bucket"):
        Aws({"aws:region": "eu-central-1"}).create(args, {})


def test_endpoints_and_keys_of_the_stack_lead_to_what_stands_in_for_aws() -> None:
    config = {
        "aws:region": "eu-central-1",
        "aws:endpoints": json.dumps([{"ssm": "http://127.0.0.1:9"}]),
        "aws:accessKey": "lab",
        "aws:secretKey": "lab",
    }
    args = wire()
    with pytest.raises(LabError, match=r"127\.0\.0\.1:9"):
        Aws(config).create(args, args.inputs)
