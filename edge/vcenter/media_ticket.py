"""Tickets: one request for a file of a datastore, for somebody who has no login.

The vCenter asks an ESXi host for it, so the address is that host's, by the name under which the vCenter knows it; a
datacenter of vCenter is unknown there (vSphere Web Services programming guide, datastore access; so does govc).
"""

from __future__ import annotations

import base64
import random
import socket
from collections.abc import Callable
from typing import Any, Literal

from pyVmomi import vim

from edge.errors import EdgeError
from edge.vcenter import media_spec, properties
from edge.vcenter.media import Ticket
from edge.vcenter.media_places import Center, Store
from edge.vcenter.session import Session, within

COOKIE = "vmware_cgi_ticket"
PORT = 443
_ESXI_CENTER = "ha-datacenter"
_REACH_SECONDS = 0.4
_HOST = ("name", "runtime.connectionState", "runtime.inMaintenanceMode", "config.certificate")
_SPEC: Any = vim.SessionManager.HttpServiceRequestSpec

Reach = Callable[[str], bool]


def ticket_for(
    live: Session,
    center: Center,
    store: Store,
    relative: str,
    method: Literal["GET", "PUT"],
    reach: Reach | None = None,
) -> Ticket:
    """Return a ticket for a file of a datastore, to be used once and within minutes."""
    host, certificate = _host(live, store, reach or reachable)
    server, dc = (host, _ESXI_CENTER) if host else (live.vcenter.server, center.path)
    address = media_spec.address(server, store.name, relative, dc)
    spec = _SPEC(method=f"http{method.title()}", url=address)
    found = live.ask(lambda content: content.sessionManager.AcquireGenericServiceTicket(spec))
    trust = [live.vcenter.ca_cert or "", certificate if host else ""]
    if not host and live.vcenter.thumbprint:
        from edge.vcenter.trust import pinned

        trust.append(pinned(live.vcenter, seconds=live.limits.connect).pem)
    pem = "".join(f"{one.strip()}\n" for one in trust if one.strip())
    return Ticket(address, {"Cookie": f"{COOKIE}={found.id}"}, pem)


def _host(live: Session, store: Store, reach: Reach) -> tuple[str, str]:
    """Return an ESXi host that has the datastore and can be reached, with its certificate; two empty texts for none."""
    found = live.ask(lambda content: properties.of(content, store.hosts, vim.HostSystem, _HOST))
    usable = [
        got
        for _, got in found
        if str(got.get("runtime.connectionState")) == "connected" and not got.get("runtime.inMaintenanceMode")
    ]
    random.shuffle(usable)  # so that many uploads do not all go to one
    for got in usable[:2]:
        name, certificate = str(got.get("name")), _pem(got.get("config.certificate"))
        if certificate and reach(name):
            return name, certificate
    return "", ""


def _pem(certificate: Any) -> str:
    """Return a host's certificate as text: the API gives its bytes, as signed numbers or as base64 of PEM."""
    if not certificate:
        return ""
    if isinstance(certificate, str):
        raw = certificate.encode("latin-1")
    else:
        raw = bytes(int(one) & 0xFF for one in certificate)
    if b"-----BEGIN" not in raw:
        try:
            raw = base64.b64decode(raw, validate=True)
        except ValueError:
            return ""
    text = raw.decode("ascii", "replace")
    return text if "-----BEGIN CERTIFICATE-----" in text else ""


def reachable(name: str) -> bool:
    """Return whether a connection to a host comes about soon."""

    def connect() -> bool:
        try:
            with socket.create_connection((name, PORT), timeout=_REACH_SECONDS):
                return True
        except (OSError, UnicodeError):
            return False

    try:
        return within(_REACH_SECONDS, connect, lambda: EdgeError("late"))
    except EdgeError:
        return False
