"""The faults that the stand-ins can play: a catalogue, and which are on.

A fault has a name and at most one target. What the target is (a DNS name, an edge host, a number) stands in the
catalogue, and a wrong one is refused, because a fault that silently does nothing makes a test green for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

from edge.errors import LabError

TargetKind = Literal[
    "none", "name", "optional-name", "optional-host", "optional-client", "optional-number",
    "block", "optional-block", "endpoint-mode", "auth-mode", "rule", "action",
]  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One fault: its name, what its target is, and what a client sees."""

    name: str
    target: TargetKind
    effect: str


_ALL = (
    Fault("dns-down", "none", "the DNS server does not answer"),
    Fault("dns-wildcard", "none", "the DNS server answers every name, also nonsense, with the services address"),
    Fault("name-missing", "name", "the DNS server and the proxy do not know this name"),
    Fault("endpoint-closed", "name", "connections to this name (or ENI address) on 443 are refused"),
    Fault("endpoint-silent", "name", "connections to this name on 443 are never answered"),
    Fault("tls-bad", "name", "this name has a certificate by an unknown authority"),
    Fault("tls-expired", "name", "the certificate of this name has expired"),
    Fault("wrong-date", "optional-name", "the Date header is 15 minutes ahead (of one name, or of all)"),
    Fault("proxy-407", "none", "the proxy refuses every credential"),
    Fault("proxy-403", "name", "the proxy forbids this name"),
    Fault("proxy-down", "none", "the proxy drops every connection"),
    Fault("repo-down", "none", "the package repository drops every connection"),
    Fault("repo-half-down", "none", "the suite SUITE-updates answers 503; the main suite works"),
    Fault("repo-slow", "optional-number", "each answer of the package repository waits so many seconds (3)"),
    Fault("installer-404", "none", "the installer script answers 404 with an HTML page"),
    Fault("installer-html", "none", "the installer script answers 200 with an HTML page"),
    Fault("installer-corrupt", "none", "one byte of the installer script is changed"),
    Fault("binary-404", "none", "the agent binary answers 404 with an HTML page"),
    Fault("binary-corrupt", "none", "one byte of the agent binary is changed"),
    Fault("download-slow", "optional-number", "each download takes so many seconds (10)"),
    Fault(
        "agent-crash",
        "optional-client",
        "the installer is killed half way, for all or for one machine (its name or address)",
    ),
    Fault("agent-fails", "optional-client", "the installer ends with an error half way"),
    Fault("agent-no-reboot", "optional-client", "the installer ends well and does not reboot"),
    Fault("palette-429", "optional-number", "Palette answers 429 with Retry-After (for so many requests, or always)"),
    Fault("palette-500", "optional-number", "Palette answers 500 (for so many requests, or always)"),
    Fault("palette-down", "none", "Palette drops every connection, also the agents'"),
    Fault("palette-slow", "optional-number", "each answer of Palette takes so many seconds (3)"),
    Fault("palette-takeover", "none", "a re-installed machine takes over the old record instead of being refused"),
    Fault("never-healthy", "optional-host", "health reports (of one host, or of all) never make the host healthy"),
    Fault("datastore-full", "optional-name", "a datastore (or every one) has no space left for a file"),
    Fault("key-rotate", "none", "the API key is another one: the old key with `-rotated`; the old key gets 401"),
    Fault("build-fails", "none", "a build ends with an error in the middle, which the builder's script may not notice"),
    Fault("build-hangs", "none", "a build stands still in the middle until the fault is off"),
    Fault("build-no-space", "none", "the disk of the builder is full after a few megabytes"),
    Fault("docker-unprivileged", "none", "the builder's Docker starts no privileged container"),
    Fault("iso-wrong-checksum", "none", "the checksum file beside a new ISO is that of another one"),
    Fault("registry-denied", "none", "the image registry takes no push, whoever is logged in"),
    Fault("tag-moved", "none", "the CanvOS tag v4.5.15 is another commit"),
    Fault("aws-vpc-block", "block", "the VPC has this CIDR block, too"),
    Fault("aws-endpoint", "endpoint-mode", "the cluster's endpoint is private, public or publicAndPrivate"),
    Fault("aws-auth-mode", "auth-mode", "the cluster's authentication mode is another one"),
    Fault("aws-not-hybrid", "none", "the cluster has no remote networks"),
    Fault("aws-eni-missing", "name", "the control plane's interface with this address is gone"),
    Fault("aws-route-missing", "optional-block", "the routes to this block (to all) are gone from the subnets' tables"),
    Fault("aws-route-blackhole", "optional-block", "the routes to this block (to all) lead nowhere"),
    Fault(
        "aws-rule-missing", "rule", "no security group of the cluster lets a TCP port through, as in:443 or out:10250"
    ),
    Fault("aws-entry-missing", "none", "the HYBRID_LINUX access entry is gone"),
    Fault("aws-role-lacks", "action", "the hosts' role has not this action in its inline policies"),
    Fault("aws-activation-expired", "none", "the time of every SSM activation is over"),
    Fault("aws-tunnel-down", "optional-name", "the VPN tunnel with this outside address (every one) is down"),
    Fault("aws-denied", "action", "AWS denies this IAM action, as eks:DescribeCluster"),
    Fault("aws-throttled", "optional-number", "AWS throttles (so many requests, or always)"),
    Fault("aws-expired", "none", "every session is over: AWS says that the token has expired"),
)

CATALOGUE: dict[str, Fault] = {fault.name: fault for fault in _ALL}
AWS_CHANGES = (
    "aws-activation-expired", "aws-auth-mode", "aws-endpoint", "aws-eni-missing", "aws-entry-missing", "aws-not-hybrid", "aws-role-lacks",
    "aws-route-blackhole", "aws-route-missing", "aws-rule-missing", "aws-tunnel-down", "aws-vpc-block",
)  # fmt: skip
"""The faults that change the AWS account itself; the others of that name act on its answers."""

BUILD_FAULTS = ("build-fails", "build-hangs", "build-no-space", "docker-unprivileged", "iso-wrong-checksum")
"""The faults that act inside the build machine."""

_NEEDED: dict[TargetKind, str] = {
    "name": "a name",
    "block": "a CIDR block",
    "endpoint-mode": "a mode",
    "auth-mode": "a mode",
    "rule": "direction and port",
    "action": "an action",
}
# Kind of target -> what it must look like in lower case, and how to write it.
_SHAPES: dict[TargetKind, tuple[str, str]] = {
    "endpoint-mode": (r"private|public|publicandprivate", "write private, public or publicAndPrivate."),
    "auth-mode": (r"api|config_map|api_and_config_map", "write API, CONFIG_MAP or API_AND_CONFIG_MAP."),
    "rule": (r"(in|out):\d{1,5}", "write in:PORT or out:PORT."),
    "action": (r"[a-z0-9-]+:[a-z0-9]+", "write SERVICE:ACTION, as IAM names it."),
}


class Faults:
    """Which faults are on. `changed` is called after every change, for faults that act on sockets."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._on: dict[str, dict[str, float | None]] = {}
        self._changed = changed

    def set(self, name: str, target: str | None = None, on: bool = True) -> None:
        """Switch a fault on or off; switching off without a target clears it for all targets.

        Raises LabError for an unknown fault or a target that does not fit.
        """
        key = self._key(name, target, on)
        targets = self._on.setdefault(name, {})
        if on:
            is_number = CATALOGUE[name].target == "optional-number"
            targets["*" if is_number else key] = float(key) if is_number and key != "*" else None
        elif target is None or CATALOGUE[name].target == "optional-number":
            targets.clear()
        else:
            targets.pop(key, None)
        if not targets:
            del self._on[name]
        self._changed()

    def clear(self) -> None:
        """Switch every fault off."""
        self._on.clear()
        self._changed()

    def active(self, name: str, target: str | None = None) -> bool:
        """Return whether the fault is on for everything, or for `target`."""
        assert name in CATALOGUE, name
        targets = self._on.get(name, {})
        return "*" in targets or (target is not None and target.lower().rstrip(".") in targets)

    def number(self, name: str, default: float) -> float:
        """Return the number of a fault that is on (`default` when it was set without one), or 0 when it is off."""
        targets = self._on.get(name)
        if targets is None:
            return 0.0
        return targets["*"] if targets["*"] is not None else default

    def take(self, name: str) -> bool:
        """Return whether the fault hits this request, and count it: a fault with a number ends by itself."""
        targets = self._on.get(name)
        if targets is None:
            return False
        left = targets["*"]
        if left is not None:
            targets["*"] = left - 1
            if left <= 1:
                del self._on[name]
        return True

    def targets(self, name: str) -> tuple[str, ...]:
        """Return the targets for which the fault is on, sorted."""
        return tuple(sorted(self._on.get(name, {})))

    def listing(self) -> list[dict[str, object]]:
        """Return the faults that are on, as plain data."""
        return [
            {"name": name, "target": None if target == "*" else target, "left": left}
            for name, targets in sorted(self._on.items())
            for target, left in sorted(targets.items())
        ]

    @staticmethod
    def _key(name: str, target: str | None, on: bool) -> str:
        fault = CATALOGUE.get(name)
        if fault is None:
            raise LabError(f"there is no fault {name!r}", remedy=f"use one of {', '.join(sorted(CATALOGUE))}.")
        key = (target or "*").lower().rstrip(".")
        if fault.target == "none" and key != "*":
            raise LabError(f"the fault {name} takes no target, got {target!r}", remedy="leave the target out.")
        if fault.target in _NEEDED and key == "*":
            if on:
                needed = _NEEDED[fault.target]
                raise LabError(f"the fault {name} needs {needed} as its target", remedy=f"{fault.effect}: say which.")
            return key
        if fault.target == "optional-number" and key != "*" and not key.replace(".", "", 1).isdigit():
            raise LabError(f"the target of the fault {name} is a number, got {target!r}", remedy="write digits.")
        _check_shape(fault, key, target)
        return key


def _check_shape(fault: Fault, key: str, target: str | None) -> None:
    """Return when a target of the AWS side is one. Raises LabError."""
    if fault.target in ("block", "optional-block") and key != "*":
        try:
            IPv4Network(key)
        except ValueError:
            raise LabError(
                f"the target of the fault {fault.name} is a CIDR block, got {target!r}",
                remedy="write one such as 10.231.77.0/24.",
            ) from None
    pattern, remedy = _SHAPES.get(fault.target, ("", ""))
    if pattern and not re.fullmatch(pattern, key):
        raise LabError(f"the fault {fault.name} does not know the target {target!r}", remedy=remedy)
