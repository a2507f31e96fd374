"""The logins of a stack's hosts: from the settings and the stack's secrets to keys that can be used."""

from __future__ import annotations

import os
from pathlib import Path

import asyncssh

from edge.errors import HostError
from edge.secrets import StackSecrets
from edge.settings.access import JumpHost, KeyFile, KeySource, NamedSecret, Ssh, key_secret
from edge.settings.stack import HostSettings
from edge.settings.vsphere import SEED_SECRET
from edge.ssh import Login

_REMEDY = "give the private key in OpenSSH or PEM form, and its passphrase as ssh.passphrase: {secret: NAME}"


class Logins:
    """Makes logins and reads each key once, because one key serves a whole site. `site` is the name of the site."""

    def __init__(self, secrets: StackSecrets, site: str) -> None:
        self._secrets = secrets
        self._site = site
        self._keys: dict[tuple[str, str | None], asyncssh.SSHKey] = {}

    def of(self, host: HostSettings) -> Login:
        """Return the login of a host.

        Raises HostError for a key that cannot be read or unlocked, SecretsError for a secret that is not there.
        """
        ssh = host.ssh
        jump = self._jump(host.name, ssh, ssh.jump_host) if ssh.jump_host else None
        password = self._secrets.get(ssh.password.secret) if ssh.password else None
        return Login(
            name=host.name,
            address=str(host.address),
            port=ssh.port,
            user=ssh.user,
            host_key=self._host_key(host),
            key=self._key(host.name, ssh.private_key, ssh.passphrase),
            agent=ssh.private_key == "agent",
            password=password,
            jump=jump,
        )

    def _host_key(self, host: HostSettings) -> str | None:
        """Return the pinned host key: that of the settings, or the derived one of a machine that the program installs."""
        if host.host_key or (host.vm is None and host.mode == "agent"):
            return host.host_key
        from edge.vm.hostkey import derive  # sites of existing machines alone need no key derivation

        seed = self._secrets.get(SEED_SECRET)
        return derive(seed, site=self._site, host=host.name, generation=host.generation).public

    def _jump(self, host: str, ssh: Ssh, jump: JumpHost) -> Login:
        mine = jump.private_key is not None
        source = jump.private_key if mine else ssh.private_key
        passphrase = jump.passphrase if mine else ssh.passphrase
        return Login(
            name=host,
            address=jump.address,
            port=jump.port,
            user=jump.user or ssh.user,
            host_key=jump.host_key,
            key=self._key(host, source, passphrase),
            agent=source == "agent",
        )

    def _key(self, host: str, source: KeySource | None, passphrase: NamedSecret | None) -> asyncssh.SSHKey | None:
        if source == "agent" and not os.environ.get("SSH_AUTH_SOCK"):
            problem = "the settings name an SSH agent, but none runs here (SSH_AUTH_SOCK is not set)."
            raise HostError(problem, remedy="start one and add the key: eval $(ssh-agent); ssh-add", where=host)
        if source is None or source == "agent":
            return None
        secret = key_secret(source)
        where = str(source.file) if isinstance(source, KeyFile) else f"secret {secret}"
        locked = passphrase.secret if passphrase else None
        if (where, locked) not in self._keys:
            text = _file(host, source.file) if isinstance(source, KeyFile) else self._secrets.get(secret or "")
            self._keys[where, locked] = self._opened(host, text, where, locked)
        return self._keys[where, locked]

    def _opened(self, host: str, text: str, where: str, locked: str | None) -> asyncssh.SSHKey:
        passphrase = self._secrets.get(locked) if locked else None
        try:
            return asyncssh.import_private_key(text, passphrase)
        except asyncssh.KeyEncryptionError as error:
            problem = f"the private key ({where}) does not open with its passphrase."
            if "requires bcrypt" in str(error):
                problem = f"the private key ({where}) cannot be opened without the package bcrypt."
        except (asyncssh.KeyImportError, ValueError) as error:
            needs = "Passphrase must be specified" in str(error)
            problem = f"the private key ({where}) {'needs a passphrase' if needs else 'cannot be read as a key'}."
        raise HostError(problem, remedy=_REMEDY, where=host)


def _file(host: str, path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        problem = f"the private key file {path} cannot be read: {reason}."
        raise HostError(problem, remedy="correct `ssh.privateKey: {file: PATH}`", where=host) from None
