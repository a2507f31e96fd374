"""What the VMs of a site share: the folder that the stack owns, rules that keep them on different hosts, restart order."""

from collections.abc import Mapping
from typing import Optional, Union

import pulumi_vsphere as vsphere
from pulumi import Output, Resource, ResourceOptions

from components import names
from components.appliance_vm import ApplianceVm
from components.secrets import Secrets
from components.vcenter import Vcenters
from components.vm_parts import VmArgs
from components.vsphere_machine import VsphereMachine, made_from_wanted
from edge.settings import HostSettings, StackSettings, VmSettings

AnyVm = Union[VsphereMachine, ApplianceVm]


class SiteVms:
    """Makes folders and providers when the first VM needs them; `finish` adds the rules over all VMs."""

    def __init__(self, settings: StackSettings, secrets: Secrets, parent: Resource) -> None:
        self._settings, self._secrets, self._parent = settings, secrets, parent
        self._vcenters = Vcenters(settings, secrets, parent)
        self._folders: dict[tuple[str, str, str], vsphere.Folder] = {}

    def args(self, host: HostSettings, vm: VmSettings) -> VmArgs:
        """Return what the VM of a host needs."""
        vcenter = self._vcenters.get(vm.vcenter)
        return VmArgs(self._settings, host, vm, vcenter, self._folder(vm).path, self._secrets)

    def wanted(self, host: HostSettings, vm: VmSettings) -> Output[str]:
        """Return what the next clone of a host would be made from."""
        return made_from_wanted(self._settings, host, vm, self._vcenters.get(vm.vcenter), self._secrets)

    def _folder(self, vm: VmSettings) -> vsphere.Folder:
        key = (vm.vcenter, vm.datacenter, vm.folder)
        if key not in self._folders:
            vcenter = self._vcenters.get(vm.vcenter)
            self._folders[key] = vsphere.Folder(
                # Named by its place and never by a number: a host that leaves must not rename what stays.
                "/".join(key),
                path=vm.folder,
                type="vm",
                datacenter_id=vcenter.datacenter(vm.datacenter),
                opts=ResourceOptions(parent=self._parent, provider=vcenter.provider),
            )
        return self._folders[key]

    def finish(self, machines: Mapping[str, AnyVm], views: Mapping[str, HostSettings]) -> None:
        """Add the rules that hold over several VMs, per cluster: DRS anti-affinity, HA restart priority."""
        groups: dict[tuple[str, str, str], list[str]] = {}
        for name in machines:
            vm = views[name].vm
            if vm is not None and vm.cluster is not None:
                groups.setdefault((vm.vcenter, vm.datacenter, vm.cluster), []).append(name)
        for place, members in sorted(groups.items()):
            self._anti_affinity(place, members, machines)
            for name in members:
                self._restart_priority(place, name, views[name].vm, machines[name])

    def _anti_affinity(self, place: tuple[str, str, str], members: list[str], machines: Mapping[str, AnyVm]) -> None:
        shared = self._settings.site.vsphere
        if shared is None or not shared.anti_affinity or len(members) < 2:
            return
        vcenter = self._vcenters.get(place[0])
        vsphere.ComputeClusterVmAntiAffinityRule(
            "/".join((*place, "apart")),
            name=self._settings.owner,
            compute_cluster_id=vcenter.cluster(place[1], place[2]),
            virtual_machine_ids=[machines[name].vm.id for name in members],
            mandatory=shared.mandatory,
            opts=ResourceOptions(parent=self._parent, provider=vcenter.provider),
        )

    def _restart_priority(
        self, place: tuple[str, str, str], name: str, vm: Optional[VmSettings], machine: AnyVm
    ) -> None:
        if vm is None or vm.restart_priority is None:
            return
        vcenter = self._vcenters.get(place[0])
        vsphere.HaVmOverride(
            names.child(name, "ha"),
            compute_cluster_id=vcenter.cluster(place[1], place[2]),
            virtual_machine_id=machine.vm.id,
            ha_vm_restart_priority=vm.restart_priority,
            opts=ResourceOptions(parent=machine, provider=vcenter.provider),
        )
