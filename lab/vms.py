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
from lab.appliance.machine import ApplianceMachine
from lab.datastores import Datastores
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
        self.datastores = Datastores(site.paths.datastores)
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
            machine = self._machines[definition.id]
            if isinstance(machine, ApplianceMachine):
                await asyncio.to_thread(machine.show_drives)
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
        address = machine.address
        # An appliance has no VMware Tools.
        tools = machine.state == "running" and bool(vm.definition.template) and address is not None
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
            "firmware": vm.definition.firmware,
            "isos": list(vm.definition.isos),
            "boot_order": list(vm.definition.boot_order),
            "boots": machine.boots.count,
            "appliance": _appliance(machine),
            "tools": "running" if tools else "notRunning",
            "guest": {"hostname": machine.hostname, "ip": str(address)} if tools else {"hostname": "", "ip": ""},
            "cloudInit": {"state": machine.cloud_init, "errors": list(machine.errors)},
            "guestinfo": dict(vm.guestinfo),
            "extra": dict(vm.definition.extra),
        }

    def appliance(self, machine: Machine) -> dict[str, Any] | None:
        """Return what a machine without a template has come to; None for every other machine."""
        return _appliance(machine)

    def media_in_use(self) -> set[Path]:
        """Return the files of the media in drives of machines that are on: nobody can delete them."""
        used = [self._known[id_].definition.isos for id_, machine in self._machines.items() if machine.powered]
        return {place for isos in used for iso in isos if (place := self.datastores.medium(iso)) is not None}

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
            machine.mac, machine.device = definition.mac, definition.device
            machine.plan = MachinePlan(**{**vars(machine.plan), "name": definition.name})
            return
        key = f"vm-{definition.id}"
        layers = await self._template() if definition.template else (self._blank(definition.id),)
        netns, made = self._network.socket(key)
        self._made[definition.id] = made
        folder = self._store.folder(definition.id) / "disk"
        place = Place(layers, folder, netns, self._cgroup / key, self._site.paths.prefix)
        self._machines[definition.id] = self._new_machine(definition, MachinePlan(definition.name, (), id=key), place)

    def _new_machine(self, definition: Definition, plan: MachinePlan, place: Place) -> VmMachine:
        id_ = definition.id
        given: dict[str, Any] = {
            "vm_id": id_,
            "network": self._network,
            "mac": definition.mac,
            "device": definition.device,
            "guestinfo": lambda: dict(self._known[id_].guestinfo),
            "configured": lambda machine: self._configured(id_, machine),
            "ended": lambda machine: self._ended(id_, machine),
        }
        kind: Callable[..., VmMachine] = VmMachine
        if not definition.template:
            kind = ApplianceMachine
            given["isos"] = lambda: [self.datastores.medium(iso) for iso in self._known[id_].definition.isos]
            given["boot_order"] = lambda: self._known[id_].definition.boot_order
        return kind(plan, place, lambda _root: None, self._record, self._booted, **given)

    def _blank(self, id_: str) -> Path:
        """Return the empty folder that a blank disk is a layer over."""
        folder = self._store.folder(id_) / "blank"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

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


def _appliance(machine: Machine) -> dict[str, Any] | None:
    """Return what a machine without a template has come to: what it booted from, and what the installer did to it."""
    if not isinstance(machine, ApplianceMachine):
        return None
    status = machine.installer_status()
    return {
        "source": machine.source if machine.powered else "",
        "console": machine.console(),
        "installed": status.installed,
        "installations": status.count,
        "diskBoots": machine.disk_boots,
        "sums": status.sums or {},
    }


async def _reset(machine: VmMachine) -> None:
    await machine.power_off()
    await machine.switch_on()


async def _reboot(machine: VmMachine) -> None:
    await asyncio.to_thread(machine.run_inside, "systemctl", "reboot", "--no-block")
