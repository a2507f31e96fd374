"""What a person sees while a run works: a virtual machine is a step of its host."""

from __future__ import annotations

import io

from rich.console import Console

from lab.rehearsal.monitor import Event
from lab.rehearsal.view import Progress

VM = "vsphere:index/virtualMachine:VirtualMachine"


def test_a_virtual_machine_is_a_step_of_its_host() -> None:
    out = io.StringIO()
    progress = Progress(Console(file=out, width=120))
    progress.on_event(Event("a-claim", "pulumi-python:dynamic/edge:EdgeHostClaim", "a", "done", 0.1))
    progress.on_event(Event("a-vm", VM, "a-machine", "failed", 3.0, "the datastore is full"))
    assert [one.parent for one in progress.failures()] == ["a"]
    assert out.getvalue().splitlines()[1].split()[:3] == ["a", "vm", "failed"]


def test_a_host_that_is_called_a_machine_keeps_its_name() -> None:
    progress = Progress(Console(file=io.StringIO(), width=120))
    progress.on_event(Event("x-machine-checks", "command:remote:Command", "x-machine", "failed", 1.0, "red"))
    assert [one.parent for one in progress.failures()] == ["x-machine"]
