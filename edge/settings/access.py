"""How a host is reached and how it reaches the world: SSH, jump host, proxy, and secrets that are only named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationInfo, WithJsonSchema, model_validator

from edge.settings.base import Model, kind_of, refuse
from edge.settings.certificates import Sources, path_below
from edge.settings.scalars import HostKey, PublicKey, Text, Whole, address, dns_name, one_line, url

_SECRET_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_NAMING = "Write the name of a top-level config key: a letter, then letters, digits, '-' or '_'"
DEFAULT_KEY_SECRET = "sshPrivateKey"  # noqa: S105  (the name of a secret, not a secret)


def _secret_name(value: object) -> str:
    text = one_line(value)
    if not _SECRET_NAME.fullmatch(text):
        raise refuse("is no name of a secret", _NAMING)
    return text


class SecretRef(Model):
    """A secret by its name; the value stands beside `site`, encrypted, as `edge-hosts:NAME`."""

    secret: Annotated[str, BeforeValidator(_secret_name), WithJsonSchema({"type": "string"})] = Field(
        description="Name of a top-level secret of the stack, set with `pulumi config set --secret NAME`."
    )


def with_named_secrets(value: Any, path: str = "") -> Any:
    """Return a value as it is. Raises what a validator raises for a {secret: NAME} anywhere in it whose name is none."""
    if isinstance(value, dict):
        name = value.get("secret")
        if set(value) == {"secret"} and isinstance(name, str) and not _SECRET_NAME.fullmatch(name):
            raise refuse(f"has {{secret: ...}} without the name of a secret at {path.lstrip('.')}", _NAMING)
        for key, inner in value.items():
            with_named_secrets(inner, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            with_named_secrets(inner, f"{path}[{at}]")
    return value


ONLY_NAMED = "must only name a secret"


def _only_named(value: object) -> object:
    """Refuse a secret that is written out, without repeating it."""
    if isinstance(value, SecretRef) or (isinstance(value, dict) and set(value) == {"secret"}):
        return value
    raise refuse(
        ONLY_NAMED,
        "Write {secret: NAME}, and set the value with `pulumi config set --secret NAME`",
    )


NamedSecret = Annotated[SecretRef, BeforeValidator(_only_named)]


class KeyFile(Model):
    """A private key that lies in a file of the machine that runs the program."""

    file: Path = Field(description="Path of the private key; relative paths start at the stack file.")


KeySource: TypeAlias = Literal["secret", "agent"] | SecretRef | KeyFile


def _key_source(value: object, info: ValidationInfo) -> object:
    """Return one of the three forms of a key as its model."""
    if isinstance(value, SecretRef | KeyFile) or value in ("secret", "agent"):
        return value
    if isinstance(value, str) and "PRIVATE KEY" in value:
        raise refuse(
            "holds the private key itself",
            "Store it with `pulumi config set --secret sshPrivateKey` and write `secret`",
        )
    if isinstance(value, dict) and set(value) == {"secret"}:
        return SecretRef.model_validate(value)
    if isinstance(value, dict) and set(value) == {"file"}:
        if not isinstance(value["file"], str):
            raise refuse(f"names a file by {kind_of(value['file'])}", 'Write {file: "PATH"}')
        return KeyFile(file=path_below(Sources.of(info).folder, value["file"]))
    raise refuse("is no source of a key", "Write `secret`, `agent`, {file: PATH} or {secret: NAME}")


_KEY_FORMS: dict[str, Any] = {
    "anyOf": [
        {"enum": ["secret", "agent"]},
        {
            "type": "object",
            "properties": {"file": {"type": "string"}},
            "required": ["file"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"secret": {"type": "string"}},
            "required": ["secret"],
            "additionalProperties": False,
        },
    ]
}
PrivateKey = Annotated[KeySource, BeforeValidator(_key_source), WithJsonSchema(_KEY_FORMS)]


def _reachable(value: object) -> str:
    """Return an IPv4 address or a DNS name as text."""
    text = one_line(value)
    return str(address(text)) if re.fullmatch(r"[0-9.]+", text) else dns_name(text)


Reachable = Annotated[str, BeforeValidator(_reachable), WithJsonSchema({"type": "string"})]
PortNumber = Annotated[Whole, Field(ge=1, le=65535)]
LoginName = Annotated[
    str,
    BeforeValidator(one_line),
    Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$"),
]


class JumpHost(Model):
    """A machine between the program and a host that has no route of its own."""

    address: Reachable = Field(description="Address or DNS name of the jump host.")
    port: PortNumber = Field(default=22, description="SSH port of the jump host.")
    user: LoginName | None = Field(default=None, description="Login name there; `ssh.user` when it is not given.")
    host_key: HostKey | None = Field(default=None, description="Host key of the jump host: one line `TYPE BASE64`.")
    private_key: PrivateKey | None = Field(
        default=None, description="Key for the jump host; `ssh.privateKey` when not given."
    )
    passphrase: NamedSecret | None = Field(default=None, description="Passphrase of that key.")


def key_secret(key: KeySource | None) -> str | None:
    """Return the name of the secret that holds a key, or None for a file, an agent or no key at all."""
    if key == "secret":
        return DEFAULT_KEY_SECRET
    return key.secret if isinstance(key, SecretRef) else None


class Ssh(Model):
    """How the program logs in to a host."""

    user: LoginName = Field(description="Login name on the hosts; it must become root by sudo without a password.")
    port: PortNumber = Field(default=22, description="SSH port of the hosts.")
    private_key: PrivateKey | None = Field(
        default="secret",
        description="Where the private key is: `secret` (the stack's secret `sshPrivateKey`), `agent`, {file: PATH} or"
        " {secret: NAME}.",
    )
    passphrase: NamedSecret | None = Field(default=None, description="Passphrase of the private key.")
    password: NamedSecret | None = Field(
        default=None, description="Password of the login, where no key can be used; production refuses it."
    )
    authorized_keys: tuple[PublicKey, ...] = Field(
        default=(),
        description="Public keys that may log in to virtual machines which the program makes; the public half of"
        " `privateKey` when none is given.",
    )
    jump_host: JumpHost | None = Field(default=None, description="Machine through which the hosts are reached.")

    @model_validator(mode="before")
    @classmethod
    def _password_replaces_default_key(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and raw.get("password") is not None and "privateKey" not in raw:
            return {**raw, "privateKey": None}
        return raw


def ssh_secrets(ssh: Ssh, where: str) -> dict[str, SecretRef]:
    """Return the secrets of a login, by path below `where`."""
    named = {"passphrase": ssh.passphrase, "password": ssh.password}
    keys = {"privateKey": key_secret(ssh.private_key)}
    if ssh.jump_host:
        named["jumpHost.passphrase"] = ssh.jump_host.passphrase
        keys["jumpHost.privateKey"] = key_secret(ssh.jump_host.private_key)
    found = {f"{where}.{name}": ref for name, ref in named.items() if ref}
    return found | {f"{where}.{name}": SecretRef(secret=key) for name, key in keys.items() if key}


def _none_or(tag: str) -> Discriminator:
    """Return what tells the word `none` from the mapping that may stand in its place."""
    return Discriminator(lambda value: "~none" if isinstance(value, str) else tag)


_None = Annotated[Literal["none"], Tag("~none")]


_NEVER_EMPTY = ("user", "port", "authorized_keys")  # nothing (null) leaves these as the site has them


class SshOverride(Model):
    """What is different for one host; everything that is not written comes from the site's `ssh`."""

    user: LoginName | None = Field(default=None, description="Login name on this host.")
    port: PortNumber | None = Field(default=None, description="SSH port of this host.")
    private_key: PrivateKey | None = Field(default=None, description="Where the private key for this host is.")
    passphrase: NamedSecret | None = Field(default=None, description="Passphrase of that key.")
    password: NamedSecret | None = Field(default=None, description="Password of the login on this host.")
    authorized_keys: tuple[PublicKey, ...] | None = Field(
        default=None, description="Public keys that may log in to this virtual machine, instead of the site's."
    )
    jump_host: Annotated[Annotated[JumpHost, Tag("~jump")] | _None, _none_or("~jump")] | None = Field(
        default=None, description="Jump host of this host; `none` when it is reached directly."
    )

    def over(self, site: Ssh) -> Ssh:
        """Return the site's way to log in, with everything that this host writes put over it."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        given = {name: value for name, value in given.items() if value is not None or name not in _NEVER_EMPTY}
        if given.get("jump_host") == "none":
            given["jump_host"] = None
        if given.get("password") is not None and "private_key" not in given:
            given["private_key"] = None
        return site.model_copy(update=given)


def _proxy_url(value: object) -> str:
    """Return `http://HOST:PORT`."""
    text = url(value, ("http", "https"))
    if text.startswith("https://"):
        raise refuse(
            "is a proxy that is spoken to by TLS, which neither nodeadm nor the checks can do", "Write http://HOST:PORT"
        )
    rest = text.removeprefix("http://")
    if "/" in rest or ":" not in rest:
        raise refuse(
            "is no proxy address",
            f"Write it with a port and without a path: http://{rest.split('/')[0].split(':')[0]}:3128",
        )
    return text


ProxyUrl = Annotated[str, BeforeValidator(_proxy_url), WithJsonSchema({"type": "string", "format": "uri"})]


class Proxy(Model):
    """The HTTP proxy of the hosts. Every step that leaves a host uses it, and so does the agent."""

    http: ProxyUrl | None = Field(
        default=None, description="Proxy for http:// addresses; the same as `https` when not given."
    )
    https: ProxyUrl = Field(
        description="Proxy for https:// addresses, reached by HTTP CONNECT.", examples=["http://10.0.0.2:3128"]
    )
    no_proxy: tuple[Text, ...] = Field(
        default=(),
        description="Names, addresses and blocks that are reached directly. VPC, service, node and pod CIDRs are always"
        " added.",
    )
    user: Text | None = Field(default=None, description="User name at the proxy.")
    password: NamedSecret | None = Field(default=None, description="Password at the proxy.")

    @property
    def http_url(self) -> str:
        """Return the proxy for http:// addresses, without credentials."""
        return self.http or self.https

    @model_validator(mode="after")
    def _both_or_none(self) -> Proxy:
        if (self.user is None) != (self.password is None):
            raise refuse("has only one of `user` and `password`", "Write both, or none for a proxy without a login")
        for entry in self.no_proxy:
            if "," in entry:
                raise refuse(f"has a comma inside an entry of noProxy: {entry!r}", "Write one entry per list item")
        return self


ProxyOrNone: TypeAlias = Annotated[Annotated[Proxy, Tag("~proxy")] | _None, _none_or("~proxy")]

__all__ = [
    "DEFAULT_KEY_SECRET",
    "JumpHost",
    "KeyFile",
    "KeySource",
    "LoginName",
    "NamedSecret",
    "PortNumber",
    "Proxy",
    "ProxyOrNone",
    "ProxyUrl",
    "Reachable",
    "SecretRef",
    "Ssh",
    "SshOverride",
    "key_secret",
    "ssh_secrets",
]
