"""The VM of an appliance: a blank disk, and the installer ISO in its first drive. It installs itself, and powers off.

Whatever it is installed from comes frozen from the claim: another ISO, image, firmware or address in the settings is no
difference until the host is rolled. What happens to its drives and its power afterwards is done by `ApplianceBoot`, because
the provider has no boot order, no power state, and knows a drive only as a part of the definition.
"""

from collections.abc import Sequence
from typing import Any, Optional

import pulumi
import pulumi_vsphere as vsphere
from pulumi import Input, Output, Resource, ResourceOptions

from components import names
from components.errors import said_plainly
from components.registration import EdgeHostClaim
from components.vm_parts import MOVED_BY_OTHERS, VmArgs, placement, public_key, sizes
from edge.appliance.made import installer, wanted
from edge.images.facts import ImageFacts
from edge.userdata import APPLIANCE_SLOT
from edge.vm.changes import exported
from edge.vm.guestinfo import labels
from edge.vm.made_from import MadeFrom

# The drives are emptied and filled by `ApplianceBoot` and `ApplianceMedia`.
IGNORED = (*MOVED_BY_OTHERS, "cdroms")


def appliance_wanted(args: VmArgs, image_facts: Output[dict[str, Any]]) -> Output[str]:
    """Return what the next VM of an appliance would be made from, as the JSON that the claim freezes. Not a secret.

    `image_facts` are `ImageFacts` as plain data. Fails when the image has no ISO that the VM could boot.
    """
    settings, host, datacenter = args.settings, args.host, args.vm.datacenter

    def store(facts: dict[str, Any]) -> Input[str]:
        with said_plainly():
            file = installer(host, settings, ImageFacts.from_dict(facts))
        return args.vcenter.datastore(datacenter, file.datastore if file else "")

    def text(given: dict[str, Any]) -> str:
        image = ImageFacts.from_dict(given["facts"])
        with said_plainly():
            return wanted(host, settings, image, host_key=given["key"], store=given["store"]).to_json()

    key = public_key(settings, host, args.secrets)
    return Output.unsecret(Output.all(key=key, facts=image_facts, store=image_facts.apply(store)).apply(text))


class ApplianceVm(pulumi.ComponentResource):
    """One virtual machine that installs itself. Creates the VM `<host>-vm`, switched on, after `check` has found its ISO.

    Outputs: `address` (IPv4, as frozen in the claim), `uuid` (BIOS uuid), `host_key` (public, derived), `facts`. Deleting it
    shuts the guest down and destroys the VM with its disk; a protected host is refused.
    """

    address: Output[str]
    uuid: Output[str]

    def __init__(
        self,
        args: VmArgs,
        claim: EdgeHostClaim,
        made: Output[MadeFrom],
        check: Resource,
        opts: Optional[ResourceOptions] = None,
    ) -> None:
        host = args.host
        super().__init__(names.token("ApplianceVm"), names.child(host.name, "machine"), {"host": host.name}, opts)
        self._args = args
        self._from = made
        self.vm = self._virtual_machine(claim, check)
        # Before anything is frozen or known, as in a failed run, the settings are all that there is.
        self.address = made.apply(lambda one: one.address or str(host.address))
        self.host_key: Input[Optional[str]] = made.apply(lambda one: one.host_key or None)
        self.uuid = self.vm.id
        self.ready: Sequence[Resource] = (self.vm,)
        self.facts = self._facts()
        self.register_outputs({"address": self.address, "uuid": self.uuid})

    def _virtual_machine(self, claim: EdgeHostClaim, check: Resource) -> vsphere.VirtualMachine:
        host, settings, made = self._args.host, self._args.settings, self._from
        return vsphere.VirtualMachine(
            names.child(host.name, "vm"),
            name=host.name,
            folder=self._args.folder_path,
            annotation=f"Edge host {host.name}, an appliance, made by {settings.owner}",
            guest_id=made.apply(lambda one: one.guest_id),
            firmware=made.apply(lambda one: one.firmware),
            scsi_type=made.apply(lambda one: one.scsi_type),
            cdroms=[
                vsphere.VirtualMachineCdromArgs(
                    datastore_id=made.apply(lambda one: one.iso_store), path=made.apply(lambda one: one.iso_path)
                ),
                # For the host's own ISO, later.
                vsphere.VirtualMachineCdromArgs(client_device=True),
            ],
            # An installer has no VMware Tools, and would never satisfy a wait.
            wait_for_guest_net_timeout=0,
            wait_for_guest_ip_timeout=0,
            extra_config=self._extra_config(),
            extra_config_reboot_required=False,
            replace_trigger=claim.generation.apply(lambda number: str(int(number))),
            opts=ResourceOptions(
                parent=self,
                provider=self._args.vcenter.provider,
                depends_on=[check],
                protect=host.protect,
                delete_before_replace=True,
                ignore_changes=list(IGNORED),
            ),
            **sizes(self._args.vm),
            **placement(self._args.vm, self._args.vcenter, made),
        )

    def _extra_config(self) -> dict[str, str]:
        """Return the configuration keys of the machine; no secret is among them: an appliance reads no guestinfo."""
        return {
            **labels(self._args.host, self._args.settings),
            # The slot decides how the kernel calls the adapter, which the host's own user-data names.
            "ethernet0.pciSlotNumber": str(APPLIANCE_SLOT),
            # A guest that has locked its drive makes vSphere ask before it is emptied, and nobody would answer.
            "msg.autoAnswer": "TRUE",
            "cdrom.showIsoLockWarning": "FALSE",
        }

    def _facts(self) -> Output[dict[str, Any]]:
        """Return what the stack exports of the machine; a change of the settings is judged by it before it is made."""
        vm = self._args.vm

        def facts(given: list[Any]) -> dict[str, Any]:
            uuid, made = given
            return {"vm": {**exported(vm, made, uuid), "firmware": made.firmware}}

        return Output.all(self.uuid, self._from).apply(facts)
