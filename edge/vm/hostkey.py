"""The SSH host key of a virtual machine, derived, so that everybody who knows the stack's seed knows it beforehand.

The program, its rehearsal and the command line come to the same key without asking each other, and the first login to a
new machine is verified already. The private key is written in OpenSSH's own format by hand: the usual libraries put a
random check number into it, so the text would differ from run to run, and sshd 9.2 refuses PKCS8 for Ed25519.
"""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge.errors import SecretsError

KIND = b"ssh-ed25519"
SEED_LEAST = 32
_SALT = b"edge-hosts ssh host key 1"  # another number makes another key of every machine
_SEED_BYTES = 32
_MAGIC = b"openssh-key-v1\0"
_CHECK = 0x65646765  # any number; it only has to stand there twice
_BLOCK = 8
_LINE = 70
_BEGIN, _END = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"
_MAKE_SEED = "run `openssl rand -base64 32 | pulumi config set --secret hostKeySeed`"


@dataclass(frozen=True)
class HostKey:
    """A host key: the private half as the text of a file, the public half as `ssh-ed25519 BASE64`."""

    private: str = field(repr=False)
    public: str


def derive(seed: str, *, site: str, host: str, generation: int) -> HostKey:
    """Return the host key of one generation of a host; equal arguments give equal text, byte for byte.

    Raises SecretsError for an empty seed. How good a seed is says `check_seed`.
    """
    material = seed.strip()
    if not material:
        raise SecretsError("the secret 'hostKeySeed' is empty", where="hostKeySeed", remedy=_MAKE_SEED)
    info = b"".join(_string(part.encode()) for part in (site, host, str(int(generation))))
    raw = HKDF(hashes.SHA256(), _SEED_BYTES, _SALT, info).derive(material.encode())
    public = ed25519.Ed25519PrivateKey.from_private_bytes(raw).public_key()
    point = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    blob = _string(KIND) + _string(point)
    return HostKey(_private_text(raw, point, blob), f"{KIND.decode()} {base64.b64encode(blob).decode()}")


def stand_in_key(name: str) -> str:
    """Return a private key that opens nothing, the same for the same name: for runs without the real secrets."""
    return derive("stand-in", site="", host=name, generation=0).private


def check_seed(seed: str) -> None:
    """Raise SecretsError for a seed that could be guessed: whoever guesses it can answer as any host of the stack."""
    if len(seed.strip()) < SEED_LEAST or len(set(seed.strip())) < SEED_LEAST // 4:
        raise SecretsError(
            f"the secret 'hostKeySeed' is too easy to guess (it needs {SEED_LEAST} random characters)",
            where="hostKeySeed",
            remedy=f"{_MAKE_SEED}; machines that exist keep their key until their generation is raised",
        )


def _string(value: bytes) -> bytes:
    """Return a string as SSH writes it: its length in four bytes, then the bytes (RFC 4251)."""
    return struct.pack(">I", len(value)) + value


def _private_text(raw: bytes, point: bytes, blob: bytes) -> str:
    """Return the private key file: no cipher, no comment, the check number fixed (OpenSSH's PROTOCOL.key)."""
    inner = struct.pack(">II", _CHECK, _CHECK) + _string(KIND) + _string(point) + _string(raw + point) + _string(b"")
    inner += bytes(range(1, 1 + -len(inner) % _BLOCK))
    outer = _MAGIC + _string(b"none") * 2 + _string(b"") + struct.pack(">I", 1) + _string(blob) + _string(inner)
    body = base64.b64encode(outer).decode()
    lines = [body[at : at + _LINE] for at in range(0, len(body), _LINE)]
    return "\n".join((_BEGIN, *lines, _END, ""))


def public_of(private_key: str, passphrase: str | None = None, *, where: str = "ssh.privateKey") -> str:
    """Return the public half of a login key as `TYPE BASE64`: RSA, ECDSA or Ed25519, in OpenSSH or PEM form.

    Raises SecretsError that names `where`, never a part of the key.
    """
    key = _opened(private_key, passphrase, where)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise _unusable(where, "is of a kind that cannot log in", "use an Ed25519 key: `ssh-keygen -t ed25519`")
    try:
        line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    except (UnsupportedAlgorithm, ValueError):
        line = b""
    if not line:
        raise _unusable(where, "is on a curve that SSH does not know", "use `ssh-keygen -t ed25519`")
    return line.decode()


def _opened(text: str, passphrase: str | None, where: str) -> object:
    """Return the key in a text, in whichever of the two forms it is written."""
    data = (text.strip().replace("\r\n", "\n") + "\n").encode()
    password = passphrase.rstrip("\n").encode() if passphrase else None
    load = serialization.load_ssh_private_key
    if b"OPENSSH PRIVATE KEY" not in data:
        load = serialization.load_pem_private_key  # type: ignore[assignment]
    try:
        return _loaded(load, data, password)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        told = str(error).lower()
    if password is None and ("password" in told or "passphrase" in told):
        raise _unusable(where, "needs a passphrase", "name it as `ssh.passphrase: {secret: NAME}`")
    if password is not None and b"PRIVATE KEY" in data:
        raise _unusable(where, "does not open with its passphrase", "set the secret that `ssh.passphrase` names again")
    raise _unusable(where, "cannot be read as a private key", "give it in OpenSSH or PEM form")


def _loaded(load: object, data: bytes, password: bytes | None) -> object:
    """Return the key; a passphrase for a key that is not locked is no mistake, as ssh sees it too."""
    assert callable(load)
    try:
        return load(data, password)
    except TypeError:
        if password is None:
            raise
        return load(data, None)


def _unusable(where: str, problem: str, remedy: str) -> SecretsError:
    return SecretsError(
        f"the private key for the login {problem}, so its public half is not known",
        where=where,
        remedy=f"{remedy}, or list the public keys as `ssh.authorizedKeys`",
    )
