"""The lab's three certificate authorities, and the certificates they sign.

`public` stands for the authorities that every operating system trusts, `corporate` for a company's own behind its
proxy, `cluster` for the one of the EKS cluster's API server. They are made once; server certificates are made on demand.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SUBJECTS = {"public": "Lab Public Root CA", "corporate": "Lab Corporate Root CA", "cluster": "kubernetes"}
_CA_DAYS = 3650
_LEAF_DAYS = 365


@dataclass(frozen=True)
class Authority:
    """One certificate authority: its certificate, and its private key to sign with."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        """Return the certificate as PEM text."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, names: Sequence[str], addresses: Sequence[str] = (), *, expired: bool = False) -> bytes:
        """Return private key, server certificate and authority as one PEM text.

        `names` are DNS names, `addresses` IP addresses; with `expired` the certificate ended yesterday.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        end = now + datetime.timedelta(days=-1 if expired else _LEAF_DAYS)
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        common = (names or addresses)[0]
        certificate = (
            _builder(key, common if len(common) <= 64 else "server", self.certificate.subject, now, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(_key_usage(ca=False), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return _private_pem(key) + certificate.public_bytes(serialization.Encoding.PEM) + self.pem.encode()


@dataclass(frozen=True)
class Authorities:
    """The three authorities of a lab."""

    public: Authority
    corporate: Authority
    cluster: Authority


def new_authority(subject: str) -> Authority:
    """Return a new self-signed authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    certificate = (
        _builder(key, subject, name, now, now + datetime.timedelta(days=_CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def ensure_ca(directory: Path) -> Authorities:
    """Return the authorities kept in `directory`, after making those that are missing.

    Certificates lie in `public.pem`, `corporate.pem` and `cluster.pem`, keys beside them in `.key` files of mode 0600.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = {name: _load_or_make(directory, name, subject) for name, subject in SUBJECTS.items()}
    return Authorities(**found)


def _load_or_make(directory: Path, name: str, subject: str) -> Authority:
    certificate_file, key_file = directory / f"{name}.pem", directory / f"{name}.key"
    if certificate_file.exists() and key_file.exists():
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        if isinstance(key, ec.EllipticCurvePrivateKey) and key.public_key() == certificate.public_key():
            return Authority(certificate, key)
    authority = new_authority(subject)
    write_private(key_file, _private_pem(authority.key))
    certificate_file.write_text(authority.pem, "utf-8")
    return authority


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, from its first byte on."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def _builder(
    key: ec.EllipticCurvePrivateKey, common: str, issuer: x509.Name, now: datetime.datetime, end: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
