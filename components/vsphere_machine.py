"""The VM of an edge host on vSphere: cloned from a template, configured by the real cloud-init of that template.

A new machine comes by one way only, the host's generation: it reaches the VM as `replace_trigger`, after the claim's
guard has passed. What a machine is made from (template, host key, address) comes frozen from the claim, so a new template
or another address in the settings is no difference until the host is rolled.
"""

from collections.abc import Sequence
from typing import Any, Optional

import pulumi
import pulumi_vsphere as vsphere
from pulumi import Input, Output, Resource, ResourceOptions

from components import names
from components.login import authorized_keys
from components.registration import EdgeHostClaim
from components.secrets import Secrets
from components.vcenter import Vcenter
from components.vm_parts import HOST_KEY_SEED, MOVED_BY_OTHERS, VmArgs, frozen, placement, public_key, sizes
from edge.settings import HostSettings, StackSettings, VmSettings
from edge.vm.changes import exported
from edge.vm.guestinfo import extra_config
from edge.vm.hostkey import derive
from edge.vm.made_from import MadeFrom

# An adopted VM stays as it was found: told to the provider, half of what we would write restarts or replaces it.
EVERYTHING = ("*",)


def made_from_wanted(
    settings: StackSettings, host: HostSettings, vm: VmSettings, vcenter: Vcenter, secrets: Secrets
) -> Output[str]:
    """Return what the next machine of a host would be made from, as the JSON that the claim freezes. Not a secret."""
    public = public_key(settings, host, secrets)

    def text(given: dict[str, Any]) -> str:
        return MadeFrom.of(host, vm, host_key=given["key"], template=given["template"]).to_json()

    if host.host_key:  # of a machine that is adopted
        public = Output.from_input(host.host_key)
    template = vcenter.template(vm.datacenter, vm.template)
    return Output.unsecret(Output.all(key=public, template=template).apply(text))


class VsphereMachine(pulumi.ComponentResource):
    """One virtual machine. Creates the VM `<host>-vm`; the folder and the provider belong to the site.

    Outputs: `address` (IPv4, as frozen in the claim), `uuid` (BIOS uuid: every step on the host has it among its values,
    so a new machine runs them all), `host_key` (public, derived), `facts`. Deleting it shuts the guest down and destroys
    the VM with its disk; a protected host is refused.
    """

    address: Output[str]
    uuid: Output[str]

    def __init__(
        self,
        args: VmArgs,
        claim: EdgeHostClaim,
        wanted: Output[str],
        opts: Optional[ResourceOptions] = None,
    ) -> None:
        host = args.host
        super().__init__(names.token("VsphereMachine"), names.child(host.name, "machine"), {"host": host.name}, opts)
        self._args = args
        self._from = frozen(claim.made_from, wanted)
        self.vm = self._virtual_machine(claim)
        self.address = self._from.apply(lambda made: made.address)
        self.host_key: Input[Optional[str]] = self._from.apply(lambda made: made.host_key or None)
        self.uuid = self.vm.id
        self.ready: Sequence[Resource] = (self.vm,)
        self.facts = self._facts()
        self.register_outputs({"address": self.address, "uuid": self.uuid})

    def _virtual_machine(self, claim: EdgeHostClaim) -> vsphere.VirtualMachine:
        host, vm = self._args.host, self._args.vm
        return vsphere.VirtualMachine(
            names.child(host.name, "vm"),
            name=host.name,
            folder=self._args.folder_path,
            annotation=f"Edge host {host.name}, made by {self._args.settings.owner}",
            # The first step on the host is the readiness check; waiting for VMware Tools would take as long, and fail
            # where a container network comes up first.
            wait_for_guest_net_timeout=0,
            wait_for_guest_ip_timeout=0,
            extra_config=self._extra_config(),
            extra_config_reboot_required=False,
            replace_trigger=claim.generation.apply(lambda number: str(int(number))),
            opts=self._options(),
            **sizes(vm),
            **placement(vm, self._args.vcenter, self._from),
            **self._hardware(),
        )

    def _options(self) -> ResourceOptions:
        adopt = self._args.vm.adopt
        return ResourceOptions(
            parent=self,
            provider=self._args.vcenter.provider,
            protect=self._args.host.protect,
            delete_before_replace=True,
            ignore_changes=list(EVERYTHING if adopt else MOVED_BY_OTHERS),
            import_=adopt,
        )

    def _hardware(self) -> dict[str, Any]:
        """Return what must be as in the template: with other firmware or another controller it would not boot."""
        made = self._from
        return {
            "clone": vsphere.VirtualMachineCloneArgs(template_uuid=made.apply(lambda one: one.template)),
            "guest_id": made.apply(lambda one: one.guest_id),
            "firmware": made.apply(lambda one: one.firmware),
            "efi_secure_boot_enabled": made.apply(lambda one: one.secure_boot),
            "scsi_type": made.apply(lambda one: one.scsi_type),
        }

    def _extra_config(self) -> Output[dict[str, str]]:
        """Return the guestinfo of the first boot, a secret: it holds the host's private key."""
        settings, host, secrets = self._args.settings, self._args.host, self._args.secrets
        site = settings.site.name

        def config(given: dict[str, Any]) -> dict[str, str]:
            key = derive(given["seed"], site=site, host=host.name, generation=host.generation)
            return extra_config(settings, host, key, given["authorized"], given["made"])

        given = Output.all(
            seed=secrets.get(HOST_KEY_SEED), authorized=authorized_keys(host, secrets, settings.root), made=self._from
        )
        return Output.secret(given.apply(config))

    def _facts(self) -> Output[dict[str, Any]]:
        """Return what the stack exports of the machine; a change of the settings is judged by it before it is made."""
        vm = self._args.vm
        return Output.all(self.uuid, self._from).apply(lambda given: {"vm": exported(vm, given[1], given[0])})
