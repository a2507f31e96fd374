"""A stack and its machines as a roll sees them, in this process: for tests that stop a roll wherever they like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from settings_helpers import OTHER_KEY, RELEASE, project, put, site

from edge.engine_cli import Ended
from edge.errors import FactsError
from edge.facts import StackFacts
from edge.files import replace_file
from edgectl.roll import Ports

STACK = "plant-dev"
URN = "urn:pulumi:plant-dev::edge-hosts::edge-hosts:index:EdgeSite$edge-hosts:index:EdgeHost"
VSPHERE = {
    "datacenter": "DC1",
    "cluster": "edge",
    "datastore": "ssd-1",
    "network": "vlan-hosts",
    "gateway": "10.200.0.1",
    "nameservers": ["10.200.0.2"],
}
WITH_TEMPLATE = {**RELEASE, "vm": {"template": "debian-12-edge"}}


class Killed(BaseException):
    """The process was killed: nothing of ours runs after that."""


class World:
    """A stack and its hosts, as far as a roll sees them: the engine, its state, and the machines that it made."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.result, self.locked = "succeeded", False
        self.hosts: dict[str, dict[str, Any]] = {}
        self.made: list[str] = []
        self.ups = 0
        self.more: list[dict[str, Any]] = []
        self.moment: Callable[[str], None] = lambda name: None
        for name, host in self.settings().items():
            self._make(name, host)
        self.made.clear()

    def settings(self, file: Path | None = None) -> dict[str, dict[str, Any]]:
        hosts: dict[str, dict[str, Any]] = yaml.safe_load((file or self.file).read_text())["config"]["edge-hosts:site"][
            "hosts"
        ]
        return hosts

    def _make(self, name: str, host: Mapping[str, Any]) -> None:
        generation = host.get("generation", 1)
        self.made.append(f"{name} {generation}")
        now = {"generation": float(generation), "epoch": f"e{generation}", "state": "ready", "health": "healthy"}
        vm = (
            {"uuid": f"{name}-{generation}", "template": "debian-12-edge"} if host.get("machine") == "vsphere" else None
        )
        self.hosts[name] = {**now, "release": "r-1", "adopted": host.get("adopt"), **({"vm": vm} if vm else {})}
        self.hosts[name]["protected"] = host.get("state", "active") == "active"

    def up(self, *, parallel: int) -> Ended:
        self.moment("up begins")
        if self.locked:
            return Ended(255, ("error: the stack is currently locked by 1 lock(s).", "  by x@h (pid 1)"))
        self.ups += 1
        self.locked, self.result = True, "in-progress"
        for name, host in self.settings().items():
            generation = host.get("generation", 1)
            if generation < self.hosts[name]["generation"]:
                self.locked, self.result = False, "failed"
                return Ended(1, (f"error: {name}: lower generation",))
            if generation > self.hosts[name]["generation"]:
                assert host.get("state") == "rolling", "a protected machine is not replaced"
                assert "adopt" not in host, "adopt goes with the generation"
                self.moment(f"{name} begins")
                self._make(name, host)
                self.moment(f"{name} made")
            else:
                assert host.get("adopt") == self.hosts[name]["adopted"], "adopt never goes alone"
            self.hosts[name]["protected"] = host.get("state", "active") == "active"
        self.locked, self.result = False, "succeeded"
        self.moment("up ended")
        return Ended(0)

    def preview(self, *, parallel: int, config_file: Path | None = None) -> Mapping[str, Any]:
        self.moment("preview")
        changed = [
            name
            for name, host in self.settings(config_file).items()
            if host.get("generation", 1) != self.hosts[name]["generation"]
        ]
        steps = [
            {"op": "replace", "urn": f"{URN}$x::{name}-vm", "newState": {"parent": f"{URN}::{name}"}}
            for name in changed
        ]
        return {"steps": [*steps, *self.more]}

    def facts(self) -> StackFacts:
        self.moment("facts")
        if self.result != "succeeded":
            raise FactsError(f"its last run ended {self.result!r}, so its exports are not to be believed.")
        return StackFacts(STACK, self.result, {"hosts": self.hosts})

    def write(self, path: Path, text: str) -> None:
        self.moment(f"write {path.name}")
        replace_file(path, text)
        self.moment(f"written {path.name}")

    def ports(self, say: Callable[[str], None] = lambda line: None) -> Ports:
        return Ports(self, self.facts, self.write, say)

    def cancel(self) -> None:
        """Do what the message about the lock asks a person to do."""
        self.locked = False


def two_hosts(folder: Path) -> World:
    """Return a site of an existing machine and of an adopted VM, written by hand, with comments."""
    raw = site(
        put("vsphere", VSPHERE), put("vcenters", {"main": {"server": "vc.example.com", "user": "edge@vsphere.local"}})
    )
    del raw["hosts"]
    path = project(folder, raw, release=WITH_TEMPLATE)
    hosts = (
        "    hosts:  # two\n"
        "      plant-a: {address: 10.200.0.11/24, machine: existing, hostKey: KEY, allowReboot: true}  # in braces\n"
        "      plant-b:\n"
        "        machine: vsphere   # the VM\n"
        "        address: '10.200.0.12/24'\n"
        "        adopt: /DC1/vm/old/b\n"
        f"        hostKey: {OTHER_KEY}\n"
        "        state: active\n"
    )
    key = '"' + site()["hosts"]["plant-a"]["hostKey"] + '"'
    path.write_text("# by hand\n" + path.read_text().rstrip("\n") + "\n" + hosts.replace("KEY", key))
    return World(path)


def rolled(text: str) -> str:
    """Return the stack file as it shall be after both hosts have been rolled."""
    text = text.replace("address: 10.200.0.11/24,", "address: 10.200.0.11/24, generation: 2,")
    text = text.replace(f"        adopt: /DC1/vm/old/b\n        hostKey: {OTHER_KEY}\n", "")
    return text.replace("address: '10.200.0.12/24'\n", "address: '10.200.0.12/24'\n        generation: 2\n")
