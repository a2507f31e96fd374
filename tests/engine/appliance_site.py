"""A site with an appliance under the real engine: built by the lab's build machine, installed from the uploaded ISO.

The figures come from the machines, the vCenter and Palette's stand-in: installations, boots, drives, files of datastores.
"""

from __future__ import annotations

import time
from typing import Any

from edge.vcenter.media import MARK_PREFIX
from lab.engine import Engine
from lab.site import Site
from lab.vcenter.hands import vim
from tests.engine.engine_site import Case
from tests.engine.vm_site import VmSite

NAME = "app-a"
CHAIN = ("claim", "installer", "vm", "registration", "boot", "checks", "healthy", "media")
IMAGE = "lab-image"


class ApplianceSite(VmSite):
    """The lab's site with appliances as its only hosts; `names` as for machines of other kinds."""

    def __init__(self, engine: Engine, site: Site, cases: list[Case], names: tuple[str, ...] = (NAME,)) -> None:
        super().__init__(engine, site, cases, names)

    def fresh(self) -> None:
        super().fresh()
        for name in self.names:
            self.host(name, mode="appliance")
        self.base = self.engine.settings.read_text("utf-8")

    # -- what is seen ------------------------------------------------------------------------------------------------

    def seen(self, name: str = NAME) -> dict[str, Any]:
        """Return what the lab tells of a VM: power, drives, installations, boots."""
        return next(vm for vm in self.client.vms() if vm["name"] == name)

    def boots(self) -> dict[str, str]:
        """Return the boot id of each machine that runs from its disk, "" for one that is off, installs itself, or is not there."""
        ready = {vm["name"] for vm in self.client.vms() if (vm["appliance"] or {}).get("source") == "disk"}
        look = "cat /proc/sys/kernel/random/boot_id"
        return {name: self.inside(name, look, check=False) if name in ready else "" for name in self.hosts}

    def installations(self, name: str = NAME) -> int:
        """Return how often the machine of a host was installed."""
        return int(self.seen(name)["appliance"]["installations"])

    def drives(self, name: str = NAME) -> list[str]:
        """Return the ISOs in the drives of a VM, as the vCenter says."""
        with self.hand() as hand:
            devices = hand.machine(name).config.hardware.device
            drives = [one for one in devices if isinstance(one, vim.vm.device.VirtualCdrom)]
            iso = vim.vm.device.VirtualCdrom.IsoBackingInfo
            return [one.backing.fileName if isinstance(one.backing, iso) else "" for one in drives]

    def marks(self, name: str = NAME) -> dict[str, str]:
        """Return what the program has written on a VM."""
        with self.hand() as hand:
            config = hand.machine(name).config.extraConfig
            return {one.key: one.value for one in config if one.key.startswith(MARK_PREFIX)}

    def isos(self) -> dict[str, float]:
        """Return the ISOs on the lab's datastores, with the moment of their last change."""
        folder = self.site.paths.root / "datastores"
        return {str(path.relative_to(folder)): path.stat().st_mtime for path in folder.rglob("*.iso")}

    def image(self, **values: object) -> None:
        """Set values of what is built."""
        self.edit(lambda site: site["image"]["build"].update(values))


def chain(*hosts: str) -> set[str]:
    """Return the names of the resources of these hosts."""
    return {f"{host}-{role}" for host in hosts for role in CHAIN}


def seconds(call: Any) -> float:
    """Return how long a call takes."""
    began = time.monotonic()
    call()
    return time.monotonic() - began
