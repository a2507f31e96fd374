"""Whom the program trusts when it speaks with a vCenter: the system's authorities, the site's own, or a pinned certificate.

The vSphere provider knows no such setting: it trusts what its process trusts. So an own authority or a pinned certificate
goes into one file with the system's authorities, and SSL_CERT_FILE of the `pulumi` command names that file. The reads of
this program use the same certificates, so that the two cannot disagree. Nothing ever goes on without verification.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import os
import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from edge.errors import EdgeError
from edge.files import replace_file
from edge.findings import Finding
from edge.settings import StackSettings
from edge.settings.vsphere import Vcenter
from edge.vcenter.certificate import Shown, colons, fits, problem_with, shown_by, unreachable
from edge.vcenter.errors import TrustError

VARIABLE = "SSL_CERT_FILE"
FOLDER = Path(".edge") / "trust"
SECONDS = 15.0
# Where the systems keep their authorities in one file: Debian and Ubuntu, Red Hat, SUSE, Alpine and macOS.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----\s(.*?)-----END CERTIFICATE-----", re.DOTALL)

Fetch = Callable[[str, int, float], Shown]


def needs_bundle(vcenter: Vcenter) -> bool:
    """Return whether a vCenter is trusted by something that the system does not know."""
    return bool(vcenter.ca_cert or vcenter.thumbprint)


def bundle_path(settings: StackSettings) -> Path:
    """Return where the bundle of a stack lies."""
    return settings.root / FOLDER / f"{settings.stack}.pem"


def bundle_for(
    settings: StackSettings, *, environ: Mapping[str, str] | None = None, fetch: Fetch = shown_by
) -> Path | None:
    """Write the authorities that the `pulumi` command of this stack must trust, and return the file; None if none is needed.

    It holds the system's authorities, each vCenter's own one, and each pinned server's certificate once its SHA-256 is the
    pinned one. Raises TrustError when it is another one, VcenterError when the server does not answer.
    """
    vcenters = [one for one in settings.vcenters.values() if needs_bundle(one)]
    if not vcenters:
        return None
    path = bundle_path(settings)
    parts = [system_roots(os.environ if environ is None else environ, path)]
    for one in vcenters:
        parts += [one.ca_cert or "", pinned(one, fetch).pem if one.thumbprint else ""]
    text = "\n".join(part.strip() for part in parts if part.strip()) + "\n"
    replace_file(path, text, what="the file of trusted certificates", remedy="make the project folder writable")
    return path


def pinned(vcenter: Vcenter, fetch: Fetch = shown_by, seconds: float = SECONDS) -> Shown:
    """Return the certificate of a vCenter whose `thumbprint` it has. Raises TrustError that shows both when it has not."""
    shown = fetch(vcenter.host, vcenter.port, seconds)
    wanted = colons(vcenter.thumbprint or "")
    if shown.sha256 != wanted:
        raise TrustError(
            f"shows another certificate than the pinned one: SHA-256 seen {shown.sha256}, expected {wanted}.",
            remedy="find out why it changed; if it was renewed, compare with the vCenter's own console "
            f'(`openssl x509 -in /etc/vmware-vpx/ssl/rui.crt -noout -fingerprint -sha256`) and write thumbprint: "{shown.sha256}"',
            where=f"vCenter {vcenter.server}",
        )
    _usable(vcenter, shown)
    return shown


def context_for(vcenter: Vcenter, fetch: Fetch = shown_by, seconds: float = SECONDS) -> ssl.SSLContext:
    """Return the TLS context of a vCenter: the system's authorities, its own one, its pinned certificate; names are compared."""
    context = ssl.create_default_context()
    if vcenter.ca_cert:
        context.load_verify_locations(cadata=vcenter.ca_cert)
    if vcenter.thumbprint:
        shown = pinned(vcenter, fetch, seconds)
        context.load_verify_locations(cadata=shown.pem)
        # The pinned certificate is trusted as it is, whoever signed it: so does the provider's TLS library.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def refused(vcenter: Vcenter, error: Exception, fetch: Fetch = shown_by, seconds: float = SECONDS) -> EdgeError:
    """Return, in one sentence, why a connection to a vCenter failed: unreachable, or what is wrong with its certificate."""
    if not isinstance(error, ssl.SSLError):
        return problem_with(vcenter.server, unreachable(error, seconds))
    if not isinstance(error, ssl.SSLCertVerificationError):
        return problem_with(vcenter.server, unreachable(error, seconds))
    try:
        shown = fetch(vcenter.host, vcenter.port, seconds)
        _usable(vcenter, shown)
    except EdgeError as found:
        return found
    return _unknown(vcenter, shown)


def _usable(vcenter: Vcenter, shown: Shown) -> None:
    """Refuse a certificate that nobody would accept, whoever signed it: expired, or for another name."""
    where = f"vCenter {vcenter.server}"
    if shown.ends < dt.datetime.now(dt.UTC):
        raise TrustError(
            f"its certificate expired on {shown.ends:%Y-%m-%d}.",
            remedy="renew it on the vCenter (or set the clock of this machine)",
            where=where,
        )
    if not fits(vcenter.host, shown.names):
        listed = ", ".join(shown.names[:5]) or "no name at all"
        raise TrustError(
            f"its certificate is not for {vcenter.host}, but for {listed}.",
            remedy=f"write one of these names as `server`{_as_server(shown)}, or give the vCenter another certificate",
            where=where,
        )


def _as_server(shown: Shown) -> str:
    return f", for example server: {shown.names[0]}" if shown.names and "*" not in shown.names[0] else ""


def _unknown(vcenter: Vcenter, shown: Shown) -> TrustError:
    """Return what to do about a certificate of an authority that is not known here."""
    signer = "is signed by itself" if shown.self_signed else "comes from an authority that is not known here"
    if vcenter.ca_cert:
        signer = "does not come from the authority in `caCert`"
    return TrustError(
        f"its certificate {signer}; its SHA-256 is {shown.sha256}.",
        remedy="compare that with the vCenter's own console (`openssl x509 -in /etc/vmware-vpx/ssl/rui.crt -noout "
        f'-fingerprint -sha256`) and, if they agree, write thumbprint: "{shown.sha256}"; or give its authority as caCert',
        where=f"vCenter {vcenter.server}",
    )


def check_environment(settings: StackSettings, environ: Mapping[str, str]) -> Finding | None:
    """Return what keeps the vSphere provider of this process from trusting the site's vCenters; None when nothing does.

    Reads one file, asks no server: the program calls it in every run.
    """
    vcenters = {name: one for name, one in settings.vcenters.items() if needs_bundle(one)}
    if not vcenters:
        return None
    remedy = f'Run `eval "$(python -m edgectl env {settings.stack})"` in this shell first'
    named = environ.get(VARIABLE, "")
    if not named:
        problem = "is not set, so the vSphere provider would not trust the vCenter"
        return Finding(VARIABLE, None, f"{problem}{_listed(vcenters)}", remedy)
    try:
        trusted = _fingerprints(Path(named).read_text("utf-8", "replace"))
    except OSError as error:
        return Finding(VARIABLE, named, f"names a file that cannot be read ({error.strerror})", remedy)
    missing = {
        name: one
        for name, one in vcenters.items()
        if not _fingerprints(one.ca_cert or "") <= trusted or (one.thumbprint and not _held(one.thumbprint, trusted))
    }
    if missing:
        return Finding(VARIABLE, named, f"names a file without the certificate of vCenter{_listed(missing)}", remedy)
    return None


def _held(thumbprint: str, trusted: frozenset[str]) -> bool:
    return colons(thumbprint) in trusted


def _listed(vcenters: Mapping[str, Vcenter]) -> str:
    return " " + ", ".join(f"{name} ({one.server})" for name, one in vcenters.items())


def _fingerprints(pem: str) -> frozenset[str]:
    """Return the SHA-256 of every certificate in a PEM text; what is no certificate is passed over."""
    found = set()
    for block in _BLOCK.findall(pem):
        try:
            der = base64.b64decode("".join(block.split()), validate=True)
        except binascii.Error:
            continue
        found.add(colons(hashlib.sha256(der).hexdigest()))
    return frozenset(found)


def system_roots(environ: Mapping[str, str], own: Path) -> str:
    """Return the PEM text of the authorities that this machine trusts: of SSL_CERT_FILE if it is not our own, else the system's."""
    named = environ.get(VARIABLE, "")
    given = [Path(named)] if named and FOLDER.name not in Path(named).parent.parts and Path(named) != own else []
    default = ssl.get_default_verify_paths().openssl_cafile
    for path in [*given, *(Path(one) for one in (*_BUNDLES, default))]:
        try:
            text = path.read_text("utf-8", "replace")
        except OSError:
            continue
        if _BLOCK.search(text):
            return text
    return ""
