"""A site of virtual machines under the real engine: real vSphere provider, our vSphere simulator, machines that boot.

Small edits of the settings and what is counted are those of `EngineSite`; here stand the hosts, the vCenter, and its hands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import Any

from edge.settings import load_stack
from lab.engine import Engine, Run
from lab.engine_vcenter import serve
from lab.paths import CHECKOUT
from lab.site import Site
from lab.vcenter.hands import Hands, hands, vim
from lab.vcenter.server import Vcenter, described
from tests.engine.engine_site import CHAIN, Case, EngineSite

FIRST_ADDRESS = 31
FOLDER = "lab-dev"
VM_CHAIN = ("vm", *CHAIN)


class VmSite(EngineSite):
    """The lab's site with virtual machines as its only hosts."""

    def __init__(
        self, engine: Engine, site: Site, cases: list[Case], names: tuple[str, ...] = ("vm-a", "vm-b")
    ) -> None:
        super().__init__(engine, site, cases)
        self.names = names
        self.vcenter: Vcenter = described(site)

    @property
    def hosts(self) -> tuple[str, ...]:
        return self.names

    def address(self, number: int) -> str:
        """Return the address of the host with a number, with its prefix length."""
        return f"{IPv4Address(int(self.site.block.address(0, FIRST_ADDRESS)) + number)}/24"

    def fresh(self) -> None:
        """Begin anew: no machine, no folder of ours, no record in Palette, an empty stack, the hosts of this site."""
        self.client.clear_faults()
        self.engine.environment.clear()
        self.secrets = dict(self.site.secrets)
        settings = load_stack("lab", CHECKOUT, stack_file=self.site.paths.stack_file)
        self.engine.environment |= serve(self.site, settings, self.engine.folder)
        self.vcenter.control.clear()
        if self.engine.exists():
            self.engine.cancel()
            state = json.loads(self.engine.export())
            state["deployment"]["resources"] = []
            state["deployment"].pop("pending_operations", None)
            self.engine.load(json.dumps(state))
        with self.hand() as hand:
            _emptied(hand)
        for record in self.records():
            self.client.palette("delete-record", uid=record)
        self.engine.prepare(self.site.paths.stack_file, self.secrets)
        hosts = {name: {"address": self.address(number)} for number, name in enumerate(self.names)}
        self.edit(lambda site: site.update(hosts=hosts))
        self.base = self.engine.settings.read_text("utf-8")

    @contextmanager
    def instead(self, *names: str) -> Iterator[None]:
        """Have hosts of these names and none made, as long as it lasts; the usual ones are then to be made anew."""
        usual, self.names = self.names, names
        try:
            self.fresh()
            yield
        finally:
            self.names, self.base = usual, ""

    def restore(self) -> None:
        """Put settings and faults back as they were after `fresh`."""
        kept = {key: value for key, value in self.engine.environment.items() if key == "SSL_CERT_FILE"}
        super().restore()
        self.engine.environment |= kept
        self.vcenter.control.clear()

    @contextmanager
    def hand(self) -> Iterator[Hands]:
        """Log in to the vCenter, to do what people do behind everybody's back."""
        with hands(self.vcenter) as hand:
            yield hand

    # -- what is seen ------------------------------------------------------------------------------------------------

    def boots(self) -> dict[str, str]:
        """Return the boot id of each machine, "" for one that is off or not there."""
        running = {vm["name"] for vm in self.client.vms() if vm["state"] == "poweredOn"}
        look = "cat /proc/sys/kernel/random/boot_id"
        return {name: self.inside(name, look, check=False) if name in running else "" for name in self.hosts}

    def uuids(self) -> dict[str, str]:
        """Return the uuid of each VM in the vCenter, by name."""
        with self.hand() as hand:
            return {vm.name: vm.config.uuid for vm in hand.all(vim.VirtualMachine) if not vm.config.template}

    def power(self, name: str) -> str:
        """Return whether a VM is poweredOn or poweredOff, as the vCenter says."""
        with self.hand() as hand:
            return str(hand.machine(name).runtime.powerState)

    def edgectl_environment(self) -> dict[str, str]:
        """Return the environment in which `edgectl` reaches this stack through the CLI."""
        return {**self.engine.env(), "SPECTROCLOUD_APIKEY": self.secrets["paletteApiKey"]}

    def up(self, case: str, code: int = 0) -> Run:
        """Run `up` as one case."""
        return self.run(case, "up", code=code)


def _emptied(hand: Hands) -> None:
    """Remove every machine that is no template of the simulator's own inventory, and our folder."""
    for machine in hand.all(vim.VirtualMachine):
        if machine.config.template or machine.name == "not-a-template":
            continue
        hand.destroy(machine.name)
    for folder in hand.all(vim.Folder):
        if folder.name == FOLDER:
            hand.done(folder.Destroy_Task())


def vm_chain(host: str, *roles: str) -> set[str]:
    """Return the names of a host's resources, the VM among them."""
    return {f"{host}-{role}" for role in (roles or VM_CHAIN)}


def described_vm(hand: Hands, name: str) -> dict[str, Any]:
    """Return what a VM has: CPUs, memory in MiB, disk in GiB, port group, host, datastore, file of its disk."""
    machine = hand.machine(name)
    disk = next(one for one in machine.config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk))
    return {
        "cpus": machine.config.hardware.numCPU,
        "memory": machine.config.hardware.memoryMB,
        "disk": disk.capacityInKB // (1024 * 1024),
        "file": disk.backing.fileName,
        "host": machine.summary.runtime.host.name,
    }
