"""What the checks mean on an appliance: every check of the catalogue, with what is done about it there, and why.

An appliance is looked at after its first boot. Nothing was installed on it, its root is read-only, and its registration is
already running: so some checks ask another question, and some ask none. What may never be left out is `NEVER_SKIPPED`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from edge.checks.model import ALWAYS, STRICT, Check, CheckLevel
from edge.stages import Stage

Do = Literal["run", "adapted", "skipped"]

_INSTALLER = "Palette docs, installer reference"
_PREPARE = "Palette docs, EKS Hybrid Nodes, prepare edge hosts"
_KAIROS = "kairos-io/immucore"
_BUILD = "change the image (`dockerfile` or `baseImage` of the build), build it, and raise the host's generation"

APPLIANCE = (
    Check("appliance.registration", "The appliance registered as this host", ("B14", "B15"), ALWAYS,
          "look whether the host's own ISO is in the drive and the tags in /oem are those of this stack, then raise its generation",
          _INSTALLER, where="appliance"),
    Check("appliance.mounts", "What EKS keeps on the appliance outlives a reboot", ("B8", "B15"), ALWAYS,
          "build the image with the install block as it is (`bind_mounts`, `extra-dirs-rootfs`), then raise the host's generation",
          _PREPARE, where="appliance"),
    Check("appliance.system", "The appliance runs the system that it was installed with", ("B14", "B15"), STRICT,
          "take the installer's medium out and boot from disk; after a failed upgrade: "
          "`grub2-editenv /oem/grubenv set next_entry=cos`, then reboot", _KAIROS, where="appliance"),
)  # fmt: skip


@dataclass(frozen=True)
class Way:
    """What is done about a check on an appliance; `why` says how it differs, or why it is left out.

    `severity` and `remedy` take the place of the catalogue's where they are given.
    """

    do: Do
    why: str = ""
    severity: Mapping[Stage, CheckLevel] | None = None
    remedy: str = ""


def _run(ids: str) -> dict[str, Way]:
    return dict.fromkeys(ids.split(), Way("run"))


def _skipped(why: str, ids: str) -> dict[str, Way]:
    return dict.fromkeys(ids.split(), Way("skipped", why))


_HOST = {
    **_run("host.cpu.minimum host.memory.minimum host.disk.vartmp"),
    **_skipped("Appliance Mode asks for 2 CPUs", "host.cpu.recommended"),
    "host.memory.recommended": Way("adapted", "8 GiB are the minimum of an appliance", ALWAYS),
    "host.disk.minimum": Way("adapted", "the whole disk counts: the root is a read-only image on it"),
    "host.disk.recommended": Way("adapted", "the whole disk counts, and 100 GB are the minimum of an appliance", ALWAYS,
                                 "give the machine a first disk of 100 GB, and raise its generation"),
    "host.disk.free": Way("adapted", "asks /usr/local, the persistent part of the disk"),
    "host.disk.inodes": Way("adapted", "asks /usr/local, the persistent part of the disk"),
    "host.disk.writable": Way("adapted", "the root is read-only by design; /etc, /var, /opt and /usr/local are not"),
    **_skipped("no installer runs on an appliance", "host.disk.workdir host.os.selinux host.download.installer"),
    "host.os.supported": Way("adapted", "asks what the image was made of", remedy=_BUILD),
    **_run("host.os.architecture host.os.fips host.os.fipsmode host.os.credentialprovider host.os.platform host.os.systemd"),
    **_run("host.os.failedunits host.os.rebootpending"),
    "host.os.docker": Way("adapted", "asks for what the image brings", remedy=f"leave Docker out of it: {_BUILD}"),
    **_run("host.access.shell host.access.root host.access.expiry host.access.statedir"),
    **_run("host.kernel.version host.kernel.cgroup host.kernel.modules host.kernel.forwarding host.kernel.limits"),
    **_run("host.kernel.iptables host.swap.partition host.swap.file"),
    **_run("host.identity.machineid host.identity.machineid.unique host.identity.productuuid"),
    **_run("host.identity.productuuid.unique host.identity.hostname"),
    "host.identity.hostname.wanted": Way("adapted", "the first boot has set it: another name means that the host's own ISO"
                                         " was not read", STRICT, "look whether that ISO was in the drive at the first boot"),
    **_skipped("the installer has wiped the disk, and the agent lets the host join when Palette says so",
               "host.leftover.ssm host.leftover.ssmagent host.leftover.kubernetes host.leftover.containerd host.leftover.cni"),
    **_skipped("asked as appliance.registration: an agent is meant to be there", "host.leftover.agent"),
    "host.agent.running": Way("adapted", "asks for stylus-agent, the unit of Appliance Mode", ALWAYS,
                              "look into `journalctl -u stylus-agent`, then `systemctl restart stylus-agent`"),
}  # fmt: skip

_NETWORK = {
    **_run("host.network.ipv4 host.network.address host.network.static host.network.remotenode host.network.defaultroute"),
    **_run("host.network.nodeip host.network.overlap.pods host.network.overlap.services host.network.overlap.vpc"),
    **_run("host.network.overlap.sites host.network.route.enis host.network.mtu host.network.vmxnet3"),
    "host.network.offload": Way("adapted", "the stage has run at the boot, so the offload must be off", ALWAYS,
                                "look whether the stage stands in the host's user-data (`edgectl render`) and ethtool in the image"),
    **_run("host.network.firewall host.network.firewalld.stopped"),
    **_run("host.ports.cilium host.ports.cilium.features host.ports.kubernetes host.ports.localui"),
    **_run("host.dns.resolver host.dns.limits host.dns.loopback host.dns.answers host.dns.wildcard host.dns.pins"),
    **_run("host.dns.cluster host.dns.cluster.public host.dns.inbound host.dns.privatepath"),
    "host.endpoints.installer": Way("adapted", "asks the registry of the provider image, from which upgrades come",
                                    remedy="open tcp 443 from the host to the image's registry, or set `proxy`"),
    **_run("host.endpoints.palette host.endpoints.eks host.endpoints.ecr host.endpoints.credentials"),
    **_run("host.endpoints.cluster host.endpoints.enis host.endpoints.resolvers host.endpoints.other"),
    **_run("host.endpoints.optional host.cluster.answers"),
    **_skipped("nothing is installed on a read-only root", "host.endpoints.repositories"),
    **_run("host.proxy.reachable host.proxy.login host.proxy.files host.proxy.past host.proxy.cases"),
    **_run("host.tls.palette host.tls.aws host.tls.other host.tls.interception"),
    **_run("host.clock.conflict host.clock.skew"),
    "host.clock.daemon": Way("adapted", "the image brings it: there is no preparation to wait for", remedy=_BUILD),
    "host.clock.synchronised": Way("adapted", "the image brings the daemon: there is no preparation to wait for"),
}  # fmt: skip

_PACKAGES = {
    **_skipped("nothing is installed on a read-only root",
               "host.packages.manager host.packages.consistent host.packages.repositories host.packages.index.age"
               " host.packages.index.complete"),
    "host.packages.dependencies": Way("adapted", "asks for what a node needs, not for what the agent's installer needs", STRICT,
                                      f"put them into the image: {_BUILD}"),
    **_skipped("the image brings its own services", "host.packages.services"),
    "host.packages.containerd": Way("adapted", "a repository does not count: the image must have containerd and runc",
                                    remedy=f"put them into the image: {_BUILD}"),
    "host.packages.containerd.version": Way("adapted", "the image brings it", remedy=_BUILD),
}  # fmt: skip

_NO_TEMPLATE = "an appliance is installed from an ISO, not cloned from a template"
_SITE = {
    **_run("control.settings control.network control.secrets control.login control.image"),
    **_run("across.machineid across.productuuid across.hostname across.machine across.clock across.system"),
    **_run("palette.api palette.project palette.token palette.names palette.healthy palette.size"),
    **_run("vsphere.session vsphere.environment vsphere.privileges vsphere.datacenter vsphere.cluster vsphere.size"),
    **_run("vsphere.pool vsphere.datastore vsphere.network vsphere.folder vsphere.drs vsphere.tags vsphere.attributes"),
    **_run("vsphere.name vsphere.address vsphere.mac vsphere.resize vsphere.power vsphere.iso"),
    **_skipped(_NO_TEMPLATE, "vsphere.template vsphere.template.tools vsphere.template.disk vsphere.template.firmware"),
    **_skipped(_NO_TEMPLATE, "vsphere.template.encryption vsphere.template.hardware vsphere.template.guest"),
    **_skipped(_NO_TEMPLATE, "vsphere.template.adapter vsphere.template.customization"),
    **_run("aws.access aws.cluster aws.family aws.kubernetes aws.authmode aws.endpointmode aws.publiccidrs"),
    **_run("aws.remotenetworks aws.overlap aws.subnets aws.enis aws.routes aws.tunnels aws.securitygroups.in"),
    **_run("aws.securitygroups.out aws.vpc.dns aws.endpoints aws.resolver aws.role aws.accessentry aws.activation"),
}  # fmt: skip

WAYS: Mapping[str, Way] = {**_HOST, **_NETWORK, **_PACKAGES, **_SITE, **_run(" ".join(one.id for one in APPLIANCE))}

# The five of the vendor's page that an appliance is validated by, too, and which checks answer for each.
NEVER_SKIPPED: Mapping[str, tuple[str, ...]] = {
    "Palette healthy": ("palette.healthy", "host.agent.running", "appliance.registration"),
    "SSH": ("control.login", "host.access.root"),
    "outbound": ("host.endpoints.installer", "host.endpoints.palette", "host.tls.palette", "host.network.defaultroute"),
    "endpoints": ("host.endpoints.eks", "host.endpoints.ecr", "host.endpoints.credentials", "host.endpoints.cluster",
                  "host.endpoints.enis", "host.cluster.answers"),
    "ports": ("host.ports.cilium", "host.ports.cilium.features", "host.ports.kubernetes"),
}  # fmt: skip


def doing(do: Do, ids: Iterable[str]) -> tuple[str, ...]:
    """Return those of the checks about which this is done on an appliance."""
    return tuple(one for one in ids if WAYS[one].do == do)
