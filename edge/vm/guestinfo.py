"""What the guest's cloud-init reads at the first boot of a virtual machine: metadata, user-data, and the keys of both.

Pure: equal settings give equal text, byte for byte. Only the user-data holds a secret, the host's private key; everything
else may be shown. The guest clears the user-data after it has read it, and keeps the metadata: it must find its own
instance-id again at every boot, or it would configure itself once more.

Decisions that the template's operating system asks for (cloud-init's sources, 22.4 to 26.2, and its own schema):

- The default route is `to: 0.0.0.0/0`. cloud-init before 25.3 refuses `default` wherever it does not hand the file to
  netplan (RHEL, Amazon Linux 2023), older netplan does not know it either, and netplan warns of `gateway4`.
- No `wait-on-network`: the data source then waits for ever, before sshd and the login on the console, so a wrong port
  group would leave a machine that nobody can look into. Nothing in the user-data needs a network.
- No `ssh_genkeytypes`: with `ssh_keys` nothing is generated anyway, and an empty list breaks the schema.
- `apt.preserve_sources_list`: cloud-init would replace the template's package sources, which a site without a way to the
  public ones has set on purpose. Other systems do not read it.
- The interface is found by its MAC address and called eth0: all three writers of network files (netplan, sysconfig,
  networkd) can match on it, and the name that the kernel gives depends on the virtual slot.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from edge.errors import SettingsError
from edge.findings import Finding
from edge.settings.stack import HostSettings, StackSettings
from edge.settings.vm import VmSettings
from edge.userdata import HEADER, dump
from edge.vm.hostkey import HostKey
from edge.vm.made_from import MadeFrom

INTERFACE = "eth0"
DEFAULT_ROUTE = "0.0.0.0/0"
METADATA, USER_DATA = "guestinfo.metadata", "guestinfo.userdata"
OWNER, HOST, GENERATION = "edge-hosts.owner", "edge-hosts.host", "edge-hosts.generation"
CLEARED = ("userdata", "vendordata")
# The variables of a machine are small; a few hundred keys for the login are not, so longer texts are packed.
PLAIN_LIMIT = 16 * 1024


@dataclass(frozen=True)
class GuestNetwork:
    """The network of the first boot. What the claim froze counts before the settings: it is where we will log in."""

    mac: str
    address: str
    prefix: int
    gateway: str
    nameservers: tuple[str, ...]
    search_domains: tuple[str, ...]

    @classmethod
    def of(cls, host: HostSettings, made: MadeFrom | None = None) -> GuestNetwork:
        """Return the network of a host's machine. Raises SettingsError for a host that lacks what a machine needs."""
        vm = _machine(host)
        frozen = made if made is not None and made.address else None
        prefix = frozen.prefix if frozen and frozen.prefix else host.prefix
        if prefix is None:
            where = f"site.hosts.{host.name}.address"
            remedy = f"Write it with its prefix length, for example {host.address}/24."
            raise SettingsError([Finding(where, str(host.address), "has no prefix length", remedy)])
        servers = tuple(str(one) for one in vm.nameservers)
        return cls(
            mac=(frozen.mac if frozen and frozen.mac else vm.mac).lower(),
            address=frozen.address if frozen else str(host.address),
            prefix=prefix,
            gateway=frozen.gateway if frozen and frozen.gateway else str(vm.gateway),
            nameservers=frozen.nameservers if frozen and frozen.nameservers else servers,
            search_domains=frozen.search_domains if frozen and frozen.nameservers else vm.search_domains,
        )

    def config(self) -> dict[str, Any]:
        """Return cloud-init's network configuration, version 2, as it stands in the metadata."""
        nameservers: dict[str, Any] = {"addresses": list(self.nameservers)}
        if self.search_domains:
            nameservers["search"] = list(self.search_domains)
        interface = {
            "match": {"macaddress": self.mac},
            "set-name": INTERFACE,
            "dhcp4": False,
            "dhcp6": False,
            "addresses": [f"{self.address}/{self.prefix}"],
            "routes": [{"to": DEFAULT_ROUTE, "via": self.gateway}],
            "nameservers": nameservers,
        }
        return {"version": 2, "ethernets": {INTERFACE: interface}}


def _machine(host: HostSettings) -> VmSettings:
    if host.vm is None:
        where = f"site.hosts.{host.name}.machine"
        problem = "is no virtual machine that the program makes"
        raise SettingsError(
            [Finding(where, host.machine, problem, "Write `machine: vsphere`, and `vsphere:` at the site.")]
        )
    return host.vm


def instance_id(host: HostSettings, settings: StackSettings) -> str:
    """Return the id that makes cloud-init configure a machine once: another one for every generation."""
    return f"{settings.owner}-{host.name}-g{host.generation}"


def metadata(host: HostSettings, settings: StackSettings, made: MadeFrom | None = None) -> str:
    """Return the metadata as YAML: identity, name, network, and what the guest clears. No secret.

    `made` is what the claim froze; a machine that is made again without a new generation gets the network from there.
    """
    data = {
        "instance-id": instance_id(host, settings),
        "local-hostname": host.name,
        "cleanup-guestinfo": list(CLEARED),
        "network": GuestNetwork.of(host, made).config(),
    }
    return dump(data)


def user_data(host: HostSettings, key: HostKey, authorized_keys: Sequence[str]) -> str:
    """Return the user-data, first line `#cloud-config`: the login, the host key, the disk. A secret: it holds `key`.

    Raises SettingsError when nobody could log in.
    """
    root = host.ssh.user == "root"
    data = {
        "users": [_login(host, authorized_keys)],
        "disable_root": not root,
        "ssh_pwauth": False,
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": key.private, "ed25519_public": key.public},
        "preserve_hostname": False,
        "manage_etc_hosts": "localhost",
        "growpart": {"mode": "auto", "devices": ["/"], "ignore_growroot_disabled": False},
        "resize_rootfs": True,
        "apt": {"preserve_sources_list": True},
    }
    return HEADER + dump(data)


def _login(host: HostSettings, authorized_keys: Sequence[str]) -> dict[str, Any]:
    """Return the only user: the template's own default user is left out, because it is not listed."""
    keys = list(dict.fromkeys(key.strip() for key in authorized_keys if key.strip()))
    if not keys:
        problem = "no key may log in to this virtual machine, so no step could reach it"
        remedy = "List public keys as `ssh.authorizedKeys`, or let `ssh.privateKey` name a secret or a file."
        raise SettingsError([Finding(f"site.hosts.{host.name}.ssh", None, problem, remedy)])
    if host.ssh.user == "root":
        return {"name": "root", "lock_passwd": True, "ssh_authorized_keys": keys}
    return {
        "name": host.ssh.user,
        "lock_passwd": True,
        "shell": "/bin/bash",
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "ssh_authorized_keys": keys,
    }


def labels(host: HostSettings, settings: StackSettings) -> dict[str, str]:
    """Return the keys by which a machine in vSphere is known as ours. No secret."""
    return {OWNER: settings.owner, HOST: host.name, GENERATION: str(host.generation)}


def extra_config(
    settings: StackSettings,
    host: HostSettings,
    key: HostKey,
    authorized_keys: Sequence[str],
    made: MadeFrom | None = None,
) -> dict[str, str]:
    """Return the configuration keys of the machine: both documents, encoded, and the labels. A secret as a whole."""
    return {
        **encoded(METADATA, metadata(host, settings, made)),
        **encoded(USER_DATA, user_data(host, key, authorized_keys)),
        **labels(host, settings),
    }


def encoded(name: str, text: str) -> dict[str, str]:
    """Return a document under its key, and how it is encoded under the key beside it; long ones are packed."""
    data = text.encode()
    packed = len(data) > PLAIN_LIMIT
    value = base64.b64encode(gzip.compress(data, mtime=0) if packed else data).decode()
    return {name: value, f"{name}.encoding": "gzip+base64" if packed else "base64"}


def decoded(config: Mapping[str, str], name: str) -> str:
    """Return a document out of a machine's configuration keys, "" where the guest has cleared it.

    Raises ValueError for an encoding that we do not write.
    """
    value, encoding = config.get(name, ""), config.get(f"{name}.encoding", "")
    if encoding == "base64":
        return base64.b64decode(value).decode()
    if encoding == "gzip+base64":
        return gzip.decompress(base64.b64decode(value)).decode()
    if encoding:
        raise ValueError(f"{name} has the encoding {encoding!r}, which is not ours")
    return "" if value == "---" else value


def schema_documents(config: Mapping[str, str]) -> dict[str, str]:
    """Return what cloud-init's own tools judge, out of a machine's configuration keys, by the kind that they ask for.

    `cloud-config` is for `cloud-init schema --config-file`; `network-config` for `cloud-init schema --schema-type
    network-config` (24.1 and later) and for `cloud-init devel net-convert --kind yaml` (all versions).
    """
    network = yaml.safe_load(decoded(config, METADATA))["network"]
    return {"cloud-config": decoded(config, USER_DATA), "network-config": dump({"network": network})}
