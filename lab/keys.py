"""Makes the keys and secret values of a lab, and keeps them in files that only their owner may read."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from lab.guest import Identity


def new_key(comment: str) -> tuple[str, str]:
    """Return a new ed25519 key: the private part in OpenSSH's format, and the public line with a comment."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode("ascii")
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
    return private, f"{public} {comment}"


def new_identity(name: str) -> Identity:
    """Return a new machine's id and host key."""
    private, public = new_key(name)
    return Identity(uuid4().hex, private, public)


def new_secrets() -> dict[str, str]:
    """Return a new value for every secret that the lab's stack needs, by its name."""
    private, _ = new_key("lab")
    return {
        "sshPrivateKey": private,
        "paletteApiKey": secrets.token_hex(24),
        "registrationToken": secrets.token_hex(24),
        "proxyPassword": secrets.token_urlsafe(12),
        "hostKeySeed": secrets.token_hex(32),
        "vspherePassword": secrets.token_urlsafe(12),
        "registryPassword": secrets.token_urlsafe(12),
    }


def public_line(private: str, comment: str) -> str:
    """Return the public line of a private key in OpenSSH's format."""
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    key = load_ssh_private_key(private.encode("ascii"), password=None)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
    return f"{public} {comment}"


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 in one step: it is either the old one or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    partial.replace(path)


def write_private_json(path: Path, value: Mapping[str, object]) -> None:
    """Write plain data as JSON into a file of mode 0600."""
    write_private(path, json.dumps(value, indent=2) + "\n")
