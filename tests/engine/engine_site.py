"""What the engine tests share: the lab's site under the real engine, small edits of its settings, and what is counted.

Figures come from the machines and from Palette's stand-in, not from the program: boot ids, logins in sshd's log, records.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lab.client import LabClient
from lab.engine import Engine, Run
from lab.site import Site

HOSTS = ("bare", "proxied", "jumped")
CHAIN = ("claim", "checks", "preparation", "registration", "agent", "started", "healthy")
Settings = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One line of the table: what the engine did in one case."""

    name: str
    counts: Mapping[str, int]
    failed: int
    seconds: float
    reboots: int


@dataclass
class Watch:
    """Secrets that were looked for in the process list, and where they were found."""

    values: Mapping[str, str]
    found: set[str] = field(default_factory=set)
    looks: int = 0

    def __enter__(self) -> Watch:
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._end.set()
        self._thread.join()

    def _follow(self) -> None:
        """Look at the command lines of all processes, those inside the machines included: they share this kernel."""
        wanted = {name: value.encode() for name, value in self.values.items()}
        while not self._end.wait(0.1):
            self.looks += 1
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = path.read_bytes()
                except OSError:
                    continue
                self.found |= {f"{name} in {words[:80]!r}" for name, value in wanted.items() if value in words}


class EngineSite:
    """The lab's site and the engine on its stack. Between tests the stack is as `base` says, and every host healthy."""

    def __init__(self, engine: Engine, site: Site, cases: list[Case]) -> None:
        self.engine = engine
        self.site = site
        self.client = LabClient(site.paths)
        self.cases = cases
        self.runs: list[Run] = []
        self.secrets: dict[str, str] = dict(site.secrets)
        self.base = ""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the names of the site's hosts."""
        return HOSTS

    # -- the stack ---------------------------------------------------------------------------------------------------

    def fresh(self) -> None:
        """Begin anew: bare machines, no records in Palette, a stack without resources, the lab's own settings."""
        self.client.clear_faults()
        self.engine.environment.clear()
        self.secrets = dict(self.site.secrets)
        with ThreadPoolExecutor(len(HOSTS)) as pool:
            list(pool.map(lambda name: self.client.power("reset", name), HOSTS))
        for record in self.records():
            self.client.palette("delete-record", uid=record)
        if self.engine.exists():
            self.engine.cancel()
            state = json.loads(self.engine.export())
            state["deployment"]["resources"] = []
            state["deployment"].pop("pending_operations", None)
            self.engine.load(json.dumps(state))
        self.engine.prepare(self.site.paths.stack_file, self.secrets)
        self.edit(_existing_only)
        self.base = self.engine.settings.read_text("utf-8")

    def restore(self) -> None:
        """Put the settings and the API key back as they were after `fresh`."""
        self.client.clear_faults()
        self.engine.environment.clear()
        self.engine.settings.write_text(self.base, "utf-8")

    def keep(self) -> None:
        """Take the settings as they are now as those of the following tests: what cannot be taken back, a generation."""
        self.base = self.engine.settings.read_text("utf-8")

    def steady(self) -> None:
        """Bring the stack to its base settings with every host healthy, by the shortest way that leads there."""
        if self.base:
            self.restore()
            if self._is_steady() or (self.engine.run("up").code == 0 and self._is_steady()):
                return
        self.fresh()
        self.run("(made ready for the next case)", "up")

    def _is_steady(self) -> bool:
        return self.engine.run("preview", "--expect-no-changes").code == 0 and self.healthy() == set(self.hosts)

    def edit(self, change: Callable[[Settings], None]) -> None:
        """Change `site` of the stack file, beginning with what it is now."""
        yaml = YAML()
        yaml.width = 4096
        document = yaml.load(self.engine.settings.read_text("utf-8"))
        change(document["config"]["edge-hosts:site"])
        with self.engine.settings.open("w", encoding="utf-8") as stream:
            yaml.dump(document, stream)

    def host(self, name: str, **values: object) -> None:
        """Set values of one host; None takes one away."""

        def change(site: Settings) -> None:
            for key, value in values.items():
                if value is None:
                    site["hosts"][name].pop(key, None)
                else:
                    site["hosts"][name][key] = value

        self.edit(change)

    def without(self, name: str) -> None:
        """Remove a host from the settings."""
        self.edit(lambda site: site["hosts"].pop(name))

    # -- runs --------------------------------------------------------------------------------------------------------

    def run(self, case: str, *words: str, code: int = 0) -> Run:
        """Run one command of the engine, take down its line of the table, and compare its exit code."""
        with self.case(case) as done:
            done.append(self.engine.run(*words))
        run = done[0]
        assert run.code == code, f"{case}: exit code {run.code}\n{run.messages()}\n{run.stderr}"
        return run

    @contextmanager
    def case(self, name: str) -> Iterator[list[Run]]:
        """Count what happens while a run, which the caller puts into the list, does its work."""
        before = self.boots()
        done: list[Run] = []
        yield done
        after = self.boots()
        reboots = sum(1 for host, boot in after.items() if boot and before[host] and boot != before[host])
        self.runs += done
        counts = sum((run.counts() for run in done), start=type(done[0].counts())())
        failed = len({host for run in done for host in run.failed()})
        self.cases.append(Case(name, counts, failed, sum(run.seconds for run in done), reboots))

    def clean(self, case: str = "") -> None:
        """Assert that a preview finds nothing to do."""
        run = self.engine.run("preview", "--expect-no-changes")
        self.runs.append(run)
        assert run.code == 0, f"{case}: {run.changed()}\n{run.messages()}\n{run.stderr}"

    # -- what is seen ------------------------------------------------------------------------------------------------

    def inside(self, host: str, command: str, *, check: bool = True) -> str:
        """Run a command in a machine, not over SSH, and return what it says."""
        words = [*self.client.inside(host), "sh", "-c", command]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert not check or done.returncode == 0, f"{host}: {command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def boots(self) -> dict[str, str]:
        """Return the boot id of each machine, "" for one that is off."""
        machines = self.client.status()["machines"]
        found = {}
        for name in self.hosts:
            running = machines[name]["state"] == "running"
            found[name] = self.inside(name, "cat /proc/sys/kernel/random/boot_id", check=False) if running else ""
        return found

    def agents(self) -> dict[str, str]:
        """Return the process of each machine's agent: another one means a restart."""
        show = "systemctl show --property=MainPID --value spectro-stylus-agent.service"
        return {name: self.inside(name, show) for name in self.hosts}

    def logins(self, since: float) -> dict[str, int]:
        """Return how many logins each machine's sshd has accepted since a time."""
        return {name: self.client.logins(name, since) for name in self.hosts}

    def records(self) -> dict[str, dict[str, Any]]:
        """Return Palette's records by uid."""
        return {record["metadata"]["uid"]: record for record in self.client.palette("records")}

    def epochs(self) -> dict[str, str]:
        """Return the epoch that each record in Palette carries."""
        records = self.records().items()
        return {uid: record["metadata"]["labels"].get("edge-hosts-epoch", "") for uid, record in records}

    def healthy(self) -> set[str]:
        """Return the hosts that Palette calls healthy."""
        found = self.records().items()
        return {uid for uid, record in found if record["status"].get("health", {}).get("state") == "healthy"}

    def has_agent(self, host: str) -> bool:
        """Return whether there is anything of an agent on a machine."""
        look = (
            "ls -d /opt/spectrocloud/bin/palette-agent /oem/userdata /etc/systemd/system/spectro-stylus-agent.service"
        )
        return bool(self.inside(host, f"{look} 2>/dev/null", check=False))


def _existing_only(site: Settings) -> None:
    """Leave the virtual machines out: they have scenarios and a vCenter of their own."""
    site["hosts"] = {name: host for name, host in site["hosts"].items() if name in HOSTS}
    for key in ("vcenters", "vsphere", "image"):
        site.pop(key, None)


def chain(host: str, *roles: str) -> set[str]:
    """Return the names of a host's resources, all of its chain by default."""
    return {f"{host}-{role}" for role in (roles or CHAIN)}


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Return when a condition holds; fail with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.2)


def table(cases: list[Case]) -> str:
    """Return all cases as a Markdown table."""
    operations = ("create", "update", "replace", "delete", "same")
    lines = ["| case | created | updated | replaced | deleted | same | failed | seconds | reboots |"]
    lines.append("| --- |" + " ---: |" * 8)
    for case in cases:
        numbers = [str(case.counts.get(operation, 0)) for operation in operations]
        lines.append(f"| {case.name} | {' | '.join(numbers)} | {case.failed} | {case.seconds:.1f} | {case.reboots} |")
    return "\n".join(lines) + "\n"
