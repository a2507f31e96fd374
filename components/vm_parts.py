"""What virtual machines have in common, cloned or installed from an ISO: placement, what is frozen, and what is ignored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_vsphere as vsphere
from pulumi import Input, Output

from components.secrets import Secrets
from components.vcenter import Vcenter
from edge.settings import HostSettings, StackSettings, VmSettings
from edge.vm.hostkey import derive
from edge.vm.made_from import MadeFrom

HOST_KEY_SEED = "hostKeySeed"
# What others move while the VM lives: DRS, storage DRS, people with vMotion. And the guest clears its guestinfo after the
# first boot. A replacement takes the values of the settings all the same.
MOVED_BY_OTHERS = ("extraConfig", "hostSystemId", "resourcePoolId", "datastoreId", "datastoreClusterId")


@dataclass(frozen=True)
class VmArgs:
    """What a VM needs of its site. `folder_path` comes from the folder of the site's VMs, which the stack owns."""

    settings: StackSettings
    host: HostSettings
    vm: VmSettings
    vcenter: Vcenter
    folder_path: Input[str]
    secrets: Secrets


def public_key(settings: StackSettings, host: HostSettings, secrets: Secrets) -> Output[str]:
    """Return the public half of a host's derived key, still a secret Output."""
    site = settings.site.name
    return secrets.get(HOST_KEY_SEED).apply(
        lambda seed: derive(seed, site=site, host=host.name, generation=host.generation).public
    )


def frozen(made_from: Output[str], wanted: Output[str], mode: str = "agent") -> Output[MadeFrom]:
    """Return what the claim froze, or what is wanted where it froze another kind of machine.

    What is wanted may be unknown (an image that is about to be built), and is asked only where nothing is frozen. In an
    update the answer has a value also when the claim failed: the steps are skipped then, but the engine looks at their
    connection, and for a secret without a value it ends the run for all hosts (seen on the engine).
    """
    known = not pulumi.runtime.is_dry_run()

    def pick(told: Any) -> Any:
        one = MadeFrom.from_json(told)
        return one if one.makes(mode) else wanted.apply(MadeFrom.from_json, run_with_unknowns=known)

    return made_from.apply(pick, run_with_unknowns=known)


def placement(vm: VmSettings, vcenter: Vcenter, made: Output[MadeFrom]) -> dict[str, Any]:
    """Return where a VM is put: pool, datastore or datastore cluster, port group, tags, attributes."""
    dc = vm.datacenter
    placed: dict[str, Any] = {
        "resource_pool_id": vcenter.pool(dc, cluster=vm.cluster, esxi_host=vm.esxi_host, pool=vm.resource_pool),
        "network_interfaces": [
            vsphere.VirtualMachineNetworkInterfaceArgs(
                network_id=vcenter.network(dc, vm.network, vm.switch),
                adapter_type="vmxnet3",
                # The guest's network configuration finds its interface by this address.
                use_static_mac=True,
                mac_address=made.apply(lambda one: one.mac),
            )
        ],
    }
    if vm.datastore_cluster:
        placed["datastore_cluster_id"] = vcenter.datastore_cluster(dc, vm.datastore_cluster)
    else:
        placed["datastore_id"] = vcenter.datastore(dc, str(vm.datastore))
    if vm.tags:
        placed["tags"] = [vcenter.tag(category, tag) for category, tag in sorted(vm.tags.items())]
    if vm.attributes:
        pairs = [Output.all(vcenter.attribute(name), value) for name, value in sorted(vm.attributes.items())]
        placed["custom_attributes"] = Output.all(*pairs).apply(lambda all_: {str(one[0]): one[1] for one in all_})
    return placed


def sizes(vm: VmSettings) -> Mapping[str, Any]:
    """Return how large a VM is, and how its firmware waits."""
    return {
        "num_cpus": vm.cpus,
        "num_cores_per_socket": vm.cores_per_socket,
        "memory": vm.memory_mib,
        "cpu_hot_add_enabled": vm.hot_add,
        "memory_hot_add_enabled": vm.hot_add,
        "disks": [vsphere.VirtualMachineDiskArgs(label="disk0", size=vm.disk_gib, thin_provisioned=vm.thin)],
        "enable_disk_uuid": True,
        "boot_delay": int(vm.start_delay.total_seconds() * 1000) if vm.start_delay else None,
    }
