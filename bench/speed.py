"""Our steps against raw parallel ssh that pipes the same text over the same connections: medians of several rounds.

    python bench/speed.py [ROUNDS]      needs a lab whose machines are up and prepared (`make lab`)

Both sides log in anew for every step, with the same key exchange. The rounds alternate, so that whatever else the machine
does hits both. Import time is told apart; `process` rounds include the start of Python.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
BEGAN = time.monotonic()

from edge.checks.values import checks_values  # noqa: E402
from edge.endpoints import endpoint_table, query_for  # noqa: E402
from edge.inspection import hosts_to_look_at, look, step_text  # noqa: E402
from edge.network_source import network_facts  # noqa: E402
from edge.secrets import open_secrets  # noqa: E402
from edge.settings import load_stack  # noqa: E402
from edge.steps import bundle, login_command  # noqa: E402
from edge.steps_values import prepare_values  # noqa: E402
from lab.client import LabClient  # noqa: E402
from lab.rehearsal import command  # noqa: E402
from lab.site import Site, load_site  # noqa: E402

IMPORTED = time.monotonic() - BEGAN
KEX = "curve25519-sha256"
MACHINES = {"gate": "jump"}  # the name of the machine, where the host has another


def stack_of_four(site: Site) -> Path:
    """Write the lab's stack file with its jump host as a fourth host, as none of the others reaches it; return the path."""
    told = site.paths.stack_file.read_text("utf-8")
    gate = site.ssh("jump")
    # Its agent is not installed: red checks are reported, and end nothing.
    told = told.replace("    ssh: {user: edge}\n", "    ssh: {user: edge}\n    preflight: report\n", 1).rstrip("\n")
    lines = [told, "      gate:", f"        address: {gate.host}/24", f"        hostKey: {gate.host_key}", ""]
    path = site.paths.stack_file.with_name("bench.yaml")
    path.write_text("\n".join(lines), "utf-8")
    return path


class Bench:
    """The lab's three hosts and its jump host, four machines in all."""

    def __init__(self) -> None:
        site = load_site(LabClient().paths)
        if site is None:
            raise SystemExit("there is no lab: run `make lab` first")
        self.site = site
        self.stack_file = stack_of_four(site)
        self.settings = load_stack("lab", ROOT, stack_file=self.stack_file)
        self.secrets = open_secrets("lab", ROOT, stack_file=site.paths.stack_file)
        self.network = network_facts(self.settings, ROOT).facts
        self.hosts = hosts_to_look_at(self.settings, ())
        self.names = [host.name for host in self.hosts]
        self.checks = {host.name: step_text(self.settings, self.network, self.secrets, host) for host in self.hosts}
        self.prepare = {host.name: self._prepare(host.name) for host in self.hosts}
        self.first = {host.name: self._checks_of_up(host.name) for host in self.hosts}

    def _prepare(self, name: str) -> str:
        host = self.settings.host_view(name)
        known = {one: self.secrets.get(one) for one in host.secret_names()}
        return bundle("prepare", {**prepare_values(self.settings, host, self.network, known), "EH_ENFORCE": "0"})

    def _checks_of_up(self, name: str) -> str:
        """Return the checks as `up` runs them, leaving their table for the preparation; red ones do not end it here."""
        host = self.settings.host_view(name)
        known = {one: self.secrets.get(one) for one in host.secret_names()}
        table = endpoint_table(query_for(self.settings, self.network, host))
        values = checks_values(self.settings, host, self.network, table, secrets=known)
        return bundle("checks", {**values, "EH_ENFORCE": "0"})

    def raw(self, *texts: dict[str, str]) -> None:
        """Pipe each text to each machine by plain ssh, machines side by side, texts one after the other."""
        config = [
            "ssh",
            "-F",
            str(self.site.paths.ssh / "config"),
            "-o",
            f"KexAlgorithms={KEX}",
            "-o",
            "ControlMaster=no",
        ]

        def one(name: str) -> None:
            for text in texts:
                subprocess.run(
                    [*config, MACHINES.get(name, name), login_command()],
                    input=text[name],
                    text=True,
                    capture_output=True,
                    check=True,
                )

        self._side_by_side(one)

    def ours(self, *texts: dict[str, str]) -> None:
        """The same through the code that runs remote commands in a rehearsal."""

        def one(name: str) -> None:
            for text in texts:
                command.run(
                    {"connection": self._connection(name), "stdin": text[name]}, login_command(), lambda _line: None
                )

        self._side_by_side(one)

    def look(self) -> None:
        """The look of `edgectl verify`, in this process."""
        asyncio.run(look(self.settings, self.network, self.secrets, self.hosts))

    def raw_look(self) -> None:
        """What `verify` does, by plain ssh."""
        self.raw(self.checks)

    def process(self) -> None:
        """`edgectl verify` as a person types it, with the start of Python."""
        words = [sys.executable, "-m", "edgectl", "verify", "lab", "--stack-file", str(self.stack_file)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        if "host " not in done.stdout:
            raise SystemExit(done.stdout + done.stderr)

    def _side_by_side(self, one: Callable[[str], None]) -> None:
        with ThreadPoolExecutor(len(self.names)) as pool:
            list(pool.map(one, self.names))

    def _connection(self, name: str) -> dict[str, object]:
        target = self.site.ssh(MACHINES.get(name, name))
        key = target.key_file.read_text("utf-8")
        plain = {"port": 22.0, "user": target.user, "privateKey": key, "dialErrorLimit": 0.0, "perDialTimeout": 15.0}
        found = {**plain, "host": target.host, "hostKey": target.host_key}
        if target.via is not None:
            found["proxy"] = {**plain, "host": target.via.host, "hostKey": target.via.host_key}
        return found


def timed(run: Callable[[], None]) -> float:
    """Return the seconds of one run."""
    began = time.monotonic()
    run()
    return time.monotonic() - began


def compare(what: str, ours: Callable[[], None], raw: Callable[[], None], rounds: int) -> None:
    """Print the medians of both sides and their ratio."""
    ours(), raw()
    pairs = [(timed(ours), timed(raw)) for _ in range(rounds)]
    mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"{what:<44} ours {mine:.2f} s   raw ssh {theirs:.2f} s   ratio {mine / theirs:.2f}", flush=True)


def main(rounds: int) -> None:
    """Run all comparisons."""
    bench = Bench()
    print(f"import {IMPORTED:.2f} s, {rounds} rounds, {len(bench.names)} machines")
    compare("checks and preparation, 4 machines", lambda: bench.ours(bench.first, bench.prepare),
            lambda: bench.raw(bench.first, bench.prepare), rounds)  # fmt: skip
    compare("verify, 4 hosts, in the process", bench.look, bench.raw_look, rounds)
    compare("verify, 4 hosts, with the start of Python", bench.process, bench.raw_look, rounds)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
