"""The vCenter of a rehearsal: the inventory of the lab's simulator, as far as a deployment asks for it by name.

Answers and errors have the vSphere provider's own field names and words, and add which names there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from edge.errors import LabError

DATACENTER = "LAB"
CLUSTERS = {"edge": "domain-c10"}
# Name -> its id, and the id of the root pool that its machines are in.
HOSTS = {
    "esx-1": ("host-21", "resgroup-11"),
    "esx-2": ("host-22", "resgroup-11"),
    "esx-9": ("host-29", "resgroup-19"),
}
POOLS = {"edge/Resources": "resgroup-11", "edge/Resources/small": "resgroup-12", "esx-9/Resources": "resgroup-19"}
DATASTORES = {"ssd-1": "datastore-31", "ssd-2": "datastore-32", "ssd-3": "datastore-33"}
PODS = {"pod-1": "group-p41"}
# The datastore that a cluster of datastores puts a machine on.
IN_PODS = {"pod-1": "ssd-3"}
SWITCHES = {"dvs": "50 3f 0a 11 22 33 44 55-66 77 88 99 aa bb cc dd"}
NETWORKS = {"VM Network": "network-50", "vlan-hosts": "network-51", "dvs-hosts": "dvportgroup-52"}
# Port groups of a distributed switch, by the switch.
ON_SWITCH = {"dvs-hosts": "dvs"}
ATTRIBUTES = {"owner": "101"}
FREE_GIB = 500


@dataclass(frozen=True)
class Seed:
    """A machine that is there from the start; all of them have one thin disk, and were made with UEFI and Secure Boot."""

    name: str
    template: bool = True
    tools: bool = True
    encrypted: bool = False
    disk_gib: int = 10

    @property
    def uuid(self) -> str:
        """Return the BIOS uuid, the same in every rehearsal: a claim keeps it."""
        return str(uuid5(NAMESPACE_URL, f"lab-template:{self.name}"))


SEEDS = (
    Seed("debian-12-edge"),
    Seed("no-tools", tools=False),
    Seed("encrypted", encrypted=True),
    Seed("not-a-template", template=False),
)
BY_UUID: Mapping[str, Seed] = {seed.uuid: seed for seed in SEEDS}
FIRMWARE, SCSI, GUEST_ID = "efi", "pvscsi", "debian12_64Guest"


def look_up(function: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the provider's function `get...` answers to its arguments.

    Raises LabError for a name that is not there, for another datacenter, and for a function that nobody acts for.
    """
    answer = _ANSWERS.get(function)
    if answer is None:
        raise LabError(f"the rehearsal has no vCenter that answers {function}")
    if function not in _WITHOUT_DATACENTER:
        place = given.get("datacenterId")
        if place is not None and place != "datacenter-2":
            raise LabError(f"cannot locate datacenter: the object 'vim.Datacenter:{place}' has already been deleted")
    return {**given, **answer(given)}


def _one_of(what: str, known: Mapping[str, Any], name: object) -> Any:
    if name not in known:
        raise LabError(f"{what} '{name}' not found", remedy=f"there are {', '.join(known) or 'none'}.")
    return known[str(name)]


def _named(what: str, known: Mapping[str, str]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    return lambda given: {"id": _one_of(what, known, given.get("name"))}


def _cluster(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": _one_of("cluster", CLUSTERS, given.get("name")), "resourcePoolId": POOLS["edge/Resources"]}


def _host(given: Mapping[str, Any]) -> dict[str, Any]:
    id_, pool = _one_of("host", HOSTS, given.get("name"))
    return {"id": id_, "resourcePoolId": pool}


def _network(given: Mapping[str, Any]) -> dict[str, Any]:
    name, switch = given.get("name"), given.get("distributedVirtualSwitchUuid")
    id_ = _one_of("network", NETWORKS, name)
    if switch and SWITCHES.get(ON_SWITCH.get(str(name), "")) != switch:
        raise LabError(f"network '{name}' not found on the switch {switch}")
    return {"id": id_, "type": "DistributedVirtualPortgroup" if name in ON_SWITCH else "Network"}


def _machine(given: Mapping[str, Any]) -> dict[str, Any]:
    # A path, as in the inventory, or a name alone.
    name = str(given.get("name") or "").removeprefix(f"/{DATACENTER}/vm/")
    seed: Seed = _one_of("virtual machine", {seed.name: seed for seed in SEEDS}, name)
    disk = {"label": "Hard disk 1", "size": seed.disk_gib, "thinProvisioned": True, "unitNumber": 0}
    return {
        "id": seed.uuid,
        "uuid": seed.uuid,
        "moid": f"vm-{60 + SEEDS.index(seed)}",
        "guestId": GUEST_ID,
        "firmware": FIRMWARE,
        "efiSecureBootEnabled": True,
        "scsiType": SCSI,
        "numCpus": 2,
        "numCoresPerSocket": 1,
        "memory": 2048,
        "disks": [disk],
        "networkInterfaceTypes": ["vmxnet3"],
    }


_ANSWERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "getDatacenter": _named("datacenter", {DATACENTER: "datacenter-2"}),
    "getComputeCluster": _cluster,
    "getHost": _host,
    "getResourcePool": _named("resource pool", POOLS),
    "getDatastore": _named("datastore", DATASTORES),
    "getDatastoreCluster": _named("datastore cluster", PODS),
    "getDistributedVirtualSwitch": _named("distributed virtual switch", SWITCHES),
    "getNetwork": _network,
    "getVirtualMachine": _machine,
    "getTagCategory": _named("tag category", {}),
    "getTag": _named("tag", {}),
    "getCustomAttribute": _named("custom attribute", ATTRIBUTES),
}
_WITHOUT_DATACENTER = ("getDatacenter", "getTagCategory", "getTag", "getCustomAttribute")
