"""Server certificates on demand: each TLS listener has one store, which signs a certificate for the name that is asked.

A client that gives no name (it connects to an IP address) gets the default certificate, which carries the addresses.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lab.services.ca import Authority, new_authority, write_private
from lab.services.faults import Faults
from lab.services.names import Names, normal

Quality = Literal["good", "bad", "expired"]


class CertificateStore:
    """The certificates of one listener, by `authority`, cached by name and quality.

    `own` are the DNS names and IP addresses of the default certificate; they are also the targets by which the TLS
    faults find a client that gave no name.
    """

    def __init__(
        self, authority: Authority, directory: Path, names: Names, faults: Faults, *,
        own_names: Sequence[str] = (), own_addresses: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._authority = authority
        self._unknown_authority = new_authority("Unknown CA")
        self._directory = directory
        self._names = names
        self._faults = faults
        self._own_names = tuple(own_names)
        self._own_addresses = tuple(own_addresses)
        self._contexts: dict[tuple[str, Quality], ssl.SSLContext] = {}
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def context(self) -> ssl.SSLContext:
        """Return the context for the listener; it changes to the right certificate in each handshake."""
        context = self._load("default", self._own_names, self._own_addresses, "good")
        context.sni_callback = self._choose
        return context

    def _choose(self, connection: ssl.SSLObject, server_name: str | None, _: ssl.SSLContext) -> int | None:
        """Put the certificate for the asked name into the handshake; a number is a TLS alert."""
        name = normal(server_name) if server_name else ""
        targets = (name,) if name else self._own_addresses
        if any(self._faults.active("endpoint-closed", target) for target in targets):
            return int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
        quality: Quality = "good"
        if any(self._faults.active("tls-bad", target) for target in targets):
            quality = "bad"
        elif any(self._faults.active("tls-expired", target) for target in targets):
            quality = "expired"
        if name and self._names.known(name):
            connection.context = self._cached(name, quality)
        elif quality != "good":
            connection.context = self._cached("", quality)
        return None

    def _cached(self, name: str, quality: Quality) -> ssl.SSLContext:
        key = (name, quality)
        if key not in self._contexts:
            if name:
                self._contexts[key] = self._load(name, (name,), (), quality)
            else:
                self._contexts[key] = self._load("default", self._own_names, self._own_addresses, quality)
        return self._contexts[key]

    def _load(self, label: str, names: Sequence[str], addresses: Sequence[str], quality: Quality) -> ssl.SSLContext:
        authority = self._unknown_authority if quality == "bad" else self._authority
        path = self._directory / f"{label}.{quality}.pem"
        write_private(path, authority.issue(names, addresses, expired=quality == "expired"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context
