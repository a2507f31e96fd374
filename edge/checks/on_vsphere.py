"""Checks that a vCenter answers: its login and privileges, the places of the machines, the template, names and addresses."""

from __future__ import annotations

from edge.checks.model import ADVICE, ALWAYS, STRICT, Check

_API = "vSphere Web Services API"
_CLONE = "vSphere provider, clone of a template"
_CLOUD_INIT = "cloud-init docs, VMware data source"
_ROLE = "`python -m edge.vcenter.privileges` prints the role to give, and on what"

SESSION = (
    Check("vsphere.session", "The vCenter answers and accepts the user", ("A3",), ALWAYS,
          "correct what the message names: server, certificate, user or password", _API, where="vsphere"),
    Check("vsphere.environment", "The vSphere provider of this shell trusts the vCenter", (), ADVICE,
          'run `eval "$(python -m edgectl env STACK)"` in the shell that will run `pulumi`', "Go, crypto/x509", where="vsphere"),
    Check("vsphere.privileges", "The user may do what the program does", ("A3",), ALWAYS,
          f"give the user the privileges named, on the objects named; {_ROLE}", _API, where="vsphere"),
)  # fmt: skip

PLACES = (
    Check("vsphere.datacenter", "The datacenter exists", (), ALWAYS,
          "correct `vsphere.datacenter`", _API, where="vsphere"),
    Check("vsphere.cluster", "The cluster or ESXi host exists and can run machines", (), ALWAYS,
          "correct `vsphere.cluster` or `vsphere.host`, or connect its hosts and end their maintenance", _API, where="vsphere"),
    Check("vsphere.size", "An ESXi host is large enough for the machine", ("A1",), ALWAYS,
          "write fewer `cpus` or less `memory`, or name a cluster with larger hosts", _API, where="vsphere"),
    Check("vsphere.pool", "The resource pool exists and has room", ("A1",), ALWAYS,
          "correct `vsphere.resourcePool`, or raise the pool's limit or reservation", _API, where="vsphere"),
    Check("vsphere.datastore", "The datastore is there for all hosts and has room", ("A1",), ALWAYS,
          "correct `vsphere.datastore` or `vsphere.datastoreCluster`, make room there, or write smaller disks", _API, where="vsphere"),
    Check("vsphere.network", "The network exists and all hosts have it", ("A2",), ALWAYS,
          "correct `vsphere.network` (and `vsphere.switch` where several switches have one of the name)", _API, where="vsphere"),
    Check("vsphere.folder", "The folder of the machines is ours or not there yet", (), ALWAYS,
          "choose another `vsphere.folder`, or make the folder above it", "this program", where="vsphere"),
    Check("vsphere.drs", "The cluster can do what `antiAffinity` and `ha` ask", (), STRICT,
          "switch DRS (licence: vSphere Enterprise Plus) or HA of the cluster on, or remove `antiAffinity` or `ha`", _API, where="vsphere"),
    Check("vsphere.tags", "The vSphere tags exist", (), ALWAYS,
          "make the category and tag in vCenter (Tags & Custom Attributes), or correct `vsphere.tags`", "vSphere tagging API",
          where="vsphere"),
    Check("vsphere.attributes", "The custom attributes exist", (), ALWAYS,
          "make the attribute in vCenter (Tags & Custom Attributes), or correct `vsphere.attributes`", _API, where="vsphere"),
)  # fmt: skip

TEMPLATE = (
    Check("vsphere.template", "The template exists and is one", ("A17",), ALWAYS,
          "correct `vsphere.template` or `vm.template` of the release; a machine becomes a template by `govc vm.markastemplate`",
          _API, where="vsphere"),
    Check("vsphere.template.tools", "The template has VMware Tools or cloud-init", ("A17",), ALWAYS,
          "install open-vm-tools and cloud-init in it (README, template); where vCenter cannot know, say it: "
          "`govc vm.change -vm TEMPLATE -e edge-hosts.cloud-init=TRUE`", _CLOUD_INIT, where="vsphere"),
    Check("vsphere.template.disk", "The template has one disk that fits into the asked one", ("A1",), ALWAYS,
          "write a `disk` at least as large as the template's, or make a template with one small SCSI disk", _CLONE, where="vsphere"),
    Check("vsphere.template.firmware", "The template's firmware is known", (), ALWAYS,
          "set it to EFI or BIOS, as its disk was installed: `govc device.boot -vm TEMPLATE -firmware efi`", _CLONE, where="vsphere"),
    Check("vsphere.template.encryption", "The template is not encrypted", (), ALWAYS,
          "make a template without encryption or vTPM: its clones would need a key provider, and more privileges", _CLONE, where="vsphere"),
    Check("vsphere.template.hardware", "The template's hardware version is 13 or newer", (), ADVICE,
          "upgrade its compatibility (vSphere Client, Compatibility) before it is made a template", "VMware KB 1003746", where="vsphere"),
    Check("vsphere.template.guest", "The template's guest is a 64-bit Linux", ("A12",), ALWAYS,
          "set the guest OS that is installed: `govc vm.change -vm TEMPLATE -g ubuntu64Guest`", _API, where="vsphere"),
    Check("vsphere.template.adapter", "The template has one network card of type vmxnet3", (), ADVICE,
          "remove the other cards and let the one be vmxnet3: a clone gets exactly that, and loses the rest", _CLONE, where="vsphere"),
    Check("vsphere.template.customization", "No guest customization is pending in the template", ("A17",), ALWAYS,
          "start it once without a customization specification, shut it down, and make it a template again", _CLONE, where="vsphere"),
)  # fmt: skip

MACHINES = (
    Check("vsphere.name", "The machine's name is free in its folder, or the machine is ours", ("A17",), ALWAYS,
          "run `python -m edgectl repair STACK`; a foreign machine must be moved or renamed, or choose another name for the host",
          "this program", where="vsphere"),
    Check("vsphere.address", "Nobody else has the machine's address", ("A2",), ALWAYS,
          "give the host another `address`, or take it from the other machine", "VMware Tools; TCP from this machine", where="vsphere"),
    Check("vsphere.mac", "No other machine has the MAC address", ("A2",), ALWAYS,
          "write another `mac` for the host, in 00:50:56:00:00:00 to 00:50:56:3f:ff:ff", _API, where="vsphere"),
    Check("vsphere.resize", "The machine can become as large as it is asked to be", ("A1",), ALWAYS,
          "write a disk at least as large as it is; remove snapshots before a disk grows", _API, where="vsphere"),
    Check("vsphere.power", "The machine is powered on", ("A17",), ALWAYS,
          "run `python -m edgectl repair STACK`, which powers it on", _API, where="vsphere"),
    Check("vsphere.iso", "The installer ISO lies where the machine boots it from", ("B14",), ALWAYS,
          "run `pulumi up` for the build stack, which uploads it again, or correct `image`", _API, where="vsphere"),
)  # fmt: skip
