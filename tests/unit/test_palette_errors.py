"""What a person reads when Palette says no or nothing: one sentence, a remedy, and never a key, a token or a web page."""

from __future__ import annotations

import logging
import pickle
import socket
import ssl
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from edge.errors import PaletteError
from edge.palette import KEY_IN_CONFIG, Masked, PaletteClient, RefusedError, UnavailableError
from edge.palette.masked import SHOWN
from edge.palette.wire import close_all
from tests.unit.palette_fake import KEY, PLANTS, TOKEN, FakePalette, Reply, error

PAGE = "<html><body>" + "x" * 5000 + "</body></html>"


def everything(caught: BaseException) -> str:
    """Return all that a careless program could print of an error: chain, our frames with locals, arguments, attributes."""
    assert caught.__traceback__ is not None
    ours = caught.__traceback__.tb_next
    told = traceback.TracebackException(type(caught), caught, ours, capture_locals=True)
    return "".join(told.format()) + repr(vars(caught)) + repr(caught.args) + repr(caught)


REPLIES: dict[str, tuple[Reply, str]] = {
    "401": (error(401, "InvalidApiKey", f"key {KEY} is not valid"), "does not accept the API key"),
    "403": (error(403, "ResourceAccessDenied", "operation is forbidden"), "forbids the API key to list"),
    "404": (error(404, "ProjectNotFoundInTenant", "no"), "knows no project"),
    "400": (error(400, "BadRequest", "line one\nline two " + "y" * 900), "refused to list"),
    "429": (error(429, "TooManyRequests", "slow down", {"Retry-After": "90"}), "asks us to slow down"),
    "500": (error(500, "InternalError", f"token {KEY}"), "has trouble of its own"),
    "html": (httpx.Response(502, html=PAGE), "has trouble of its own"),
    "console": (httpx.Response(200, html=PAGE), "something else than JSON"),
    "redirect": (httpx.Response(302, headers={"Location": f"https://elsewhere/?{KEY}"}), "redirect"),
    "refused": (httpx.ConnectError(f"refused {KEY}"), "the connection failed"),
    "slow": (httpx.ReadTimeout(f"slow {KEY}"), "did not answer within"),
    "proxy": (httpx.ProxyError("407 Proxy Authentication Required"), "refused the connection"),
    "broken proxy": (httpx.ProxyError("502 Bad Gateway"), "the proxy .* failed"),
    "surprise": (httpx.InvalidURL(KEY), "the connection failed"),
}


@pytest.mark.row("A21")
@pytest.mark.parametrize("name", REPLIES)
def test_every_failure_is_one_sentence_with_a_remedy_and_without_the_key(
    name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{KEY}@proxy.test:3128")
    palette, (reply, expected) = FakePalette(), REPLIES[name]
    palette.faults = [lambda _request: reply] * 50
    with pytest.raises(PaletteError, match=expected) as caught:
        palette.client(patience=0.3, project_name=None, project_uid=PLANTS).tokens()
    message = str(caught.value)
    assert "\n" not in message
    assert "Remedy: " in message
    assert len(message) < 600
    assert "palette.test" in message
    for secret in (KEY, TOKEN):
        assert secret not in everything(caught.value)
        assert secret not in caplog.text
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_the_request_that_was_sent_has_lost_its_key_again() -> None:
    palette = FakePalette()
    palette.client().tokens()
    assert "ApiKey" not in palette.requests[-1].headers


def test_a_key_from_the_config_may_be_an_old_one_of_the_state() -> None:
    palette = FakePalette(key="rotated")
    with pytest.raises(RefusedError, match="--run-program or set SPECTROCLOUD_APIKEY"):
        palette.client(key_source=KEY_IN_CONFIG).tokens()
    with pytest.raises(RefusedError) as caught:
        palette.client().tokens()
    assert "--run-program" not in str(caught.value)


def test_a_copy_of_an_error_says_the_same() -> None:
    first = UnavailableError("m", remedy="r", where="w", status=429, code="c")
    again = first.again()
    assert again is not first
    assert (str(again), again.status, again.code) == (str(first), 429, "c")


def test_masked_secrets_show_nothing() -> None:
    secret = Masked(KEY)
    assert f"{secret} {secret!r} {secret:>5}" == f"{SHOWN} {SHOWN} {SHOWN:>5}"
    assert secret == Masked(Masked(KEY))
    assert secret != Masked("other")
    assert hash(secret) == hash(Masked(KEY))
    assert (bool(secret), bool(Masked("")), secret == KEY) == (True, False, False)
    assert secret.redact(f"a {KEY} b") == f"a {SHOWN} b"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    client = FakePalette().client()
    assert KEY not in repr(client) + repr(vars(client)) + repr(vars(client._wire))


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the proxies of this machine alone, and close all connections at the end."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield
    close_all()


class _Server(ThreadingHTTPServer):
    """A server on the loopback that keeps quiet about what it is asked."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: broken handshakes are what these tests make."""


@pytest.fixture
def server() -> Iterator[_Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "12")
            self.end_headers()
            self.wfile.write(b'{"items":[]}')

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with _Server(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def test_nothing_in_the_log_of_a_real_connection(
    direct: None, server: _Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = PaletteClient(f"http://127.0.0.1:{server.server_port}", KEY)
    assert client.tokens() == ()
    assert "receive_response_headers" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.row("A5")
def test_a_server_without_tls_is_told_apart(direct: None, server: _Server) -> None:
    client = PaletteClient(f"https://127.0.0.1:{server.server_port}", KEY, patience=2.0)
    with pytest.raises(RefusedError, match=r"fails the TLS handshake .*palette\.caCert"):
        client.tokens()


@pytest.mark.row("A5")
def test_a_closed_port_is_told_apart(direct: None) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UnavailableError, match="the connection failed"):
        PaletteClient(f"https://127.0.0.1:{port}", KEY, patience=0.3).tokens()


@pytest.mark.row("A5")
@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (socket.EAI_NONAME, RefusedError, "knows no such name"),
        (socket.EAI_AGAIN, UnavailableError, "does not answer"),
    ],
)
def test_an_unknown_name_is_told_apart(number: int, kind: type[PaletteError], words: str) -> None:
    def unknown(_request: httpx.Request) -> Reply:
        failure = httpx.ConnectError("name")
        failure.__cause__ = socket.gaierror(number, "name")
        return failure

    palette = FakePalette(faults=[unknown] * 20)
    with pytest.raises(kind, match=words):
        palette.client(patience=0.3).tokens()


@pytest.mark.row("A5", "A16")
def test_a_foreign_certificate_is_told_apart() -> None:
    def untrusted(_request: httpx.Request) -> Reply:
        failure = httpx.ConnectError("tls")
        failure.__cause__ = ssl.SSLCertVerificationError(1, "CERTIFICATE_VERIFY_FAILED")
        return failure

    palette = FakePalette(faults=[untrusted])
    with pytest.raises(RefusedError, match=r"certificate that is not trusted .*palette\.caCert"):
        palette.client().tokens()
    assert len(palette.requests) == 1
