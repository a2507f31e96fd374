"""Runs the wire inputs of a `command:remote:Command` for real, with the rules and the words of the command provider.

Rules kept: the host key is verified only when it is given, and then only its type is negotiated; any refused dial, wrong
credentials included, is repeated with a growing pause until the dial limit; behind a proxy the tunnel is opened once and
only the handshake is repeated, on that one socket; standard input is one string; a lost connection fails the command.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import asyncssh

from edge.errors import EdgeError

Line = Callable[[str], None]

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
# Seconds after which a silent handshake is given up. The real provider has no limit here; a rehearsal must end.
HANDSHAKE_LIMIT = 30.0
LOST = "wait: remote command exited without exit status or exit signal"


class SilentError(Exception):
    """A port took the connection and then said nothing."""


class CommandFailedError(EdgeError):
    """A remote command failed; the message has the provider's own words."""


@dataclass(frozen=True)
class Finished:
    """What a command printed, without the one final newline that the provider removes."""

    stdout: str
    stderr: str


def run(inputs: Mapping[str, Any], command: str, on_line: Line) -> Finished:
    """Run `command` over the connection and standard input of `inputs` (unwrapped); block until it ends.

    `on_line` gets the lines of standard error as they come. Raises CommandFailedError.
    """
    return asyncio.run(_run(inputs, command, on_line))


async def _run(inputs: Mapping[str, Any], command: str, on_line: Line) -> Finished:
    connection = inputs["connection"]
    proxy = connection.get("proxy")
    tunnel: asyncssh.SSHClientConnection | None = None
    try:
        if proxy:
            tunnel = await _dial(proxy, None, "proxy: ")
        client = await _dial(connection, tunnel, "proxy: " if proxy else "")
        try:
            return await _execute(client, command, str(inputs.get("stdin") or ""), on_line)
        except (OSError, asyncssh.Error) as error:
            raise CommandFailedError(f'{LOST}: running "{command}":\n{error}') from None
        finally:
            client.close()
    finally:
        if tunnel is not None:
            tunnel.close()


async def _dial(
    connection: Mapping[str, Any], tunnel: asyncssh.SSHClientConnection | None, prefix: str
) -> asyncssh.SSHClientConnection:
    """Return an open connection, repeating refused dials as the provider does."""
    limit = int(connection.get("dialErrorLimit", 10))
    pause, tries = FIRST_PAUSE, 0
    while True:
        try:
            return await _connect(connection, tunnel)
        except (OSError, asyncssh.Error, SilentError) as error:
            tries += 1
            if isinstance(error, SilentError):
                # The real provider waits here for ever: nothing repeats it.
                raise CommandFailedError(prefix + _words(connection, error)) from None
            permanent = tunnel is not None and isinstance(error, asyncssh.Error)
            if permanent or (limit >= 0 and tries > limit):
                raise CommandFailedError(
                    f"{prefix}after {tries} failed attempts: {_words(connection, error)}"
                ) from None
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


async def _connect(
    connection: Mapping[str, Any], tunnel: asyncssh.SSHClientConnection | None
) -> asyncssh.SSHClientConnection:
    """Return a connection whose handshake is over. Raises SilentError when the other side says nothing at all."""
    key = connection.get("privateKey")
    keys = [asyncssh.import_private_key(key, connection.get("privateKeyPassword"))] if key else None
    way: dict[str, Any] = {"tunnel": tunnel} if tunnel is not None else {"sock": await _socket(connection)}
    handshake = asyncssh.connect(
        str(connection["host"]),
        int(connection.get("port", 22)),
        username=str(connection.get("user", "root")),
        client_keys=keys,
        password=connection.get("password"),
        agent_path=connection.get("agentSocketPath"),
        config=[],
        kex_algs=["curve25519-sha256", "ecdh-sha2-nistp256"],
        **way,
        **_host_key(connection),
    )
    try:
        return await asyncio.wait_for(handshake, HANDSHAKE_LIMIT)
    except TimeoutError:
        raise SilentError from None


async def _socket(connection: Mapping[str, Any]) -> socket.socket:
    """Return a connected socket; the limit of a dial holds for this alone, as with the real provider."""
    limit = float(connection.get("perDialTimeout", 15)) or None
    connected = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connected.setblocking(False)
    address = (str(connection["host"]), int(connection.get("port", 22)))
    try:
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(connected, address), limit)
    except BaseException:
        connected.close()
        raise
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def _host_key(connection: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that pin the host key, or that switch its verification off when none is given."""
    line = connection.get("hostKey")
    if not line:
        return {"known_hosts": None}
    host = str(connection["host"])
    known = f"{host} {line}\n[{host}]:{int(connection.get('port', 22))} {line}\n"
    return {"known_hosts": asyncssh.import_known_hosts(known), "server_host_key_algs": [line.split()[0]]}


def _words(connection: Mapping[str, Any], error: BaseException) -> str:
    """Return the provider's words for a failed dial, so that one decision function reads both."""
    endpoint = f"{connection['host']}:{int(connection.get('port', 22))}"
    if isinstance(error, SilentError):
        return f"ssh: handshake failed: {endpoint} stays silent, for {HANDSHAKE_LIMIT:.0f} s"
    if isinstance(error, TimeoutError):
        return f"dial tcp {endpoint}: i/o timeout"
    if isinstance(error, asyncssh.HostKeyNotVerifiable | asyncssh.KeyExchangeFailed):
        return "ssh: handshake failed: ssh: host key mismatch"
    if isinstance(error, asyncssh.PermissionDenied):
        return "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey]"
    if isinstance(error, asyncssh.Error):
        return f"ssh: handshake failed: {error.reason or error}"
    reason = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else str(error)
    return f"dial tcp {endpoint}: connect: {reason}"


async def _execute(client: asyncssh.SSHClientConnection, command: str, stdin: str, on_line: Line) -> Finished:
    """Run one command and collect its output; the connection may be lost, which is a failure here."""
    process = await client.create_process(command, encoding="utf-8", errors="replace")
    lines: list[str] = []

    async def feed() -> None:
        process.stdin.write(stdin)
        process.stdin.write_eof()

    async def follow() -> str:
        while text := await process.stderr.readline():
            lines.append(text)
            on_line(text.rstrip("\n"))
        return "".join(lines)

    await feed()
    stdout, stderr, _ = await asyncio.gather(process.stdout.read(), follow(), process.wait_closed())
    if process.exit_status is None or process.exit_signal is not None:
        raise CommandFailedError(f'{LOST}: running "{command}":\n{stdout}{stderr}')
    if process.exit_status != 0:
        raise CommandFailedError(
            f'Process exited with status {process.exit_status}: running "{command}":\n{stdout}{stderr}'
        )
    return Finished(stdout.removesuffix("\n"), stderr.removesuffix("\n"))
