"""Certificates of authorities that the hosts must trust: written as PEM, as a file, or as a plain config key.

They are read when the settings are read, so that everything after that sees PEM text only, and a missing file is one
more finding beside the others.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, WithJsonSchema

from edge.settings.base import kind_of, not_text, refuse

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\s.*?-----END CERTIFICATE-----", re.DOTALL)
_KEY_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


def nothing(_name: str) -> str | None:
    """Stand for a stack without plain config values."""
    return None


@dataclass(frozen=True)
class Sources:
    """Where values come from that the settings only name: the stack file's folder, and its plain config keys."""

    folder: Path
    plain: Callable[[str], str | None] = nothing

    @classmethod
    def of(cls, info: ValidationInfo) -> Sources:
        """Return the sources of a validation; without any, files are looked for in the current folder."""
        return info.context if isinstance(info.context, cls) else cls(Path.cwd())


def path_below(folder: Path, written: str) -> Path:
    """Return the absolute path of a file as a person writes it: `~`, absolute, or relative to the stack file."""
    return (folder / Path(written).expanduser()).absolute()


def _read_file(written: object, sources: Sources) -> str:
    if not isinstance(written, str):
        raise refuse(f"names a file by {kind_of(written)}", 'Write {file: "PATH"}')
    path = path_below(sources.folder, written)
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise refuse(f"names a file that does not exist: {path}", "Create the file or correct the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise refuse(
            f"names a file that cannot be read: {path} ({error})", "Correct the path or its access rights"
        ) from None


def _read_config(name: object, sources: Sources) -> str:
    if not isinstance(name, str) or not _KEY_NAME.fullmatch(name):
        raise refuse(
            "names no config key", 'Write {config: NAME}, and set it with `pulumi config set NAME -- "$(cat ca.pem)"`'
        )
    text = sources.plain(name)
    if text is None:
        raise refuse(
            f"names the config key {name!r}, which the stack does not have (or has only as a secret)",
            f"Add `edge-hosts:{name}: |` with the PEM text beside `edge-hosts:site`",
        )
    return text


def _pem_text(value: object, info: ValidationInfo) -> str:
    """Return the PEM text that a value holds or names."""
    if isinstance(value, dict):
        if set(value) == {"file"}:
            return _read_file(value["file"], Sources.of(info))
        if set(value) == {"config"}:
            return _read_config(value["config"], Sources.of(info))
        raise refuse("is no certificate", "Write the PEM text, {file: PATH} or {config: NAME}")
    if not isinstance(value, str):
        raise not_text(value)
    return value


def _one_authority(pem: str) -> str:
    """Refuse a text that holds no certificate, a private key, or something that OpenSSL cannot read."""
    if "PRIVATE KEY" in pem:
        raise refuse("holds a private key", "Give the certificate only; the key must not leave its owner")
    blocks = [_normal(block) for block in _CERTIFICATE.findall(pem)]
    if not blocks:
        raise refuse(
            "holds no PEM certificate",
            "It must have a line -----BEGIN CERTIFICATE----- and a line -----END CERTIFICATE-----",
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata="\n".join(blocks))
    except ssl.SSLError:
        raise refuse(
            "holds a certificate that cannot be read", "Copy the PEM file again, whole and unchanged"
        ) from None
    if context.cert_store_stats()["x509_ca"] == 0:
        raise refuse(
            "holds no CA certificate, only that of a server",
            "Give the certificate of the authority that signed it (its Basic Constraints say CA:TRUE)",
        )
    return "\n".join(blocks) + "\n"


def _normal(block: str) -> str:
    """Return one PEM block with no blanks around its lines, so that formatting never reads as a change."""
    return "\n".join(line.strip() for line in block.splitlines() if line.strip())


def certificates(pem: str) -> tuple[str, ...]:
    """Return every certificate of a PEM text as a text of its own, each with a final line break."""
    return tuple(f"{_normal(block)}\n" for block in _CERTIFICATE.findall(pem))


FORMS: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "description": "The PEM text itself."},
        {
            "type": "object",
            "properties": {"file": {"type": "string"}},
            "required": ["file"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"config": {"type": "string"}},
            "required": ["config"],
            "additionalProperties": False,
        },
    ]
}

Certificate = Annotated[str, BeforeValidator(_pem_text), AfterValidator(_one_authority), WithJsonSchema(FORMS)]
