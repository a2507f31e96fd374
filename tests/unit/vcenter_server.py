"""A server with a certificate of its own that speaks just enough of vCenter's protocol for a login and a question."""

from __future__ import annotations

import datetime as dt
import http.server
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.unit.threaded import Server, running

USER, PASSWORD = "edge@vsphere.local", "canary-password"


@dataclass(frozen=True)
class Signed:
    """A certificate with its key, as PEM text."""

    certificate: str
    key: str
    signer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def signed(
    *names: str, by: Signed | None = None, ends: dt.timedelta = dt.timedelta(days=30), ca: bool = False
) -> Signed:
    """Return a new certificate for `names`, signed by another one or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0] if names else "Lab CA")])
    issuer = by.signer[0].subject if by else subject
    end = dt.datetime.now(dt.UTC) + ends
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(end - dt.timedelta(days=60)).not_valid_after(end)
    builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(one) for one in names]), critical=False)
    made = builder.sign(by.signer[1] if by else key, hashes.SHA256())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    return Signed(pem, key.private_bytes(*form).decode(), (made, key))


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def sha256(one: Signed) -> str:
    """Return the fingerprint of a certificate as vSphere shows it."""
    return one.signer[0].fingerprint(hashes.SHA256()).hex(":").upper()


@dataclass
class Behaviour:
    """What the server does, and what it was asked."""

    password: str = PASSWORD
    said: str = "Cannot complete login due to an incorrect user name or password."
    fault: str = "InvalidLogin"
    expire: int = 0  # how many questions find the session ended
    api: str = "VirtualCenter"
    silent: float = 0.0
    broken: bool = False
    asked: list[str] = field(default_factory=list)


_CONTENT = """<rootFolder type="Folder">group-d1</rootFolder>
<propertyCollector type="PropertyCollector">propertyCollector</propertyCollector>
<about><name>VMware vCenter Server</name><fullName>VMware vCenter Server 8.0.2 build-1</fullName><vendor>VMware, Inc.</vendor>
<version>8.0.2</version><build>1</build><osType>linux-x64</osType><productLineId>vpx</productLineId><apiType>{api}</apiType>
<apiVersion>8.0.2.0</apiVersion></about><sessionManager type="SessionManager">SessionManager</sessionManager>"""
_SESSION = """<key>k</key><userName>u</userName><fullName>u</fullName><loginTime>2026-11-23T00:00:00Z</loginTime>
<lastActiveTime>2026-11-23T00:00:00Z</lastActiveTime><locale>en</locale><messageLocale>en</messageLocale>"""
_VERSIONS = """<namespaces version="1.0"><namespace><name>urn:vim25</name><version>8.0.2.0</version><priorVersions>
<version>7.0.0.0</version><version>99.1</version></priorVersions></namespace></namespaces>"""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    does: Behaviour

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Tell the versions."""
        self._answer(200, _VERSIONS)

    def do_POST(self) -> None:
        """Answer one call."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        found = re.search(r"<soapenv:Body><(\w+)", body)
        call = found[1] if found else "?"
        self.does.asked.append(call)
        if call == "CurrentTime":
            self._time()
        elif call == "Login" and not re.search(f"<password[^>]*>{self.does.password}<", body):
            self._fault(self.does.fault, self.does.said)
        elif call == "Login":
            self._returns(call, f"<returnval>{_SESSION}</returnval>")
        elif call == "RetrieveServiceContent":
            self._returns(call, f"<returnval>{_CONTENT.format(api=self.does.api)}</returnval>")
        else:
            self._returns(call, "")

    def _time(self) -> None:
        time.sleep(self.does.silent)
        if self.does.expire:
            self.does.expire -= 1
            self._fault("NotAuthenticated", "The session is not authenticated.")
        elif self.does.broken:
            self._answer(502, "<html>a proxy</html>")
        else:
            self._returns("CurrentTime", "<returnval>2026-11-23T00:00:00Z</returnval>")

    def _returns(self, call: str, inner: str) -> None:
        self._answer(200, _envelope(f'<{call}Response xmlns="urn:vim25">{inner}</{call}Response>'))

    def _fault(self, kind: str, text: str) -> None:
        extra = "<privilegeId>System.View</privilegeId>" if kind in ("NoPermission", "NotAuthenticated") else ""
        extra = f'<object type="Folder">group-d1</object>{extra}' if extra else ""
        detail = f'<{kind}Fault xmlns="urn:vim25" xsi:type="{kind}">{extra}</{kind}Fault>'
        code = "<faultcode>ServerFaultCode</faultcode>"
        fault = f"<soapenv:Fault>{code}<faultstring>{text}</faultstring><detail>{detail}</detail></soapenv:Fault>"
        self._answer(500, _envelope(fault))

    def _answer(self, status: int, text: str) -> None:
        with suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "text/xml; charset=utf-8")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())


def _envelope(body: str) -> str:
    spaces = 'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    return f'<?xml version="1.0"?><soapenv:Envelope {spaces}><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>'


@contextmanager
def serving(folder: Path, certificate: Signed, does: Behaviour | None = None) -> Iterator[str]:
    """Yield `127.0.0.1:PORT` of a running server."""
    path = folder / "server.pem"
    path.write_text(certificate.certificate + certificate.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    handler = type("Handler", (_Handler,), {"does": does or Behaviour()})
    server = Server(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with running(server):
        yield f"127.0.0.1:{server.server_address[1]}"
