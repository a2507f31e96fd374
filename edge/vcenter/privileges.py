"""The privileges that the program and the vSphere provider need in a vCenter, and on what.

One table, used three times: `preflight` asks vCenter for each of them, the README shows the role to paste, and
`python -m edge.vcenter.privileges` prints it as govc commands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

Target = Literal["root", "folder", "datastore", "network", "pool", "cluster", "template"]

# System.View and System.Read come with every role. A machine lies in the folder, so what is done to machines is asked there.
NEEDED: Mapping[Target, tuple[str, ...]] = {
    "folder": (
        "Folder.Create",
        "Folder.Delete",
        "Folder.Rename",
        "Folder.Move",
        "VirtualMachine.Inventory.Create",
        "VirtualMachine.Inventory.CreateFromExisting",
        "VirtualMachine.Inventory.Delete",
        "VirtualMachine.Inventory.Move",
        "VirtualMachine.Config.AddNewDisk",
        "VirtualMachine.Config.AddRemoveDevice",
        "VirtualMachine.Config.AdvancedConfig",
        "VirtualMachine.Config.Annotation",
        "VirtualMachine.Config.CPUCount",
        "VirtualMachine.Config.DiskExtend",
        "VirtualMachine.Config.EditDevice",
        "VirtualMachine.Config.Memory",
        "VirtualMachine.Config.Rename",
        "VirtualMachine.Config.Resource",
        "VirtualMachine.Config.Settings",
        "VirtualMachine.Interact.AnswerQuestion",
        "VirtualMachine.Interact.PowerOff",
        "VirtualMachine.Interact.PowerOn",
        "VirtualMachine.Interact.Reset",
    ),
    "template": ("VirtualMachine.Provisioning.DeployTemplate",),
    "datastore": ("Datastore.AllocateSpace", "Datastore.Browse", "Datastore.FileManagement"),
    "network": ("Network.Assign",),
    "pool": ("Resource.AssignVMToPool", "Resource.ColdMigrate", "Resource.HotMigrate"),
    # The provider reads the storage policy of every machine, a right on the vCenter as a whole.
    "root": ("StorageProfile.View",),
    "cluster": (),
}
# Asked only of a site whose settings use it.
OPTIONAL: Mapping[str, tuple[Target, tuple[str, ...]]] = {
    "antiAffinity": ("cluster", ("Host.Inventory.EditCluster",)),
    "ha": ("cluster", ("Host.Inventory.EditCluster",)),
    "datastoreCluster": ("datastore", ("Resource.ApplyRecommendation",)),
    "tags": ("folder", ("InventoryService.Tagging.AttachTag", "InventoryService.Tagging.ObjectAttachable")),
    "attributes": ("folder", ("Global.SetCustomField",)),
    # An installer ISO leaves the drive and the host's own one comes, also while the machine runs.
    "appliance": (
        "folder",
        ("VirtualMachine.Interact.DeviceConnection", "VirtualMachine.Interact.SetCDMedia"),
    ),
}
ROLE = "edge-hosts"
_WHERE: Mapping[Target, tuple[str, bool]] = {
    "root": ("/", False),
    "folder": ("/DC/vm", True),
    "template": ("/DC/vm/TEMPLATE", False),
    "datastore": ("/DC/datastore/DATASTORE", False),
    "network": ("/DC/network/NETWORK", False),
    "pool": ("/DC/host/CLUSTER", True),
    "cluster": ("/DC/host/CLUSTER", True),
}


def needed(target: Target, uses: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the privileges that are needed on an object, with those of the settings in use (keys of OPTIONAL)."""
    more = (one for use in uses if OPTIONAL[use][0] == target for one in OPTIONAL[use][1])
    return tuple(dict.fromkeys((*NEEDED[target], *more)))


def every() -> tuple[str, ...]:
    """Return all privileges of the role, sorted."""
    found = {one for privileges in NEEDED.values() for one in privileges}
    return tuple(sorted(found | {one for _, privileges in OPTIONAL.values() for one in privileges}))


def as_govc(user: str = "'VSPHERE.LOCAL\\edge-hosts'") -> str:
    """Return the govc commands that make the role and give it to a user on the objects of a site."""
    lines = [" \\\n  ".join((f"govc role.create {ROLE}", *every()))]
    # To see what is there (names that exist, machines with the same address), reading is allowed in the whole datacenter.
    lines.append(f"govc permissions.set -principal {user} -role ReadOnly -propagate=true /DC")
    given: dict[str, bool] = {}
    for target in NEEDED:
        path, below = _WHERE[target]
        given[path] = given.get(path, False) or below
    for path, below in sorted(given.items()):
        lines.append(
            f"govc permissions.set -principal {user} -role {ROLE} -propagate={'true' if below else 'false'} {path}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(as_govc())
