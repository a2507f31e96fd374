"""Brings a lab up, and finishes what an interrupted `up` began. Nothing is made twice.

The order: what the machine must have, what an earlier crash left, root file system and packages, the site with its
keys, the stack file, the daemon with networks, stand-ins and machines.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.errors import LabError
from lab import cgroups, requirements
from lab.apt import distribution_source, os_release
from lab.block import Block, choose_block, choosing, networks_in_use
from lab.builder.roots import ensure_roots
from lab.client import LabClient
from lab.down import clear_remains
from lab.keys import new_identity, new_secrets
from lab.lock import locked
from lab.machines import BUILDER, plans
from lab.paths import CHECKOUT, LabPaths, shown
from lab.proc import last_words, run
from lab.record import Record
from lab.rootfs import Cache, Recipe
from lab.site import Site, load_site, new_site
from lab.takedown import remove_tree
from lab.template import ensure_template
from lab.voice import Voice

# In the committed stack file.
_VMS = 1
_READY_SECONDS = 180.0
_POLL_SECONDS = 0.05


def bring_up(paths: LabPaths, voice: Voice) -> Site:
    """Return the site of the lab with all of its machines running.

    Raises LabError with one message when the machine lacks something or a step fails; a second call goes on from there.
    """
    if (site := _already_up(paths, voice)) is not None:
        return site
    requirements.check(paths, lambda text: voice.line(text, "info"), machines=len(plans(Block())) + _VMS)
    paths.claim()
    with locked(paths, "up"):
        if (site := _already_up(paths, voice)) is not None:
            return site
        record = Record(paths.record)
        if clear_remains(paths, record):
            voice.line("an earlier run ended in the middle: its remains are cleared", "info")
        group = cgroups.hierarchy() / paths.prefix
        record.add("cgroup", path=str(group))
        cgroups.make(group)
        roots = _roots(Cache(paths, record, group), voice)
        with choosing():
            site = _site(paths, roots)
            _write_stack_file(site)
            voice.line(f"stack file  {shown(paths.stack_file)}")
            following = _Following(paths, voice, _start_daemon(paths))
            # Until the bridges are there, another lab could take the same addresses.
            following.until(lambda: following.heard > 0)
        following.until(lambda: following.phase == "ready")
    return site


def _already_up(paths: LabPaths, voice: Voice) -> Site | None:
    """Return the site when the daemon runs and is ready, with the machines that were off started again."""
    client, site = LabClient(paths), load_site(paths)
    if site is None or not client.alive():
        return None
    if client.status()["phase"] == "starting":
        following = _Following(paths, voice, None)
        following.until(lambda: following.phase == "ready")
    status = client.status()
    if status["phase"] != "ready":
        return None
    machines = status["machines"].items()
    # Whether a VM is on is decided by those who make VMs.
    for name in [name for name, machine in machines if machine["state"] == "off" and not machine["vm"]]:
        client.power("on", name)
        voice.line(f"{name:<11} started again")
    _write_stack_file(site)
    voice.line(f"up already: {', '.join(status['machines'])}, and the stand-ins", "same")
    return site


@dataclasses.dataclass(frozen=True)
class _Roots:
    """What machines are made of: the suite, root file system, packages, template of VMs, build machine, appliances."""

    suite: str
    base: Path
    debs: Path
    template: Path
    builder: Path
    appliance: Path


def _roots(cache: Cache, voice: Voice) -> _Roots:
    """Return what the machines are made of."""
    recipe = Recipe(distribution_source(), run("dpkg", "--print-architecture").strip())
    began = time.monotonic()
    with voice.working(f"root file systems of {recipe.source.suite}, made once, takes a minute or two") as say:
        base, debs = cache.ensure(recipe, say)
        template = ensure_template(cache, recipe, base, say)
        builder, appliance = ensure_roots(cache, recipe, base, debs, say)
    seconds = time.monotonic() - began
    origin = f"made in {seconds:.0f} s" if seconds > 2 else "from the cache"
    packages = len(list(debs.glob("*.deb")))
    voice.line(f"root        {recipe.source.suite}, templates of VMs and appliances, and {packages} packages; {origin}")
    return _Roots(recipe.source.suite, base, debs, template, builder, appliance)


def _site(paths: LabPaths, roots: _Roots) -> Site:
    """Return the site that an earlier `up` began, or a new one in a free block of addresses."""
    from lab.services.ca import ensure_ca

    ensure_ca(paths.root / "ca")
    used = networks_in_use()
    site = load_site(paths)
    if site is None:
        release = os_release(roots.base / "etc/os-release")
        os_id = f"{release.get('ID', 'linux')}-{release.get('VERSION_ID', roots.suite)}"
        return new_site(
            paths,
            choose_block(used),
            suite=roots.suite,
            os_id=os_id,
            base=roots.base,
            debs=roots.debs,
            template=roots.template,
            builder=roots.builder,
            appliance=roots.appliance,
        )
    if any(site.block.network.overlaps(network) for network in used):
        raise LabError(
            f"the lab's addresses {site.block.network} are in use by now",
            remedy="take the lab down and up again: it then chooses others.",
        )
    # A disk is a layer over the root that it was made on: over another one it would be torn.
    if (site.base, site.debs) != (roots.base, roots.debs):
        remove_tree(paths.machines)
    if site.template != roots.template:
        remove_tree(paths.vms)
        remove_tree(paths.root / "template")
    if site.builder != roots.builder:
        remove_tree(paths.machines / BUILDER)
    known = dataclasses.replace(
        site,
        base=roots.base,
        debs=roots.debs,
        template=roots.template,
        builder=roots.builder,
        appliance=roots.appliance,
        # A lab of an earlier version knows neither every machine nor every secret.
        identities={plan.name: site.identities.get(plan.name) or new_identity(plan.name) for plan in site.plans},
        secrets={**new_secrets(), **site.secrets},
    )
    if known != site:
        known.save()
    site = known
    return site


def _write_stack_file(site: Site) -> None:
    from lab.stackfile import write

    write(site)


def _start_daemon(paths: LabPaths) -> subprocess.Popen[bytes]:
    """Start the daemon in a session of its own: it stays when this command is interrupted."""
    environment = {**os.environ, "EDGE_HOSTS_LAB": str(paths.root), "EDGE_HOSTS_LAB_CACHE": str(paths.cache)}
    cgroup = cgroups.hierarchy() / paths.prefix / "daemon"
    cgroup.mkdir(exist_ok=True)
    with paths.log.open("ab") as log:
        return subprocess.Popen(
            cgroups.entering(cgroup, sys.executable, "-m", "lab.daemon"),
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


class _Following:
    """Repeats the daemon's lines to a person until something is reached. `process` is the daemon, if we started it."""

    def __init__(self, paths: LabPaths, voice: Voice, process: subprocess.Popen[bytes] | None) -> None:
        self._paths = paths
        self._client = LabClient(paths)
        self._voice = voice
        self._process = process
        self.heard = 0
        self.phase = "starting"

    def until(self, reached: Callable[[], bool], seconds: float = _READY_SECONDS) -> None:
        """Return when `reached`. Raises LabError when the start fails, the daemon ends, or it takes too long."""
        deadline = time.monotonic() + seconds
        while True:
            ended = self._process is not None and self._process.poll() is not None
            self._listen()
            if self.phase == "failed":
                self._give_up("the lab did not come up")
            if reached():
                return
            if ended:
                self._give_up(f"the daemon ended: {last_words(self._paths.log.read_text('utf-8', 'replace'), 1)}")
            if time.monotonic() > deadline:
                raise LabError(f"the lab is not up after {seconds:.0f} s", remedy=f"read {shown(self._paths.log)}.")
            time.sleep(_POLL_SECONDS)

    def _listen(self) -> None:
        try:
            self.phase = str(self._client.status()["phase"])
            events: list[dict[str, Any]] = self._client.events(self.heard)
        except LabError:
            return
        for event in events:
            self.heard = int(event["number"])
            self._voice.line(str(event["text"]), event["level"])

    def _give_up(self, message: str) -> None:
        """End the daemon, clear what it made in the kernel, and raise."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            clear_remains(self._paths, Record(self._paths.record))
        raise LabError(message, remedy=f"read {shown(self._paths.log)}, then try again.")
