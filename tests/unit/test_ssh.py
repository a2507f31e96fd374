"""Connections to hosts: what they carry, that they are pinned and bounded, and what a person reads when one fails."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncssh
import pytest

from edge import ssh
from edge.errors import HostError
from edge.ssh import KEX, Connections, Limits, Login, Output
from edge.ssh_errors import connected_socket
from tests.unit.ssh_server import Host, Wishes

QUICK = Limits(connect=1.0, login=1.0, run=5.0)


@pytest.fixture(scope="module")
def key() -> asyncssh.SSHKey:
    """Return the key that the servers accept."""
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
def host(key: asyncssh.SSHKey) -> Iterator[Host]:
    """Yield a server that runs commands."""
    with Host(Wishes(keys=(key,), env={"PATH": "/usr/bin:/bin"})) as running:
        yield running


def login(host: Host, key: asyncssh.SSHKey | None, **over: object) -> Login:
    """Return a login at a server."""
    given = {"name": "plant-a", "address": "127.0.0.1", "port": host.port, "user": "edge", "host_key": host.host_key}
    return Login(**{**given, "key": key, **over})  # type: ignore[arg-type]


def run(*logins: Login, command: str = "cat", stdin: str = "hello", limits: Limits = QUICK) -> list[Output]:
    """Run a command at every login, over one set of connections."""

    async def all_of_them() -> list[Output]:
        async with Connections(limits) as connections:
            return list(await asyncio.gather(*(connections.run(one, command, stdin) for one in logins)))

    return asyncio.run(all_of_them())


def refused(one: Login, *, command: str = "cat", limits: Limits = QUICK) -> HostError:
    """Return the error of a run that must fail; it names the host and a remedy."""
    with pytest.raises(HostError) as caught:
        run(one, command=command, limits=limits)
    error = caught.value
    assert error.where == "plant-a"
    assert error.remedy
    assert error.exit_code == 5
    assert "\n" not in str(error)
    return error


@pytest.mark.row("A3")
def test_a_command_runs_with_its_stdin_and_code(host: Host, key: asyncssh.SSHKey) -> None:
    (done,) = run(login(host, key), command="cat; echo told >&2; exit 7", stdin="text\nof the step\n")
    assert (done.code, done.stdout, done.stderr) == (7, "text\nof the step\n", "told\n")
    assert host.connections == 1
    assert host.users == ["edge"]


def test_lines_are_heard_as_they_come(host: Host, key: asyncssh.SSHKey) -> None:
    heard: list[tuple[float, str]] = []

    async def listen() -> None:
        async with Connections(QUICK) as connections:
            command = "echo one >&2; sleep 0.6; printf 'two\\nrest' >&2"
            await connections.run(login(host, key), command, "", lambda text: heard.append((time.monotonic(), text)))

    asyncio.run(listen())
    assert [text for _, text in heard] == ["one", "two"]
    assert heard[1][0] - heard[0][0] > 0.4


def test_a_line_of_a_megabyte_and_a_large_step_pass(host: Host, key: asyncssh.SSHKey) -> None:
    (done,) = run(login(host, key), command="head -c 1000000 /dev/zero | tr '\\0' x >&2; cat", stdin="y" * 400_000)
    assert len(done.stderr) == 1_000_000
    assert len(done.stdout) == 400_000


def test_a_host_that_does_not_read_its_step_still_tells_its_code(host: Host, key: asyncssh.SSHKey) -> None:
    (done,) = run(login(host, key), command="exit 12", stdin="z" * 3_000_000)
    assert done.code == 12


@pytest.mark.row("A3")
def test_a_wrong_key_is_named_with_user_and_place(host: Host) -> None:
    error = refused(login(host, asyncssh.generate_private_key("ssh-ed25519")))
    assert f"127.0.0.1:{host.port} does not accept the login of user edge with this key" in error.message
    assert "authorized_keys" in error.remedy


@pytest.mark.row("A3")
def test_another_host_key_ends_the_login(host: Host, key: asyncssh.SSHKey) -> None:
    other = " ".join(asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()[:2])
    error = refused(login(host, key, host_key=other))
    assert "shows another host key than the pinned one" in error.message
    assert "do not go on" in error.remedy
    assert host.users == [], "the login was not even tried"


@pytest.mark.parametrize("kind", ["ecdsa-sha2-nistp256", "ssh-rsa"])
def test_a_host_key_of_another_kind_is_another_host_key(kind: str, host: Host, key: asyncssh.SSHKey) -> None:
    other = " ".join(asyncssh.generate_private_key(kind).export_public_key().decode().split()[:2])
    assert "shows another host key than the pinned one" in refused(login(host, key, host_key=other)).message


@pytest.mark.parametrize("kind", ["ecdsa-sha2-nistp256", "ssh-rsa"])
def test_the_pinned_kind_is_asked_for_first(kind: str, host: Host, key: asyncssh.SSHKey) -> None:
    """A server with several keys shows the one that was pinned."""
    second = asyncssh.generate_private_key(kind)
    with Host(host.wishes, also=second) as both:
        pinned = " ".join(second.export_public_key().decode().split()[:2])
        assert run(login(both, key, host_key=pinned))[0].code == 0


def test_a_host_without_a_pinned_key_is_taken_as_it_is(host: Host, key: asyncssh.SSHKey) -> None:
    assert run(login(host, key, host_key=None))[0].code == 0


def test_a_password_is_used_where_the_settings_say_so(key: asyncssh.SSHKey) -> None:
    with Host(Wishes(keys=(), env={"PATH": "/usr/bin:/bin"}, password="canary")) as host:
        assert run(login(host, None, password="canary"))[0].code == 0
        error = refused(login(host, None, password="wrong-canary"))
    assert "canary" not in str(error)
    assert "canary" not in repr(login(host, None, password="canary"))


def test_a_refused_connection(key: asyncssh.SSHKey) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    one = Login("plant-a", "127.0.0.1", port, "edge", key=key)
    assert "refuses connections: no SSH server listens there" in refused(one).message


def test_a_name_that_does_not_resolve(key: asyncssh.SSHKey) -> None:
    one = Login("plant-a", "no-such-host.invalid", 22, "edge", key=key)
    assert "does not resolve" in refused(one, limits=Limits(connect=10)).message


@contextmanager
def port_that(*, accepts: bool) -> Iterator[int]:
    """Yield a port that takes connections and says nothing, or one whose queue is full."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(16 if accepts else 0)
        waiting = []
        for _ in range(0 if accepts else 4):
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(mute.getsockname())
            waiting.append(caller)
        try:
            yield mute.getsockname()[1]
        finally:
            for caller in waiting:
                caller.close()


def test_a_port_that_stays_silent_ends_in_time(key: asyncssh.SSHKey) -> None:
    """The engine's provider would wait there for ever."""
    with port_that(accepts=True) as port:
        start = time.monotonic()
        error = refused(Login("plant-a", "127.0.0.1", port, "edge", key=key))
    assert "takes connections but stays silent: no login within 1 s" in error.message
    assert time.monotonic() - start < 5


def test_a_host_that_does_not_answer_ends_in_time(key: asyncssh.SSHKey) -> None:
    with port_that(accepts=False) as port:
        error = refused(Login("plant-a", "127.0.0.1", port, "edge", key=key))
    assert "does not answer within 1 s" in error.message


def test_a_server_that_closes_the_connection_may_be_booting(key: asyncssh.SSHKey) -> None:
    with socket.socket() as rude:
        rude.bind(("127.0.0.1", 0))
        rude.listen(1)
        rude.settimeout(5)

        async def both() -> HostError:
            loop = asyncio.get_running_loop()

            def slam() -> None:
                there, _ = rude.accept()
                there.sendall(b"Not allowed at this time\r\n")
                there.close()

            slammed = loop.run_in_executor(None, slam)
            one = Login("plant-a", "127.0.0.1", rude.getsockname()[1], "edge", key=key)
            with pytest.raises(HostError) as caught:
                async with Connections(QUICK) as connections:
                    await connections.run(one, "cat", "")
            await slammed
            return caught.value

        error = asyncio.run(both())
    assert "closed the connection during the login" in error.message
    assert "booting" in error.remedy


def test_what_the_server_says_before_it_refuses_is_passed_on(key: asyncssh.SSHKey) -> None:
    banner = "System is booting up. Unprivileged users\nare not permitted to log in yet.\n"
    with Host(Wishes(keys=(), password="x", banner=banner)) as host:
        error = refused(login(host, key))
    assert "System is booting up. Unprivileged users are not permitted to log in yet." in error.message


def test_a_connection_that_is_lost_in_the_middle(key: asyncssh.SSHKey) -> None:
    async def die(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.stderr.write(b"checks: looking\n")
        await process.stderr.drain()
        process.channel.get_connection().abort()

    with Host(Wishes(keys=(key,), handler=die)) as host:
        error = refused(login(host, key))
    assert "was lost while the step ran" in error.message


def test_a_step_that_hangs_ends_in_time(host: Host, key: asyncssh.SSHKey) -> None:
    start = time.monotonic()
    error = refused(login(host, key), command="exec sleep 4", limits=Limits(run=1.0))
    assert "did not end within 1 s" in error.message
    assert time.monotonic() - start < 4


@pytest.mark.row("A3")
def test_hosts_behind_a_jump_host_share_its_connection(key: asyncssh.SSHKey) -> None:
    with Host(Wishes(keys=(key,), env={"PATH": "/usr/bin:/bin"})) as inner, Host(Wishes(keys=(key,))) as outer:
        outer.wishes = Wishes(keys=(key,), ways={"10.9.9.1": inner.port, "10.9.9.2": inner.port})
        jump = login(outer, key, user="guard")
        there = [login(inner, key, address=f"10.9.9.{number}", port=22, jump=jump) for number in (1, 2)]
        assert [done.stdout for done in run(*there)] == ["hello", "hello"]
        assert (outer.connections, inner.connections) == (1, 2)
        assert (outer.users, set(inner.users)) == (["guard"], {"edge"})


def test_a_jump_host_that_cannot_go_on_is_told_from_one_that_refuses(host: Host, key: asyncssh.SSHKey) -> None:
    behind = login(host, key, address="10.9.9.9", port=22)
    assert "the jump host cannot reach 10.9.9.9:22" in refused(_by(behind, login(host, key))).message
    other = login(host, asyncssh.generate_private_key("ssh-ed25519"))
    error = refused(_by(behind, other))
    assert error.message.startswith("its jump host: 127.0.0.1:")
    assert "does not accept the login" in error.message


def _by(one: Login, jump: Login) -> Login:
    return Login(one.name, one.address, one.port, one.user, one.host_key, one.key, jump=jump)


def test_the_quick_key_exchange_comes_first_and_small_packets_go_at_once(host: Host) -> None:
    assert KEX[0] == "curve25519-sha256"

    async def option() -> int:
        sock = await connected_socket("127.0.0.1", host.port, 1.0, "plant-a")
        with sock:
            return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    assert asyncio.run(option()) != 0


def test_nothing_of_this_machine_decides_about_the_login(
    host: Host, key: asyncssh.SSHKey, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """No ~/.ssh/config, no agent, no default key: only what the settings name is ever offered."""
    options = ssh._options(login(host, key))
    assert not options.agent_path
    assert re.search("publickey", str(options.preferred_auth))
    assert options.client_keys is not None
    assert len(options.client_keys) == 1
