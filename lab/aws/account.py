"""One AWS account: hands each request to its service, and holds what moto does not.

Everything here runs in one thread, that of the stand-in: moto is not made for several.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.request import Request
from moto.ec2.models import EC2Backend, ec2_backends
from moto.iam.models import IAMBackend, iam_backends
from moto.iam.responses import IamResponse
from moto.route53resolver.models import route53resolver_backends
from moto.route53resolver.responses import Route53ResolverResponse
from moto.ssm.models import ssm_backends
from moto.sts.models import sts_backends
from moto.sts.responses import TokenResponse

from lab.aws.ec2 import Ec2
from lab.aws.eks_api import Eks
from lab.aws.eks_entries import Entries
from lab.aws.eks_updates import ChangingClusters
from lab.aws.facts import USER, AwsFacts
from lab.aws.gate import Gate
from lab.aws.refusal import RefusedError, Reply, not_there
from lab.aws.service import Gated
from lab.aws.ssm import Activations, Ssm
from lab.services.faults import Faults

# No machine is made from an image here, and moto would make more than a thousand of them at every start.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
_PARTITION = "aws"
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request")


class Iam(Gated, IamResponse):
    """moto's IAM."""


class Sts(Gated, TokenResponse):
    """moto's STS; a role that is not there cannot be assumed."""

    def assume_role(self) -> Any:
        role = str(self._get_param("RoleArn"))
        if not any(one.arn == role for one in self.account.iam().roles.values()):
            caller = self.account.caller(self.get_access_key()) or ""
            said = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}"
            raise RefusedError("AccessDenied", said, 403)
        return super().assume_role()


class Resolver(Gated, Route53ResolverResponse):
    """moto's Route 53 Resolver."""


SERVICES: Mapping[str, Callable[[], Gated]] = {
    "ec2": Ec2, "eks": Eks, "iam": Iam, "route53resolver": Resolver, "ssm": Ssm, "sts": Sts,
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One request as it came in; `path` is still encoded and has the query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answered:
    """The answer to one request, and what it was: service and operation, "" where there was none."""

    reply: Reply
    service: str
    operation: str


class Account:
    """The account of one lab. `ca_pem` is the authority of its cluster."""

    def __init__(self, facts: AwsFacts, ca_pem: str, faults: Faults) -> None:
        self.facts = facts
        self.gate = Gate(faults, self.caller)
        self._ca_pem = ca_pem
        self._clusters: dict[str, ChangingClusters] = {}
        self._entries: dict[str, Entries] = {}
        self._activations: dict[str, Activations] = {}

    def ec2(self, region: str = "") -> EC2Backend:
        """Return moto's EC2 of a Region; without one, of the lab's."""
        return ec2_backends[self.facts.account][region or self.facts.region]

    def iam(self) -> IAMBackend:
        """Return moto's IAM."""
        return iam_backends[self.facts.account][_PARTITION]

    def clusters(self, region: str = "") -> ChangingClusters:
        """Return the clusters of a Region; without one, of the lab's."""
        place = region or self.facts.region
        if place not in self._clusters:
            self._clusters[place] = ChangingClusters(self.facts, place, self._ca_pem, self.ec2(place), _Trusts(self))
        return self._clusters[place]

    def entries(self, region: str = "") -> Entries:
        """Return the access entries of a Region; without one, of the lab's."""
        place = region or self.facts.region
        return self._entries.setdefault(place, Entries(_Principals(self)))

    def activations(self, region: str = "") -> Activations:
        """Return the SSM activations of a Region; without one, of the lab's."""
        place = region or self.facts.region
        return self._activations.setdefault(place, Activations(self._trust_of))

    def creator(self, access_key: str) -> str:
        """Return the IAM principal of whoever asks: the role of a session, not the session."""
        caller = self.caller(access_key) or ""
        if session := re.fullmatch(r"arn:aws:sts::(\d{12}):assumed-role/([^/]+)/.*", caller):
            return f"arn:aws:iam::{session[1]}:role/{session[2]}"
        return caller

    def clear(self) -> None:
        """Forget everything."""
        # Made first where they are not yet: they draw ids when they are made, as a reset does.
        self.ec2(), self.iam()
        for store in (ec2_backends, iam_backends, route53resolver_backends, ssm_backends, sts_backends):
            for backend in store.get(self.facts.account, {}).values():
                backend.reset()
        self._clusters, self._entries, self._activations = {}, {}, {}

    def answer(self, asked: Asked) -> Answered:
        """Answer one request."""
        scope = _SCOPE.search(asked.headers.get("Authorization", ""))
        if scope is None:
            refusal = RefusedError("MissingAuthenticationToken", "Missing Authentication Token", 403)
            return Answered(refusal.reply("eks"), "", "")
        service, region = scope["service"], scope["region"]
        if service not in SERVICES:
            return Answered(not_there(service, "any operation").reply("eks"), service, "")
        headers = {**asked.headers, "x-moto-account-id": self.facts.account}
        url = f"https://{service}.{region}.amazonaws.com{asked.path}"
        request = Request.from_primitives(asked.method, url, headers, asked.body)
        api = SERVICES[service]()
        api.account = self
        status, sent, body = api._dispatch(request, url, request.headers)
        plain = {str(key): str(value) for key, value in sent.items() if key.lower() not in ("status", "content-length")}
        return Answered(
            (int(status), plain, body.encode() if isinstance(body, str) else bytes(body)), service, api.asked
        )

    def caller(self, access_key: str) -> str | None:
        """Return the ARN of whoever has an access key, None for a stranger."""
        if access_key == self.facts.access_key:
            return self.facts.arn("iam", f"user/{USER}", regional=False)
        for account in list(sts_backends.values()):
            if (role := account[_PARTITION].get_assumed_role_from_access_key(access_key)) is not None:
                return str(role.arn)
        user = self.iam().get_user_from_access_key_id(access_key)
        return None if user is None else str(user.arn)

    def _trust_of(self, name: str) -> str | None:
        """Return the trust policy of a role by its name, with or without its path."""
        role = next((one for one in self.iam().roles.values() if one.name == name.split("/")[-1]), None)
        return None if role is None else str(role.assume_role_policy_document)


class _ByArn(Mapping[str, str]):
    """Something of IAM by ARN, looked up at the moment of the question."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def _all(self) -> dict[str, str]:
        raise NotImplementedError

    def __getitem__(self, arn: str) -> str:
        return self._all()[arn]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class _Trusts(_ByArn):
    """The trust policies of the roles."""

    def _all(self) -> dict[str, str]:
        return {one.arn: str(one.assume_role_policy_document) for one in self._account.iam().roles.values()}


class _Principals(_ByArn):
    """The names of roles and users."""

    def _all(self) -> dict[str, str]:
        iam: Any = self._account.iam()
        return {one.arn: one.name for one in (*iam.roles.values(), *iam.users.values())}
