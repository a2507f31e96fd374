"""The build machine over SSH: one connection for as many commands as a look has, host key pinned, a jump host if need be.

The library is asynchronous and its callers here are not: each shell has an event loop of its own in a thread of its own, so
that it works inside any process, with or without a running loop.
"""

from __future__ import annotations

import asyncio
import shlex
import threading
from collections.abc import Coroutine
from concurrent.futures import TimeoutError as Late
from types import TracebackType
from typing import Any, TypeVar

import asyncssh

from edge.canvos.shell import Done
from edge.errors import HostError
from edge.ssh import Connections, Limits, Login, run_on

T = TypeVar("T")
# A look lasts two seconds at most where everything answers; these are for what does not.
LIMITS = Limits(connect=10.0, login=20.0, run=60.0)
_GRACE = 15.0


class SshShell:
    """A machine that is reached by SSH. Use it in a `with`; the connection is made by the first command, and kept."""

    def __init__(self, login: Login, limits: Limits = LIMITS) -> None:
        self._login, self._limits = login, limits
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._connections: Connections | None = None
        self._connection: asyncssh.SSHClientConnection | None = None

    @property
    def name(self) -> str:
        """How messages call the machine."""
        return self._login.name

    def __enter__(self) -> SshShell:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"ssh-{self.name}", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop, thread = self._loop, self._thread
        assert loop is not None and thread is not None
        try:
            self._wait(self._close(), 5.0)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(5.0)
            if not thread.is_alive():
                loop.close()
            self._loop = None

    def run(self, script: str, stdin: str = "") -> Done:
        """Run a bash script there and return what it did.

        Raises HostError when the machine cannot be reached, shows another key, refuses the login, or the script hangs.
        """
        seconds = self._limits.connect + self._limits.login + self._limits.run
        if self._login.jump is not None:
            seconds += self._limits.connect + self._limits.login
        return self._wait(self._run(script, stdin), seconds + _GRACE)

    def _wait(self, what: Coroutine[Any, Any, T], seconds: float) -> T:
        if self._loop is None:
            what.close()
            raise RuntimeError("an SshShell is used outside of its `with`")
        future = asyncio.run_coroutine_threadsafe(what, self._loop)
        try:
            return future.result(seconds)
        except Late:
            future.cancel()
            raise HostError(
                f"the connection to {self._login.place} hangs.", remedy="run the command again", where=self.name
            ) from None

    async def _run(self, script: str, stdin: str) -> Done:
        if self._connection is None:
            self._connections = Connections(self._limits)
            self._connection = await self._connections.hold(self._login)
        command = f"exec bash -c {shlex.quote(script)}"
        output = await run_on(self._connection, self._login, command, stdin, self._limits)
        return Done(output.code, output.stdout, output.stderr)

    async def _close(self) -> None:
        if self._connections is not None:
            await self._connections.__aexit__(None, None, None)
        if self._connection is not None:
            self._connection.close()
            await self._connection.wait_closed()
        await asyncio.get_running_loop().shutdown_default_executor()
