"""Connections to the hosts for the commands that work without an engine: one per host, pinned, bounded in time.

Nothing of this machine decides how we log in: no ~/.ssh/config, no known_hosts, no key but the one that the settings name.
Whatever goes wrong becomes one sentence with the host in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType

import asyncssh

from edge.errors import HostError
from edge.ssh_errors import connected_socket, explained, silent

# A handshake with curve25519 takes 157 ms where the default order takes 245 (seen on two cores); the others follow for
# servers in FIPS mode.
KEX = [
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group-exchange-sha256",
]
# The kind of the pinned key is asked for first, the others after it: a host that has only another kind then shows that one,
# and is refused with a clear word, where "no common algorithm" could mean anything.
_HOST_KEY_ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
_CHUNK = 65536
_MOST_OUTPUT = 8 * 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Seconds for the TCP connection, for the login after it, and for the command after that."""

    connect: float = 10.0
    login: float = 20.0
    run: float = 180.0


@dataclass(frozen=True)
class Login:
    """How to log in to one machine. `host_key` None accepts any key (outside of production)."""

    name: str
    address: str
    port: int
    user: str
    host_key: str | None = None
    key: asyncssh.SSHKey | None = field(default=None, repr=False)
    agent: bool = False
    password: str | None = field(default=None, repr=False)
    jump: Login | None = None

    @property
    def place(self) -> str:
        """Return the address as a person writes it."""
        return f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Output:
    """What a command did: its exit code and both outputs, and how many seconds it took."""

    code: int
    stdout: str
    stderr: str
    seconds: float


Heard = Callable[[str], None]


class _Client(asyncssh.SSHClient):
    """Keeps the server's banner: a machine that is still booting says so there."""

    def __init__(self) -> None:
        self.banner = ""

    def auth_banner_received(self, msg: str, lang: str) -> None:  # noqa: ARG002  (the library's signature)
        self.banner = " ".join(msg.split())[:200]


class Connections:
    """Opens connections, shares one connection per jump host, and closes all of them at the end."""

    def __init__(self, limits: Limits | None = None, *, at_once: int = 64) -> None:
        self._limits = limits or Limits()
        self._stack = AsyncExitStack()
        self._jumps: dict[tuple[str, int, str], asyncio.Task[asyncssh.SSHClientConnection]] = {}
        self._places = asyncio.Semaphore(at_once)

    async def __aenter__(self) -> Connections:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._jumps.values():
            task.cancel()
        await asyncio.gather(*self._jumps.values(), return_exceptions=True)
        await self._stack.__aexit__(kind, error, trace)

    async def run(self, login: Login, command: str, stdin: str, heard: Heard | None = None) -> Output:
        """Run `command` on a host with `stdin`, over a connection of its own, and return what it did.

        `heard` gets each line of stderr as it comes. Raises HostError when there is no connection, or it is lost.
        """
        async with self._places, self._open(login) as connection:
            return await run_on(connection, login, command, stdin, self._limits, heard)

    async def hold(self, login: Login) -> asyncssh.SSHClientConnection:
        """Return a connection for many commands (see `run_on`), closed with the others. Raises HostError for none."""
        return await self._held(login)

    @asynccontextmanager
    async def _open(self, login: Login) -> AsyncIterator[asyncssh.SSHClientConnection]:
        tunnel = await self._jump(login) if login.jump else None
        connection = await self._connected(login, tunnel)
        try:
            yield connection
        finally:
            connection.close()

    async def _jump(self, login: Login) -> asyncssh.SSHClientConnection:
        """Return the connection to the jump host, the same one for all hosts behind it."""
        jump = login.jump
        assert jump is not None
        key = (jump.address, jump.port, jump.user)
        if key not in self._jumps:
            self._jumps[key] = asyncio.create_task(self._held(jump))
        try:
            return await asyncio.shield(self._jumps[key])
        except HostError as error:
            raise HostError(f"its jump host: {error.message}", remedy=error.remedy, where=login.name) from None

    async def _held(self, jump: Login) -> asyncssh.SSHClientConnection:
        return await self._stack.enter_async_context(self._open(jump))

    async def _connected(
        self, login: Login, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        """Return a connection that is logged in. TCP and login have limits of their own, to tell one from the other."""
        clients: list[_Client] = []

        def client() -> _Client:
            clients.append(_Client())
            return clients[-1]

        sock = None if tunnel else await connected_socket(login.address, login.port, self._limits.connect, login.name)
        try:
            async with asyncio.timeout(self._limits.login):
                return await asyncssh.connect(
                    login.address if sock is None else "",
                    login.port if sock is None else 0,
                    sock=sock,
                    tunnel=tunnel or (),
                    client_factory=client,
                    options=_options(login),
                )
        except TimeoutError:
            raise silent(login.name, login.place, self._limits.login) from None
        except (asyncssh.Error, OSError) as error:
            banner = clients[-1].banner if clients else ""
            raise explained(error, login.name, login.place, login.user, banner=banner) from None


def _options(login: Login) -> asyncssh.SSHClientConnectionOptions:
    known: tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]] | None = None
    if login.host_key is not None:
        known = ([asyncssh.import_public_key(login.host_key)], [], [])
    return asyncssh.SSHClientConnectionOptions(
        config=None,
        username=login.user,
        known_hosts=known,
        server_host_key_algs=sorted(_HOST_KEY_ALGORITHMS, key=lambda name: not _fits(name, login.host_key)),
        client_keys=[login.key] if login.key else None,
        agent_path=() if login.agent else None,
        password=login.password,
        preferred_auth="password,keyboard-interactive" if login.password else "publickey",
        kex_algs=KEX,
        compression_algs=["none"],
        keepalive_interval=15,
        keepalive_count_max=4,
        # The limits are kept by the callers, which know what to say about each.
        login_timeout=0,
    )


def _fits(algorithm: str, host_key: str | None) -> bool:
    """Return whether an algorithm signs with a key of the pinned kind."""
    kind = (host_key or "").split(" ")[0]
    return algorithm == kind or (kind == "ssh-rsa" and algorithm.startswith("rsa-"))


async def run_on(
    connection: asyncssh.SSHClientConnection,
    login: Login,
    command: str,
    stdin: str,
    limits: Limits,
    heard: Heard | None = None,
) -> Output:
    """Run `command` over an open connection. Raises HostError when the connection is lost, or the command does not end."""
    try:
        async with asyncio.timeout(limits.run):
            return await _run(connection, command, stdin, heard)
    except TimeoutError:
        raise HostError(
            f"the step did not end within {limits.run:.0f} s.",
            remedy="look on the host what hangs (`ps -ef --forest`), then run the command again",
            where=login.name,
        ) from None
    except (asyncssh.Error, OSError) as error:
        raise explained(error, login.name, login.place, login.user, running=True) from None


async def _run(connection: asyncssh.SSHClientConnection, command: str, stdin: str, heard: Heard | None) -> Output:
    start = time.monotonic()
    process: asyncssh.SSHClientProcess[str] = await connection.create_process(
        command, encoding="utf-8", errors="replace"
    )
    async with process:
        out, err, _ = await asyncio.gather(
            _read(process.stdout, None), _read(process.stderr, heard), _write(process.stdin, stdin)
        )
        await process.wait_closed()
    code = process.returncode
    if code is None:
        raise asyncssh.ConnectionLost("the command ended without an exit code")
    return Output(code, out, err, time.monotonic() - start)


async def _write(stream: asyncssh.SSHWriter[str], text: str) -> None:
    """Send the step. A host that reads only a part of it has ended early: its exit code says more than our error."""
    try:
        stream.write(text)
        await stream.drain()
        stream.write_eof()
    except (BrokenPipeError, ConnectionResetError):
        return


async def _read(stream: asyncssh.SSHReader[str], heard: Heard | None) -> str:
    """Return everything of a stream, at most 8 MiB of it; whole lines go to `heard` as they come."""
    parts: list[str] = []
    size, rest = 0, ""
    while chunk := await stream.read(_CHUNK):
        if size < _MOST_OUTPUT:
            parts.append(chunk)
            size += len(chunk)
        if heard is not None:
            *lines, rest = (rest + chunk)[-_CHUNK:].split("\n")
            for line in lines:
                heard(line)
    return "".join(parts)
