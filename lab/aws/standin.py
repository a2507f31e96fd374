"""The stand-in of AWS: takes requests in the lab's event loop and answers them in a thread of its own.

moto takes seconds to import and is not made for several threads: so one thread imports it, and does all of its work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from aiohttp import web

from edge.errors import LabError
from lab.aws.facts import AwsFacts
from lab.aws.refusal import RefusedError
from lab.services.faults import AWS_CHANGES, Faults
from lab.services.http import Answer

if TYPE_CHECKING:
    from lab.aws.account import Account, Answered
    from lab.aws.changes import Changes

T = TypeVar("T")
# Kept away from a client: they belong to the connection, not to the answer.
_HOP = ("connection", "transfer-encoding", "date", "server")
_READS = ("Describe", "List", "Get", "Search", "Simulate", "AssumeRole")


class AwsStandIn:
    """One account behind one listener. Requests that come before moto is loaded wait for it.

    `cut` is called in the event loop with the addresses of the API server that hosts do not reach, when they change.
    """

    def __init__(self, facts: AwsFacts, faults: Faults, cut: Callable[[frozenset[str]], None] = lambda _: None) -> None:
        self.facts = facts
        self._cut = cut
        self._cut_off: frozenset[str] = frozenset()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._faults = faults
        self._worker: ThreadPoolExecutor | None = None
        self._loading: Future[None] | None = None
        self._account: Account | None = None
        self._changes: Changes | None = None
        self.seconds: float | None = None

    def start(self, ca_pem: str) -> None:
        """Begin to load; returns at once. `ca_pem` is the authority of the cluster."""
        self._loop = asyncio.get_running_loop()
        self._worker = ThreadPoolExecutor(1, "lab-aws")
        self._loading = self._worker.submit(self._load, ca_pem)

    async def ready(self) -> None:
        """Return when the account answers. Raises LabError when it cannot be loaded."""
        if self._loading is None:
            raise LabError("the stand-in of AWS was not started", remedy="start the stand-ins first.")
        try:
            await asyncio.wrap_future(self._loading)
        except ImportError as error:
            raise LabError(
                f"the stand-in of AWS cannot be loaded: {error}", remedy="install the packages again: make venv."
            ) from error

    def stop(self) -> None:
        """Stop answering; does not wait for a load that is under way."""
        if self._worker is not None:
            self._worker.shutdown(wait=False, cancel_futures=True)
        self._worker = self._loading = None

    def status(self) -> dict[str, object]:
        """Return what runs: the account, and how long it took to load; no secrets."""
        state = "starting" if self.seconds is None else f"loaded in {self.seconds:.1f} s"
        return {"account": self.facts.account, "cluster": self.facts.cluster, "state": state}

    def faults_changed(self) -> None:
        """Bring the account in line with the faults that are on; requests that come later see it."""
        if self._worker is not None:
            wanted = self._wanted()
            self._worker.submit(lambda: self._become(wanted))

    def run(self, work: Callable[[Account], T]) -> Future[T]:
        """Do something with the account, in its thread."""
        if self._worker is None:
            raise LabError("the stand-in of AWS does not run", remedy="start the lab: make lab.")
        return self._worker.submit(lambda: work(self._loaded()))

    async def call(self, action: str, arguments: Mapping[str, object]) -> str:
        """Do an action by its name, with JSON arguments. Raises LabError for an unknown one or wrong arguments."""
        try:
            if action == "reset" and not arguments:
                await self.reset()
                return ""
            if action == "register" and set(arguments) == {"computer", "address"}:
                return await self.register(str(arguments["computer"]), str(arguments["address"]))
        except RefusedError as error:
            raise LabError(f"AWS refuses to {action}: {error}", remedy="see the activation in the account.") from None
        raise LabError(f"AWS has no action {action!r} with {sorted(arguments)}", remedy="use reset, or register.")

    async def reset(self) -> None:
        """Make the account as new; the faults that are on stay on."""
        await asyncio.wrap_future(self.run(self._refill))

    async def register(self, computer: str, address: str) -> str:
        """Register a machine through the lab's own activation, as its SSM agent would, and return its id."""

        def work(account: Account) -> str:
            activation = next(iter(account.activations().all.values()), None)
            if activation is None:
                raise LabError("the account has no activation", remedy="make one, or reset the account.")
            return account.activations().register(activation.id, activation.code, computer, address)

        return await asyncio.wrap_future(self.run(work))

    async def handle(self, request: web.BaseRequest) -> Answer:
        """Answer one request; the second value says what it was, as `eks:DescribeCluster`."""
        from_client = {key: value for key, value in request.headers.items() if key.lower() != "x-moto-account-id"}
        body = await request.read()
        path = request.raw_path

        def work(account: Account) -> Answered:
            from lab.aws.account import Asked

            answered = account.answer(Asked(request.method, path, from_client, body))
            if self.kind(f"{answered.service}:{answered.operation}") == "write":
                self._tell_cut_off(account)
            return answered

        answered = await asyncio.wrap_future(self.run(work))
        status, headers, content = answered.reply
        kept = {key: value for key, value in headers.items() if key.lower() not in _HOP}
        return web.Response(status=status, headers=kept, body=content), f"{answered.service}:{answered.operation}"

    @staticmethod
    def kind(operation: str) -> str:
        """Return whether an operation, written as `ec2:CreateRoute`, is a `read` or a `write`."""
        return "read" if operation.partition(":")[2].startswith(_READS) else "write"

    def _loaded(self) -> Account:
        if self._account is None:
            raise LabError("the stand-in of AWS is not loaded", remedy="see the lab's log.")
        return self._account

    def _load(self, ca_pem: str) -> None:
        began = time.monotonic()
        from lab.aws.account import Account
        from lab.aws.changes import Changes
        from lab.aws.seed import fill

        account = Account(self.facts, ca_pem, self._faults)
        fill(account)
        self._account, self._changes = account, Changes(account)
        self._become(self._wanted())
        self.seconds = time.monotonic() - began

    def _refill(self, account: Account) -> None:
        from lab.aws.changes import Changes
        from lab.aws.seed import fill

        fill(account)
        self._changes = Changes(account)
        self._become(self._wanted())

    def _wanted(self) -> list[tuple[str, str]]:
        """Return the faults that change the account, with their targets, sorted."""
        on = [(str(one["name"]), str(one["target"] or "*")) for one in self._faults.listing()]
        return [(name, target) for name, target in on if name in AWS_CHANGES]

    def _become(self, wanted: list[tuple[str, str]]) -> None:
        if self._changes is not None and self._account is not None:
            self._changes.become(wanted)
            self._tell_cut_off(self._account)

    def _tell_cut_off(self, account: Account) -> None:
        """Say which addresses of the API server hosts do not reach now, if they are others than before."""
        from lab.aws.reach import cut_off

        found = cut_off(account)
        if found != self._cut_off and self._loop is not None:
            self._cut_off = found
            self._loop.call_soon_threadsafe(self._cut, found)
