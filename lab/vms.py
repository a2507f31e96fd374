"""The VMs of a lab: defined, switched on and off and destroyed by whoever stands for the vCenter.

That is the vSphere simulator under the engine, the acting mocks in a rehearsal, or a test. What a guest does by itself,
powering off or cleaning its guest variables, is kept here too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from edge.errors import LabError
from lab.guestinfo import cleaned, environment
from lab.machine import Machine, Place
from lab.machines import MachinePlan
from lab.network import Network
from lab.record import Made, Record
from lab.site import Site
from lab.template import template_layers
from lab.vm_machine import VmMachine
from lab.vm_store import Definition, Power, Store, Stored

Say = Callable[[Any, str], None]


class Vms:
    """All VMs of a lab. Every method is called from the daemon's event loop; calls for one VM wait for each other."""

    def __init__(self, site: Site, network: Network, record: Record, cgroup: Path, say: Say) -> None:
        self._site, self._network, self._record, self._cgroup, self._say = site, network, record, cgroup, say
        self._store = Store(site.paths.vms)
        self._known: dict[str, Stored] = {}
        self._machines: dict[str, VmMachine] = {}
        self._made: dict[str, tuple[Made, ...]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._layers: tuple[Path, ...] | None = None
        self._preparing = asyncio.Lock()
        self.after_boot: Callable[[Machine], None] = lambda _machine: None

    async def start(self) -> None:
        """Take up the VMs of an interrupted run, and switch on those that were on."""
        for vm in self._store.load():
            self._known[vm.definition.id] = vm
            await self._connect(vm)
            if vm.power == "on":
                await self.power(vm.definition.id, "on")

    async def stop(self) -> None:
        """Cut the power of all VMs; a later `start` switches them on again."""
        wanted = dict(self._known)
        await asyncio.gather(*(machine.power_off() for machine in self._machines.values()), return_exceptions=True)
        for vm in wanted.values():
            self._keep(vm)

    def machines(self) -> dict[str, VmMachine]:
        """Return the machines by the name of their VM, or by its id where an earlier one has the same name."""
        found: dict[str, VmMachine] = {}
        for id_, machine in self._machines.items():
            name = machine.plan.name
            found[id_ if name in found or name in self._fixed_names() else name] = machine
        return found

    def find(self, name: str) -> VmMachine | None:
        """Return the machine of the VM with this name or id, or None."""
        return self.machines().get(name) or self._machines.get(name)

    async def define(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a VM, switched off, or change what one is; the change is seen at its next boot. Return it."""
        definition = Definition.of(body)
        async with self._lock(definition.id):
            known = self._known.get(definition.id)
            vm = Stored(definition, dict(definition.guestinfo)) if known is None else known.redefined(definition)
            environment(vm.guestinfo)
            self._keep(vm)
            await self._connect(vm)
        return self.shown(definition.id)

    async def power(self, id_: str, action: str) -> dict[str, Any]:
        """Switch a VM `on` (returns when it begins to boot), `off`, `reset` it, or ask its guest to `shutdown` or `reboot`.

        Raises LabError for an unknown VM or action.
        """
        machine = self._machine(id_)
        actions: dict[str, Callable[[], Awaitable[None]]] = {
            "on": machine.switch_on,
            "off": machine.power_off,
            "reset": lambda: _reset(machine),
            "shutdown": machine.shut_down,
            "reboot": lambda: _reboot(machine),
        }
        if action not in actions:
            raise LabError(f"a VM has no action {action!r}", remedy=f"use one of {', '.join(actions)}.")
        async with self._lock(id_):
            if action == "on":
                self._wish(id_, "on")
            await actions[action]()
            self._wish(id_, "on" if machine.powered else "off")
        return self.shown(id_)

    async def as_new(self, machine: VmMachine) -> None:
        """Give a VM the disk and the guest variables that it had before its first boot, and boot it."""
        id_ = machine.vm_id
        async with self._lock(id_):
            await machine.power_off()
            self._keep(self._known[id_].as_new())
            await asyncio.to_thread(machine.drop_root)
            self._wish(id_, "on")
            await machine.switch_on()
        await machine.wait_ready()

    async def destroy(self, id_: str) -> None:
        """Remove a VM, its disk and its cable; an unknown one is gone already."""
        async with self._lock(id_):
            machine = self._machines.get(id_)
            if machine is not None:
                await machine.power_off()
                await asyncio.to_thread(self._remove, id_, machine)
            self._machines.pop(id_, None)
            self._known.pop(id_, None)
        self._locks.pop(id_, None)

    def listing(self) -> list[dict[str, Any]]:
        """Return all VMs as plain data, in the order in which they were defined."""
        return [self.shown(id_) for id_ in self._machines]

    def shown(self, id_: str) -> dict[str, Any]:
        """Return one VM as plain data: what a vCenter, and VMware Tools in its guest, would tell of it."""
        machine, vm = self._machine(id_), self._known[id_]
        running = machine.state == "running"
        address = machine.address
        return {
            "id": id_,
            "name": vm.definition.name,
            "uuid": vm.definition.uuid,
            "template": vm.definition.template,
            "network": vm.definition.network,
            "mac": vm.definition.mac,
            "disk_gib": vm.definition.disk_gib,
            "cpus": vm.definition.cpus,
            "memory_mib": vm.definition.memory_mib,
            "state": "poweredOn" if machine.powered else "poweredOff",
            "boots": machine.boots.count,
            "tools": "running" if running else "notRunning",
            "guest": {"hostname": machine.hostname, "ip": str(address) if running and address else ""},
            "cloudInit": {"state": machine.cloud_init, "errors": list(machine.errors)},
            "guestinfo": dict(vm.guestinfo),
            "extra": dict(vm.definition.extra),
        }

    async def power_machine(self, machine: VmMachine, action: str) -> None:
        """Do to a VM what `lab.machine` calls so; `reset` makes it as it was before its first boot."""
        if action == "reset":
            await self.as_new(machine)
            return
        await self.power(machine.vm_id, "reset" if action == "restart" else action)
        if action in ("on", "restart"):
            await machine.wait_ready()

    def _machine(self, id_: str) -> VmMachine:
        if id_ not in self._machines:
            known = ", ".join(sorted(self._machines)) or "none"
            raise LabError(f"the lab has no VM {id_!r}", remedy=f"those that it has: {known}.")
        return self._machines[id_]

    def _fixed_names(self) -> set[str]:
        return {plan.name for plan in self._site.plans}

    def _lock(self, id_: str) -> asyncio.Lock:
        return self._locks.setdefault(id_, asyncio.Lock())

    def _keep(self, vm: Stored) -> None:
        self._known[vm.definition.id] = vm
        self._store.save(vm)

    def _wish(self, id_: str, power: Power) -> None:
        vm = self._known[id_]
        self._keep(Stored(vm.definition, vm.guestinfo, power))

    async def _connect(self, vm: Stored) -> None:
        """Make the machine of a VM, or let it know of a new definition."""
        definition = vm.definition
        machine = self._machines.get(definition.id)
        if machine is not None:
            machine.mac = definition.mac
            machine.plan = MachinePlan(**{**vars(machine.plan), "name": definition.name})
            return
        key = f"vm-{definition.id}"
        netns, made = self._network.socket(key)
        self._made[definition.id] = made
        folder = self._store.folder(definition.id) / "disk"
        place = Place(await self._template(), folder, netns, self._cgroup / key, self._site.paths.prefix)
        self._machines[definition.id] = VmMachine(
            MachinePlan(definition.name, (), id=key),
            place,
            lambda _root: None,
            self._record,
            self._booted,
            vm_id=definition.id,
            network=self._network,
            mac=definition.mac,
            guestinfo=lambda: dict(self._known[definition.id].guestinfo),
            configured=lambda machine: self._configured(definition.id, machine),
            ended=lambda machine: self._ended(definition.id, machine),
        )

    async def _template(self) -> tuple[Path, ...]:
        """Return the layers of the template, made when the first VM asks for them."""
        async with self._preparing:
            if self._layers is None:
                site = self._site
                if site.template is None:
                    raise LabError("this lab was made without a template for VMs", remedy="take it down and up again.")
                self._layers = await asyncio.to_thread(
                    template_layers, site.paths, site.template, site.fittings(), self._record
                )
        return self._layers

    def _booted(self, machine: Machine) -> None:
        self._say("done", f"{machine.plan.name:<11} {machine.plan.address}, sshd after {machine.boots.ready_after} s")
        self.after_boot(machine)

    def _configured(self, id_: str, machine: VmMachine) -> None:
        vm = self._known[id_]
        self._keep(Stored(vm.definition, cleaned(vm.guestinfo), vm.power))
        for error in machine.errors:
            self._say("warning", f"{machine.plan.name:<11} cloud-init: {error}")

    def _ended(self, id_: str, machine: VmMachine) -> None:
        if id_ in self._known:
            self._wish(id_, "off")
            self._say("info", f"{machine.plan.name:<11} powered off")

    def _remove(self, id_: str, machine: VmMachine) -> None:
        """Remove what the machine had on this host, and take it off the record."""
        self._network.unplug(machine.plan.key)
        traces = machine.remove()
        self._store.remove(id_)
        for made in self._record.entries():
            if made in self._made[id_] or made.facts.get("path") in traces:
                self._record.gone(made)
        del self._made[id_]


async def _reset(machine: VmMachine) -> None:
    await machine.power_off()
    await machine.switch_on()


async def _reboot(machine: VmMachine) -> None:
    await asyncio.to_thread(machine.run_inside, "systemctl", "reboot", "--no-block")
