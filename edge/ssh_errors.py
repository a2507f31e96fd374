"""Why a login failed, in one sentence that names the host and says what to do."""

from __future__ import annotations

import asyncio
import socket

import asyncssh

from edge.errors import HostError

_BOOTING = "if the machine is booting, wait a minute; else look into sshd's log there (`journalctl -u ssh -u sshd`)"
REACH = "check that the machine is up, that `address` is right, and that this machine may reach its SSH port"

OTHER_KEY = (
    "if the machine was installed anew, compare the key on its console and correct `hostKey` (a VM of the program and an"
    " appliance have none: their key comes from the secret `hostKeySeed`, which may be another one by now); else somebody"
    " answers in its place: do not go on"
)


async def connected_socket(address: str, port: int, seconds: float, host: str) -> socket.socket:
    """Return a connected socket. Raises HostError that says why there is none."""
    loop = asyncio.get_running_loop()
    place = f"{address}:{port}"
    last: OSError | None = None
    try:
        async with asyncio.timeout(seconds):
            for family, kind, protocol, _, where in await loop.getaddrinfo(address, port, type=socket.SOCK_STREAM):
                sock = socket.socket(family, kind, protocol)
                sock.setblocking(False)
                try:
                    await loop.sock_connect(sock, where)
                except OSError as error:
                    sock.close()
                    last = error
                except BaseException:
                    sock.close()
                    raise
                else:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    return sock
    except TimeoutError:
        raise HostError(f"{place} does not answer within {seconds:.0f} s.", remedy=REACH, where=host) from None
    except socket.gaierror:
        problem = f"the name {address} does not resolve on this machine."
        raise HostError(problem, remedy="write an address, or a name that this machine knows", where=host) from None
    if isinstance(last, ConnectionRefusedError):
        problem = f"{place} refuses connections: no SSH server listens there."
        remedy = "start sshd (after an installation it comes back with the machine), or correct `ssh.port`"
        raise HostError(problem, remedy=remedy, where=host)
    reason = (last.strerror or str(last)) if last else "no address"
    raise HostError(f"{place} cannot be reached: {reason}.", remedy=REACH, where=host)


def silent(host: str, place: str, seconds: float) -> HostError:
    """Return the error for a port that takes a connection and then says nothing."""
    return HostError(
        f"{place} takes connections but stays silent: no login within {seconds:.0f} s.",
        remedy="something else may listen there, or sshd hangs: restart it from the machine's console",
        where=host,
    )


def explained(
    error: Exception, host: str, place: str, user: str, *, banner: str = "", running: bool = False
) -> HostError:
    """Return what an error of the library means for the person who reads it."""
    problem, remedy = _meaning(error, place, user, banner, running)
    return HostError(problem, remedy=remedy, where=host)


def _meaning(error: Exception, place: str, user: str, banner: str, running: bool) -> tuple[str, str]:
    said = f" ({banner})" if banner else ""
    if running:
        return (
            f"the connection to {place} was lost while the step ran.",
            "run the command again; it changes nothing twice",
        )
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return (
            f"{place} shows another host key than the pinned one.",
            OTHER_KEY,
        )
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return (
            f"{place} and this machine have no algorithm in common.",
            "update the SSH server there, or allow curve25519-sha256 or ecdh-sha2-nistp256 in its configuration",
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return (
            f"{place} does not accept the login of user {user} with this key{said}.",
            "check `ssh.user`, `ssh.privateKey`, and that the public key stands in that user's authorized_keys",
        )
    if isinstance(error, asyncssh.ChannelOpenError):
        return f"the jump host cannot reach {place}: {error.reason}.", REACH
    if isinstance(error, asyncssh.DisconnectError | ConnectionError):
        reason = getattr(error, "reason", "") or str(error)
        return f"{place} closed the connection during the login: {reason}{said}.", _BOOTING
    return f"{place}: {error}.", REACH
