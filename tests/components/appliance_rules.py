"""The rules of both chains of appliances, each as a sentence when it is broken. A deliberate break must be found here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from components.testing import Recording, Registration
from edge.vm.hostkey import derive
from tests.components.appliance_site import BARE, BOOT, CHECK, FILE, ISO_FILE, MACHINE, MEDIA, VM
from tests.components.harness import canary
from tests.components.rules import DYNAMIC, leaks, waiting_components

# What each link needs, by role, and its type.
CHAINS: Mapping[str, Mapping[str, set[str]]] = {
    VM: {
        "claim": set(),
        "installer": {"claim"},
        "vm": {"claim", "installer"},
        "registration": {"claim", "vm"},
        "boot": {"registration", "vm"},
        "checks": {"boot"},
        "healthy": {"checks", "registration"},
        "media": {"healthy"},
    },
    BARE: {
        "claim": set(),
        "registration": {"claim"},
        "site-iso": {"registration"},
        "healthy": {"site-iso", "registration"},
        "checks": {"healthy"},
        "media": {"healthy"},
    },
}
TYPES = {
    **DYNAMIC,
    "installer": CHECK,
    "boot": BOOT,
    "site-iso": FILE,
    "media": MEDIA,
    "checks": "command:remote:Command",
    "vm": MACHINE,
}
PROTECTED = ("claim", "vm", "boot", "site-iso", "healthy")
IGNORED = {"extraConfig", "hostSystemId", "resourcePoolId", "datastoreId", "datastoreClusterId", "cdroms"}
NEVER = ("preparation", "agent", "started")
TIMEOUTS = {"boot": 7200, "healthy": {VM: 300, BARE: 7200}}


def problems(recording: Recording, *, protect: bool = False, force: bool = False, site: str = "lab") -> list[str]:
    """Return every broken rule of the mixed site."""
    found = [*leaks(recording), *waiting_components(recording)]
    for host, chain in CHAINS.items():
        for role, needs in chain.items():
            link = recording.get(f"{host}-{role}")
            found += [f"{link.name}: {one}" for one in _link(host, role, link, needs, protect=protect)]
            if role in DYNAMIC and link.inputs["force"] != force:
                found.append(f"{link.name}: has force={link.inputs['force']}")
        found += [f"{host}: has a step {role}" for role in NEVER if _has(recording, f"{host}-{role}")]
        key = derive(canary("hostKeySeed"), site=site, host=host, generation=1)
        found += _host(recording, host, key.public)
        giver = recording.get(f"{host}-{'boot' if host == VM else 'site-iso'}")
        found += [f"{giver.name}: {one}" for one in _user_data(giver, key.private)]
    found += [f"{VM}-vm: {one}" for one in _vm(recording.get(f"{VM}-vm"), recording)]
    return found + _inputs(recording)


def _has(recording: Recording, name: str) -> bool:
    return any(one.name == name for one in recording.resources)


def _link(host: str, role: str, link: Registration, needs: set[str], *, protect: bool) -> Iterator[str]:
    if link.type != TYPES[role]:
        yield f"has the type {link.type}"
    if link.parent != (f"{host}-machine" if role == "vm" else host):
        yield f"has the parent {link.parent!r}"
    missing = {f"{host}-{needed}" for needed in needs} - set(link.dependencies)
    if missing:
        yield f"does not wait for {sorted(missing)}"
    if link.protect != (protect and role in PROTECTED):
        yield f"has protect={link.protect}"
    if link.retain_on_delete or link.deleted_with or link.import_id or (role == "vm" and link.replace_on_changes):
        yield "has options of another life"
    if role != "vm" and (link.delete_before_replace or link.ignore_changes):
        yield "has options of a resource that is replaced"
    # What lasts a minute or two hours is followed as a build is.
    following = "edge-hosts-building" if role == "boot" else "edge-hosts-pending"
    # Only advised: the first login to a VM shows whether it has read its own ISO.
    logins = ("edge-hosts-login-advice",) if role == "checks" and host == VM else ()
    wanted = logins if role in ("vm", "checks") else (following,)
    if link.on_error != wanted:
        yield f"has the error hooks {link.on_error}"
    limit = TIMEOUTS.get(role)
    limit = limit[host] if isinstance(limit, dict) else limit
    if limit is not None and link.plain("timeout") != limit:
        yield f"waits {link.plain('timeout')} s instead of {limit}"
    if role not in ("vm", "checks") and link.is_secret("__provider"):
        yield "has its provider stored as a secret"


def _host(recording: Recording, host: str, public: str) -> Iterator[str]:
    claim, checks = recording.get(f"{host}-claim"), recording.get(f"{host}-checks")
    frozen = json.loads(claim.plain("made_from_wanted"))
    if claim.is_secret("made_from_wanted") or frozen["hostKey"] != public:
        yield f"{claim.name}: does not freeze the derived host key in clear"
    connection = checks.plain("connection")
    if connection["hostKey"] != public or not checks.is_secret("connection"):
        yield f"{checks.name}: does not pin the derived host key, or logs in in clear"
    if connection["dialErrorLimit"] != (60 if host == VM else 14):
        yield f"{checks.name}: has {connection['dialErrorLimit']} dials"
    if host == VM and f"{VM}-vm" not in checks.property_dependencies.get("stdin", ()):
        yield f"{checks.name}: would not run again on a new machine"
    if checks.plain("delete") or checks.plain("triggers"):
        yield f"{checks.name}: does something on delete, or is replaced"
    healthy = recording.get(f"{host}-healthy")
    wanted = {"appliance": True, "hostAddress": frozen["address"], "wantedVersion": "4.5.15", "lost": False}
    if {key: healthy.inputs.get(key) for key in wanted} != wanted:
        yield f"{healthy.name}: is not judged as an appliance"


def _user_data(giver: Registration, private: str) -> Iterator[str]:
    if not giver.is_secret("user_data") or giver.additional_secret_outputs != ("user_data",):
        yield "has its user-data in clear"
    data = yaml.safe_load(giver.plain("user_data"))
    if data["stylus"]["site"]["edgeHostToken"] != canary("registrationToken"):
        yield "does not carry the token"
    if data["stages"]["initramfs"][0]["files"][0]["content"] != private:
        yield "does not carry the derived host key"
    tags = data["stylus"]["site"]["tags"]
    machine = f"{VM}-vm-id" if giver.name.startswith(VM) else ""
    if (tags["edge-hosts-epoch"], tags["edge-hosts-machine"]) != ("0123456789abcdef", machine):
        yield f"does not carry the registration: {tags}"
    if "install" in data:
        yield "says what the installer does"


def _vm(vm: Registration, recording: Recording) -> Iterator[str]:
    claim = f"{VM}-claim"
    if recording.get(vm.parent).type != "edge-hosts:index:ApplianceVm":
        yield "belongs to another component"
    if not vm.delete_before_replace or set(vm.ignore_changes) != IGNORED:
        yield f"is replaced in another order, or ignores {vm.ignore_changes}"
    if vm.provider != "vcenter-lab":
        yield f"uses the provider {vm.provider!r}"
    for name in ("replaceTrigger", "guestId", "firmware", "scsiType", "cdroms", "networkInterfaces"):
        if claim not in vm.property_dependencies.get(name, ()):
            yield f"does not take {name} from the claim"
    known = {
        "name": VM,
        "replaceTrigger": "1",
        "guestId": "ubuntu64Guest",
        "firmware": "bios",
        "scsiType": "pvscsi",
        "waitForGuestNetTimeout": 0,
        "waitForGuestIpTimeout": 0,
        "extraConfigRebootRequired": False,
        "clone": None,
        "cdroms": [{"datastoreId": "Datastore-ssd-1", "path": "isos/edge-poweroff.iso"}, {"clientDevice": True}],
        "disks": [{"label": "disk0", "size": 100, "thinProvisioned": True}],
    }
    for name, value in known.items():
        if vm.plain(name) != value:
            yield f"has {name}={vm.plain(name)!r}"
    config = vm.inputs["extraConfig"]
    wanted = {
        "edge-hosts.owner": "edge-hosts.lab",
        "edge-hosts.host": VM,
        "edge-hosts.generation": "1",
        "ethernet0.pciSlotNumber": "160",
        "msg.autoAnswer": "TRUE",
        "cdrom.showIsoLockWarning": "FALSE",
    }
    if config != wanted:
        yield f"has the configuration keys {config}"


def _inputs(recording: Recording) -> list[str]:
    """Return what is wrong with the inputs by which the links of a chain know of each other."""
    boot, media = recording.get(f"{VM}-boot"), recording.get(f"{VM}-media")
    file, left = recording.get(f"{BARE}-site-iso"), recording.get(f"{BARE}-media")
    check = recording.get(f"{VM}-installer")
    place = "[ssd-1] isos/edge-poweroff.iso"
    ours = {"host": VM, "generation": 1, "datacenter": "LAB"}
    installed = {**ours, "epoch": "0123456789abcdef", "uuid": f"{VM}-vm-id"}
    expected: list[tuple[Registration, dict[str, Any]]] = [
        (
            check,
            {**ours, "owner": "edge-hosts.lab", "store": "ssd-1", "place": place, "size": 1048576, "sha256": "a1" * 32},
        ),
        (boot, {**installed, "owner": "edge-hosts.lab", "installer": place}),
        (media, {**installed, "mode": "vm", "site_iso": "[of-the-recording] vm/edge-hosts-cidata.iso"}),
        (file, {"host": BARE, "generation": 1, "epoch": "0123456789abcdef", "folder": ".edge/isos/lab"}),
        (left, {"host": BARE, "mode": "bare", "epoch": "0123456789abcdef", "path": ISO_FILE}),
    ]
    found = []
    for link, wanted in expected:
        has = {key: link.plain(key) for key in wanted}
        if has != wanted:
            found.append(f"{link.name}: has {has}")
    for link in (check, boot, media):
        access = link.plain("vcenter")
        if access["password_secret"] != "vspherePassword" or "password" in access or link.is_secret("vcenter"):
            found.append(f"{link.name}: does not name the vCenter's password")
    return found
