"""Ways to ask the stand-ins that the tests of this folder run on loopback addresses and high ports."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx

from lab.services import Ports, Services, ServicesConfig

T = TypeVar("T")
PORTS = Ports(dns=15353, http=18080, https=18443, proxy=13128)
CLUSTER = "0123456789abcdef0123456789abcdef.gr7.eu-central-1.eks.amazonaws.com"
API_KEY = "key-of-the-tests"
TOKEN = "token-of-the-tests"
REGISTRY_PASSWORD = "password-of-the-tests"


@dataclass
class Stand:
    """The running stand-ins, and ways to ask them."""

    services: Services
    loop: asyncio.AbstractEventLoop

    @property
    def config(self) -> ServicesConfig:
        """Return the configuration."""
        return self.services.config

    def call(self, function: Callable[[], T]) -> T:
        """Run a function in the thread of the stand-ins."""
        result: Future[T] = Future()

        def run() -> None:
            try:
                result.set_result(function())
            except BaseException as error:
                result.set_exception(error)

        self.loop.call_soon_threadsafe(run)
        return result.result(10)

    def fault(self, name: str, target: str | None = None, on: bool = True) -> None:
        """Switch a fault on or off."""
        self.call(lambda: self.services.fault(name, target, on))

    def trust(self, authority: str = "public") -> ssl.SSLContext:
        """Return a context that trusts one of the lab's authorities only."""
        return ssl.create_default_context(cafile=str(self.config.ca_dir / f"{authority}.pem"))

    def get(
        self, name: str, path: str = "/", *, address: str = "", authority: str = "public", method: str = "GET"
    ) -> httpx.Response:
        """Ask an HTTPS site by its name, at one of the lab's addresses."""
        place = address or self.config.services_ip
        with httpx.Client(verify=self.trust(authority), trust_env=False, timeout=5) as client:
            return client.request(
                method,
                f"https://{place}:{PORTS.https}{path}",
                headers={"Host": name or place},
                extensions={"sni_hostname": name} if name else {},
            )

    def palette(
        self, method: str, path: str, body: object = None, *, project: str = "", key: str = API_KEY,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:  # fmt: skip
        """Ask the Palette API by its address."""
        sent = {"ApiKey": key} | ({"ProjectUid": project} if project else {}) | (headers or {})
        url = f"https://{self.config.services_ip}:{PORTS.https}{path}"
        with httpx.Client(verify=self.trust(), trust_env=False, timeout=5) as client:
            return client.request(method, url, json=body, headers=sent)


def make_deb(folder: Path, name: str, version: str = "1.0", architecture: str = "all") -> Path:
    """Build a small package file."""
    tree = folder / f".{name}"
    (tree / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: lab <lab@lab.internal>\n"
    (tree / "DEBIAN" / "control").write_text(f"{control}Description: a package\n of the lab\n")
    target = folder / f"{name}_{version.replace(':', '%3a')}_{architecture}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(tree), str(target)], check=True, capture_output=True)
    return target


def connects(address: str, port: int, timeout: float = 1.0) -> str:
    """Return what a TCP connection does: `open`, `refused` or `silent`."""
    with socket.socket() as sock:
        sock.settimeout(timeout)
        try:
            sock.connect((address, port))
        except TimeoutError:
            return "silent"
        except ConnectionRefusedError:
            return "refused"
    return "open"
