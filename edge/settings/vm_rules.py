"""Rules about virtual machines: what one needs to be made, judged on the values merged from host and site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edge.findings import Finding
from edge.settings.hosts import VsphereHost
from edge.settings.image import BuiltImage, GivenImage
from edge.settings.image_places import vcenters_of
from edge.settings.logins import key_login_findings
from edge.settings.release import Release
from edge.settings.site import Site
from edge.settings.vm import OWN_SIZES, merged, vcenter_name, vcenters_in_use, written
from edge.settings.vm_address_rules import address_findings
from edge.settings.vsphere import DEFAULT_CPUS, DEFAULT_DISK_GIB, DEFAULT_MEMORY_MIB, Placement, Vcenter, Vsphere
from edge.settings.vsphere_values import shown_memory
from edge.stages import judge

_NEEDED = ("datacenter", "network", "gateway", "nameservers")
_ONE_OF = (("cluster", "host"), ("datastore", "datastore_cluster"))


def yaml_key(name: str) -> str:
    """Return the key of a field of `vsphere` as it is written."""
    return Placement.model_fields[name].alias or name


@dataclass(frozen=True)
class Machine:
    """One virtual machine of a site, with what the rules about it look at."""

    site: Site
    name: str
    host: VsphereHost
    placed: Vsphere

    @property
    def where(self) -> str:
        """Return the place of the host in the stack file."""
        return f"site.hosts.{self.name}"

    def at(self, field: str) -> str:
        """Return where a value stands that counts for this machine, or where to write one that is missing."""
        if field in OWN_SIZES and getattr(self.host, field) is not None:
            return f"{self.where}.{field}"
        own = self.host.vsphere
        if (own and field in written(own)) or self.site.vsphere is None:
            return f"{self.where}.vsphere.{yaml_key(field)}"
        return f"site.vsphere.{yaml_key(field)}"

    @property
    def cpus(self) -> int:
        """Return the CPUs, with the default."""
        return self.placed.cpus or DEFAULT_CPUS

    @property
    def memory_mib(self) -> int:
        """Return the memory in MiB, with the default."""
        return self.placed.memory or DEFAULT_MEMORY_MIB

    @property
    def disk_gib(self) -> int:
        """Return the disk in GiB, with the default."""
        return self.placed.disk or DEFAULT_DISK_GIB


def vm_findings(site: Site, release: Release | None) -> list[Finding]:
    """Return what the rules say about the virtual machines of a site: errors and warnings, in the order of the file."""
    machines = [
        Machine(site, name, host, merged(site, host))
        for name, host in site.hosts.items()
        if isinstance(host, VsphereHost)
    ]
    found: list[Finding | None] = [*_unused(site, machines), *pin_findings(site.vcenters)]
    for machine in machines:
        found += [
            *_vcenter(machine),
            *_needed(machine),
            *_one_of_two(machine),
            *_sizes(machine),
            *key_login_findings(
                site, machine.name, machine.host, "is made by the program, which lets only keys log in"
            ),
            *_adopted(machine),
            *(_template(machine, release) if release else ()),
        ]
    found += [*_adopted_twice(machines), *_apart(site, machines)]
    found += address_findings(site, [(machine.name, machine.host, machine.placed) for machine in machines])
    return _once_per_place([finding for finding in found if finding is not None])


def _once_per_place(findings: list[Finding]) -> list[Finding]:
    """Return the findings with one only for each place of the site: what twelve machines share is said of the first."""
    first: dict[str, Finding] = {}
    for finding in findings:
        first.setdefault(finding.where, finding)
    return [one for one in findings if one.where.startswith("site.hosts.") or one is first[one.where]]


def _unused(site: Site, machines: list[Machine]) -> Iterator[Finding]:
    remedy = "Remove it, or add a host that is made there."
    if site.vsphere and not machines:
        yield Finding("site.vsphere", None, "is not used: no host is made on vSphere", remedy, "warning")
    used = vcenters_in_use(site)
    if isinstance(site.image, BuiltImage):
        used |= vcenters_of(site.image.datastores, site.vcenters)
    elif isinstance(site.image, GivenImage):
        used |= vcenters_of([place for iso in site.image.isos.values() for place in iso.places], site.vcenters)
    for name in site.vcenters:
        if name not in used and not any(vcenter_name(site, machine.placed) == "" for machine in machines):
            problem = "is not used: no host of the site is made in this vCenter"
            yield Finding(f"site.vcenters.{name}", None, problem, remedy, "warning")
    if site.ssh.authorized_keys and not machines and all(host.mode == "agent" for host in site.hosts.values()):
        problem = "are not used: only machines that the program makes get keys"
        yield Finding("site.ssh.authorizedKeys", None, problem, "Remove them.", "warning")


def pin_findings(vcenters: Mapping[str, Vcenter]) -> Iterator[Finding]:
    """Yield each vCenter whose certificate two things would decide about."""
    for name, vcenter in vcenters.items():
        if vcenter.thumbprint and vcenter.ca_cert:
            problem = "stands beside `caCert`, and only one of them can decide"
            remedy = "Keep `caCert`; `thumbprint` is for a certificate that no CA signed."
            yield Finding(f"site.vcenters.{name}.thumbprint", None, problem, remedy)


def _vcenter(machine: Machine) -> Iterator[Finding]:
    known = machine.site.vcenters
    chosen = machine.placed.vcenter
    where = machine.at("vcenter")
    if not known:
        remedy = "Add `vcenters: {main: {server: vcenter.example.com, user: edge-hosts@vsphere.local}}`."
        yield Finding("site.vcenters", None, "is missing, but machines are made on vSphere", remedy)
    elif chosen is not None and chosen not in known:
        yield Finding(where, chosen, "is no vCenter of this site", f"Write one of: {', '.join(known)}.")
    elif chosen is None and len(known) > 1:
        problem = "is missing, and the site has several vCenters"
        yield Finding(where, None, problem, f"Write one of: {', '.join(known)}.")


def _needed(machine: Machine) -> Iterator[Finding]:
    if machine.site.vsphere is None and machine.host.vsphere is None:
        remedy = "Add `vsphere:` with datacenter, cluster, datastore, network, gateway and nameservers."
        yield Finding("site.vsphere", None, "is missing, but machines are made on vSphere", remedy)
        return
    for field in _NEEDED:
        if getattr(machine.placed, field) is None:
            words = (Placement.model_fields[field].description or "").removesuffix(" Needed.").rstrip(".")
            yield Finding(machine.at(field), None, "is missing", f"Add `{yaml_key(field)}:` ({words}).")


def _one_of_two(machine: Machine) -> Iterator[Finding]:
    if machine.site.vsphere is None and machine.host.vsphere is None:
        return
    for first, second in _ONE_OF:
        one, other = getattr(machine.placed, first), getattr(machine.placed, second)
        keys = f"`{yaml_key(first)}` and `{yaml_key(second)}`"
        if one is None and other is None:
            yield Finding(machine.at(first), None, "is missing", f"Write one of {keys}.")
        elif one is not None and other is not None:
            problem = f"stands beside `{yaml_key(first)}: {one}`, and a machine is made in one place"
            yield Finding(machine.at(second), other, problem, f"Keep one of {keys}.")


def _sizes(machine: Machine) -> Iterator[Finding | None]:
    own, placed = machine.host.vsphere, machine.placed
    for field in OWN_SIZES:
        if own and field in written(own) and getattr(machine.host, field) is not None:
            problem = f"stands beside `hosts.{machine.name}.vsphere.{field}`"
            yield Finding(f"{machine.where}.{field}", None, problem, "Keep one of the two.")
    cores = placed.cores_per_socket or 1
    if machine.cpus % cores:
        even = [str(number) for number in range(1, machine.cpus + 1) if machine.cpus % number == 0]
        problem = f"does not divide the {machine.cpus} CPUs of {machine.name} into whole sockets"
        where = machine.at("cores_per_socket")
        yield Finding(where, cores, problem, f"Write {' or '.join(even)}, or change `cpus`.")
    if placed.ha and placed.host:
        problem = f"needs a cluster, but {machine.name} is made on one ESXi host"
        remedy = "Write `cluster:` instead of `host:`, or remove `ha`."
        yield Finding(f"{machine.at('ha')}.restartPriority", placed.ha.restart_priority, problem, remedy)
    if machine.host.mode == "appliance":
        yield from _appliance_size(machine)
    elif machine.cpus < 4 or machine.memory_mib < 8 * 1024 or machine.disk_gib < 100:
        mine = any(machine.at(field).startswith(machine.where) for field in OWN_SIZES)
        seen = f"{machine.cpus} CPUs, {shown_memory(machine.memory_mib)}, {machine.disk_gib}GiB"
        yield judge("vm.small", machine.site.stage, machine.where if mine else "site.vsphere", seen)


def _appliance_size(machine: Machine) -> Iterator[Finding]:
    """Yield what is below the vendor's minimum for appliances (Palette docs, edge hardware requirements)."""
    least = {"cpus": 2, "memory": 8 * 1024, "disk": 100}
    has = {"cpus": machine.cpus, "memory": machine.memory_mib, "disk": machine.disk_gib}
    for field, minimum in least.items():
        if has[field] < minimum:
            seen, wanted = (_shown(field, value) for value in (has[field], minimum))
            problem = f"is less than the {wanted} that an appliance needs"
            yield Finding(machine.at(field), seen, problem, f"Write {wanted} or more.")


def _shown(field: str, value: int) -> str:
    return {"cpus": f"{value} CPUs", "memory": shown_memory(value)}.get(field, f"{value}GiB")


def _adopted(machine: Machine) -> Iterator[Finding]:
    path, datacenter = machine.host.adopt, machine.placed.datacenter
    if path is None and machine.host.host_key is not None:
        problem = "is given for a machine that the program makes, whose host key it derives"
        yield Finding(f"{machine.where}.hostKey", machine.host.host_key, problem, "Remove it.")
    if path is None or datacenter is None:
        return
    there = path.partition("/vm/")[0].rpartition("/")[2]
    if there != datacenter:
        problem = f"lies in another datacenter than {machine.name} ({datacenter})"
        remedy = "Correct the path, or the `datacenter` of this host."
        yield Finding(f"{machine.where}.adopt", path, problem, remedy)


def _adopted_twice(machines: list[Machine]) -> Iterator[Finding]:
    first: dict[tuple[str, str], str] = {}
    for machine in machines:
        if machine.host.adopt is None:
            continue
        key = (vcenter_name(machine.site, machine.placed), machine.host.adopt)
        if key in first:
            problem = f"is also taken over by {first[key]}"
            yield Finding(f"{machine.where}.adopt", machine.host.adopt, problem, "Keep it at one of the two hosts.")
        first.setdefault(key, machine.name)


def _template(machine: Machine, release: Release) -> Iterator[Finding | None]:
    """Judge where the template comes from; appliances boot an image instead."""
    if machine.host.mode == "appliance":
        return
    if machine.placed.template is not None:
        yield judge("vm.template.stack", machine.site.stage, machine.at("template"), machine.placed.template)
    elif release.vm_template is None:
        problem = f"is missing, and release {release.id} names none"
        remedy = f"Add `vm: {{template: NAME}}` to releases/{release.id}.yaml, or `template:` here."
        yield Finding(machine.at("template"), None, problem, remedy)


def _apart(site: Site, machines: list[Machine]) -> Iterator[Finding]:
    vsphere = site.vsphere
    if vsphere is None or not machines:
        return
    if vsphere.mandatory and not vsphere.anti_affinity:
        remedy = "Add `antiAffinity: true`, or remove `mandatory`."
        yield Finding("site.vsphere.mandatory", True, "does nothing without `antiAffinity`", remedy, "warning")
    if not vsphere.anti_affinity:
        return
    clusters = Counter(
        (vcenter_name(site, one.placed), one.placed.datacenter, one.placed.cluster)
        for one in machines
        if one.placed.cluster
    )
    if not clusters:
        problem = "needs a cluster, but every machine is made on one ESXi host"
        remedy = "Write `cluster:` instead of `host:`, or remove `antiAffinity`."
        yield Finding("site.vsphere.antiAffinity", True, problem, remedy)
    elif max(clusters.values()) < 2:
        problem = "does nothing: no cluster holds two machines of this site"
        yield Finding("site.vsphere.antiAffinity", True, problem, "Remove it, or add a second host.", "warning")
