"""Who may log in to the vCenter of a rehearsal: the lab's own user, at the address of the lab's vCenter."""

from __future__ import annotations

from edge.errors import LabError
from lab.client import LabClient
from lab.site import load_site

USER = "lab@vsphere.local"
SERVER_NAME, PORT = "vcenter.lab.internal", 8989
PASSWORD = "vspherePassword"  # noqa: S105 - the name of a secret


def refusal(lab: LabClient, server: str, user: object, password: object) -> str | None:
    """Return in a client's words why a login fails, None when it does not. Raises LabError without a lab."""
    site = load_site(lab.paths)
    if site is None:
        raise LabError("the lab has never been up", remedy="start it: make lab (python -m lab up).")
    host, _, port = server.partition(":")
    if host not in (str(site.block.services), SERVER_NAME) or port != str(PORT):
        return f"error setting up new vSphere SOAP client: dial tcp {host}:{port or 443}: i/o timeout"
    if user != USER or password != site.secrets.get(PASSWORD):
        return "ServerFaultCode: Cannot complete login due to an incorrect user name or password."
    return None
