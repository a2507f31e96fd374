"""Two deeds in a vCenter: power a machine on, destroy an unfinished clone. Each looks again right before it acts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pyVmomi import vim

from edge.vcenter import properties
from edge.vcenter.errors import VcenterError
from edge.vcenter.model import OWNER_KEY, Vm
from edge.vcenter.session import Session

_NOW = ("name", "parent", "runtime.powerState", "config.template", "config.extraConfig", "recentTask")
_PACE = 0.5


def power_on(live: Session, vm: Vm, owner: str) -> None:
    """Power a machine of `owner` on and wait until vCenter has done it. Raises VcenterError, also when it is not ours."""
    now = _look(live, vm)
    if _owner(now) != owner:
        raise _refused(live, vm, "it is not ours any more")
    if str(now.get("runtime.powerState")) == "poweredOn":
        return
    _wait(live, vm, lambda machine: machine.PowerOnVM_Task(None))


def destroy(live: Session, vm: Vm, owner: str) -> None:
    """Destroy what a run left that was cut off, and wait until it is gone: an unfinished clone, or a machine of ours.

    Only one that carries the name of `owner` may be running. Raises VcenterError when it is no longer what was judged: it runs, has
    another owner, moved, was renamed, is a template, or vCenter is still at work on it.
    """
    now = _look(live, vm)
    running = str(now.get("runtime.powerState")) != "poweredOff"
    if _owner(now) not in ("", owner) or _owner(now) != vm.owner:
        raise _refused(live, vm, "it has an owner now")
    if running and not vm.owner:
        raise _refused(live, vm, "it is running now")
    if now.get("name") != vm.name or _id(now.get("parent")) != vm.folder:
        raise _refused(live, vm, "it was moved or renamed")
    if now.get("config.template"):
        raise _refused(live, vm, "it is a template now")
    if _busy(live, now):
        raise _refused(live, vm, "vCenter is still at work on it; try again when its task has ended")
    if running:
        _wait(live, vm, lambda machine: machine.PowerOffVM_Task())
    _wait(live, vm, lambda machine: machine.Destroy_Task())


def _machine(content: Any, vm: Vm) -> Any:
    made: Any = vim.VirtualMachine
    return made(vm.id, content.rootFolder._stub)


def _look(live: Session, vm: Vm) -> dict[str, Any]:
    def question(content: Any) -> dict[str, Any]:
        found = properties.of(content, [_machine(content, vm)], vim.VirtualMachine, _NOW)
        return dict(found[0][1]) if found else {}

    now = live.ask(question)
    if not now:
        raise _refused(live, vm, "it is gone")
    return now


def _owner(now: dict[str, Any]) -> str:
    return next((str(one.value) for one in now.get("config.extraConfig") or () if one.key == OWNER_KEY), "")


def _id(value: Any) -> str:
    return str(getattr(value, "_moId", "") or "")


def _busy(live: Session, now: dict[str, Any]) -> bool:
    tasks = list(now.get("recentTask") or ())
    found = live.ask(lambda content: properties.of(content, tasks, vim.Task, ("info.state",)))
    return any(str(got.get("info.state")) in ("queued", "running") for _, got in found)


def _wait(live: Session, vm: Vm, start: Callable[[Any], Any]) -> None:
    """Start a task and wait for its end, as long as `apiTimeout` says."""
    task = live.ask(lambda content: start(_machine(content, vm)))
    ends = time.monotonic() + live.vcenter.api_timeout.total_seconds()
    while True:
        found = live.ask(lambda content: properties.of(content, [task], vim.Task, ("info.state", "info.error")))
        got = found[0][1] if found else {}
        state = str(got.get("info.state", "success"))
        if state == "success":
            return
        if state == "error":
            error = got.get("info.error")
            said = str(getattr(error, "localizedMessage", "") or getattr(error, "msg", "") or type(error).__name__)
            raise _refused(live, vm, said.strip().rstrip("."))
        if time.monotonic() > ends:
            raise _refused(live, vm, f"vCenter has not finished within {live.vcenter.api_timeout}")
        time.sleep(_PACE)


def _refused(live: Session, vm: Vm, why: str) -> VcenterError:
    return VcenterError(
        f"the machine {vm.name} was left as it is: {why}.",
        remedy="run `edgectl repair` again to see what it is now",
        where=live.where,
    )
