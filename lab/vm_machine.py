"""A VM of the lab: a machine that nobody configures from outside.

Its disk begins as the template, its one interface is a cable with the VM's hardware address and nothing else; users, keys,
name and address come from the guest's own cloud-init, which reads the VM's guest variables. What the guest has become
is reported as VMware Tools would: by looking inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any, Literal

from edge.errors import LabError
from lab.guestinfo import environment
from lab.keys import write_private
from lab.machine import Machine
from lab.machines import MachinePlan, Nic
from lab.network import Network, run_in
from lab.vm_store import FIRST_DEVICE

CloudInit = Literal["", "running", "done", "failed"]
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_RESULT = "/run/cloud-init/result.json"
_DROPIN = "/run/systemd/system.conf.d/guestinfo.conf"


@dataclass
class VmMachine(Machine):
    """A machine whose network is its own affair. `guestinfo` returns its guest variables for the next boot, `device` is
    the name of its interface when it boots.

    `configured` is called when cloud-init is done with a boot, `ended` when the machine is off by itself or by others.
    """

    vm_id: str = ""
    network: Network | None = None
    mac: str = ""
    device: str = FIRST_DEVICE
    guestinfo: Callable[[], dict[str, str]] = dict
    configured: Callable[[VmMachine], None] = lambda _machine: None
    ended: Callable[[VmMachine], None] = lambda _machine: None
    hostname: str = ""
    cloud_init: CloudInit = ""
    errors: tuple[str, ...] = ()

    @property
    def boots_blank(self) -> bool:
        """Return whether the network that the machine had is gone with each boot: the guest makes it anew."""
        return True

    @property
    def powered(self) -> bool:
        """Return whether the power is on."""
        return self._task is not None and not self._task.done()

    @property
    def address(self) -> IPv4Address | None:
        """Return the address that the guest has given itself, if it has."""
        return self.plan.address if self.powered and self.plan.nics else None

    def _before_boot(self) -> None:
        assert self.network is not None
        self.network.replug(self.plan.key, self.device, self.mac)
        self.hostname, self.cloud_init, self.errors = "", "", ()
        self.plan = replace(self.plan, nics=(), gateway=None)
        # The manager's own file: services have no part in the environment of PID 1.
        pairs = " ".join(f"{name}={value}" for name, value in environment(self.guestinfo()).items())
        write_private(self._dropin, f"[Manager]\nDefaultEnvironment={pairs}\n")

    def _after_end(self) -> None:
        self.hostname, self.cloud_init = "", ""
        self.ended(self)

    @property
    def _dropin(self) -> Path:
        return self.place.folder.parent / "guestinfo.conf"

    def _nspawn(self) -> list[str]:
        # Only in its own namespace does the machine see its own interface in /sys, where cloud-init looks for it.
        return ["nsenter", f"--net={self.place.netns}", *super()._nspawn()]

    def _own_flags(self) -> list[str]:
        # By name only: the values are secret, and every user of this host sees a command line.
        names = [f"--setenv={name}" for name in environment(self.guestinfo())]
        return [*names, f"--bind-ro={self._dropin}:{_DROPIN}"]

    def _own_environment(self) -> dict[str, str]:
        return environment(self.guestinfo())

    async def _await_ready(self) -> None:
        """Follow a boot as Tools would: address, sshd, name, and the end of cloud-init."""
        pause = _SHORTEST_PAUSE
        while (found := await asyncio.to_thread(self._look)) is None:
            await asyncio.sleep(pause)
            # A guest that was given no address may run for hours.
            pause = min(pause * 1.1, _LONGEST_PAUSE)
        self.plan = found
        self.cloud_init = "running"
        await super()._await_ready()
        pause = _SHORTEST_PAUSE
        while not await asyncio.to_thread(self._finished):
            await asyncio.sleep(pause)
            pause = min(pause * 1.1, _LONGEST_PAUSE)
        self.configured(self)

    async def _before_ready(self) -> None:
        # The default route may have come after the address.
        if (found := await asyncio.to_thread(self._look)) is not None:
            self.plan = found

    def _look(self) -> MachinePlan | None:
        """Return the plan with the address and the default route that the guest has made, once there is an address."""
        with contextlib.suppress(LabError, ValueError, KeyError, IndexError):
            links = json.loads(run_in(self.place.netns, "ip", "-json", "-4", "address", "show", "scope", "global"))
            for link in filter(None, links):
                address = link["addr_info"][0]
                nic = Nic("hosts", IPv4Interface(f"{address['local']}/{address['prefixlen']}"))
                routes = json.loads(run_in(self.place.netns, "ip", "-json", "-4", "route", "show", "default") or "[]")
                gateway = next((IPv4Address(route["gateway"]) for route in routes if "gateway" in route), None)
                return replace(self.plan, nics=(nic,), gateway=gateway, device=str(link["ifname"]))
        return None

    def _finished(self) -> bool:
        """Look whether cloud-init is done with this boot, and how it went."""
        try:
            self.hostname = self.run_inside("hostname").strip()
            text = self.run_inside("cat", _RESULT, check=False)
        except LabError:
            return False
        if not text.strip():
            return False
        result: dict[str, Any] = json.loads(text)["v1"]
        self.errors = tuple(str(error) for error in result["errors"])
        self.cloud_init = "failed" if self.errors else "done"
        return True
