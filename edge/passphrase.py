"""Reads what Pulumi's passphrase provider encrypted, without the Pulumi CLI.

The format (Pulumi's own `pkg/secrets/passphrase` and `sdk/go/common/resource/config`): a stack file holds
`encryptionsalt: v1:SALT:v1:NONCE:TEXT`, and each secret value `v1:NONCE:TEXT`, all parts in base64. The key is PBKDF2 with
SHA-256, a million rounds, 32 bytes; the cipher AES-256-GCM. What follows the salt is the word `pulumi`, encrypted, so that
a wrong passphrase is noticed at once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edge.errors import SecretsError

_ROUNDS = 1_000_000
_KEY_BYTES = 32
_NONCE_BYTES = 12
_PROOF = "pulumi"

_OTHER_PROVIDER = "put the Pulumi CLI on PATH, or hand the secret over by environment or file."

VARIABLE = "PULUMI_CONFIG_PASSPHRASE"
FILE_VARIABLE = "PULUMI_CONFIG_PASSPHRASE_FILE"


class Decrypter:
    """Decrypts the values of one stack file. Holds the derived key, never the passphrase."""

    __slots__ = ("_cipher",)

    def __init__(self, salt_line: str, passphrase: str) -> None:
        """Derive the key (about half a second) and prove it; raise SecretsError if the passphrase is wrong."""
        version, _, rest = salt_line.partition(":")
        salt, _, proof = rest.partition(":")
        if version != "v1" or not proof:
            raise SecretsError("the stack file's encryptionsalt is of an unknown form.", remedy=_OTHER_PROVIDER)
        self._cipher = AESGCM(_key(_decode(salt), passphrase))
        if self._open(proof) != _PROOF:
            raise SecretsError(
                "the passphrase does not fit the stack file.",
                remedy=f"set {VARIABLE} or {FILE_VARIABLE} to the passphrase this stack was made with.",
            )

    def decrypt(self, value: str) -> str:
        """Return the plain text of a `secure:` value; raise SecretsError if it was not made with this key."""
        plain = self._open(value)
        if plain is None:
            raise SecretsError(
                "a secure value of the stack file does not fit its encryptionsalt.",
                remedy="set that secret again with `pulumi config set --secret`.",
            )
        return plain

    def _open(self, value: str) -> str | None:
        version, _, rest = value.partition(":")
        nonce, _, sealed = rest.partition(":")
        if version != "v1" or not sealed:
            raise SecretsError("a secure value of the stack file is of an unknown form.", remedy=_OTHER_PROVIDER)
        raw_nonce, raw = _decode(nonce), _decode(sealed)
        if len(raw_nonce) != _NONCE_BYTES:
            return None
        try:
            return self._cipher.decrypt(raw_nonce, raw, None).decode("utf-8")
        except (InvalidTag, UnicodeDecodeError):
            return None


def passphrase_from(environ: Mapping[str, str]) -> str | None:
    """Return the passphrase as Pulumi finds it, None if none is set. An empty one counts; a file's is trimmed."""
    if VARIABLE in environ:
        return environ[VARIABLE]
    path = environ.get(FILE_VARIABLE, "")
    if not path:
        return None
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = type(error).__name__
    raise SecretsError(f"{FILE_VARIABLE} names {path}, which cannot be read ({reason}).", remedy="correct the path.")


def _key(salt: bytes, passphrase: str) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, _ROUNDS, _KEY_BYTES)


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise SecretsError("a part of the stack file's encrypted text is no base64.", remedy="restore the stack file.")
