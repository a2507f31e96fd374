"""The rules of the chain of one host, each as a sentence when it is broken. A deliberate break must be found here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.testing import SECRET_KEY, Recording, Registration
from tests.components.harness import canary
from tests.components.vm_rules import vm_problems

COMMANDS = ("checks", "preparation", "agent", "started")
DYNAMIC = {
    "claim": "pulumi-python:dynamic/edge:EdgeHostClaim",
    "registration": "pulumi-python:dynamic/edge:EdgeHostRegistration",
    "healthy": "pulumi-python:dynamic/edge:EdgeHostHealthy",
}
# What each link needs, by role; `claim` needs nothing, because it comes before there is a machine.
NEEDS: Mapping[str, set[str]] = {
    "claim": set(),
    "checks": {"claim"},
    "preparation": {"checks"},
    "registration": {"preparation"},
    "agent": {"registration"},
    "started": {"agent"},
    "healthy": {"started", "registration"},
}
SECRETS = ("registrationToken", "proxyPassword", "sshPrivateKey", "hostKeySeed", "vspherePassword")
ALWAYS_SECRET = {
    "checks": ("connection",),
    "preparation": ("connection",),
    "agent": ("connection", "stdin"),
    "started": ("connection",),
}


def problems(recording: Recording, hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return every broken rule; `hosts` says per host what is expected: protect, retain, jump, secrets in all steps, vm."""
    found = [*leaks(recording), *waiting_components(recording)]
    for host, expected in hosts.items():
        links = {role: recording.get(f"{host}-{role}") for role in NEEDS}
        for role, link in links.items():
            found += [f"{link.name}: {problem}" for problem in _link(host, role, link, expected)]
        for role in COMMANDS:
            found += [f"{host}-{role}: {problem}" for problem in _command(role, links[role], expected)]
        if expected.get("vm"):
            found += vm_problems(recording, host, site="lab", protect=expected["protect"])
    return found


def _link(host: str, role: str, link: Registration, expected: Mapping[str, Any]) -> Iterator[str]:
    if link.type != DYNAMIC.get(role, "command:remote:Command"):
        yield f"has the type {link.type}"
    if link.parent != host:
        yield f"has the parent {link.parent!r}"
    missing = {f"{host}-{needed}" for needed in NEEDS[role]} - set(link.dependencies)
    if missing:
        yield f"does not wait for {sorted(missing)}"
    if link.protect != (expected["protect"] and role in ("claim", "agent", "healthy")):
        yield f"has protect={link.protect}"
    if link.retain_on_delete != (expected["retain"] and role == "agent"):
        yield f"has retain_on_delete={link.retain_on_delete}"
    if link.delete_before_replace or link.deleted_with or link.ignore_changes:
        yield "has options of a resource that is replaced"
    if role in DYNAMIC and link.on_error != ("edge-hosts-pending",):
        yield f"has the error hooks {link.on_error}"
    if role in DYNAMIC and link.is_secret("__provider"):
        yield "has its provider stored as a secret"
    if role in DYNAMIC and (link.inputs["host"], link.inputs["force"]) != (host, expected["force"]):
        yield f"has host={link.inputs['host']} force={link.inputs['force']}"


def _command(role: str, link: Registration, expected: Mapping[str, Any]) -> Iterator[str]:
    if link.plain("update") != link.plain("create"):
        yield "runs something else on update than on create"
    if bool(link.plain("delete")) != (role == "agent" and not expected.get("vm")):
        yield f"has delete={link.plain('delete')!r}"
    if "uninstall" not in (link.plain("delete") or "uninstall"):
        yield "does not uninstall on delete"
    for forbidden in ("triggers", "environment"):
        if link.plain(forbidden) is not None:
            yield f"has {forbidden}, which would replace it or be refused by the server"
    if link.plain("addPreviousOutputInEnv") is not False:
        yield "sends its previous output back"
    if link.plain("logging") != "stderr":
        yield f"logs {link.plain('logging')!r}"
    secret = {*ALWAYS_SECRET[role], *(("stdin",) if expected["secrets"] and role in ("checks", "preparation") else ())}
    for name in sorted(secret):
        if not link.is_secret(name):
            yield f"has {name} in clear"
    hidden = set(link.additional_secret_outputs)
    if role != "checks" and not {"stdout", "stderr"} <= hidden:
        yield "does not keep its output secret"
    hooks: tuple[str, ...] = ("edge-hosts-pending",) if role == "started" else ()
    if expected["jump"]:
        hooks = ("edge-hosts-login-after-reboot",) if role == "started" else ("edge-hosts-login",)
    if link.on_error != hooks:
        yield f"has the error hooks {link.on_error}"
    connection = link.plain("connection")
    if bool(connection.get("proxy")) != expected["jump"]:
        yield "goes another way than the settings say"
    if connection.get("privateKey") != canary("sshPrivateKey"):
        yield "does not log in with the stack's key"
    if not connection.get("hostKey"):
        yield "does not pin the host key"


def waiting_components(recording: Recording) -> Iterator[str]:
    """Yield the components that wait for something: were that to fail, the engine would end the run for all hosts."""
    for one in recording.resources:
        if not one.custom and one.dependencies:
            yield f"{one.name}: is a component and waits for {', '.join(one.dependencies)}"


def leaks(recording: Recording) -> Iterator[str]:
    """Yield every place where a secret's value stands in an input that is not wrapped, or in an export."""
    values = [canary(name) for name in SECRETS]
    values += [line for line in canary("sshPrivateKey").splitlines() if not line.startswith("-----")]
    for link in recording.resources:
        for path, text in _clear_texts(link.inputs, link.name):
            if any(value in text for value in values):
                yield f"{path}: holds a secret in clear"
    for path, text in _clear_texts(recording.exports, "exports"):
        if any(value in text for value in values):
            yield f"{path}: holds a secret in clear"


def _clear_texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        if SECRET_KEY in value:
            return
        for key, item in value.items():
            yield from _clear_texts(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _clear_texts(item, f"{path}[{index}]")
    elif isinstance(value, str):
        yield path, value
