"""Commands on the build machine over SSH, from code that is not asynchronous: one connection, pinned, bounded in time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from edge.canvos.shell import Job
from edge.canvos.ssh_shell import SshShell
from edge.errors import HostError, SecretsError
from edge.images.builder import login_of, open_shell, ssh_props
from edge.settings.access import Ssh
from edge.ssh import Limits, Login
from tests.unit.ssh_server import Host, Wishes

KEY_OF_JUMP = " ".join(asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()[:2])
QUICK = Limits(connect=1.0, login=1.0, run=5.0)


@pytest.fixture(scope="module")
def key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
def host(key: asyncssh.SSHKey) -> Iterator[Host]:
    with Host(Wishes(keys=(key,), env={"PATH": "/usr/bin:/bin"})) as running:
        yield running


def login(host: Host, key: asyncssh.SSHKey, **over: object) -> Login:
    given = {"name": "builder", "address": "127.0.0.1", "port": host.port, "user": "edge", "host_key": host.host_key}
    return Login(**{**given, "key": key, **over})  # type: ignore[arg-type]


def test_many_commands_go_over_one_connection(host: Host, key: asyncssh.SSHKey) -> None:
    with SshShell(login(host, key), QUICK) as shell:
        done = [shell.run("cat; echo told >&2; exit 7", "text\n") for _ in range(3)]
        assert shell.run("echo $0 'it''s' \"$(echo bash)\"").out == "bash its bash\n"
    assert [(one.code, one.out, one.err) for one in done] == [(7, "text\n", "told\n")] * 3
    assert host.connections == 1


def test_nothing_is_left_when_it_is_closed(host: Host, key: asyncssh.SSHKey) -> None:
    before = threading.active_count()
    with SshShell(login(host, key), QUICK) as shell:
        shell.run("true")
    assert threading.active_count() == before
    with pytest.raises(RuntimeError):
        shell.run("true")


def test_it_works_inside_of_a_running_loop(host: Host, key: asyncssh.SSHKey) -> None:
    async def inside() -> str:
        with SshShell(login(host, key), QUICK) as shell:
            return shell.run("echo here").out

    assert asyncio.run(inside()) == "here\n"


@pytest.mark.row("B1")
def test_another_host_key_is_refused_before_the_login(host: Host, key: asyncssh.SSHKey) -> None:
    other = " ".join(asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()[:2])
    with (
        pytest.raises(HostError, match="another host key than the pinned one"),
        SshShell(login(host, key, host_key=other), QUICK) as shell,
    ):
        shell.run("true")
    assert host.users == []


def test_a_command_that_hangs_ends_as_one_error(host: Host, key: asyncssh.SSHKey) -> None:
    limits = Limits(connect=1.0, login=1.0, run=0.3)
    with SshShell(login(host, key), limits) as shell, pytest.raises(HostError, match="did not end within 0 s"):
        shell.run("sleep 20")


def test_a_machine_that_is_not_there(key: asyncssh.SSHKey) -> None:
    gone = Login("builder", "127.0.0.1", 1, "edge", key=key)
    with pytest.raises(HostError, match="refuses connections"), SshShell(gone, QUICK) as shell:
        shell.run("true")


def test_behind_a_jump_host(host: Host, key: asyncssh.SSHKey) -> None:
    with Host(Wishes(keys=(key,), ways={"builder.example": host.port})) as jump:
        through = login(jump, key, user="jumper")
        with SshShell(login(host, key, address="builder.example", jump=through), QUICK) as shell:
            assert shell.run("echo there").out == "there\n"
            assert shell.run("echo again").out == "again\n"
    assert (jump.connections, host.connections) == (1, 1)
    assert jump.users == ["jumper"]


def test_a_job_goes_on_when_the_connection_is_gone(host: Host, key: asyncssh.SSHKey, tmp_path: Path) -> None:
    with SshShell(login(host, key), QUICK) as shell:
        Job(shell, str(tmp_path / "job")).start("k", "sleep 0.5; echo done", 20)
    with SshShell(login(host, key), QUICK) as shell:
        job = Job(shell, str(tmp_path / "job"))
        until = time.monotonic() + 10
        while job.status().state == "running" and time.monotonic() < until:
            time.sleep(0.05)
        assert (job.status().state, job.status().tail) == ("ended", "done")


class TestInputs:
    """From settings to plain inputs, and from those to a login: secrets are only named."""

    SSH = Ssh.model_validate(
        {
            "user": "edge",
            "port": 2222,
            "privateKey": {"secret": "builderKey"},
            "jumpHost": {
                "address": "10.0.0.1",
                "hostKey": KEY_OF_JUMP,
            },
        }
    )

    def test_there_and_back(self, key: asyncssh.SSHKey) -> None:
        text = key.export_private_key().decode()
        props = ssh_props("builder.example", "ssh-ed25519 AAAA", self.SSH, Path("/p"))
        assert "PRIVATE KEY" not in str(props)
        assert props["private_key_secret"] == "builderKey"
        made = login_of({**props, "port": 2222.0}, {"builderKey": text}.get)
        assert (made.address, made.port, made.user, made.host_key) == (
            "builder.example",
            2222,
            "edge",
            "ssh-ed25519 AAAA",
        )
        assert made.key is not None and made.key.public_data == key.public_data
        assert made.jump is not None
        assert (made.jump.user, made.jump.key is not None, made.jump.address) == ("edge", True, "10.0.0.1")
        assert made.name == made.jump.name == "build machine builder.example"

    def test_a_secret_that_is_not_there(self) -> None:
        props = ssh_props("builder.example", None, self.SSH, Path("/p"))
        with (
            pytest.raises(SecretsError, match="pulumi config set --secret edge-hosts:builderKey"),
            open_shell(props, lambda _name: None),
        ):
            pass

    def test_a_secret_that_is_no_key(self) -> None:
        props = ssh_props("builder.example", None, self.SSH, Path("/p"))
        with (
            pytest.raises(HostError, match=r"private key \(secret builderKey\)") as caught,
            open_shell(props, lambda _name: "canary"),
        ):
            pass
        assert "canary" not in str(caught.value)
