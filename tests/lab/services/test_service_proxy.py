"""The authenticating CONNECT proxy."""

from __future__ import annotations

import socket

import httpx
import pytest
from service_stand import PORTS, Stand, connects

SITE = "eks.eu-central-1.amazonaws.com"


def through(
    stand: Stand, url: str, *, user: str = "site", password: str = "p@ss", authority: str = "corporate"
) -> httpx.Response:
    """Ask a URL through the proxy."""
    proxy = httpx.Proxy(f"http://{stand.config.gateway_ip}:{PORTS.proxy}", auth=(user, password))
    with httpx.Client(proxy=proxy, verify=stand.trust(authority), trust_env=False, timeout=5) as client:
        return client.get(url)


@pytest.mark.row("A4", "A14")
def test_connect_with_credentials(stand: Stand) -> None:
    """With credentials and the corporate authority an endpoint answers."""
    assert through(stand, f"https://{SITE}/").status_code == 403
    entry = stand.services.requests("proxy")[-1]
    assert (entry["method"], entry["host"], entry["status"]) == ("CONNECT", SITE, 200)


@pytest.mark.row("A14")
def test_connect_needs_the_corporate_authority(stand: Stand) -> None:
    """Who trusts the public authorities only does not get through."""
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        through(stand, f"https://{SITE}/", authority="public")


@pytest.mark.row("A14")
def test_wrong_credentials(stand: Stand) -> None:
    """407 without or with wrong credentials, and while the fault is on."""
    with pytest.raises(httpx.ProxyError, match="407"):
        through(stand, f"https://{SITE}/", password="wrong")
    stand.fault("proxy-407")
    with pytest.raises(httpx.ProxyError, match="407"):
        through(stand, f"https://{SITE}/")


def test_forbidden_and_missing_names(stand: Stand) -> None:
    """One name can be forbidden; what does not resolve is 503, a closed endpoint 502."""
    stand.fault("proxy-403", SITE)
    with pytest.raises(httpx.ProxyError, match="403"):
        through(stand, f"https://{SITE}/")
    with pytest.raises(httpx.ProxyError, match="503"):
        through(stand, "https://nonsense.example/")
    stand.fault("endpoint-closed", "quay.io")
    with pytest.raises(httpx.ProxyError, match="502"):
        through(stand, "https://quay.io/")
    with pytest.raises(httpx.ProxyError, match="403"):
        through(stand, "https://quay.io:8443/")


def test_plain_http_is_forwarded(stand: Stand) -> None:
    """A package manager asks for http URLs; several requests share one connection."""
    proxy = httpx.Proxy(f"http://{stand.config.gateway_ip}:{PORTS.proxy}", auth=("site", "p@ss"))
    with httpx.Client(proxy=proxy, trust_env=False) as client:
        for _ in range(2):
            answer = client.get("http://packages.lab.internal/debian/dists/bookworm/Release")
            assert "Codename: bookworm" in answer.text
        assert client.head("http://packages.lab.internal/debian/dists/bookworm/Release").status_code == 200
        assert client.get("http://packages.lab.internal/debian/none").status_code == 404


@pytest.mark.row("A14")
def test_a_probe_that_says_close(stand: Stand) -> None:
    """A client without keep-alive, such as a probe written in shell, sees the end of the answer."""
    for request in ("HEAD http://mirror.example/ HTTP/1.0", "CONNECT x.invalid:443 HTTP/1.1\r\nConnection: close"):
        with socket.create_connection((stand.config.gateway_ip, PORTS.proxy), 3) as sock:
            sock.settimeout(3)
            sock.sendall(f"{request}\r\n\r\n".encode())
            answer = b""
            while chunk := sock.recv(4096):
                answer += chunk
        assert answer.startswith(b"HTTP/1.1 407 ")
        assert b"Proxy-Authenticate: Basic" in answer


def test_the_api_server_is_reached_through_it(stand: Stand) -> None:
    """An interface's address leads to the interface."""
    answer = through(stand, f"https://{stand.config.eni_ips[0]}/", authority="cluster")
    assert answer.status_code == 401


def test_the_log_knows_who_asked(stand: Stand) -> None:
    """A request behind the proxy is logged with the address of the machine, not of the proxy."""
    through(stand, "https://quay.io/")
    wanted = stand.services.requests("proxy")[-1]["client"]
    assert wanted != stand.config.corporate_ip
    assert stand.services.requests("endpoints")[-1]["client"] == wanted
    through(stand, "http://packages.lab.internal/debian/dists/bookworm/Release")
    assert stand.services.requests("packages")[-1]["client"] == wanted


def test_a_proxy_that_is_down(stand: Stand) -> None:
    """The port is open, and every connection is dropped."""
    stand.fault("proxy-down")
    assert connects(stand.config.gateway_ip, PORTS.proxy) == "open"
    with pytest.raises(httpx.HTTPError):
        through(stand, f"https://{SITE}/")
