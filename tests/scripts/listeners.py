"""Real listeners on 127.0.0.1 for the probes: open and closed ports, a proxy that wants a login, TLS servers of two CAs."""

from __future__ import annotations

import base64
import datetime
import email.utils
import http.server
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = (
    "palette.example",
    "github.com",
    "localhost",
    "abc.gr7.eu-central-1.eks.amazonaws.com",
    "*.eu-central-1.amazonaws.com",
)
USER, PASSWORD = "edge", "p@ss:w0rd"
LOGIN = "edge:p%40ss%3Aw0rd"


class Quiet(http.server.BaseHTTPRequestHandler):
    """A web server with one page for each case; `ahead` moves its clock, `always` is the answer of a sick server."""

    ahead = 0
    always = 0
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time as this server sees it."""
        return email.utils.formatdate((timestamp or time.time()) + self.ahead, usegmt=True)

    def do_GET(self) -> None:
        """Answer by path."""
        status, kind, body = {
            "/api": (401, "application/json", b'{"kind":"Status","apiVersion":"v1","code":401}'),
            "/installer.sh": (200, "application/octet-stream", b"#!/bin/bash\n"),
            "/page.sh": (200, "text/html; charset=utf-8", b"<html>log in</html>"),
            "/missing.sh": (404, "text/plain", b"Not Found"),
        }.get(self.path, (200, "text/plain", b"ok"))
        self.send_response(self.always or status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET


class Ahead(Quiet):
    """A server whose clock is two hours ahead of ours: ours is behind."""

    ahead = 7200


class Sick(Quiet):
    """A server that answers 503 to everything."""

    always = 503


class Open(Quiet):
    """A server that answers 200 with a page of its own to everything."""

    always = 200


class Proxy(http.server.BaseHTTPRequestHandler):
    """A CONNECT proxy that wants a login; what it does depends on the target's first word."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _allowed(self) -> bool:
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Proxy-Authorization") != wanted:
            self.send_error(407)
            return False
        return True

    def do_HEAD(self) -> None:
        """Answer a plain request, as a package repository would."""
        if self._allowed():
            self.send_response(404)
            self.end_headers()

    def do_CONNECT(self) -> None:
        """Open the tunnel, always to this machine."""
        host, _, port = self.path.partition(":")
        if not self._allowed():
            return
        refused = {"forbidden": 403, "down": 502}.get(host.split(".")[0])
        if refused:
            self.send_error(refused)
            return
        try:
            there = socket.create_connection(("127.0.0.1", int(port)), timeout=5)
        except OSError:
            self.send_error(502)
            return
        self.send_response_only(200, "Connection established")
        self.end_headers()
        back = threading.Thread(target=_pump, args=(there, self.connection), daemon=True)
        back.start()
        _pump(self.connection, there)
        back.join(5)
        there.close()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """One thread per connection, none of which keeps the test from ending."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """A client that goes away is what several of the probes are."""


class Authority:
    """A CA that signs one certificate for all NAMES."""

    def __init__(self, folder: Path, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(self.key, name, name, self.key, ca=True)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        key = ec.generate_private_key(ec.SECP256R1())
        server = self._sign(key, "edge hosts test", name, self.key, ca=False)
        self.file = folder / f"{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.file.write_bytes(private + server.public_bytes(serialization.Encoding.PEM))

    @staticmethod
    def _sign(
        key: ec.EllipticCurvePrivateKey, subject: str, issuer: str, by: ec.EllipticCurvePrivateKey, *, ca: bool
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in NAMES]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if not ca:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return builder.sign(by, hashes.SHA256())

    def context(self) -> ssl.SSLContext:
        """Return a server context with the signed certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file)
        return context


@contextmanager
def _served(handler: type[http.server.BaseHTTPRequestHandler], context: ssl.SSLContext | None = None) -> Iterator[str]:
    server = Server(("127.0.0.1", 0), handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield str(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


ANSWERS = {"refuses": 5, "knows-nothing": 3, "right": 0, "empty": 0}


def _answer(question: bytes, kind: str) -> bytes:
    """Return the answer to one question: an address, or what the kind of server says instead."""
    found = kind == "right" and b"\x03eks" in question
    code = 3 if kind == "right" and not found else ANSWERS[kind]
    head = question[:2] + bytes((0x81, 0x80 | code)) + question[4:6] + bytes((0, int(found))) + bytes(4)
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x64\x03\x04" if found else b""
    return head + question[12:] + record


def _is_question(data: bytes) -> bool:
    """Return whether data is one whole question: a server drops what is not, as a real one does."""
    place = 12
    while place < len(data) and data[place]:
        place += data[place] + 1
    return len(data) == place + 5 and data[2:12] == b"\x01\x00\x00\x01" + bytes(6) and data[-4:] == b"\x00\x01\x00\x01"


@contextmanager
def _names(kind: str, *, udp: bool = True) -> Iterator[str]:
    """Serve names by udp and tcp on one port of this machine; without `udp` its datagrams are dropped."""

    class Datagrams(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, there = self.request
            if udp and _is_question(data):
                there.sendto(_answer(data, kind), self.client_address)

    class Streams(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            size = int.from_bytes(self.rfile.read(2), "big")
            data = self.rfile.read(size)
            if _is_question(data):
                answer = _answer(data, kind)
                self.wfile.write(len(answer).to_bytes(2, "big") + answer)

    with ExitStack() as stack:
        datagrams = stack.enter_context(socketserver.ThreadingUDPServer(("127.0.0.1", 0), Datagrams))
        port = datagrams.server_address[1]
        streams = stack.enter_context(socketserver.ThreadingTCPServer(("127.0.0.1", port), Streams))
        for server in (datagrams, streams):
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            stack.callback(server.shutdown)
        yield str(port)


def _closed() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@contextmanager
def listeners(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the places that cases may name as @place@: ports, URLs of the proxy, PEM texts."""
    ours, theirs = Authority(folder, "site"), Authority(folder, "stranger")
    with ExitStack() as stack:
        web = {
            name: stack.enter_context(_served(handler, authority.context()))
            for name, handler, authority in (
                ("https", Quiet, ours),
                ("late", Ahead, ours),
                ("sick", Sick, ours),
                ("page", Open, ours),
                ("strange", Quiet, theirs),
            )
        }
        proxy = stack.enter_context(_served(Proxy))
        names = {f"dns-{kind}": stack.enter_context(_names(kind)) for kind in ANSWERS}
        yield {
            **web,
            **names,
            "dns-tcp-only": stack.enter_context(_names("right", udp=False)),
            "open": stack.enter_context(_served(Quiet)),
            "closed": _closed(),
            "proxy": f"http://{LOGIN}@127.0.0.1:{proxy}",
            "proxy-without-login": f"http://127.0.0.1:{proxy}",
            "proxy-wrong-login": f"http://edge:wrong@127.0.0.1:{proxy}",
            "proxy-closed": f"http://127.0.0.1:{_closed()}",
            "ca": ours.pem,
            "other-ca": theirs.pem,
        }
