"""The build machine of a dynamic resource: how it is reached, as plain inputs, and a shell on it while a look lasts.

The inputs name secrets and hold none, so a rotated key works with what is stored.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.canvos.shell import LocalShell, Shell
from edge.errors import HostError, SecretsError
from edge.settings.access import KeyFile, KeySource, Ssh, key_secret

if TYPE_CHECKING:
    import asyncssh

    from edge.ssh import Login

Props = Mapping[str, Any]
Secret = Callable[[str], str | None]
_KEY_REMEDY = "give the private key in OpenSSH or PEM form, and its passphrase as ssh.passphrase: {secret: NAME}"


def local_props() -> dict[str, Any]:
    """Return the inputs for the machine that runs the program."""
    return {"machine": "local"}


def ssh_props(address: str, host_key: str | None, ssh: Ssh, root: Path) -> dict[str, Any]:
    """Return the inputs for a machine that is reached by SSH. Secrets are named; `root` is where paths of keys begin."""
    jump = ssh.jump_host
    props = {
        "machine": "ssh", "name": f"build machine {address}", "address": address, "port": ssh.port, "user": ssh.user,
        "host_key": host_key or "", "password_secret": ssh.password.secret if ssh.password else "",
        **_key_props(ssh.private_key, ssh.passphrase.secret if ssh.passphrase else "", root),
    }  # fmt: skip
    if jump is not None:
        own = jump.private_key is not None
        phrase = jump.passphrase if own else ssh.passphrase
        props["jump"] = {
            "address": jump.address, "port": jump.port, "user": jump.user or ssh.user, "host_key": jump.host_key or "",
            **_key_props(jump.private_key if own else ssh.private_key, phrase.secret if phrase else "", root),
        }  # fmt: skip
    return props


def _key_props(key: KeySource | None, passphrase: str, root: Path) -> dict[str, Any]:
    file = str((root / key.file).expanduser()) if isinstance(key, KeyFile) else ""
    return {
        "private_key_secret": key_secret(key) or "",
        "private_key_file": file,
        "agent": key == "agent",
        "passphrase_secret": passphrase,
    }


@contextmanager
def open_shell(builder: Props, secret: Secret) -> Iterator[Shell]:
    """Yield a shell on the build machine. Raises HostError or SecretsError when there is no way to log in."""
    if builder.get("machine") == "local":
        yield LocalShell()
        return
    from edge.canvos.ssh_shell import SshShell  # only who logs in waits for the library

    with SshShell(login_of(builder, secret)) as shell:
        yield shell


def login_of(builder: Props, secret: Secret, *, name: str = "") -> Login:
    """Return the login that the inputs describe, with its jump host. Numbers may be floats, as the engine hands them over."""
    from edge.ssh import Login

    name = name or str(builder.get("name") or f"build machine {builder['address']}")
    jump = builder.get("jump")
    password = str(builder.get("password_secret") or "")
    return Login(
        name=name,
        address=str(builder["address"]),
        port=int(builder.get("port") or 22),
        user=str(builder["user"]),
        host_key=str(builder.get("host_key") or "") or None,
        key=_key(builder, secret, name),
        agent=builder.get("agent") is True,
        password=_value(password, secret) if password else None,
        jump=login_of(jump, secret, name=name) if jump else None,
    )


def _key(builder: Props, secret: Secret, name: str) -> asyncssh.SSHKey | None:
    if builder.get("agent") is True and not os.environ.get("SSH_AUTH_SOCK"):
        problem = "the settings name an SSH agent, but none runs here (SSH_AUTH_SOCK is not set)."
        raise HostError(problem, remedy="start one and add the key: eval $(ssh-agent); ssh-add", where=name)
    named, file = str(builder.get("private_key_secret") or ""), str(builder.get("private_key_file") or "")
    if not named and not file:
        return None
    import asyncssh

    locked = str(builder.get("passphrase_secret") or "")
    where = f"secret {named}" if named else file
    try:
        text = _value(named, secret) if named else Path(file).read_text("utf-8")
        return asyncssh.import_private_key(text, _value(locked, secret) if locked else None)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        problem = f"the private key file {file} cannot be read: {reason}."
        raise HostError(problem, remedy="correct `ssh.privateKey: {file: PATH}`", where=name) from None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError):
        problem = f"the private key ({where}) cannot be read as a key, or does not open with its passphrase."
        raise HostError(problem, remedy=_KEY_REMEDY, where=name) from None


def _value(name: str, secret: Secret) -> str:
    value = secret(name)
    if value is None:
        raise SecretsError(
            f"the stack has no secret {name!r}",
            where=f"config edge-hosts:{name}",
            remedy=f"run `pulumi config set --secret edge-hosts:{name}`",
        )
    return value
