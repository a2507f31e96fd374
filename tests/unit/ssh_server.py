"""An SSH server in a thread of its own, which runs commands for real, and a jump host; with the faults real ones have."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncssh

Handler = Callable[[asyncssh.SSHServerProcess[bytes]], Awaitable[None]]


@dataclass
class Wishes:
    """How a server behaves. `env` is the environment of the commands; `handler` answers instead of a shell."""

    keys: tuple[asyncssh.SSHKey, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    handler: Handler | None = None
    banner: str = ""
    ways: Mapping[str, int] = field(default_factory=dict)
    password: str = ""


class _Server(asyncssh.SSHServer):
    """Counts connections and accepts the keys it was given; `ways` says where a forwarded address really is."""

    def __init__(self, owner: Host) -> None:
        self._owner = owner

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._owner.connections += 1
        self._owner.open.append(conn)
        self._conn = conn

    def begin_auth(self, username: str) -> bool:
        self._owner.users.append(username)
        if self._owner.wishes.banner:
            self._conn.send_auth_banner(self._owner.wishes.banner)
        return True

    def public_key_auth_supported(self) -> bool:
        return bool(self._owner.wishes.keys)

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key.public_data in {known.public_data for known in self._owner.wishes.keys}

    def password_auth_supported(self) -> bool:
        return bool(self._owner.wishes.password)

    def validate_password(self, username: str, password: str) -> bool:
        return password == self._owner.wishes.password

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
        port = self._owner.wishes.ways.get(dest_host)
        if port is None:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "Connection refused")

        async def forward(reader: asyncssh.SSHReader[bytes], writer: asyncssh.SSHWriter[bytes]) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_pump(reader, back), _pump(there, writer), return_exceptions=True)

        return forward


async def _pump(one: Any, other: Any) -> None:
    while data := await one.read(65536):
        other.write(data)
        await other.drain()
    other.close()


class Host:
    """A running server. `connections` and `users` count what came; `port` is where it listens."""

    def __init__(self, wishes: Wishes, also: asyncssh.SSHKey | None = None) -> None:
        self.wishes = wishes
        self._also = [also] if also else []
        self.connections = 0
        self.users: list[str] = []
        self.open: list[asyncssh.SSHServerConnection] = []
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def host_key(self) -> str:
        """Return the line that the settings pin."""
        return " ".join(self.key.export_public_key().decode().split()[:2])

    def __enter__(self) -> Host:
        self._thread.start()
        self._acceptor = self._wait(self._start())
        self.port = self._acceptor.get_port()
        return self

    def __exit__(self, *_: object) -> None:
        self._wait(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: _Server(self),
            server_host_keys=[self.key, *self._also],
            process_factory=self._serve,
            encoding=None,
        )

    async def _stop(self) -> None:
        self._acceptor.close()
        await self._acceptor.wait_closed()
        # A client that went away without a word leaves its connection open, for as long as this loop lives.
        for conn in self.open:
            conn.abort()
        for _ in range(100):
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            if not others:
                break
            await asyncio.sleep(0.02)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        # An aborted transport closes its socket in the next turns of the loop.
        await asyncio.sleep(0.05)

    def _wait(self, what: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(20)

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        if self.wishes.handler is not None:
            await self.wishes.handler(process)
            return
        child = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            process.command or "",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(self.wishes.env),
        )
        assert child.stdin
        assert child.stdout
        assert child.stderr
        try:
            await asyncio.gather(
                _feed(process.stdin, child.stdin),
                _pass_on(child.stdout, process.stdout),
                _pass_on(child.stderr, process.stderr),
            )
            process.exit(await child.wait())
        finally:
            # A client that went away in the middle must not leave a child or an open pipe behind.
            if child.returncode is None:
                child.kill()
            await child.wait()
            child._transport.close()  # type: ignore[attr-defined]


async def _feed(source: asyncssh.SSHReader[bytes], target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        target.close()


async def _pass_on(source: asyncio.StreamReader, target: asyncssh.SSHWriter[bytes]) -> None:
    while data := await source.read(65536):
        target.write(data)
        await target.drain()
