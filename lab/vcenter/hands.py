"""Does behind everybody's back what people do to virtual machines, in any vCenter, over its API."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator
from typing import Any

from pyVmomi import SoapAdapter
from pyVmomi import vim as typed

from edge.errors import LabError
from lab.vcenter.server import USER, Vcenter

# Their classes are made at run time, and the types say little of them.
vim: Any = typed
_SOAP: Any = SoapAdapter.SoapStubAdapter
_VERSION = "vim.version.v8_0_2_0"
_TASK_SECONDS = 120.0


class Hands:
    """One session. Machines are named by their name; the first one of that name is meant."""

    def __init__(self, instance: Any) -> None:
        self.instance = instance
        self.content = instance.RetrieveContent()

    def all(self, kind: type) -> list[Any]:
        """Return all objects of a kind (vim.VirtualMachine, vim.Datastore, ...)."""
        view = self.content.viewManager.CreateContainerView(self.content.rootFolder, [kind], True)
        try:
            return list(view.view)
        finally:
            view.Destroy()

    def find(self, kind: type, name: str) -> Any:
        """Return the object of a kind with a name. Raises LabError when there is none."""
        found = self.all(kind)
        for item in found:
            if item.name == name:
                return item
        names = ", ".join(sorted(item.name for item in found))
        raise LabError(f"the vCenter has no {kind.__name__} {name!r}", remedy=f"it has {names}.")

    def machine(self, name: str) -> Any:
        """Return the virtual machine with a name."""
        return self.find(vim.VirtualMachine, name)

    def done(self, task: Any) -> Any:
        """Wait for a task and return its result; raise its fault."""
        deadline = time.monotonic() + _TASK_SECONDS
        while task.info.state in ("queued", "running"):
            if time.monotonic() > deadline:
                raise LabError(f"the task {task.info.descriptionId} has not ended in {_TASK_SECONDS:.0f} s")
            time.sleep(0.05)
        if task.info.state == "error":
            raise task.info.error
        return task.info.result

    def power_on(self, name: str) -> None:
        """Switch a machine on."""
        self.done(self.machine(name).PowerOnVM_Task())

    def power_off(self, name: str) -> None:
        """Pull a machine's plug."""
        self.done(self.machine(name).PowerOffVM_Task())

    def destroy(self, name: str) -> None:
        """Remove a machine with its disks, also one that is on."""
        machine = self.machine(name)
        if machine.runtime.powerState != "poweredOff":
            self.done(machine.PowerOffVM_Task())
        self.done(machine.Destroy_Task())

    def snapshot(self, name: str, title: str = "before") -> None:
        """Take a snapshot of a machine without its memory: its disk's file gets another name."""
        self.done(self.machine(name).CreateSnapshot_Task(title, "", False, False))

    def remove_snapshots(self, name: str) -> None:
        """Remove all snapshots of a machine."""
        self.done(self.machine(name).RemoveAllSnapshots_Task())

    def migrate(self, name: str, host: str) -> None:
        """Move a machine to another host of its cluster."""
        priority = vim.VirtualMachine.MovePriority.defaultPriority
        self.done(self.machine(name).MigrateVM_Task(host=self.find(vim.HostSystem, host), priority=priority))

    def relocate(self, name: str, datastore: str) -> None:
        """Move a machine's files to another datastore."""
        where = vim.vm.RelocateSpec(datastore=self.find(vim.Datastore, datastore))
        self.done(self.machine(name).RelocateVM_Task(where))

    def rename(self, name: str, new: str) -> None:
        """Give a machine another name."""
        self.done(self.machine(name).Rename_Task(new))

    def reconfigure(self, name: str, **changes: Any) -> None:
        """Change a machine's configuration: fields of vim.vm.ConfigSpec."""
        self.done(self.machine(name).ReconfigVM_Task(vim.vm.ConfigSpec(**changes)))

    def extra(self, name: str) -> dict[str, str]:
        """Return a machine's extra configuration."""
        return {option.key: str(option.value) for option in self.machine(name).config.extraConfig}

    def clone(
        self, name: str, *, template: str = "debian-12-edge", folder: str = "vm", datastore: str = "ssd-1",
        pool: Any = None, wait: bool = True, **config: Any,
    ) -> Any:  # fmt: skip
        """Clone a template into the cluster `edge` (or a pool), and return the machine; the task, without `wait`.

        So it also makes the foreign machine that has the name of one of ours.
        """
        root = self.find(vim.ClusterComputeResource, "edge").resourcePool
        where = vim.vm.RelocateSpec(pool=pool or root, datastore=self.find(vim.Datastore, datastore))
        spec = vim.vm.CloneSpec(location=where, config=vim.vm.ConfigSpec(**config) if config else None)
        task = self.machine(template).CloneVM_Task(self.find(vim.Folder, folder), name, spec)
        return self.done(task) if wait else task


@contextlib.contextmanager
def hands(vcenter: Vcenter, user: str = USER, password: str | None = None) -> Iterator[Hands]:
    """Log in for the length of the block; by default as the user who may do everything."""
    stub = _SOAP(
        host=vcenter.host,
        port=vcenter.port,
        version=_VERSION,
        sslContext=ssl.create_default_context(cafile=str(vcenter.authority)),
    )
    try:
        instance = vim.ServiceInstance("ServiceInstance", stub)
        session = Hands(instance)
        session.content.sessionManager.Login(user, password or vcenter.password, None)
        yield session
        with contextlib.suppress(vim.fault.NotAuthenticated):
            session.content.sessionManager.Logout()
    finally:
        stub.DropConnections()
