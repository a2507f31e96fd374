"""The settings of one stack as the program uses them: site, release, and each host with everything merged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address
from typing import TypeVar

from edge.aws.access import AwsAccess
from edge.settings.access import Proxy, SecretRef, Ssh, ssh_secrets
from edge.settings.aws_secrets import by_name, network_secrets
from edge.settings.certificates import certificates
from edge.settings.hosts import ExistingHost, HostBase, MachineKind, Mode, State, Vmxnet3, VsphereHost
from edge.settings.image import BuiltImage, SshBuilder
from edge.settings.image_secrets import built_image_secrets
from edge.settings.network import GivenNetwork
from edge.settings.palette import TOKEN_SECRET, ConfigToken, StaticNetwork, User
from edge.settings.release import Release
from edge.settings.site import Site
from edge.settings.stack_base import StackBase
from edge.settings.vm import VmSettings, vcenters_in_use, vm_settings
from edge.settings.vsphere import SEED_SECRET, Vcenter
from edge.stages import DEFAULTS

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class HostSettings:
    """One host with all overrides merged and all defaults of its stage filled in."""

    name: str
    address: IPv4Address
    prefix: int | None
    machine: MachineKind
    mode: Mode
    generation: int
    state: State
    force: bool
    protect: bool
    allow_reboot: bool
    ssh: Ssh
    host_key: str | None
    proxy: Proxy | None
    ca_certs: tuple[str, ...]
    accept_os: tuple[str, ...]
    accept_dhcp: bool
    vmxnet3: Vmxnet3
    vmxnet3_nic: str | None
    tags: Mapping[str, str]
    users: Mapping[str, User]
    static_network: StaticNetwork | None
    fips: bool
    made_from: str
    vm: VmSettings | None
    install_timeout: timedelta
    value_secrets: frozenset[str]

    def secret_names(self) -> frozenset[str]:
        """Return the secrets whose values the steps on this host need: not those of the login, nor the token."""
        return self.value_secrets


class StackSettings(StackBase):
    """Everything that a stack file and its release say, checked."""

    site: Site
    release: Release
    region: str
    aws: AwsAccess = AwsAccess(region="")

    def host_view(self, name: str) -> HostSettings:
        """Return a host with the site's settings under its own. Raises KeyError for a name that is not there."""
        return view(self.site, name, self.release)

    def host_views(self) -> tuple[HostSettings, ...]:
        """Return all hosts, in the order of the file."""
        return tuple(self.host_view(name) for name in self.site.hosts)

    @property
    def vcenters(self) -> Mapping[str, Vcenter]:
        """Return the vCenters in which machines of this stack are made, by name; those that nobody uses are left out."""
        return vcenters_in_use(self.site)

    def vcenter(self, name: str) -> Vcenter:
        """Return a vCenter of the site by its name. Raises KeyError for a name that is not there."""
        return self.site.vcenters[name]

    @property
    def builder_ssh(self) -> Ssh | None:
        """Return how to log in at the build machine of a site that builds its image; None without one, or for this machine."""
        image = self.site.image
        builder = image.builder if isinstance(image, BuiltImage) else None
        return builder.login(self.site.ssh) if isinstance(builder, SshBuilder) else None

    def given_network(self) -> GivenNetwork:
        """Return the network whose values stand in the file. Raises TypeError for another source."""
        network = self.site.network
        if not isinstance(network, GivenNetwork):
            raise TypeError(f"the network has the source {network.source}")
        return network

    def secret_uses(self) -> dict[str, tuple[str, ...]]:
        """Return every secret that the stack needs, with the YAML paths that name it."""
        return secret_uses(self.site)

    def stand_ins(self) -> dict[str, str]:
        """Return stand-ins as every stack does; a host key's seed and a private key have their own form."""
        machines = any(_is_ours(host) for host in self.site.hosts.values())
        return {
            name: _stand_in(name, paths, at, machines)
            for at, (name, paths) in enumerate(self.secret_uses().items(), start=1000)
        }


def view(site: Site, name: str, release: Release | None = None) -> HostSettings:
    """Return one host of a site with everything merged: mappings add up, other values replace the site's.

    Without a release a virtual machine knows only a template that the site names.
    """
    host = site.hosts[name]
    defaults = DEFAULTS[site.stage]
    existing = isinstance(host, ExistingHost)
    leaving = host.state != "active"
    return HostSettings(
        name=name,
        address=host.ip,
        prefix=host.prefix,
        machine=host.machine,
        mode=host.mode,
        generation=host.generation,
        state=host.state,
        force=host.force or host.state == "lost",
        protect=not leaving and (defaults.protect if host.protect is None else host.protect),
        allow_reboot=_first(host.allow_reboot, not existing or defaults.allow_reboot),
        ssh=_ssh(site, host),
        host_key=host.host_key,
        proxy=_proxy(site, host),
        ca_certs=tuple(one for pem in _first(host.ca_certs, site.ca_certs) for one in certificates(pem)),
        accept_os=_first(host.accept_os, site.accept_os),
        accept_dhcp=_first(host.accept_dhcp, site.accept_dhcp),
        vmxnet3=_first(host.vmxnet3, site.vmxnet3),
        vmxnet3_nic=_first(host.vmxnet3_nic, site.vmxnet3_nic),
        tags={**site.palette.tags, **host.tags},
        users={**site.palette.users, **host.users},
        static_network=_static_network(site, host),
        fips=site.fips,
        made_from=_made_from(host),
        vm=vm_settings(site, name, release.vm_template if release else None),
        install_timeout=_first(host.install_timeout, site.install_timeout),
        value_secrets=frozenset(ref.secret for ref in _value_secrets(site, host).values()),
    )


def _static_network(site: Site, host: ExistingHost | VsphereHost) -> StaticNetwork | None:
    """Return the static network of the settings; an appliance VM has none of them, but its adapter and `vsphere`."""
    if host.mode == "appliance" and isinstance(host, VsphereHost):
        return None
    return _first(host.static_network, site.palette.static_network)


def _first(mine: T | None, theirs: T) -> T:
    return theirs if mine is None else mine


def _made_from(host: ExistingHost | VsphereHost) -> str:
    """Return, as JSON, what a machine is made from; the claim keeps it until the generation is raised.

    For a virtual machine only what the settings know: the template's identity and the host key are added where it is
    made.
    """
    known: dict[str, str] = {"machine": host.machine, "mode": host.mode}
    if isinstance(host, ExistingHost):
        known["hostKey"] = host.host_key or ""
    return json.dumps(known, sort_keys=True)


def _proxy(site: Site, host: HostBase) -> Proxy | None:
    if host.proxy == "none":
        return None
    return site.proxy if host.proxy is None else host.proxy


def _ssh(site: Site, host: HostBase) -> Ssh:
    """Return how to log in to a host, with the login name at the jump host filled in."""
    ssh = host.ssh.over(site.ssh) if host.ssh else site.ssh
    jump = ssh.jump_host
    if jump is None or jump.user:
        return ssh
    return ssh.model_copy(update={"jump_host": jump.model_copy(update={"user": ssh.user})})


def _value_secrets(site: Site, host: HostBase) -> dict[str, SecretRef]:
    """Return the secrets that end in what a host gets, by path: proxy, users, registry, more user-data."""
    mine = "site.hosts.*"
    proxy = _proxy(site, host)
    found = {f"site.palette.{path}": ref for path, ref in site.palette.named_secrets().items()}
    found |= extra_secrets(site.palette.user_data_extra, "site.palette.userDataExtra")
    if proxy and proxy.password:
        found[f"{mine}.proxy.password" if host.proxy else "site.proxy.password"] = proxy.password
    for user, entry in host.users.items():
        if entry.password_hash:
            found[f"{mine}.users.{user}.passwordHash"] = entry.password_hash
    return found


def extra_secrets(value: object, where: str) -> dict[str, SecretRef]:
    """Return the {secret: NAME} objects anywhere inside `userDataExtra`, by path."""
    if is_reference(value):
        return {where: SecretRef.model_validate(value)}
    if isinstance(value, Mapping):
        return {path: ref for key, one in value.items() for path, ref in extra_secrets(one, f"{where}.{key}").items()}
    if isinstance(value, list | tuple):
        return {path: ref for at, one in enumerate(value) for path, ref in extra_secrets(one, f"{where}[{at}]").items()}
    return {}


def is_reference(value: object) -> bool:
    """Return whether a raw value is {secret: NAME}."""
    return isinstance(value, Mapping) and set(value) == {"secret"} and isinstance(value["secret"], str)


def secret_uses(site: Site) -> dict[str, tuple[str, ...]]:
    """Return the secrets that a site names, each with the sorted YAML paths that name it."""
    found: dict[str, SecretRef] = {}
    if isinstance(site.palette.registration_token, ConfigToken):
        found["site.palette.registrationToken"] = SecretRef(secret=TOKEN_SECRET)
    for name, host in site.hosts.items():
        found |= {path.replace("*", name, 1): ref for path, ref in _value_secrets(site, host).items()}
        found |= ssh_secrets(_ssh(site, host), f"site.hosts.{name}.ssh" if host.ssh else "site.ssh")
    found |= _machine_secrets(site)
    if isinstance(site.image, BuiltImage):
        found |= built_image_secrets(site.image, site.ssh, site.vcenters)
    return by_name(found | network_secrets(site.network, site.activation))


def _stand_in(name: str, paths: tuple[str, ...], number: int, machines: bool) -> str:
    """Return a text that passes for one secret; `machines`: the public half of a login's key is asked for."""
    if any(path.endswith(("passwordHash", "passwd")) for path in paths):
        return f"$6$ehmasked$ehmasked{number:04d}"
    if machines and any(path.endswith("ssh.privateKey") for path in paths):
        from edge.vm.hostkey import stand_in_key  # slow to import, and seldom needed

        return stand_in_key(name)
    return f"ehmasked{number:04d}"


def _machine_secrets(site: Site) -> dict[str, SecretRef]:
    """Return the secrets that making and installing machines needs, by path; none for a site without one."""
    ours = {name: host for name, host in site.hosts.items() if _is_ours(host)}
    found = {f"site.vcenters.{name}.password": one.password for name, one in vcenters_in_use(site).items()}
    if ours:
        name, first = next(iter(ours.items()))
        seed = f"site.hosts.{name}.{'machine' if first.machine == 'vsphere' else 'mode'}"
        virtual = site.vsphere and any(host.machine == "vsphere" for host in ours.values())
        found["site.vsphere" if virtual else seed] = SecretRef(secret=SEED_SECRET)
    return found


def _is_ours(host: ExistingHost | VsphereHost) -> bool:
    """Return whether the program derives the host key of a host and lets its own key log in there."""
    return host.machine == "vsphere" or host.mode == "appliance"
