"""What the daemon holds together: the networks, the machines, the stand-ins and their faults, and what happened."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edge.errors import LabError
from lab import cgroups, faults
from lab.builder.machine import BuilderMachine, appliance_layers, furnish_builder, shown_to_builder
from lab.datastore_service import DatastoreService
from lab.faults import MachineFaults
from lab.guest import furnish
from lab.machine import Machine, Place
from lab.machines import BUILDER
from lab.network import Network, reaches
from lab.record import Record
from lab.services import Services
from lab.services.faults import CATALOGUE as SERVICE_FAULTS
from lab.site import CLUSTER, Site
from lab.standins import make_services
from lab.vm_machine import VmMachine
from lab.vms import Vms

Phase = Literal["starting", "ready", "failed", "stopping"]
Level = Literal["done", "info", "warning", "error"]
_HTTP_PORT = 80


@dataclass(frozen=True)
class Event:
    """One line for a person: what happened, in the order in which it happened."""

    number: int
    level: Level
    text: str


class Supervisor:
    """One lab at work. `start` brings everything up, `stop` ends machines and stand-ins; the rest is in between."""

    def __init__(self, site: Site, cgroup: Path) -> None:
        self.site = site
        self.phase: Phase = "starting"
        self.events: list[Event] = []
        self._record = Record(site.paths.record)
        self._cgroup = cgroup
        self.network = Network(site.paths, self._record, site.block)
        self.faults = MachineFaults(self.network, site.paths.root / "faults")
        self.machines: dict[str, Machine] = {}
        self.services: Services | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._power = asyncio.Lock()
        self.vms = Vms(site, self.network, self._record, cgroup, self.say)
        self.vms.after_boot = self._after_boot
        self.datastores = self.vms.datastores
        certificate = site.paths.root / "tls" / "datastores.pem"
        self.datastore_service = DatastoreService(self.datastores, str(site.block.services), certificate)

    async def start(self) -> None:
        """Make networks, stand-ins and machines; machines boot side by side.

        Raises LabError for the first thing that fails; the phase is `failed` then.
        """
        try:
            await asyncio.to_thread(self.network.up)
            self.say("done", f"networks    {self.site.block.network}, bridges {self.site.paths.prefix}-*")
            self.services = make_services(self.site)
            await self.services.start()
            self.say("done", f"stand-ins   on {self.site.block.services} and {self.site.block.corporate}")
            await self._start_datastores(self.services)
            for plan in self.site.plans:
                await self._prepare(plan.name)
            await asyncio.gather(*(self._boot(machine) for machine in self.machines.values()))
            await self._look_for_firewall()
            await self.vms.start()
            if self.services.aws is not None:
                # Loaded while the machines booted.
                await self.services.aws.ready()
                self.say("done", f"AWS         account {self.services.aws.facts.account}, cluster {CLUSTER}")
        except BaseException as error:
            self.phase = "failed"
            text = error.render() if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
            self.say("error", text)
            raise
        self.phase = "ready"

    async def resume(self) -> None:
        """Start the machines that are off, for a second `up`."""
        off = [machine for machine in self.machines.values() if machine.state == "off"]
        async with self._power:
            await asyncio.gather(*(self._boot(machine) for machine in off))

    async def stop(self) -> None:
        """End machines and stand-ins. The networks are taken down by whoever takes the lab down."""
        self.phase = "stopping"
        await self.faults.close()
        fixed = (machine.power_off() for machine in self.machines.values())
        await asyncio.gather(*fixed, self.vms.stop(), return_exceptions=True)
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.datastore_service.stop()
        if self.services is not None:
            await self.services.stop()

    def machine(self, name: str) -> Machine:
        """Return a machine, a VM by its name or id. Raises LabError for an unknown name."""
        if (vm := self.vms.find(name)) is not None:
            return vm
        self.site.plan(name)
        if name not in self.machines:
            raise LabError("the machine has not been made yet", where=name, remedy="wait until the lab is up.")
        return self.machines[name]

    def standins(self) -> Services:
        """Return the stand-ins. Raises LabError while they are not made yet."""
        if self.services is None:
            raise LabError("the stand-ins do not run yet", remedy="wait until the lab is up.")
        return self.services

    def ready_vms(self) -> Vms:
        """Return the VMs, for whoever changes them. Raises LabError until the networks and the stand-ins are up."""
        if self.phase != "ready":
            raise LabError("the lab is not up yet", remedy="wait until `python -m lab status` says ready.")
        return self.vms

    async def power(self, name: str, action: str) -> None:
        """Do what a power button, a plug or a reinstallation does to a machine; return when it is done.

        Raises LabError for an unknown action, and when the machine does not come up.
        """
        machine = self.machine(name)
        if isinstance(machine, VmMachine) and action in ("on", "off", "shutdown", "restart", "reset"):
            await self.vms.power_machine(machine, action)
            return
        actions = {
            "on": machine.power_on,
            "off": machine.power_off,
            "shutdown": machine.shut_down,
            "reset": machine.reset,
        }
        async with self._power:
            if action == "restart":
                await machine.power_off()
                await machine.power_on()
            elif action == "reboot":
                await self.faults.set(machine, "reboot-now", True)
            elif action in actions:
                await actions[action]()
            else:
                known = ", ".join(sorted((*actions, "restart", "reboot")))
                raise LabError(f"a machine has no action {action!r}", remedy=f"use one of {known}.")

    async def fault(self, name: str, host: str | None, on: bool) -> None:
        """Switch a fault on or off: a machine's when the name is one of a machine's and `host` is a machine.

        Raises LabError for an unknown name or a target that does not fit.
        """
        machine_names = {plan.name for plan in self.site.plans} | set(self.vms.machines())
        if name not in faults.CATALOGUE and name not in SERVICE_FAULTS:
            raise LabError(
                f"there is no fault {name!r}",
                remedy=f"use one of {', '.join(sorted({*faults.CATALOGUE, *SERVICE_FAULTS}))}.",
            )
        if name in faults.CATALOGUE and host in machine_names:
            machine = self.machine(str(host))
            if isinstance(machine, VmMachine) and machine.address is None:
                raise LabError("the VM has no address yet, or is off", where=str(host), remedy="wait until it is up.")
            await self.faults.set(machine, name, on)
        elif name in faults.CATALOGUE and name not in SERVICE_FAULTS:
            raise LabError(
                f"the fault {name} needs a machine of the lab, got {host!r}",
                remedy=f"name one of {', '.join(sorted(machine_names))}.",
            )
        else:
            self.standins().fault(name, host, on)

    async def clear_faults(self) -> None:
        """Switch off every fault of every machine and of the stand-ins."""
        for machine in self._all().values():
            await self.faults.clear(machine)
        self.standins().faults.clear()

    def logins(self, name: str, since: float) -> int:
        """Return how many logins a machine's sshd has accepted since a time, counted in the machine's journal."""
        moment = f"@{since:.3f}"
        text = self.machine(name).run_inside(
            "journalctl", "--quiet", "--no-pager", "--output=cat", "--identifier=sshd", "--identifier=sshd-session",
            f"--since={moment}",
        )  # fmt: skip
        return sum(line.startswith("Accepted ") for line in text.splitlines())

    def status(self) -> dict[str, Any]:
        """Return the state of everything as plain data."""
        return {
            "phase": self.phase,
            "prefix": self.site.paths.prefix,
            "network": str(self.site.block.network),
            "machines": {name: self.machine_status(machine) for name, machine in self._all().items()},
            "services": self.services.status() if self.services is not None else {},
        }

    def machine_status(self, machine: Machine) -> dict[str, Any]:
        """Return the state of one machine as plain data."""
        boots = machine.boots
        return {
            "address": str(machine.plan.address) if machine.plan.nics else "",
            "via": machine.plan.via,
            "state": machine.state,
            "boots": boots.count,
            "bootedAt": boots.began,
            "secondsToSsh": boots.ready_after,
            "exitCode": boots.exit_code,
            "faults": self.faults.active(machine.plan.name),
            "vm": machine.vm_id if isinstance(machine, VmMachine) else "",
            "appliance": self.vms.appliance(machine),
        }

    def say(self, level: Level, text: str) -> None:
        """Keep a line for the people who watch."""
        self.events.append(Event(len(self.events) + 1, level, text))
        print(f"{time.strftime('%H:%M:%S')} {level:<7} {text}", flush=True)

    async def _start_datastores(self, services: Services) -> None:
        self.datastores.make()
        self.datastores.in_use = self.vms.media_in_use
        self.datastores.is_full = lambda name: services.faults.active("datastore-full", name)
        assert services.authorities is not None
        await self.datastore_service.start(services.authorities.public)

    async def _prepare(self, name: str) -> None:
        plan = self.site.plan(name)
        netns = await asyncio.to_thread(self.network.attach, plan)
        paths = self.site.paths
        if name == BUILDER:
            self.machines[name] = await asyncio.to_thread(self._builder, netns)
            return
        place = Place((self.site.base,), paths.machines / name, netns, self._cgroup / name, paths.prefix)
        identity, fittings = self.site.identities[name], self.site.fittings()
        self.machines[name] = Machine(
            plan, place, lambda root: furnish(root, plan, identity, fittings), self._record, self._after_boot
        )

    def _builder(self, netns: Path) -> BuilderMachine:
        """Return the build machine. Raises LabError for a lab that was made without its root."""
        site, paths = self.site, self.site.paths
        if site.builder is None:
            raise LabError("this lab was made without a build machine", remedy="take it down and up again.")
        shown = shown_to_builder(site, appliance_layers(site, self._record))
        place = Place((site.builder,), paths.machines / BUILDER, netns, self._cgroup / BUILDER, paths.prefix)
        return BuilderMachine(
            site.plan(BUILDER),
            place,
            lambda root: furnish_builder(root, site),
            self._record,
            self._after_boot,
            shown=shown,
        )

    def _all(self) -> dict[str, Machine]:
        """Return the machines of the site and the VMs."""
        return {**self.machines, **self.vms.machines()}

    async def _boot(self, machine: Machine) -> None:
        await machine.power_on()
        plan, boots = machine.plan, machine.boots
        via = f" by {plan.via}" if plan.via else ""
        self.say("done", f"{plan.name:<11} {plan.address}{via}, sshd after {boots.ready_after} s")

    def _after_boot(self, machine: Machine) -> None:
        task = asyncio.create_task(self.faults.booted(machine), name=f"faults-{machine.plan.name}")
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _look_for_firewall(self) -> None:
        """Say so when this machine's own packet filter keeps the lab's machines from the stand-ins."""
        for machine in self.machines.values():
            if machine.plan.gateway is None:
                continue
            if not await asyncio.to_thread(reaches, machine.place.netns, self.site.block.services, _HTTP_PORT):
                names = " and ".join(self.network.bridges[lan] for lan in ("hosts", "uplink"))
                self.say(
                    "warning",
                    f"{machine.plan.name} does not reach {self.site.block.services}: allow incoming traffic on "
                    f"{names} in this machine's firewall",
                )
                return


def describe(event: Event) -> Mapping[str, object]:
    """Return an event as plain data."""
    return {"number": event.number, "level": event.level, "text": event.text}


def lab_cgroup(site: Site) -> Path:
    """Return the cgroup that holds all machines of a lab."""
    return cgroups.hierarchy() / site.paths.prefix
