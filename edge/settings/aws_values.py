"""The plain values of the AWS side: ids, ARNs, Regions, versions. Each says in one sentence what it wants."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from edge.settings.base import refuse
from edge.settings.scalars import one_line


def region(value: object) -> str:
    """Return the name of an AWS region."""
    text = one_line(value)
    if not re.fullmatch(r"[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}", text):
        raise refuse("is no AWS region", "Write a region such as eu-central-1")
    return text


def zone(value: object) -> str:
    """Return the name of an availability zone."""
    text = one_line(value)
    if not re.fullmatch(r"[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}[a-z]", text):
        raise refuse("is no availability zone", "Write a zone such as eu-central-1a")
    return text


def kubernetes_version(value: object) -> str:
    """Return a Kubernetes version of two or three numbers."""
    text = one_line(value)
    if not re.fullmatch(r"1\.[0-9]{2}(\.[0-9]{1,2})?", text):
        raise refuse("is no Kubernetes version", 'Write it in quotes, for example "1.31"')
    return text


def account_id(value: object) -> str:
    """Return an AWS account id; the leading zeros of some are lost when YAML reads them as numbers."""
    text = one_line(value)
    if not re.fullmatch(r"[0-9]{12}", text):
        raise refuse("is no AWS account id", 'Write its 12 digits in quotes, for example "066635153087"')
    return text


def timestamp(value: object) -> datetime:
    """Return a moment with its time zone, in UTC; YAML would read it as a date, so it is text."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    text = one_line(value)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise refuse("is no moment", 'Write it in quotes with its time zone, for example "2026-12-20T00:00:00Z"')
    return moment.astimezone(UTC)


def shown_timestamp(value: datetime) -> str:
    """Return a moment as AWS and its provider write it."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _aws_id(*prefixes: str) -> BeforeValidator:
    words = " or ".join(f"{prefix}-..." for prefix in prefixes)

    def check(value: object) -> str:
        text = one_line(value)
        if not re.fullmatch(rf"({'|'.join(prefixes)})-[0-9a-f]{{8,17}}", text):
            raise refuse(
                f"is no id of the form {words}",
                f"Write the id as AWS shows it: {' or '.join(f'{prefix}-' for prefix in prefixes)} and 8 to 17 hexadecimal digits",
            )
        return text

    return BeforeValidator(check)


def _arn(service: str, resource: str, example: str) -> BeforeValidator:
    def check(value: object) -> str:
        text = one_line(value)
        if not re.fullmatch(rf"arn:aws[a-z-]*:{service}:[a-z0-9-]*:[0-9]{{12}}:{resource}", text):
            raise refuse("is no ARN of that kind", f"Write it as AWS shows it, for example {example}")
        return text

    return BeforeValidator(check)


def activation_id(value: object) -> str:
    """Return the id of an SSM hybrid activation."""
    text = one_line(value)
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text):
        raise refuse("is no activation id", "Write the id that SSM shows, five groups of hexadecimal digits")
    return text


def role_name(value: object) -> str:
    """Return the name of an IAM role, with its path when it has one (`path/name`), of at most 64 characters."""
    text = one_line(value)
    if not re.fullmatch(r"([\w+=,.@-]+/)*[\w+=,.@-]{1,64}", text):
        raise refuse("is no name of an IAM role", "Write letters, digits and +=,.@_- (64 at most), not an ARN")
    return text


def _text(pattern: str = "") -> WithJsonSchema:
    shape: dict[str, Any] = {"type": "string"}
    return WithJsonSchema({**shape, "pattern": pattern} if pattern else shape)


Region = Annotated[str, BeforeValidator(region), _text()]
Zone = Annotated[str, BeforeValidator(zone), _text()]
KubernetesVersion = Annotated[str, BeforeValidator(kubernetes_version), _text(r"^1\.[0-9]{2}")]
AccountId = Annotated[str, BeforeValidator(account_id), _text("^[0-9]{12}$")]
Timestamp = Annotated[datetime, BeforeValidator(timestamp), PlainSerializer(shown_timestamp), _text("^[0-9]{4}-")]
SecurityGroup = Annotated[str, _aws_id("sg"), _text("^sg-[0-9a-f]+$")]
VpcId = Annotated[str, _aws_id("vpc"), _text("^vpc-[0-9a-f]+$")]
SubnetId = Annotated[str, _aws_id("subnet"), _text("^subnet-[0-9a-f]+$")]
RouteTableId = Annotated[str, _aws_id("rtb"), _text("^rtb-[0-9a-f]+$")]
GatewayId = Annotated[str, _aws_id("vgw", "tgw"), _text("^(vgw|tgw)-[0-9a-f]+$")]
TransitGatewayId = Annotated[str, _aws_id("tgw"), _text("^tgw-[0-9a-f]+$")]
TransitTableId = Annotated[str, _aws_id("tgw-rtb"), _text("^tgw-rtb-[0-9a-f]+$")]
AttachmentId = Annotated[str, _aws_id("tgw-attach"), _text("^tgw-attach-[0-9a-f]+$")]
CustomerGatewayId = Annotated[str, _aws_id("cgw"), _text("^cgw-[0-9a-f]+$")]
ActivationId = Annotated[str, BeforeValidator(activation_id), _text()]
RoleName = Annotated[str, BeforeValidator(role_name), _text()]
RoleArn = Annotated[str, _arn("iam", "role/.+", "arn:aws:iam::123456789012:role/AmazonEKSHybridNodesRole"), _text()]
TrustAnchorArn = Annotated[
    str,
    _arn("rolesanywhere", "trust-anchor/.+", "arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/..."),
    _text(),
]
ProfileArn = Annotated[
    str, _arn("rolesanywhere", "profile/.+", "arn:aws:rolesanywhere:eu-central-1:123456789012:profile/..."), _text()
]
AcmPcaArn = Annotated[
    str,
    _arn("acm-pca", "certificate-authority/.+", "arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/..."),
    _text(),
]
KmsKeyArn = Annotated[str, _arn("kms", "key/.+", "arn:aws:kms:eu-central-1:123456789012:key/..."), _text()]
