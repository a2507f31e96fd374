"""What the tests of faults share: new hosts, one run of the program by its command line, and what it told about a host."""

from __future__ import annotations

import copy
import io
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab_hand import LabHand, until
from ruamel.yaml import YAML

from lab.machines import VM_NAME

# The machines that exist already; faults are theirs. The VM comes and goes with the program.
HOSTS = ("bare", "proxied", "jumped")
EVERY = (*HOSTS, VM_NAME)
APPLIANCE = "appliance"
# What a person who waits for a fault to be told may be asked to wait; a run that takes longer hangs.
RUN_SECONDS = 240.0
_SITE = "edge-hosts:site"

Change = Callable[[Any], None]


@dataclass(frozen=True)
class Told:
    """What one run of the program told: its exit code and all of its text."""

    code: int
    text: str

    def about(self, host: str) -> str:
        """Return the closing words about a host that failed, as one text; fail when there are none, or two."""
        found = re.findall(rf"^{host}: \S+ failed$\n(?:^  .*\n)+", self.text, re.MULTILINE)
        assert len(found) == 1, f"{len(found)} closing messages about {host} in:\n{self.text}"
        return str(found[0])

    def failed(self) -> list[str]:
        """Return the hosts with a closing message, in order."""
        return re.findall(r"^(\S+): \S+ failed$", self.text, re.MULTILINE)

    def red(self, *hosts: str) -> Told:
        """Return itself; fail unless exactly these hosts failed, each with one whole message, and the exit code says so."""
        assert self.code == 1, self.text
        assert sorted(self.failed()) == sorted(hosts), self.text
        for host in hosts:
            words = self.about(host)
            assert "fix: " in words, words
            assert "look further: " in words, words
            assert "Traceback" not in words, words
            assert "exec bash -s" not in words, words
        for host in set(HOSTS) - set(hosts):
            assert re.search(rf"^{host} +\S+ +{host} +(ready|in-use), healthy", self.text, re.MULTILINE), self.text
        return self

    def green(self) -> Told:
        """Return itself; fail unless every host became healthy."""
        assert self.code == 0, self.text
        assert self.failed() == [], self.text
        return self


def stack_file(lab: LabHand, change: Change | None = None) -> str:
    """Return the path of a copy of the lab's stack file with existing machines only, whose `site` was changed."""
    yaml = YAML()
    document: Any = yaml.load(lab.paths.stack_file.read_text("utf-8"))
    site = document["config"][_SITE]
    hosts = site["hosts"]
    for place, key in ((hosts, VM_NAME), (hosts, APPLIANCE), (site, "vsphere"), (site, "vcenters"), (site, "image")):
        place.pop(key)
    if change is not None:
        change(site)
    text = io.StringIO()
    yaml.dump(document, text)
    # A folder for each: commands that run side by side have different changes.
    (lab.paths.root / "changed").mkdir(exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=lab.paths.root / "changed"), "Pulumi.lab.yaml")
    path.write_text(text.getvalue(), "utf-8")
    return str(path)


def program(lab: LabHand, change: Change | None = None, seconds: float = RUN_SECONDS, *, vm: bool = False) -> Told:
    """Run the program on the lab's machines by `lab up`: on the existing ones, or with `vm` as a person does, on all."""
    words = ("up",) if vm else ("up", "--stack-file", stack_file(lab, change))
    return told(lab.run(*words, timeout=seconds))


def program_through(lab: LabHand, words: str, relief: Callable[[], object]) -> Told:
    """Run the program on the existing machines, and call `relief` when it says `words`, however long it takes until then."""
    said = lab.paths.root / "changed" / "said"
    said.parent.mkdir(exist_ok=True)
    with said.open("wb") as output, lab.start("up", "--stack-file", stack_file(lab), output=output) as running:
        try:
            until(lambda: words in said.read_text("utf-8"), RUN_SECONDS, f"a run that says {words!r}")
        finally:
            relief()
        code = running.wait(RUN_SECONDS)
    return Told(code, said.read_text("utf-8"))


def told(done: subprocess.CompletedProcess[str]) -> Told:
    """Return what a command of the lab told."""
    return Told(done.returncode, done.stdout + done.stderr)


def verify(lab: LabHand, *words: str, change: Change | None = None, vm: bool = False) -> Told:
    """Run `edgectl verify` on the lab's machines."""
    return edgectl(lab, "verify", *words, change=change, vm=vm)


def edgectl(lab: LabHand, command: str, *words: str, change: Change | None = None, vm: bool = False) -> Told:
    """Run a command of `edgectl` for the lab's stack, with the lab's secrets; reports go into the lab's folder."""
    import sys

    from lab.paths import CHECKOUT

    file = str(lab.paths.stack_file) if vm else stack_file(lab, change)
    options = ["--stack-file", file, "--secrets-file", str(lab.paths.secrets)]
    options += ["--report-dir", str(lab.paths.root / "reports")]
    done = subprocess.run(
        [sys.executable, "-m", "edgectl", command, "lab", *words, *options],
        cwd=CHECKOUT,
        env=lab.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    return told(done)


def renew(lab: LabHand, *machines: str) -> None:
    """Switch every fault off and make machines new, the VM by destroying it; Palette forgets them."""
    lab.client.clear_faults()
    if VM_NAME in machines:
        for vm in lab.client.vms():
            lab.client.destroy_vm(vm["id"])
    existing = [name for name in machines if name != VM_NAME]
    with ThreadPoolExecutor(len(HOSTS)) as pool:
        list(pool.map(lambda name: lab.client.power("reset", name), existing))
    for name in (*machines, *([APPLIANCE] if VM_NAME in machines else [])):
        lab.client.palette("delete-record", uid=name)


def records(lab: LabHand) -> dict[str, Mapping[str, Any]]:
    """Return the records in Palette by their uid."""
    return {record["metadata"]["uid"]: copy.deepcopy(record) for record in lab.client.palette("records")}


def health(lab: LabHand, host: str) -> str:
    """Return the health that Palette shows for a host, empty when it has no record."""
    record = records(lab).get(host)
    return "" if record is None else str(record["status"].get("health", {}).get("state", ""))


def inside(lab: LabHand, machine: str, script: str) -> str:
    """Run a script inside a machine as root, not over SSH, and return what it printed."""
    words = [*lab.client.inside(machine), "bash", "-c", f"cd /; {script}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{machine}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def tree(lab: LabHand, machine: str) -> str:
    """Return packages, and what lies in /etc, /opt, /usr/local and /var/lib with the sizes and times of files."""
    shown = r"-type d -printf '%p %y %m\n' -o -printf '%p %y %m %s %T@\n'"
    listing = f"find /etc /opt /root /usr/local /var/lib -xdev {shown} | sort"
    keep = "grep -v -e '^/var/lib/systemd/' -e '^/var/lib/private' -e '^/etc/ '"
    return inside(lab, machine, f"dpkg-query -W; {listing} | {keep}")


def comes_back(lab: LabHand, machine: str) -> None:
    """Return when a machine answers on SSH again."""
    until(lambda: lab.machines()[machine]["state"] == "running", 60, f"{machine} is up again")


def owned_by_nobody(lab: LabHand, host: str) -> bool:
    """Return whether Palette holds nothing of a host."""
    return host not in records(lab)
