"""What the scenarios of virtual machines do beside `up`: `edgectl`, a kill at a chosen moment, a template, a line of hosts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyVmomi import vmodl as typed

from lab.engine import Event, Run
from lab.paths import CHECKOUT
from lab.vcenter.hands import Hands, vim
from tests.engine.engine_site import until
from tests.engine.vm_site import FOLDER, VmSite

vmodl: Any = typed
RECORD = CHECKOUT / ".edge" / "rolls" / "lab.json"
_EDGECTL_SECONDS = 400
# One line of the CLI for a person: sign, type, name, what became of it.
_LINE = re.compile(r"^ *(?P<sign>\+\+|--|\+-|[-+~])? +(?P<type>\S+:\S+:\S+) (?P<name>\S+) (?P<word>[a-z]+)\b")
_DONE: Mapping[str, str] = {"created": "create", "updated": "update", "deleted": "delete", "replaced": "replace"}


def edgectl(site: VmSite, *words: str, code: int = 0) -> str:
    """Run `edgectl` on the stack under the engine, and return what it said, errors included."""
    done = subprocess.run(
        [sys.executable, "-m", "edgectl", *words, "--stack-file", str(site.engine.settings)],
        cwd=CHECKOUT,
        env=site.edgectl_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_EDGECTL_SECONDS,
        check=False,
    )
    assert done.returncode == code, f"edgectl {' '.join(words)}: exit code {done.returncode}\n{done.stdout}"
    return done.stdout


def told(text: str, seconds: float) -> Run:
    """Return what the CLI told a person of its steps as a run, so that it counts in the table."""
    found = [match.groupdict() for line in text.splitlines() if (match := _LINE.match(line))]
    steps = [_event(one) for one in found if one["word"] in _DONE]
    return Run(0, tuple(steps), text, "", seconds)


def _event(one: Mapping[str, str]) -> Event:
    operation = {"++": "create-replacement", "--": "delete-replaced", "+-": "replace"}.get(one["sign"] or "")
    urn = f"urn:pulumi:lab::edge-hosts::{one['type']}::{one['name']}"
    return {"resOutputsEvent": {"metadata": {"op": operation or _DONE[one["word"]], "urn": urn}}}


def rolled(site: VmSite, case: str, *words: str, code: int = 0) -> str:
    """Roll with `edgectl`, as one case of the table, and return what it said."""
    with site.case(case) as done:
        began = time.monotonic()
        text = edgectl(site, "roll", "lab", *words, code=code)
        done.append(told(text, time.monotonic() - began))
    return text


def killed_when(site: VmSite, reached: Callable[[], bool], what: str) -> None:
    """Start `up`, and kill the engine with all of its plugins as soon as something is reached."""
    process = site.engine.start("up")
    # The events must be read, or the engine waits for its reader.
    drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
    try:
        until(reached, 180, what)
    finally:
        site.engine.kill(process)
        drain.wait()


def machines(site: VmSite) -> set[str]:
    """Return the names of the machines in the vCenter, templates left out."""
    return set(site.uuids()) - {"not-a-template"}


def template(site: VmSite, name: str) -> None:
    """Make a copy of the lab's template under another name, once."""
    with site.hand() as hand:
        if name not in {vm.name for vm in hand.all(vim.VirtualMachine)}:
            hand.clone(name, folder=hand.machine("debian-12-edge").parent.name).MarkAsTemplate()


def add(site: VmSite, name: str, number: int, *, after: str = "", **values: object) -> None:
    """Put a host among the others: behind one of them, or at the end."""

    def change(settings: dict[str, Any]) -> None:
        hosts = settings["hosts"]
        place = list(hosts).index(after) + 1 if after else len(hosts)
        hosts.insert(place, name, {"address": site.address(number), **values})

    site.edit(change)


def exported(site: VmSite, host: str) -> dict[str, Any]:
    """Return what the stack exports of a host."""
    found: dict[str, Any] = site.engine.outputs()["hosts"][host]
    return found


def generation(site: VmSite, host: str) -> int:
    """Return the generation that a host has reached."""
    return int(exported(site, host)["generation"])


def host_key(site: VmSite, host: str) -> str:
    """Return the public host key that the guest has."""
    return " ".join(site.inside(host, "cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2])


def config(hand: Hands, name: str) -> dict[str, str]:
    """Return the whole configuration of a machine, each part as text, without what counts its changes and its variables."""
    found = hand.machine(name).config
    parts = {info.name for info in found._GetPropertyList()} - {"changeVersion", "modified", "extraConfig"}
    return {part: str(getattr(found, part)) for part in sorted(parts)}


def roll_killed_when(site: VmSite, words: tuple[str, ...], reached: Callable[[], bool], what: str) -> str:
    """Roll with `edgectl`, kill the engine under it as soon as something is reached, and return what `edgectl` said."""
    process = subprocess.Popen(
        [sys.executable, "-m", "edgectl", "roll", "lab", *words, "--stack-file", str(site.engine.settings)],
        cwd=CHECKOUT,
        env=site.edgectl_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.extend(process.stdout or ()), daemon=True)
    with process:
        reader.start()
        until(reached, 180, what)
        # The CLI that edgectl started leads a process group of its own.
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split():
            os.killpg(int(child), signal.SIGKILL)
        process.wait(_EDGECTL_SECONDS)
        reader.join()
    assert process.returncode == 9, "".join(said)
    return "".join(said)


@contextmanager
def names(site: VmSite, *hosts: str) -> Iterator[None]:
    """Let the site's hosts be these for the length of the block."""
    before, site.names = site.names, hosts
    try:
        yield
    finally:
        site.names = before


def cloning(site: VmSite) -> bool:
    """Return whether vCenter is at work on a clone."""
    with site.hand() as hand:
        return any(_is_clone(task) for task in hand.content.taskManager.recentTask)


def _is_clone(task: Any) -> bool:
    try:
        info = task.info
    except (vmodl.fault.ManagedObjectNotFound, TypeError):
        # It was forgotten since the list was read; or it is one of the simulator's own, on what no task can be on.
        return False
    return "clone" in str(info.descriptionId).lower() and info.state == "running"


def has_folder(site: VmSite) -> bool:
    """Return whether the stack's folder is in the vCenter."""
    with site.hand() as hand:
        return FOLDER in {folder.name for folder in hand.all(vim.Folder)}


def errors(run: Run, host: str) -> list[str]:
    """Return the errors that a run said of a host's resources, each on one line, without the provider's own log of them."""
    told_ones = [event["diagnosticEvent"] for event in run.events if "diagnosticEvent" in event]
    mine = [one for one in told_ones if one.get("severity") == "error" and f"::{host}-" in str(one.get("urn", ""))]
    lines = [" ".join(str(one["message"]).split()) for one in mine]
    return [line for line in lines if not line.startswith("sdk-v2/")]
