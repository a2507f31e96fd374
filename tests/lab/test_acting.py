"""The acting mocks know the wire only: hand-written resources get the same treatment, and one byte more or less matters."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import dill
import pytest
from fault_hand import HOSTS
from lab_hand import LabHand
from pulumi.dynamic import CreateResult, ResourceProvider
from pulumi.runtime import MockResourceArgs

from edge.errors import EdgeError, LabError
from lab.rehearsal.acting import ActingMocks
from lab.rehearsal.wire import secret

pytestmark = [pytest.mark.lab]

_COMMAND = "command:remote:Command"
_DYNAMIC = "pulumi-python:dynamic:Resource"


class Doubler(ResourceProvider):
    """A dynamic provider that nothing of the project knows."""

    def configure(self, req: Any) -> None:
        self.word = req.config.get("some:word")

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("an-id", {"twice": props["number"] * 2, "word": self.word})


def mocks(lines: list[tuple[str, str]] | None = None) -> ActingMocks:
    heard = [] if lines is None else lines
    return ActingMocks({"some:word": "of the config"}, "some", lambda name, line: heard.append((name, line)))


def act(kind: str, inputs: dict[str, Any], to: ActingMocks | None = None) -> tuple[str, dict[str, Any]]:
    """Create one custom resource by hand, as it would stand on the wire."""
    return (to or mocks()).new_resource(MockResourceArgs(kind, "by-hand", inputs, "", "", custom=True))


def connection(lab: LabHand, name: str, **other: Any) -> dict[str, Any]:
    """Return the wire form of a connection to a machine of the lab."""
    target = lab.site.ssh(name)
    key = target.key_file.read_text("utf-8")
    found: dict[str, Any] = {"host": target.host, "port": 22.0, "user": target.user, "hostKey": target.host_key}
    found |= {"privateKey": secret(key), "dialErrorLimit": 0.0}
    if target.via is not None:
        found["proxy"] = connection(lab, "jump")
    return found | other


@pytest.mark.parametrize("host", HOSTS)
def test_one_byte_of_stdin_changes_what_happens_on_the_machine(lab: LabHand, host: str) -> None:
    for text in ("a\n", "b\n"):
        create = "cat >/tmp/by-hand; sha256sum </tmp/by-hand; echo done >&2"
        heard: list[tuple[str, str]] = []
        inputs = {"connection": connection(lab, host), "create": create, "stdin": secret(text)}
        made, outs = act(_COMMAND, inputs, mocks(heard))
        assert made
        assert outs["stdout"] == f"{hashlib.sha256(text.encode()).hexdigest()}  -"
        assert heard == [("by-hand", "done")]
        assert lab.says(host, "cat /tmp/by-hand; rm /tmp/by-hand") == text.strip()


@pytest.mark.row("A3")
def test_another_host_key_is_refused_and_nothing_runs(lab: LabHand) -> None:
    wrong = connection(lab, "bare", hostKey=lab.site.ssh("jump").host_key)
    with pytest.raises(EdgeError, match="after 1 failed attempts: ssh: handshake failed: ssh: host key mismatch"):
        act(_COMMAND, {"connection": wrong, "create": "touch /tmp/by-hand"})
    assert lab.ssh("bare", "test -e /tmp/by-hand").returncode == 1


@pytest.mark.row("A3")
def test_another_host_key_of_the_jump_host_is_refused(lab: LabHand) -> None:
    wrong = connection(lab, "jumped")
    wrong["proxy"] = connection(lab, "jump", hostKey=lab.site.ssh("bare").host_key)
    with pytest.raises(EdgeError, match=r"proxy: after 1 failed attempts: .*host key mismatch"):
        act(_COMMAND, {"connection": wrong, "create": "true"})


def test_the_exit_code_and_the_output_of_a_command_are_its_error(lab: LabHand) -> None:
    with pytest.raises(EdgeError, match=r"(?s)Process exited with status 7: running .*seen"):
        act(_COMMAND, {"connection": connection(lab, "bare"), "create": "echo seen; exit 7"})


def test_a_dynamic_resource_of_anybody_is_unpickled_configured_and_created(lab: LabHand) -> None:
    provider = base64.b64encode(dill.dumps(Doubler())).decode()
    for number in (21.0, 4.0):
        made, outs = act(_DYNAMIC, {"__provider": provider, "number": number})
        assert (made, outs) == ("an-id", {"twice": number * 2, "word": "of the config"})


def test_an_unknown_type_is_an_error(lab: LabHand) -> None:
    with pytest.raises(LabError, match="no provider for resources of type some:index:Thing"):
        act("some:index:Thing", {})


def test_a_function_is_an_error(lab: LabHand) -> None:
    class Args:
        token = "aws:index:getRegion"

    with pytest.raises(LabError, match="no provider for the function aws:index:getRegion"):
        mocks().call(Args())  # type: ignore[arg-type]
