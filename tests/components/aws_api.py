"""What AWS's own service models say about what we send: wire inputs as API parameters, judged by `aws_model`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from components.testing import Registration
from lab.rehearsal.aws import activation_parameters
from tests.components.aws_model import judged


def problems(one: Registration) -> list[str]:
    """Return everything that the API's model has against a registration. Raises KeyError for a type without a mapping."""
    service, operation, mapped = CALLS[one.type]
    inputs = {key: one.plain(key) for key in one.inputs}
    known, parameters = mapped(one.name, inputs)
    left = {key for key, value in inputs.items() if value is not None} - {*known, "region"}
    return [*judged(service, operation, parameters), *(f"{key} is not sent" for key in left)]


def _tags(tags: Mapping[str, str], key: str, value: str) -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in sorted(tags.items())]


Mapped = tuple[set[str], dict[str, Any]]


def _given(inputs: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    found = {there: inputs[here] for here, there in names.items() if inputs.get(here) is not None}
    return {key: int(value) if isinstance(value, float) else value for key, value in found.items()}


def _activation(_name: str, inputs: Mapping[str, Any]) -> Mapped:
    known = {"name", "description", "iamRole", "registrationLimit", "expirationDate", "tags"}
    return known, activation_parameters(inputs)


def _entry(_name: str, inputs: Mapping[str, Any]) -> Mapped:
    names = {"clusterName": "clusterName", "principalArn": "principalArn", "type": "type", "tags": "tags"}
    return {*names}, _given(inputs, names)


def _role(_name: str, inputs: Mapping[str, Any]) -> Mapped:
    names = {
        "name": "RoleName",
        "path": "Path",
        "description": "Description",
        "assumeRolePolicy": "AssumeRolePolicyDocument",
        "maxSessionDuration": "MaxSessionDuration",
        "permissionsBoundary": "PermissionsBoundary",
    }
    tags = {"Tags": _tags(inputs["tags"], "Key", "Value")} if "tags" in inputs else {}
    return {*names, "tags"}, _given(inputs, names) | tags


def _policy(_name: str, inputs: Mapping[str, Any]) -> Mapped:
    names = {"name": "PolicyName", "role": "RoleName", "policy": "PolicyDocument"}
    return {*names}, _given(inputs, names)


def _attachment(_name: str, inputs: Mapping[str, Any]) -> Mapped:
    names = {"role": "RoleName", "policyArn": "PolicyArn"}
    return {*names}, _given(inputs, names)


def _autonamed(name: str, inputs: Mapping[str, Any]) -> str:
    """Return the name that an object gets: the provider adds seven digits to the logical one."""
    return str(inputs.get("name") or f"{name}-0123abc")


def _anchor(name: str, inputs: Mapping[str, Any]) -> Mapped:
    source = inputs["source"]
    data = {"x509CertificateData": "x509CertificateData", "acmPcaArn": "acmPcaArn"}
    sent = {
        "name": _autonamed(name, inputs),
        "source": {"sourceType": source["sourceType"], "sourceData": _given(source["sourceData"], data)},
        "enabled": inputs["enabled"],
        "tags": _tags(inputs["tags"], "key", "value"),
    }
    return {"source", "enabled", "tags"}, sent


def _profile(name: str, inputs: Mapping[str, Any]) -> Mapped:
    names = {
        "roleArns": "roleArns",
        "durationSeconds": "durationSeconds",
        "enabled": "enabled",
        "acceptRoleSessionName": "acceptRoleSessionName",
    }
    own = {"name": _autonamed(name, inputs), "tags": _tags(inputs["tags"], "key", "value")}
    return {*names, "tags"}, _given(inputs, names) | own


CALLS: Mapping[str, tuple[str, str, Callable[[str, Mapping[str, Any]], Mapped]]] = {
    "aws:ssm/activation:Activation": ("ssm", "CreateActivation", _activation),
    "aws:eks/accessEntry:AccessEntry": ("eks", "CreateAccessEntry", _entry),
    "aws:iam/role:Role": ("iam", "CreateRole", _role),
    "aws:iam/rolePolicy:RolePolicy": ("iam", "PutRolePolicy", _policy),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": ("iam", "AttachRolePolicy", _attachment),
    "aws:rolesanywhere/trustAnchor:TrustAnchor": ("rolesanywhere", "CreateTrustAnchor", _anchor),
    "aws:rolesanywhere/profile:Profile": ("rolesanywhere", "CreateProfile", _profile),
}
