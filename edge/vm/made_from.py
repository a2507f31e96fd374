"""What a machine is made from, as the claim freezes it until the generation of its host is raised.

Everything in here reaches a machine once, when it is made: cloud-init applies the network and the host key at the first
boot only, and a clone takes over its template as it was. So a later difference in the settings is none for the machine,
and the program goes on with what stands here. The claim stores JSON, which older versions of the program wrote too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from ipaddress import IPv4Address
from typing import Any

from edge.settings.stack import HostSettings
from edge.settings.vm import VmSettings

VSPHERE = "vsphere"
APPLIANCE = "appliance"

# attribute -> key in the JSON; the first three are all that an existing machine has
_KEYS: Mapping[str, str] = {
    "machine": "machine",
    "mode": "mode",
    "host_key": "hostKey",
    "template": "template",
    "template_name": "templateName",
    "guest_id": "guestId",
    "firmware": "firmware",
    "secure_boot": "secureBoot",
    "scsi_type": "scsiType",
    "vcenter": "vcenter",
    "datacenter": "datacenter",
    "mac": "mac",
    "address": "address",
    "prefix": "prefix",
    "gateway": "gateway",
    "nameservers": "nameservers",
    "search_domains": "searchDomains",
    "interface": "interface",
    "image": "image",
    "image_digest": "imageDigest",
    "pe_version": "peVersion",
    "iso_name": "isoName",
    "iso_sha256": "isoSha256",
    "iso_size": "isoSize",
    "iso_store": "isoStore",
    "iso_datastore": "isoDatastore",
    "iso_path": "isoPath",
    "iso_places": "isoPlaces",
}
_ALWAYS = ("machine", "mode", "host_key")


@dataclass(frozen=True, kw_only=True)
class MadeFrom:
    """What one machine is made from. For an existing machine only kind, mode and host key are there.

    `template` is the uuid of the template, `template_name` what the settings called it; guest id, firmware, secure boot
    and SCSI controller are the template's, because a clone with others does not boot.

    An appliance has no template, but an image: `iso_store` is the id of the datastore with its installer ISO, `iso_path`
    the path there, `iso_places` every place of the ISO; `pe_version` is the version of the agent in it.
    """

    machine: str = ""
    mode: str = ""
    host_key: str = ""
    template: str = ""
    template_name: str = ""
    guest_id: str = ""
    firmware: str = ""
    secure_boot: bool = False
    scsi_type: str = ""
    vcenter: str = ""
    datacenter: str = ""
    mac: str = ""
    address: str = ""
    prefix: int = 0
    gateway: str = ""
    nameservers: tuple[str, ...] = ()
    search_domains: tuple[str, ...] = ()
    interface: str = ""
    image: str = ""
    image_digest: str = ""
    pe_version: str = ""
    iso_name: str = ""
    iso_sha256: str = ""
    iso_size: int = 0
    iso_store: str = ""
    iso_datastore: str = ""
    iso_path: str = ""
    iso_places: tuple[str, ...] = ()

    @classmethod
    def of(cls, host: HostSettings, vm: VmSettings, *, host_key: str, template: Mapping[str, Any]) -> MadeFrom:
        """Return what the next machine of a host would be made from.

        `template` is what the look-up found: id, guestId, firmware, secureBoot, scsiType.
        """
        return cls(
            machine=host.machine,
            mode=host.mode,
            host_key=host_key,
            template=str(template.get("id") or ""),
            template_name=vm.template,
            guest_id=str(template.get("guestId") or ""),
            firmware=str(template.get("firmware") or ""),
            secure_boot=bool(template.get("secureBoot")),
            scsi_type=str(template.get("scsiType") or ""),
            vcenter=vm.vcenter,
            datacenter=vm.datacenter,
            mac=vm.mac,
            address=str(host.address),
            prefix=host.prefix or 0,
            gateway=str(vm.gateway),
            nameservers=tuple(str(one) for one in vm.nameservers),
            search_domains=vm.search_domains,
        )

    @classmethod
    def from_json(cls, text: object) -> MadeFrom:
        """Return what a claim stored. Missing parts stay empty, unknown ones are left out, and no JSON at all is nothing.

        An older program wrote only machine, mode and hostKey.
        """
        if not isinstance(text, str):
            return cls()
        try:
            data = json.loads(text)
        except ValueError:
            return cls()
        if not isinstance(data, dict):
            return cls()
        given = {name: data[key] for name, key in _KEYS.items() if data.get(key) is not None}
        return cls(**{name: _as_field(name, value) for name, value in given.items()})

    def makes(self, mode: str) -> bool:
        """Return whether this is all that a machine of the program is made from: by a template, or by an ISO."""
        if self.mode != mode or not self.address:
            return False
        if mode == APPLIANCE:
            return bool(self.iso_sha256 and (self.iso_path or self.machine != VSPHERE))
        return self.machine == VSPHERE and bool(self.template)

    def to_json(self) -> str:
        """Return the JSON that the claim stores: sorted, empty parts left out."""
        data = {key: getattr(self, name) for name, key in _KEYS.items() if name in _ALWAYS or getattr(self, name)}
        return json.dumps(data, sort_keys=True)

    def by_key(self) -> dict[str, Any]:
        """Return every part by its key in the JSON, empty ones too."""
        return {key: getattr(self, name) for name, key in _KEYS.items()}

    @property
    def ip(self) -> IPv4Address:
        """Return the address as an address. Raises ValueError where none is frozen."""
        return IPv4Address(self.address)

    @property
    def iso_place(self) -> str:
        """Return where the installer ISO lies, as vSphere writes it: `[datastore] folder/name.iso`; "" without one."""
        return f"[{self.iso_datastore}] {self.iso_path}" if self.iso_path else ""

    def differences(self, wanted: MadeFrom) -> tuple[str, ...]:
        """Return the keys in which another one differs that a raised generation would bring; sorted as they are read.

        What is empty here was not frozen by the program that wrote it, and says nothing.
        """
        known = ((name, key) for name, key in _KEYS.items() if getattr(self, name))
        return tuple(key for name, key in known if getattr(self, name) != getattr(wanted, name))


_TYPES = {field.name: str(field.type) for field in fields(MadeFrom)}


def _as_field(name: str, value: Any) -> Any:
    """Return a value of the JSON in the type of its field; numbers may come as floats."""
    kind = _TYPES[name]
    if kind == "int":
        return int(value) if isinstance(value, int | float) else 0
    if kind == "bool":
        return bool(value)
    if kind.startswith("tuple"):
        return tuple(str(one) for one in value) if isinstance(value, list | tuple) else ()
    return str(value)
