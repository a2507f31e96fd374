"""How a remote step logs in: connection arguments from the settings, the key, and the pinned host keys."""

from pathlib import Path
from typing import Any, Optional

from pulumi import Input, Output
from pulumi_command import remote

from components.secrets import Secrets
from edge.errors import SettingsError
from edge.findings import Finding
from edge.settings import HostSettings, KeyFile, SecretRef
from edge.settings.access import DEFAULT_KEY_SECRET
from edge.vm.hostkey import public_of

# Seconds for one TCP connect; the handshake after it has no limit of its own in the provider.
PER_DIAL_TIMEOUT = 15
# Refused dials: 14 are about half a minute, enough for a host that refuses logins at the end of its boot.
DIALS_AT_ANY_TIME = 14
# From four minutes, where connections are refused, to twenty, where nothing answers: a new VM boots, and cloud-init writes
# its host key before sshd starts.
DIALS_AFTER_FIRST_BOOT = 60
# About twenty minutes: an installer runs, and the machine reboots.
DIALS_AFTER_REBOOT = 240
# Behind a jump host the provider repeats the handshake on one socket, which cannot succeed; a hook repeats the command.
DIALS_BEHIND_JUMP_HOST = 4


def private_key(key: Any, where: str, secrets: Secrets, root: Path) -> Optional[Input[str]]:
    """Return a private key as a secret, or None when an SSH agent or a password takes its place.

    Raises SettingsError when the key file cannot be read.
    """
    if key == "secret":
        return secrets.get(DEFAULT_KEY_SECRET)
    if isinstance(key, SecretRef):
        return secrets.get(key.secret)
    if not isinstance(key, KeyFile):
        return None
    path = (root / key.file).expanduser()
    try:
        return Output.secret(path.read_text("utf-8"))
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        remedy = "Give the path of an existing key file, or write `privateKey: secret`."
        raise SettingsError([Finding(where, str(path), problem, remedy)]) from None


def authorized_keys(host: HostSettings, secrets: Secrets, root: Path) -> Output[list[str]]:
    """Return who may log in to a machine of the program: the keys of the settings, or the public half of its own key."""
    if host.ssh.authorized_keys:
        return Output.from_input(list(host.ssh.authorized_keys))
    key = private_key(host.ssh.private_key, f"site.hosts.{host.name}.ssh.privateKey", secrets, root)
    passphrase = secrets.get(host.ssh.passphrase.secret) if host.ssh.passphrase else None
    return Output.all(key=key, passphrase=passphrase).apply(
        lambda given: [public_of(given["key"], given["passphrase"])]
    )


class Login:
    """The login of one host: makes connection arguments for each step, with the dials that the step needs."""

    def __init__(
        self, host: HostSettings, address: Input[str], host_key: Input[Optional[str]], secrets: Secrets, root: Path
    ) -> None:
        self.behind_jump_host = host.ssh.jump_host is not None
        self.user = host.ssh.user
        self._host = host
        self._address = address
        # None is a host key that is not pinned; the argument's type does not say so.
        self._host_key: Any = host_key
        self._secrets = secrets
        self._root = root

    def _key(self, key: Any, where: str) -> Optional[Input[str]]:
        return private_key(key, where, self._secrets, self._root)

    def _jump(self, dials: int) -> Optional[remote.ProxyConnectionArgs]:
        ssh = self._host.ssh
        jump = ssh.jump_host
        if jump is None:
            return None
        own_key = jump.private_key is not None
        key = self._key(jump.private_key if own_key else ssh.private_key, "site.ssh.jumpHost.privateKey")
        shares_passphrase = not own_key and ssh.passphrase is not None
        return remote.ProxyConnectionArgs(
            host=str(jump.address),
            port=float(jump.port),
            user=jump.user or ssh.user,
            private_key=key,
            private_key_password=self._secrets.get(ssh.passphrase.secret)
            if shares_passphrase and ssh.passphrase
            else None,
            host_key=jump.host_key,
            dial_error_limit=dials,
            per_dial_timeout=PER_DIAL_TIMEOUT,
        )

    def connection(self, *, after_reboot: bool = False, first_boot: bool = False) -> remote.ConnectionArgs:
        """Return the arguments of one connection, with the dials that an installer and a boot, or a first boot, need."""
        ssh = self._host.ssh
        dials = DIALS_AFTER_REBOOT if after_reboot else DIALS_AFTER_FIRST_BOOT if first_boot else DIALS_AT_ANY_TIME
        return remote.ConnectionArgs(
            host=self._address,
            port=float(ssh.port),
            user=ssh.user,
            private_key=self._key(ssh.private_key, f"site.hosts.{self._host.name}.ssh.privateKey"),
            private_key_password=self._secrets.get(ssh.passphrase.secret) if ssh.passphrase else None,
            password=self._secrets.get(ssh.password.secret) if ssh.password else None,
            host_key=self._host_key,
            proxy=self._jump(dials),
            dial_error_limit=DIALS_BEHIND_JUMP_HOST if self.behind_jump_host else dials,
            per_dial_timeout=PER_DIAL_TIMEOUT,
        )
