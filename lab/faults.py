"""The faults that a machine of the lab can have. The stand-ins have theirs in `lab.services.faults`.

None of them leaves a trace on the machine's disk, except `sudo-password`, which is undone when it is switched off: so a
test can say of a machine that it was left as it was found.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from edge.errors import LabError
from lab import cgroups
from lab.machine import Machine
from lab.machines import LOGIN_USER
from lab.network import Network, ip_in

_WATCH_SECONDS = 0.2
_CUT_AFTER_SECONDS = 1.0
_DNS_TABLE, _PROXY_PORT = 53, 3128
_OF_THE_NETWORK = ("link-down", "route-down", "dns-down")
# The address in each network that no machine has.
_NOBODY = 250
# Holds the four locks of dpkg and apt as a POSIX record lock, which is what both of them ask for.
_LOCK_HOLDER = """
use Fcntl;
$0 = "unattended-upgr";
my @held;
for my $name (qw(/var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock)) {
  my $lock = pack("s s x4 q q l x4", F_WRLCK, 0, 0, 0, 0);
  open(my $file, "+>>", $name) or die "$name: $!";
  fcntl($file, F_SETLK, $lock) or die "$name: $!";
  push @held, $file;
}
$| = 1; print "held\\n"; sleep 1 while 1;
"""


@dataclass(frozen=True)
class MachineFault:
    """One fault: its name, and what is seen of it. A momentary one happens and is over; it cannot be switched off."""

    name: str
    effect: str
    momentary: bool = False


_ALL = (
    MachineFault("nologin20", "after each boot, logins of ordinary users are refused for 20 seconds"),
    MachineFault("silent-port", "the SSH port accepts connections and stays silent"),
    MachineFault("drop-connection", "open SSH sessions are cut at once, new ones a second after they began"),
    MachineFault("apt-lock", "another process inside holds the locks of dpkg and apt, also after a reboot"),
    MachineFault("sudo-password", "sudo asks the login user for a password"),
    MachineFault("dns-down", "questions to the DNS server are never answered"),
    MachineFault("route-down", "the way out is gone: the default route or, where there is none, the way to the proxy"),
    MachineFault("link-down", "the cable of the first interface is pulled: packets are lost without a word"),
    MachineFault("reboot-now", "the machine reboots", momentary=True),
    MachineFault("power-cut", "the power goes off and comes back at once", momentary=True),
)
CATALOGUE: dict[str, MachineFault] = {fault.name: fault for fault in _ALL}


class MachineFaults:
    """Switches faults of machines on and off, and puts back after a boot what the boot ended."""

    def __init__(self, network: Network, folder: Path) -> None:
        self._network = network
        self._folder = folder
        self._on: dict[str, set[str]] = {}
        self._watchers: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._holders: dict[str, asyncio.subprocess.Process] = {}
        self._switches: dict[str, Callable[[Machine, bool], Awaitable[None]]] = {
            "nologin20": self._nologin,
            "silent-port": self._silent_port,
            "drop-connection": self._drop_connection,
            "apt-lock": self._apt_lock,
            "sudo-password": self._sudo_password,
            "dns-down": self._dns_down,
            "route-down": self._route_down,
            "link-down": self._link_down,
            "reboot-now": self._reboot,
            "power-cut": self._power_cut,
        }

    async def set(self, machine: Machine, name: str, on: bool) -> None:
        """Switch a fault on or off; doing it twice changes nothing. Raises LabError for an unknown fault."""
        fault = CATALOGUE.get(name)
        if fault is None:
            known = ", ".join(sorted(CATALOGUE))
            raise LabError(f"a machine has no fault {name!r}", where=machine.plan.name, remedy=f"use one of {known}.")
        active = self._on.setdefault(machine.plan.name, set())
        if fault.momentary:
            if on:
                await self._switches[name](machine, True)
        elif on != (name in active):
            await self._switches[name](machine, on)
            (active.add if on else active.discard)(name)

    async def clear(self, machine: Machine) -> None:
        """Switch every fault of a machine off."""
        for name in sorted(self._on.get(machine.plan.name, ())):
            await self.set(machine, name, False)

    def active(self, name: str) -> list[str]:
        """Return the faults that a machine has now, sorted."""
        return sorted(self._on.get(name, ()))

    async def booted(self, machine: Machine) -> None:
        """Put back what ends with a boot: the process that holds the package locks, and a VM's network faults."""
        active = self._on.get(machine.plan.name, ())
        if "apt-lock" in active:
            await self._apt_lock(machine, True)
        for name in _OF_THE_NETWORK if machine.boots_blank else ():
            if name in active:
                await self._switches[name](machine, True)

    async def close(self) -> None:
        """Stop watching; the faults themselves end with their machines."""
        for task in self._watchers.values():
            task.cancel()
        await asyncio.gather(*self._watchers.values(), return_exceptions=True)
        self._watchers.clear()

    async def _nologin(self, machine: Machine, on: bool) -> None:
        flags = dict(machine.extra_flags)
        flags.pop("nologin20", None)
        if on:
            self._folder.mkdir(exist_ok=True)
            dropin = self._folder / "nologin20.conf"
            dropin.write_text("[Service]\nExecStartPre=/bin/sleep 20\n", "utf-8")
            unit = "/run/systemd/system/systemd-user-sessions.service.d/lab.conf"
            flags["nologin20"] = (f"--bind-ro={dropin}:{unit}",)
        machine.extra_flags = flags

    async def _silent_port(self, machine: Machine, on: bool) -> None:
        async def freeze() -> None:
            # The kernel goes on accepting connections for a process that is stopped.
            listener, _ = _sshd(machine)
            if listener is not None:
                _signal(listener, signal.SIGSTOP)

        await self._watch("silent-port", machine, freeze, on)
        listener, _ = _sshd(machine)
        if not on and listener is not None:
            _signal(listener, signal.SIGCONT)

    async def _drop_connection(self, machine: Machine, on: bool) -> None:
        seen: dict[int, float] = dict.fromkeys(_sshd(machine)[1], 0.0)

        async def cut() -> None:
            for pid in _sshd(machine)[1]:
                if time.monotonic() - seen.setdefault(pid, time.monotonic()) >= _CUT_AFTER_SECONDS:
                    _signal(pid, signal.SIGKILL)

        await self._watch("drop-connection", machine, cut, on)

    async def _watch(self, name: str, machine: Machine, action: Callable[[], Awaitable[None]], on: bool) -> None:
        """Do something now and again until the fault is switched off; or stop doing it."""
        key = (name, machine.plan.name)
        if (task := self._watchers.pop(key, None)) is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if not on:
            return

        async def loop() -> None:
            while True:
                await action()
                await asyncio.sleep(_WATCH_SECONDS)

        await action()
        self._watchers[key] = asyncio.create_task(loop(), name=f"{name}-{machine.plan.name}")

    async def _apt_lock(self, machine: Machine, on: bool) -> None:
        await asyncio.to_thread(cgroups.kill, machine.place.cgroup / "apt-lock")
        if (holder := self._holders.pop(machine.plan.name, None)) is not None:
            await holder.wait()
        if not on or machine.leader() is None:
            return
        process = await asyncio.create_subprocess_exec(
            *machine.inside("perl", "-e", _LOCK_HOLDER, group="apt-lock"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._holders[machine.plan.name] = process
        assert process.stdout is not None
        answer = (await process.stdout.readline()).decode("utf-8", "replace").strip()
        if answer != "held":
            raise LabError(
                f"the package locks cannot be held: {answer}", where=machine.plan.name, remedy="wait for apt to end."
            )

    async def _sudo_password(self, machine: Machine, on: bool) -> None:
        rule = f"{LOGIN_USER} ALL=(ALL) {'' if on else 'NOPASSWD: '}ALL\n"
        await asyncio.to_thread(machine.run_inside, "tee", "/etc/sudoers.d/lab-edge", stdin=rule)

    async def _dns_down(self, machine: Machine, on: bool) -> None:
        verb = "add" if on else "del"
        nobody = machine.plan.nics[0].address.network[_NOBODY]
        # Sent to a neighbour that does not exist: nothing answers, as when a server has died.
        commands = [f"rule {verb} ipproto {p} dport 53 lookup {_DNS_TABLE}" for p in ("udp", "tcp")]
        commands.append(f"route {verb} default via {nobody} dev {machine.plan.device} table {_DNS_TABLE}")
        await asyncio.to_thread(ip_in, machine.place.netns, *commands)

    async def _route_down(self, machine: Machine, on: bool) -> None:
        plan, verb = machine.plan, "add" if on else "del"
        if plan.gateway is None:
            command = f"rule {verb} ipproto tcp dport {_PROXY_PORT} unreachable"
        else:
            command = f"route {'del' if on else 'replace'} default via {plan.gateway}"
        await asyncio.to_thread(ip_in, machine.place.netns, command)

    async def _link_down(self, machine: Machine, on: bool) -> None:
        await asyncio.to_thread(self._network.plug, machine.plan, not on)

    async def _reboot(self, machine: Machine, _on: bool) -> None:
        await asyncio.to_thread(machine.run_inside, "systemctl", "reboot", "--no-block")

    async def _power_cut(self, machine: Machine, _on: bool) -> None:
        await machine.power_off()
        await machine.power_on()


def _sshd(machine: Machine) -> tuple[int | None, list[int]]:
    """Return the process of sshd that listens (its title says so), and those of its sessions."""
    listener, sessions = None, []
    for pid in cgroups.members(machine.place.cgroup / "payload"):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text("utf-8").strip() not in ("sshd", "sshd-session"):
                continue
            if b"[listener]" in Path(f"/proc/{pid}/cmdline").read_bytes():
                listener = pid
            else:
                sessions.append(pid)
    return listener, sessions


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
