"""Talks to the daemon of a lab over its unix socket: HTTP with JSON, standard library only, so that asking is quick."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from edge.errors import LabError
from lab.paths import LabPaths, socket_address


class _Connection(http.client.HTTPConnection):
    """An HTTP connection over a unix socket."""

    def __init__(self, address: str, seconds: float) -> None:
        super().__init__("lab", timeout=seconds)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self._address)
        except OSError:
            self.sock.close()
            raise


class LabClient:
    """The daemon of one lab. Every method raises LabError when it does not run or refuses."""

    def __init__(self, paths: LabPaths | None = None) -> None:
        self.paths = paths or LabPaths.find()

    def alive(self) -> bool:
        """Return whether the daemon answers."""
        try:
            self.status(seconds=5)
        except LabError:
            return False
        return True

    def status(self, *, seconds: float = 30) -> dict[str, Any]:
        """Return the state of the lab: phase, machines, services, faults."""
        found: dict[str, Any] = self._ask("GET", "/status", seconds=seconds)
        return found

    def events(self, after: int) -> list[dict[str, Any]]:
        """Return what happened since event number `after`, as {number, level, text}."""
        found: list[dict[str, Any]] = self._ask("GET", f"/events?after={after}")["events"]
        return found

    def power(self, action: str, machine: str) -> dict[str, Any]:
        """Do something to a machine and return its state when it is done.

        `on` boots it, `off` cuts the power, `shutdown` asks it to power off, `restart` cuts the power and boots it,
        `reboot` lets it reboot by itself (returns at once), `reset` makes it new.
        """
        found: dict[str, Any] = self._ask("POST", "/machine", {"name": machine, "action": action}, seconds=180)
        return found

    def fault(self, name: str, host: str | None = None, *, on: bool = True) -> dict[str, Any]:
        """Switch a fault of a machine or of the stand-ins on or off; `host` is the machine or the fault's target."""
        found: dict[str, Any] = self._ask("POST", "/fault", {"name": name, "host": host, "on": on}, seconds=120)
        return found

    def clear_faults(self) -> None:
        """Switch every fault of the lab off."""
        self._ask("POST", "/faults/clear", {}, seconds=120)

    def requests(self, service: str | None = None, since: float = 0.0) -> list[dict[str, Any]]:
        """Return the requests that the stand-ins answered since a time (seconds of the epoch)."""
        query = urlencode({"since": since} | ({"service": service} if service else {}))
        found: list[dict[str, Any]] = self._ask("GET", f"/requests?{query}")["requests"]
        return found

    def logins(self, machine: str, since: float = 0.0) -> int:
        """Return how many SSH logins the machine's own sshd has accepted since a time (seconds of the epoch)."""
        return int(self._ask("GET", f"/logins?{urlencode({'host': machine, 'since': since})}")["logins"])

    def inside(self, machine: str) -> list[str]:
        """Return the words that, put before a command, run it inside a machine as root, not over SSH."""
        found: list[str] = self._ask("GET", f"/inside?{urlencode({'host': machine})}")["command"]
        return found

    def stop(self) -> None:
        """End the daemon and with it all machines and stand-ins; return when it has agreed."""
        self._ask("POST", "/stop", {})

    def palette(self, action: str, **arguments: object) -> Any:
        """Do to Palette what an administrator could (`records`, `delete-record`, `add-token`, ...)."""
        return self._ask("POST", f"/palette/{action}", arguments)["result"]

    def aws(self, action: str, **arguments: object) -> Any:
        """Make the AWS account as new (`reset`), or `register` a machine (computer, address) with its SSM; return its id."""
        return self._ask("POST", f"/aws/{action}", arguments, seconds=120)["result"]

    def vms(self) -> list[dict[str, Any]]:
        """Return the VMs: id, name, state, boots, tools, guest, cloudInit, and guestinfo as the guest left it."""
        found: list[dict[str, Any]] = self._ask("GET", "/vms")
        return found

    def define_vm(self, definition: Mapping[str, object]) -> dict[str, Any]:
        """Make a VM (id, name, uuid, mac, guestinfo, ...) without booting it, or change what one is; return it."""
        found: dict[str, Any] = self._ask("POST", "/vms/define", definition, seconds=120)
        return found

    def power_vm(self, vm: str, action: str) -> dict[str, Any]:
        """Switch a VM `on` (returns when it begins to boot) or `off`, `reset` it, or ask it to `shutdown` or `reboot`."""
        found: dict[str, Any] = self._ask("POST", "/vms/power", {"id": vm, "action": action}, seconds=180)
        return found

    def destroy_vm(self, vm: str) -> None:
        """Remove a VM with its disk; one that is not there is gone already."""
        self._ask("POST", "/vms/destroy", {"id": vm}, seconds=60)

    def datastores(self, action: str, datacenter: str, path: str, **arguments: object) -> Any:
        """Ask for a file `[datastore] path`: its `size`, `put`, `delete`, `make-folder`, `files`, `ticket` (method)."""
        body = {"datacenter": datacenter, "path": path, **arguments}
        return self._ask("POST", f"/datastores/{action}", body, seconds=60)["result"]

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None, *, seconds: float = 30) -> Any:
        address, folder = self._address()
        connection = _Connection(address, seconds)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer: Any = json.loads(response.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError):
            raise LabError(
                f"the lab in {self.paths.root} is not running", remedy="start it: make lab (python -m lab up)."
            ) from None
        finally:
            connection.close()
            if folder is not None:
                os.close(folder)
        if response.status >= 400:
            raise LabError(answer.get("message", f"status {response.status}"), remedy=answer.get("remedy", ""))
        return answer

    def _address(self) -> tuple[str, int | None]:
        if not self.paths.socket.exists():
            raise LabError(
                f"the lab in {self.paths.root} is not running", remedy="start it: make lab (python -m lab up)."
            )
        return socket_address(self.paths.socket)
