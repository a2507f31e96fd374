"""A server's certificate as it is shown, whoever signed it, and what can be said about it in one sentence."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address

from cryptography import x509
from cryptography.x509.oid import NameOID

from edge.vcenter.errors import AwayError, TrustError, VcenterError

PORT = 443


@dataclass(frozen=True)
class Shown:
    """The certificate that a server showed: its PEM text, SHA-256 fingerprint, names, end, and whether it signed itself."""

    pem: str
    sha256: str
    names: tuple[str, ...]
    ends: dt.datetime
    self_signed: bool


def fingerprint(der: bytes) -> str:
    """Return the SHA-256 of a certificate as vSphere shows it: pairs of capital hex digits with colons."""
    return colons(hashlib.sha256(der).hexdigest())


def colons(digits: str) -> str:
    """Return 64 hex digits (with or without colons, any case) in the form of vSphere."""
    plain = re.sub(r"[^0-9A-F]", "", digits.upper())
    return ":".join(plain[at : at + 2] for at in range(0, len(plain), 2))


def shown_by(name: str, port: int, seconds: float) -> Shown:
    """Return the certificate of a server without judging it. Raises VcenterError when nothing answers or speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Only the certificate is taken here, nothing is sent; whether to trust it is decided from what was taken.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    der, problem = b"", "shows no certificate"
    try:
        with (
            socket.create_connection((name, port), timeout=seconds) as raw,
            context.wrap_socket(raw, server_hostname=name) as wrapped,
        ):
            der = wrapped.getpeercert(binary_form=True) or b""
    except (OSError, UnicodeError) as error:
        problem = unreachable(error, seconds)
    if not der:
        raise problem_with(name if port == PORT else f"{name}:{port}", problem)
    return of(der)


def of(der: bytes) -> Shown:
    """Return what a certificate says."""
    read = x509.load_der_x509_certificate(der)
    return Shown(
        ssl.DER_cert_to_PEM_cert(der),
        fingerprint(der),
        _names(read),
        read.not_valid_after_utc,
        read.issuer == read.subject,
    )


def _names(read: x509.Certificate) -> tuple[str, ...]:
    """Return the names that a certificate is for; its common name when it lists none (which TLS no longer accepts)."""
    try:
        listed = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = read.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(one.value) for one in common)
    names = listed.get_values_for_type(x509.DNSName)
    return (*names, *(str(one) for one in listed.get_values_for_type(x509.IPAddress)))


def fits(name: str, names: tuple[str, ...]) -> bool:
    """Return whether a certificate for `names` is one for the server `name`: equal, or a wildcard of one label."""
    wanted = name.lower().rstrip(".")
    for one in (found.lower().rstrip(".") for found in names):
        if one == wanted or (one.startswith("*.") and not _is_ip(wanted) and wanted.partition(".")[2] == one[2:]):
            return True
    return False


def _is_ip(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def unreachable(error: Exception, seconds: float) -> str:
    """Return why no TLS connection came about."""
    if isinstance(error, TimeoutError):
        return f"did not answer within {seconds:.0f} s"
    if isinstance(error, socket.gaierror):
        return "has a name that is not known here"
    if isinstance(error, ConnectionRefusedError):
        return "refused the connection: nothing listens on that port"
    if isinstance(error, ssl.SSLError):
        return f"does not speak TLS ({error.reason or 'no handshake'})"
    if isinstance(error, UnicodeError):
        return "has a name that cannot be one"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"cannot be reached ({text})"


def problem_with(server: str, problem: str) -> VcenterError:
    """Return the error of a server that cannot be spoken with."""
    remedy = "check `server` (NAME or NAME:PORT), DNS, and that this machine may reach it (tcp 443)"
    if "TLS" in problem:
        return TrustError(f"{problem}.", remedy=remedy, where=f"vCenter {server}")
    return AwayError(f"{problem}.", remedy=remedy, where=f"vCenter {server}")
