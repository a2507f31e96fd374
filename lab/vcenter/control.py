"""Switches the faults of the vSphere simulator, over its unix socket."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.errors import LabError
from lab.paths import socket_address

_SECONDS = 20.0


class Control:
    """The control socket of one simulator. Every method raises LabError when it does not run or refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def alive(self) -> bool:
        """Return whether the simulator answers."""
        try:
            self.status()
        except LabError:
            return False
        return True

    def status(self) -> dict[str, Any]:
        """Return what there is: address, machines, the faults that are on, and the catalogue of faults."""
        return self._ask("GET", "/status", None)

    def fault(self, name: str, **details: str | float) -> None:
        """Switch a fault on.

        `no-privilege` (privilege, object, user; or method), `datastore-full` (object), `slow-task` (method, object,
        seconds), `failing-task` (method, object, message), `session-expired`, `two-at-once` (method, order="reversed"),
        `silent`. `times` ends it after so many times. A method is called as vCenter calls it, CloneVM_Task.
        """
        self._ask("POST", "/fault", {"name": name, **details})

    def clear(self, name: str = "") -> None:
        """Switch a fault off; without a name, all of them."""
        self._ask("POST", "/clear", {"name": name})

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None) -> dict[str, Any]:
        address, folder = socket_address(self.path)
        connection = http.client.HTTPConnection("vcenter", timeout=_SECONDS)
        try:
            connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.sock.settimeout(_SECONDS)
            connection.sock.connect(address)
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError):
            raise LabError("the lab's vCenter is not running", remedy="start it: python -m lab vcenter up.") from None
        finally:
            connection.close()
            if folder is not None:
                os.close(folder)
        if response.status >= 400:
            raise LabError(str(answer.get("message", f"status {response.status}")))
        return answer
