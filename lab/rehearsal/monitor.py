"""A resource monitor for the rehearsal: failures stop only what depends on them, and error hooks fire.

The SDK's mock monitor raises a provider's error into the program, which ends it for all hosts. This one answers as the
engine does with continue-on-error: the failed resource has no outputs, its dependents are skipped, the others go on.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from pulumi.runtime import rpc
from pulumi.runtime._callbacks import _CallbackServicer
from pulumi.runtime.mocks import MockMonitor, Mocks
from pulumi.runtime.proto import resource_pb2

from components.testing import own_event_loop

State = Literal["running", "waiting", "done", "failed", "skipped"]


@dataclass(frozen=True)
class Event:
    """One change of one resource. `seconds` is how long it took so far; `error` is the newest error."""

    name: str
    type: str
    parent: str
    state: State
    seconds: float = 0.0
    error: str = ""


@dataclass
class Outcome:
    """What happened to the resources of a run, by URN."""

    failed: dict[str, str] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    outputs: dict[str, Any] = field(default_factory=dict)


class RehearsalMonitor(MockMonitor):
    """Registers resources through acting mocks, with hooks, skips, and events for the screen."""

    def __init__(self, mocks: Mocks, loop: asyncio.AbstractEventLoop, on_event: Callable[[Event], None]) -> None:
        super().__init__(mocks)
        self._loop = loop
        self._on_event = on_event
        self._hooks: dict[str, str] = {}
        self._lock = threading.Lock()
        self.outcome = Outcome()

    def RegisterErrorHook(self, request: Any) -> Any:  # noqa: N802 - the name of the wire protocol
        self._hooks[request.name] = request.callback.token
        return super().RegisterErrorHook(request)  # type: ignore[no-untyped-call]

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self.outcome.outputs = rpc.deserialize_properties(request.outputs, keep_unknowns=True)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        urn = self.make_urn(request.parent, request.type, request.name)
        if not request.custom or request.type == "pulumi:pulumi:Stack":
            return super().RegisterResource(request)  # type: ignore[no-untyped-call]
        started = time.monotonic()
        if self._blocked(request):
            with self._lock:
                self.outcome.skipped.add(urn)
            self._tell(request, "skipped", started)
            return self._without_outputs(urn, resource_pb2.Result.FAIL)
        self._tell(request, "running", started)
        errors: list[str] = []
        while True:
            try:
                with own_event_loop():
                    response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
            except Exception as error:  # whatever a provider raises is its answer
                errors.insert(0, f"{type(error).__name__}: {error}")
            else:
                self._tell(request, "done", started)
                return response
            self._tell(request, "waiting", started, errors[0])
            if not self._repeat(request, errors):
                break
        with self._lock:
            self.outcome.failed[urn] = errors[0]
        self._tell(request, "failed", started, errors[0])
        return self._without_outputs(urn, resource_pb2.Result.FAIL)

    def _blocked(self, request: Any) -> bool:
        """Return whether something that the resource needs has failed or was skipped."""
        needs = set(request.dependencies)
        for dependencies in request.propertyDependencies.values():
            needs.update(dependencies.urns)
        with self._lock:
            return bool(needs & (self.outcome.failed.keys() | self.outcome.skipped))

    def _repeat(self, request: Any, errors: list[str]) -> bool:
        """Ask the error hooks of the resource, over their wire form, whether to try again; they do the sleeping."""
        for name in request.hooks.on_error:
            message = resource_pb2.ErrorHookRequest(
                urn="", name=request.name, type=request.type, failed_operation="create", errors=errors
            )
            message.new_inputs.CopyFrom(request.object)
            callback = self._callback(self._hooks[name])
            # Hooks run on the program's own loop, as the engine's calls into the program do.
            asked = asyncio.run_coroutine_threadsafe(_answer(callback, message.SerializeToString()), self._loop)
            answer = asked.result()
            if answer.retry:
                return True
        return False

    @staticmethod
    def _callback(token: str) -> Callable[[bytes], Awaitable[Any]]:
        for servicer in _CallbackServicer._servicers:
            if token in servicer._callbacks:
                return servicer._callbacks[token]
        raise LookupError(f"no callback is registered under {token}")

    def _tell(self, request: Any, state: State, started: float, error: str = "") -> None:
        parent = request.parent.split("::")[-1] if request.parent else ""
        self._on_event(Event(request.name, request.type, parent, state, time.monotonic() - started, error))

    @staticmethod
    def _without_outputs(urn: str, result: Any) -> Any:
        return resource_pb2.RegisterResourceResponse(urn=urn, id="", result=result)


async def _answer(callback: Callable[[bytes], Awaitable[Any]], message: bytes) -> Any:
    return await callback(message)
