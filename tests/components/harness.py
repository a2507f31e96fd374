"""Runs the program of a committed stack under recording mocks, with a canary for every secret."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from components.testing import Recording, record_program
from edge.network_source import Answer, instead_of_aws
from edge.settings import load_stack
from edge.vm.hostkey import stand_in_key
from tests.components.lab_facts import LAB_FACTS

PROJECT = "edge-hosts"
ROOT = Path(__file__).resolve().parent.parent.parent
STACKS = ("dev", "staging", "prod", "lab")


def canary(name: str) -> str:
    """Return the value that the secret `name` has in every recording; it must never be seen in clear.

    The login key is a key that opens nothing: a virtual machine is told its public half.
    """
    if name == "sshPrivateKey":
        return stand_in_key(name)
    return f"canary-of-{name}-4f1c"


def config_of(stack: str, root: Path = ROOT, site: Mapping[str, Any] | None = None) -> tuple[dict[str, str], list[str]]:
    """Return the configuration of a committed stack as the engine hands it over, with canaries as secrets.

    `site` replaces parts of `edge-hosts:site`, top level only.
    """
    raw = yaml.safe_load((root / f"Pulumi.{stack}.yaml").read_text("utf-8"))["config"]
    raw[f"{PROJECT}:site"].update(site or {})
    config = {key: value if isinstance(value, str) else json.dumps(value, default=str) for key, value in raw.items()}
    names = load_stack(stack, root).secret_names() | {"proxyPassword", "sshPrivateKey", "registrationToken"}
    config.update({f"{PROJECT}:{name}": canary(name) for name in names})
    return config, [f"{PROJECT}:{name}" for name in sorted(names)]


def record_stack(stack: str, root: Path = ROOT, site: Mapping[str, Any] | None = None, **options: Any) -> Recording:
    """Return what the program of a committed stack registers."""
    config, secret_keys = config_of(stack, root, site)
    with instead_of_aws(lambda _question: Answer(LAB_FACTS)):
        return record_program(root, project=PROJECT, stack=stack, config=config, secret_keys=secret_keys, **options)


@functools.cache
def recorded(stack: str) -> Recording:
    """Return the recording of a committed stack, made once per test process."""
    return record_stack(stack)
