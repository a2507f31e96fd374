"""One look-up's way to AWS: calls, several at once, and what was refused.

Reads that do not need each other run side by side, each in a thread; clients of botocore may be shared by threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from edge.aws import session
from edge.aws.errors import DeniedError, all_denied
from edge.aws.permissions import can_do_without
from edge.aws.session import AwsClients

P = ParamSpec("P")
T = TypeVar("T")
_TOGETHER = 12


class Reader:
    """Asks AWS, and remembers which optional reads were refused."""

    def __init__(self, clients: AwsClients) -> None:
        self.clients = clients
        self._denied: set[str] = set()
        self._lock = threading.Lock()

    @property
    def denied(self) -> tuple[str, ...]:
        """Return the IAM actions of the reads that were refused, sorted."""
        with self._lock:
            return tuple(sorted(self._denied))

    def ask(self, action: str, **values: Any) -> dict[str, Any]:
        """Return the answer to one call. Raises AwsError."""
        return session.ask(self.clients, action, **values)

    def pages(self, action: str, key: str, **values: Any) -> list[Any]:
        """Return what stands under `key` in all pages of an answer. Raises AwsError."""
        return session.pages(self.clients, action, key, **values)

    def optional(self, none: T, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `read(...)`, or `none` when AWS refuses an action that can be done without. Raises AwsError."""
        try:
            return read(*args, **kwargs)
        except DeniedError as denial:
            if not all(map(can_do_without, denial.actions)):
                raise
            with self._lock:
                self._denied.update(denial.actions)
            return none

    def together(self) -> Together:
        """Return a place where calls run side by side."""
        return Together(self.clients.region)

    def each(self, read: Callable[[T], P_], items: list[T]) -> list[P_]:
        """Return `read` of every item, in their order, several at a time. Raises AwsError."""
        with self.together() as together:
            running = [together.start(read, item) for item in items]
        return [one.result() for one in running]


P_ = TypeVar("P_")


class Together:
    """Calls that run side by side. Leaving it waits for all; then the first error is raised, all denials as one."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._pool = ThreadPoolExecutor(max_workers=_TOGETHER, thread_name_prefix="aws")
        self._running: list[Future[Any]] = []

    def __enter__(self) -> Together:
        return self

    def start(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start a call in a thread of its own."""
        future = self._pool.submit(call, *args, **kwargs)
        self._running.append(future)
        return future

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is not None:
            return
        errors = [error for one in self._running if (error := one.exception()) is not None]
        others = [error for error in errors if not isinstance(error, DeniedError)]
        if others:
            raise others[0]
        denials = [error for error in errors if isinstance(error, DeniedError)]
        if denials:
            raise all_denied(denials, self._region)
