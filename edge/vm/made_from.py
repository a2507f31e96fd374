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
}
_ALWAYS = ("machine", "mode", "host_key")


@dataclass(frozen=True, kw_only=True)
class MadeFrom:
    """What one machine is made from. For an existing machine only kind, mode and host key are there.

    `template` is the uuid of the template, `template_name` what the settings called it; guest id, firmware, secure boot
    and SCSI controller are the template's, because a clone with others does not boot.
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

    @classmethod
    def choose(cls, told: object, wanted: object) -> MadeFrom:
        """Return what the claim froze, or what is wanted where it froze no virtual machine with a template.

        Both are JSON texts; `told` may be anything else while it is not known.
        """
        frozen = cls.from_json(told)
        return frozen if frozen.machine == VSPHERE and frozen.template and frozen.address else cls.from_json(wanted)

    def to_json(self) -> str:
        """Return the JSON that the claim stores: sorted, empty parts left out."""
        data = {key: getattr(self, name) for name, key in _KEYS.items() if name in _ALWAYS or getattr(self, name)}
        return json.dumps(data, sort_keys=True)

    @property
    def ip(self) -> IPv4Address:
        """Return the address as an address. Raises ValueError where none is frozen."""
        return IPv4Address(self.address)

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
