"""The secrets of a stack, for the commands that run without an engine: one port, several places they may lie in.

Asked in this order: the environment, a file (given, or made by the lab), the stack file itself with Pulumi's passphrase,
the Pulumi CLI. A secret is handed out as text and is in no repr, message or exception of this module.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import yaml

from edge.errors import SecretsError
from edge.facts import rehearsal_folders
from edge.passphrase import FILE_VARIABLE, VARIABLE, Decrypter, passphrase_from

NAMESPACE = "edge-hosts"
KEY_VARIABLE = "SPECTROCLOUD_APIKEY"  # the vendor's own
KEY_SECRET = "paletteApiKey"  # noqa: S105 - the name of a secret
PREFIX = "EDGE_HOSTS_SECRET_"
# The vendor's own variable for its API key comes first, as it does for the engine.
_OTHER_VARIABLES: Mapping[str, str] = {KEY_SECRET: KEY_VARIABLE}
_CLI_SECONDS = 60.0


class StackSecrets(Protocol):
    """Where the secrets of one stack come from."""

    def get(self, name: str) -> str:
        """Return the secret `name`; raise SecretsError that names it and every place that was asked."""
        ...


class Place(Protocol):
    """One place that may hold secrets."""

    def find(self, name: str) -> str | None:
        """Return the secret, None if this place does not hold it; raise SecretsError if it cannot be read."""
        ...

    def describe(self, name: str, /) -> str:
        """Return how a message calls the place where `name` was looked for."""
        ...


class EnvironmentSecrets:
    """Secrets in environment variables: registrationToken is EDGE_HOSTS_SECRET_REGISTRATION_TOKEN."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def find(self, name: str) -> str | None:
        """Return the variable's value; an empty one counts as not set."""
        other = self._environ.get(_OTHER_VARIABLES.get(name, ""), "")
        return other or self._environ.get(variable_of(name)) or None

    def describe(self, name: str, /) -> str:
        """Return the variable's name."""
        return f"environment variable {variable_of(name)}"


class FileSecrets:
    """Secrets in a flat JSON or YAML file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: dict[str, object] | None = None

    def find(self, name: str) -> str | None:
        """Return the value of the key `name`."""
        if self._read is None:
            self._read = _mapping(_private_text(self._path), str(self._path))
        value = self._read.get(name)
        if value is None or isinstance(value, str):
            return value
        raise SecretsError(f"the value of {name} is no text.", remedy="put it in quotes.", where=str(self._path))

    def describe(self, _name: str, /) -> str:
        """Return the file's path."""
        return f"file {self._path}"


class PassphraseSecrets:
    """Secrets encrypted in the stack file by Pulumi's passphrase provider."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self._path, self._environ = path, environ
        self._decrypter: Decrypter | None = None

    def find(self, name: str) -> str | None:
        """Return the decrypted value of `edge-hosts:NAME`; a plain one is handed out as it is."""
        document = _mapping(_text(self._path), str(self._path))
        config = document.get("config")
        value = config.get(f"{NAMESPACE}:{name}") if isinstance(config, dict) else None
        if value is None or isinstance(value, str):
            return value
        sealed = value.get("secure") if isinstance(value, dict) and set(value) == {"secure"} else None
        if not isinstance(sealed, str):
            raise SecretsError(f"{name} is no secret text.", remedy=f"`pulumi config set --secret {name}`.")
        return self._unlocked(document).decrypt(sealed)

    def describe(self, _name: str, /) -> str:
        """Return the stack file's name."""
        return f"stack file {self._path.name}"

    def _unlocked(self, document: Mapping[str, object]) -> Decrypter:
        if self._decrypter is None:
            salt = document.get("encryptionsalt")
            if not isinstance(salt, str):
                raise SecretsError("it is not encrypted with a passphrase.", remedy="put the Pulumi CLI on PATH.")
            passphrase = passphrase_from(self._environ)
            if passphrase is None:
                raise SecretsError("no passphrase is set.", remedy=f"set {VARIABLE} or {FILE_VARIABLE}.")
            self._decrypter = Decrypter(salt, passphrase)
        return self._decrypter


class CliSecrets:
    """Secrets that the Pulumi CLI decrypts, whichever provider the stack uses."""

    def __init__(self, stack: str, root: Path, stack_file: Path | None = None) -> None:
        self._stack, self._root, self._stack_file = stack, root, stack_file

    def find(self, name: str) -> str | None:
        """Return what `pulumi config get` prints; the command changes nothing and asks nothing."""
        if shutil.which("pulumi") is None:
            raise SecretsError("there is no `pulumi` on PATH.", remedy="install the Pulumi CLI.")
        command = ["pulumi", "config", "get", f"{NAMESPACE}:{name}", "--json", "--non-interactive"]
        command += ["--stack", self._stack]
        command += ["--config-file", str(self._stack_file.absolute())] if self._stack_file else []
        try:
            done = subprocess.run(
                command,
                cwd=self._root,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_CLI_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            done = None
        if done is None:
            raise SecretsError("`pulumi config get` did not end in time.", remedy="look at the state backend.")
        if done.returncode != 0:
            if "configuration key" in done.stderr:
                return None
            raise SecretsError("`pulumi config get` failed.", remedy="run it by hand to see why.")
        value = _mapping(done.stdout, "pulumi config get").get("value")
        return value if isinstance(value, str) else None

    def describe(self, name: str, /) -> str:
        """Return the command that was run."""
        return f"`pulumi config get {NAMESPACE}:{name}`"


class FirstFound:
    """Asks one place after the other."""

    def __init__(self, stack: str, places: Sequence[Place]) -> None:
        self._stack, self._places = stack, tuple(places)

    def get(self, name: str) -> str:
        """Return the secret from the first place that has it; raise SecretsError that lists them all."""
        asked = []
        for place in self._places:
            try:
                value = place.find(name)
                reason = "not there"
            except SecretsError as error:
                value, reason = None, f"{error.message.rstrip('.')}: {error.remedy.rstrip('.')}"
            if value is not None:
                return value
            asked.append(f"{place.describe(name)} ({reason})")
        raise SecretsError(
            f"the secret {name} was not found; asked: {'; '.join(asked)}.",
            remedy=f"set {variable_of(name)}, or `pulumi config set --secret {name}` for this stack.",
            where=f"stack {self._stack}",
        )


def open_secrets(
    stack: str,
    root: Path,
    file: Path | None = None,
    stack_file: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> StackSecrets:
    """Return the secrets of `stack`, of the project in `root`.

    `file` is a JSON or YAML file of names and values (mode 0600); without it, the one that the lab made for this stack, if
    there is one. `stack_file` is the stack's file where it is not `Pulumi.STACK.yaml` in `root`. Nothing is read yet.
    """
    env = os.environ if environ is None else environ
    short = stack.rpartition("/")[2]
    path = stack_file or root / f"Pulumi.{short}.yaml"
    found = file or _made_by_lab(short, root, env)
    places: list[Place] = [EnvironmentSecrets(env)]
    if found is not None:
        places.append(FileSecrets(found))
    if path.is_file():
        places.append(PassphraseSecrets(path, env))
    places.append(CliSecrets(stack, root, stack_file))
    return FirstFound(short, places)


def get_or_none(secrets: StackSecrets, name: str) -> str | None:
    """Return a secret, None where it cannot be read."""
    try:
        return secrets.get(name)
    except SecretsError:
        return None


def has_api_key(secrets: StackSecrets, environ: Mapping[str, str] | None = None) -> bool:
    """Return whether a Palette API key can be had, from the environment or the stack's secrets."""
    env = os.environ if environ is None else environ
    return bool(env.get(KEY_VARIABLE, "").strip() or (get_or_none(secrets, KEY_SECRET) or "").strip())


def variable_of(name: str) -> str:
    """Return the environment variable of a secret: sshPrivateKey is EDGE_HOSTS_SECRET_SSH_PRIVATE_KEY."""
    words = "".join(f"_{char}" if char.isupper() else char for char in name)
    return PREFIX + "".join(char if char.isalnum() else "_" for char in words).upper()


def _made_by_lab(stack: str, root: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the file of values that the lab made, if the lab there is one of this stack."""
    for folder in rehearsal_folders(root, environ):
        if (folder / "stack" / f"Pulumi.{stack}.yaml").is_file() and (folder / "secrets.json").is_file():
            return folder / "secrets.json"
    return None


def _private_text(path: Path) -> str:
    """Return a file's text; refuse one that others may read."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        mode = 0
    if mode & 0o077:
        raise SecretsError(f"others may read it (mode {mode:04o}).", remedy=f"chmod 600 {path}.", where=str(path))
    return _text(path)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        reason = "it is no UTF-8 text"
    raise SecretsError(f"it cannot be read: {reason}.", remedy="correct the path or the file.", where=str(path))


def _mapping(text: str, where: str) -> dict[str, object]:
    """Return the mapping in a JSON or YAML text. The parser's own message would quote the text, so it is not passed on."""
    document: object = None
    try:
        document = json.loads(text)
    except ValueError:
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError:
            document = None
    if isinstance(document, dict):
        return document
    raise SecretsError("it holds no names and values.", remedy="write JSON or YAML: one name, one value.", where=where)
